package clockbound

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// surroundings are what a process sees of where it runs.
type surroundings struct {
	// bootID is all zeros when it is not known.
	bootID [16]byte
	// namespaceOffsetNs is how far the monotonic clocks are ahead of those of the initial time namespace.
	namespaceOffsetNs int64
	clockNs           func(clock) (int64, error)
}

// own are this process's.
func own() (surroundings, error) {
	s := surroundings{clockNs: clockNs}
	if text, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		s.bootID = parseBootID(string(text))
	}
	text, err := os.ReadFile("/proc/self/timens_offsets")
	switch {
	case err == nil:
		s.namespaceOffsetNs, err = parseOffsets(string(text))
	case errors.Is(err, os.ErrNotExist) && exists("/proc/self"):
		// A kernel without time namespaces (before 5.6).
		err = nil
	}
	if err != nil {
		return s, fmt.Errorf("the time namespace cannot be told; mount /proc: %w", err)
	}
	return s, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func parseBootID(text string) (id [16]byte) {
	digits, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(text), "-", ""))
	if err == nil && len(digits) == len(id) {
		copy(id[:], digits)
	}
	return id
}

// parseOffsets reads the line of CLOCK_MONOTONIC, whose offset its raw and coarse relatives have, too.
func parseOffsets(text string) (int64, error) {
	for _, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) != 3 || (fields[0] != "monotonic" && fields[0] != "1") {
			continue
		}
		seconds, err := strconv.ParseInt(fields[1], 10, 33)
		if err != nil {
			return 0, err
		}
		nanoseconds, err := strconv.ParseInt(fields[2], 10, 32)
		if err != nil {
			return 0, err
		}
		return seconds*nsPerS + nanoseconds, nil
	}
	return 0, fmt.Errorf("no monotonic offset in %q", text)
}
