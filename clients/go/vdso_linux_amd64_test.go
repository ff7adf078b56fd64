//go:build gc && !clockbound_syscall

package clockbound

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
	"testing"
)

// vdsoImage returns the vDSO of this process. It skips the test if there is none.
func vdsoImage(t *testing.T) []byte {
	t.Helper()
	auxv, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		t.Fatal(err)
	}
	base := vdsoBase(auxv)
	if base == 0 {
		t.Skip("the kernel provides no vDSO")
	}
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	header := make([]byte, 64)
	if _, err := memory.ReadAt(header, int64(base)); err != nil {
		t.Fatal(err)
	}
	// The section headers are at the end of the image.
	sections := binary.LittleEndian.Uint64(header[40:])
	size := binary.LittleEndian.Uint16(header[58:]) * binary.LittleEndian.Uint16(header[60:])
	image := make([]byte, sections+uint64(size))
	if _, err := memory.ReadAt(image, int64(base)); err != nil {
		t.Fatal(err)
	}
	return image
}

func TestTheVDSOReadsTheClocksOfTheSystemCall(t *testing.T) {
	vdsoImage(t)
	for _, id := range []clock{clockRealtime, clockMonotonicRaw, clockMonotonicCoarse} {
		for n := 0; n < 1000; n++ {
			before, _ := systemClockNs(id)
			now, ok := vdsoClockNs(id)
			after, _ := systemClockNs(id)
			if !ok || now < before || now > after {
				t.Fatalf("clock %d: %d (%v) is not between %d and %d", id, now, ok, before, after)
			}
		}
	}
}

func TestMostOfTheStackOfTheVDSOStaysUnused(t *testing.T) {
	vdsoImage(t)
	if vdso.once.Do(findVDSO); vdso.function == 0 {
		t.Fatal("clock_gettime was not found")
	}
	stack := new(vdsoStack)
	for n := range stack.room {
		stack.room[n] = 0xa5
	}
	if result := callVDSO(vdso.function, clockMonotonicRaw, &stack.time); result != 0 {
		t.Fatal(syscall.Errno(-result))
	}
	half := stack.room[:len(stack.room)/2]
	if unused := bytes.Count(half, []byte{0xa5}); unused != len(half) {
		t.Errorf("%d bytes of the lower half were used", len(half)-unused)
	}
	if bytes.Count(stack.room[:], []byte{0xa5}) == len(stack.room) {
		t.Error("the function ran on another stack")
	}
}

func TestAClockIsReadWhileEveryStackIsBusy(t *testing.T) {
	vdsoImage(t)
	for n := range vdsoStacks {
		vdsoStacks[n].isBusy.Store(true)
	}
	_, ok := vdsoClockNs(clockMonotonicRaw)
	_, err := clockNs(clockMonotonicRaw)
	for n := range vdsoStacks {
		vdsoStacks[n].isBusy.Store(false)
	}
	if ok || err != nil {
		t.Errorf("the vDSO was called: %v, error: %v", ok, err)
	}
	if _, ok := vdsoClockNs(clockMonotonicRaw); !ok {
		t.Error("the vDSO was not called")
	}
}

func TestAnUnknownClockIsAnErrorOfTheSystemCall(t *testing.T) {
	if _, ok := vdsoClockNs(99); ok {
		t.Error("the vDSO read clock 99")
	}
	if _, err := clockNs(99); err == nil {
		t.Error("clock 99 is not an error")
	}
}

func TestAnUnexpectedImageIsNotUsed(t *testing.T) {
	image := vdsoImage(t)
	if clockGettimeOffset(bytes.NewReader(image)) == 0 {
		t.Fatal("clock_gettime was not found")
	}
	change := func(edit func(image []byte)) []byte {
		other := append([]byte(nil), image...)
		edit(other)
		return other
	}
	programHeaders := binary.LittleEndian.Uint64(image[32:])
	for name, other := range map[string][]byte{
		"empty":         nil,
		"header":        image[:64],
		"half":          image[:len(image)/2],
		"other machine": change(func(image []byte) { image[18] = byte(elf.EM_AARCH64) }),
		"no function": bytes.ReplaceAll(
			image, []byte(vdsoFunction), bytes.ToUpper([]byte(vdsoFunction))),
		"not executable": change(func(image []byte) {
			for n := 0; n < int(image[56]); n++ {
				image[int(programHeaders)+56*n+4] &^= byte(elf.PF_X)
			}
		}),
	} {
		if offset := clockGettimeOffset(bytes.NewReader(other)); offset != 0 {
			t.Errorf("%s: offset %d", name, offset)
		}
	}
	if base := vdsoBase(make([]byte, 40)); base != 0 {
		t.Errorf("an empty auxv has a vDSO at %d", base)
	}
}

// TestReadsHoldUnderSignalsCollectionAndProfile reads the clock in goroutines whose stacks grow,
// during garbage collections, a CPU profile, preemptions and signals.
func TestReadsHoldUnderSignalsCollectionAndProfile(t *testing.T) {
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	defer pprof.StopCPUProfile()
	received := make(chan os.Signal, 1)
	signal.Notify(received, syscall.SIGUSR1)
	defer signal.Stop(received)

	var disturbers, readers sync.WaitGroup
	stop := make(chan struct{})
	disturb := func(f func()) {
		disturbers.Add(1)
		go func() {
			defer disturbers.Done()
			for {
				select {
				case <-stop:
					return
				case <-received:
				default:
					f()
				}
			}
		}()
	}
	disturb(runtime.GC)
	disturb(func() { _ = syscall.Kill(syscall.Getpid(), syscall.SIGUSR1) })
	disturb(func() { _ = syscall.Kill(syscall.Getpid(), syscall.SIGURG) })

	for n := 0; n < 8; n++ {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for round := 0; round < 20; round++ {
				done := make(chan int64)
				go func() { done <- readAtDepths(t, 50) }()
				if <-done == 0 {
					return
				}
			}
		}()
	}
	readers.Wait()
	close(stop)
	disturbers.Wait()
}

// readAtDepths reads the clock many times in each of depth calls. It returns the last time, 0 after
// a failure.
func readAtDepths(t *testing.T, depth int) int64 {
	// The frame makes the stack grow, and its content must survive.
	var frame [32]int64
	last := int64(0)
	for n := range frame {
		now, err := clockNs(clockMonotonicRaw)
		if err != nil || now < last {
			t.Errorf("%d after %d: %v", now, last, err)
			return 0
		}
		frame[n], last = now, now
	}
	if depth > 0 {
		if deepest := readAtDepths(t, depth-1); deepest < last {
			t.Errorf("%d after %d", deepest, last)
			return 0
		}
	}
	if frame[len(frame)-1] != last {
		t.Error("the stack changed")
	}
	return last
}

func BenchmarkClockWithVDSO(b *testing.B) {
	for n := 0; n < b.N; n++ {
		_, _ = clockNs(clockMonotonicRaw)
	}
}

func BenchmarkClockWithSystemCall(b *testing.B) {
	for n := 0; n < b.N; n++ {
		_, _ = systemClockNs(clockMonotonicRaw)
	}
}
