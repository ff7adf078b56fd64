package clockbound

import (
	"fmt"
	"time"
)

// The number of attempts to read CLOCK_REALTIME between two readings of CLOCK_MONOTONIC_RAW that
// are close together.
const bracketAttempts = 4

// reading is a record, and the clocks at the present in the time namespace of its writer.
type reading struct {
	record record
	// atNs is the time of the monotonic clock of the layout, ns.
	atNs int64
	// realtimeNs is the time of CLOCK_REALTIME for v1 and v2, ns.
	realtimeNs int64
	ageNs      int64
}

func (r *reading) interval() Interval { return r.record.at(r.atNs, r.realtimeNs) }

// The functions below also return whether the path is to be checked for another file, because the
// record is late, is retired, or cannot be read.

// present reads the record and the clocks.
func (s *segment) present() (r reading, isLate bool, err error) {
	if r.record, err = s.read(); err != nil {
		return r, true, err
	}
	if s.layout.clock == clockMonotonicCoarse {
		// CLOCK_REALTIME is read first. The time between the two readings then widens the interval.
		if r.realtimeNs, err = s.clockNs(clockRealtime); err != nil {
			return r, false, err
		}
	}
	if r.atNs, err = s.monotonicNs(); err != nil {
		return r, false, err
	}
	if r.ageNs, err = ageOf(r.record, r.atNs); err != nil {
		return r, true, err
	}
	return r, r.ageNs > r.record.pathCheckAge(), nil
}

// now returns the interval at the present.
func (s *segment) now() (Interval, bool, error) {
	r, isLate, err := s.present()
	if err != nil {
		return Interval{}, isLate, err
	}
	interval, err := s.undisrupted(r.record, r.interval())
	return interval, isLate || err != nil, err
}

// undisrupted returns the interval of a record, with StatusDisrupted if the VMClock page has
// another marker than the record. The clock was read before: with the same marker, no disruption
// occurred between the instant at which the record holds and that reading. In the other order, one
// between the comparison and the reading would not be detected.
//
// The error is ErrVMClock if the record requires the page, and the page is not usable.
func (s *segment) undisrupted(record record, interval Interval) (Interval, error) {
	required := record.disruption()
	if !required.isSupported {
		return interval, nil
	}
	marker, err := s.vmclock.marker()
	if err != nil {
		return Interval{}, err
	}
	if marker != required.marker {
		interval.Status, interval.Reason = StatusDisrupted, ReasonDisrupted
	}
	return interval, nil
}

// details returns the details of the record at the present.
func (s *segment) details() (Record, bool, error) {
	r, isLate, err := s.present()
	if err != nil {
		return Record{}, isLate, err
	}
	interval, err := s.undisrupted(r.record, r.interval())
	if err != nil {
		return Record{}, true, err
	}
	details := r.record.describe()
	details.Age = time.Duration(r.ageNs)
	details.Status, details.Reason = interval.Status, interval.Reason
	details.AsOfNs = sub(details.AsOfNs, s.aheadNs)
	if details.ValidSinceNs != 0 {
		details.ValidSinceNs = sub(details.ValidSinceNs, s.aheadNs)
	}
	return details, isLate, nil
}

// monotonicNs returns the time of the layout's monotonic clock, in the time namespace of the
// writer, ns.
func (s *segment) monotonicNs() (int64, error) {
	ns, err := s.clockNs(s.layout.clock)
	return add(ns, s.aheadNs), err
}

// ageOf returns the age of a record at atNs, ns.
func ageOf(record record, atNs int64) (int64, error) {
	age := sub(atNs, record.asOf())
	if age < -causalityToleranceNs {
		return 0, fmt.Errorf("%w (by %d ns)", ErrCausality, -age)
	}
	return age, nil
}

// intervalAt returns the interval at the instant rawNs of CLOCK_MONOTONIC_RAW in this process. The
// clock is read only if the record is late at that instant, or not native.
func (s *segment) intervalAt(rawNs int64) (Interval, bool, error) {
	r, err := s.read()
	if err != nil {
		return Interval{}, true, err
	}
	rawNs = add(rawNs, s.aheadNs)
	native, ok := r.(*nativeRecord)
	isLate := false
	if !ok || sub(rawNs, r.asOf()) > r.pathCheckAge() {
		atNs, err := s.monotonicNs()
		if err != nil {
			return Interval{}, false, err
		}
		isLate = sub(atNs, r.asOf()) > r.pathCheckAge()
	}
	if !ok {
		return Interval{}, isLate, ErrNotNative
	}
	interval, err := native.intervalAt(rawNs)
	if err != nil {
		return interval, isLate, err
	}
	interval, err = s.undisrupted(r, interval)
	return interval, isLate || err != nil, err
}

// intervalAt returns the interval at the instant rawNs of the writer's clock.
func (r *nativeRecord) intervalAt(rawNs int64) (Interval, error) {
	if since := r.since(); rawNs < since {
		return Interval{}, fmt.Errorf("%w: it is %d ns too early", ErrNotKnown, sub(since, rawNs))
	}
	return r.at(rawNs, 0), nil
}

