package janitor

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// sweep lists, and hands what passes the cheap test to the workers, all at the same time.
//
// A listing that is known to leave uploads out shows more of them once those in front are gone, so it is read again for
// as long as that helps. So is one by a foreign service, of which nobody knows what it leaves out: from the start, until a
// pass aborts nothing. From the second pass on every abort is verified, so that an upload which survives its abort is a
// failure and not progress.
func (j *job) sweep() {
	after, foreign := j.request.After, j.store.Foreign()
	for {
		before := j.aborted.Load()
		place, err := j.pass(after)
		j.passes++
		helped := j.aborted.Load() > before || foreign && !after.IsZero() && j.apply // a plan would count all of it again
		if err == nil && helped && (foreign || place.incomplete != "") && j.failures.few() {
			if foreign {
				after = mpu.Marker{} // not every service finds its way back to a marker whose upload is gone
			}
			continue
		}
		if place.incomplete != "" {
			j.report.Note(j.request.Bucket.String() + ": " + place.incomplete)
		}
		j.finish(place, err)
		return
	}
}

// pass reads the listing once, from a marker on.
func (j *job) pass(after mpu.Marker) (*progress, error) {
	crew := &crew{job: j, work: make(chan item), most: orDefault(j.Workers, DefaultWorkers)}
	place := &progress{next: after}
	err := j.list(crew, place)
	close(crew.work)
	crew.workers.Wait()
	return place, err
}

// A crew are the workers of one pass. There are no more of them than there is work for.
type crew struct {
	job     *job
	work    chan item
	workers sync.WaitGroup
	hired   int
	most    int
}

// give hands an upload to a worker, and reports false if the job stops before one takes it.
func (c *crew) give(it item) bool {
	select {
	case c.work <- it:
		return true
	case <-c.job.giveUp.Done():
		return false
	default:
	}
	if c.mayHire() {
		c.hired++
		c.job.hired.Add(1)
		c.workers.Go(func() {
			defer c.job.hired.Add(-1)
			for it := range c.work {
				it.page.done(c.job.handle(it.upload))
			}
		})
	}
	select {
	case c.work <- it:
		return true
	case <-c.job.giveUp.Done():
		return false
	}
}

// mayHire reports whether there may be one more worker: the requests in hand share as many as one alone would have, and each
// has its part of them, whatever the others took first. A worker that only waits costs its stack.
func (c *crew) mayHire() bool {
	return c.hired < max(1, c.most/sideBySide) || c.hired < c.most && int(c.job.hired.Load()) < c.most
}

type item struct {
	upload mpu.Upload
	page   *openPage
}

// list reads pages until the listing ends or the job stops, and returns what ended it early.
func (j *job) list(crew *crew, place *progress) error {
	prefix := j.request.Prefix
	if j.request.Key != "" {
		prefix = j.request.Key
	}
	for page, err := range ahead(j.store.Pages(j.giveUp, j.request.Bucket, prefix, place.next)) {
		if err != nil {
			return err
		}
		if page.Incomplete != "" {
			place.incomplete = page.Incomplete
		}
		open := place.open(page)
		for i, u := range page.Uploads {
			if j.request.Key != "" && u.Key != j.request.Key {
				continue // the listing is by prefix
			}
			j.found = true
			if j.failures.has(u) {
				continue // once a run is enough
			}
			if d, young := tooYoung(u, j.before); young {
				j.record(kept(d))
				continue
			}
			open.add()
			if !crew.give(item{u, open}) {
				open.done(false)
				j.postpone(page.Uploads[i:])
				return context.Cause(j.giveUp)
			}
		}
	}
	place.end()
	return nil
}

// postpone counts what was listed and will not be looked at in this run.
func (j *job) postpone(us []mpu.Upload) {
	for _, u := range us {
		if j.request.Key == "" || u.Key == j.request.Key {
			j.record(mpu.Outcome{Upload: u, Result: mpu.ResultDeferred})
		}
	}
}

// finish says how a sweep ended: done, stopped by a brake with a rest to go on with, or failed.
func (j *job) finish(place *progress, err error) {
	cause := context.Cause(j.giveUp)
	switch {
	case errors.Is(cause, errTooManyDenied):
		j.failRequest(j.task, j.request, cause)
		return
	case err != nil && cause == nil:
		j.failRequest(j.task, j.request, err)
		return
	}
	after, left := place.rest()
	if !left {
		if j.named && !j.found {
			j.record(mpu.Outcome{Upload: j.upload(), Result: mpu.ResultGone})
		}
		return
	}
	if errors.Is(cause, errCapped) {
		j.report.Note(fmt.Sprintf("%s: stopped, %v (%d)", j.request.Bucket, cause, orDefault(j.MaxAborts, DefaultMaxAborts)))
	} else if cause != nil {
		j.report.Note(j.whyStopped(cause))
	}
	rest := j.request
	if !j.named {
		rest.After = after
	}
	j.leave(rest)
}

// whyStopped says what ended a request early.
func (j *job) whyStopped(cause error) string {
	if errors.Is(cause, errCapped) || errors.Is(cause, errStopped) {
		return fmt.Sprintf("%s: stopped, %v", j.request.Bucket, cause)
	}
	return fmt.Sprintf("%s: stopped, the time was up", j.request.Bucket)
}

// progress knows where a listing would have to go on for nothing to be lost: at the first page that has an upload which
// was not worked off. It holds only the pages that are still open.
type progress struct {
	mu         sync.Mutex
	pages      []*openPage
	next       mpu.Marker // where the page after the newest begins
	ended      bool
	incomplete string // why the listing is known to leave uploads out
}

type openPage struct {
	progress *progress
	after    mpu.Marker
	waiting  int
	left     bool // something on it is left to do
}

// open takes a page on, and forgets those before it that are finished.
func (p *progress) open(page store.Page) *openPage {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.pages) > 0 && p.pages[0].waiting == 0 && !p.pages[0].left {
		p.pages = p.pages[1:]
	}
	o := &openPage{progress: p, after: page.After}
	p.pages = append(p.pages, o)
	p.next, p.ended = page.Next, !page.More
	return o
}

func (o *openPage) add() {
	o.progress.mu.Lock()
	defer o.progress.mu.Unlock()
	o.waiting++
}

func (o *openPage) done(finished bool) {
	o.progress.mu.Lock()
	defer o.progress.mu.Unlock()
	o.waiting--
	o.left = o.left || !finished
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

// rest returns where to go on, and false if there is nothing left.
func (p *progress) rest() (mpu.Marker, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.pages {
		if o.left {
			return o.after, true
		}
	}
	return p.next, !p.ended
}
