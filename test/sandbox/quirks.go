package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Quirks are ways in which real stores leave the documents that they claim to follow. Each was seen or is documented; who
// does what is in test/quirks. The zero value has none. They hold for the four object stores of a sandbox.
type Quirks struct {
	Server string // of the Server header, "" for the usual one

	// What a listing of uploads shows.
	Order           Order
	ShowsAtMost     int                    // so many uploads, and then says that there are no more
	NeedsExactKey   bool                   // a prefix finds only the uploads of exactly that key
	ForgetsUnnamed  bool                   // without a prefix it shows nothing: what it remembered is lost
	IgnoresPrefix   bool                   // shows all keys
	ShowsAllBuckets bool                   // shows the uploads of other buckets too, as if they were of this one
	ShowsEnded      bool                   // goes on to show uploads that are completed or aborted
	NoInitiated     bool                   // does not say when an upload was begun
	Initiated       func(Upload) time.Time // what it says instead
	EncodesSilently bool                   // percent-encodes keys where it is asked to, and does not say so

	// How it pages.
	Paging             Paging
	MarkersOnLastPage  bool // names markers even where there is no more
	RefusesBlankMarker bool // 400 for a marker parameter with nothing in it
	MostPerPage        int  // 400 for a page size above it; 0 for none

	// What it makes of a single upload.
	PartMarkerIncluded bool // a listing of parts repeats the part that the marker names
	PartsGoneAsKey     bool // says NoSuchKey, not NoSuchUpload, to a listing of parts of an upload that is gone
	BucketGoneAsUpload bool // says NoSuchUpload where there is no such bucket, to all but a listing of uploads
	FindsByID          bool // looks uploads up by their ID alone, whatever the key
	AbortsAlways       bool // answers 204 to the abort of an upload that it does not know
	AbortsNothing      bool // answers 204 to an abort, and leaves the upload as it is
}

// An Order is how a listing is sorted.
type Order int

// The orders.
const (
	ByKey        Order = iota // then by initiation and ID, as documented
	ByKeyAndID                // then by ID, where the two are joined with a dot: "b-c" comes before "b"
	ByUploadID                // by ID alone
	ByInitiation              // oldest first, whatever the key
)

// Paging is what becomes of max-uploads and the two markers.
type Paging int

// The ways to page.
const (
	PagesRight       Paging = iota
	IgnoresPaging           // everything on one page, whatever is asked
	RefusesIDMarker         // 400 for its own upload ID marker; the key marker goes on with the next key
	IgnoresIDMarker         // goes on with the next key
	NamesKeyOnly            // sends no upload ID marker, and goes on with the next key
	NamesIDOnly             // sends no key marker; one that it is sent shows that key alone
	KeyMarkerAgain          // a key marker that comes alone begins with that key itself
	OpaqueMarkers           // one marker, in place of a key, that says nothing
	NamesNextKey            // the key that comes next, with the word "include" for an upload ID
	EmptyAfterGone          // shows nothing after a marker whose upload is gone
	RefusesGone             // 404 NoSuchUpload for a marker whose upload is gone
	NamesMarkerAgain        // one and the same marker on every page, which shows the first page again
)

// order sorts uploads that are in the documented order.
func (q *Quirks) sort(us []Upload) {
	slices.SortStableFunc(us, func(a, b Upload) int {
		switch q.Order {
		case ByKeyAndID:
			return strings.Compare(a.Key+"."+a.UploadID, b.Key+"."+b.UploadID)
		case ByUploadID:
			return strings.Compare(a.UploadID, b.UploadID)
		case ByInitiation:
			return a.Initiated.Compare(b.Initiated)
		}
		return 0
	})
}

// list makes a page where there are quirks. It is as slow as it is simple: it looks at every upload every time.
func (q *Quirks) list(all []Upload, ended map[uploadName]bool, l listing) (uploadPage, *refusal) {
	us := slices.DeleteFunc(all, func(u Upload) bool { return !q.shows(u, l.prefix) })
	q.sort(us)
	if q.ShowsAtMost > 0 && len(us) > q.ShowsAtMost {
		us = us[:q.ShowsAtMost]
	}
	if q.Paging == IgnoresPaging {
		return uploadPage{uploads: us}, nil
	}
	from, no := q.start(us, ended, l)
	if no != nil {
		return uploadPage{}, no
	}
	page := uploadPage{uploads: us[from:]}
	if len(page.uploads) > l.max {
		page.uploads, page.truncated = page.uploads[:l.max], true
		page.nextKey, page.nextID = q.next(us, from+l.max)
	} else if n := len(us); q.MarkersOnLastPage && n > 0 {
		page.nextKey, page.nextID = us[n-1].Key, us[n-1].UploadID
	}
	return page, nil
}

func (q *Quirks) shows(u Upload, prefix string) bool {
	switch {
	case q.IgnoresPrefix:
		return true
	case q.ForgetsUnnamed && prefix == "":
		return false
	case q.NeedsExactKey && prefix != "":
		return u.Key == prefix
	}
	return strings.HasPrefix(u.Key, prefix)
}

