// Package store is the contract that a cloud's driver keeps ([Driver]), and the [Store] that stands over it.
//
// A driver's method is one request. Everything that every cloud would have to repeat is here, once: paging with both
// markers, the guard against listings that loop or lie, the sum over all of an upload's parts, the guard on abort. What
// surrounds a single request (retrying, pacing, bounding, logging) is a [Layer], and since a method is one request, the
// layers share one unit and need no memory of what they already did.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A Store lists, inspects and aborts uploads through a driver. It is safe for use by many goroutines.
type Store struct {
	driver Driver
	send   Send
}

// New puts layers around a driver. The first layer is the outermost.
func New(d Driver, layers ...Layer) *Store {
	send := Send(func(ctx context.Context, c Call) error {
		if err := ctx.Err(); err != nil {
			return waitError(ctx, c, err)
		}
		return c.run(ctx)
	})
	for i := len(layers) - 1; i >= 0; i-- {
		send = layers[i](send)
	}
	return &Store{driver: d, send: send}
}

// Pages yields the pages of a listing from after on, until the service says that there is no more. An error ends it.
//
// No page repeats an upload of the page before, which some services do at the edges. A listing that does not advance, or
// that says there is more without saying where, is an error: it neither loops nor passes for complete. An entry that is
// not of what was asked for is left out and the page marked Incomplete.
//
// Where the service is foreign, what it may have left out where a page ends is looked for, and comes as a page in between.
func (s *Store) Pages(ctx context.Context, b mpu.Bucket, prefix string, after mpu.Marker) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		w := walk{store: s, bucket: b, prefix: prefix, seen: map[identity]bool{}, loop: loopGuard{anchor: after}}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // what still runs beside the listing ends with it
		if s.Foreign() {
			w.cut = &cutCheck{store: s, bucket: b}
		}
		for {
			page, missing, err := w.next(ctx, after)
			if err != nil {
				yield(Page{After: after}, err)
				return
			}
			if !missing.nothing() {
				missing.More, missing.Next = true, page.After
				if !yield(missing, nil) {
					return
				}
			}
			err = w.loop.check(page)
			if !yield(page, nil) {
				return
			}
			if err != nil {
				yield(Page{After: after}, listError(b, err))
				return
			}
			if !page.More {
				return
			}
			after = page.Next
		}
	}
}

// A walk is one listing while it is being read.
type walk struct {
	store  *Store
	bucket mpu.Bucket
	prefix string
	seen   map[identity]bool // on the page before
	total  int
	loop   loopGuard
	cut    *cutCheck // nil if the service is the vendor's own
}

// next reads the next page, and what turned out to be missing before it.
func (w *walk) next(ctx context.Context, after mpu.Marker) (page, missing Page, err error) {
	if page, err = w.store.page(ctx, w.bucket, w.prefix, after); err != nil {
		return page, missing, err
	}
	ends := endsOf(page)
	w.seen = tidy(&page, w.bucket, w.prefix, w.seen)
	if w.total += len(page.Uploads); w.cut == nil {
		return page, missing, nil
	}
	missing = w.cut.next(ctx, ends, w.seen)
	if page.More {
		return page, missing, nil
	}
	if w.total == roundNumber && page.Incomplete == "" {
		page.Incomplete = fmt.Sprintf("it ends after exactly %d uploads, which is where some services stop", roundNumber)
	}
	// Nothing comes after this page for the last check to run beside, so what that finds goes in front.
	rest := w.cut.wait(ctx)
	missing.Uploads = append(missing.Uploads, rest.Uploads...)
	missing.Incomplete = cmp.Or(missing.Incomplete, rest.Incomplete)
	missing.After = cmp.Or(missing.After, rest.After)
	return page, missing, nil
}

// roundNumber is the most uploads that some services list, and then say that there are no more (StorageGRID,
// docs.netapp.com/us-en/storagegrid-118/s3/operations-for-multipart-uploads.html; ECS,
// github.com/distribution/distribution/issues/3062).
const roundNumber = 1000

