package clockbound

import (
	"errors"
	"os"
	"path/filepath"
)

// The files in the daemon's directory, the best first.
var fileNames = [...]string{"native", "shm0", "shm"}

// candidates are the files to try for a path. What it is, is looked at each time: a directory may be mounted later.
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

// openBest opens the best segment there is at a path.
func openBest(path string) (*segment, error) {
	around, err := own()
	if err != nil {
		return nil, err
	}
	for _, candidate := range candidates(path) {
		var s *segment
		s, err = openSegment(candidate, around)
		// One that is not there, or of a version to come, leaves the others.
		if err == nil || !(errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrVersion)) {
			return s, err
		}
	}
	return nil, err
}

// openOther opens the best segment at a path, if that is another file than the one that is known.
func openOther(path string, file fileID) *segment {
	around, err := own()
	if err != nil {
		return nil
	}
	for _, candidate := range candidates(path) {
		info, err := os.Stat(candidate)
		if err != nil {
			continue
		}
		if fileIDOf(info) == file {
			return nil
		}
		if s, err := openSegment(candidate, around); err == nil {
			return s
		}
	}
	return nil
}
