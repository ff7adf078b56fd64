"""The enumerations. Status and reason have the names of the daemon's log."""

from enum import StrEnum


class _Name(StrEnum):
    """A name of the daemon's log. Its repr is the expression for it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class Status(_Name):
    """The clock status."""

    UNKNOWN = "unknown"
    """Not trusted: the interval claims nothing."""
    SYNCHRONIZED = "synchronized"
    """Trusted: the clock is synchronized to a source."""
    FREE_RUNNING = "free_running"
    """Trusted: the clock is in holdover. The last interval grows with time."""
    DISRUPTED = "disrupted"
    """Not trusted: a disruption of the virtual machine occurred. The interval claims nothing."""

    @property
    def is_trusted(self) -> bool:
        """Whether an interval with this status contains true time."""
        return self is Status.SYNCHRONIZED or self is Status.FREE_RUNNING


class Reason(_Name):
    """The reason of the clock status."""

    TRACKING = "tracking"
    """Measurements arrive and agree."""
    NEVER_SYNCHRONIZED = "never_synchronized"
    """No valid measurement has arrived since boot."""
    RESUMED = "resumed"
    """The interval was published before the daemon restarted. No measurement has arrived since."""
    SLEW_IN_FLIGHT = "slew_in_flight"
    """CLOCK_REALTIME is slewed, or chronyd does not control it. Not used by current daemons."""
    CHRONY_SILENT = "chrony_silent"
    """chronyd does not respond."""
    REPORT_REFUSED = "report_refused"
    """The reports of chronyd are invalid."""
    LEAP_UNSYNCHRONIZED = "leap_unsynchronized"
    """chronyd reports that its clock is not synchronized."""
    SOURCE_UNREACHABLE = "source_unreachable"
    """The selected source has not replied to chronyd's last polls, or no source is selected."""
    LOCAL_REFERENCE = "local_reference"
    """chronyd is in its local mode, without a reference."""
    CLOCK_STEPPED = "clock_stepped"
    """The machine was suspended, and no measurement has arrived since."""
    PHC_UNREADABLE = "phc_unreadable"
    """The error bound of the PTP hardware clock is missing, unreadable or invalid."""
    HOLDOVER_EXPIRED = "holdover_expired"
    """The last valid measurement is older than the holdover."""
    BOUND_OVER_CAP = "bound_over_cap"
    """The clock error bound exceeds the configured maximum."""
    DISRUPTED = "disrupted"
    """A disruption of the virtual machine occurred or cannot be excluded."""
    DAEMON_SILENT = "daemon_silent"
    """The daemon has not updated the record for some seconds. Readers detect this."""
    CONTRADICTION = "contradiction"
    """Measurements are disjoint from the held interval. The interval is the hull of both."""
    SOURCES_DISAGREE = "sources_disagree"
    """More than half of the reachable sources are disjoint from the interval, or more sources are
    wrong than `--falsetickers` allows."""
    TOO_FEW_SOURCES = "too_few_sources"
    """Fewer sources are reachable than `--falsetickers` requires."""
    PERMISSION_DENIED = "permission_denied"
    """The daemon is not permitted to query chronyd."""
    RETIRED = "retired"
    """The daemon does not publish this segment any more."""
    UNTOLD = "untold"
    """The layout has no reason, or the value is not defined in this version of the package."""


class Layout(_Name):
    """The layout of a segment."""

    NATIVE = "native"
    """The native layout."""
    V2 = "v2"
    """The 2.x layout."""
    V1 = "v1"
    """The 1.x layout."""
    V3 = "v3"
    """The 3.x layout."""


class Leap(_Name):
    """The leap second announcement, for the end of the day of UTC."""

    NORMAL = "normal"
    """No leap second."""
    INSERT_SECOND = "insert_second"
    """A second will be inserted."""
    DELETE_SECOND = "delete_second"
    """A second will be deleted."""
    UNSYNCHRONIZED = "unsynchronized"
    """The clock is not synchronized, so that no announcement is available."""
