"""Measures the time of a read from Python: with this package, and with ctypes and the C library.

benchmark.py [LIBCLOCKBOUND_SO]
"""

import ctypes
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from timeit import repeat
from typing import NamedTuple

from clockbound import Client
from tests.segments import native, publish

CALLS = 10_000
ROUNDS = 50


class CInterval(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("earliest_ns", "latest_ns")] + [
        (name, ctypes.c_int) for name in ("status", "reason")
    ]


class Interval(NamedTuple):
    earliest_ns: int
    latest_ns: int
    status: int
    reason: int


def through_ctypes(library: str, directory: Path) -> Callable[[], object]:
    """Returns the minimal `now()` with ctypes: it shares no state between threads, and its result
    does not change later."""
    c = ctypes.CDLL(library)
    c.clockbound_open.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    c.clockbound_open.restype = ctypes.c_void_p
    c.clockbound_interval_now.argtypes = [ctypes.c_void_p, ctypes.POINTER(CInterval)]
    c.clockbound_interval_now.restype = ctypes.c_void_p
    context = ctypes.c_void_p(c.clockbound_open(bytes(directory), None))

    def now() -> Interval:
        it = CInterval()
        if c.clockbound_interval_now(context, ctypes.byref(it)):
            raise RuntimeError
        return Interval(it.earliest_ns, it.latest_ns, it.status, it.reason)

    return now


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        client = Client.open_when_ready(0, path=publish_new(directory))
        rows: dict[str, Callable[[], object]] = {
            "time.time_ns()": time.time_ns,
            "time.clock_gettime_ns(CLOCK_MONOTONIC_RAW)": partial(
                time.clock_gettime_ns, time.CLOCK_MONOTONIC_RAW
            ),
            "Client.now()": client.now,
            "Client.now(), earliest_ns and latest_ns": lambda: (
                (it := client.now()).earliest_ns,
                it.latest_ns,
            ),
        }
        if sys.argv[1:]:
            rows["ctypes and the C library"] = through_ctypes(sys.argv[1], directory)
        # The record is recent, as with a running daemon. Each round calls all functions in turn, so
        # that a disturbance of the machine affects all of them.
        best = dict.fromkeys(rows, float("inf"))
        for _ in range(ROUNDS):
            for row, call in rows.items():
                publish_new(directory)
                best[row] = min(best[row], *repeat(call, number=CALLS, repeat=1))
        reference = best["time.time_ns()"]
        for row, seconds in best.items():
            print(f"{row:48}{seconds / CALLS * 1e9:7.0f} ns  {seconds / reference:6.2f}")


def publish_new(directory: Path) -> Path:
    publish(directory / "native", native(200_000))
    return directory


if __name__ == "__main__":
    main()
