package clockbound

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// simulate publishes a script with clockboundctl until the test ends, and returns the directory.
// The variable CLOCKBOUNDCTL contains the path of the program.
func simulate(t *testing.T, script string) string {
	t.Helper()
	program := os.Getenv("CLOCKBOUNDCTL")
	if program == "" {
		t.Skip("CLOCKBOUNDCTL does not contain the path of clockboundctl")
	}
	parent := t.TempDir()
	path, directory := filepath.Join(parent, "script"), filepath.Join(parent, "simulated")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "simulate", path, "--to", directory)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	if line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return directory
}

func TestTheCommitWaitOfTheExampleWaitsForASimulatedClock(t *testing.T) {
	directory := simulate(t, "status unknown\nwait 1s\nstatus synchronized bound 50ms\nwait forever")
	output, err := exec.Command("go", "run", "./examples/commit_wait", directory).CombinedOutput()
	if err != nil || !strings.Contains(string(output), "exposed when true time was at least") {
		t.Fatalf("%v: %s", err, output)
	}
}

func TestACommitWaitEndsWithAnErrorWhenASimulatedClockIsLost(t *testing.T) {
	directory := simulate(t, "status synchronized bound 10s\nwait 2s\n"+
		"status unknown reason bound_over_cap\nwait forever")
	client, err := Open(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	now, err := client.Now()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = client.CommitWaitNs(context.Background(), now.LatestNs); !errors.Is(err, ErrUntrusted) {
		t.Fatal(err)
	}
	if now, err = client.Now(); err != nil || now.Reason != ReasonBoundOverCap {
		t.Fatal(now, err)
	}
}

func TestAClientFollowsTheStatusesOfAScript(t *testing.T) {
	directory := simulate(t, "status synchronized bound 1ms\nwait 2s\n"+
		"status free_running bound 30ms\nwait 2s\ndisrupt\nwait forever")
	client, err := Open(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	begun := time.Now()
	for _, expected := range []Status{StatusSynchronized, StatusFreeRunning, StatusDisrupted} {
		for {
			now, err := client.Now()
			if err != nil {
				t.Fatal(err)
			}
			if now.Status == expected {
				break
			}
			if time.Since(begun) > deadline {
				t.Fatal(expected, now)
			}
			time.Sleep(time.Millisecond)
		}
	}
}
