package clockbound

import (
	"fmt"
	"time"
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
	// The longest publication interval of a daemon, ns. It is that of a record without one.
	longestPublicationIntervalNs = 2 * nsPerS
	// The time by which a publication can be late, ns.
	publicationDelayNs = 50_000_000
)

// record is the validated content of a segment. It is immutable.
type record interface {
	// at returns the interval at the instant at which the monotonic clock of the layout reads
	// monotonicNs and CLOCK_REALTIME reads realtimeNs.
	at(monotonicNs, realtimeNs int64) Interval
	// asOf returns the instant at which the record holds, on the monotonic clock of the layout, ns.
	asOf() int64
	// pathCheckAge returns the age from which the path is checked for another file, ns. A working
	// daemon has replaced the record before.
	pathCheckAge() int64
	// disruption returns whether the record holds only while the VMClock page has a marker, and that
	// marker.
	disruption() disruption
	// isSimulated returns whether a program wrote the record for a test.
	isSimulated() bool
	// describe returns the details that the record has by itself.
	describe() Record
}

// disruption is what a record requires of the VMClock page.
type disruption struct {
	marker uint64
	// isSupported is whether the page has to be compared with the marker.
	isSupported bool
}

// addTo sets the details.
func (d disruption) addTo(details *Record) {
	if d.isSupported {
		details.DisruptionSupported, details.DisruptionMarker = true, d.marker
	}
}

// nativeRecord is described in docs/native-layout.md.
type nativeRecord struct {
	asOfNs, earliestNs, latestNs    int64
	rate                            int32
	growth                          uint32
	freeRunningAfterNs, voidAfterNs int64
	status                          Status
	reason                          Reason
	leap                            Leap
	source                          uint32
	// Zero if it is not recorded, as are the following.
	realtimeNs, validSinceNs, realtimeSinceNs int64
	// The least and the greatest frequency offset of CLOCK_REALTIME relative to
	// CLOCK_MONOTONIC_RAW since realtimeSinceNs, in units of 2^-32.
	realtimeSlowest, realtimeFastest int32
	publicationIntervalUs            uint32
	realtimeErrorNs                  uint32

	required disruption
	notices  uint8
	// TAI - UTC, s, with noticeTAIOffset.
	taiOffsetS int16
	mark       uint8
}

// simulatedMark is the byte that marks a record of a program that simulates a daemon.
const simulatedMark = 1

// The bits of the notices of the hypervisor.
const (
	noticeDisruptionSoon = 1 << iota
	noticeDisruptionImminent
	noticeTAIOffset
)

func (r *nativeRecord) asOf() int64 { return r.asOfNs }

func (r *nativeRecord) disruption() disruption { return r.required }

func (r *nativeRecord) isSimulated() bool { return r.mark == simulatedMark }

func (r *nativeRecord) pathCheckAge() int64 {
	switch {
	case r.reason == ReasonRetired:
		return minNs
	case r.publicationIntervalUs == 0:
		return 2*longestPublicationIntervalNs + publicationDelayNs
	}
	return 2*1_000*int64(r.publicationIntervalUs) + publicationDelayNs
}

func (r *nativeRecord) describe() Record {
	details := Record{
		Layout:              LayoutNative,
		AsOfNs:              r.asOfNs,
		Leap:                r.leap,
		Source:              r.source,
		ValidSinceNs:        r.validSinceNs,
		PublicationInterval: time.Duration(r.publicationIntervalUs) * time.Microsecond,
		DisruptionSoon:      r.notices&noticeDisruptionSoon != 0,
		DisruptionImminent:  r.notices&noticeDisruptionImminent != 0,
		TAIOffsetKnown:      r.notices&noticeTAIOffset != 0,
		IsSimulated:         r.isSimulated(),
	}
	if details.TAIOffsetKnown {
		details.TAIOffset = time.Duration(r.taiOffsetS) * time.Second
	}
	r.required.addTo(&details)
	return details
}

// since returns the first instant for which the record gives an interval, on CLOCK_MONOTONIC_RAW of
// the writer, ns.
func (r *nativeRecord) since() int64 {
	since := r.validSinceNs
	if since == 0 {
		since = r.asOfNs
	}
	// The record is valid for the same time before its instant as after it.
	if first := sub(r.asOfNs, sub(r.voidAfterNs, r.asOfNs)); first > since {
		return first
	}
	return since
}

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
	layout                       Layout
	required                     disruption
	mark                         uint8
}

func (r *boundRecord) asOf() int64 { return r.asOfNs }

func (r *boundRecord) disruption() disruption { return r.required }

func (r *boundRecord) isSimulated() bool { return r.mark == simulatedMark }

func (r *boundRecord) pathCheckAge() int64 {
	return 2*longestPublicationIntervalNs + publicationDelayNs
}

