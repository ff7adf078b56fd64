package clockbound

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

const (
	halfNs   = 200_000
	deadline = 20 * time.Second
	// 1,000 ppm, in units of 2^-32. CLOCK_REALTIME of a test machine is not expected to be slewed
	// faster.
	realtimeRate    = 4_294_967
	realtimeErrorNs = 50_000
)

// segmentBytes returns a native segment with a clock error bound of half ns at the present. The
// daemon publishes every 100 ms. Its intervals are known for 100 s, and its readings of
// CLOCK_REALTIME for 50 s.
func segmentBytes(t testing.TB, status Status, half int64) []byte {
	env := ownEnvironment(openVMClock(""))
	raw, _ := clockNs(clockMonotonicRaw)
	now, _ := clockNs(clockRealtime)
	bytes := make([]byte, 4096)
	copy(bytes, nativeMagic)
	put(bytes, 8, 4096|1<<32|2<<48)
	copy(bytes[16:], env.bootID[:])
	put(bytes, 32, env.namespaceOffsetNs)
	put(bytes, 64, 2)
	put(bytes, 72, raw)
	put(bytes, 80, now-half)
	put(bytes, 88, now+half)
	putHalf(bytes, 100, 300_000)
	put(bytes, 104, raw+5*nsPerS)
	put(bytes, 112, raw+1_000*nsPerS)
	bytes[120] = byte(status)
	copy(bytes[124:], "PHC0")
	put(bytes, 136, now)
	put(bytes, 144, raw-100*nsPerS)
	put(bytes, 152, raw-50*nsPerS)
	putHalf(bytes, 160, -realtimeRate)
	putHalf(bytes, 164, realtimeRate)
	putHalf(bytes, 168, 100_000)
	putHalf(bytes, 172, realtimeErrorNs)
	return bytes
}

// boundBytes returns a v1 or v2 segment at the present.
func boundBytes(layout Layout, status Status) []byte {
	coarse, _ := clockNs(clockMonotonicCoarse)
	coarse -= ownEnvironment(openVMClock("")).namespaceOffsetNs
	bytes := make([]byte, 80)
	putHalf(bytes, 0, boundMagic0)
	putHalf(bytes, 4, boundMagic1)
	put(bytes, 8, 80|2<<32|2<<48)
	put(bytes, 16, coarse/nsPerS)
	put(bytes, 24, coarse%nsPerS)
	put(bytes, 32, coarse/nsPerS+1_000)
	put(bytes, 48, halfNs)
	putHalf(bytes, 64, 50_000)
	putHalf(bytes, 68, int64(status))
	if layout == LayoutV1 {
		put(bytes, 8, 72|1<<32|2<<48)
		put(bytes, 56, 50_000)
		put(bytes, 64, int64(status))
		return bytes[:72]
	}
	return bytes
}

// older moves the instant of a segment into the past.
func older(bytes []byte, by time.Duration) []byte {
	if string(bytes[:8]) == nativeMagic {
		for _, offset := range []int{72, 80, 88, 104, 112, 136} {
			put(bytes, offset, get(bytes, offset)-int64(by))
		}
		return bytes
	}
	put(bytes, 16, get(bytes, 16)-int64(by.Seconds()))
	return bytes
}

func put(bytes []byte, offset int, number int64) {
	*(*int64)(unsafe.Pointer(&bytes[offset])) = number
}

func putHalf(bytes []byte, offset int, number int64) {
	*(*int32)(unsafe.Pointer(&bytes[offset])) = int32(number)
}

func get(bytes []byte, offset int) int64 { return *(*int64)(unsafe.Pointer(&bytes[offset])) }

