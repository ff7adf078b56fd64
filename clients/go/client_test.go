package clockbound

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

const (
	halfNs   = 200_000
	deadline = 20 * time.Second
)

// segmentBytes returns a native segment with a clock error bound of half ns at the present.
func segmentBytes(t testing.TB, status Status, half int64) []byte {
	env, err := ownEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := clockNs(clockMonotonicRaw)
	now, _ := clockNs(clockRealtime)
	bytes := make([]byte, 136)
	put := func(offset int, number int64) {
		binary.LittleEndian.PutUint64(bytes[offset:], uint64(number))
	}
	copy(bytes, nativeMagic)
	put(8, 136|1<<32)
	copy(bytes[16:], env.bootID[:])
	put(32, env.namespaceOffsetNs)
	put(64, 2)
	put(72, raw)
	put(80, now-half)
	put(88, now+half)
	binary.LittleEndian.PutUint32(bytes[100:], 300_000)
	put(104, raw+5*nsPerS)
	put(112, raw+1_000*nsPerS)
	bytes[120] = byte(status)
	return bytes
}

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
	if interval.Bound() < halfNs || interval.Status != StatusSynchronized || interval.Reason != ReasonTracking {
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

func TestClientFollowsAReplacedFile(t *testing.T) {
	path := directory(t, StatusSynchronized)
	client := open(t, path)
	if interval := now(t, client); interval.Status != StatusSynchronized {
		t.Fatal(interval)
	}
	publish(t, filepath.Join(path, "native"), segmentBytes(t, StatusFreeRunning, halfNs))
	for begun := time.Now(); now(t, client).Status != StatusFreeRunning; time.Sleep(time.Millisecond) {
		if time.Since(begun) > deadline {
			t.Fatal("timed out: the client reads the new file")
		}
	}
}

func TestClientKeepsTheLastRecordOfADeletedDirectory(t *testing.T) {
	path := directory(t, StatusSynchronized)
	client := open(t, path)
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * pathCheckAgeNs)
	if interval := now(t, client); interval.Status != StatusSynchronized {
		t.Error(interval)
	}
}

func TestGoroutinesShareOneClient(t *testing.T) {
	path := directory(t, StatusSynchronized)
	client := open(t, path)
	var all sync.WaitGroup
	for n := 0; n < 8; n++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for n := 0; n < 2_000; n++ {
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
	for n := 0; n < 20; n++ {
		publish(t, filepath.Join(path, "native"), segmentBytes(t, StatusSynchronized, halfNs))
		time.Sleep(time.Millisecond)
	}
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

func TestIntervalAtCoversTheValidityOfTheRecord(t *testing.T) {
	client := open(t, directory(t, StatusSynchronized))
	raw, _ := clockNs(clockMonotonicRaw)
	interval, err := client.IntervalAt(raw - nsPerS)
	if err != nil || !interval.IsBefore(time.Now()) {
		t.Error(interval, err)
	}
	if _, err := client.IntervalAt(raw - 2_000*nsPerS); !errors.Is(err, ErrTooLongAgo) {
		t.Error(err)
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

func TestAddAndSubSaturate(t *testing.T) {
	for _, c := range []struct{ a, b, sum, difference int64 }{
		{1, 2, 3, -1},
		{-1, -2, -3, 1},
		{maxNs, 1, maxNs, maxNs - 1},
		{minNs, -1, minNs, minNs + 1},
		{maxNs, -1, maxNs - 1, maxNs},
		{minNs, 1, minNs + 1, minNs},
		{5, 0, 5, 5},
		{0, minNs, minNs, maxNs},
	} {
		if add(c.a, c.b) != c.sum || sub(c.a, c.b) != c.difference {
			t.Error(c, add(c.a, c.b), sub(c.a, c.b))
		}
	}
}

func FuzzNoSegmentInvertsTheInterval(f *testing.F) {
	f.Add(segmentBytes(f, StatusSynchronized, halfNs))
	f.Add([]byte("\x4e\x5a\x4d\x41\x00\x02\x42\x43\x48\x00\x00\x00\x01\x00\x02\x00"))
	f.Fuzz(func(t *testing.T, bytes []byte) {
		path := filepath.Join(t.TempDir(), "segment")
		publish(t, path, bytes)
		client, err := Open(path)
		if err != nil {
			return
		}
		if interval, err := client.Now(); err == nil && interval.EarliestNs > interval.LatestNs {
			t.Error(interval)
		}
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
