package clockbound

import "strconv"

// Status is the clock status.
type Status uint8

const (
	// Unknown is not trusted: the interval claims nothing.
	Unknown Status = 0
	// Synchronized is trusted: the clock is synchronized to a source.
	Synchronized Status = 1
	// FreeRunning is trusted: the clock is in holdover. The last interval grows with time.
	FreeRunning Status = 2
	// Disrupted is not trusted: a disruption of the virtual machine occurred. The interval claims
	// nothing.
	Disrupted Status = 3
)

// IsTrusted returns whether an interval with this status contains true time.
func (s Status) IsTrusted() bool {
	return s == Synchronized || s == FreeRunning
}

// String returns the name of the status as in the daemon's log.
func (s Status) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Synchronized:
		return "synchronized"
	case FreeRunning:
		return "free_running"
	case Disrupted:
		return "disrupted"
	}
	return "status " + strconv.Itoa(int(s))
}

// Reason is the reason of the clock status. Later versions can add values.
type Reason uint8

const (
	// Tracking: measurements arrive and agree.
	Tracking Reason = iota
	// NeverSynchronized: no valid measurement has arrived since boot.
	NeverSynchronized
	// Resumed: the interval was published before the daemon restarted. No measurement has arrived
	// since.
	Resumed
	// SlewInFlight: CLOCK_REALTIME is slewed, or chronyd does not control it. Current daemons do
	// not use it.
	SlewInFlight
	// ChronySilent: chronyd does not respond.
	ChronySilent
	// ReportRefused: the reports of chronyd are invalid.
	ReportRefused
	// LeapUnsynchronized: chronyd reports that its clock is not synchronized.
	LeapUnsynchronized
	// SourceUnreachable: the selected source has not replied to chronyd's last polls, or no source
	// is selected.
	SourceUnreachable
	// LocalReference: chronyd is in its local mode, without a reference.
	LocalReference
	// ClockStepped: the machine was suspended, and no measurement has arrived since.
	ClockStepped
	// PhcUnreadable: the error bound of the PTP hardware clock is missing, unreadable or invalid.
	PhcUnreadable
	// HoldoverExpired: the last valid measurement is older than the holdover.
	HoldoverExpired
	// BoundOverCap: the clock error bound exceeds the configured maximum.
	BoundOverCap
	// ReasonDisrupted: a disruption of the virtual machine occurred or cannot be excluded.
	ReasonDisrupted
	// DaemonSilent: the daemon has not updated the record for some seconds. Readers detect this.
	DaemonSilent
	// Contradiction: measurements are disjoint from the held interval. The interval is the hull of
	// both.
	Contradiction
	// SourcesDisagree: more than half of the reachable sources are disjoint from the interval, or
	// more sources are wrong than --falsetickers allows.
	SourcesDisagree
	// TooFewSources: fewer sources are reachable than --falsetickers requires.
	TooFewSources
	// PermissionDenied: the daemon is not permitted to query chronyd.
	PermissionDenied
	// Untold: the layout has no reason, or the value is not defined in this version of the library.
	Untold Reason = 255
)

var reasonNames = [...]string{
	"tracking", "never_synchronized", "resumed", "slew_in_flight", "chrony_silent",
	"report_refused", "leap_unsynchronized", "source_unreachable", "local_reference",
	"clock_stepped", "phc_unreadable", "holdover_expired", "bound_over_cap", "disrupted",
	"daemon_silent", "contradiction", "sources_disagree", "too_few_sources",
	"permission_denied",
}

// reasonOf returns Untold for a value that is not defined.
func reasonOf(number uint8) Reason {
	if int(number) < len(reasonNames) {
		return Reason(number)
	}
	return Untold
}

// String returns the name of the reason as in the daemon's log.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "untold"
}
