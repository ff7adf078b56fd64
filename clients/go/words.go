package clockbound

import "strconv"

// Status says what may be relied on.
type Status uint8

const (
	// Unknown: the interval claims nothing.
	Unknown Status = 0
	// Synchronized: the clock follows a source; the interval contains true time.
	Synchronized Status = 1
	// FreeRunning: the last bound is held over and grows; the interval contains true time.
	FreeRunning Status = 2
	// Disrupted: the clock was disrupted; the interval claims nothing.
	Disrupted Status = 3
)

// IsTrusted tells whether an interval of this status contains true time.
func (s Status) IsTrusted() bool {
	return s == Synchronized || s == FreeRunning
}

// String is the word of the daemon's log.
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

// Reason says why the status is what it is. Numbers may be added.
type Reason uint8

const (
	// Tracking: chronyd's reports arrive and are valid.
	Tracking Reason = iota
	// NeverSynchronized: no valid report has arrived since boot.
	NeverSynchronized
	// Resumed: an earlier life of the daemon had published this.
	Resumed
	// SlewInFlight: CLOCK_REALTIME is being slewed, or is not followed by chronyd.
	SlewInFlight
	// ChronySilent: chronyd does not answer.
	ChronySilent
	// ReportRefused: chronyd answers with reports that make no sense.
	ReportRefused
	// LeapUnsynchronized: chronyd says that the clock is not synchronised.
	LeapUnsynchronized
	// SourceUnreachable: the selected source has not answered chronyd's last polls, or none is selected.
	SourceUnreachable
	// LocalReference: chronyd follows its own clock.
	LocalReference
	// ClockStepped: the clock was set, or the machine suspended, and chronyd has not measured since.
	ClockStepped
	// PhcUnreadable: the PTP hardware clock's error bound is missing or makes no sense.
	PhcUnreadable
	// HoldoverExpired: the last valid report is too old.
	HoldoverExpired
	// BoundOverCap: the bound is wider than the operator's cap.
	BoundOverCap
	// ReasonDisrupted: the clock was disrupted, or may have been.
	ReasonDisrupted
	// DaemonSilent: the daemon has not written for a while; found out by readers.
	DaemonSilent
	// Contradiction: measurements contradict each other; the interval is the hull of both sides.
	Contradiction
	// SourcesDisagree: more than half of the reachable sources contradict the selected one.
	SourcesDisagree
	// TooFewSources: fewer sources are reachable than --falsetickers needs.
	TooFewSources
	// Untold: the layout does not tell, or a daemon newer than this library does.
	Untold Reason = 255
)

var reasonWords = [...]string{
	"tracking", "never_synchronized", "resumed", "slew_in_flight", "chrony_silent", "report_refused",
	"leap_unsynchronized", "source_unreachable", "local_reference", "clock_stepped", "phc_unreadable",
	"holdover_expired", "bound_over_cap", "disrupted", "daemon_silent", "contradiction", "sources_disagree",
	"too_few_sources",
}

func reasonOf(number uint8) Reason {
	if int(number) < len(reasonWords) {
		return Reason(number)
	}
	return Untold
}

// String is the word of the daemon's log.
func (r Reason) String() string {
	if int(r) < len(reasonWords) {
		return reasonWords[r]
	}
	return "untold"
}
