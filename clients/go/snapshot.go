package clockbound

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"
)

// How often a reader begins again while a write is in progress: far longer than a write takes.
const attempts = 10_000

var errNothingWritten = fmt.Errorf("%w: nothing was written", ErrNotInitialized)

// words are a payload; the last ones of a shorter layout's stay zero.
type words [8]uint64

// known is a record that was checked, with the sequence that it was read under and the words that it was made from.
type known struct {
	sequence uint64
	words    words
	record   record
}

func (s *segment) word(offset int) uint64 {
	return atomic.LoadUint64((*uint64)(unsafe.Pointer(&s.bytes[offset])))
}

// sequence is even at rest, odd while a write is in progress, 0 before the first.
func (s *segment) sequence() uint64 {
	if s.layout.sequenceOffset == 64 {
		return s.word(64)
	}
	// Go knows no atomic 16 bits; the version beside them never changes.
	both := atomic.LoadUint32((*uint32)(unsafe.Pointer(&s.bytes[s.layout.sequenceOffset])))
	return uint64((*[2]uint16)(unsafe.Pointer(&both))[1])
}

// read is the record that was written last; while a write is cut short, or the file is cut off, the last one that was
// read here.
func (s *segment) read() (r record, err error) {
	// Daemons of other makes truncate files that are mapped: that must not end the process.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer s.cutOff(&r, &err)
	var payload words
	// The words are compared, too: a sequence of 16 bits comes round again.
	if last := s.last.Load(); last != nil && s.readOnce(last.sequence, &payload) && payload == last.words {
		return last.record, nil
	}
	return s.readAnew()
}

// readOnce tells whether the words are those that were written under the sequence before.
func (s *segment) readOnce(before uint64, payload *words) bool {
	if before%2 != 0 || s.sequence() != before {
		return false
	}
	// Go's atomic loads are in order, so that the second look at the sequence is the last of all.
	for i := 0; i < (int(s.layout.size)-s.layout.payloadOffset)/8; i++ {
		payload[i] = s.word(s.layout.payloadOffset + 8*i)
	}
	return s.sequence() == before
}

func (s *segment) readAnew() (record, error) {
	if stuck := s.stuck.Load(); stuck != 0 && stuck == s.sequence() && s.last.Load() != nil {
		return s.lastOr(nil)
	}
	var payload words
	for n := 0; n < attempts; n++ {
		before := s.sequence()
		if before == 0 {
			return s.lastOr(errNothingWritten)
		}
		if s.readOnce(before, &payload) {
			record, err := s.layout.decode(payload[:])
			if err == nil {
				s.last.Store(&known{sequence: before, words: payload, record: record})
			}
			return record, err
		}
		if n%100 == 99 {
			runtime.Gosched()
		}
	}
	s.stuck.Store(s.sequence() | 1)
	return s.lastOr(fmt.Errorf("%w: a write was cut short", ErrNotInitialized))
}

// lastOr is the record that was read last here, or the error if there is none.
func (s *segment) lastOr(err error) (record, error) {
	if last := s.last.Load(); last != nil {
		return last.record, nil
	}
	return nil, err
}

// cutOff, deferred, makes of a fault in the map what is known without it: the file is shorter by now.
func (s *segment) cutOff(r *record, err *error) {
	panicked := recover()
	if panicked == nil {
		return
	}
	first := uintptr(unsafe.Pointer(&s.bytes[0]))
	fault, ok := panicked.(interface{ Addr() uintptr })
	if !ok || fault.Addr() < first || fault.Addr()-first >= uintptr(len(s.bytes)) {
		panic(panicked)
	}
	*err = fmt.Errorf("%w: it was cut off while it was open", ErrMalformed)
	if r != nil {
		*r, *err = s.lastOr(*err)
	}
}
