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

# Details of a native record.
VALID_FOR_NS = 100 * S
LEAP = 1
SOURCE = 0xC000_0201
# CLOCK_REALTIME is slewed by at most 600 ppm, in units of 2^-32.
REALTIME_RATE = round(600e-6 * 2**32)
REALTIME_ERROR_NS = 50_000


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


def vmclock_page(marker: int) -> bytes:
    """Returns a VMClock page with a disruption marker."""
    return struct.pack("<4sIHHIQ", b"VCLK", 4096, 1, 0, 0, marker).ljust(4096, b"\0")


def native(
    half_ns: int,
    status: int = SYNCHRONIZED,
    reason: int = 0,
    publication_interval_us: int = 50_000,
    marker: int | None = None,
) -> bytes:
    """Returns the 4096 bytes of a native segment with a clock error bound of `half_ns` now.

    With `marker`, it has disruption support, and the host expects a disruption within a day. Its
    record is valid since VALID_FOR_NS before now. Since then CLOCK_REALTIME was not set.
    """
    boot_id = uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).bytes
    as_of_ns, now_ns = _clocks()
    identity = struct.pack("=8sIHH16sq24x", b"clkbound", 4096, 1, 3, boot_id, 0)
    interval = struct.pack("=qqqiI", as_of_ns, now_ns - half_ns, now_ns + half_ns, 0, GROWTH)
    state = struct.pack(
        "=qqBBBBIq", as_of_ns + 5 * S, as_of_ns + 1000 * S, status, reason, LEAP, 0, SOURCE, 0
    )
    since_ns = as_of_ns - VALID_FOR_NS
    realtime = struct.pack("=qqqii", now_ns, since_ns, since_ns, -REALTIME_RATE, REALTIME_RATE)
    publication = struct.pack("=II", publication_interval_us, REALTIME_ERROR_NS)
    host = struct.pack("=QBBBxh", marker, 1, 5, 0, 37) if marker is not None else b""
    segment = identity + struct.pack("=Q", 2) + interval + state + realtime + publication + host
    return segment.ljust(4096, b"\0")


def publish(path: Path, segment: bytes) -> None:
    """Writes `segment` to a new file, and renames it to `path`."""
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(segment)
    new.rename(path)
