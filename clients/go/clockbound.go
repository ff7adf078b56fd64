// Package clockbound reads an interval that contains true time from clockbound's shared memory.
//
// One Client is enough for all goroutines of a process. It works while the daemon is stopped,
// restarted or killed: the interval grows meanwhile, and its status changes to StatusFreeRunning and then
// to StatusUnknown. Use an interval only while its status is trusted (Status.IsTrusted).
package clockbound

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// DefaultDirectory is the directory in which the daemon publishes by default.
const DefaultDirectory = "/var/run/clockbound"

const (
	// The age of a record from which the path is checked for another file, ns. It is not an error.
	pathCheckAgeNs = 50_000_000
	// The minimum time between two checks of the path, ns.
	pathCheckIntervalNs = 50_000_000
	// The time between two attempts while a program waits for the daemon.
	retryInterval = 5 * time.Millisecond
	// The time by which a sleep can overrun. CommitWait yields in a loop for this long instead.
	sleepSlack = 200 * time.Microsecond
	// The longest sleep of CommitWait. It reads the interval after each.
	longestSleep = 100 * time.Millisecond
)

// Client is a handle to the daemon's segment. It is safe for concurrent use, and cannot be closed.
type Client struct {
	path    string
	segment atomic.Pointer[segment]
	// The instant of the last check of the path, on the clock of the layout that was read, ns.
	pathCheckedNs atomic.Int64
}

// Open opens the segment at path. If path is a directory, Open opens the first that exists of
// native, shm0 (v2) and shm (v1) in it; otherwise Open opens a segment of any layout.
//
// The error wraps that of the system call (os.ErrNotExist if no segment exists), ErrNotInitialized,
// ErrMalformed or ErrVersion.
func Open(path string) (*Client, error) {
	s, err := openPreferred(path)
	if err != nil {
		return nil, err
	}
	c := &Client{path: path}
	c.segment.Store(s)
	return c, nil
}

// OpenWhenReady waits until the daemon publishes a trusted interval with a clock error bound of at
// most maxBound (0: any), and opens the segment. The path is as for Open.
//
// The error after timeout is ErrNotReady, and wraps the error of the last attempt.
func OpenWhenReady(path string, timeout, maxBound time.Duration) (*Client, error) {
	var (
		c     *Client
		begun = time.Now()
	)
	for {
		var err error
		if c == nil {
			c, err = Open(path)
		}
		if err == nil {
			if err = c.checkReady(maxBound); err == nil {
				return c, nil
			}
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

func (c *Client) checkReady(maxBound time.Duration) error {
	now, err := c.Now()
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

// Now returns the interval at the present. It contains true time while its status is trusted. Now
// takes no lock, and allocates only in the first call after the daemon has written.
//
// The error is ErrNotInitialized or ErrMalformed if the content of the segment is invalid,
// ErrCausality if the record is ahead of the monotonic clock, or that of clock_gettime.
func (c *Client) Now() (Interval, error) {
	now, err := c.segment.Load().now()
	if err == nil && (now.ageNs < pathCheckAgeNs || !c.isPathCheckDue(now.atNs)) {
		return now.interval, nil
	}
	return c.nowWithPathCheck(now, err)
}

// isPathCheckDue returns whether the last check of the path is at least pathCheckIntervalNs ago.
func (c *Client) isPathCheckDue(nowNs int64) bool {
	since := nowNs - c.pathCheckedNs.Load()
	return since >= pathCheckIntervalNs || since <= -pathCheckIntervalNs
}

// nowWithPathCheck returns the interval of another file at the path if there is one, otherwise the
// interval and the error in its arguments. One goroutine checks the path in each
// pathCheckIntervalNs.
func (c *Client) nowWithPathCheck(now reading, err error) (Interval, error) {
	if err != nil {
		now.atNs, _ = clockNs(clockMonotonicCoarse)
	}
	checked := c.pathCheckedNs.Load()
	if c.isPathCheckDue(now.atNs) && c.pathCheckedNs.CompareAndSwap(checked, now.atNs) {
		if other := openOther(c.path, c.segment.Load().file); other != nil {
			c.segment.Store(other)
			now, err = other.now()
		}
	}
	return now.interval, err
}

// IntervalAt returns the interval at the instant at which CLOCK_MONOTONIC_RAW in this process reads
// monotonicRawNs. The instant can be in the past or in the future.
//
// The error is ErrNotNative if the segment is not of the native layout, ErrTooLongAgo if the
// instant is further before the record than the record is valid after it, or one of a read as for
// Now.
func (c *Client) IntervalAt(monotonicRawNs int64) (Interval, error) {
	return c.segment.Load().intervalAt(monotonicRawNs)
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
