package clockbound

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// simulatedBytes returns a native segment of a program that simulates the daemon.
func simulatedBytes(t *testing.T) []byte {
	bytes := segmentBytes(t, StatusSynchronized, halfNs)
	bytes[187] = simulatedMark
	return bytes
}

func TestSimulatedRecordIsReadUnlessItIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "native")
	publish(t, path, simulatedBytes(t))
	client := open(t, path)
	if record, err := client.Record(); err != nil || !record.IsSimulated {
		t.Error(record, err)
	}
	if interval := now(t, client); !interval.Status.IsTrusted() {
		t.Error(interval)
	}
	for _, noFollow := range []bool{false, true} {
		options := Options{RefuseSimulated: true, NoFollow: noFollow}
		if _, err := OpenWith(path, options); !errors.Is(err, ErrSimulated) {
			t.Error(err)
		}
		_, err := OpenWhenReadyWith(path, time.Millisecond, 0, options)
		if !errors.Is(err, ErrNotReady) || !errors.Is(err, ErrSimulated) {
			t.Error(err)
		}
	}
}

func TestRecordThatBecomesSimulatedIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "native")
	publish(t, path, segmentBytes(t, StatusSynchronized, halfNs))
	client, err := OpenWith(path, Options{RefuseSimulated: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for sequence := int64(4); sequence < 12; sequence += 4 {
		if record, err := client.Record(); err != nil || record.IsSimulated {
			t.Error(record, err)
		}
		bytes := simulatedBytes(t)
		put(bytes, 64, sequence)
		overwrite(t, path, 0, bytes)
		for n := 0; n < 2; n++ {
			if _, err := client.Now(); !errors.Is(err, ErrSimulated) {
				t.Error(err)
			}
		}
		bytes[187] = 0
		put(bytes, 64, sequence+2)
		overwrite(t, path, 0, bytes)
		now(t, client)
	}
}
