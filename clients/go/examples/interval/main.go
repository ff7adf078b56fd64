// Prints the interval once a second, without end: interval [PATH]
package main

import (
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
	client, err := clockbound.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	for ; ; time.Sleep(time.Second) {
		now, err := client.Now()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d .. %d  -+ %v  %v, %v\n",
			now.EarliestNs, now.LatestNs, now.Bound(), now.Status, now.Reason)
	}
}
