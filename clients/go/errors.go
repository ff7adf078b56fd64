package clockbound

import (
	"errors"
	"fmt"
)

// Errors wrap one of these, or the error of a system call. Use errors.Is.
var (
	// ErrNotInitialized: the segment is not initialized, its first write is incomplete, or it is
	// from an earlier boot. Try again later.
	ErrNotInitialized = errors.New("the segment is not initialized; is clockbound running?")
	// ErrMalformed: the file is not a segment, or its content is invalid. Check the path.
	ErrMalformed = errors.New("the file is not a segment of clockbound, or is invalid")
	// ErrVersion: the layout version of the segment is not supported. Update this library.
	ErrVersion = errors.New("the layout version of the segment is not supported")
	// ErrCausality: the record is ahead of the monotonic clock of this process. It is from another
	// boot or another time namespace.
	ErrCausality = errors.New(
		"the record is ahead of the monotonic clock: it is from another boot or time namespace")
	// ErrNotReady: no trusted interval, or none that is narrow enough, was published before the
	// timeout. It wraps the error of the last attempt.
	ErrNotReady = errors.New("no trusted interval within the timeout")
	// ErrUntrusted: the clock status is not trusted. The daemon's log contains the cause.
	ErrUntrusted = errors.New("the clock status is not trusted")
	// ErrTooWide: the clock error bound exceeds the requested maximum.
	ErrTooWide = errors.New("the clock error bound exceeds the maximum")
	// ErrNotKnown: the record gives no interval of this instant. It is too long ago, in the future,
	// or before a disturbance of the clock.
	ErrNotKnown = errors.New("no interval of this instant is known")
	// ErrNotNative: only the native layout has intervals at other instants than the present. It is
	// an ErrNotKnown.
	ErrNotNative = fmt.Errorf("%w: the segment is not of the native layout", ErrNotKnown)
	// ErrVMClock: the record holds only while the VMClock page has its marker, and the page is not
	// usable. Permit this process to read the device, or set Options.VMClock.
	ErrVMClock = errors.New("the VMClock page, which the record requires, is not usable")
	// ErrSimulated: a program wrote the record for a test, so the interval says nothing about the
	// clock, and Options.RefuseSimulated is set.
	ErrSimulated = errors.New("the record is simulated: a program wrote it for a test")
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("the client is closed")
)

// wrapped is an error kind with its cause.
type wrapped struct {
	kind  error
	cause error
}

func (w wrapped) Error() string        { return w.kind.Error() + ": " + w.cause.Error() }
func (w wrapped) Is(target error) bool { return target == w.kind }
func (w wrapped) Unwrap() error        { return w.cause }
