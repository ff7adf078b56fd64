"""Makes segments byte by byte, without the code of the daemon or the library."""

import struct
import time
import uuid
from pathlib import Path

S = 1_000_000_000

UNKNOWN, SYNCHRONIZED, FREE_RUNNING, DISRUPTED = range(4)

V1_MAGIC = (0x414D_5A4E, 0x4342_0200)
DRIFT_PPB = 50_000
# 300 ppm of growth, in units of 2^-32.
GROWTH = round(300e-6 * 2**32)


def raw_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


def _v1_times() -> tuple[int, int, int, int]:
    # 6 is CLOCK_MONOTONIC_COARSE, which the module time does not define.
    as_of_s, as_of_ns = divmod(time.clock_gettime_ns(6), S)
    return as_of_s, as_of_ns, as_of_s + 1000, 0


def _clocks() -> tuple[int, int]:
    """Returns CLOCK_MONOTONIC_RAW and CLOCK_REALTIME, read at most 50 us apart."""
    while True:
        before_ns, as_of_ns, after_ns = time.time_ns(), raw_ns(), time.time_ns()
        if after_ns - before_ns < 100_000:
            return as_of_ns, (before_ns + after_ns) // 2


def v1(half_ns: int, status: int = SYNCHRONIZED) -> bytes:
    """Returns the 72 bytes of a segment of the 1.x layout."""
    return struct.pack(
        "=IIIHHqqqqqIIi4x", *V1_MAGIC, 72, 1, 2, *_v1_times(), half_ns, DRIFT_PPB, 0, status
    )


def v2(half_ns: int, status: int = SYNCHRONIZED) -> bytes:
    """Returns the 80 bytes of a segment of the 2.x layout."""
    return struct.pack(
        "=IIIHHqqqqqQIiB7x", *V1_MAGIC, 80, 2, 2, *_v1_times(), half_ns, 0, DRIFT_PPB, status, 0
    )


def native(half_ns: int, status: int = SYNCHRONIZED, reason: int = 0) -> bytes:
    """Returns the 136 bytes of a native segment with a clock error bound of `half_ns` now."""
    boot_id = uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).bytes
    as_of_ns, now_ns = _clocks()
    return struct.pack(
        "=8sIHH16sq24xQqqqiIqqBBBBIq",
        *(
            b"clkbound",
            136,
            1,
            0,
            boot_id,
            0,
            2,
            as_of_ns,
            now_ns - half_ns,
            now_ns + half_ns,
            0,
            GROWTH,
        ),
        *(as_of_ns + 5 * S, as_of_ns + 1000 * S, status, reason, 0, 0, 1, 0),
    )


def publish(path: Path, segment: bytes) -> None:
    """Writes `segment` to a new file, and renames it to `path`."""
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(segment)
    new.rename(path)
