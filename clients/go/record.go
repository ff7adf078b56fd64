package clockbound

import (
	"fmt"
	"unsafe"
)

const (
	nsPerS = 1_000_000_000
	// The largest bound that v1 and v2 allow, ns.
	noClaimBoundNs = 1_000_000_000_000_000_000
	// The age from which a synchronized v1 or v2 record reads as free running, ns.
	freeRunningAgeNs = 5 * nsPerS
	// The limit of the absolute value of an instant in a native record, ns.
	maxInstantNs = 1 << 62
)

// record is the validated content of a segment. It is immutable.
type record interface {
	// at returns the interval at the instant at which the monotonic clock of the layout reads
	// monotonicNs and CLOCK_REALTIME reads realtimeNs.
	at(monotonicNs, realtimeNs int64) Interval
	// asOf returns the instant at which the record holds, on the monotonic clock of the layout, ns.
	asOf() int64
}

// nativeRecord is described in docs/native-layout.md.
type nativeRecord struct {
	asOfNs, earliestNs, latestNs    int64
	rate                            int32
	growth                          uint32
	freeRunningAfterNs, voidAfterNs int64
	status                          Status
	reason                          Reason
}

func (r *nativeRecord) asOf() int64 { return r.asOfNs }

func (r *nativeRecord) at(rawNs, _ int64) Interval {
	elapsed := sub(rawNs, r.asOfNs)
	distance := elapsed
	if distance < 0 {
		distance = sub(0, distance)
	}
	// The products are rounded down, so 1 ns is added to the growth and to the latest end.
	grown := add(scaled(distance, int64(r.growth)), 1)
	shift := add(elapsed, scaled(elapsed, int64(r.rate)))
	status, reason := r.status, r.reason
	switch {
	case status.IsTrusted() && rawNs >= r.voidAfterNs:
		status, reason = StatusUnknown, ReasonHoldoverExpired
	case status == StatusSynchronized && rawNs >= r.freeRunningAfterNs:
		status, reason = StatusFreeRunning, ReasonDaemonSilent
	}
	return Interval{
		EarliestNs: sub(add(r.earliestNs, shift), grown),
		LatestNs:   add(add(add(r.latestNs, shift), 1), grown),
		Status:     status,
		Reason:     reason,
	}
}

// boundRecord is a record of v1 or v2, whose interval is centred on CLOCK_REALTIME.
type boundRecord struct {
	asOfNs, voidAfterNs, boundNs int64
	maxDriftPpb                  uint32
	status                       Status
	// Set if only the VMClock device reports whether a disruption occurred. It is not read.
	disruptionSupported bool
}

func (r *boundRecord) asOf() int64 { return r.asOfNs }

func (r *boundRecord) at(coarseNs, realtimeNs int64) Interval {
	elapsed := sub(coarseNs, r.asOfNs)
	if elapsed < 0 {
		elapsed = 0
	}
	half := add(r.boundNs, growth(elapsed, r.maxDriftPpb))
	status, reason := r.status, ReasonUntold
	switch {
	case r.disruptionSupported:
		status, reason = StatusUnknown, ReasonDisrupted
	case status.IsTrusted() && coarseNs >= r.voidAfterNs:
		status, reason = StatusUnknown, ReasonHoldoverExpired
	case status == StatusSynchronized && elapsed >= freeRunningAgeNs:
		status, reason = StatusFreeRunning, ReasonDaemonSilent
	}
	return Interval{
		EarliestNs: sub(realtimeNs, half),
		LatestNs:   add(realtimeNs, half),
		Status:     status,
		Reason:     reason,
	}
}

// Words and their parts are in the byte order of the machine.

func bytesOf(word *uint64) *[8]byte    { return (*[8]byte)(unsafe.Pointer(word)) }
func halvesOf(word *uint64) *[2]uint32 { return (*[2]uint32)(unsafe.Pointer(word)) }

func decodeNative(words []uint64) (record, error) {
	rates, numbers := halvesOf(&words[3]), bytesOf(&words[6])
	r := &nativeRecord{
		asOfNs:             int64(words[0]),
		earliestNs:         int64(words[1]),
		latestNs:           int64(words[2]),
		rate:               int32(rates[0]),
		growth:             rates[1],
		freeRunningAfterNs: int64(words[4]),
		voidAfterNs:        int64(words[5]),
		status:             Status(numbers[0]),
		reason:             reasonOf(numbers[1]),
	}
	for _, ns := range []int64{r.asOfNs, r.earliestNs, r.latestNs} {
		if ns < -maxInstantNs || ns >= maxInstantNs {
			return nil, fmt.Errorf("%w: %d ns exceeds the range of instants", ErrMalformed, ns)
		}
	}
	switch {
	case r.earliestNs > r.latestNs:
		return nil, fmt.Errorf("%w: earliest is after latest", ErrMalformed)
	case r.status > StatusDisrupted:
		return nil, fmt.Errorf("%w: status %d", ErrMalformed, numbers[0])
	case numbers[2] > 3:
		return nil, fmt.Errorf("%w: leap %d", ErrMalformed, numbers[2])
	case numbers[3] != 0:
		return nil, fmt.Errorf("%w: time scale %d", ErrMalformed, numbers[3])
	}
	return r, nil
}

func decodeV1(words []uint64) (record, error) {
	return decodeBound(words, words[4], halvesOf(&words[5])[0], halvesOf(&words[6])[0], StatusFreeRunning)
}

func decodeV2(words []uint64) (record, error) {
	halves := halvesOf(&words[6])
	r, err := decodeBound(words, words[4], halves[0], halves[1], StatusDisrupted)
	if err != nil {
		return nil, err
	}
	r.disruptionSupported = bytesOf(&words[7])[0] != 0
	return r, nil
}

func decodeBound(
	words []uint64, bound uint64, drift, status uint32, highest Status,
) (*boundRecord, error) {
	asOf, err := instant(words[0], words[1])
	if err != nil {
		return nil, err
	}
	voidAfter, err := instant(words[2], words[3])
	if err != nil {
		return nil, err
	}
	switch {
	case bound > noClaimBoundNs:
		return nil, fmt.Errorf("%w: bound %d ns", ErrMalformed, int64(bound))
	case drift >= nsPerS:
		return nil, fmt.Errorf("%w: drift %d ppb", ErrMalformed, drift)
	case status > uint32(highest):
		return nil, fmt.Errorf("%w: status %d", ErrMalformed, status)
	}
	return &boundRecord{
		asOfNs:      asOf,
		voidAfterNs: voidAfter,
		boundNs:     int64(bound),
		maxDriftPpb: drift,
		status:      Status(status),
	}, nil
}

func instant(seconds, nanoseconds uint64) (int64, error) {
	if seconds >= maxNs/nsPerS || nanoseconds >= nsPerS {
		return 0, fmt.Errorf("%w: %d s and %d ns are not a valid instant",
			ErrMalformed, int64(seconds), int64(nanoseconds))
	}
	return int64(seconds*nsPerS + nanoseconds), nil
}
