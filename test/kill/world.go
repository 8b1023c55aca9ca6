package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/test/runtimes"
	"github.com/partsweep/partsweep/test/sandbox"
	"github.com/partsweep/partsweep/test/transcript"
)

type config struct {
	kills, uploads int
	seed           uint64
}

// build builds the Lambda function.
func build(ctx context.Context) (binary string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "partsweep-kill-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	binary = filepath.Join(dir, "bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-o", binary, "github.com/partsweep/partsweep/functions/lambda")
	if out, err := cmd.CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("build the function: %w\n%s", err, out)
	}
	return binary, remove, nil
}

const (
	bucketName = "media"
	old        = 10 * 24 * time.Hour
)

// A world is a sandbox with stale uploads, live ones between them, a finished object and a bucket of somebody else's.
type world struct {
	*sandbox.Sandbox
	dice *rand.Rand

	mu      sync.Mutex
	stale   map[string]bool // by upload ID
	live    map[string]bool
	aborted map[string]int // by upload ID, as the sandbox saw it
	result  *result
	killed  atomic.Int64
}

// A result is what came of it.
type result struct {
	kills, runs, aborted, logged int
	more                         []string // what else there is to say
	wrong                        []string
}

// String is for people.
func (r *result) String() string {
	s := fmt.Sprintf("%d kills, %d runs, %d aborts carried out, %d of them logged", r.kills, r.runs, r.aborted, r.logged)
	for _, m := range r.more {
		s += "\n  " + m
	}
	if len(r.wrong) == 0 {
		return s + "\n  right: all stale uploads are gone, no live one was touched, nothing was claimed that was not done"
	}
	return s + fmt.Sprintf("\n  WRONG, %d times:\n    %s", len(r.wrong), strings.Join(r.wrong[:min(len(r.wrong), 20)], "\n    "))
}

func (r *result) complain(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

func newWorld(c config) (*world, error) {
	w := &world{dice: rand.New(rand.NewPCG(c.seed, 7)), stale: map[string]bool{}, live: map[string]bool{}, aborted: map[string]int{}, result: &result{}}
	s, err := sandbox.Start(sandbox.Options{Observe: w.observe, MaxPage: 200})
	if err != nil {
		return nil, err
	}
	w.Sandbox = s
	for _, b := range []string{bucketName, "others"} {
		w.CreateBucket(sandbox.S3, b, "eu-west-1")
	}
	for i := range c.uploads {
		w.stale[w.begin(fmt.Sprintf("raw/%06d.bin", i/2), old)] = true
		if i%10 == 0 {
			w.live[w.begin(fmt.Sprintf("raw/%06d.bin", i/2), time.Hour)] = true
			slow := w.begin(fmt.Sprintf("slow/%06d.bin", i), old)
			w.AddPart(sandbox.S3, bucketName, fmt.Sprintf("slow/%06d.bin", i), slow, part(2, time.Minute))
			w.live[slow] = true
		}
	}
	w.Complete(sandbox.S3, bucketName, "done.bin", w.begin("done.bin", old))
	w.Seed(sandbox.S3, "others", "theirs.bin", time.Now().Add(-old), part(1, old))
	return w, nil
}

func part(n int, age time.Duration) sandbox.Part {
	return sandbox.Part{Number: n, Size: 1 << 20, Modified: time.Now().Add(-age)}
}

func (w *world) begin(key string, age time.Duration) string {
	return w.Seed(sandbox.S3, bucketName, key, time.Now().Add(-age), part(1, age))
}

func (w *world) observe(h sandbox.Happening) {
	if h.What == sandbox.Aborted {
		w.mu.Lock()
		w.aborted[h.UploadID]++
		w.mu.Unlock()
	}
}

// disturb lets the sandbox be slow and fail now and then.
func (w *world) disturb(seed uint64) {
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(seed, 8))
	one := func(perMille int, f sandbox.Fault) {
		f.When = func(sandbox.Target) bool {
			mu.Lock()
			defer mu.Unlock()
			return dice.IntN(1000) < perMille
		}
		w.Script(f)
	}
	one(2, sandbox.Fault{Code: "SlowDown"})
	one(2, sandbox.Fault{CutAfter: true})
	one(2, sandbox.Fault{Cut: true})
	one(5, sandbox.Fault{LandPart: 9, Op: sandbox.OpAbort})
	one(50, sandbox.Fault{Latency: 2 * time.Millisecond})
}

