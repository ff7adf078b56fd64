package clockbound

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// pageBytes returns a VMClock page with a marker.
func pageBytes(marker uint64) []byte {
	bytes := make([]byte, 4096)
	binary.LittleEndian.PutUint32(bytes, vmclockMagic)
	binary.LittleEndian.PutUint32(bytes[4:], 4096)
	binary.LittleEndian.PutUint16(bytes[8:], vmclockVersion)
	setMarker(bytes, marker)
	return bytes
}

func setMarker(page []byte, marker uint64) {
	binary.LittleEndian.PutUint64(page[vmclockMarkerOffset:], marker)
}

// requiring returns a native or v2 segment whose record requires a page with this marker.
func requiring(t testing.TB, layout Layout, marker uint64) []byte {
	if layout == LayoutNative {
		bytes := segmentBytes(t, StatusSynchronized, halfNs)
		put(bytes, 176, int64(marker))
		bytes[184] = 1
		return bytes
	}
	bytes := boundBytes(LayoutV2, StatusSynchronized)
	put(bytes, 56, int64(marker))
	bytes[72] = 1
	return bytes
}

// protected is a file with a record that requires a page, and the page.
type protected struct{ segment, page string }

func publishProtected(t testing.TB, layout Layout, recordMarker, pageMarker uint64) protected {
	directory := t.TempDir()
	p := protected{filepath.Join(directory, "segment"), filepath.Join(directory, "vmclock")}
	publish(t, p.segment, requiring(t, layout, recordMarker))
	publish(t, p.page, pageBytes(pageMarker))
	return p
}

func (p protected) open(t testing.TB) *Client { return openWith(t, p.segment, p.page) }

