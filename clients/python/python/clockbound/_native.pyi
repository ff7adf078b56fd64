"""The compiled part. Import what is in it from `clockbound`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from os import PathLike
from types import GenericAlias
from typing import Any, Final, Generic, TypeVar, final

from .words import Reason, Status

__all__ = ["DEFAULT_DIRECTORY", "Client", "Interval", "Timed", "_interval_given"]

_T_co = TypeVar("_T_co", covariant=True)
_T = TypeVar("_T")

DEFAULT_DIRECTORY: Final = "/var/run/clockbound"
"""The directory that the daemon publishes in, unless told otherwise."""

@final
class Client:
    """A handle on the daemon's segment: one is enough for all threads of a process.

    It goes on working while the daemon is down, restarted or killed: the interval then grows, and its status says so.
    """

    @staticmethod
    def open(path: str | PathLike[str] = ...) -> Client:
        """Opens what is published at `path`: a segment of any layout, or a directory (by default the daemon's), in
        which the first of `native`, `shm0` (v2) and `shm` (v1) that is there is taken.

        Raises OpenError when there is none, or what is there is not a segment of a known layout; EarlierBootError and
        TimeNamespaceError.
        """

    @staticmethod
    def open_when_ready(
        timeout: float | timedelta,
        max_bound: float | timedelta | None = None,
        path: str | PathLike[str] = ...,
    ) -> Client:
        """Waits until there is an interval that can be relied on, no wider than `max_bound` if that is given. Both are
        seconds, or a timedelta. Other threads run meanwhile.

        Raises NotReadyError after `timeout`; its cause is what was in the way last.
        """

    def now(self) -> Interval:
        """The interval that contains true time now, if its status is trusted.

        Raises ReadError when the segment holds nonsense, CausalityError when it is from the future, ClockError when the
        kernel lacks a clock.
        """

    def interval_at(self, monotonic_raw_ns: int) -> Interval:
        """The interval that contained true time when `time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)` showed
        `monotonic_raw_ns` in this process, for an instant that is not too long ago.

        Raises those of `now`, NotNativeError and TooLongAgoError.
        """

    def commit_wait(self, t: int | datetime) -> Interval:
        """Returns when `t` has certainly passed, ns of UTC since 1970 or an aware datetime: sleeps, and spins for the
        last moments. A timestamp that is exposed after this is in the past for everybody. Other threads run meanwhile.

        Raises those of `now`, and UntrustedError as soon as the interval claims nothing.
        """

    def timing(self, f: Callable[[], _T]) -> Timed[_T]:
        """Calls `f`, and tells the time just before and just after."""

@final
class Interval:
    """Where true time lies, while its status is trusted.

    One interval is before another (`<`) when it ended before that one began, and both are trusted. Intervals that overlap
    have no order: whether what happened in one came first, nobody can tell, and `<` and `>` are both false.
    """

    @property
    def earliest_ns(self) -> int:
        """The earliest that true time can be, ns of UTC since 1970."""

    @property
    def latest_ns(self) -> int:
        """The latest that true time can be, ns of UTC since 1970."""

    @property
    def midpoint_ns(self) -> int:
        """The middle, ns of UTC since 1970."""

    @property
    def bound_ns(self) -> int:
        """Half the width in ns, rounded up: how wrong the midpoint can be."""

    @property
    def earliest(self) -> datetime:
        """`earliest_ns` as a datetime in UTC, rounded down to its microseconds."""

    @property
    def latest(self) -> datetime:
        """`latest_ns` as a datetime in UTC, rounded up to its microseconds."""

    @property
    def midpoint(self) -> datetime:
        """`midpoint_ns` as a datetime in UTC, rounded down to its microseconds."""

    @property
    def bound(self) -> timedelta:
        """`bound_ns` as a timedelta, rounded up to its microseconds."""

    @property
    def status(self) -> Status:
        """Whether the interval may be relied on."""

    @property
    def reason(self) -> Reason:
        """Why the status is so; UNTOLD from a layout that does not say."""

    def is_after(self, t: int | datetime) -> bool:
        """Whether `t` has certainly passed (TrueTime's `after`), ns of UTC since 1970 or an aware datetime.

        Never, while the status is not trusted.
        """

    def is_before(self, t: int | datetime) -> bool:
        """Whether `t` has certainly not come yet (TrueTime's `before`), likewise."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __lt__(self, other: Interval, /) -> bool: ...
    def __le__(self, other: Interval, /) -> bool: ...
    def __gt__(self, other: Interval, /) -> bool: ...
    def __ge__(self, other: Interval, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Timed(Generic[_T_co]):
    """A call, and the time before and after it."""

    @property
    def value(self) -> _T_co:
        """What the call returned."""

    @property
    def began(self) -> Interval:
        """The interval just before the call; raises as `now` did then."""

    @property
    def ended(self) -> Interval:
        """The interval just after it; raises as `now` did then."""

    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

# For the conformance tests: what a client says elsewhere and at another time.
def _interval_given(
    path: str | PathLike[str],
    *,
    realtime_ns: int,
    monotonic_coarse_ns: int,
    monotonic_raw_ns: int,
    boot_id: bytes,
    namespace_offset_ns: int,
) -> Interval: ...
