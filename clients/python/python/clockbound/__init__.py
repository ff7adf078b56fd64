"""What time is it, and how wrong can that be? Read from clockbound's shared memory.

    from clockbound import Client

    client = Client.open_when_ready(timeout=10)  # one for the whole process
    interval = client.now()
    if interval.status.is_trusted:
        print(f"true time is in {interval.earliest_ns} .. {interval.latest_ns} ns")
    client.commit_wait(interval.latest_ns)  # now the timestamp lies in everybody's past

A client follows the daemon through restarts, and all threads may use it.
"""

from .errors import (
    CausalityError,
    ClockError,
    EarlierBootError,
    Error,
    NotNativeError,
    NotReadyError,
    OpenError,
    ReadError,
    TimeNamespaceError,
    TooLongAgoError,
    TooWideError,
    UntrustedError,
)
from ._native import DEFAULT_DIRECTORY, Client, Interval, Timed
from .words import Reason, Status

__all__ = [
    "DEFAULT_DIRECTORY",
    "CausalityError",
    "Client",
    "ClockError",
    "EarlierBootError",
    "Error",
    "Interval",
    "NotNativeError",
    "NotReadyError",
    "OpenError",
    "ReadError",
    "Reason",
    "Status",
    "TimeNamespaceError",
    "Timed",
    "TooLongAgoError",
    "TooWideError",
    "UntrustedError",
]
