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

// clockNs reads a clock, ns. It makes no system call where the vDSO can be called.
func clockNs(id clock) (int64, error) {
	if ns, ok := vdsoClockNs(id); ok {
		return ns, nil
	}
	return systemClockNs(id)
}

// systemClockNs reads a clock by a system call, ns.
func systemClockNs(id clock) (int64, error) {
	var time syscall.Timespec
	_, _, errno := syscall.RawSyscall(
		syscall.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&time)), 0)
	if errno != 0 {
		return 0, fmt.Errorf("failed to read clock %d: %w", id, errno)
	}
	return time.Nano(), nil
}
