package clockbound

import "errors"

// What can go wrong, and what to do about it. Errors wrap one of these, or what the system said: use errors.Is.
var (
	// ErrNotInitialized: nothing was written yet, a write was cut short, or the segment is of an earlier boot.
	// Is the daemon running? Try again later.
	ErrNotInitialized = errors.New("the segment was not written yet; is clockbound running?")
	// ErrMalformed: this is no segment, or holds nonsense. Check the path.
	ErrMalformed = errors.New("this is no segment of clockbound, or holds nonsense")
	// ErrVersion: the segment is of a layout to come. Update this library.
	ErrVersion = errors.New("the segment is of a layout to come")
	// ErrCausality: the record is from the future of this process's clocks: another boot, or time namespace.
	ErrCausality = errors.New("the record is from the future: another boot, or time namespace")
	// ErrNotReady: no interval that can be relied on, or none that is narrow enough, came in time. It wraps what was
	// in the way last.
	ErrNotReady = errors.New("no interval that can be relied on came in time")
	// ErrUntrusted: the clock status is not one to rely on. The daemon's log has more.
	ErrUntrusted = errors.New("the clock status is not one to rely on")
	// ErrTooWide: the bound is wider than was asked for.
	ErrTooWide = errors.New("the bound is too wide")
	// ErrNotNative: only the native layout knows the time at other instants than now.
	ErrNotNative = errors.New("the segment is not of the native layout")
	// ErrTooLongAgo: the instant is too far before the record.
	ErrTooLongAgo = errors.New("the instant is too long ago")
)

// wrapped is an error of a kind, with its cause.
type wrapped struct {
	kind  error
	cause error
}

func (w wrapped) Error() string        { return w.kind.Error() + ": " + w.cause.Error() }
func (w wrapped) Is(target error) bool { return target == w.kind }
func (w wrapped) Unwrap() error        { return w.cause }