// nothing reports whether a page tells nothing.
func (p Page) nothing() bool { return len(p.Uploads) == 0 && p.Incomplete == "" }

// page reads one page. A server that refuses the very markers it gave is asked once more from the key alone: versitygw
// v1.8.0 is one (its issue 2149), and MinIO another where the upload that the marker names is gone. What shares the last
// key of the page before may then be missing, so the page says so, unless it is looked for anyway.
func (s *Store) page(ctx context.Context, b mpu.Bucket, prefix string, after mpu.Marker) (Page, error) {
	page, err := s.listOnce(ctx, b, prefix, after)
	if errors.Is(err, mpu.Invalid) && after.Key != "" && after.UploadID != "" {
		first := err
		if page, err = s.listOnce(ctx, b, prefix, mpu.Marker{Key: after.Key}); err != nil {
			return page, first
		}
		if !s.Foreign() {
			page.Incomplete = fmt.Sprintf("the service refused its own upload ID marker; uploads of key %q may be missing until the next run", after.Key)
		}
	}
	page.After = after
	return page, err
}

func (s *Store) listOnce(ctx context.Context, b mpu.Bucket, prefix string, after mpu.Marker) (page Page, err error) {
	err = s.send(ctx, Call{Op: ListUploads, Upload: mpu.Upload{Bucket: b, Key: prefix}, run: func(ctx context.Context) (err error) {
		page, err = s.driver.ListUploads(ctx, b, prefix, after)
		return err
	}})
	return page, notGone(err)
}

// notGone changes the kind of an error that says of a whole listing that something is gone, as some servers do of a marker
// whose upload is: it would be read as "the upload is gone", and is a question that was not understood.
func notGone(err error) error {
	e, ok := errors.AsType[*mpu.Error](err)
	if !ok || e.Kind != mpu.Gone {
		return err
	}
	unclear := *e
	unclear.Kind = mpu.Invalid
	return &unclear
}

type identity struct{ key, uploadID string }

// tidy drops what the page before already showed and what was not asked for, and returns what this page shows.
func tidy(page *Page, b mpu.Bucket, prefix string, before map[identity]bool) map[identity]bool {
	shown := make(map[identity]bool, len(page.Uploads))
	kept := page.Uploads[:0]
	for _, u := range page.Uploads {
		id := identity{u.Key, u.UploadID}
		switch {
		case u.Key == "" || u.UploadID == "":
			page.Incomplete = "an entry of the listing has no key or no upload ID"
		case u.Bucket.Store != b.Store || u.Bucket.Name != b.Name || !strings.HasPrefix(u.Key, prefix):
			page.Incomplete = "the listing answered with " + u.String() + ", which was not asked for"
		case before[id] || shown[id]:
		default:
			if strings.ContainsRune(u.Key, unicode.ReplacementChar) {
				page.Incomplete = fmt.Sprintf("key %q was damaged on its way: the service cannot write it as it is", u.Key)
			}
			kept = append(kept, u)
		}
		shown[id] = true
	}
	page.Uploads = kept
	return shown
}

// loopGuard finds a listing that comes back to a marker it has been at, however long the circle, by comparing each
// marker with one anchor that is moved ahead at every power of two (Brent's method). It needs no memory of the rest.
type loopGuard struct {
	anchor mpu.Marker
	steps  int
	limit  int
}

func (g *loopGuard) check(p Page) error {
	switch {
	case !p.More:
		return nil
	case p.Next.IsZero():
		return errors.New("the listing says that there is more, and not where it goes on")
	case p.Next == g.anchor || p.Next == p.After:
		return fmt.Errorf("the listing came back to marker %q", p.Next)
	}
	if g.steps++; g.steps > g.limit {
		g.anchor, g.steps, g.limit = p.Next, 0, 2*g.limit+1
	}
	return nil
}

