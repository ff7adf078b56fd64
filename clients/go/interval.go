package clockbound

import (
	"fmt"
	"time"
)

// Interval contains true time while its status is trusted.
type Interval struct {
	// EarliestNs is the earliest possible true time, ns of UTC since 1970.
	EarliestNs int64
	// LatestNs is the latest possible true time, ns of UTC since 1970.
	LatestNs int64
	// Status is the clock status. The interval contains true time only while it is trusted.
	Status Status
	// Reason is the reason of the status: ReasonUntold from v1 and v2, which have no field for it.
	Reason Reason
}

// Earliest returns EarliestNs as a time.
func (i Interval) Earliest() time.Time { return time.Unix(0, i.EarliestNs) }

// Latest returns LatestNs as a time.
func (i Interval) Latest() time.Time { return time.Unix(0, i.LatestNs) }

// BoundNs returns the clock error bound of the midpoint: half the width, ns, rounded up.
func (i Interval) BoundNs() int64 {
	// The width fits in 64 bits without a sign.
	width := uint64(i.LatestNs) - uint64(i.EarliestNs)
	half := width/2 + width%2
	if half > maxNs {
		return maxNs
	}
	return int64(half)
}

// Bound returns BoundNs as a duration.
func (i Interval) Bound() time.Duration { return time.Duration(i.BoundNs()) }

// MidpointNs returns the middle of the interval, ns of UTC since 1970.
func (i Interval) MidpointNs() int64 {
	return i.EarliestNs + int64((uint64(i.LatestNs)-uint64(i.EarliestNs))/2)
}

// Midpoint returns MidpointNs as a time.
func (i Interval) Midpoint() time.Time { return time.Unix(0, i.MidpointNs()) }

// IsAfterNs returns whether tNs has certainly passed, ns of UTC since 1970. It returns false while
// the status is not trusted.
func (i Interval) IsAfterNs(tNs int64) bool { return i.Status.IsTrusted() && tNs < i.EarliestNs }

// IsBeforeNs returns whether tNs is certainly in the future, ns of UTC since 1970. It returns false
// while the status is not trusted.
func (i Interval) IsBeforeNs(tNs int64) bool { return i.Status.IsTrusted() && i.LatestNs < tNs }

// IsAfter returns whether t has certainly passed (after of TrueTime). It returns false while the
// status is not trusted. A time outside the range of 64 bits, 1677 to 2262, is taken for its limit.
func (i Interval) IsAfter(t time.Time) bool { return i.IsAfterNs(unixNs(t)) }

// IsBefore returns whether t is certainly in the future (before of TrueTime). It returns false
// while the status is not trusted. Its range is that of IsAfter.
func (i Interval) IsBefore(t time.Time) bool { return i.IsBeforeNs(unixNs(t)) }

// Less returns whether the interval ends before the other begins and both are trusted. Intervals
// that overlap are not ordered, because the order of events in them cannot be determined.
func (i Interval) Less(other Interval) bool {
	return i.Status.IsTrusted() && other.Status.IsTrusted() && i.LatestNs < other.EarliestNs
}

// String returns the interval, the status and the reason as text.
func (i Interval) String() string {
	return fmt.Sprintf("%d .. %d (%v, %v)", i.EarliestNs, i.LatestNs, i.Status, i.Reason)
}
