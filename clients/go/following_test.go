package clockbound

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// follows makes the client check the path, and returns whether it reads another file afterwards.
func follows(t testing.TB, client *Client) bool {
	before := client.segment.Load()
	client.pathCheckedNs.Store(0)
	if _, err := client.Record(); err != nil {
		t.Fatal(err)
	}
	return client.segment.Load() != before
}

func layoutOfClient(t testing.TB, client *Client) Layout {
	record, err := client.Record()
	if err != nil {
		t.Fatal(err)
	}
	return record.Layout
}

// A segment in a state: "" for no file.
func segmentIn(t testing.TB, layout Layout, state string) []byte {
	status, age := StatusSynchronized, time.Duration(0)
	switch state {
	case "":
		return nil
	case "not a segment":
		return make([]byte, 4096)
	case "untrusted", "dead and untrusted":
		status = StatusUnknown
	}
	if strings.HasPrefix(state, "dead") {
		age = 10 * time.Second
	}
	if layout != LayoutNative {
		return older(boundBytes(layout, status), age)
	}
	bytes := older(segmentBytes(t, status, halfNs), age)
	switch state {
	case "not written":
		put(bytes, 64, 0)
	case "first write incomplete":
		put(bytes, 64, 1)
	case "malformed":
		bytes[120] = 9
	case "retired":
		bytes[120], bytes[121] = byte(StatusUnknown), byte(ReasonRetired)
	}
	return bytes
}

func TestTheLiveLayoutIsPreferred(t *testing.T) {
	for _, c := range []struct {
		native, v2, v1 string
		layout         Layout
	}{
		{"trusted", "trusted", "trusted", LayoutNative},
		{"dead", "trusted", "trusted", LayoutV2},
		{"dead", "", "trusted", LayoutV1},
		{"dead", "dead", "dead", LayoutNative},
		{"dead", "untrusted", "", LayoutV2},
		{"dead and untrusted", "dead", "", LayoutV2},
		{"dead and untrusted", "dead and untrusted", "dead", LayoutV1},
		{"untrusted", "trusted", "", LayoutV2},
		{"untrusted", "untrusted", "trusted", LayoutV1},
		{"untrusted", "untrusted", "untrusted", LayoutNative},
		{"retired", "trusted", "", LayoutV2},
		{"retired", "untrusted", "", LayoutV2},
		{"retired", "", "", LayoutNative},
		{"malformed", "dead", "", LayoutV2},
		{"not written", "dead", "", LayoutV2},
		{"first write incomplete", "dead", "", LayoutV2},
		{"not a segment", "", "trusted", LayoutV1},
		{"", "", "untrusted", LayoutV1},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			path := t.TempDir()
			for n, state := range []string{c.native, c.v2, c.v1} {
				if bytes := segmentIn(t, LayoutNative+Layout(n), state); bytes != nil {
					publish(t, filepath.Join(path, fileNames[n]), bytes)
				}
			}
			if layout := layoutOfClient(t, open(t, path)); layout != c.layout {
				t.Error("opened", layout)
			}
			// A client that was opened before on the native file comes to the same result.
			other := directory(t, StatusUnknown)
			publish(t, filepath.Join(other, "native"), segmentIn(t, LayoutNative, "retired"))
			client := open(t, other)
			client.path = path
			if follows(t, client); layoutOfClient(t, client) != c.layout {
				t.Error("followed to", layoutOfClient(t, client))
			}
		})
	}
}

func TestClientFollowsAReplacedFile(t *testing.T) {
	path := directory(t, StatusSynchronized)
	client := open(t, path)
	publish(t, filepath.Join(path, "native"), segmentBytes(t, StatusFreeRunning, halfNs))
	waitUntil(t, "the client reads the new file", func() bool {
		return now(t, client).Status == StatusFreeRunning
	})
}

func TestClientFollowsToALiveFileThatIsNotTrusted(t *testing.T) {
	path := directory(t, StatusSynchronized)
	native := filepath.Join(path, "native")
	publish(t, native, older(segmentBytes(t, StatusSynchronized, halfNs), time.Second))
	client := open(t, path)
	publish(t, native, segmentBytes(t, StatusUnknown, halfNs))
	if !follows(t, client) {
		t.Error(client.Record())
	}
}

func TestClientFollowsAtOnceFromARetiredSegment(t *testing.T) {
	path := directory(t, StatusSynchronized)
	publish(t, filepath.Join(path, "shm0"), boundBytes(LayoutV2, StatusFreeRunning))
	client := open(t, path)
	retired := []byte{byte(StatusUnknown), byte(ReasonRetired)}
	overwrite(t, filepath.Join(path, "native"), 120, retired)
	if interval := now(t, client); interval.Status != StatusFreeRunning {
		t.Error(interval)
	}
}

