package clockbound

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	// The magic numbers as 32-bit words of the machine.
	boundMagic0, boundMagic1 = 0x414D5A4E, 0x43420200
	nativeMagic              = "clkbound"
	headerBytes              = 16
	// How often, and how long each time, opening waits for a write in progress.
	openingWaits = 50
	openingWait  = 200 * time.Microsecond
)

// layout is where the parts of a segment are, and what they mean.
type layout struct {
	version         uint16
	size            uint32
	sequenceOffset  int
	payloadOffset   int
	clock           clock
	decode          func(words []uint64) (record, error)
	hasOwnNamespace bool
}

var (
	nativeLayout = layout{
		version: 1, size: 136, sequenceOffset: 64, payloadOffset: 72,
		clock: clockMonotonicRaw, decode: decodeNative, hasOwnNamespace: true,
	}
	v2Layout = layout{
		version: 2, size: 80, sequenceOffset: 12, payloadOffset: headerBytes,
		clock: clockMonotonicCoarse, decode: decodeV2,
	}
	v1Layout = layout{
		version: 1, size: 72, sequenceOffset: 12, payloadOffset: headerBytes,
		clock: clockMonotonicCoarse, decode: decodeV1,
	}
)

// fileID is which file it is, whatever its name.
type fileID struct{ device, inode uint64 }

func fileIDOf(info os.FileInfo) fileID {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{device: uint64(stat.Dev), inode: stat.Ino}
	}
	return fileID{}
}

// segment is a mapped file. It is never unmapped: another goroutine may be reading it.
type segment struct {
	layout *layout
	file   fileID
	bytes  []byte
	// aheadNs is how far the clocks of the segment's instants are ahead of this process's.
	aheadNs int64
	clockNs func(clock) (int64, error)
	// last is the record that was checked last: it is not read again, and stands in while a dead writer's is half
	// written.
	last atomic.Pointer[known]
	// stuck is the odd sequence that was waited for in vain; it is not waited for again.
	stuck atomic.Uint64
}

// openSegment opens and maps the file at path, of any layout, for a process that sees these surroundings.
func openSegment(path string, around surroundings) (*segment, error) {
	// Non-blocking, so that a FIFO does not hang; for a regular file it changes nothing.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	s, err := mapSegment(file, around)
	if err != nil {
		return nil, fmt.Errorf("segment %s: %w", path, err)
	}
	for n := 0; n < openingWaits; n++ {
		if _, err := s.read(); err == nil || s.stuck.Load() == 0 {
			break
		}
		s.stuck.Store(0)
		time.Sleep(openingWait)
	}
	return s, nil
}

func mapSegment(file *os.File, around surroundings) (*segment, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", ErrMalformed)
	}
	// The lengths are checked before anything is mapped: memory beyond a file's end kills who touches it.
	var header [headerBytes]byte
	if _, err := file.ReadAt(header[:], 0); err != nil {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrMalformed, info.Size())
	}
	layout, size, err := layoutOf(&header)
	if err != nil {
		return nil, err
	}
	// Looked up again: a writer may have made it longer before it wrote the header.
	if info, err = file.Stat(); err != nil {
		return nil, err
	}
	if info.Size() < int64(size) {
		return nil, fmt.Errorf("%w: %d bytes are too few for a segment of %d", ErrMalformed, info.Size(), size)
	}
	bytes, err := syscall.Mmap(int(file.Fd()), 0, int(layout.size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	s := &segment{layout: layout, file: fileIDOf(info), bytes: bytes, clockNs: around.clockNs}
	if err := s.identify(around); err != nil {
		_ = syscall.Munmap(bytes)
		return nil, err
	}
	return s, nil
}

// identify tells whether the segment is of this boot, and how far its clocks are ahead.
func (s *segment) identify(around surroundings) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer s.cutOff(nil, &err)
	if s.sequence() == 0 {
		return errNothingWritten
	}
	if !s.layout.hasOwnNamespace {
		// v1 and v2 do not say which time namespace their instants are of: the initial one, where daemons live.
		s.aheadNs = -around.namespaceOffsetNs
		return nil
	}
	s.aheadNs = sub(int64(s.word(32)), around.namespaceOffsetNs)
	return s.checkBoot(around)
}

// layoutOf tells the layout by a header, and the size that it declares.
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
		return nil, 0, fmt.Errorf("%w: the magic number is another's", ErrMalformed)
	}
	if words[2] < found.size {
		return nil, 0, fmt.Errorf("%w: a size of %d bytes is not the layout's", ErrMalformed, words[2])
	}
	return found, words[2], nil
}

func (s *segment) checkBoot(around surroundings) error {
	var written [16]byte
	first, second := s.word(16), s.word(24)
	copy(written[:8], bytesOf(&first)[:])
	copy(written[8:], bytesOf(&second)[:])
	if around.bootID != [16]byte{} && around.bootID != written {
		return fmt.Errorf("%w: it is of an earlier boot", ErrNotInitialized)
	}
	return nil
}

// reading is an interval, when it was made, and how old the record was, on the layout's clock.
type reading struct {
	interval Interval
	atNs     int64
	ageNs    int64
}

func (s *segment) now() (reading, error) {
	record, err := s.read()
	if err != nil {
		return reading{}, err
	}
	var realtimeNs int64
	if s.layout.clock == clockMonotonicCoarse {
		// Read first: time that passes between the two readings only widens the interval.
		if realtimeNs, err = s.clockNs(clockRealtime); err != nil {
			return reading{}, err
		}
	}
	atNs, err := s.clockNs(s.layout.clock)
	if err != nil {
		return reading{}, err
	}
	atNs = add(atNs, s.aheadNs)
	age := sub(atNs, record.asOf())
	if age < -blurNs {
		return reading{}, fmt.Errorf("%w, by %d ns", ErrCausality, -age)
	}
	return reading{interval: record.at(atNs, realtimeNs), atNs: atNs, ageNs: age}, nil
}

// intervalAt is the interval at another instant, CLOCK_MONOTONIC_RAW of this process in ns.
func (s *segment) intervalAt(rawNs int64) (Interval, error) {
	r, err := s.read()
	if err != nil {
		return Interval{}, err
	}
	native, ok := r.(*nativeRecord)
	if !ok {
		return Interval{}, ErrNotNative
	}
	rawNs = add(rawNs, s.aheadNs)
	before := sub(native.asOfNs, rawNs)
	// As long as the record lasts forwards, it lasts backwards.
	if before > sub(native.voidAfterNs, native.asOfNs) {
		return Interval{}, fmt.Errorf("%w, by %d ns", ErrTooLongAgo, before)
	}
	return native.at(rawNs, 0), nil
}
