package clockbound

import (
	"fmt"
	"syscall"
	"unsafe"
)

// clock is a number of clock_gettime(2).
type clock uintptr

const (
	clockRealtime        clock = 0
	clockMonotonicRaw    clock = 4
	clockMonotonicCoarse clock = 6
)

// clockNs asks the kernel: Go reads no other clocks than its own two without a system call.
func clockNs(id clock) (int64, error) {
	var time syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&time)), 0)
	if errno != 0 {
		return 0, fmt.Errorf("clock %d cannot be read: %w", id, errno)
	}
	return time.Nano(), nil
}
