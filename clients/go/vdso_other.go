//go:build !linux || !amd64 || !gc || clockbound_syscall

package clockbound

// vdsoClockNs returns false: a clock is read by a system call.
//
// On arm64 and most other architectures the vDSO cannot be called from outside the runtime. Without
// cgo, a signal handler that interrupts the vDSO takes g from a slot that only the runtime can set,
// and ends the process with "bad g in signal handler" if the slot is empty.
func vdsoClockNs(clock) (int64, bool) { return 0, false }