// check compares the buckets with what should be in them.
func (w *world) check() {
	left := map[string]bool{}
	for _, u := range w.Uploads(sandbox.S3, bucketName) {
		left[u.UploadID] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.result
	r.kills, r.aborted = int(w.killed.Load()), len(w.aborted)
	for id := range w.stale {
		// Where a part landed behind the abort of an upload that is long dead, the next run but one removes it.
		if left[id] && w.aborted[id] == 0 {
			r.complain("lost: %s was never aborted", id)
		}
	}
	for id := range w.live {
		if !left[id] || w.aborted[id] > 0 {
			r.complain("%s is alive and was touched", id)
		}
	}
	if objects := w.Objects(sandbox.S3, bucketName); !slices.Equal(objects, []string{"done.bin"}) {
		r.complain("objects %q, want done.bin", objects)
	}
	if others := w.Uploads(sandbox.S3, "others"); len(others) != 1 {
		r.complain("another bucket has %d uploads, want 1", len(others))
	}
}

// A process is one life of the function.
type process struct {
	world *world
	cmd   *exec.Cmd
	host  *runtimes.Lambda
	out   bytes.Buffer // read it only when the process has ended
	dead  atomic.Bool
}

var role = runtimes.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey, SessionToken: sandbox.SessionToken}

// start starts the function.
func (w *world) start(binary string, environ ...string) (*process, error) {
	host, err := runtimes.StartLambda()
	if err != nil {
		return nil, err
	}
	p := &process{world: w, host: host, cmd: exec.Command(binary)}
	p.cmd.Env = append(append(host.Environ(role), "PARTSWEEP_MODE=apply", "PARTSWEEP_BUCKETS=s3://"+bucketName,
		"PARTSWEEP_S3_ENDPOINT="+w.URL(sandbox.S3), "PARTSWEEP_S3_PATH_STYLE=true", "PARTSWEEP_CONCURRENCY=16"), environ...)
	p.cmd.Stdout = transcript.To(&p.out, "kill")
	p.cmd.Stderr = p.cmd.Stdout
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		host.Close()
		return nil, err
	}
	w.result.runs++
	return p, nil
}

// kill is SIGKILL. What the process has already asked for may still be carried out.
func (p *process) kill() {
	if !p.dead.Swap(true) {
		p.world.killed.Add(1)
		p.cmd.Process.Kill()
	}
}

// end ends the process if it still runs, and reads what it wrote: no upload may be logged as aborted twice, nor one that
// was not.
func (p *process) end() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.host.Close()
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := map[string]bool{}
	for line := range lines(p.out.Bytes()) {
		if line.Msg != string(mpu.ResultAborted) {
			continue
		}
		r, err := mpu.Parse(line.Target)
		switch {
		case err != nil:
			w.result.complain("the log names %q: %v", line.Target, err)
		case seen[r.UploadID]:
			w.result.complain("one run reports %s freed twice", r.UploadID)
		case w.aborted[r.UploadID] == 0:
			w.result.complain("%s is reported freed, and was not", r.UploadID)
		}
		seen[r.UploadID] = true
		w.result.logged++
	}
}

// A logLine is what is read of a line of the log.
type logLine struct {
	Msg, Target string
	Report      struct{ Rest []string }
}

// lines yields the whole lines of a log. A kill may leave half of one.
func lines(out []byte) func(yield func(logLine) bool) {
	return func(yield func(logLine) bool) {
		for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
			var l logLine
			if json.Unmarshal(s.Bytes(), &l) == nil && !yield(l) {
				return
			}
		}
	}
}

// aim scripts when the process is to die: before its n-th request is carried out, after that and before the answer leaves,
// or after some time.
func (w *world) aim(p *process, n int) (remove func()) {
	switch w.dice.IntN(3) {
	case 0:
		return w.Script(sandbox.Fault{Skip: n, Times: 1, Do: p.kill})
	case 1:
		return w.Script(sandbox.Fault{Skip: n, Times: 1, Mangle: func(_ int, b []byte) []byte { p.kill(); return b }})
	}
	timer := time.AfterFunc(time.Duration(w.dice.IntN(60*n+1))*time.Microsecond*10, p.kill)
	return func() { timer.Stop() }
}