func openWith(t testing.TB, path, page string) *Client {
	client, err := OpenWith(path, Options{VMClock: page})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// change sets the marker of the page, as the hypervisor does.
func (p protected) change(t *testing.T, marker uint64) {
	overwrite(t, p.page, vmclockMarkerOffset, pageBytes(marker)[16:24])
}

// reads returns what every kind of read of a client returns.
func reads(client *Client, layout Layout) map[string]func() (Status, Reason, error) {
	stamp := time.Now()
	raw, _ := clockNs(clockMonotonicRaw)
	of := func(interval Interval, err error) (Status, Reason, error) {
		return interval.Status, interval.Reason, err
	}
	all := map[string]func() (Status, Reason, error){
		"Now": func() (Status, Reason, error) { return of(client.Now()) },
		"Record": func() (Status, Reason, error) {
			record, err := client.Record()
			return record.Status, record.Reason, err
		},
	}
	if layout == LayoutNative {
		all["IntervalAt"] = func() (Status, Reason, error) { return of(client.IntervalAt(raw)) }
		all["IntervalAtRealtime"] = func() (Status, Reason, error) {
			return of(client.IntervalAtRealtime(stamp))
		}
	}
	return all
}

func TestAnIntervalIsDisruptedWhileThePageHasAnotherMarker(t *testing.T) {
	for n, layout := range []Layout{LayoutNative, LayoutV2, LayoutNative, LayoutV2} {
		p := publishProtected(t, layout, 7, 7)
		client := p.open(t)
		// The map of a device is read without a protection against a truncated file.
		client.vmclock.page.Load().isFile = n < 2
		check := func(expected Status) {
			t.Helper()
			for name, read := range reads(client, layout) {
				status, reason, err := read()
				if err != nil || status != expected ||
					(reason == ReasonDisrupted) != (expected == StatusDisrupted) {
					t.Error(layout, name, status, reason, err)
				}
			}
		}
		check(StatusSynchronized)
		p.change(t, 8)
		check(StatusDisrupted)
		// The daemon publishes under the new marker.
		overwrite(t, p.segment, 0, requiring(t, layout, 8))
		check(StatusSynchronized)
		p.change(t, 7)
		check(StatusDisrupted)
	}
}

func TestThePageIsReadAfterTheClock(t *testing.T) {
	for _, layout := range []Layout{LayoutNative, LayoutV2} {
		p := publishProtected(t, layout, 7, 7)
		client := p.open(t)
		for name, read := range reads(client, layout) {
			if name == "IntervalAt" {
				// The program has read the clock before.
				continue
			}
			p.change(t, 7)
			client.segment.Load().clockNs = clockNs
			if status, _, err := read(); status != StatusSynchronized {
				t.Fatal(layout, name, status, err)
			}
			client.segment.Load().clockNs = func(id clock) (int64, error) {
				p.change(t, 8)
				return clockNs(id)
			}
			if status, _, err := read(); status != StatusDisrupted {
				t.Error(layout, name, status, err)
			}
		}
	}
}

func TestARecordThatRequiresNoPageIsReadWithoutIt(t *testing.T) {
	directory := t.TempDir()
	page := filepath.Join(directory, "vmclock")
	for _, c := range []struct {
		name  string
		bytes []byte
	}{
		{"native", segmentBytes(t, StatusSynchronized, halfNs)},
		{"v2", boundBytes(LayoutV2, StatusSynchronized)},
		{"v1", boundBytes(LayoutV1, StatusSynchronized)},
	} {
		path := filepath.Join(directory, c.name)
		publish(t, path, c.bytes)
		publish(t, page, pageBytes(7))
		for _, client := range []*Client{
			openWith(t, path, page), openWith(t, path, filepath.Join(directory, "none")),
		} {
			if interval := now(t, client); interval.Status != StatusSynchronized {
				t.Error(c.name, interval)
			}
		}
	}
}

// unusablePages are files that are not a VMClock page.
func unusablePages(t *testing.T) map[string]string {
	directory := t.TempDir()
	paths := map[string]string{"none": filepath.Join(directory, "none"), "directory": directory}
	fifo := filepath.Join(directory, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	paths["fifo"] = fifo
	changed := func(at int, value byte) []byte {
		bytes := pageBytes(7)
		bytes[at] = value
		return bytes
	}
	tooSmall := changed(4, 103)
	tooSmall[5] = 0
	for name, bytes := range map[string][]byte{
		"empty":     nil,
		"short":     pageBytes(7)[:103],
		"magic":     changed(0, 0),
		"version":   changed(8, 2),
		"too small": tooSmall,
	} {
		paths[name] = filepath.Join(directory, name)
		publish(t, paths[name], bytes)
	}
	return paths
}

func TestARecordThatRequiresAPageIsNotOpenedWithoutIt(t *testing.T) {
	for name, page := range unusablePages(t) {
		for _, layout := range []Layout{LayoutNative, LayoutV2} {
			path := filepath.Join(t.TempDir(), "segment")
			publish(t, path, requiring(t, layout, 7))
			for _, noFollow := range []bool{false, true} {
				_, err := OpenWith(path, Options{VMClock: page, NoFollow: noFollow})
				if !errors.Is(err, ErrVMClock) || errors.Is(err, os.ErrNotExist) {
					t.Error(name, layout, err)
				}
			}
			_, err := OpenWhenReadyWith(path, time.Millisecond, 0, Options{VMClock: page})
			if !errors.Is(err, ErrNotReady) || !errors.Is(err, ErrVMClock) {
				t.Error(name, layout, err)
			}
		}
	}
}

func TestTheShortestPageIsUsable(t *testing.T) {
	p := publishProtected(t, LayoutNative, 7, 7)
	bytes := pageBytes(7)[:vmclockBytes]
	binary.LittleEndian.PutUint32(bytes[4:], vmclockBytes)
	publish(t, p.page, bytes)
	if interval := now(t, p.open(t)); interval.Status != StatusSynchronized {
		t.Error(interval)
	}
}

func TestALayoutWithoutAMarkerIsNotPreferredBecauseOfThePage(t *testing.T) {
	directory := t.TempDir()
	page := filepath.Join(directory, "vmclock")
	publish(t, filepath.Join(directory, "native"), requiring(t, LayoutNative, 7))
	publish(t, filepath.Join(directory, "shm"), boundBytes(LayoutV1, StatusSynchronized))
	if _, err := OpenWith(directory, Options{VMClock: page}); !errors.Is(err, ErrVMClock) {
		t.Error(err)
	}
	publish(t, page, pageBytes(8))
	client := openWith(t, directory, page)
	for n := 0; n < 2; n++ {
		if interval := now(t, client); interval.Status != StatusDisrupted {
			t.Error(interval)
		}
		if follows(t, client) {
			t.Error("the client follows")
		}
		client.checkPath(client.segment.Load())
	}
}

func TestALayoutWithTheMarkerOfThePageIsPreferred(t *testing.T) {
	directory := t.TempDir()
	page := filepath.Join(directory, "vmclock")
	publish(t, page, pageBytes(8))
	publish(t, filepath.Join(directory, "native"), requiring(t, LayoutNative, 7))
	publish(t, filepath.Join(directory, "shm0"), requiring(t, LayoutV2, 8))
	if layout := layoutOfClient(t, openWith(t, directory, page)); layout != LayoutV2 {
		t.Error(layout)
	}
}

func TestACallFailsWhenTheRecordComesToRequireAPage(t *testing.T) {
	for _, layout := range []Layout{LayoutNative, LayoutV2} {
		for _, noFollow := range []bool{false, true} {
			directory := t.TempDir()
			path, page := filepath.Join(directory, "segment"), filepath.Join(directory, "vmclock")
			bytes := segmentBytes(t, StatusSynchronized, halfNs)
			if layout == LayoutV2 {
				bytes = boundBytes(LayoutV2, StatusSynchronized)
			}
			publish(t, path, bytes)
			client, err := OpenWith(path, Options{VMClock: page, NoFollow: noFollow})
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, path, 0, requiring(t, layout, 7))
			for name, read := range reads(client, layout) {
				if status, _, err := read(); !errors.Is(err, ErrVMClock) || status.IsTrusted() {
					t.Error(layout, name, status, err)
				}
			}
			// A client that follows opens the page as soon as it can.
			publish(t, page, pageBytes(7))
			if noFollow {
				if _, err := client.Now(); !errors.Is(err, ErrVMClock) {
					t.Error(layout, err)
				}
				continue
			}
			waitUntil(t, "the page is opened", func() bool {
				interval, err := client.Now()
				return err == nil && interval.Status == StatusSynchronized
			})
			overwrite(t, page, vmclockMarkerOffset, pageBytes(8)[16:24])
			if interval := now(t, client); interval.Status != StatusDisrupted {
				t.Error(layout, interval)
			}
		}
	}
}

func TestATruncatedPageIsAnError(t *testing.T) {
	p := publishProtected(t, LayoutNative, 7, 7)
	client := p.open(t)
	now(t, client)
	if err := os.Truncate(p.page, 0); err != nil {
		t.Fatal(err)
	}
	if interval, err := client.Now(); !errors.Is(err, ErrVMClock) {
		t.Error(interval, err)
	}
	overwrite(t, p.page, 0, pageBytes(7))
	if interval := now(t, client); interval.Status != StatusSynchronized {
		t.Error(interval)
	}
}

func TestTheDetailsOfARecordContainWhatTheHypervisorReports(t *testing.T) {
	const taiOffsetS = -37
	for notices := 0; notices < 8; notices++ {
		p := publishProtected(t, LayoutNative, 7, 7)
		bytes := requiring(t, LayoutNative, 7)
		bytes[185] = byte(notices)
		put(bytes, 184, get(bytes, 184)|0xffff&taiOffsetS<<32)
		publish(t, p.segment, bytes)
		record, err := p.open(t).Record()
		if err != nil {
			t.Fatal(err)
		}
		offset := time.Duration(0)
		if notices&4 != 0 {
			offset = taiOffsetS * time.Second
		}
		if !record.DisruptionSupported || record.DisruptionMarker != 7 ||
			record.DisruptionSoon != (notices&1 != 0) ||
			record.DisruptionImminent != (notices&2 != 0) ||
			record.TAIOffsetKnown != (notices&4 != 0) || record.TAIOffset != offset {
			t.Errorf("%d: %+v", notices, record)
		}
	}
	record, err := publishProtected(t, LayoutV2, 7, 7).open(t).Record()
	if err != nil || !record.DisruptionSupported || record.DisruptionMarker != 7 {
		t.Errorf("%+v, %v", record, err)
	}
	// A record without support has no marker.
	bytes := requiring(t, LayoutNative, 7)
	bytes[184] = 0
	path := filepath.Join(t.TempDir(), "native")
	publish(t, path, bytes)
	record, err = open(t, path).Record()
	if err != nil || record.DisruptionSupported || record.DisruptionMarker != 0 {
		t.Errorf("%+v, %v", record, err)
	}
}

func TestASegmentOfThe3xGenerationIsOfAnUnsupportedVersion(t *testing.T) {
	bytes := make([]byte, 104)
	putHalf(bytes, 0, boundMagic0)
	putHalf(bytes, 4, boundMagic1)
	put(bytes, 8, 104|0x0303<<32|2<<48)
	path := filepath.Join(t.TempDir(), "shm1")
	publish(t, path, bytes)
	if _, err := Open(path); !errors.Is(err, ErrVersion) {
		t.Error(err)
	}
}

func TestPagesAreUnmappedWithTheirClients(t *testing.T) {
	p := publishProtected(t, LayoutNative, 7, 7)
	segment := p.segment + ".none"
	for n := 0; n < 1_000; n++ {
		if _, err := OpenWith(segment, Options{VMClock: p.page}); !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if count := maps(t, p.page); count > 1 {
		t.Error(count, "pages are mapped after failed attempts")
	}
	for n := 0; n < 1_000; n++ {
		client := p.open(t)
		now(t, client)
		_ = client.Close()
	}
	waitUntil(t, "pages are unmapped", func() bool {
		_ = p.open(t).Close()
		return maps(t, p.page) <= 2*maxRetired
	})
}

// writable maps a file for writing.
func writable(t testing.TB, path string) []byte {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	bytes, err := syscall.Mmap(
		int(file.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(bytes) })
	return bytes
}

func store(bytes []byte, offset int, word uint64) {
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&bytes[offset])), word)
}