// start returns where a page begins.
func (q *Quirks) start(us []Upload, ended map[uploadName]bool, l listing) (int, *refusal) {
	find := func(is func(Upload) bool) int {
		if i := slices.IndexFunc(us, is); i >= 0 {
			return i
		}
		return len(us)
	}
	nextKey := func(u Upload) bool { return u.Key > l.keyMarker }
	gone := ended[uploadName{l.keyMarker, l.idMarker}]
	switch {
	case l.keyMarker == "" && l.idMarker == "" || q.Paging == NamesMarkerAgain:
		return 0, nil
	case q.Paging == NamesIDOnly:
		return find(func(u Upload) bool {
			return u.UploadID > l.idMarker && (l.keyMarker == "" || u.Key == l.keyMarker)
		}), nil
	case q.Paging == OpaqueMarkers:
		return find(func(u Upload) bool { return opaque(u) == l.keyMarker }), nil
	case q.Paging == NamesNextKey && l.idMarker == "include":
		return find(func(u Upload) bool { return u.Key >= l.keyMarker }), nil
	case q.Paging == KeyMarkerAgain && l.idMarker == "":
		return find(func(u Upload) bool { return u.Key >= l.keyMarker }), nil
	case q.Paging == RefusesIDMarker && l.idMarker != "":
		return 0, denyBecause("InvalidArgument", "Invalid uploadId marker")
	case q.Paging == RefusesGone && gone:
		return 0, deny("NoSuchUpload")
	case q.Paging == EmptyAfterGone && gone:
		return len(us), nil
	case q.Paging == IgnoresIDMarker || l.idMarker == "":
		return find(nextKey), nil
	}
	marked := Upload{Key: l.keyMarker, UploadID: l.idMarker}
	if i := slices.IndexFunc(us, func(u Upload) bool { return u.Key == marked.Key && u.UploadID == marked.UploadID }); i >= 0 {
		return i + 1, nil
	}
	if q.Order == ByKeyAndID {
		return find(func(u Upload) bool { return u.Key+"."+u.UploadID > marked.Key+"."+marked.UploadID }), nil
	}
	return find(func(u Upload) bool { return u.Key > marked.Key || u.Key == marked.Key && u.UploadID > marked.UploadID }), nil
}

// next returns the markers of a page that ends before the i-th upload.
func (q *Quirks) next(us []Upload, i int) (key, id string) {
	last, next := us[i-1], us[i]
	switch q.Paging {
	case NamesMarkerAgain:
		return "again", "again"
	case NamesKeyOnly:
		return last.Key, ""
	case NamesIDOnly:
		return "", last.UploadID
	case OpaqueMarkers:
		return opaque(next), ""
	case NamesNextKey:
		if next.Key != last.Key {
			return next.Key, "include"
		}
	}
	return last.Key, last.UploadID
}

// opaque makes a marker that sorts like nothing.
func opaque(u Upload) string {
	b := []byte(u.UploadID + u.Key)
	slices.Reverse(b)
	return string(b)
}

// active reports whether there is any quirk about listings of uploads.
func (q *Quirks) active() bool {
	return q.Order != ByKey || q.Paging != PagesRight || q.ShowsAtMost > 0 || q.NeedsExactKey || q.ForgetsUnnamed ||
		q.IgnoresPrefix || q.ShowsAllBuckets || q.ShowsEnded || q.MarkersOnLastPage
}

// quirky makes a page of a bucket where there are quirks.
func (o *objectStore) quirky(c *call, l listing) (uploadPage, *refusal) {
	q := &o.sandbox.opt.Quirks
	buckets := []*bucket{c.bucket}
	if q.ShowsAllBuckets {
		o.mu.RLock()
		for _, b := range o.buckets {
			if b != c.bucket {
				buckets = append(buckets, b)
			}
		}
		o.mu.RUnlock()
	}
	var all []Upload
	ended := map[uploadName]bool{}
	for _, b := range buckets {
		b.mu.RLock()
		for name, u := range b.uploads {
			if u.open || q.ShowsEnded {
				all = append(all, Upload{Key: u.key, UploadID: u.id, Initiated: u.initiated, Parts: slices.Clone(u.parts)})
			}
			ended[name] = !u.open
		}
		b.mu.RUnlock()
	}
	slices.SortFunc(all, func(a, b Upload) int {
		return compareUploads(&upload{key: a.Key, id: a.UploadID, initiated: a.Initiated}, &upload{key: b.Key, id: b.UploadID, initiated: b.Initiated})
	})
	return q.list(all, ended, l)
}

// quirkyQuery refuses what a quirky store refuses in a question.
func (o *objectStore) quirkyQuery(c *call) *refusal {
	q := &o.sandbox.opt.Quirks
	if q.RefusesBlankMarker {
		for _, p := range c.query {
			if strings.HasSuffix(p.name, "-marker") && p.value == "" {
				return denyBecause("InvalidArgument", "A marker must not be empty")
			}
		}
	}
	for _, name := range []string{"max-uploads", "max-parts"} {
		if n, err := c.query.count(name, 0); err == nil && q.MostPerPage > 0 && n > q.MostPerPage {
			return denyBecause("InvalidArgument", "The page size is too large")
		}
	}
	return nil
}

// quirkyCall changes what a call is about before it runs, or answers it.
func (o *objectStore) quirkyCall(w http.ResponseWriter, c *call) (answered bool, no *refusal) {
	q := &o.sandbox.opt.Quirks
	if q.Server != "" {
		w.Header().Set("Server", q.Server)
	}
	if q.BucketGoneAsUpload && c.bucket == nil && c.target.UploadID != "" {
		return false, deny("NoSuchUpload")
	}
	if c.bucket == nil {
		return false, nil
	}
	if q.FindsByID && c.target.UploadID != "" {
		c.bucket.mu.RLock()
		for name := range c.bucket.uploads {
			if name.id == c.target.UploadID {
				c.at.key = name.key
			}
		}
		c.bucket.mu.RUnlock()
	}
	open := c.bucket.has(c.at.key, c.target.UploadID)
	switch {
	case c.target.Op == OpAbort && (q.AbortsNothing && open || q.AbortsAlways && !open):
		w.WriteHeader(http.StatusNoContent)
		return true, nil
	case c.target.Op == OpListParts && q.PartsGoneAsKey && !open:
		return false, deny("NoSuchKey")
	}
	return false, o.quirkyQuery(c)
}
