"""Status and reason, in the words of the daemon's log."""

from enum import StrEnum


class Status(StrEnum):
    """What may be relied on."""

    UNKNOWN = "unknown"
    """Nothing: the interval claims nothing."""
    SYNCHRONIZED = "synchronized"
    """The clock follows a source; the interval contains true time."""
    FREE_RUNNING = "free_running"
    """The last bound is held over and grows; the interval contains true time."""
    DISRUPTED = "disrupted"
    """The clock was disrupted (live migration): the interval claims nothing."""

    @property
    def is_trusted(self) -> bool:
        """Whether the interval contains true time."""
        return self is Status.SYNCHRONIZED or self is Status.FREE_RUNNING


class Reason(StrEnum):
    """Why the status is what it is."""

    TRACKING = "tracking"
    """chronyd's reports arrive and are valid."""
    NEVER_SYNCHRONIZED = "never_synchronized"
    """No valid report has arrived since boot."""
    RESUMED = "resumed"
    """An earlier life of the daemon had published this."""
    SLEW_IN_FLIGHT = "slew_in_flight"
    """The clock is being slewed, or is not followed by chronyd."""
    CHRONY_SILENT = "chrony_silent"
    """chronyd does not answer."""
    REPORT_REFUSED = "report_refused"
    """chronyd answers with reports that make no sense."""
    LEAP_UNSYNCHRONIZED = "leap_unsynchronized"
    """chronyd says that the clock is not synchronised."""
    SOURCE_UNREACHABLE = "source_unreachable"
    """The selected source has not answered chronyd's last polls, or none is selected."""
    LOCAL_REFERENCE = "local_reference"
    """chronyd follows its own clock: no reference at all."""
    CLOCK_STEPPED = "clock_stepped"
    """The machine was suspended, and chronyd has not measured since."""
    PHC_UNREADABLE = "phc_unreadable"
    """The PTP hardware clock's error bound is missing, unreadable or makes no sense."""
    HOLDOVER_EXPIRED = "holdover_expired"
    """The last valid report is too old."""
    BOUND_OVER_CAP = "bound_over_cap"
    """The bound is wider than the operator's cap."""
    DISRUPTED = "disrupted"
    """The clock was disrupted, and no later report has arrived."""
    DAEMON_SILENT = "daemon_silent"
    """The daemon has not written for a while."""
    CONTRADICTION = "contradiction"
    """Measurements contradict each other: the interval is the hull of both sides."""
    SOURCES_DISAGREE = "sources_disagree"
    """More than half of the reachable sources contradict the selected one."""
    TOO_FEW_SOURCES = "too_few_sources"
    """Fewer sources are reachable than `--falsetickers` needs."""
    UNTOLD = "untold"
    """The layout does not tell, or a daemon newer than this package does."""
