// Package clockbound reads an interval that contains true time from clockbound's shared memory. By
// default a client is neither async-signal-safe nor usable under a seccomp filter that forbids
// opening files: it looks for another file when the record is late. Options.NoFollow excludes that.
//
// One Client is enough for all goroutines of a process. It works while the daemon is stopped,
// restarted or killed: the interval grows meanwhile, and its status changes to StatusFreeRunning
// and then to StatusUnknown. Use an interval only while its status is trusted (Status.IsTrusted).
package clockbound

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultDirectory is the directory in which the daemon publishes by default.
const DefaultDirectory = "/var/run/clockbound"

const (
	// The minimum time between two checks of the path.
	pathCheckInterval = 50 * time.Millisecond
	// The time between two attempts while a program waits for the daemon.
	retryInterval = 5 * time.Millisecond
	// The time by which a sleep can overrun. CommitWait yields in a loop for this long instead.
	sleepSlack = 200 * time.Microsecond
	// The longest sleep of CommitWait. It reads the interval after each.
	longestSleep = 100 * time.Millisecond
)

// Client is a handle to the daemon's segment. It is safe for concurrent use.
//
// When the record is late, a call checks whether another file is at the path, and reads that file
// from then on. At most one goroutine checks the path at a time, and at most twenty times a second.
// A record is late when it is older than two publication intervals of the daemon and 50 ms, or
// 4.05 s if the layout has no publication interval, and when the daemon has retired the segment.
// After an error of a read, the call does the same, and opens the VMClock page again if it was not
// usable. The daemon publishes more often while it works. A call then makes no system call on
// amd64, and only that which reads the clock on other architectures.
type Client struct {
	vmclock         *vmclock
	refuseSimulated bool
	// path is absolute. It is empty if the client does not check it.
	path string
	// segment is nil after Close.
	segment atomic.Pointer[segment]
	// checking is held during a check of the path.
	checking sync.Mutex
	// The time of the last check of the path since loaded, ns. 0 if there was none.
	pathCheckedNs atomic.Int64
}

// The time at which the program loaded the library.
var loaded = time.Now()

// Options are the options of OpenWith.
type Options struct {
	// NoFollow makes a client that reads one file for ever: it never looks at the path after it was
	// opened, although the file is deleted or replaced. Its only system call, if any, is
	// clock_gettime, so it works in a process whose seccomp filter permits that. It takes no lock.
	// It allocates memory only in the first call after each write of the daemon, once.
	NoFollow bool
	// VMClock is the path of the VMClock device: DefaultVMClock if it is empty. If it exists, it is
	// mapped when the segment is opened. It is read only for a record that requires it, after the
	// clock. An interval has StatusDisrupted if a disruption occurred that the daemon has not
	// published yet.
	VMClock string
	// RefuseSimulated makes a record that a program wrote for a test an error, ErrSimulated.
	// Programs that simulate the daemon mark their records. In a directory, such a segment is
	// skipped if there is another one.
	RefuseSimulated bool
}

// Open opens the segment at path. If path is a directory, Open opens one of native, shm0 (v2) and
// shm (v1) in it: the first in this order with a record younger than 5 s and a trusted status, or
// else the first with such a record, or else the first with a trusted status, or else the first.
// Otherwise Open opens a segment of any layout. A relative path is made absolute.
//
// The error is that of the first file that exists. It wraps that of the system call (os.ErrNotExist
// if no segment exists), ErrNotInitialized, ErrMalformed or ErrVersion. It is ErrVMClock if the
// record of the segment requires the VMClock page, and the page is not usable, and ErrSimulated if
// it is simulated and Options.RefuseSimulated is set.
func Open(path string) (*Client, error) { return OpenWith(path, Options{}) }

