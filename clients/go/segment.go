package clockbound

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	// The magic number of v1 and v2, as 32-bit words in the byte order of the machine.
	boundMagic0, boundMagic1 = 0x414D5A4E, 0x43420200
	nativeMagic              = "clkbound"
	headerBytes              = 16
	// The length of the map. A file of revision 0 is shorter than the payload. The bytes between
	// its end and the end of the page read as zero.
	mapBytes = 4096
	// The number and the duration of the waits for a write in progress during opening.
	openingWaits = 50
	openingWait  = 200 * time.Microsecond
)

// layout describes a segment: the offsets of its parts, its monotonic clock and its decoder.
type layout struct {
	version        uint16
	size           uint32
	sequenceOffset int
	payloadOffset  int
	// The number of words of the payload, and of those that every read compares. The others change
	// only with the sequence.
	words, hotWords int
	clock           clock
	decode          func(*validRecord) error
	hasOwnNamespace bool
}

var (
	nativeLayout = layout{
		version: 1, size: 136, sequenceOffset: 64, payloadOffset: 72, words: 15, hotWords: 7,
		clock: clockMonotonicRaw, decode: decodeNative, hasOwnNamespace: true,
	}
	v2Layout = layout{
		version: 2, size: 80, sequenceOffset: 12, payloadOffset: headerBytes, words: 8, hotWords: 8,
		clock: clockMonotonicCoarse, decode: decodeV2,
	}
	v1Layout = layout{
		version: 1, size: 72, sequenceOffset: 12, payloadOffset: headerBytes, words: 7, hotWords: 7,
		clock: clockMonotonicCoarse, decode: decodeV1,
	}
)

// fileID is the identity of a file, independent of its name.
type fileID struct{ device, inode uint64 }

func fileIDOf(info os.FileInfo) fileID {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{device: uint64(stat.Dev), inode: stat.Ino}
	}
	return fileID{}
}

// segment is a mapped file. It is unmapped when no goroutine can read it any more.
type segment struct {
	layout *layout
	file   fileID
	// order is the place of the file name in the order of preference.
	order int
	bytes []byte
	// aheadNs is the offset of the monotonic clocks of the writer from those of this process, ns.
	aheadNs int64
	clockNs func(clock) (int64, error)
	// vmclock is shared by the segments of a client.
	vmclock *vmclock
	// refuseSimulated is whether a record that a program simulates is an error.
	refuseSimulated bool
	// last is the record that was validated last. It is not decoded again while its words are
	// unchanged, and is used while a write is incomplete.
	last atomic.Pointer[validRecord]
	// incompleteSequence is the odd sequence of a write that did not complete during an earlier
	// wait. Reads do not wait for it again.
	incompleteSequence atomic.Uint64
	// isRetired is set when no client refers to the segment any more.
	isRetired atomic.Bool
}

// openSegment opens and maps the segment of any layout at path, for a process in this environment.
func openSegment(path string, env environment) (*segment, error) {
	// O_NONBLOCK prevents a wait for the writer of a FIFO. It has no effect on a regular file.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	s, err := mapSegment(file, env)
	if err != nil {
		return nil, fmt.Errorf("segment %s: %w", path, err)
	}
	return s, nil
}

// waitForWrite waits while a write is in progress, for 10 ms at most.
func (s *segment) waitForWrite() {
	for n := 0; n < openingWaits; n++ {
		if _, err := s.read(); err == nil || s.incompleteSequence.Load() == 0 {
			return
		}
		s.incompleteSequence.Store(0)
		time.Sleep(openingWait)
	}
}

func mapSegment(file *os.File, env environment) (*segment, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", ErrMalformed)
	}
	// The lengths are checked before the file is mapped, because an access beyond its end raises
	// SIGBUS.
	var header [headerBytes]byte
	if _, err := file.ReadAt(header[:], 0); err != nil {
		return nil, fmt.Errorf("%w: %d bytes are too short for a header", ErrMalformed, info.Size())
	}
	layout, size, err := layoutOf(&header)
	if err != nil {
		return nil, err
	}
	// The size is read again, because a writer extends the file before it writes the header.
	if info, err = file.Stat(); err != nil {
		return nil, err
	}
	if info.Size() < int64(size) {
		return nil, fmt.Errorf("%w: %d bytes are too short for a segment of %d",
			ErrMalformed, info.Size(), size)
	}
	bytes, err := syscall.Mmap(
		int(file.Fd()), 0, mapBytes, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	s := &segment{
		layout: layout, file: fileIDOf(info), bytes: bytes, clockNs: env.clockNs, vmclock: env.vmclock,
		refuseSimulated: env.refuseSimulated,
	}
	runtime.SetFinalizer(s, (*segment).unmap)
	if err := s.identify(env); err != nil {
		s.unmap()
		return nil, err
	}
	return s, nil
}

// identify sets the offset of the monotonic clocks. It returns an error if the segment is not
// initialized or from an earlier boot.
func (s *segment) identify(env environment) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer s.recoverTruncation(nil, &err)
	if s.sequence() == 0 {
		return errNotWritten
	}
	if !s.layout.hasOwnNamespace {
		// v1 and v2 do not contain the time namespace of the writer. The daemon runs in the initial
		// one.
		s.aheadNs = -env.namespaceOffsetNs
		return nil
	}
	if env.namespaceErr != nil {
		return env.namespaceErr
	}
	s.aheadNs = sub(int64(s.word(32)), env.namespaceOffsetNs)
	return s.checkBoot(env)
}

// layoutOf returns the layout of a header, and the size that the header declares.
func layoutOf(header *[headerBytes]byte) (*layout, uint32, error) {
	words := (*[4]uint32)(unsafe.Pointer(header))
	version := (*[8]uint16)(unsafe.Pointer(header))[6]
	var found *layout
	switch {
	case string(header[:8]) == nativeMagic && version == nativeLayout.version:
		found = &nativeLayout
	case words[0] == boundMagic0 && words[1] == boundMagic1 && version == v2Layout.version:
		found = &v2Layout
	case words[0] == boundMagic0 && words[1] == boundMagic1 && version == v1Layout.version:
		found = &v1Layout
	case string(header[:8]) == nativeMagic || (words[0] == boundMagic0 && words[1] == boundMagic1):
		return nil, 0, fmt.Errorf("%w: version %d", ErrVersion, version)
	default:
		return nil, 0, fmt.Errorf("%w: the magic number is unknown", ErrMalformed)
	}
	if words[2] < found.size {
		return nil, 0, fmt.Errorf("%w: a size of %d bytes is less than that of the layout",
			ErrMalformed, words[2])
	}
	return found, words[2], nil
}

func (s *segment) checkBoot(env environment) error {
	var written [16]byte
	first, second := s.word(16), s.word(24)
	copy(written[:8], bytesOf(&first)[:])
	copy(written[8:], bytesOf(&second)[:])
	if env.bootID != [16]byte{} && env.bootID != written {
		return fmt.Errorf("%w: it is from an earlier boot", ErrNotInitialized)
	}
	return nil
}
