package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/partsweep/partsweep/test/runtimes"
	"github.com/partsweep/partsweep/test/transcript"
)

const (
	startTime = 30 * time.Second // for a process to ask for its first event
	callTime  = 5 * time.Minute  // for a call that says nothing else
	pipeTime  = 5 * time.Second  // for its output to end behind it
)

// A process is one life of the function. It starts in an empty folder of its own, which is also its home and where it may
// put temporary files; so nothing that the one before left could help it or stand in its way.
type process struct {
	world  *world
	host   runtimes.Host
	cmd    *exec.Cmd
	home   string
	log    *log
	errors bytes.Buffer           // read it only when the process has ended
	killed atomic.Pointer[string] // what it was killed at
	alive  context.Context        // ends with the process, and says why
}

// start starts the function.
func (w *world) start(settings []string) (*process, error) {
	host, err := w.platform.host()
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp(w.binaries, "home-")
	if err != nil {
		return nil, errors.Join(err, host.Close())
	}
	p := &process{world: w, host: host, home: home, log: &log{world: w, seen: map[string]bool{}},
		cmd: exec.Command(filepath.Join(w.binaries, w.platform.name))}
	p.cmd.Dir = home
	p.cmd.Env = append(append(append(host.Environ(role), w.platform.settings(w.Sandbox)...), "HOME="+home, "TMPDIR="+home), settings...)
	p.cmd.Stdout, p.cmd.Stderr = transcript.To(p.log, "kill"), transcript.To(&p.errors, "kill")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	p.cmd.WaitDelay = pipeTime
	w.mu.Lock()
	clear(w.fresh)
	w.mu.Unlock()
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, host.Close())
	}
	p.watch()
	ctx, cancel := context.WithTimeout(p.alive, startTime)
	defer cancel()
	if err := host.Ready(ctx); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// watch waits for the process to end.
func (p *process) watch() {
	alive, died := context.WithCancelCause(context.Background())
	p.alive = alive
	go func() {
		err := cmp.Or(p.cmd.Wait(), errors.New("exit status 0"))
		died(fmt.Errorf("the process ended: %w\n%s", err, &p.errors))
	}()
}

// kill is SIGKILL, at what the process is doing. It returns when the process is dead; what that has asked for may still be
// carried out.
func (p *process) kill(what string) {
	if p.alive.Err() == nil && p.killed.CompareAndSwap(nil, &what) {
		p.cmd.Process.Kill()
	}
	<-p.alive.Done()
}

// end ends the process if it still runs, and sees what it left.
func (p *process) end() error {
	if p.alive.Err() != nil && p.killed.Load() == nil {
		p.world.complain("a run ended by itself: %v", context.Cause(p.alive))
	}
	p.cmd.Process.Kill()
	<-p.alive.Done()
	p.count()
	if group := -p.cmd.Process.Pid; syscall.Kill(group, syscall.SIGKILL) == nil {
		p.world.complain("a run left a process behind")
	}
	left, err := os.ReadDir(p.home)
	if len(left) > 0 {
		p.world.complain("a run left %q behind", left)
	}
	return errors.Join(err, os.RemoveAll(p.home), p.host.Close())
}

// count counts the kill.
func (p *process) count() {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	w.result.runs++
	if what := p.killed.Load(); what != nil {
		w.result.kills[*what]++
		if len(w.fresh) == 0 {
			w.result.idle++
		}
	}
}

// A call is an event that is handed to one life of the function.
type call struct {
	event    []byte
	settings []string
	limit    time.Duration                  // the platform's deadline, callTime where it is 0
	aim      func(p *process) (miss func()) // has it killed; nil for nothing of the kind
	faults   []disturbance
}

// An ending is how a call ended.
type ending string

const (
	done ending = "nothing is left to do"
	left ending = "something is left to do"
	dead ending = "it was killed before it answered"
)

// An answer is what came of a call.
type answer struct {
	ending ending
	body   []byte
	rest   []string // of its report
}

// call starts the function, hands it an event, and ends it.
func (w *world) call(ctx context.Context, c call) (a answer, err error) {
	p, err := w.start(c.settings)
	if err != nil {
		return a, err
	}
	defer func() {
		err = errors.Join(err, p.end())
		a.rest = p.log.rest
	}()
	if c.aim != nil {
		defer c.aim(p)()
	}
	defer w.disturb(c.faults...)()
	call, cancel := context.WithCancelCause(p.alive)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(ctx.Err()) })()
	limit := cmp.Or(c.limit, callTime)
	a.body, err = p.host.Invoke(call, c.event, runtimes.Call{Timeout: limit, Credentials: role})
	var said *runtimes.FunctionError
	switch {
	case ctx.Err() != nil:
		return a, ctx.Err()
	case err == nil:
		a.ending = done
		return a, nil
	case errors.As(err, &said):
		a.ending = left
		return a, nil
	case c.limit > 0:
		p.kill("the deadline")
	case p.killed.Load() == nil:
		return a, err
	}
	a.ending = dead
	return a, nil
}
