package clockbound

import "strconv"

// Status is the clock status.
type Status uint8

const (
	// StatusUnknown is not trusted: the interval claims nothing.
	StatusUnknown Status = 0
	// StatusSynchronized is trusted: the clock is synchronized to a source.
	StatusSynchronized Status = 1
	// StatusFreeRunning is trusted: the clock is in holdover. The last interval grows with time.
	StatusFreeRunning Status = 2
	// StatusDisrupted is not trusted: a disruption of the virtual machine occurred. The interval
	// claims nothing.
	StatusDisrupted Status = 3
)

// IsTrusted returns whether an interval with this status contains true time.
func (s Status) IsTrusted() bool {
	return s == StatusSynchronized || s == StatusFreeRunning
}

// String returns the name of the status as in the daemon's log.
func (s Status) String() string {
	switch s {
	case StatusUnknown:
		return "unknown"
	case StatusSynchronized:
		return "synchronized"
	case StatusFreeRunning:
		return "free_running"
	case StatusDisrupted:
		return "disrupted"
	}
	return "status " + strconv.Itoa(int(s))
}

// Reason is the reason of the clock status. Later versions can add values.
type Reason uint8

const (
	// ReasonTracking: measurements arrive and agree.
	ReasonTracking Reason = iota
	// ReasonNeverSynchronized: no valid measurement has arrived since boot.
	ReasonNeverSynchronized
	// ReasonResumed: the interval was published before the daemon restarted. No measurement has
	// arrived since.
	ReasonResumed
	// ReasonSlewInFlight: CLOCK_REALTIME is slewed, or chronyd does not control it. Current daemons
	// do not use it.
	ReasonSlewInFlight
	// ReasonChronySilent: chronyd does not respond.
	ReasonChronySilent
	// ReasonReportRefused: the reports of chronyd are invalid.
	ReasonReportRefused
	// ReasonLeapUnsynchronized: chronyd reports that its clock is not synchronized.
	ReasonLeapUnsynchronized
	// ReasonSourceUnreachable: the selected source has not replied to chronyd's last polls, or no
	// source is selected.
	ReasonSourceUnreachable
	// ReasonLocalReference: chronyd is in its local mode, without a reference.
	ReasonLocalReference
	// ReasonClockStepped: the machine was suspended, and no measurement has arrived since.
	ReasonClockStepped
	// ReasonPhcUnreadable: the error bound of the PTP hardware clock is missing, unreadable or
	// invalid.
	ReasonPhcUnreadable
	// ReasonHoldoverExpired: the last valid measurement is older than the holdover.
	ReasonHoldoverExpired
	// ReasonBoundOverCap: the clock error bound exceeds the configured maximum.
	ReasonBoundOverCap
	// ReasonDisrupted: a disruption of the virtual machine occurred or cannot be excluded.
	ReasonDisrupted
	// ReasonDaemonSilent: the daemon has not updated the record for some seconds. Readers detect
	// this.
	ReasonDaemonSilent
	// ReasonContradiction: measurements are disjoint from the held interval. The interval is the
	// hull of both.
	ReasonContradiction
	// ReasonSourcesDisagree: more than half of the reachable sources are disjoint from the
	// interval, or more sources are wrong than --falsetickers allows.
	ReasonSourcesDisagree
	// ReasonTooFewSources: fewer sources are reachable than --falsetickers requires.
	ReasonTooFewSources
	// ReasonPermissionDenied: the daemon is not permitted to query chronyd.
	ReasonPermissionDenied
	// ReasonRetired: the daemon does not publish this segment any more.
	ReasonRetired
	// ReasonUntold: the layout has no reason, or the value is not defined in this version of the
	// library.
	ReasonUntold Reason = 255
)

var reasonNames = [...]string{
	"tracking", "never_synchronized", "resumed", "slew_in_flight", "chrony_silent",
	"report_refused", "leap_unsynchronized", "source_unreachable", "local_reference",
	"clock_stepped", "phc_unreadable", "holdover_expired", "bound_over_cap", "disrupted",
	"daemon_silent", "contradiction", "sources_disagree", "too_few_sources",
	"permission_denied", "retired",
}

// reasonOf returns ReasonUntold for a value that is not defined.
func reasonOf(number uint8) Reason {
	if int(number) < len(reasonNames) {
		return Reason(number)
	}
	return ReasonUntold
}

// String returns the name of the reason as in the daemon's log.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "untold"
}

// Leap is what chronyd announced for the end of the UTC day.
type Leap uint8

const (
	// LeapNormal: no leap second.
	LeapNormal Leap = 0
	// LeapInsertSecond: a second will be inserted.
	LeapInsertSecond Leap = 1
	// LeapDeleteSecond: a second will be deleted.
	LeapDeleteSecond Leap = 2
	// LeapUnsynchronized: the clock is not synchronized, so no announcement is available.
	LeapUnsynchronized Leap = 3
	// LeapUntold: the layout has no announcement.
	LeapUntold Leap = 255
)

// String returns the name of the announcement.
func (l Leap) String() string {
	switch l {
	case LeapNormal:
		return "normal"
	case LeapInsertSecond:
		return "insert_second"
	case LeapDeleteSecond:
		return "delete_second"
	case LeapUnsynchronized:
		return "unsynchronized"
	}
	return "untold"
}

// Layout is the layout of a segment.
type Layout uint8

const (
	// LayoutNative is the layout of the file native.
	LayoutNative Layout = iota + 1
	// LayoutV2 is the layout of the file shm0, which programs of the 2.x generation read.
	LayoutV2
	// LayoutV1 is the layout of the file shm, which programs of the 1.x generation read.
	LayoutV1
)

// String returns native, v2 or v1.
func (l Layout) String() string {
	switch l {
	case LayoutNative:
		return "native"
	case LayoutV2:
		return "v2"
	case LayoutV1:
		return "v1"
	}
	return "layout " + strconv.Itoa(int(l))
}
