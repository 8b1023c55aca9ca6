// Bench measures what partsweep takes, beside what its requests take by themselves and beside what one writes first.
//
//	go run ./test/bench                 ten minutes
//	go run ./test/bench -uploads 1000000 -rounds 1 -only capped,inspected,plan
//	go run ./test/bench -rounds 1 -only peers   beside rclone and mc, where they are found: four minutes, and seven
//	go run ./test/bench -rounds 1 -uploads 1000000 -only peers-plan   the same, and nothing is aborted: two minutes
//
// It starts a load server, which is S3 with a latency, and then one contestant after the other, each in a process of its own,
// in turns, so that a machine that is busy for a while slows all of them. What is measured is the Lambda function's binary, as
// it is deployed; "bare" sends the same requests with net/http and does nothing else; "sdk-64" is aws-sdk-go-v2 with its
// defaults, which lists all and then aborts with 64 goroutines. Figures are medians. CPU is the contestant's own, and so is the
// memory: the peak that was resident. Linux only, for /proc.
//
// "bare" has Go's own settings for its runtime, and partsweep leaves one thread at a time to it where the function has less than one CPU.
//
// Absolute figures are this machine's, and move with what else it does; the ratios are what counts.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && slices.Contains([]string{"serve", "bare", "naive"}, os.Args[1]) {
		if err := role(os.Args[1], os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var c config
	flag.IntVar(&c.rounds, "rounds", 5, "rounds of each measurement")
	flag.IntVar(&c.uploads, "uploads", 50_000, "uploads of plan, capped, inspected and peers-plan; a million takes five minutes a round of capped and inspected")
	only := flag.String("only", "", "measurements, with commas between them, of "+strings.Join(c.names(), ", ")+"; default all but those of peers")
	flag.Parse()
	set := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if err := c.check(*only, set, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := c.run(ctx, os.Stdout)
	if err != nil { // of a Ctrl-C the contestants hear too, and perhaps sooner
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "bench: interrupted")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (c config) names() []string {
	names := []string{"cold"}
	for _, m := range c.measurements() {
		names = append(names, m.name)
	}
	return names
}

// mostUploads is ten times what the README has; the keys have nine digits.
const mostUploads = 10_000_000

// check takes in what was typed; set are the flags that were.
func (c *config) check(only string, set map[string]bool, rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected %q; measurements are named with -only", rest[0])
	case c.rounds < 1:
		return fmt.Errorf("-rounds %d: at least one", c.rounds)
	case c.uploads < 1000:
		return fmt.Errorf("-uploads %d: at least 1,000", c.uploads)
	case c.uploads > mostUploads:
		return fmt.Errorf("-uploads %d: at most %s", c.uploads, count(mostUploads))
	case only == "" && set["only"]:
		return fmt.Errorf("-only names nothing: there are %s", strings.Join(c.names(), ", "))
	case only == "":
		return nil
	}
	heeded := false
	for name := range strings.SplitSeq(only, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(c.names(), name) {
			return fmt.Errorf("-only %q: there are %s", name, strings.Join(c.names(), ", "))
		}
		c.only = append(c.only, name)
		heeded = heeded || slices.Contains([]string{"plan", "capped", "inspected", "peers-plan"}, name)
	}
	if set["uploads"] && !heeded {
		return fmt.Errorf("-uploads is of plan, capped, inspected and peers-plan; the others have their own numbers")
	}
	return nil
}

// role is what this program does in a process of its own.
func role(name string, args []string) error {
	if name == "serve" {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
		return serve(func(addr string) { fmt.Println(addr) })
	}
	if len(args) == 0 {
		return errors.New("not to be started by hand: " + name)
	}
	numbers := make([]int, 2)
	for i := range numbers {
		if i+1 < len(args) {
			n, err := strconv.Atoi(args[i+1])
			if err != nil {
				return err
			}
			numbers[i] = n
		}
	}
	err := errors.New("no such role: " + name)
	switch name {
	case "bare":
		err = bare(args[0], numbers[0], numbers[1], len(args) > 3)
	case "naive":
		err = naive(args[0], numbers[0])
	}
	if err == nil {
		fmt.Println("done")
		io.Copy(io.Discard, os.Stdin) // what it has taken is read before it ends
	}
	return err
}

type config struct {
	rounds, uploads int
	only            []string
}

// A contestant is one way to do a measurement's work.
type contestant struct {
	name string
	run  func(context.Context, *bench, workload) (cost, error)
}

// A measurement is one workload and who takes part.
type measurement struct {
	name, what  string
	load        workload
	contestants []contestant
	keep        bool // nothing is aborted
	look        bool // each upload is looked into
	confined    bool // to a small function's share of a CPU
	others      bool // beside other people's programs, which take so long that it must be asked for by name
}

// What the function has in flight, and so has bare: with as much of a CPU as it can use, and with the share that 128 MB have.
const (
	workers      = 384
	fewerWorkers = 80
)

func ours(event string, confined bool, settings ...string) contestant {
	return contestant{"partsweep", func(ctx context.Context, b *bench, w workload) (cost, error) {
		return b.ours(ctx, confined, event, settings...)
	}}
}

func bareLoop(confined bool, more ...string) contestant {
	n := workers
	if confined {
		n = fewerWorkers
	}
	return contestant{fmt.Sprintf("bare-%d", n), func(ctx context.Context, b *bench, w workload) (cost, error) {
		return b.peer(ctx, confined, append([]string{"bare", b.url, strconv.Itoa(w.Uploads), strconv.Itoa(n)}, more...)...)
	}}
}

func sdk(confined bool) contestant {
	return contestant{"sdk-64", func(ctx context.Context, b *bench, w workload) (cost, error) {
		return b.peer(ctx, confined, "naive", b.url, "64")
	}}
}

const latency = 20 * time.Millisecond

func (c config) measurements() []measurement {
	const event = `{"sweep":"s3://bench?olderThan=48h"}`
	const uninspected = "PARTSWEEP_INSPECT=false"
	many := []string{"s3://bench?olderThan=48h"}
	for i := range 200 {
		many = append(many, fmt.Sprintf("s3://small-%03d?olderThan=48h", i))
	}
	all := `{"sweep":"` + strings.Join(many, " ") + `"}`
	planned := ours(event, false, uninspected, "PARTSWEEP_MODE=plan")
	buckets := "PARTSWEEP_BUCKETS=" + strings.ReplaceAll(strings.Join(many, " "), "?olderThan=48h", "")
	return []measurement{{
		name: "abort", what: "10,000 uploads, aborting only, 20 ms a request",
		load:        workload{Uploads: 10_000, Latency: latency},
		contestants: []contestant{ours(event, false, uninspected), bareLoop(false), sdk(false)},
	}, {
		name: "inspect", what: "10,000 uploads, each looked into and aborted, 20 ms a request", look: true,
		load:        workload{Uploads: 10_000, Latency: latency},
		contestants: []contestant{ours(event, false), bareLoop(false, "inspect")},
	}, {
		name: "small", what: "3,000 uploads, aborting only, 20 ms, on the CPU share of a 128 MB function", confined: true,
		load:        workload{Uploads: 3_000, Latency: latency},
		contestants: []contestant{ours(event, true, uninspected), bareLoop(true), sdk(true)},
	}, {
		name: "plan", what: count(c.uploads) + " uploads, listed only, 20 ms a page", keep: true,
		load:        workload{Uploads: c.uploads, Latency: latency},
		contestants: []contestant{planned},
	}, {
		name: "capped", what: count(c.uploads) + " uploads, aborting only, 20 ms, at most 3,500 aborts a second",
		load:        workload{Uploads: c.uploads, Latency: latency, Cap: 3500},
		contestants: []contestant{ours(event, false, uninspected)},
	}, {
		name: "inspected", what: count(c.uploads) + " uploads, each looked into, 20 ms, at most 3,500 aborts a second", look: true,
		load:        workload{Uploads: c.uploads, Latency: latency, Cap: 3500},
		contestants: []contestant{ours(event, false)},
	}, {
		name: "fair", what: "200 buckets of 500 uploads beside one of 100,000",
		load:        workload{Uploads: 100_000, Small: 200, Each: 500, Latency: latency},
		contestants: []contestant{ours(all, false, uninspected, buckets)},
	}, {
		name: "peers", what: "10,000 uploads, aborting only, 20 ms a request", others: true,
		load:        workload{Uploads: 10_000, Latency: latency},
		contestants: append([]contestant{ours(event, false, uninspected)}, peers()...),
	}, {
		name: "peers-plan", what: count(c.uploads) + " uploads, listed only, 20 ms a page", keep: true, others: true,
		load:        workload{Uploads: c.uploads, Latency: latency},
		contestants: append([]contestant{planned}, peers("--dry-run")...),
	}}
}

func (c config) run(ctx context.Context, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{self: self}
	folder, err := os.MkdirTemp("", "partsweep-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if b.bootstrap, err = build(ctx, folder, "functions/lambda"); err != nil {
		return err
	}
	var stop func()
	if b.url, stop, err = startServer(ctx, self); err != nil {
		return err
	}
	defer stop()
	confined, remove, err := confine(128)
	if err == nil {
		b.confined = confined
		defer remove()
	}
	if c.wants("cold", false) {
		if err := b.cold(ctx, folder, out); err != nil {
			return fmt.Errorf("cold: %w", err)
		}
	}
	for _, m := range c.measurements() {
		if !c.wants(m.name, m.others) {
			continue
		}
		if m.confined && b.confined == "" {
			fmt.Fprintf(out, "%s: %s\n  left out: no cgroup could be made here: %v\n\n", m.name, m.what, err)
			continue
		}
		if m.others {
			missing(out)
		}
		if err := c.measure(ctx, b, m, out); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func (c config) wants(name string, others bool) bool {
	return len(c.only) == 0 && !others || slices.Contains(c.only, name)
}

// measure runs all contestants in turns and prints their medians.
func (c config) measure(ctx context.Context, b *bench, m measurement, out io.Writer) error {
	costs := make([][]cost, len(m.contestants))
	for round := range c.rounds {
		for k := range m.contestants {
			i := (round + k) % len(m.contestants) // none is always the first
			who := m.contestants[i]
			say("%s: round %d of %d, %s", m.name, round+1, c.rounds, who.name)
			if err := b.reset(m.load); err != nil {
				return err
			}
			one, err := who.run(ctx, b, m.load)
			if err != nil {
				return fmt.Errorf("%s: %w", who.name, err)
			}
			if one.stats, err = b.stats(); err != nil {
				return err
			}
			if err := m.check(one.stats); err != nil {
				return fmt.Errorf("%s: %w", who.name, err)
			}
			costs[i] = append(costs[i], one)
		}
	}
	say("")
	fmt.Fprintf(out, "%s: %s; medians of %d\n", m.name, m.what, c.rounds)
	fmt.Fprintf(out, "  %-10s %8s %10s %8s %12s %8s %10s %10s %10s\n", "", "wall s", "requests", "CPU s", "us/request", "peak MB", "503s", "wall", "CPU")
	first := costs[0]
	for i, who := range m.contestants {
		of := func(f func(cost) float64) float64 { return median(costs[i], f) }
		fmt.Fprintf(out, "  %-10s %8.2f %10.0f %8.2f %12.0f %8.1f %9.2f%% %9.2fx %9.2fx\n", who.name,
			of(wall), of(func(c cost) float64 { return float64(c.requests()) }), of(cpu), of(perRequest),
			of(func(c cost) float64 { return float64(c.peak) / (1 << 20) }),
			of(func(c cost) float64 { return 100 * float64(c.Slow) / float64(max(c.requests(), 1)) }),
			of(wall)/median(first, wall), of(perRequest)/median(first, perRequest))
	}
	if len(m.contestants) > 1 {
		fmt.Fprintln(out, "  the last two columns: wall, and CPU a request, in times partsweep's")
	}
	m.remark(out, first)
	fmt.Fprintln(out)
	return nil
}

// check sees to it that the work was done, by what the server saw.
func (m measurement) check(s stats) error {
	total := int64(m.load.Uploads + m.load.Small*m.load.Each)
	switch {
	case s.List*pageSize < total:
		return fmt.Errorf("%d pages are not all of %d uploads", s.List, total)
	case m.keep && (s.Left != total || s.Abort > 0):
		return fmt.Errorf("%d uploads are left of %d, and none was to be aborted", s.Left, total)
	case !m.keep && s.Left != 0:
		return fmt.Errorf("%d uploads are left", s.Left)
	case m.look && s.Parts < total:
		return fmt.Errorf("%d uploads were looked into, of %d", s.Parts, total)
	}
	return nil
}

// say tells a person who sits there what goes on, in one line that the next one takes the place of.
func say(format string, args ...any) {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r\x1b[K"+format, args...)
	}
}

// remark prints what only some measurements have.
func (m measurement) remark(out io.Writer, ours []cost) {
	if m.load.Cap > 0 {
		limit := float64(m.load.Uploads-m.load.Cap/10) / float64(m.load.Cap)
		fmt.Fprintf(out, "  the cap alone takes %.2f s: %.3f times that\n", limit, median(ours, wall)/limit)
	}
	if m.load.Small > 0 {
		fmt.Fprintf(out, "  when half of the big bucket was gone, %.0f of %d uploads were left in the small ones\n",
			median(ours, func(c cost) float64 { return float64(c.Half) }), m.load.Small*m.load.Each)
	}
}

func wall(c cost) float64       { return c.wall.Seconds() }
func cpu(c cost) float64        { return c.cpu.Seconds() }
func perRequest(c cost) float64 { return float64(c.cpuPerRequest()) / 1000 }

func median(costs []cost, f func(cost) float64) float64 {
	sorted := slices.SortedFunc(func(yield func(float64) bool) {
		for _, c := range costs {
			if !yield(f(c)) {
				return
			}
		}
	}, cmp.Compare[float64])
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

// count writes a number with commas.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
