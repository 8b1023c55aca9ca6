package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
)

type config struct {
	kills, uploads int
	seed           uint64
}

const (
	old      = 10 * 24 * time.Hour
	partSize = 1 << 20
	landSize = 9  // of a part that lands behind an abort
	mostPage = 50 // uploads a page
)

// A world is a bucket with stale uploads, live ones between them and a finished object, a bucket of somebody else's, and
// the function that sweeps the first.
type world struct {
	*sandbox.Sandbox
	platform platform
	config   config
	binaries string            // folder
	dice     *rand.Rand        // of the one goroutine that runs the trial
	stale    map[string]string // key by upload ID
	live     map[string]int    // parts by upload ID
	theirs   string            // upload ID in the bucket of somebody else's
	began    time.Time

	mu      sync.Mutex
	odds    *rand.Rand
	aborted map[string]int  // aborts carried out by upload ID, whatever the bucket
	claimed map[string]int  // lines of the log that say so
	fresh   map[string]bool // aborted since the present process was started
	result  *result
}

func newWorld(p platform, c config, binaries string) (*world, error) {
	w := &world{platform: p, config: c, binaries: binaries, began: time.Now(),
		dice: rand.New(rand.NewPCG(c.seed, 7)), odds: rand.New(rand.NewPCG(c.seed, 8)),
		stale: map[string]string{}, live: map[string]int{}, aborted: map[string]int{}, claimed: map[string]int{},
		fresh: map[string]bool{}, result: &result{kills: map[string]int{}}}
	// S3 accepts the abort of an upload for hours after it was aborted.
	quirks := sandbox.Quirks{AbortsAlways: p.service == sandbox.S3}
	s, err := sandbox.Start(sandbox.Options{Observe: w.observe, MaxPage: mostPage, Quirks: quirks})
	if err != nil {
		return nil, err
	}
	w.Sandbox = s
	w.fill()
	return w, nil
}

// fill fills the buckets. A fifth of the keys with stale uploads have a young one too, so that they share a key, and nothing
// but its beginning says that it lives. As many uploads are old and slow, and nothing but their last part says so.
func (w *world) fill() {
	p := w.platform
	for _, b := range []string{p.bucket, p.others()} {
		w.CreateBucket(p.service, b, p.region)
	}
	for i := range w.config.uploads {
		key := fmt.Sprintf("raw/%06d.bin", i/2)
		w.stale[w.begin(key, old)] = key
		if i%10 != 0 {
			continue
		}
		w.live[w.Seed(p.service, p.bucket, key, time.Now().Add(-time.Hour))] = 0
		slow := fmt.Sprintf("slow/%06d.bin", i)
		id := w.begin(slow, old)
		w.AddPart(p.service, p.bucket, slow, id, part(2, time.Minute))
		w.live[id] = 2
	}
	w.Complete(p.service, p.bucket, "done.bin", w.begin("done.bin", old))
	w.theirs = w.Seed(p.service, p.others(), "theirs.bin", time.Now().Add(-old), part(1, old))
}

func part(n int, age time.Duration) sandbox.Part {
	return sandbox.Part{Number: n, Size: partSize, Modified: time.Now().Add(-age)}
}

// begin begins an upload with one part, both of them so old.
func (w *world) begin(key string, age time.Duration) (uploadID string) {
	return w.Seed(w.platform.service, w.platform.bucket, key, time.Now().Add(-age), part(1, age))
}

func (w *world) observe(h sandbox.Happening) {
	if h.What != sandbox.Aborted {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.aborted[h.UploadID]++
	w.fresh[h.UploadID] = true
}

func (w *world) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.result.complain(format, args...)
}

// disturb lets the sandbox be slow and fail now and then. The faults come after those that were scripted before.
func (w *world) disturb(faults ...disturbance) (remove func()) {
	var removes []func()
	for _, d := range faults {
		d.fault.When = func(sandbox.Target) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.odds.IntN(1000) < d.perMille
		}
		removes = append(removes, w.Script(d.fault))
	}
	return func() {
		for _, remove := range removes {
			remove()
		}
	}
}

// A disturbance is a fault, and how likely it is.
type disturbance struct {
	perMille int
	fault    sandbox.Fault
}

var (
	failing = []disturbance{
		{2, sandbox.Fault{Code: "ServiceUnavailable"}},
		{2, sandbox.Fault{CutAfter: true}},
		{2, sandbox.Fault{Cut: true}},
		{50, sandbox.Fault{Latency: 2 * time.Millisecond}},
	}
	landings = append([]disturbance{{10, sandbox.Fault{LandPart: landSize, Op: sandbox.OpAbort}}}, failing...)
)

// open returns the open uploads of the bucket.
func (w *world) open() map[string]sandbox.Upload {
	open := map[string]sandbox.Upload{}
	for _, u := range w.Uploads(w.platform.service, w.platform.bucket) {
		open[u.UploadID] = u
	}
	return open
}

// staleLeft counts the stale uploads that are still open.
func (w *world) staleLeft() (n int) {
	for id := range w.open() {
		if w.stale[id] != "" {
			n++
		}
	}
	return n
}

// age lets a week go by for parts that landed behind an abort, which keep their uploads until then, and returns how many
// there were.
func (w *world) age() (landed int) {
	for id, u := range w.open() {
		if w.stale[id] == "" {
			continue
		}
		for _, p := range u.Parts {
			if p.Size == landSize && w.aborts(id) > 0 {
				p.Modified = time.Now().Add(-7 * 24 * time.Hour)
				w.AddPart(w.platform.service, w.platform.bucket, u.Key, id, p)
				landed++
			}
		}
	}
	return landed
}

func (w *world) aborts(uploadID string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.aborted[uploadID]
}

// conclude compares the buckets with what must be in them, and counts.
func (w *world) conclude() {
	open := w.open()
	p := w.platform
	objects, others := w.Objects(p.service, p.bucket), w.Uploads(p.service, p.others())
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.result
	for _, id := range slices.Sorted(maps.Keys(w.stale)) {
		if _, left := open[id]; left {
			r.complain("lost: %s is still there, aborted %d times", id, w.aborted[id])
		} else if w.aborted[id] == 0 {
			r.complain("%s is gone, and was never aborted", id)
		}
		if w.aborted[id] > 0 && w.claimed[id] == 0 {
			r.unlogged++
		}
		r.carried += w.aborted[id]
	}
	for id, parts := range w.live {
		if u, left := open[id]; !left || len(u.Parts) != parts || w.aborted[id] > 0 {
			r.complain("%s is alive and was touched", id)
			continue
		}
		r.untouched++
	}
	r.stale, r.live = len(w.stale), len(w.live)
	if !slices.Equal(objects, []string{"done.bin"}) {
		r.complain("objects %q, want done.bin and nothing that a run has left", objects)
	}
	if len(others) != 1 || others[0].UploadID != w.theirs || len(others[0].Parts) != 1 || w.aborted[w.theirs] > 0 {
		r.complain("the bucket of somebody else's was touched: %+v", others)
	}
	if n := len(open) - len(w.live); n > 0 {
		r.complain("%d uploads are left beside the live ones", n)
	}
}