// intervalAtRealtime returns the interval of the instant at which CLOCK_REALTIME read stampNs.
func (s *segment) intervalAtRealtime(stampNs int64) (Interval, bool, error) {
	r, err := s.read()
	if err != nil {
		return Interval{}, true, err
	}
	b, err := s.bracket()
	if err != nil {
		return Interval{}, false, err
	}
	age, err := ageOf(r, b.afterNs)
	if err != nil {
		return Interval{}, true, err
	}
	isLate := age > r.pathCheckAge()
	native, ok := r.(*nativeRecord)
	if !ok {
		return Interval{}, isLate, ErrNotNative
	}
	interval, err := native.intervalAtRealtime(stampNs, b)
	if err != nil {
		return interval, isLate, err
	}
	interval, err = s.undisrupted(r, interval)
	return interval, isLate || err != nil, err
}

// bracket is a reading of CLOCK_REALTIME between two of the monotonic clock in the time namespace
// of the writer, ns.
type bracket struct{ beforeNs, realtimeNs, afterNs int64 }

// bracket returns the narrowest of some brackets.
func (s *segment) bracket() (narrowest bracket, err error) {
	for n := 0; n < bracketAttempts; n++ {
		var b bracket
		if b.beforeNs, err = s.monotonicNs(); err != nil {
			return narrowest, err
		}
		if b.realtimeNs, err = s.clockNs(clockRealtime); err != nil {
			return narrowest, err
		}
		if b.afterNs, err = s.monotonicNs(); err != nil {
			return narrowest, err
		}
		if n == 0 || b.afterNs-b.beforeNs < narrowest.afterNs-narrowest.beforeNs {
			narrowest = b
		}
	}
	return narrowest, nil
}

// intervalAtRealtime returns the interval of the instant at which CLOCK_REALTIME read stampNs, by a
// bracket at the present.
func (r *nativeRecord) intervalAtRealtime(stampNs int64, now bracket) (Interval, error) {
	if r.realtimeNs == 0 || r.realtimeSinceNs == 0 {
		return Interval{}, fmt.Errorf("%w: the record has no CLOCK_REALTIME", ErrNotKnown)
	}
	// The record is of an earlier instant than the bracket. The daemon may not have noticed yet
	// that the clock was set or slewed meanwhile.
	tolerance := int64(r.realtimeErrorNs) + causalityToleranceNs
	moved := sub(now.realtimeNs, r.realtimeNs)
	least, _ := elapsedRealtime(sub(now.beforeNs, r.asOfNs), r)
	_, most := elapsedRealtime(sub(now.afterNs, r.asOfNs), r)
	if moved < sub(least, tolerance) || moved > add(most, tolerance) {
		return Interval{}, fmt.Errorf("%w: CLOCK_REALTIME was set or slewed", ErrNotKnown)
	}
	if stampNs > now.realtimeNs {
		return Interval{}, fmt.Errorf("%w: it is in the future", ErrNotKnown)
	}
	least, most = elapsedRaw(sub(stampNs, r.realtimeNs), r)
	if stampNs > r.realtimeNs {
		// A movement within the spread of the rates until now can be larger than the spread until
		// the stamp. The instant is then between what the record and what the bracket gives.
		first, last := elapsedRaw(sub(stampNs, now.realtimeNs), r)
		first = add(sub(now.beforeNs, r.asOfNs), first)
		last = add(sub(now.afterNs, r.asOfNs), last)
		if first < least {
			least = first
		}
		if last > most {
			most = last
		}
	}
	// A movement that the comparison has let pass is not larger than the tolerance and the time that
	// the bracket took; on CLOCK_MONOTONIC_RAW, if the clock is slow, by its rate.
	slow := -int64(r.realtimeSlowest)
	if fast := -int64(r.realtimeFastest); fast > slow {
		slow = fast
	}
	if slow > 0 {
		tolerance = add(tolerance, scaled(2*tolerance, slow))
	}
	if took := sub(now.afterNs, now.beforeNs); took > 0 {
		tolerance = add(tolerance, took)
	}
	first := add(r.asOfNs, sub(least, tolerance))
	last := add(r.asOfNs, add(most, tolerance))
	if first < r.realtimeSinceNs {
		return Interval{}, fmt.Errorf("%w: CLOCK_REALTIME was set or slewed since", ErrNotKnown)
	}
	begin, err := r.intervalAt(first)
	if err != nil {
		return Interval{}, err
	}
	present := r.at(now.afterNs, 0)
	return Interval{
		EarliestNs: begin.EarliestNs,
		LatestNs:   r.at(last, 0).LatestNs,
		Status:     present.Status,
		Reason:     present.Reason,
	}, nil
}

// elapsedRealtime returns the least and the greatest time that elapses on CLOCK_REALTIME while
// rawNs elapse on CLOCK_MONOTONIC_RAW.
func elapsedRealtime(rawNs int64, r *nativeRecord) (least, most int64) {
	slowest, fastest := int64(r.realtimeSlowest), int64(r.realtimeFastest)
	if rawNs < 0 {
		slowest, fastest = fastest, slowest
	}
	// The product is rounded down, and that of the opposite sign is rounded up.
	return add(rawNs, scaled(rawNs, slowest)), sub(rawNs, scaled(rawNs, -fastest))
}

// elapsedRaw returns the least and the greatest time that elapses on CLOCK_MONOTONIC_RAW while
// realtimeNs elapse on CLOCK_REALTIME.
func elapsedRaw(realtimeNs int64, r *nativeRecord) (least, most int64) {
	slowLeast, slowMost := unscaled(realtimeNs, r.realtimeSlowest)
	fastLeast, fastMost := unscaled(realtimeNs, r.realtimeFastest)
	if slowLeast < fastLeast {
		return slowLeast, fastMost
	}
	return fastLeast, slowMost
}
