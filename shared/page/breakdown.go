// Package page shows a run to people: what was found, by service, bucket and prefix, by age and by reason, what it costs, and
// the largest and oldest uploads, as one page of HTML that needs nothing else.
//
// The figures are counted once, in a [Breakdown], which is also what programs get as JSON.
package page

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A Breakdown is what was found, counted in several ways. Its size does not grow with the number of uploads.
type Breakdown struct {
	Total    Row     `json:"total"`
	Services []Row   `json:"services"`
	Buckets  []Row   `json:"buckets"`
	Prefixes []Row   `json:"prefixes"` // of keys, up to the first slash
	Ages     []Row   `json:"ages"`     // since an upload was initiated
	Reasons  []Row   `json:"reasons"`
	Largest  []Entry `json:"largest"`
	Oldest   []Entry `json:"oldest"`
}

// A Row counts uploads that have something in common.
type Row struct {
	Name       string  `json:"name"`
	Uploads    int     `json:"uploads"`
	Bytes      int64   `json:"bytes"`      // in all of them, as far as they were looked at
	Stale      int     `json:"stale"`      // of them, those that were aborted or would be
	StaleBytes int64   `json:"staleBytes"` // in those
	MonthlyUSD float64 `json:"monthlyUSD"` // what those cost

	// How many were not looked at, of all of them and of the stale ones: their bytes are not in the figures.
	Unknown      int `json:"unknown,omitempty"`
	StaleUnknown int `json:"staleUnknown,omitempty"`
}

// An Entry is one upload.
type Entry struct {
	Upload     string     `json:"upload"` // in the notation
	Result     mpu.Result `json:"result"`
	Reason     mpu.Reason `json:"reason,omitempty"`
	Initiated  time.Time  `json:"initiated,omitzero"`
	LastActive time.Time  `json:"lastActive,omitzero"`
	Inspected  bool       `json:"inspected"` // its parts were looked at; without that, the figures below are 0 and mean nothing
	Parts      int        `json:"parts"`
	Bytes      int64      `json:"bytes"`
	MonthlyUSD float64    `json:"monthlyUSD"`
}

const (
	mostRows    = 500 // of one kind; the rest is counted together
	mostEntries = 100
	others      = "(others)"
)

// Size is the bytes of all of them, as people read it.
func (r Row) Size() string { return known(r.Bytes, r.Unknown) }

// StaleSize is the bytes of the stale ones, as people read it.
func (r Row) StaleSize() string { return known(r.StaleBytes, r.StaleUnknown) }

// Cost is what the stale ones cost a month, as people read it.
func (r Row) Cost() string { return r.cost(Money) }

// ShortCost is the same for a column of amounts.
func (r Row) ShortCost() string { return r.cost(cents) }

func (r Row) cost(write func(float64) string) string {
	if r.MonthlyUSD == 0 && r.StaleUnknown > 0 {
		return "unknown"
	}
	return write(r.MonthlyUSD)
}

// known writes a size, unless it is 0 for want of a look.
func known(bytes int64, unknown int) string {
	if bytes == 0 && unknown > 0 {
		return "unknown"
	}
	return Size(bytes)
}

// A Collector counts outcomes as they happen. It is safe for use by many goroutines.
type Collector struct {
	now   time.Time
	price func(store string) float64 // USD a GB and month

	mu                                        sync.Mutex
	total                                     Row
	services, buckets, prefixes, ages, reason map[string]*Row
	largest, oldest                           []Entry
}

// NewCollector returns a collector. Ages count until now; price is what a GB (2^30 bytes) costs a month at a service in USD.
func NewCollector(now time.Time, price func(store string) float64) *Collector {
	return &Collector{now: now, price: price, services: map[string]*Row{}, buckets: map[string]*Row{}, prefixes: map[string]*Row{},
		ages: map[string]*Row{}, reason: map[string]*Row{}}
}

