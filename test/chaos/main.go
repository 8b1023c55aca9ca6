// Chaos runs partsweep against clients that behave as clients do, on stores that fail as stores do, for as many simulated
// days as it is told, and counts.
//
//	go run ./test/chaos -days 10 -uploads 100000
//
// Clients are slow, bursty, paused and resumed; they die, try again, give up, or complete at the very moment of a sweep.
// Stores answer late, throttle, fail, cut the connection before or after they did what they were asked, let parts land
// behind an abort, and have clocks of their own. Failure events come late, twice, in another order, and are sometimes
// wrong. All the while the timer ticks, and some runs meet a deadline in the middle of what they do.
//
// What is true is what the stores themselves saw (sandbox.Happening), never what partsweep says. Four things must hold:
//
//   - no upload that showed a sign of life since the cutoff is aborted;
//   - every stale upload is gone in the end, and nothing else is;
//   - the bytes that partsweep says it freed are those that its aborts removed, upload by upload;
//   - every abort that was carried out is in a report, and every abort in a report was carried out.
//
// One thing no client of these services can exclude: a part may arrive between the last look and the abort, a few
// milliseconds later. Such races are counted by themselves. The seed fixes what clients, clocks and events do, and the odds
// of faults; which request meets which fault is up to the scheduler.
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
	c := config{page: 100, step: 30 * time.Minute, sweepEvery: 2 * time.Hour}
	flag.IntVar(&c.days, "days", 10, "simulated days")
	flag.IntVar(&c.uploads, "uploads", 100_000, "uploads that clients begin")
	flag.Uint64Var(&c.seed, "seed", 1, "fixes what happens")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	began := time.Now()
	result, err := run(ctx, c)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	result.print(os.Stdout)
	fmt.Printf("took %s\n", time.Since(began).Round(time.Second))
	if len(result.wrong()) > 0 {
		os.Exit(1)
	}
}
