package clockbound

import (
	"errors"
	"os"
	"path/filepath"
)

// The file names in the daemon's directory, in order of preference.
var fileNames = [...]string{"native", "shm0", "shm"}

// The age below which a record shows that its daemon is alive, ns.
const aliveAgeNs = 5 * nsPerS

const (
	// The rank of a segment that cannot be read.
	unreadable = -1
	// What a daemon that is alive adds to the rank of a segment, and what a trusted status adds.
	aliveRank, trustedRank = 2, 1
)

// candidates returns the files to try for a path, in order of preference. Each call checks whether
// the path is a directory, because a directory can be mounted after the program started.
func candidates(path string) []string {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return []string{path}
	}
	paths := make([]string, 0, len(fileNames))
	for _, name := range fileNames {
		paths = append(paths, filepath.Join(path, name))
	}
	return paths
}

// rank compares segments: those of a daemon that is alive precede the others, then those with a
// trusted status. It ignores the VMClock page: a layout without a disruption marker, whose record
// can still be trusted after a disruption, must not be preferred for that.
func (s *segment) rank() int {
	now, _, err := s.present()
	if err != nil {
		return unreadable
	}
	rank, interval := 0, now.interval()
	if now.ageNs < aliveAgeNs && interval.Reason != ReasonRetired {
		rank += aliveRank
	}
	if interval.Status.IsTrusted() {
		rank += trustedRank
	}
	return rank
}

// openPreferred opens the segment at a path that has the highest rank, and the first of several in
// order of preference. It waits for a write in progress.
//
// The error is that of the first file that exists, or else that of the first file. It is ErrVMClock
// if the record of the segment requires the VMClock page, and the page is not usable.
func openPreferred(path string, env environment) (*segment, error) {
	var (
		best     *segment
		bestRank int
		cause    error
	)
	for order, candidate := range candidates(path) {
		s, err := openSegment(candidate, env)
		if err != nil {
			if cause == nil || errors.Is(cause, os.ErrNotExist) {
				cause = err
			}
			continue
		}
		s.order = order
		s.waitForWrite()
		if rank := s.rank(); best == nil || rank > bestRank {
			best, s, bestRank = s, best, rank
		}
		s.unmap()
	}
	if best == nil {
		return nil, cause
	}
	if err := best.checkVMClock(); err != nil {
		best.unmap()
		return nil, err
	}
	return best, nil
}

// checkVMClock returns ErrVMClock if the record requires the VMClock page, and the page is not
// usable.
func (s *segment) checkVMClock() error {
	if record, err := s.read(); err == nil && record.disruption().isSupported {
		_, err := s.vmclock.marker()
		return err
	}
	return nil
}

// openOther opens the segment at a path that is to be read instead of the held one, or returns nil
// if there is none. The order is that of openPreferred. The held segment takes part although its
// file is at the path no more, but does not count as alive then.
func openOther(path string, env environment, held *segment) *segment {
	var (
		best     *segment
		bestRank = unreadable
		heldRank = held.rank()
		isAtPath bool
	)
	for order, candidate := range candidates(path) {
		info, err := os.Stat(candidate)
		if err != nil {
			continue
		}
		if fileIDOf(info) == held.file {
			isAtPath = true
			continue
		}
		s, err := openSegment(candidate, env)
		if err != nil {
			continue
		}
		s.order = order
		if rank := s.rank(); rank > bestRank {
			best, s, bestRank = s, best, rank
		}
		s.unmap()
	}
	if !isAtPath && heldRank >= aliveRank {
		heldRank -= aliveRank
	}
	if best == nil || bestRank < heldRank || (bestRank == heldRank && held.order < best.order) {
		best.unmap()
		return nil
	}
	return best
}