// OpenWith is like Open, with options.
func OpenWith(path string, options Options) (*Client, error) {
	if path == "" {
		return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	c := &Client{
		vmclock: openVMClock(options.VMClock), refuseSimulated: options.RefuseSimulated,
	}
	s, err := openPreferred(path, c.environment())
	if err != nil {
		c.vmclock.page.Load().unmap()
		return nil, err
	}
	if !options.NoFollow {
		c.path = path
	}
	c.segment.Store(s)
	return c, nil
}

// environment returns that of this process.
func (c *Client) environment() environment {
	env := ownEnvironment(c.vmclock)
	env.refuseSimulated = c.refuseSimulated
	return env
}

// OpenWhenReady waits until the daemon publishes a trusted interval with a clock error bound of at
// most maxBound (0: any), and opens the segment. The path is as for Open.
//
// The error after timeout is ErrNotReady, and wraps the error of the last attempt.
func OpenWhenReady(path string, timeout, maxBound time.Duration) (*Client, error) {
	return OpenWhenReadyWith(path, timeout, maxBound, Options{})
}

// OpenWhenReadyWith is like OpenWhenReady, with options.
func OpenWhenReadyWith(
	path string, timeout, maxBound time.Duration, options Options,
) (*Client, error) {
	for begun := time.Now(); ; {
		c, err := OpenWith(path, options)
		if err == nil {
			s := c.segment.Load()
			if err = s.checkReady(maxBound); err == nil {
				return c, nil
			}
			s.unmap()
			c.vmclock.page.Load().unmap()
		}
		left := timeout - time.Since(begun)
		if left <= 0 {
			return nil, wrapped{kind: ErrNotReady, cause: err}
		}
		if left > retryInterval {
			left = retryInterval
		}
		time.Sleep(left)
	}
}

func (s *segment) checkReady(maxBound time.Duration) error {
	now, _, err := s.now()
	if err != nil {
		return err
	}
	if maxBound > 0 && now.Status.IsTrusted() && now.Bound() > maxBound {
		return fmt.Errorf("%w: %v > %v", ErrTooWide, now.Bound(), maxBound)
	}
	return checkTrusted(now)
}

func checkTrusted(interval Interval) error {
	if interval.Status.IsTrusted() {
		return nil
	}
	return fmt.Errorf("%w: %v, %v", ErrUntrusted, interval.Status, interval.Reason)
}

// Close ends the use of the segment. Calls afterwards return ErrClosed. The file is unmapped by the
// garbage collector, because another goroutine can be reading it. A client that is not closed is
// closed by the garbage collector. Close always returns nil.
func (c *Client) Close() error {
	if s := c.segment.Swap(nil); s != nil {
		s.retire()
	}
	return nil
}

// Now returns the interval at the present. It contains true time while its status is trusted. The
// status is StatusDisrupted if the record requires the VMClock page, and the page has another
// marker. Now takes no lock, and allocates only in the first call after the daemon has written and
// when it checks the path.
//
// The error is ErrNotInitialized or ErrMalformed if the content of the segment is invalid,
// ErrCausality if the record is ahead of the monotonic clock, ErrVMClock if the record requires the
// VMClock page and the page is not usable, ErrSimulated if it is simulated and that is refused,
// ErrClosed, or that of clock_gettime.
func (c *Client) Now() (Interval, error) { return follow(c, (*segment).now) }

// IntervalAt returns the interval at the instant at which CLOCK_MONOTONIC_RAW in this process reads
// monotonicRawNs. The instant can be in the past or in the future.
//
// The error is ErrNotNative if the segment is not of the native layout, ErrNotKnown if the record
// gives no interval of the instant, or one of a read as for Now. The record gives none of an
// instant before Record.ValidSinceNs, and none of an instant that is further before the record than
// the record is valid after it.
func (c *Client) IntervalAt(monotonicRawNs int64) (Interval, error) {
	return follow(c, func(s *segment) (Interval, bool, error) {
		return s.intervalAt(monotonicRawNs)
	})
}

// IntervalAtRealtime returns the interval of the instant at which CLOCK_REALTIME read t. Such a
// stamp is a reading of time.Now, what the kernel gave a packet (SO_TIMESTAMPING), or the time of a
// line in a log. The status and the reason are those at the present.
//
// The premise is that CLOCK_REALTIME was not slewed away and back between the record and the
// present. A change that remains is an error, because the clock is compared with the record.
//
// The error is ErrNotNative if the segment is not of the native layout, or one of a read as for
// Now. It is ErrNotKnown if t is in the future, if CLOCK_REALTIME was set or slewed since t or
// since the record, or if the record gives no interval of the instant as for IntervalAt.
func (c *Client) IntervalAtRealtime(t time.Time) (Interval, error) {
	return c.IntervalAtRealtimeNs(unixNs(t))
}

// IntervalAtRealtimeNs is like IntervalAtRealtime, for a stamp in ns since 1970.
func (c *Client) IntervalAtRealtimeNs(stampNs int64) (Interval, error) {
	return follow(c, func(s *segment) (Interval, bool, error) {
		return s.intervalAtRealtime(stampNs)
	})
}

// Record contains the details of the record in the segment.
type Record struct {
	// Layout is the layout of the segment.
	Layout Layout
	// AsOfNs is the instant at which the record holds, ns of CLOCK_MONOTONIC_RAW in this process
	// (v1, v2: CLOCK_MONOTONIC_COARSE).
	AsOfNs int64
	// Age is the time since AsOfNs. It can be negative by 1 us.
	Age time.Duration
	// Status is the clock status at the present.
	Status Status
	// Reason is the reason of the status.
	Reason Reason
	// Leap is what chronyd announced: LeapUntold from v1 and v2.
	Leap Leap
	// Source is chrony's reference id of the source: 0 for none, and from v1 and v2.
	Source uint32
	// ValidSinceNs is the instant before which IntervalAt gives no interval, ns of
	// CLOCK_MONOTONIC_RAW in this process: 0 if it is not recorded. IntervalAt then uses AsOfNs.
	ValidSinceNs int64
	// PublicationInterval is the longest time between two publications of a daemon that works: 0 if
	// it is not recorded.
	PublicationInterval time.Duration
	// DisruptionSupported is whether the record holds only while the VMClock page has its marker.
	DisruptionSupported bool
	// DisruptionMarker is the marker of the VMClock page under which the record holds: 0 without
	// DisruptionSupported.
	DisruptionMarker uint64
	// DisruptionSoon is whether the hypervisor announces a disruption within about a day. It is
	// false from v1 and v2, as is DisruptionImminent.
	DisruptionSoon bool
	// DisruptionImminent is whether the hypervisor announces a disruption within about an hour.
	DisruptionImminent bool
	// TAIOffset is TAI - UTC as the hypervisor reports it: 0 unless TAIOffsetKnown.
	TAIOffset time.Duration
	// TAIOffsetKnown is whether the hypervisor reports TAIOffset. It is false from v1 and v2.
	TAIOffsetKnown bool
	// IsSimulated is whether a program wrote the record for a test: the interval is not that of the
	// clock.
	IsSimulated bool
}

// Record returns the details of the record in the segment.
//
// The error is one of a read as for Now.
func (c *Client) Record() (Record, error) { return follow(c, (*segment).details) }

// follow calls read for the segment. If the path is to be checked, and another file is to be read
// instead, it calls read for that.
func follow[T any](c *Client, read func(*segment) (T, bool, error)) (T, error) {
	s := c.segment.Load()
	if s == nil {
		var none T
		return none, ErrClosed
	}
	result, isLate, err := read(s)
	if isLate && c.path != "" {
		if other := c.checkPath(s); other != nil {
			result, _, err = read(other)
		}
	}
	return result, err
}

// checkPath returns another segment at the path that is read from now on, or nil if there is none,
// if another goroutine is checking the path, or if the last check was less than pathCheckInterval
// ago.
func (c *Client) checkPath(held *segment) *segment {
	checkedNs, nowNs := c.pathCheckedNs.Load(), int64(time.Since(loaded))
	if checkedNs != 0 && nowNs-checkedNs < int64(pathCheckInterval) {
		return nil
	}
	if !c.checking.TryLock() {
		return nil
	}
	defer c.checking.Unlock()
	if !c.pathCheckedNs.CompareAndSwap(checkedNs, nowNs) {
		return nil
	}
	c.vmclock.reopen()
	other := openOther(c.path, c.environment(), held)
	if other == nil {
		return nil
	}
	if !c.segment.CompareAndSwap(held, other) {
		// The client was closed, or another goroutine has found the file.
		other.unmap()
		return nil
	}
	held.retire()
	return other
}

// CommitWait waits until t has certainly passed, and returns the interval that proves it. It
// sleeps, and yields in a loop for the last 200 us. It reads the interval at least every 100 ms. A
// timestamp that is exposed after the wait is in the past on every host.
//
// The error is ErrUntrusted as soon as the status is not trusted, that of ctx when it is done, or
// that of Now. A time after 2262 never passes.
func (c *Client) CommitWait(ctx context.Context, t time.Time) (Interval, error) {
	return c.CommitWaitNs(ctx, unixNs(t))
}

// CommitWaitNs is like CommitWait, for a time in ns of UTC since 1970.
func (c *Client) CommitWaitNs(ctx context.Context, tNs int64) (Interval, error) {
	for {
		now, err := c.Now()
		if err == nil {
			err = checkTrusted(now)
		}
		if err != nil || now.IsAfterNs(tNs) {
			return now, err
		}
		if err := ctx.Err(); err != nil {
			return now, err
		}
		left := time.Duration(sub(tNs, now.EarliestNs)) - sleepSlack
		if left > longestSleep {
			left = longestSleep
		}
		if left > 0 {
			sleep(ctx, left)
		} else {
			runtime.Gosched()
		}
	}
}

// sleep returns after a duration, or when ctx is done.
func sleep(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Timed contains the intervals read before and after a call.
type Timed struct {
	Began, Ended Interval
}

// Timing calls f, and reads the interval immediately before and immediately after it. It calls f
// also if a read fails, and returns the first error.
func (c *Client) Timing(f func()) (Timed, error) {
	began, before := c.Now()
	f()
	ended, after := c.Now()
	if before != nil {
		after = before
	}
	return Timed{Began: began, Ended: ended}, after
}
