"""Reads an interval that contains true time from clockbound's shared memory.

    from clockbound import Client

    client = Client.open_when_ready(timeout=10)  # one per process is enough
    interval = client.now()
    if interval.status.is_trusted:
        print(f"true time is in {interval.earliest_ns} .. {interval.latest_ns} ns")
    client.commit_wait(interval.latest_ns)  # now it is in the past on every host

A client follows the daemon through restarts, and all threads can share it. By default a client is
neither async-signal-safe nor usable under a seccomp filter that forbids opening files; see
`Client`.
"""

from .enums import Layout, Leap, Reason, Status
from .errors import (
    CausalityError,
    ClockError,
    EarlierBootError,
    Error,
    NotKnownError,
    NotNativeError,
    NotReadyError,
    OpenError,
    ReadError,
    SimulatedError,
    TimedOutError,
    TimeNamespaceError,
    TooLongAgoError,
    TooWideError,
    UntrustedError,
    VMClockError,
)
from .record import Record
from ._native import (
    DEFAULT_DIRECTORY,
    DEFAULT_VMCLOCK,
    Client,
    Interval,
    Timed,
    __version__,
    explain,
)

__all__ = [
    "DEFAULT_DIRECTORY",
    "DEFAULT_VMCLOCK",
    "CausalityError",
    "Client",
    "ClockError",
    "EarlierBootError",
    "Error",
    "Interval",
    "Layout",
    "Leap",
    "NotKnownError",
    "NotNativeError",
    "NotReadyError",
    "OpenError",
    "ReadError",
    "Reason",
    "Record",
    "SimulatedError",
    "Status",
    "TimeNamespaceError",
    "Timed",
    "TimedOutError",
    "TooLongAgoError",
    "TooWideError",
    "UntrustedError",
    "VMClockError",
    "__version__",
    "explain",
]
