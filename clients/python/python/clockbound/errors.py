"""Why there is no interval, and what to do about it. The messages say both."""

from .words import Reason, Status


class Error(Exception):
    """Any of those below."""


class OpenError(Error):
    """The segment cannot be opened: the daemon has not run yet, or publishes elsewhere.

    Try again later, or give its path.
    """


class EarlierBootError(Error):
    """The segment was written before the machine was booted: the daemon has not run since. Try again later."""


class TimeNamespaceError(Error):
    """This process cannot say which time namespace it lives in, and so not what the segment's instants mean to it."""


class NotReadyError(Error):
    """No trusted interval, or none that is narrow enough, came in time.

    What was in the way last is the `__cause__`.
    """


class UntrustedError(Error):
    """The interval claims nothing, so nothing can be said about a time.

    The reason tells the operator where to look.
    """

    status: Status
    reason: Reason


class TooWideError(Error):
    """The interval is wider than was asked for. Wait for chronyd to get better, or ask for less."""


class ReadError(Error):
    """The segment cannot be read now: its writer died in its very first write, or is not the daemon.

    A (re)started daemon puts it right.
    """


class CausalityError(Error):
    """The record is from the future of this process's clock: another boot, or the daemon's time namespace."""


class NotNativeError(Error):
    """Only the native layout can say what the time was at another instant. Let the daemon publish it."""


class TooLongAgoError(Error):
    """The instant is too far before the record to say what the time was then. Ask sooner."""


class ClockError(Error):
    """The kernel refused to read a clock."""
