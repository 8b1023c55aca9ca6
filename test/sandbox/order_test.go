package sandbox

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// reference lists as the S3 reference words it, by looking at everything.
func reference(open []*upload, q listing, marked *upload) uploadPage {
	var page uploadPage
	if q.max == 0 {
		return page
	}
	slices.SortFunc(open, compareUploads)
	seen := ""
	for _, u := range open {
		group := commonPrefix2(u.key, q.prefix, q.delimiter)
		switch {
		case !strings.HasPrefix(u.key, q.prefix):
			continue
		case q.keyMarker == "" || u.key > q.keyMarker:
		case u.key < q.keyMarker || q.idMarker == "":
			continue
		case marked != nil && compareUploads(u, marked) <= 0, marked == nil && u.id <= q.idMarker:
			continue
		}
		if group != "" && (group == seen || group == q.keyMarker) {
			continue
		}
		if len(page.uploads)+len(page.prefixes) == q.max {
			page.truncated = true
			return page
		}
		if group != "" {
			seen = group
			page.prefixes = append(page.prefixes, group)
			page.nextKey, page.nextID = group, ""
			continue
		}
		page.uploads = append(page.uploads, Upload{Key: u.key, UploadID: u.id, Initiated: u.initiated})
		page.nextKey, page.nextID = u.key, u.id
	}
	return page
}

func commonPrefix2(key, prefix, delimiter string) string {
	if delimiter == "" || !strings.HasPrefix(key, prefix) {
		return ""
	}
	head, _, found := strings.Cut(strings.TrimPrefix(key, prefix), delimiter)
	if !found {
		return ""
	}
	return prefix + head + delimiter
}

// world is a bucket and everything that was ever in it.
type world struct {
	*bucket
	rnd *rand.Rand
	all []*upload
}

func newWorld(seed uint64) *world {
	return &world{newBucket("b", "r", time.Time{}), rand.New(rand.NewPCG(seed, 1)), nil}
}

// keys fall into few groups, so that many uploads share one.
var worldKeys = []string{"a", "a/", "a/1", "a/1/x", "a/1/y", "a/2", "b", "b//", "b//x", "dir", "dir/", "dir/k", "\xff", "\x00", "中"}

func (w *world) begin() {
	key := worldKeys[w.rnd.IntN(len(worldKeys))]
	at := time.Unix(int64(w.rnd.IntN(5)), 0)
	w.all = append(w.all, w.bucket.begin(key, at, func(time.Time) string { return fmt.Sprintf("%08x", w.rnd.Uint32()) }))
}

func (w *world) abortOne() {
	if len(w.all) > 0 {
		u := w.all[w.rnd.IntN(len(w.all))]
		w.bucket.abort(u.key, u.id, 0, time.Time{}, "")
	}
}

func (w *world) still() []*upload {
	return slices.DeleteFunc(slices.Clone(w.all), func(u *upload) bool { return !u.open })
}

func (w *world) question() listing {
	pick := func(from []string) string { return from[w.rnd.IntN(len(from))] }
	q := listing{max: w.rnd.IntN(5), prefix: pick([]string{"", "", "a", "a/", "b/", "dir/", "none"}),
		delimiter: pick([]string{"", "", "/", "//", "1/"})}
	if w.rnd.IntN(2) == 0 {
		q.keyMarker = pick(append([]string{"a0", "zzz"}, worldKeys...))
		if w.rnd.IntN(2) == 0 && len(w.all) > 0 { // open or aborted, of this key or of another
			u := w.all[w.rnd.IntN(len(w.all))]
			q.keyMarker, q.idMarker = u.key, u.id
		} else if w.rnd.IntN(4) == 0 {
			q.idMarker = "80000000"
		}
	}
	return q
}

func (w *world) marked(q listing) *upload {
	if q.keyMarker == "" || q.idMarker == "" {
		return nil
	}
	return w.uploads[uploadName{q.keyMarker, q.idMarker}]
}

// TestListAgainstReference asks random questions about random worlds.
func TestListAgainstReference(t *testing.T) {
	for seed := range uint64(60) {
		w := newWorld(seed)
		for range 400 {
			switch w.rnd.IntN(4) {
			case 0, 1:
				w.begin()
			case 2:
				w.abortOne()
			case 3:
				q := w.question()
				marked := w.marked(q)
				got, known := w.list(q)
				if q.keyMarker == "" {
					q.idMarker = ""
				}
				if diff := cmp.Diff(reference(w.still(), q, marked), got, cmp.AllowUnexported(uploadPage{})); diff != "" {
					t.Fatalf("seed %d, %+v (-reference +bucket):\n%s", seed, q, diff)
				}
				if known != (q.idMarker == "" || marked != nil) {
					t.Fatalf("seed %d, %+v: known is %v", seed, q, known)
				}
			}
		}
	}
}

// TestWalkWhileAborting walks a bucket with the markers that it hands out, aborting uploads on the way: those just listed,
// which are the markers, and any others. Every upload that was open all along must be met exactly once.
func TestWalkWhileAborting(t *testing.T) {
	for _, max := range []int{1, 2, 3, 7} {
		t.Run(fmt.Sprint("page of ", max), func(t *testing.T) {
			for seed := range uint64(20) {
				walk(t, seed, max)
			}
		})
	}
}

func walk(t *testing.T, seed uint64, max int) {
	w := newWorld(seed)
	for range 600 {
		w.begin()
	}
	met := map[string]int{}
	for q := (listing{max: max}); ; {
		page, known := w.list(q)
		if !known {
			t.Fatal("the bucket does not know its own marker")
		}
		for i, u := range page.uploads {
			met[u.UploadID]++
			if i%2 == 0 {
				w.bucket.abort(u.Key, u.UploadID, 0, time.Time{}, "")
			}
		}
		if !page.truncated {
			break
		}
		w.abortOne()
		q.keyMarker, q.idMarker = page.nextKey, page.nextID
	}
	for _, u := range w.all {
		if n := met[u.id]; n > 1 || n == 0 && u.open {
			t.Fatalf("seed %d: upload %s of %q met %d times", seed, u.id, u.key, n)
		}
	}
}

// TestOrderStaysSorted inserts forwards, backwards and at random across the edges of blocks, and takes all out again.
func TestOrderStaysSorted(t *testing.T) {
	const n = 5 * blockSize
	rnd := rand.New(rand.NewPCG(1, 2))
	for name, next := range map[string]func(i int) int{
		"forwards":  func(i int) int { return i },
		"backwards": func(i int) int { return n - i },
		"at random": func(int) int { return rnd.IntN(n) },
	} {
		t.Run(name, func(t *testing.T) {
			var o order
			var all []*upload
			for i := range n {
				u := &upload{key: fmt.Sprintf("%06d", next(i)), id: fmt.Sprint(i)}
				all = append(all, u)
				o.insert(u)
			}
			check := func() {
				t.Helper()
				slices.SortFunc(all, compareUploads)
				if got := slices.Concat(o.blocks...); !slices.Equal(got, all) {
					t.Fatalf("holds %d uploads of %d, or not in order", len(got), len(all))
				}
				for _, b := range o.blocks {
					if len(b) == 0 || len(b) > blockSize {
						t.Fatalf("a block of %d", len(b))
					}
				}
			}
			check()
			for len(all) > 0 {
				i := rnd.IntN(len(all))
				o.remove(all[i])
				o.remove(all[i]) // a second time does nothing
				all = slices.Delete(all, i, i+1)
				if len(all)%500 == 0 {
					check()
				}
			}
			check()
		})
	}
}
