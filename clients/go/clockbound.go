// Package clockbound reads the interval that contains true time from clockbound's shared memory.
//
// One Client is enough for all goroutines of a process. It goes on working while the daemon is down, restarted or
// killed: the interval then grows, and its status says so. Use an interval only while its status is trusted.
package clockbound

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// DefaultDirectory is where the daemon publishes, unless told otherwise.
const DefaultDirectory = "/var/run/clockbound"

const (
	// A record this old is no reason for worry, but for a look whether there is another file by now, ns.
	lookAgeNs = 50_000_000
	// The time from one look to the next, ns.
	lookIntervalNs = 50_000_000
	// How often a program that waits for the daemon tries.
	tryInterval = 5 * time.Millisecond
	// A sleep may last this much longer than was asked for; the rest is spent spinning.
	sleepSlack = 200 * time.Microsecond
)

// Client is a handle on the daemon's segment, for the life of the process. It is safe for concurrent use.
type Client struct {
	path    string
	segment atomic.Pointer[segment]
	// When the path was looked at last, on the clock of the layout that was read, ns.
	lookedNs atomic.Int64
}

// Open opens what the daemon publishes at path: a segment of any layout, or a directory, in which the first of
// native, shm0 (v2) and shm (v1) that is there is taken.
func Open(path string) (*Client, error) {
	s, err := openBest(path)
	if err != nil {
		return nil, err
	}
	c := &Client{path: path}
	c.segment.Store(s)
	return c, nil
}

// OpenWhenReady waits until the daemon publishes at path, as for Open, an interval that can be relied on, with a bound of
// at most maxBound (0: any). After timeout the error is ErrNotReady, and wraps what was in the way last.
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
			if err = c.isReady(maxBound); err == nil {
				return c, nil
			}
		}
		left := timeout - time.Since(begun)
		if left <= 0 {
			return nil, wrapped{kind: ErrNotReady, cause: err}
		}
		if left > tryInterval {
			left = tryInterval
		}
		time.Sleep(left)
	}
}

func (c *Client) isReady(maxBound time.Duration) error {
	now, err := c.Now()
	if err != nil {
		return err
	}
	if maxBound > 0 && now.Status.IsTrusted() && now.Bound() > maxBound {
		return fmt.Errorf("%w: %v, not %v", ErrTooWide, now.Bound(), maxBound)
	}
	return isTrusted(now)
}

func isTrusted(interval Interval) error {
	if interval.Status.IsTrusted() {
		return nil
	}
	return fmt.Errorf("%w: %v, %v", ErrUntrusted, interval.Status, interval.Reason)
}

// Now is the interval that contains true time now, if its status is trusted. It takes no lock and allocates nothing
// while the daemon has not written since the last call.
func (c *Client) Now() (Interval, error) {
	now, err := c.segment.Load().now()
	if err == nil && (now.ageNs < lookAgeNs || !c.isTimeToLook(now.atNs)) {
		return now.interval, nil
	}
	return c.look(now, err)
}

// isTimeToLook tells whether the path was not looked at lately.
func (c *Client) isTimeToLook(nowNs int64) bool {
	since := nowNs - c.lookedNs.Load()
	return since >= lookIntervalNs || since <= -lookIntervalNs
}

// look gives what another file at the path says, if there is one by now; otherwise what is known. One goroutine looks
// in each interval.
func (c *Client) look(now reading, err error) (Interval, error) {
	if err != nil {
		now.atNs, _ = clockNs(clockMonotonicCoarse)
	}
	looked := c.lookedNs.Load()
	if c.isTimeToLook(now.atNs) && c.lookedNs.CompareAndSwap(looked, now.atNs) {
		if other := openOther(c.path, c.segment.Load().file); other != nil {
			c.segment.Store(other)
			now, err = other.now()
		}
	}
	return now.interval, err
}

// IntervalAt is the interval that contained true time when CLOCK_MONOTONIC_RAW showed monotonicRawNs in this process,
// for an instant that is not too long ago. Only the native layout knows (ErrNotNative, ErrTooLongAgo).
func (c *Client) IntervalAt(monotonicRawNs int64) (Interval, error) {
	return c.segment.Load().intervalAt(monotonicRawNs)
}

// CommitWait returns when t has certainly passed, with the interval that shows it: it sleeps, and spins for the last
// moments. A timestamp that is exposed after this is in the past for everybody. It fails with ErrUntrusted as soon as
// nothing is claimed.
func (c *Client) CommitWait(t time.Time) (Interval, error) {
	return c.CommitWaitNs(t.UnixNano())
}

// CommitWaitNs is CommitWait for a time in nanoseconds of UTC since 1970.
func (c *Client) CommitWaitNs(tNs int64) (Interval, error) {
	for {
		now, err := c.Now()
		if err == nil {
			err = isTrusted(now)
		}
		if err != nil || now.IsAfterNs(tNs) {
			return now, err
		}
		if left := time.Duration(sub(tNs, now.EarliestNs)); left > sleepSlack {
			time.Sleep(left - sleepSlack)
		} else {
			runtime.Gosched()
		}
	}
}

// Timed is the time before and after a call.
type Timed struct {
	Began, Ended Interval
}

// Timing calls f, and tells the time just before and just after. f is called whatever is wrong with the time.
func (c *Client) Timing(f func()) (Timed, error) {
	began, before := c.Now()
	f()
	ended, after := c.Now()
	if before != nil {
		after = before
	}
	return Timed{Began: began, Ended: ended}, after
}
