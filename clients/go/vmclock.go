package clockbound

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// DefaultVMClock is the path of the VMClock device, with which the hypervisor reports disruptions.
const DefaultVMClock = "/dev/vmclock0"

// The page is little-endian: magic (u32), size (u32), version (u16), and at vmclockMarkerOffset the
// disruption marker (u64).
const (
	vmclockMagic        = 0x4b4c4356
	vmclockVersion      = 1
	vmclockMarkerOffset = 16
	// The size of the fields that every page of version 1 has.
	vmclockBytes = 104
)

// vmclock is the VMClock page at a path.
type vmclock struct {
	path string
	// page is that of the last attempt to open it.
	page atomic.Pointer[vmclockPage]
}

// vmclockPage is a mapped page, or the reason why it is not usable. It is unmapped by the garbage
// collector.
type vmclockPage struct {
	bytes []byte
	// isFile is set for a file, which can be truncated while it is mapped. A device cannot.
	isFile bool
	err    error
}

// openVMClock opens the page at path, DefaultVMClock if path is empty. A page that is not usable is
// an error only for a record that requires it.
func openVMClock(path string) *vmclock {
	if path == "" {
		path = DefaultVMClock
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	v := &vmclock{path: path}
	v.page.Store(openVMClockPage(path))
	return v
}

// reopen opens the page again if it is not usable. It is called by one goroutine at a time.
func (v *vmclock) reopen() {
	if v.page.Load().err != nil {
		v.page.Store(openVMClockPage(v.path))
	}
}

// marker returns the disruption marker of the page. It differs from that of a record if a
// disruption can have occurred since.
//
// The error is ErrVMClock if the page is not usable.
func (v *vmclock) marker() (uint64, error) { return v.page.Load().marker() }

func openVMClockPage(path string) *vmclockPage {
	p := &vmclockPage{}
	if err := p.open(path); err != nil {
		p.unmap()
		// The error does not wrap its cause, because the segment exists.
		return &vmclockPage{err: fmt.Errorf("%w: %s: %v", ErrVMClock, path, err)}
	}
	return p
}

func (p *vmclockPage) open(path string) (err error) {
	// O_NONBLOCK prevents a wait for the writer of a FIFO.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	// A device has no length. The length of a file is checked before it is mapped, because an access
	// beyond its end raises SIGBUS.
	p.isFile = info.Mode().IsRegular()
	if p.isFile && info.Size() < vmclockBytes {
		return fmt.Errorf("%d bytes are too short", info.Size())
	}
	// The device allows a map of one page only.
	p.bytes, err = syscall.Mmap(
		int(file.Fd()), 0, os.Getpagesize(), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	runtime.SetFinalizer(p, (*vmclockPage).unmap)
	return p.checkHeader()
}

func (p *vmclockPage) checkHeader() (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer p.recoverTruncation(&err)
	first, second := p.word(0), p.word(8)
	magic, size, version := uint32(first), first>>32, uint16(second)
	switch {
	case magic != vmclockMagic:
		return fmt.Errorf("the magic number is 0x%x", magic)
	case version != vmclockVersion:
		return fmt.Errorf("version %d is not supported", version)
	case size < vmclockBytes:
		return fmt.Errorf("a size of %d bytes is too short", size)
	}
	return nil
}

func (p *vmclockPage) marker() (marker uint64, err error) {
	if p.err != nil {
		return 0, p.err
	}
	if !p.isFile {
		marker = p.word(vmclockMarkerOffset)
		runtime.KeepAlive(p)
		return marker, nil
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer p.recoverTruncation(&err)
	return p.word(vmclockMarkerOffset), nil
}

// word reads 64 bits of the page atomically.
func (p *vmclockPage) word(offset int) uint64 {
	word := atomic.LoadUint64((*uint64)(unsafe.Pointer(&p.bytes[offset])))
	return binary.LittleEndian.Uint64(bytesOf(&word)[:])
}

// recoverTruncation, deferred, recovers from a fault in the map, and sets the error. It also keeps
// the page mapped until then.
func (p *vmclockPage) recoverTruncation(err *error) {
	if panicked := recover(); panicked != nil {
		panicUnlessFaultIn(p.bytes, panicked)
		*err = fmt.Errorf("%w: the page was truncated while it was open", ErrVMClock)
	}
}

// unmap is called by the garbage collector, or for a page that no other goroutine has seen. It does
// nothing for a page that is not mapped.
func (p *vmclockPage) unmap() {
	if p.bytes == nil {
		return
	}
	runtime.SetFinalizer(p, nil)
	// An address that was mapped is unmapped without an error.
	_ = syscall.Munmap(p.bytes)
}
