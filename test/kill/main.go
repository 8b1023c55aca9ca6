// Kill ends the function's process where it hurts most, and sees that nothing is lost, claimed or acknowledged that was
// not done.
//
//	go run ./test/kill -kills 500 -uploads 20000
//
// They are the binaries that are deployed, under their platforms' protocols, on a sandbox that is slow, throttles and cuts
// connections now and then. SIGKILL comes at a request: before it is carried out, after that and before the answer leaves,
// or with the request lost; at a verification; or at any moment. Then the platform starts the function anew with the same
// event. A batch from a queue is treated alike, and so is a deadline: a function that has not answered by then is killed, as
// the platform does.
//
// What is true is what the sandbox saw, never what partsweep says. These must hold:
//
//   - in the end every stale upload is gone, and nothing else is;
//   - a line of the log says that an upload was aborted only when it has been, and no run says it twice;
//   - a report counts what the lines before it say;
//   - a message is acknowledged only when it is done, at that moment: its upload is gone, or rightly kept;
//   - what a run had no time for is named by its rest;
//   - a run leaves no file, no object and no process behind, and needs nothing of the run before.
//
// The seed fixes what is in the buckets and where each kill is aimed; which upload is in hand there is up to the scheduler.
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
	flag.IntVar(&c.kills, "kills", 500, "kills of the sweep on Lambda; a tenth of that on the other platforms")
	flag.IntVar(&c.uploads, "uploads", 20_000, "stale uploads of the sweep on Lambda; less for everything else")
	flag.Uint64Var(&c.seed, "seed", 1, "fixes what is in the buckets and where the kills are aimed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, c))
}

// A trial is one way to be killed.
type trial struct {
	name     string
	platform platform
	run      func(context.Context, *world) error
	share    int // which part of the kills and uploads it is given
}

var trials = []trial{
	{"sweep", lambda, killSweep, 1},
	{"sweep", fc, killSweep, 10},
	{"sweep", scf, killSweep, 10},
	{"batches", lambda, killBatches, 40},
	{"deadlines", lambda, cutShort, 4},
	{"deadlines", fc, cutShort, 20},
	{"deadlines", scf, cutShort, 20},
}

// of is what a trial is given of the whole.
func (c config) of(t trial) config {
	c.kills, c.uploads = max(c.kills/t.share, 8), max(c.uploads/t.share, 200)
	return c
}

// try makes a world, runs a trial in it, and returns what came of it.
func try(ctx context.Context, t trial, c config, binaries string) (*result, error) {
	w, err := newWorld(t.platform, c.of(t), binaries)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := t.run(ctx, w); err != nil {
		return nil, err
	}
	w.conclude()
	return w.result, nil
}

func run(ctx context.Context, c config) (exit int) {
	binaries, err := build(ctx)
	defer os.RemoveAll(binaries)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	for _, t := range trials {
		began := time.Now()
		r, err := try(ctx, t, c, binaries)
		if err != nil {
			fmt.Printf("%s on %s, seed %d: %v\n\n", t.name, t.platform.name, c.seed, err)
			exit = 1
			continue
		}
		fmt.Printf("%s on %s, seed %d, took %s\n%s\n", t.name, t.platform.name, c.seed, time.Since(began).Round(time.Second), r)
		if len(r.wrong) > 0 {
			exit = 1
		}
	}
	return exit
}
