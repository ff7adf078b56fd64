package clockbound

import (
	"fmt"
	"syscall"
	"unsafe"
)

// clock is a clock id of clock_gettime(2).
type clock uintptr

const (
	clockRealtime        clock = 0
	clockMonotonicRaw    clock = 4
	clockMonotonicCoarse clock = 6
)

// clockNs reads a clock by a system call, ns. The runtime of Go reads only two clocks without one,
// CLOCK_REALTIME and CLOCK_MONOTONIC.
func clockNs(id clock) (int64, error) {
	var time syscall.Timespec
	_, _, errno := syscall.RawSyscall(
		syscall.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&time)), 0)
	if errno != 0 {
		return 0, fmt.Errorf("failed to read clock %d: %w", id, errno)
	}
	return time.Nano(), nil
}
