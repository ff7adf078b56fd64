// Orders events on hosts that share nothing but the time: commit_wait [PATH]
//
// A write gets a timestamp that is not in the past on any host. It is exposed when the timestamp is
// in the past on every host.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"clockbound"
)

func main() {
	path := clockbound.DefaultDirectory
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	client, err := clockbound.OpenWhenReady(path, 10*time.Second, 100*time.Millisecond)
	if err != nil {
		log.Fatal(err)
	}
	now, err := client.Now()
	if err != nil {
		log.Fatal(err)
	}
	timestamp, begun := now.LatestNs, time.Now()
	exposed, err := client.CommitWaitNs(context.Background(), timestamp)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("written at %d, exposed when true time was at least %d\n",
		timestamp, exposed.EarliestNs)
	fmt.Printf("waited %v\n", time.Since(begun))
}
