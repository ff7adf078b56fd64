package clockbound

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// overwrite writes to a mapped file in place, as a daemon does.
func overwrite(t *testing.T, path string, at int64, bytes []byte) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(bytes, at); err != nil {
		t.Fatal(err)
	}
}

func TestTruncatedFileKeepsTheLastRecord(t *testing.T) {
	path := filepath.Join(directory(t, StatusSynchronized), "native")
	client := open(t, path)
	last := now(t, client)
	// An access to the map of an empty file faults. In the last page of a file, the bytes beyond
	// its end are zero.
	for _, size := range []int64{0, 10} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		interval := now(t, client)
		if interval.Status != last.Status || interval.LatestNs < last.LatestNs {
			t.Error(size, interval)
		}
	}
	overwrite(t, path, 0, segmentBytes(t, StatusFreeRunning, halfNs))
	if interval := now(t, client); interval.Status != StatusFreeRunning {
		t.Error("the restored file is not read:", interval)
	}
}

func TestFileTruncatedBeforeTheFirstReadIsMalformed(t *testing.T) {
	path := filepath.Join(directory(t, StatusSynchronized), "native")
	bytes := segmentBytes(t, StatusSynchronized, halfNs)
	bytes[120] = 9
	publish(t, path, bytes)
	client := open(t, path)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Now(); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func TestRecordWithARepeatedSequenceIsRead(t *testing.T) {
	path := filepath.Join(directory(t, StatusSynchronized), "native")
	client := open(t, path)
	now(t, client)
	overwrite(t, path, 120, []byte{byte(StatusFreeRunning)})
	if interval := now(t, client); interval.Status != StatusFreeRunning {
		t.Error(interval)
	}
}

func TestReadsDoNotWaitForAnUninitializedSegment(t *testing.T) {
	path := filepath.Join(directory(t, StatusSynchronized), "native")
	s, err := openPreferred(path, ownEnvironment(openVMClock("")))
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, path, 64, make([]byte, 8))
	if _, err := s.read(); err != nil || s.incompleteSequence.Load() != 0 {
		t.Error(err, s.incompleteSequence.Load())
	}
	var odd [8]byte
	binary.LittleEndian.PutUint64(odd[:], 3)
	overwrite(t, path, 64, odd[:])
	if _, err := s.read(); err != nil || s.incompleteSequence.Load() != 3 {
		t.Error(err, s.incompleteSequence.Load())
	}
}
