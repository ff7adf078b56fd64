package clockbound

import (
	"errors"
	"os"
	"path/filepath"
)

// The file names in the daemon's directory, in order of preference.
var fileNames = [...]string{"native", "shm0", "shm"}

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

// openPreferred opens the first segment that exists at a path, in order of preference.
func openPreferred(path string) (*segment, error) {
	env, err := ownEnvironment()
	if err != nil {
		return nil, err
	}
	for _, candidate := range candidates(path) {
		var s *segment
		s, err = openSegment(candidate, env)
		// After a missing file or an unsupported version, the next layout is tried.
		if err == nil || !(errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrVersion)) {
			return s, err
		}
	}
	return nil, err
}

// openOther opens the first segment that exists at a path, in order of preference. It returns nil
// if that is the file in its arguments, or if none can be opened.
func openOther(path string, file fileID) *segment {
	env, err := ownEnvironment()
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
		if s, err := openSegment(candidate, env); err == nil {
			return s
		}
	}
	return nil
}
