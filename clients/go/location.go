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

// standing determines which segment of a directory is read.
type standing struct {
	// isReadable is false if the segment has no interval.
	isReadable, isAlive, isTrusted bool
	marker                         markerState
}

// markerState is the relation of the marker of a record to the VMClock page.
type markerState uint8

const (
	// markerNone: the record does not require the page.
	markerNone markerState = iota
	markerEqual
	// markerDiffers: a disruption has occurred since the record, or the page is not usable.
	markerDiffers
)

// standing returns that of the segment.
func (s *segment) standing() standing {
	now, _, err := s.present()
	if err != nil {
		return standing{}
	}
	interval, marker := now.interval(), markerNone
	if required := now.record.disruption(); required.isSupported {
		marker = markerEqual
		if found, err := s.vmclock.marker(); err != nil || found != required.marker {
			marker = markerDiffers
		}
	}
	return standing{
		isReadable: true,
		isAlive:    now.ageNs < aliveAgeNs && interval.Reason != ReasonRetired,
		isTrusted:  interval.Status.IsTrusted() && marker != markerDiffers,
		marker:     marker,
	}
}

// rank returns a number that is greater for a segment that precedes another: one of a daemon that
// is alive, then one with a trusted status. After a disruption that the record of any segment in
// the directory shows, a record without a marker can be of the time before it, and counts as
// untrusted.
func (s standing) rank(isAnyDisrupted bool) int {
	if !s.isReadable {
		return unreadable
	}
	rank := 0
	if s.isAlive {
		rank += aliveRank
	}
	if s.isTrusted && !(isAnyDisrupted && s.marker == markerNone) {
		rank += trustedRank
	}
	return rank
}

// opened is a segment that can be read at a path.
type opened struct {
	*segment
	standing standing
}

// preferred returns the segment that has the highest rank, and the first of several in order of
// preference: nil if there is none.
func preferred(all []opened) *segment {
	isAnyDisrupted := false
	for _, one := range all {
		isAnyDisrupted = isAnyDisrupted || one.standing.marker == markerDiffers
	}
	var best opened
	for _, one := range all {
		rank, bestRank := one.standing.rank(isAnyDisrupted), best.standing.rank(isAnyDisrupted)
		if best.segment == nil || rank > bestRank || (rank == bestRank && one.order < best.order) {
			best = one
		}
	}
	return best.segment
}

// unmapOthers unmaps all but two segments.
func unmapOthers(all []opened, first, second *segment) {
	for _, one := range all {
		if one.segment != first && one.segment != second {
			one.unmap()
		}
	}
}

// openPreferred opens the segment at a path that has the highest rank, and the first of several in
// order of preference. It waits for a write in progress.
//
// The error is that of the first file that exists, or else that of the first file. It is ErrVMClock
// if the record of the segment requires the VMClock page, and the page is not usable, and
// ErrSimulated if it is simulated, and that is refused.
func openPreferred(path string, env environment) (*segment, error) {
	var (
		all   []opened
		cause error
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
		all = append(all, opened{s, s.standing()})
	}
	best := preferred(all)
	unmapOthers(all, best, nil)
	if best == nil {
		return nil, cause
	}
	if err := best.check(); err != nil {
		best.unmap()
		return nil, err
	}
	return best, nil
}

// check returns ErrSimulated if the record is simulated, and that is refused, and ErrVMClock if it
// requires the VMClock page, and the page is not usable.
func (s *segment) check() error {
	record, err := s.read()
	if errors.Is(err, ErrSimulated) {
		return err
	}
	if err == nil && record.disruption().isSupported {
		_, err := s.vmclock.marker()
		return err
	}
	return nil
}

// openOther opens the segment at a path that is to be read instead of the held one, or returns nil
// if there is none. The order is that of openPreferred. The held segment takes part although its
// file is at the path no more, but does not count as alive then.
func openOther(path string, env environment, held *segment) *segment {
	standing := held.standing()
	all, isAtPath := []opened{}, false
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
		if other := s.standing(); other.isReadable {
			all = append(all, opened{s, other})
		} else {
			s.unmap()
		}
	}
	standing.isAlive = standing.isAlive && isAtPath
	// Another file of the same layout precedes the held one.
	best := preferred(append(all, opened{held, standing}))
	unmapOthers(all, best, held)
	if best == held {
		return nil
	}
	return best
}