// Add counts an outcome.
func (c *Collector) Add(o mpu.Outcome) {
	u := o.Upload
	cost := float64(o.Bytes) / (1 << 30) * c.price(u.Bucket.Store)
	bucket := u.Bucket.Store + "://" + u.Bucket.Name
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, row := range []*Row{&c.total, rowOf(c.services, u.Bucket.Store), rowOf(c.buckets, bucket), rowOf(c.prefixes, bucket+"/"+prefixOf(u)),
		rowOf(c.ages, ageOf(u.Initiated, c.now)), rowOf(c.reason, why(o))} {
		row.add(o, cost)
	}
	e := Entry{Result: o.Result, Reason: o.Reason, Initiated: u.Initiated.UTC(), LastActive: o.LastActive.UTC(), Inspected: o.Inspected, Parts: o.Parts, Bytes: o.Bytes, MonthlyUSD: cost}
	if o.Bytes > 0 {
		c.largest = keep(c.largest, e, u, func(a, b Entry) int { return cmp.Compare(b.Bytes, a.Bytes) })
	}
	if !u.Initiated.IsZero() {
		c.oldest = keep(c.oldest, e, u, func(a, b Entry) int { return a.Initiated.Compare(b.Initiated) })
	}
}

// keep puts an entry among the first ones. Its name is made only if it is one of them.
func keep(list []Entry, e Entry, u mpu.Upload, order func(a, b Entry) int) []Entry {
	i, _ := slices.BinarySearchFunc(list, e, func(a, b Entry) int {
		if c := order(a, b); c != 0 {
			return c
		}
		return -1 // behind its equals
	})
	if i == mostEntries {
		return list
	}
	e.Upload = u.String()
	list = slices.Insert(list, i, e)
	return list[:min(len(list), mostEntries)]
}

func rowOf(rows map[string]*Row, name string) *Row {
	if r := rows[name]; r != nil {
		return r
	}
	if len(rows) >= mostRows {
		name = others
	}
	if rows[name] == nil {
		rows[name] = &Row{Name: name}
	}
	return rows[name]
}

func (r *Row) add(o mpu.Outcome, cost float64) {
	r.Uploads++
	r.Bytes += o.Bytes
	if !o.Inspected {
		r.Unknown++
	}
	if o.Result == mpu.ResultPlanned || o.Result == mpu.ResultAborted {
		r.Stale++
		r.StaleBytes += o.Bytes
		if !o.Inspected {
			r.StaleUnknown++
		}
		r.MonthlyUSD += cost
	}
}

// prefixOf is a key's beginning up to its first slash.
func prefixOf(u mpu.Upload) string {
	if i := strings.IndexByte(u.Key, '/'); i >= 0 && !mpu.ByMediaID(u.Bucket.Store) {
		return u.Key[:i+1]
	}
	return ""
}

var ages = []struct {
	below time.Duration
	name  string
}{
	{24 * time.Hour, "less than a day"}, {7 * 24 * time.Hour, "1 to 7 days"}, {28 * 24 * time.Hour, "1 to 4 weeks"},
	{91 * 24 * time.Hour, "1 to 3 months"}, {365 * 24 * time.Hour, "3 to 12 months"}, {1<<63 - 1, "more than a year"},
}

const unknownAge = "unknown"

func ageOf(initiated, now time.Time) string {
	if initiated.IsZero() {
		return unknownAge
	}
	for _, a := range ages {
		if now.Sub(initiated) < a.below {
			return a.name
		}
	}
	return unknownAge
}

// why is the reason for what became of an upload, or the result where that says more.
func why(o mpu.Outcome) string {
	if o.Result == mpu.ResultKept {
		return "kept, " + string(o.Reason)
	}
	return string(o.Result)
}

// Breakdown returns what has been counted until now.
func (c *Collector) Breakdown() Breakdown {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := Breakdown{Total: c.total, Ages: []Row{}, Largest: append([]Entry{}, c.largest...), Oldest: append([]Entry{}, c.oldest...),
		Services: rows(c.services), Buckets: rows(c.buckets), Prefixes: rows(c.prefixes), Reasons: rows(c.reason)}
	b.Total.Name = "all"
	for _, a := range append(slices.Clone(ages), struct {
		below time.Duration
		name  string
	}{0, unknownAge}) {
		if r := c.ages[a.name]; r != nil {
			b.Ages = append(b.Ages, *r)
		}
	}
	return b
}

// rows returns the rows with the most stale bytes first.
func rows(m map[string]*Row) []Row {
	list := make([]Row, 0, len(m))
	for _, r := range m {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.StaleBytes, a.StaleBytes), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Uploads, a.Uploads), cmp.Compare(a.Name, b.Name))
	})
	return list
}
