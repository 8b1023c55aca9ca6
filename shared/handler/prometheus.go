package handler

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/trigger"
)

// counters add up what this process has done, for Prometheus. A bucket, a key or an upload ID is no label, since each value
// of one is a time series. The vendor's client library would make every function larger by a third, for these few lines.
type counters struct {
	mu         sync.Mutex
	stores     map[string]*janitor.Totals
	oldest     map[string]time.Time // of the last run: when the oldest upload that it kept was initiated
	done, left int                  // runs that left nothing to do, and that did
	last       time.Time
}

func (c *counters) add(r *Report, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stores == nil {
		c.stores, c.oldest = map[string]*janitor.Totals{}, map[string]time.Time{}
	}
	for name, t := range r.Services {
		if c.stores[name] == nil {
			c.stores[name] = &janitor.Totals{}
		}
		c.stores[name].Add(*t)
		c.oldest[name] = t.OldestKept
	}
	if r.Err() == nil {
		c.done++
	} else {
		c.left++
	}
	c.last = now
}

// write writes the counters in the text format ("Exposition formats", prometheus.io/docs/instrumenting).
func (c *counters) write(w io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	family := func(name, kind, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", name, help, kind) }
	family("partsweep_runs_total", "counter", "Runs, by whether they left something to do.")
	fmt.Fprintf(w, "partsweep_runs_total{result=\"done\"} %d\npartsweep_runs_total{result=\"unfinished\"} %d\n", c.done, c.left)
	if !c.last.IsZero() {
		family("partsweep_last_run_timestamp_seconds", "gauge", "When the last run ended.")
		fmt.Fprintf(w, "partsweep_last_run_timestamp_seconds %d\n", c.last.Unix())
	}
	stores := slices.Sorted(maps.Keys(c.stores))
	if len(stores) == 0 {
		return
	}
	family("partsweep_uploads_total", "counter", "Multipart uploads found, by what became of them.")
	for _, name := range stores {
		t := c.stores[name]
		for _, v := range []struct {
			result string
			n      int
		}{{"aborted", t.Aborted}, {"planned", t.Planned}, {"gone", t.Gone}, {"failed", t.Failed}, {"deferred", t.Deferred}} {
			fmt.Fprintf(w, "partsweep_uploads_total{store=%q,result=%q} %d\n", name, v.result, v.n)
		}
		for _, reason := range slices.Sorted(maps.Keys(t.KeptBy)) {
			fmt.Fprintf(w, "partsweep_uploads_total{store=%q,result=%q} %d\n", name, "kept, "+string(reason), t.KeptBy[reason])
		}
	}
	family("partsweep_bytes_total", "counter", "Bytes in the parts of uploads that were aborted (freed) or would have been (planned).")
	for _, name := range stores {
		t := c.stores[name]
		fmt.Fprintf(w, "partsweep_bytes_total{store=%q,result=\"freed\"} %d\n", name, t.BytesFreed)
		fmt.Fprintf(w, "partsweep_bytes_total{store=%q,result=\"planned\"} %d\n", name, t.BytesPlanned)
	}
	family("partsweep_oldest_kept_timestamp_seconds", "gauge", "When the oldest upload that the last run kept was initiated.")
	for _, name := range stores {
		if oldest := c.oldest[name]; !oldest.IsZero() {
			fmt.Fprintf(w, "partsweep_oldest_kept_timestamp_seconds{store=%q} %d\n", name, oldest.Unix())
		}
	}
}

// serveMetrics answers a scrape by whoever might ask for work too.
func (h *Handler) serveMetrics(w http.ResponseWriter, r *http.Request) {
	web := &trigger.HTTPRequest{Platform: h.platform.Name, Method: r.Method, Path: r.URL.Path, Header: r.Header}
	if err := h.checkCaller(web); err != nil {
		write(w, h.refuseHTTP(web, err))
		return
	}
	var text bytes.Buffer // or a slow reader would hold up the runs
	h.counters.write(&text)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	text.WriteTo(w)
}
