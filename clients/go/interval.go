package clockbound

import (
	"fmt"
	"time"
)

// Interval is where true time lies, while its status is trusted.
type Interval struct {
	// EarliestNs is the earliest that true time can be, in nanoseconds of UTC since 1970.
	EarliestNs int64
	// LatestNs is the latest, likewise.
	LatestNs int64
	// Status says whether the interval may be relied on.
	Status Status
	// Reason says why the status is so; Untold from a layout that does not say.
	Reason Reason
}

// Earliest is EarliestNs as a time.
func (i Interval) Earliest() time.Time { return time.Unix(0, i.EarliestNs) }

// Latest is LatestNs as a time.
func (i Interval) Latest() time.Time { return time.Unix(0, i.LatestNs) }

// BoundNs is half the width in nanoseconds, rounded up: how wrong the midpoint can be.
func (i Interval) BoundNs() int64 {
	// The width of an interval does not overflow 64 bits without a sign.
	width := uint64(i.LatestNs) - uint64(i.EarliestNs)
	half := width/2 + width%2
	if half > maxNs {
		return maxNs
	}
	return int64(half)
}

// Bound is BoundNs as a duration.
func (i Interval) Bound() time.Duration { return time.Duration(i.BoundNs()) }

// MidpointNs is the middle, in nanoseconds of UTC since 1970.
func (i Interval) MidpointNs() int64 {
	return i.EarliestNs + int64((uint64(i.LatestNs)-uint64(i.EarliestNs))/2)
}

// Midpoint is MidpointNs as a time.
func (i Interval) Midpoint() time.Time { return time.Unix(0, i.MidpointNs()) }

// IsAfterNs tells whether tNs has certainly passed. Never, while the status is not trusted.
func (i Interval) IsAfterNs(tNs int64) bool { return i.Status.IsTrusted() && tNs < i.EarliestNs }

// IsBeforeNs tells whether tNs has certainly not come yet. Never, while the status is not trusted.
func (i Interval) IsBeforeNs(tNs int64) bool { return i.Status.IsTrusted() && i.LatestNs < tNs }

// IsAfter tells whether t has certainly passed: TrueTime's after. Never, while the status is not trusted.
func (i Interval) IsAfter(t time.Time) bool { return i.IsAfterNs(t.UnixNano()) }

// IsBefore tells whether t has certainly not come yet: TrueTime's before. Never, while the status is not trusted.
func (i Interval) IsBefore(t time.Time) bool { return i.IsBeforeNs(t.UnixNano()) }

// Less tells whether this interval had ended before the other one began, and both are trusted. Intervals that
// overlap have no order: whether what happened in one came first, nobody can tell.
func (i Interval) Less(other Interval) bool {
	return i.Status.IsTrusted() && other.Status.IsTrusted() && i.LatestNs < other.EarliestNs
}

// String is for people.
func (i Interval) String() string {
	return fmt.Sprintf("%d .. %d (%v, %v)", i.EarliestNs, i.LatestNs, i.Status, i.Reason)
}
