package clockbound

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
	"unsafe"
)

// clientOf returns a client of a native segment at the present, edited.
func clientOf(t testing.TB, edit func(bytes []byte)) *Client {
	bytes := segmentBytes(t, StatusSynchronized, halfNs)
	edit(bytes)
	path := filepath.Join(t.TempDir(), "native")
	publish(t, path, bytes)
	return open(t, path)
}

func TestIntervalAtIsKnownSinceTheInstantInTheRecord(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name                      string
		validSince, voidAfter, at time.Duration
		isKnown                   bool
	}{
		{"after the record", -100 * s, 1_000 * s, 2_000 * s, true},
		{"at valid since", -100 * s, 1_000 * s, -100 * s, true},
		{"before valid since", -100 * s, 1_000 * s, -100*s - 1, false},
		{"at the validity of the record", -100 * s, 50 * s, -50 * s, true},
		{"before the validity", -100 * s, 50 * s, -50*s - 1, false},
		{"at the record, not recorded", 0, 1_000 * s, 0, true},
		{"before the record, not recorded", 0, 1_000 * s, -1, false},
	} {
		var asOf int64
		client := clientOf(t, func(bytes []byte) {
			asOf = get(bytes, 72)
			put(bytes, 112, asOf+int64(c.voidAfter))
			put(bytes, 144, 0)
			if c.validSince != 0 {
				put(bytes, 144, asOf+int64(c.validSince))
			}
		})
		interval, err := client.IntervalAt(asOf + int64(c.at))
		if c.isKnown != (err == nil) || (err != nil && !errors.Is(err, ErrNotKnown)) {
			t.Error(c.name, interval, err)
		}
	}
}

func TestIntervalAtRealtimeContainsTheTimeOfTheStamp(t *testing.T) {
	client := open(t, directory(t, StatusSynchronized))
	for n := 0; n < 100; n++ {
		// The segment claims that CLOCK_REALTIME is true time.
		stamp := time.Now()
		interval, err := client.IntervalAtRealtime(stamp)
		if err != nil || interval.Earliest().After(stamp) || interval.Latest().Before(stamp) {
			t.Fatal(interval, stamp, err)
		}
		if interval.Status != StatusSynchronized || interval.Reason != ReasonTracking {
			t.Fatal(interval)
		}
		earlier := stamp.Add(-10 * time.Second)
		interval, err = client.IntervalAtRealtime(earlier)
		if err != nil || interval.Earliest().After(earlier) || interval.Latest().Before(earlier) {
			t.Fatal(interval, earlier, err)
		}
	}
}

func TestIntervalAtRealtimeIsNotKnown(t *testing.T) {
	for _, c := range []struct {
		name string
		ago  time.Duration
		edit func(bytes []byte)
	}{
		{"in the future", -time.Hour, func([]byte) {}},
		{"too long ago", 60 * time.Second, func([]byte) {}},
		{"before the interval is valid", 30 * time.Second, func(bytes []byte) {
			put(bytes, 144, get(bytes, 72)-20*nsPerS)
		}},
		{"no reading of CLOCK_REALTIME", 0, func(bytes []byte) { put(bytes, 136, 0) }},
		{"no range of stamps", 0, func(bytes []byte) { put(bytes, 152, 0) }},
		{"set forward", 0, func(bytes []byte) { put(bytes, 136, get(bytes, 136)-10*nsPerS) }},
		{"set back", 0, func(bytes []byte) { put(bytes, 136, get(bytes, 136)+10*nsPerS) }},
	} {
		interval, err := clientOf(t, c.edit).IntervalAtRealtime(time.Now().Add(-c.ago))
		if !errors.Is(err, ErrNotKnown) {
			t.Error(c.name, interval, err)
		}
	}
	for _, far := range []time.Time{year(9999), year(1000)} {
		_, err := clientOf(t, func([]byte) {}).IntervalAtRealtime(far)
		if !errors.Is(err, ErrNotKnown) {
			t.Error(far, err)
		}
	}
}

