//go:build gc && !clockbound_syscall

package clockbound

import (
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const (
	// auxvVDSO is AT_SYSINFO_EHDR, the type of the auxv entry with the address of the vDSO.
	auxvVDSO = 33
	// vdsoMaxBytes is more than the size of any vDSO.
	vdsoMaxBytes = 1 << 20
	vdsoFunction = "__vdso_clock_gettime"
)

// vdso is the address of clock_gettime in the vDSO, 0 if it is not usable. The first read of a
// clock looks for it.
var vdso struct {
	once     sync.Once
	function uintptr
}

// vdsoStack is a stack for the vDSO, which uses the room below time. The stack of a goroutine can
// be too small for C, and a larger one in every goroutine that reads a clock would cost much more
// memory.
type vdsoStack struct {
	room   [16 << 10]byte
	time   syscall.Timespec
	isBusy atomic.Bool
}

// vdsoStacks are more than the threads that usually run at a time. A sync.Pool would allocate.
var vdsoStacks [64]vdsoStack

// callVDSO calls the C function clock_gettime at an address on the stack below time. It returns 0
// or a negative errno.
//
// The runtime stays correct meanwhile. It does not preempt a goroutine in assembly or outside Go,
// so that no stack is scanned or moved. Signal handlers run on a stack of their own, and take g
// from thread-local storage. A CPU profile does not unwind outside Go, and counts the time as
// runtime._VDSO. The one known defect: if SIGQUIT ends the process while its thread is here, the
// traceback of Go 1.27 stops early with SIGSEGV, because SP is outside the stack of the goroutine.
//
//go:noescape
func callVDSO(function uintptr, id clock, time *syscall.Timespec) int32

// vdsoClockNs reads a clock without a system call, ns. It returns false if it cannot.
func vdsoClockNs(id clock) (int64, bool) {
	vdso.once.Do(findVDSO)
	if vdso.function == 0 {
		return 0, false
	}
	return readVDSO(vdso.function, id)
}

// readVDSO reads a clock by a function of the vDSO, ns. It returns false if it cannot.
func readVDSO(function uintptr, id clock) (ns int64, ok bool) {
	// A goroutine usually takes the same stack again, and another goroutine another one.
	var here byte
	first := uint64(uintptr(unsafe.Pointer(&here))>>11) * 0x9e3779b97f4a7c15 >> 32
	for n := range vdsoStacks {
		stack := &vdsoStacks[(first+uint64(n))%uint64(len(vdsoStacks))]
		if stack.isBusy.CompareAndSwap(false, true) {
			ok = callVDSO(function, id, &stack.time) == 0
			ns = stack.time.Nano()
			stack.isBusy.Store(false)
			return ns, ok
		}
	}
	return 0, false
}

// findVDSO sets vdso.function, unless there is no vDSO or anything about it is unexpected.
func findVDSO() {
	auxv, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		return
	}
	// A wrong address in the vDSO is an error of a read of this file, and not a fault.
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		return
	}
	defer memory.Close()
	base := vdsoBase(auxv)
	offset := clockGettimeOffset(io.NewSectionReader(memory, int64(base), vdsoMaxBytes))
	if base == 0 || offset == 0 || !isMonotonicRaw(base+offset) {
		return
	}
	vdso.function = base + offset
}

// vdsoBase returns the address of the vDSO, 0 if there is none.
func vdsoBase(auxv []byte) uintptr {
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		if binary.LittleEndian.Uint64(auxv) == auxvVDSO {
			return uintptr(binary.LittleEndian.Uint64(auxv[8:]))
		}
	}
	return 0
}

// clockGettimeOffset returns the offset of clock_gettime in the image of a vDSO, 0 if the image is
// not as expected. It ignores the version of the symbol, of which there is only one.
func clockGettimeOffset(image io.ReaderAt) uintptr {
	file, err := elf.NewFile(image)
	if err != nil || file.Machine != elf.EM_X86_64 {
		return 0
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0
	}
	for _, symbol := range symbols {
		if symbol.Name != vdsoFunction || elf.ST_TYPE(symbol.Info) != elf.STT_FUNC {
			continue
		}
		for _, segment := range file.Progs {
			offset := symbol.Value - segment.Vaddr
			if segment.Type == elf.PT_LOAD && segment.Flags&elf.PF_X != 0 &&
				offset < segment.Filesz {
				return uintptr(segment.Off + offset)
			}
		}
	}
	return 0
}

// isMonotonicRaw returns whether the function agrees with the system call on CLOCK_MONOTONIC_RAW.
func isMonotonicRaw(function uintptr) bool {
	before, errBefore := systemClockNs(clockMonotonicRaw)
	now, ok := readVDSO(function, clockMonotonicRaw)
	after, errAfter := systemClockNs(clockMonotonicRaw)
	return errBefore == nil && errAfter == nil && ok && before <= now && now <= after
}
