package clockbound

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// overwrite changes a file that is mapped, as a daemon does.
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

func TestAFileThatIsCutOffUnderTheMapKeepsWhatIsKnown(t *testing.T) {
	path := filepath.Join(directory(t, Synchronized), "native")
	client := open(t, path)
	known := now(t, client)
	// Of a map of a file of no bytes nothing can be read; beyond its end, the page is zero.
	for _, size := range []int64{0, 10} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		if interval := now(t, client); interval.Status != known.Status || interval.LatestNs < known.LatestNs {
			t.Error(size, interval)
		}
	}
	overwrite(t, path, 0, segmentBytes(t, FreeRunning, halfNs))
	if interval := now(t, client); interval.Status != FreeRunning {
		t.Error("the file is whole again: ", interval)
	}
}

func TestAFileThatIsCutOffBeforeTheFirstReadIsAnError(t *testing.T) {
	path := filepath.Join(directory(t, Synchronized), "native")
	bytes := segmentBytes(t, Synchronized, halfNs)
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

func TestASequenceThatComesRoundAgainHidesNoRecord(t *testing.T) {
	path := filepath.Join(directory(t, Synchronized), "native")
	client := open(t, path)
	now(t, client)
	overwrite(t, path, 120, []byte{byte(FreeRunning)})
	if interval := now(t, client); interval.Status != FreeRunning {
		t.Error(interval)
	}
}

func TestASegmentThatIsNoLongerInitializedIsNotWaitedFor(t *testing.T) {
	path := filepath.Join(directory(t, Synchronized), "native")
	s, err := openBest(path)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, path, 64, make([]byte, 8))
	if _, err := s.read(); err != nil || s.stuck.Load() != 0 {
		t.Error(err, s.stuck.Load())
	}
	var odd [8]byte
	binary.LittleEndian.PutUint64(odd[:], 3)
	overwrite(t, path, 64, odd[:])
	if _, err := s.read(); err != nil || s.stuck.Load() != 3 {
		t.Error(err, s.stuck.Load())
	}
}