func TestIntervalAtRealtimeCoversTheRatesOfTheClock(t *testing.T) {
	// One second before the record by CLOCK_REALTIME, which is 1/16 slower or faster than
	// CLOCK_MONOTONIC_RAW.
	record := nativeRecord{
		asOfNs: 1_000 * nsPerS, earliestNs: 5_000 * nsPerS, latestNs: 5_000 * nsPerS,
		freeRunningAfterNs: 2_000 * nsPerS, voidAfterNs: 2_000 * nsPerS, status: StatusSynchronized,
		realtimeNs: 7_000 * nsPerS, validSinceNs: 1, realtimeSinceNs: 1,
		realtimeSlowest: -1 << 28, realtimeFastest: 1 << 28, realtimeErrorNs: 500,
	}
	now := bracket{
		beforeNs: 1_000*nsPerS - 40, realtimeNs: 7_000 * nsPerS, afterNs: 1_000*nsPerS + 20,
	}
	interval, err := record.intervalAtRealtime(6_999*nsPerS, now)
	if err != nil {
		t.Fatal(err)
	}
	// 16/15 s and 16/17 s, a tolerance of 1,500 ns and 1/8 of it, the 60 ns that the bracket took,
	// and the rounding of native.at.
	earliest := int64(5_000*nsPerS - 1_066_666_667 - 1_747 - 1)
	latest := int64(5_000*nsPerS - 941_176_470 + 1_747 + 2)
	if interval.EarliestNs != earliest || interval.LatestNs != latest {
		t.Error(interval, "not", earliest, latest)
	}
}

func TestOnlyTheNativeLayoutHasIntervalsOfOtherInstants(t *testing.T) {
	for _, layout := range []Layout{LayoutV2, LayoutV1} {
		path := filepath.Join(t.TempDir(), "segment")
		publish(t, path, boundBytes(layout, StatusSynchronized))
		client := open(t, path)
		raw, _ := clockNs(clockMonotonicRaw)
		if _, err := client.IntervalAt(raw); !errors.Is(err, ErrNotNative) {
			t.Error(err)
		}
		if _, err := client.IntervalAtRealtime(time.Now()); !errors.Is(err, ErrNotNative) {
			t.Error(err)
		}
	}
}

func TestRecordHasTheDetailsOfItsLayout(t *testing.T) {
	client := clientOf(t, func(bytes []byte) { bytes[122] = byte(LeapInsertSecond) })
	record, err := client.Record()
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := clockNs(clockMonotonicRaw)
	if record.AsOfNs > raw || record.AsOfNs+int64(record.Age) > raw || record.Age <= 0 {
		t.Error(record, raw)
	}
	if record.AsOfNs-record.ValidSinceNs != 100*nsPerS {
		t.Error(record)
	}
	var source uint32
	copy((*[4]byte)(unsafe.Pointer(&source))[:], "PHC0")
	record.AsOfNs, record.Age, record.ValidSinceNs = 0, 0, 0
	if record != (Record{
		Layout: LayoutNative, Status: StatusSynchronized, Reason: ReasonTracking,
		Leap: LeapInsertSecond, Source: source, PublicationInterval: 100 * time.Millisecond,
	}) {
		t.Error(record)
	}
	for _, layout := range []Layout{LayoutV2, LayoutV1} {
		path := filepath.Join(t.TempDir(), "segment")
		publish(t, path, boundBytes(layout, StatusFreeRunning))
		record, err := open(t, path).Record()
		if err != nil {
			t.Fatal(err)
		}
		record.AsOfNs, record.Age = 0, 0
		if record != (Record{
			Layout: layout, Status: StatusFreeRunning, Reason: ReasonUntold, Leap: LeapUntold,
		}) {
			t.Error(record)
		}
	}
}

func TestRevisionsWithoutTheNewFieldsAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "native")
	bytes := segmentBytes(t, StatusSynchronized, halfNs)
	put(bytes, 8, 136|1<<32)
	publish(t, path, bytes[:136])
	client := open(t, path)
	record, err := client.Record()
	if err != nil || record.ValidSinceNs != 0 || record.PublicationInterval != 0 {
		t.Error(record, err)
	}
	if _, err := client.IntervalAtRealtime(time.Now()); !errors.Is(err, ErrNotKnown) {
		t.Error(err)
	}
	// A daemon extends the file in place.
	bytes = segmentBytes(t, StatusSynchronized, halfNs)
	put(bytes, 64, 4)
	overwrite(t, path, 0, bytes)
	if record, err := client.Record(); err != nil || record.ValidSinceNs == 0 {
		t.Error(record, err)
	}
}