func listError(b mpu.Bucket, err error) error {
	return &mpu.Error{Op: string(ListUploads), Target: b.String(), Err: err,
		Hint: "uploads may remain; report this with the name of the service"}
}

// Parts sums all parts of an upload, however many pages they take. A listing of parts that does not advance is an error.
func (s *Store) Parts(ctx context.Context, u mpu.Upload) (Parts, error) {
	var sum Parts
	undated := false
	for after := 0; ; {
		p, err := s.partsOnce(ctx, u, after)
		if err != nil {
			return sum, err
		}
		sum.Count += p.Count
		sum.Bytes += p.Bytes
		if p.Newest.After(sum.Newest) {
			sum.Newest = p.Newest
		}
		undated = undated || p.Count > 0 && p.Newest.IsZero()
		if sum.Initiated.IsZero() {
			sum.Initiated = p.Initiated
		}
		if !p.More {
			if undated {
				sum.Newest = time.Time{} // some say when, some do not: then nothing is known of the newest
			}
			return sum, nil
		}
		if p.Next <= after {
			return sum, &mpu.Error{Op: string(ListParts), Target: u.String(),
				Err: fmt.Errorf("the listing of parts came back to part %d", p.Next)}
		}
		after = p.Next
	}
}

func (s *Store) partsOnce(ctx context.Context, u mpu.Upload, after int) (parts Parts, err error) {
	err = s.send(ctx, Call{Op: ListParts, Upload: u, run: func(ctx context.Context) (err error) {
		parts, err = s.driver.ListParts(ctx, u, after)
		return err
	}})
	return parts, err
}

// Abort aborts exactly one upload. An upload with a blank in it is refused before a byte leaves: on one store an abort
// without a key deletes the bucket (Ceph tracker 48727).
//
// Again, where it is not nil, is asked before the abort is sent another time, after it was throttled or got lost, and told
// which by the error of the attempt before: its own error takes the place of the next. It is also asked, with nil, where an
// abort has waited for its turn for long; see [Gate]. Much can happen to an upload while an abort waits.
//
// The requests that again sends are to be sent with the context that it is given.
func (s *Store) Abort(ctx context.Context, u mpu.Upload, again func(ctx context.Context, last error) error) error {
	if err := whole(u); err != nil {
		return err
	}
	return s.send(ctx, Call{Op: AbortUpload, Upload: u, again: again, looked: time.Now(), run: func(ctx context.Context) error {
		return s.driver.AbortUpload(ctx, u)
	}})
}

// BatchSize is how many uploads AbortBatch takes at most: 1 where the service has no batches.
func (s *Store) BatchSize() int {
	if d, ok := s.driver.(BatchDriver); ok {
		return d.BatchSize()
	}
	return 1
}

// AbortBatch aborts up to BatchSize uploads in one request and returns one error for each. If the service refuses the
// batch for good, it says nothing about any single one, so each is then aborted alone.
func (s *Store) AbortBatch(ctx context.Context, us []mpu.Upload) []error {
	errs := make([]error, len(us))
	d, ok := s.driver.(BatchDriver)
	if ok && len(us) > 1 {
		for _, u := range us {
			if err := whole(u); err != nil {
				return fill(errs, err)
			}
		}
		err := s.send(ctx, Call{Op: AbortUpload, Upload: us[0], run: func(ctx context.Context) error {
			return d.AbortUploads(ctx, us)
		}})
		if err == nil || errors.Is(err, mpu.Transient) || errors.Is(err, mpu.Denied) {
			return fill(errs, err)
		}
	}
	for i, u := range us {
		errs[i] = s.Abort(ctx, u, nil)
	}
	return errs
}

