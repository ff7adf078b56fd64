// Reads and prints the interval every millisecond until an error, for the survival test in
// integration: watch DIRECTORY [busy]. With "busy" it reads for 3 s without a pause, and prints only
// "begin", and "end" with the number of readings.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"clockbound"
)

func main() {
	client, err := clockbound.OpenWhenReady(os.Args[1], 30*time.Second, 0)
	if err == nil && len(os.Args) > 2 {
		if err = readBusily(client); err == nil {
			return
		}
	}
	for err == nil {
		before := time.Now().UnixNano()
		var now clockbound.Interval
		now, err = client.Now()
		after := time.Now().UnixNano()
		if err == nil {
			fmt.Println(before, after, now.EarliestNs, now.LatestNs, now.Status, now.Reason)
			time.Sleep(time.Millisecond)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

func readBusily(client *clockbound.Client) error {
	// The system calls of one thread are counted.
	runtime.LockOSThread()
	now, err := client.Now()
	until := now.LatestNs + 3_000_000_000
	readings := 0
	fmt.Println("begin")
	for ; err == nil && !now.IsAfterNs(until); readings++ {
		now, err = client.Now()
	}
	fmt.Println("end", readings)
	return err
}
