package clockbound

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"
)

// The number of attempts to read while a write is in progress. They take much longer than a write.
const maxAttempts = 10_000

var errNotWritten = fmt.Errorf("%w: it was not written yet", ErrNotInitialized)

// words are a payload. The last words of a shorter layout are zero.
type words [15]uint64

// validRecord is a validated record, with the sequence and the words from which it was decoded. The
// record is one of the two in it, so that all are one allocation.
type validRecord struct {
	sequence uint64
	words    words
	native   nativeRecord
	bound    boundRecord
	record   record
}

// word reads 64 bits of the segment atomically.
func (s *segment) word(offset int) uint64 {
	return atomic.LoadUint64((*uint64)(unsafe.Pointer(&s.bytes[offset])))
}

// sequence returns the sequence: 0 before the first write, odd while a write is in progress,
// otherwise even.
func (s *segment) sequence() uint64 {
	if s.layout.sequenceOffset == 64 {
		return s.word(64)
	}
	// Go has no atomic load of 16 bits. The version in the other half of the word is constant.
	both := atomic.LoadUint32((*uint32)(unsafe.Pointer(&s.bytes[s.layout.sequenceOffset])))
	return uint64((*[2]uint16)(unsafe.Pointer(&both))[1])
}

// read returns the record that was written last. While a write is incomplete or the file is
// truncated, it returns the record that it read last.
//
// All accesses to the map are in read and in identify. Their deferred calls refer to the segment,
// so it is not unmapped meanwhile.
func (s *segment) read() (r record, err error) {
	// Other daemons truncate mapped files. The fault must not end the process.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer s.recoverTruncation(&r, &err)
	if last := s.last.Load(); last != nil && s.isUnchanged(last) {
		return last.record, nil
	}
	return s.readAndDecode()
}

// isUnchanged returns whether the segment contains this record. The words are compared as well,
// because a sequence of 16 bits wraps around.
func (s *segment) isUnchanged(record *validRecord) bool {
	if s.sequence() != record.sequence {
		return false
	}
	for i, word := range record.words[:s.layout.hotWords] {
		if s.word(s.layout.payloadOffset+8*i) != word {
			return false
		}
	}
	return s.sequence() == record.sequence
}

// readOnce reads the payload once. It returns whether the sequence equals before, is even, and did
// not change during the read.
func (s *segment) readOnce(before uint64, payload *words) bool {
	if before%2 != 0 || s.sequence() != before {
		return false
	}
	// Atomic loads of Go are sequentially consistent, so the sequence is loaded after the payload.
	for i := range payload[:s.layout.words] {
		payload[i] = s.word(s.layout.payloadOffset + 8*i)
	}
	return s.sequence() == before
}

// readAndDecode reads a consistent payload and decodes it.
func (s *segment) readAndDecode() (record, error) {
	incomplete := s.incompleteSequence.Load()
	if incomplete != 0 && incomplete == s.sequence() && s.last.Load() != nil {
		return s.lastOr(nil)
	}
	valid := &validRecord{}
	for n := 0; n < maxAttempts; n++ {
		before := s.sequence()
		if before == 0 {
			return s.lastOr(errNotWritten)
		}
		if s.readOnce(before, &valid.words) {
			if err := s.layout.decode(valid); err != nil {
				return nil, err
			}
			// It is not kept, so that no later read finds it.
			if s.refuseSimulated && valid.record.isSimulated() {
				return nil, ErrSimulated
			}
			valid.sequence = before
			s.last.Store(valid)
			return valid.record, nil
		}
		if n%100 == 99 {
			runtime.Gosched()
		}
	}
	s.incompleteSequence.Store(s.sequence() | 1)
	return s.lastOr(fmt.Errorf("%w: a write is incomplete", ErrNotInitialized))
}

// lastOr returns the record that was read last, or the error if there is none.
func (s *segment) lastOr(err error) (record, error) {
	if last := s.last.Load(); last != nil {
		return last.record, nil
	}
	return nil, err
}

// recoverTruncation, deferred, recovers from a fault in the map, which occurs after the file was
// truncated. It sets the record that was read last, or an error.
func (s *segment) recoverTruncation(r *record, err *error) {
	panicked := recover()
	if panicked == nil {
		return
	}
	panicUnlessFaultIn(s.bytes, panicked)
	*err = fmt.Errorf("%w: it was truncated while it was open", ErrMalformed)
	if r != nil {
		*r, *err = s.lastOr(*err)
	}
}

// panicUnlessFaultIn panics again unless the recovered value is a fault at an address in bytes.
func panicUnlessFaultIn(bytes []byte, panicked any) {
	first := uintptr(unsafe.Pointer(&bytes[0]))
	fault, ok := panicked.(interface{ Addr() uintptr })
	if !ok || fault.Addr() < first || fault.Addr()-first >= uintptr(len(bytes)) {
		panic(panicked)
	}
}
