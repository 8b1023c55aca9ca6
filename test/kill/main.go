// Kill ends the function's process where it hurts most, and sees that nothing is lost, claimed or acknowledged that was
// not done.
//
//	go run ./test/kill -kills 500 -uploads 20000
//
// It is the real Lambda binary under the real protocol, on a sandbox that is slow, throttles and cuts connections now and
// then. SIGKILL comes before a request is carried out, after it was and before the answer leaves, or at any moment; then
// the platform starts the function anew with the same event. A batch from a queue is treated alike, and so is a deadline:
// a function that has not answered by then is killed, as the platform does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	var c config
	flag.IntVar(&c.kills, "kills", 500, "kills of the sweep")
	flag.IntVar(&c.uploads, "uploads", 20_000, "stale uploads")
	flag.Uint64Var(&c.seed, "seed", 1, "fixes where the kills come")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	binary, remove, err := build(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer remove()
	failed := false
	for _, part := range []struct {
		name string
		run  func(context.Context, string, config) (*result, error)
	}{{"sweep", killSweep}, {"batch from a queue", killBatches}, {"deadline", cutShort}} {
		began := time.Now()
		r, err := part.run(ctx, binary, c)
		if err != nil {
			fmt.Printf("%s: %v\n", part.name, err)
			failed = true
			continue
		}
		fmt.Printf("%s, seed %d: %s\n", part.name, c.seed, r)
		fmt.Printf("  took %s\n\n", time.Since(began).Round(time.Second))
		failed = failed || len(r.wrong) > 0
	}
	if failed {
		remove()
		os.Exit(1)
	}
}
