package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/page"
	"github.com/partsweep/partsweep/shared/store"
)

// progress says how far a long run has come: on a terminal in one line that is written over, elsewhere in a line now and then.
// What is done in a second says nothing.
type progress struct {
	out    io.Writer
	width  int // of the terminal, 0 if it is none
	total  int // uploads, 0 if nobody knows
	silent bool
	began  time.Time
	stop   chan struct{}
	ended  sync.WaitGroup

	pages, inspected, throttled   atomic.Int64
	found, aborted, planned, kept atomic.Int64
	bytes                         atomic.Int64
}

const (
	firstWord  = time.Second
	everyFrame = 200 * time.Millisecond // on a terminal
	everyLine  = 10 * time.Second       // elsewhere
)

func newProgress(out io.Writer, total int, silent bool) *progress {
	p := &progress{out: out, total: total, silent: silent, began: time.Now(), stop: make(chan struct{})}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.width = 80
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			p.width = w
		}
	}
	return p
}

// layer counts requests as they come back.
func (p *progress) layer(next store.Send) store.Send {
	return func(ctx context.Context, c store.Call) error {
		err := next(ctx, c)
		if e, ok := errors.AsType[*mpu.Error](err); ok &&
			(e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests || e.RetryAfter > 0) {
			p.throttled.Add(1)
		}
		switch {
		case err != nil:
		case c.Op == store.ListUploads:
			p.pages.Add(1)
		case c.Op == store.ListParts:
			p.inspected.Add(1)
		}
		return err
	}
}

// add counts an outcome.
func (p *progress) add(o mpu.Outcome) {
	p.found.Add(1)
	switch o.Result {
	case mpu.ResultAborted:
		p.aborted.Add(1)
		p.bytes.Add(o.Bytes)
	case mpu.ResultPlanned:
		p.planned.Add(1)
		p.bytes.Add(o.Bytes)
	case mpu.ResultKept:
		p.kept.Add(1)
	}
}

func (p *progress) start() {
	if p.silent {
		return
	}
	every := everyLine
	if p.width > 0 {
		every = everyFrame
	}
	p.ended.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case now := <-tick.C:
				if now.Sub(p.began) >= firstWord {
					p.write(now)
				}
			}
		}
	})
}

// end wipes the line, so that what is written next stands where it was.
func (p *progress) end() {
	close(p.stop)
	p.ended.Wait()
	if p.width > 0 && !p.silent {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func (p *progress) write(now time.Time) {
	line := p.line(now.Sub(p.began))
	if p.width == 0 {
		fmt.Fprintln(p.out, line)
		return
	}
	fmt.Fprint(p.out, "\r\x1b[K", line[:min(len(line), p.width-1)])
}

// line says in words how far it is after so much time, in as many as fit on the terminal.
func (p *progress) line(after time.Duration) string {
	var parts []string
	add := func(n int64, what string) {
		if n > 0 {
			parts = append(parts, page.Count(int(n))+" "+what)
		}
	}
	add(p.pages.Load(), "pages")
	add(p.found.Load(), "found")
	add(p.inspected.Load(), "inspected")
	add(p.planned.Load(), "stale")
	add(p.aborted.Load(), "aborted")
	add(p.kept.Load(), "kept")
	if n := p.bytes.Load(); n > 0 {
		parts = append(parts, page.Size(n))
	}
	found := p.found.Load()
	if rate := float64(found) / after.Seconds(); rate >= 1 {
		parts = append(parts, page.Count(int(rate))+"/s")
		if left := int64(p.total) - found; p.total > 0 && left > 0 {
			parts = append(parts, fmt.Sprintf("%s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second)))
		}
	}
	add(p.throttled.Load(), "times told to slow down")
	if len(parts) == 0 {
		return fmt.Sprintf("waiting for the first answer, %s", after.Round(time.Second))
	}
	line := strings.Join(parts, ", ")
	for p.width > 0 && len(line) >= p.width && len(parts) > 1 { // what says least stands first
		parts = parts[1:]
		line = strings.Join(parts, ", ")
	}
	return line
}
