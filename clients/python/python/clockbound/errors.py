"""The exceptions of this package. Each message contains the cause and, if known, the remedy."""

from .enums import Reason, Status


class Error(Exception):
    """The base class of all exceptions of this package."""


class OpenError(Error, OSError):
    """The segment cannot be opened: the daemon has not run yet, or publishes in another directory.

    Try again later, or pass the path of the segment. `filename` is the path. `errno` is the error
    of the system, and None if the file was opened and is not a segment of a supported layout.
    """

    _message: str | None = None

    def __str__(self) -> str:
        return self._message or super().__str__()


class EarlierBootError(Error):
    """The segment was written before the current boot: the daemon has not run since.

    Try again later.
    """


class TimeNamespaceError(Error):
    """The time namespace of this process cannot be determined.

    The instants in the segment therefore cannot be compared with the clocks of this process. Mount
    /proc.
    """


class VMClockError(Error):
    """The record holds only while the VMClock page has its disruption marker.

    This process cannot read that page. Provide the device to it, readable. The message contains the
    path and the cause.
    """


class NotReadyError(Error):
    """No trusted interval, or none that is narrow enough, was published before the timeout.

    `__cause__` is the error of the last attempt.
    """


class UntrustedError(Error):
    """The clock status is not trusted, so the interval claims nothing.

    `reason` and the daemon's log contain the cause.
    """

    status: Status
    reason: Reason


class TooWideError(Error):
    """The clock error bound exceeds the requested maximum.

    Wait until it decreases, or request a larger maximum.
    """


class ReadError(Error):
    """The segment cannot be read: its first write was interrupted, or another program wrote to it.

    Restart the daemon, which repairs it.
    """


class SimulatedError(Error):
    """A program wrote the record for a test, so the interval says nothing about the clock.

    The client was opened with `refuse_simulated=True`. Start the daemon, or pass the path at which
    it publishes.
    """


class CausalityError(Error):
    """The record is ahead of the monotonic clock of this process.

    The v1 or v2 segment is from another boot, or the daemon runs in a time namespace.
    """


class NotKnownError(Error):
    """The segment has no interval of that instant. The message contains the reason.

    A reading of CLOCK_REALTIME cannot be converted to an instant after the clock was set or slewed.
    Request the interval sooner after the reading, or read CLOCK_MONOTONIC_RAW.
    """


class NotNativeError(NotKnownError):
    """The segment is not of the native layout.

    Only that layout has intervals at other instants than the present. Configure the daemon to
    publish it.
    """


class TooLongAgoError(NotKnownError):
    """The instant is before the first of which the record has an interval.

    The machine was suspended or the clock disrupted since, or it is too long ago. Request the
    interval sooner after the instant.
    """


class TimedOutError(Error, TimeoutError):
    """The time had not certainly passed within the timeout."""


class ClockError(Error):
    """clock_gettime failed."""