func TestClientKeepsTheHeldRecordUntilTheNewFileCanBeRead(t *testing.T) {
	path := directory(t, StatusSynchronized)
	native := filepath.Join(path, "native")
	publish(t, native, older(segmentBytes(t, StatusSynchronized, halfNs), time.Second))
	client := open(t, path)
	for _, state := range []string{"not written", "first write incomplete", "malformed"} {
		publish(t, native, segmentIn(t, LayoutNative, state))
		if follows(t, client) || now(t, client).Status != StatusSynchronized {
			t.Error("adopted:", state)
		}
	}
	publish(t, native, segmentIn(t, LayoutNative, "not written"))
	overwrite(t, native, 64, []byte{2})
	if !follows(t, client) {
		t.Error("not adopted after its first write")
	}
}

func TestClientKeepsTheHeldRecordWhenOnlyWorseOnesRemain(t *testing.T) {
	path := t.TempDir()
	native := filepath.Join(path, "native")
	publish(t, native, segmentIn(t, LayoutNative, "dead"))
	client := open(t, path)
	publish(t, filepath.Join(path, "shm0"), segmentIn(t, LayoutV2, "dead"))
	publish(t, native, segmentIn(t, LayoutNative, "dead and untrusted"))
	if follows(t, client) {
		t.Error(client.Record())
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if follows(t, client) || now(t, client).Status != StatusFreeRunning {
		t.Error(client.Record())
	}
}

func TestThePathIsCheckedOnlyWhenTheRecordIsLate(t *testing.T) {
	const ms, raw, coarse = time.Millisecond, clockMonotonicRaw, clockMonotonicCoarse
	v2, v1 := boundBytes(LayoutV2, StatusSynchronized), boundBytes(LayoutV1, StatusSynchronized)
	native := func(intervalUs int64, reason Reason) []byte {
		bytes := segmentBytes(t, StatusSynchronized, halfNs)
		putHalf(bytes, 168, intervalUs)
		bytes[121] = byte(reason)
		return bytes
	}
	for _, c := range []struct {
		name      string
		bytes     []byte
		clock     clock
		age       time.Duration
		isChecked bool
	}{
		{"100 ms", native(100_000, 0), raw, 250 * ms, false},
		{"100 ms, late", native(100_000, 0), raw, 251 * ms, true},
		{"2 s", native(2_000_000, 0), raw, 4_050 * ms, false},
		{"2 s, late", native(2_000_000, 0), raw, 4_051 * ms, true},
		{"not recorded", native(0, 0), raw, 4_050 * ms, false},
		{"not recorded, late", native(0, 0), raw, 4_051 * ms, true},
		{"retired", native(100_000, ReasonRetired), raw, 0, true},
		{"v2", v2, coarse, 4_050 * ms, false},
		{"v2, late", v2, coarse, 4_051 * ms, true},
		{"v1", v1, coarse, 4_050 * ms, false},
		{"v1, late", v1, coarse, 4_051 * ms, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "segment")
			publish(t, path, c.bytes)
			client := open(t, path)
			s := client.segment.Load()
			record, err := s.read()
			if err != nil {
				t.Fatal(err)
			}
			at := record.asOf() - s.aheadNs + int64(c.age)
			s.clockNs = func(id clock) (int64, error) {
				if id == c.clock {
					return at, nil
				}
				return clockNs(id)
			}
			for _, read := range []func(){
				func() { now(t, client) },
				func() { _, _ = client.Record() },
				func() { _, _ = client.IntervalAt(at) },
				func() { _, _ = client.IntervalAtRealtime(time.Now()) },
			} {
				client.pathCheckedNs.Store(0)
				if read(); (client.pathCheckedNs.Load() != 0) != c.isChecked {
					t.Error("checked:", !c.isChecked)
				}
			}
		})
	}
}

func TestThePathIsCheckedAtMostOnceInAnInterval(t *testing.T) {
	path := directory(t, StatusSynchronized)
	native := filepath.Join(path, "native")
	publish(t, native, older(segmentBytes(t, StatusSynchronized, halfNs), time.Second))
	client := open(t, path)
	now(t, client)
	first := client.pathCheckedNs.Load()
	checks, begun := 0, time.Now()
	for last := first; checks < 3; now(t, client) {
		if checked := client.pathCheckedNs.Load(); checked != last {
			checks++
			last = checked
		}
		if time.Since(begun) > deadline {
			t.Fatal("timed out: the path is checked")
		}
	}
	if least := 3 * pathCheckInterval; time.Duration(client.pathCheckedNs.Load()-first) < least {
		t.Error("three checks in less than", least)
	}
}