// TestNoTrustedIntervalIsOfAnEarlierDisruption has a virtual machine restored again and again while
// goroutines read: true time goes on by an hour, and no clock of the machine does.
func TestNoTrustedIntervalIsOfAnEarlierDisruption(t *testing.T) {
	const restorations = 1_000
	p := publishProtected(t, LayoutNative, 0, 0)
	segment, page := writable(t, p.segment), writable(t, p.page)
	client := p.open(t)
	start := get(segment, 80)
	var (
		readers sync.WaitGroup
		// How often the machine was restored.
		restored         atomic.Int64
		trusted, refused atomic.Int64
		isOver           atomic.Bool
	)
	for n := 0; n < 4; n++ {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for !isOver.Load() {
				before := restored.Load()
				interval, err := client.Now()
				switch {
				case err != nil:
					t.Error(err)
					return
				case !interval.Status.IsTrusted():
					refused.Add(1)
				case (interval.EarliestNs-start)/(3_600*nsPerS) < before:
					t.Error("restored", before, "times before:", interval)
					return
				default:
					trusted.Add(1)
				}
				runtime.Gosched()
			}
		}()
	}
	sequence := uint64(2)
	for n := uint64(1); n <= restorations; n++ {
		store(page, vmclockMarkerOffset, n)
		restored.Store(int64(n))
		time.Sleep(20 * time.Microsecond)
		// The daemon has measured again.
		store(segment, 64, sequence+1)
		store(segment, 80, uint64(start)+n*3_600*nsPerS)
		store(segment, 88, uint64(start)+n*3_600*nsPerS+2*halfNs)
		store(segment, 176, n)
		sequence += 2
		store(segment, 64, sequence)
		time.Sleep(20 * time.Microsecond)
	}
	waitUntil(t, "readers read both", func() bool { return trusted.Load() > 0 && refused.Load() > 0 })
	isOver.Store(true)
	readers.Wait()
	t.Log(trusted.Load(), "trusted,", refused.Load(), "disrupted")
}

func BenchmarkNowWithVMClock(b *testing.B) {
	client := publishProtected(b, LayoutNative, 7, 7).open(b)
	client.vmclock.page.Load().isFile = false
	b.ReportAllocs()
	for n := 0; n < b.N; n++ {
		if _, err := client.Now(); err != nil {
			b.Fatal(err)
		}
	}
}