func fill(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// Buckets returns the account's buckets in all regions, in the service's order. Of in only the store counts, and the region
// as one to ask in. A listing that does not advance is an error. Where the service cannot list buckets, the error is
// errors.ErrUnsupported.
func (s *Store) Buckets(ctx context.Context, in mpu.Bucket) ([]mpu.Bucket, error) {
	d, ok := s.driver.(BucketsDriver)
	if !ok {
		return nil, &mpu.Error{Kind: mpu.Invalid, Op: string(ListBuckets), Target: in.String(), Err: errors.ErrUnsupported, Hint: "name the buckets"}
	}
	var all []mpu.Bucket
	var loop loopGuard
	seen := map[string]bool{}
	for after := ""; ; {
		var page BucketPage
		err := s.send(ctx, Call{Op: ListBuckets, Upload: mpu.Upload{Bucket: in}, run: func(ctx context.Context) (err error) {
			page, err = d.ListBuckets(ctx, in, after)
			return err
		}})
		if err == nil {
			err = loop.check(Page{After: mpu.Marker{Key: after}, Next: mpu.Marker{Key: page.Next}, More: page.Next != ""})
		}
		if err != nil {
			return nil, err
		}
		for _, b := range page.Buckets {
			if !seen[b.Name] {
				seen[b.Name] = true
				all = append(all, b)
			}
		}
		if page.Next == "" {
			return all, nil
		}
		after = page.Next
	}
}

// Lifecycle returns a bucket's lifecycle rules, the zero value if it has none. Where the service has no such rules, the error
// is errors.ErrUnsupported.
func (s *Store) Lifecycle(ctx context.Context, b mpu.Bucket) (l Lifecycle, err error) {
	d, ok := s.driver.(LifecycleDriver)
	if !ok {
		return l, noLifecycle(b)
	}
	err = s.send(ctx, Call{Op: GetLifecycle, Upload: mpu.Upload{Bucket: b}, run: func(ctx context.Context) (err error) {
		l, err = d.Lifecycle(ctx, b)
		return err
	}})
	return l, err
}

// PutLifecycle replaces all of a bucket's lifecycle rules.
func (s *Store) PutLifecycle(ctx context.Context, b mpu.Bucket, l Lifecycle) error {
	d, ok := s.driver.(LifecycleDriver)
	if !ok {
		return noLifecycle(b)
	}
	return s.send(ctx, Call{Op: PutLifecycle, Upload: mpu.Upload{Bucket: b}, run: func(ctx context.Context) error {
		return d.PutLifecycle(ctx, b, l)
	}})
}

func noLifecycle(b mpu.Bucket) error {
	return &mpu.Error{Kind: mpu.Invalid, Op: string(GetLifecycle), Target: b.String(), Err: errors.ErrUnsupported,
		Hint: b.Store + " has no lifecycle rules"}
}

// MediaOfPull returns the media ID that a failed pull from a URL was to make. Where the service has no pulls, the error is
// errors.ErrUnsupported.
func (s *Store) MediaOfPull(ctx context.Context, b mpu.Bucket, jobID string) (mediaID string, err error) {
	d, ok := s.driver.(PullDriver)
	if !ok {
		return "", &mpu.Error{Kind: mpu.Invalid, Op: string(LookUpPull), Target: b.String(), Err: errors.ErrUnsupported}
	}
	err = s.send(ctx, Call{Op: LookUpPull, Upload: mpu.Upload{Bucket: b}, run: func(ctx context.Context) (err error) {
		mediaID, err = d.MediaOfPull(ctx, b, jobID)
		return err
	}})
	return mediaID, err
}

// whole refuses an upload that has a blank where a service would read something else.
func whole(u mpu.Upload) error {
	blank := ""
	switch {
	case strings.TrimSpace(u.Bucket.Name) == "" || u.Bucket.Name == mpu.AnyBucket:
		blank = "bucket"
	case u.Key == "":
		blank = "key"
	case strings.TrimSpace(u.UploadID) == "":
		blank = "upload ID"
	default:
		return nil
	}
	return &mpu.Error{Kind: mpu.Refused, Op: string(AbortUpload), Target: u.String(),
		Err: fmt.Errorf("the %s is blank, and an abort with a blank is a different request", blank)}
}
