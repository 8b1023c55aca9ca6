package store

import (
	"context"
	"fmt"

	"github.com/partsweep/partsweep/shared/mpu"
)

// Foreign reports whether the service may be somebody else's that merely speaks the driver's language.
func (s *Store) Foreign() bool {
	d, ok := s.driver.(ForeignDriver)
	return ok && d.Foreign()
}

// A cutCheck looks after keys whose uploads the end of a page cuts in two. Several services go on with the next key: they
// ignore the upload ID marker (Storj, github.com/storj/edge/issues/213; Riak CS, basho/riak_cs/issues/464), send none
// (lakeFS, treeverse/lakeFS/issues/9035) or refuse the one they sent (versitygw, versity/versitygw/issues/2149). So where
// a page goes on with another key than the one before it ended with, that one key is listed by itself.
//
// It does so beside the listing, which goes on meanwhile, one key at a time. A service that is once seen to go on inside a
// key is believed from then on.
type cutCheck struct {
	store    *Store
	bucket   mpu.Bucket
	believed bool
	last     ends              // of the page before
	shown    map[identity]bool // on the page before
	found    chan Page         // of the key that is being listed, nil for none
}

// The ends of a page, as the service sent it.
type ends struct {
	first, last identity // blank on an empty page
	more        bool
	after, next mpu.Marker
}

func endsOf(p Page) ends {
	e := ends{more: p.More, after: p.After, next: p.Next}
	if n := len(p.Uploads); n > 0 {
		first, last := p.Uploads[0], p.Uploads[n-1]
		e.first, e.last = identity{first.Key, first.UploadID}, identity{last.Key, last.UploadID}
	}
	return e
}

// next takes on the page that follows. It returns the uploads that turned out to be missing at an earlier end, as a page
// of their own with no place in the order.
func (c *cutCheck) next(ctx context.Context, page ends, shown map[identity]bool) Page {
	last, shownBefore := c.last, c.shown
	c.last, c.shown = page, shown
	key := last.last.key
	if c.believed || !last.more || key == "" || key != last.next.Key {
		return Page{}
	}
	if page.first.key == key {
		c.believed = !shownBefore[page.first]
		return Page{}
	}
	missing := c.wait(ctx)
	found := make(chan Page, 1)
	go func() { found <- c.list(ctx, key, shownBefore, last.after) }()
	c.found = found
	return missing
}

// wait returns what the check that is under way finds.
func (c *cutCheck) wait(ctx context.Context) Page {
	if c.found == nil {
		return Page{}
	}
	defer func() { c.found = nil }()
	select {
	case p := <-c.found:
		return p
	case <-ctx.Done():
		return Page{}
	}
}

// list returns the uploads of a key that were not shown.
func (c *cutCheck) list(ctx context.Context, key string, shown map[identity]bool, after mpu.Marker) Page {
	missing := Page{After: after}
	page, err := c.store.listOnce(ctx, c.bucket, key, mpu.Marker{})
	if err != nil {
		missing.Incomplete = fmt.Sprintf("uploads of key %q may be missing: %v", key, err)
		return missing
	}
	if n := len(page.Uploads); page.More && n > 0 && page.Uploads[n-1].Key == key {
		missing.Incomplete = fmt.Sprintf("the service lists no more than %d uploads of one key, and %q may have more", n, key)
	}
	tidy(&page, c.bucket, key, shown)
	for _, u := range page.Uploads {
		if u.Key == key {
			missing.Uploads = append(missing.Uploads, u)
		}
	}
	return missing
}