// publish replaces the file at path, as a daemon does with a file that it cannot use.
func publish(t testing.TB, path string, bytes []byte) {
	if err := os.WriteFile(path+".new", bytes, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// directory returns a new directory with a native segment.
func directory(t testing.TB, status Status) string {
	directory := t.TempDir()
	publish(t, filepath.Join(directory, "native"), segmentBytes(t, status, halfNs))
	return directory
}

func open(t testing.TB, path string) *Client {
	client, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func now(t testing.TB, client *Client) Interval {
	interval, err := client.Now()
	if err != nil {
		t.Fatal(err)
	}
	return interval
}

func TestIntervalContainsTheTime(t *testing.T) {
	client := open(t, directory(t, StatusSynchronized))
	before := time.Now()
	interval := now(t, client)
	after := time.Now()
	if interval.Earliest().After(after) || interval.Latest().Before(before) {
		t.Errorf("%v, between %v and %v", interval, before, after)
	}
	if interval.Bound() < halfNs || interval.Status != StatusSynchronized ||
		interval.Reason != ReasonTracking {
		t.Error(interval)
	}
}

func TestOpenWithoutASegmentReturnsNotExist(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "native")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestOpenWhenReadyWaitsForATrustedInterval(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later")
	go func() {
		time.Sleep(50 * time.Millisecond)
		_ = os.Mkdir(path, 0o755)
		publish(t, filepath.Join(path, "native"), segmentBytes(t, StatusUnknown, halfNs))
		time.Sleep(50 * time.Millisecond)
		publish(t, filepath.Join(path, "native"), segmentBytes(t, StatusSynchronized, halfNs))
	}()
	client, err := OpenWhenReady(path, deadline, 0)
	if err != nil {
		t.Fatal(err)
	}
	if interval := now(t, client); interval.Status != StatusSynchronized {
		t.Error(interval)
	}
}

func TestErrNotReadyWrapsTheCause(t *testing.T) {
	for _, c := range []struct {
		status   Status
		maxBound time.Duration
		cause    error
	}{
		{StatusUnknown, 0, ErrUntrusted},
		{StatusDisrupted, 0, ErrUntrusted},
		{StatusSynchronized, time.Microsecond, ErrTooWide},
	} {
		_, err := OpenWhenReady(directory(t, c.status), 20*time.Millisecond, c.maxBound)
		if !errors.Is(err, ErrNotReady) || !errors.Is(err, c.cause) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// waitUntil fails the test if the condition does not occur within the deadline.
func waitUntil(t testing.TB, condition string, isMet func() bool) {
	for begun := time.Now(); !isMet(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > deadline {
			t.Fatal("timed out: ", condition)
		}
	}
}

func TestGoroutinesShareOneClient(t *testing.T) {
	path := directory(t, StatusSynchronized)
	client := open(t, path)
	var (
		all    sync.WaitGroup
		isOver atomic.Bool
	)
	for n := 0; n < 8; n++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for !isOver.Load() {
				before := time.Now()
				interval, err := client.Now()
				after := time.Now()
				if err != nil || interval.Latest().Before(before) ||
					interval.Earliest().After(after) {
					t.Error(interval, err)
					return
				}
			}
		}()
	}
	followed := 0
	for last := client.segment.Load(); followed < 5 && !t.Failed(); followed++ {
		// The record is late, so the client looks for another file.
		publish(t, filepath.Join(path, "native"),
			older(segmentBytes(t, StatusSynchronized, 10*halfNs), time.Second))
		waitUntil(t, "the client follows", func() bool { return client.segment.Load() != last })
		last = client.segment.Load()
	}
	isOver.Store(true)
	all.Wait()
}

func TestCommitWaitReturnsAfterTheTimeHasPassed(t *testing.T) {
	client := open(t, directory(t, StatusSynchronized))
	target := now(t, client).LatestNs + 5_000_000
	interval, err := client.CommitWaitNs(context.Background(), target)
	if err != nil || !interval.IsAfterNs(target) || time.Now().UnixNano() < target {
		t.Error(interval, err)
	}
	untrusted := open(t, directory(t, StatusUnknown))
	_, err = untrusted.CommitWait(context.Background(), time.Now())
	if !errors.Is(err, ErrUntrusted) {
		t.Error(err)
	}
}

func TestCommitWaitEndsWhenTheStatusBecomesUnknown(t *testing.T) {
	path := filepath.Join(directory(t, StatusSynchronized), "native")
	client := open(t, path)
	go func() {
		time.Sleep(20 * time.Millisecond)
		overwrite(t, path, 120, []byte{byte(StatusUnknown)})
	}()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	_, err := client.CommitWait(ctx, time.Now().Add(2*deadline))
	if !errors.Is(err, ErrUntrusted) {
		t.Error(err)
	}
}

func TestCommitWaitEndsWithItsContext(t *testing.T) {
	client := open(t, directory(t, StatusSynchronized))
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := client.CommitWait(ctx, time.Now().Add(2*deadline))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = client.CommitWait(ctx, year(9999))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	// A time that has passed needs no wait.
	if _, err = client.CommitWait(ctx, year(1000)); err != nil {
		t.Error(err)
	}
}

func year(year int) time.Time { return time.Date(year, time.June, 1, 0, 0, 0, 0, time.UTC) }

func TestTimesBeyondTheRangeOf64BitsSaturate(t *testing.T) {
	const lastSecond, firstSecond = maxNs / nsPerS, minNs/nsPerS - 1
	for _, c := range []struct {
		time time.Time
		ns   int64
	}{
		{time.Unix(0, 0), 0},
		{time.Unix(0, -1), -1},
		{time.Unix(-1, 0), -nsPerS},
		{time.Unix(lastSecond, 854_775_806), maxNs - 1},
		{time.Unix(lastSecond, 854_775_807), maxNs},
		{time.Unix(lastSecond, 854_775_808), maxNs},
		{time.Unix(lastSecond+1, 0), maxNs},
		{time.Unix(firstSecond, 145_224_194), minNs + 2},
		{time.Unix(firstSecond, 145_224_193), minNs + 1},
		{time.Unix(firstSecond, 145_224_192), minNs},
		{time.Unix(firstSecond, 145_224_191), minNs},
		{time.Unix(firstSecond-1, 999_999_999), minNs},
		{year(2263), maxNs},
		{year(9999), maxNs},
		{year(1677), minNs},
		{year(1), minNs},
		{time.Time{}, minNs},
		{time.Unix(maxNs, 0), maxNs},
		{time.Unix(minNs, 0), minNs},
	} {
		if ns := unixNs(c.time); ns != c.ns {
			t.Errorf("%v: %d, not %d", c.time.UTC(), ns, c.ns)
		}
	}
	present := Interval{EarliestNs: 100, LatestNs: 200, Status: StatusSynchronized}
	if present.IsAfter(year(9999)) || !present.IsBefore(year(9999)) {
		t.Error("the year 9999 has passed")
	}
	if !present.IsAfter(year(1000)) || present.IsBefore(year(1000)) {
		t.Error("the year 1000 has not passed")
	}
	for _, c := range []Interval{
		{EarliestNs: maxNs, LatestNs: maxNs, Status: StatusSynchronized},
		{EarliestNs: minNs, LatestNs: minNs, Status: StatusSynchronized},
	} {
		if c.EarliestNs == maxNs && c.IsAfter(year(9999)) {
			t.Error("the last representable instant is after a later one")
		}
		if c.LatestNs == minNs && c.IsBefore(year(1000)) {
			t.Error("the first representable instant is before an earlier one")
		}
	}
}

func TestTimingReadsTheIntervalBeforeAndAfterTheCall(t *testing.T) {
	client := open(t, directory(t, StatusSynchronized))
	timed, err := client.Timing(func() { time.Sleep(2 * time.Millisecond) })
	if err != nil || !timed.Began.Less(timed.Ended) || timed.Ended.Less(timed.Began) {
		t.Error(timed, err)
	}
}

func TestIsAfterAndIsBeforeAreFalseUnlessCertain(t *testing.T) {
	trusted := Interval{EarliestNs: 100, LatestNs: 200, Status: StatusFreeRunning}
	for _, c := range []struct {
		ns            int64
		after, before bool
	}{{99, true, false}, {100, false, false}, {200, false, false}, {201, false, true}} {
		if trusted.IsAfterNs(c.ns) != c.after || trusted.IsBeforeNs(c.ns) != c.before {
			t.Error(c)
		}
		unknown := Interval{EarliestNs: 100, LatestNs: 200}
		if unknown.IsAfterNs(c.ns) || unknown.IsBeforeNs(c.ns) {
			t.Error(c, "unknown")
		}
	}
	if trusted.BoundNs() != 50 || trusted.MidpointNs() != 150 {
		t.Error(trusted.BoundNs(), trusted.MidpointNs())
	}
	widest := Interval{EarliestNs: minNs, LatestNs: maxNs}
	if widest.BoundNs() != maxNs || widest.MidpointNs() != -1 {
		t.Error(widest.BoundNs(), widest.MidpointNs())
	}
}

func FuzzNoSegmentInvertsTheInterval(f *testing.F) {
	f.Add(segmentBytes(f, StatusSynchronized, halfNs))
	f.Add(boundBytes(LayoutV2, StatusSynchronized))
	f.Add([]byte("\x4e\x5a\x4d\x41\x00\x02\x42\x43\x48\x00\x00\x00\x01\x00\x02\x00"))
	f.Fuzz(func(t *testing.T, bytes []byte) {
		path := filepath.Join(t.TempDir(), "segment")
		publish(t, path, bytes)
		client, err := Open(path)
		if err != nil {
			return
		}
		raw, _ := clockNs(clockMonotonicRaw)
		for _, read := range []func() (Interval, error){
			client.Now,
			func() (Interval, error) { return client.IntervalAt(raw - nsPerS) },
			func() (Interval, error) { return client.IntervalAtRealtime(time.Now()) },
		} {
			if interval, err := read(); err == nil && interval.EarliestNs > interval.LatestNs {
				t.Error(interval)
			}
		}
		_, _ = client.Record()
		_ = client.Close()
	})
}

func BenchmarkNow(b *testing.B) {
	client := open(b, directory(b, StatusSynchronized))
	b.ReportAllocs()
	for n := 0; n < b.N; n++ {
		if _, err := client.Now(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNowOfANewRecord(b *testing.B) {
	client, write := writer(b)
	b.ReportAllocs()
	for n := 0; n < b.N; n++ {
		write()
		if _, err := client.Now(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClockGettime(b *testing.B) {
	for n := 0; n < b.N; n++ {
		_, _ = clockNs(clockMonotonicRaw)
	}
}

func BenchmarkTimeNow(b *testing.B) {
	for n := 0; n < b.N; n++ {
		_ = time.Now()
	}
}
