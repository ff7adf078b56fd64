package clockbound

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

func TestNoFollowReadsOneFile(t *testing.T) {
	path := directory(t, StatusSynchronized)
	native := filepath.Join(path, "native")
	publish(t, native, segmentIn(t, LayoutNative, "retired"))
	client, err := OpenWith(path, Options{NoFollow: true})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, native, segmentBytes(t, StatusSynchronized, halfNs))
	if follows(t, client) || now(t, client).Reason != ReasonRetired {
		t.Error(client.Record())
	}
	client, err = OpenWhenReadyWith(path, deadline, 0, Options{NoFollow: true})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, native, segmentIn(t, LayoutNative, "retired"))
	if follows(t, client) || now(t, client).Status != StatusSynchronized {
		t.Error(client.Record())
	}
}

func TestReadsAllocateNothing(t *testing.T) {
	path := directory(t, StatusSynchronized)
	stamp := time.Now()
	raw, _ := clockNs(clockMonotonicRaw)
	check := func(client *Client) {
		for name, read := range map[string]func() error{
			"Now":        func() error { _, err := client.Now(); return err },
			"IntervalAt": func() error { _, err := client.IntervalAt(raw); return err },
			"IntervalAtRealtime": func() error {
				_, err := client.IntervalAtRealtime(stamp)
				return err
			},
			"Record": func() error { _, err := client.Record(); return err },
		} {
			if err := read(); err != nil {
				t.Error(name, err)
			}
			if count := testing.AllocsPerRun(100, func() { _ = read() }); count != 0 {
				t.Error(name, count)
			}
		}
	}
	// Its record is not late within the test.
	publish(t, filepath.Join(path, "native"), withInterval(t, 600*time.Second))
	check(open(t, path))
	p := publishProtected(t, LayoutNative, 7, 7)
	putHalf(writable(t, p.segment), 168, 600_000_000)
	check(p.open(t))
	publish(t, filepath.Join(path, "native"), older(withInterval(t, time.Microsecond), time.Second))
	client, err := OpenWith(path, Options{NoFollow: true})
	if err != nil {
		t.Fatal(err)
	}
	check(client)
}

// writer returns a client, and a function that writes its record again.
func writer(t testing.TB) (*Client, func()) {
	path := filepath.Join(directory(t, StatusSynchronized), "native")
	publish(t, path, withInterval(t, 600*time.Second))
	segment, sequence := writable(t, path), uint64(2)
	return open(t, path), func() {
		sequence += 2
		store(segment, 64, sequence)
	}
}

func TestTheFirstReadOfARecordAllocatesOnce(t *testing.T) {
	client, write := writer(t)
	count := testing.AllocsPerRun(100, func() {
		write()
		now(t, client)
	})
	if count != 1 {
		t.Error(count)
	}
}

// withInterval returns a native segment of a daemon that publishes at this interval.
func withInterval(t testing.TB, interval time.Duration) []byte {
	bytes := segmentBytes(t, StatusSynchronized, halfNs)
	putHalf(bytes, 168, interval.Microseconds())
	return bytes
}

// The environment variable with which the test runs itself as the program that is restricted.
const restricted = "CLOCKBOUND_RESTRICTED"

func TestReadsMakeNoSystemCallButThoseOfTheClock(t *testing.T) {
	if mode := os.Getenv(restricted); mode != "" {
		readRestricted(mode, os.Getenv("CLOCKBOUND_PATH"))
	}
	for _, c := range []struct {
		name, mode string
		interval   time.Duration
		support    byte
		isKilled   bool
	}{
		{"no following, late", "nofollow", time.Microsecond, 0, false},
		{"following, not late", "follow", 600 * time.Second, 0, false},
		{"no following, late, with a page", "nofollow", time.Microsecond, 1, false},
		{"following, not late, with a page", "follow", 600 * time.Second, 1, false},
		// This shows that the filter detects the calls.
		{"following, late", "follow", time.Microsecond, 0, true},
	} {
		path := filepath.Join(t.TempDir(), "native")
		bytes := older(withInterval(t, c.interval), time.Second)
		bytes[184] = c.support
		publish(t, path, bytes)
		publish(t, path+".vmclock", pageBytes(0))
		program := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		program.Env = append(os.Environ(), restricted+"="+c.mode, "CLOCKBOUND_PATH="+path)
		output, err := program.CombinedOutput()
		if strings.HasPrefix(string(output), "no filter: ") {
			t.Skip(string(output))
		}
		var exit *exec.ExitError
		isKilled := errors.As(err, &exit) &&
			exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGSYS
		if isKilled != c.isKilled || (err == nil) == c.isKilled {
			t.Errorf("%s: %v, %s", c.name, err, output)
		}
	}
}

// readRestricted reads in a thread whose seccomp filter permits the clock and what the runtime of
// Go does by itself. Another system call kills the process.
func readRestricted(mode, path string) {
	client, err := OpenWith(
		path, Options{NoFollow: mode == "nofollow", VMClock: path + ".vmclock"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	raw, _ := clockNs(clockMonotonicRaw)
	runtime.LockOSThread()
	if err := permitOnly(
		syscall.SYS_CLOCK_GETTIME, syscall.SYS_FUTEX, syscall.SYS_NANOSLEEP,
		syscall.SYS_SCHED_YIELD, syscall.SYS_RT_SIGRETURN, syscall.SYS_RT_SIGPROCMASK,
		syscall.SYS_SIGALTSTACK, syscall.SYS_MMAP, syscall.SYS_MADVISE, syscall.SYS_MUNMAP,
		syscall.SYS_TGKILL, syscall.SYS_GETPID, syscall.SYS_GETTID, syscall.SYS_EPOLL_PWAIT,
		syscall.SYS_WRITE, syscall.SYS_EXIT_GROUP,
	); err != nil {
		fmt.Print("no filter: ", err)
		os.Exit(1)
	}
	for n := 0; n < 1_000; n++ {
		_, now := client.Now()
		_, at := client.IntervalAt(raw)
		_, atRealtime := client.IntervalAtRealtimeNs(0)
		_, record := client.Record()
		if now != nil || at != nil || !errors.Is(atRealtime, ErrNotKnown) || record != nil {
			fmt.Println(now, at, atRealtime, record)
			os.Exit(1)
		}
	}
	os.Exit(0)
}

// permitOnly kills the process when this thread makes another system call than these.
func permitOnly(calls ...uint32) error {
	const (
		prSetNoNewPrivs, prSetSeccomp, modeFilter = 38, 22, 2
		kill, allow                               = 0x80000000, 0x7fff0000
	)
	const isCall = syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K
	const end = syscall.BPF_RET | syscall.BPF_K
	program := []syscall.SockFilter{{Code: syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS}}
	for _, call := range calls {
		program = append(program,
			syscall.SockFilter{Code: isCall, Jf: 1, K: call},
			syscall.SockFilter{Code: end, K: allow})
	}
	program = append(program, syscall.SockFilter{Code: end, K: kill})
	fprog := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	_, _, errno = syscall.RawSyscall(
		syscall.SYS_PRCTL, prSetSeccomp, modeFilter, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return errno
	}
	runtime.KeepAlive(program)
	return nil
}
