package clockbound

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// environment is the boot, the time namespace, the clocks and the VMClock page of a process.
type environment struct {
	// bootID is all zeros if it is unknown.
	bootID [16]byte
	// namespaceOffsetNs is the offset of the monotonic clocks from those of the initial time
	// namespace.
	namespaceOffsetNs int64
	// namespaceErr is set if the time namespace is unknown. The offset is then 0.
	namespaceErr error
	// clockNs reads a clock, ns.
	clockNs func(clock) (int64, error)
	vmclock *vmclock
	// refuseSimulated is whether a record that a program simulates is an error.
	refuseSimulated bool
}

// ownEnvironment returns the environment of this process, with this page.
func ownEnvironment(vmclock *vmclock) environment {
	e := environment{clockNs: clockNs, vmclock: vmclock}
	if text, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		e.bootID = parseBootID(string(text))
	}
	text, err := os.ReadFile("/proc/self/timens_offsets")
	switch {
	case err == nil:
		e.namespaceOffsetNs, err = parseOffsets(string(text))
	case errors.Is(err, os.ErrNotExist) && exists("/proc/self"):
		// A kernel before 5.6 has no time namespaces.
		err = nil
	}
	if err != nil {
		// The error does not wrap its cause, because the segment exists.
		e.namespaceErr = fmt.Errorf("failed to read the time namespace: %v; mount /proc", err)
	}
	return e
}

// exists returns whether a file exists.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// parseBootID returns zeros for an invalid text.
func parseBootID(text string) (id [16]byte) {
	digits, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(text), "-", ""))
	if err == nil && len(digits) == len(id) {
		copy(id[:], digits)
	}
	return id
}

// parseOffsets returns the offset of CLOCK_MONOTONIC, which applies to CLOCK_MONOTONIC_RAW and
// CLOCK_MONOTONIC_COARSE as well.
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