func TestARelativePathIsMadeAbsolute(t *testing.T) {
	path := directory(t, StatusSynchronized)
	native := filepath.Join(path, "native")
	publish(t, native, older(segmentBytes(t, StatusSynchronized, halfNs), time.Second))
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chdir(before) }()
	if err := os.Chdir(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	client := open(t, filepath.Base(path))
	if err := os.Chdir("/"); err != nil {
		t.Fatal(err)
	}
	publish(t, native, segmentBytes(t, StatusFreeRunning, halfNs))
	if !follows(t, client) {
		t.Error("the new file is not found")
	}
	if _, err := Open(""); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestOtherLayoutsAreTriedAfterAFileThatCannotBeOpened(t *testing.T) {
	path := t.TempDir()
	// The user root can open any file, but not a symbolic link to itself.
	if err := os.Symlink("native", filepath.Join(path, "native")); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path)
	if err == nil || errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "native") {
		t.Error(err)
	}
	publish(t, filepath.Join(path, "shm"), boundBytes(LayoutV1, StatusSynchronized))
	if layout := layoutOfClient(t, open(t, path)); layout != LayoutV1 {
		t.Error(layout)
	}
}

func TestOtherLayoutsAreReadWithoutProc(t *testing.T) {
	path := directory(t, StatusSynchronized)
	env := ownEnvironment(openVMClock(""))
	env.namespaceErr = errors.New("mount /proc")
	if _, err := openPreferred(path, env); !errors.Is(err, env.namespaceErr) {
		t.Error(err)
	}
	publish(t, filepath.Join(path, "shm0"), boundBytes(LayoutV2, StatusSynchronized))
	s, err := openPreferred(path, env)
	if err != nil || s.layout != &v2Layout {
		t.Error(err)
	}
}

// maps returns how many files under a directory are mapped.
func maps(t testing.TB, directory string) int {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), directory)
}

func TestReplacedFilesKeepFewMaps(t *testing.T) {
	path := directory(t, StatusSynchronized)
	native := filepath.Join(path, "native")
	bytes := segmentIn(t, LayoutNative, "dead")
	publish(t, native, bytes)
	client := open(t, path)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for n := 0; n < 10_000; n++ {
		publish(t, native, bytes)
		if !follows(t, client) {
			t.Fatal("not followed")
		}
		if n%1_000 == 999 {
			waitForFewMaps(t, path)
		}
	}
	now(t, client)
}

// waitForFewMaps waits until the client has had the garbage collector unmap retired segments. The
// test has switched off the collector's own cycles.
func waitForFewMaps(t testing.TB, path string) {
	waitUntil(t, "retired maps are unmapped", func() bool { return maps(t, path) <= 2*maxRetired })
}

func TestClosedClientsAreUnmapped(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	path := directory(t, StatusSynchronized)
	for n := 0; n < 1_000; n++ {
		client := open(t, path)
		now(t, client)
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
	}
	waitForFewMaps(t, path)
}

func TestUnreachableClientsAreUnmapped(t *testing.T) {
	path := directory(t, StatusSynchronized)
	for n := 0; n < 1_000; n++ {
		now(t, open(t, path))
	}
	waitUntil(t, "unreachable maps are unmapped", func() bool {
		runtime.GC()
		return maps(t, path) == 0
	})
}

func TestClosedClientReturnsErrClosed(t *testing.T) {
	client := open(t, directory(t, StatusSynchronized))
	for n := 0; n < 2; n++ {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
	_, now := client.Now()
	_, at := client.IntervalAt(0)
	_, atRealtime := client.IntervalAtRealtime(time.Now())
	_, record := client.Record()
	for _, err := range []error{now, at, atRealtime, record} {
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
}

func TestClientIsClosedWhileOthersReadAndFollow(t *testing.T) {
	path := directory(t, StatusSynchronized)
	native := filepath.Join(path, "native")
	bytes := older(segmentBytes(t, StatusSynchronized, halfNs), time.Second)
	for n := 0; n < 50; n++ {
		publish(t, native, bytes)
		client := open(t, path)
		publish(t, native, bytes)
		ends := make(chan error)
		for m := 0; m < 4; m++ {
			go func() {
				var err error
				for err == nil {
					_, err = client.Now()
				}
				ends <- err
			}()
		}
		now(t, client)
		_ = client.Close()
		for m := 0; m < 4; m++ {
			if err := <-ends; !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		}
	}
}
