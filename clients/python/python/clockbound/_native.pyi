"""The compiled module. Import its names from `clockbound`."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from os import PathLike
from types import GenericAlias
from typing import Any, Final, Generic, TypeVar, final

from .enums import Reason, Status
from .record import Record

__all__ = [
    "DEFAULT_DIRECTORY",
    "DEFAULT_VMCLOCK",
    "Client",
    "Interval",
    "Timed",
    "__version__",
    "_interval_in",
    "_record_in",
    "explain",
]

_T_co = TypeVar("_T_co", covariant=True)
_T = TypeVar("_T")

DEFAULT_DIRECTORY: Final = "/var/run/clockbound"
"""The directory in which the daemon publishes by default."""

DEFAULT_VMCLOCK: Final = "/dev/vmclock0"
"""The VMClock device by default."""

__version__: Final[str]
"""The version of this package."""

@final
class Client:
    """A handle to the daemon's segment. One handle is enough for all threads of a process. By
    default it follows the daemon: when the record is overdue, it looks at the path and opens the
    file that is there, which takes system calls and memory. Such a client is neither
    async-signal-safe nor usable under a seccomp filter that forbids these calls. A client that is
    opened with `follow=False` can be used under such a filter: it reads the file that it opened,
    and makes no system call after opening, except where clock_gettime is one.

    Either works while the daemon is stopped, restarted or killed: the interval grows meanwhile, and
    its status changes to FREE_RUNNING and then to UNKNOWN.
    """

    def __new__(
        cls,
        path: str | PathLike[str] = ...,
        *,
        follow: bool = True,
        vmclock: str | PathLike[str] = ...,
        refuse_simulated: bool = False,
    ) -> Client:
        """Opens the segment at `path`.

        If `path` is a directory (by default the daemon's), opens the best of `native`, `shm0` (v2),
        `shm` (v1) and `shm1` (v3) in it: one that a daemon updates is preferred, then one whose
        status is trusted, then the order given here. Otherwise opens a segment of any layout.

        `vmclock` is the path of the VMClock page. If the record has disruption support, each read
        compares the page with it, and the status is DISRUPTED if they differ.

        `refuse_simulated` makes a record that a program wrote for a test an error. In a directory,
        such a segment is skipped if there is another one.

        Raises OpenError if no segment exists, or the file is not a segment of a supported layout;
        EarlierBootError if the native segment was written before the current boot;
        TimeNamespaceError if the time namespace of this process cannot be determined; VMClockError
        if the record has disruption support and the page cannot be opened; SimulatedError if a
        program wrote the record for a test and the client refuses that.
        """

    @staticmethod
    def open(
        path: str | PathLike[str] = ...,
        *,
        follow: bool = True,
        vmclock: str | PathLike[str] = ...,
        refuse_simulated: bool = False,
    ) -> Client:
        """The same as `Client`, with the same arguments."""

    @staticmethod
    def open_when_ready(
        timeout: float | timedelta,
        max_bound: float | timedelta | None = None,
        path: str | PathLike[str] = ...,
        *,
        follow: bool = True,
        vmclock: str | PathLike[str] = ...,
        refuse_simulated: bool = False,
    ) -> Client:
        """Waits until the daemon publishes a trusted interval, and opens the segment.

        With `max_bound`, the clock error bound of that interval must not exceed it. `timeout` and
        `max_bound` are seconds or a timedelta. Other threads run during the wait.

        Raises NotReadyError after `timeout`. Its cause is the error of the last attempt.
        """

    def now(self) -> Interval:
        """Returns the interval at the present. It contains true time while its status is trusted.

        Raises ReadError if the content of the segment is invalid; CausalityError if the record is
        ahead of the monotonic clock; ClockError if clock_gettime fails; VMClockError if the record
        has disruption support and there is no page.
        """

    def interval_at(self, monotonic_raw_ns: int) -> Interval:
        """Returns the interval at another instant, in the past or in the future.

        It is the instant at which `time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)` in this process
        returns `monotonic_raw_ns`.

        Raises ReadError if the content of the segment is invalid; NotNativeError if the segment is
        not of the native layout; TooLongAgoError if since the instant the machine was suspended,
        the clock was disrupted or a leap second was inserted, or if the instant is further before
        the record than the record is valid after it. The last two are NotKnownErrors.
        """

    def interval_at_realtime(self, t: int | datetime) -> Interval:
        """Returns the interval at the instant at which CLOCK_REALTIME read `t`.

        Such a reading is the timestamp of a packet (SO_TIMESTAMPING) or of a line in a log. `t` is
        ns of UTC since 1970 or an aware datetime. The status is that of the present. The result
        relies on CLOCK_REALTIME not having been slewed away and back since the record, less than
        the daemon's poll interval ago.

        Raises the errors of `interval_at`, and NotKnownError if `t` is in the future, or if
        CLOCK_REALTIME was set or slewed since.
        """

    def commit_wait(
        self, t: int | datetime, timeout: float | timedelta | None = None
    ) -> Interval:
        """Waits until `t` has certainly passed, and returns the interval that proves it.

        `t` is ns of UTC since 1970 or an aware datetime, `timeout` seconds or a timedelta. Sleeps
        for at most 100 ms between two readings, and spins for the last 100 us. A timestamp that is
        exposed after the wait is in the past on every host. Other threads run during the wait.

        Raises the errors of `now`; UntrustedError as soon as the status is not trusted;
        TimedOutError after `timeout`.
        """

    def commit_wait_async(
        self, t: int | datetime, timeout: float | timedelta | None = None
    ) -> Coroutine[Any, Any, Interval]:
        """Like `commit_wait`, in the event loop of asyncio: `await client.commit_wait_async(t)`.

        Other tasks run during the wait, and the wait can be cancelled. It does not spin, and can
        end a few ms later than `commit_wait`.
        """

    def timing(self, f: Callable[[], _T]) -> Timed[_T]:
        """Calls `f`, and reads the interval immediately before and immediately after it."""

    def record(self) -> Record:
        """Returns the details of the record: its layout, age and source, and others.

        Raises the errors of `now`.
        """

@final
class Interval:
    """The interval that contains true time while its status is trusted.

    One interval is less than another if it ends before the other begins and both are trusted.
    Intervals that overlap are not ordered, because the order of events in them cannot be
    determined: `<` and `>` are both false.

    Like an instance of a frozen dataclass, it is hashable, and `copy` and `pickle` can copy it. The
    constructor is for tests and for intervals that were stored; `Client` makes all others.
    """

    __match_args__: Final = ("earliest_ns", "latest_ns", "status", "reason")

    def __new__(
        cls, earliest_ns: int, latest_ns: int, status: Status, reason: Reason = ...
    ) -> Interval:
        """Makes an interval.

        Raises ValueError if `earliest_ns` is greater than `latest_ns`; OverflowError if one of them
        does not fit into 64 bits.
        """

    @property
    def earliest_ns(self) -> int:
        """The earliest possible true time, ns of UTC since 1970."""

    @property
    def latest_ns(self) -> int:
        """The latest possible true time, ns of UTC since 1970."""

    @property
    def midpoint_ns(self) -> int:
        """The middle of the interval, ns of UTC since 1970."""

    @property
    def bound_ns(self) -> int:
        """The clock error bound of the midpoint: half the width, ns, rounded up."""

    @property
    def earliest(self) -> datetime:
        """`earliest_ns` as a datetime in UTC, rounded down to microseconds."""

    @property
    def latest(self) -> datetime:
        """`latest_ns` as a datetime in UTC, rounded up to microseconds."""

    @property
    def midpoint(self) -> datetime:
        """`midpoint_ns` as a datetime in UTC, rounded down to microseconds."""

    @property
    def bound(self) -> timedelta:
        """`bound_ns` as a timedelta, rounded up to microseconds."""

    @property
    def status(self) -> Status:
        """The clock status. The interval contains true time only while it is trusted."""

    @property
    def reason(self) -> Reason:
        """The reason of the status: UNTOLD from v1 and v2, which have no field for it."""

    def is_after(self, t: int | datetime) -> bool:
        """Returns whether `t` has certainly passed (`after` of TrueTime).

        `t` is ns of UTC since 1970 or an aware datetime, of any year. Returns False while the
        status is not trusted.
        """

    def is_before(self, t: int | datetime) -> bool:
        """Returns whether `t` is certainly in the future (`before` of TrueTime).

        `t` is ns of UTC since 1970 or an aware datetime, of any year. Returns False while the
        status is not trusted.
        """

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __lt__(self, other: Interval, /) -> bool: ...
    def __le__(self, other: Interval, /) -> bool: ...
    def __gt__(self, other: Interval, /) -> bool: ...
    def __ge__(self, other: Interval, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[type[Interval], tuple[int, int, Status, Reason]]: ...

@final
class Timed(Generic[_T_co]):
    """The result of a call, with the intervals read before and after it."""

    @property
    def value(self) -> _T_co:
        """The value that the call returned."""

    @property
    def began(self) -> Interval:
        """The interval read immediately before the call. Raises the error of that read."""

    @property
    def ended(self) -> Interval:
        """The interval read immediately after the call. Raises the error of that read."""

    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

def explain(path: str | PathLike[str] = ...) -> list[str]:
    """Explains in sentences why the interval is so wide, or why its status is not trusted.

    Says also since when, by which sources, and what would make the interval narrower. `path` is the
    file `diagnostics` of the daemon, or its directory (by default the daemon's). Each statement is
    a paragraph; lines for chrony.conf are indented in it. The text is for people, and can differ in
    another version.

    Raises OpenError if there are no diagnostics, EarlierBootError if they were written before the
    current boot, TimeNamespaceError, and ClockError.
    """

# For the conformance tests: reads a segment with given clock readings.
def _interval_in(
    path: str | PathLike[str],
    surroundings: Mapping[str, int | bytes | bool | None],
    at_monotonic_raw_ns: int | None = None,
    at_realtime_ns: int | None = None,
) -> Interval: ...
def _record_in(path: str | PathLike[str], surroundings: Mapping[str, int | bytes | bool | None]) -> Record: ...