func (r *boundRecord) describe() Record {
	details := Record{
		Layout: r.layout, AsOfNs: r.asOfNs, Leap: LeapUntold, IsSimulated: r.isSimulated(),
	}
	r.required.addTo(&details)
	return details
}

func (r *boundRecord) at(coarseNs, realtimeNs int64) Interval {
	elapsed := sub(coarseNs, r.asOfNs)
	if elapsed < 0 {
		elapsed = 0
	}
	half := add(r.boundNs, growth(elapsed, r.maxDriftPpb))
	status, reason := r.status, ReasonUntold
	switch {
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

func decodeNative(valid *validRecord) error {
	words := &valid.words
	rates, numbers := halvesOf(&words[3]), bytesOf(&words[6])
	realtimeRates, times := halvesOf(&words[11]), halvesOf(&words[12])
	host := bytesOf(&words[14])
	valid.native = nativeRecord{
		asOfNs:             int64(words[0]),
		earliestNs:         int64(words[1]),
		latestNs:           int64(words[2]),
		rate:               int32(rates[0]),
		growth:             rates[1],
		freeRunningAfterNs: int64(words[4]),
		voidAfterNs:        int64(words[5]),
		status:             Status(numbers[0]),
		reason:             reasonOf(numbers[1]),
		leap:               Leap(numbers[2]),
		source:             halvesOf(&words[6])[1],

		realtimeNs:            int64(words[8]),
		validSinceNs:          int64(words[9]),
		realtimeSinceNs:       int64(words[10]),
		realtimeSlowest:       int32(realtimeRates[0]),
		realtimeFastest:       int32(realtimeRates[1]),
		publicationIntervalUs: times[0],
		realtimeErrorNs:       times[1],

		required:   disruption{marker: words[13], isSupported: host[0] != 0},
		notices:    host[1],
		taiOffsetS: int16((*[4]uint16)(unsafe.Pointer(&words[14]))[2]),
		mark:       host[3],
	}
	r := &valid.native
	for _, ns := range []int64{r.asOfNs, r.earliestNs, r.latestNs} {
		if ns < -maxInstantNs || ns >= maxInstantNs {
			return fmt.Errorf("%w: %d ns exceeds the range of instants", ErrMalformed, ns)
		}
	}
	switch {
	case r.earliestNs > r.latestNs:
		return fmt.Errorf("%w: earliest is after latest", ErrMalformed)
	case r.status > StatusDisrupted:
		return fmt.Errorf("%w: status %d", ErrMalformed, numbers[0])
	case numbers[2] > 3:
		return fmt.Errorf("%w: leap %d", ErrMalformed, numbers[2])
	case numbers[3] != 0:
		return fmt.Errorf("%w: time scale %d", ErrMalformed, numbers[3])
	}
	valid.record = r
	return nil
}

func decodeV1(valid *validRecord) error {
	words := &valid.words
	err := decodeBound(valid, halvesOf(&words[5])[0], halvesOf(&words[6])[0], LayoutV1)
	valid.bound.mark = bytesOf(&words[5])[4]
	return err
}

func decodeV2(valid *validRecord) error {
	words := &valid.words
	halves := halvesOf(&words[6])
	if err := decodeBound(valid, halves[0], halves[1], LayoutV2); err != nil {
		return err
	}
	flags := bytesOf(&words[7])
	valid.bound.required = disruption{marker: words[5], isSupported: flags[0] != 0}
	valid.bound.mark = flags[1]
	return nil
}

func decodeBound(valid *validRecord, drift, status uint32, layout Layout) error {
	words := &valid.words
	bound := words[4]
	asOf, err := instant(words[0], words[1])
	if err != nil {
		return err
	}
	voidAfter, err := instant(words[2], words[3])
	if err != nil {
		return err
	}
	highest := StatusDisrupted
	if layout == LayoutV1 {
		highest = StatusFreeRunning
	}
	switch {
	case bound > noClaimBoundNs:
		return fmt.Errorf("%w: bound %d ns", ErrMalformed, int64(bound))
	case drift >= nsPerS:
		return fmt.Errorf("%w: drift %d ppb", ErrMalformed, drift)
	case status > uint32(highest):
		return fmt.Errorf("%w: status %d", ErrMalformed, status)
	}
	valid.bound = boundRecord{
		asOfNs:      asOf,
		voidAfterNs: voidAfter,
		boundNs:     int64(bound),
		maxDriftPpb: drift,
		status:      Status(status),
		layout:      layout,
	}
	valid.record = &valid.bound
	return nil
}

func instant(seconds, nanoseconds uint64) (int64, error) {
	if seconds >= maxNs/nsPerS || nanoseconds >= nsPerS {
		return 0, fmt.Errorf("%w: %d s and %d ns are not a valid instant",
			ErrMalformed, int64(seconds), int64(nanoseconds))
	}
	return int64(seconds*nsPerS + nanoseconds), nil
}
