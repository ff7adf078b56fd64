// Reads and prints the interval every millisecond until an error, for the survival test in
// integration: watch DIRECTORY
package main

import (
	"fmt"
	"os"
	"time"

	"clockbound"
)

func main() {
	client, err := clockbound.OpenWhenReady(os.Args[1], 30*time.Second, 0)
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
