"""The details of a record."""

from dataclasses import dataclass

from .enums import Layout, Leap, Reason, Status


@dataclass(frozen=True, slots=True)
class Record:
    """What a segment contains beside the interval. `Client.record` returns it.

    Instants are those of the monotonic clock of this process that the layout uses:
    CLOCK_MONOTONIC_RAW in the native layout, CLOCK_MONOTONIC_COARSE in v2 and v1. In v3, `as_of_ns`
    is UTC since 1970.
    """

    layout: Layout
    """The layout of the segment."""
    as_of_ns: int
    """The instant of the record, ns."""
    age_ns: int
    """The time from the record to the present, ns."""
    status: Status
    """The clock status at the present."""
    reason: Reason
    """The reason of the status: UNTOLD from the other layouts, which have no field for it."""
    leap: Leap | None
    """The leap second announcement; None from other layouts than the native one."""
    source: int | None
    """chronyd's reference id of the selected source, 0 if none is selected; None from other layouts
    than the native one."""
    valid_since_ns: int | None
    """The first instant of which `Client.interval_at` returns an interval; None if the record does
    not contain it, and then that is the instant of the record."""
    publication_interval_ns: int | None
    """The longest time between two records of a daemon that works; None if the record does not
    contain it."""
    disruption_supported: bool = False
    """Whether the record holds only while the VMClock page has its disruption marker."""
    disruption_marker: int | None = None
    """The disruption marker of the record; None if that is not supported."""
    disruption_soon: bool = False
    """Whether the host of the virtual machine expects a disruption within about a day; native layout
    only."""
    disruption_imminent: bool = False
    """Whether the host of the virtual machine expects a disruption within about an hour; native
    layout only."""
    tai_offset_s: int | None = None
    """TAI - UTC, s; None if the host of the virtual machine does not report it. Native layout
    only."""
    is_simulated: bool = False
    """Whether a program wrote the record for a test: the interval is not that of the clock."""
