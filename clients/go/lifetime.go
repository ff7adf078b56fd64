package clockbound

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// The number of retired segments that are still mapped, from which the garbage collector is run.
const maxRetired = 16

// The pause between two runs of the garbage collector.
const collectionPause = 10 * time.Millisecond

var (
	// How many segments were retired, and how many of them were unmapped.
	retired, unmapped atomic.Int64
	// Set while the garbage collector is run for them.
	isCollecting atomic.Bool
)

// retire is called when no client refers to the segment any more. Other goroutines can be reading
// it, so it is unmapped after the garbage collector has found that it is unreachable. Where the
// collector runs rarely, it is run when many segments wait.
func (s *segment) retire() {
	s.isRetired.Store(true)
	retired.Add(1)
	if areManyRetired() && isCollecting.CompareAndSwap(false, true) {
		go collect()
	}
}

func areManyRetired() bool { return retired.Load()-unmapped.Load() >= maxRetired }

// collect runs the garbage collector until few segments wait. What it finds is unmapped during the
// pause. The pause grows while nothing is unmapped, which occurs when another finalizer of the
// program blocks.
func collect() {
	defer isCollecting.Store(false)
	for pause := collectionPause; areManyRetired(); {
		before := unmapped.Load()
		runtime.GC()
		time.Sleep(pause)
		if pause *= 2; unmapped.Load() != before {
			pause = collectionPause
		}
	}
}

// unmap is called by the garbage collector, or for a segment that no other goroutine has seen. It
// does nothing for a segment that is nil.
func (s *segment) unmap() {
	if s == nil {
		return
	}
	runtime.SetFinalizer(s, nil)
	// An address that was mapped is unmapped without an error.
	_ = syscall.Munmap(s.bytes)
	if s.isRetired.Load() {
		unmapped.Add(1)
	}
}
