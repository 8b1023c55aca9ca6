package sandbox

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// upload is one multipart upload. Its key, id and initiation never change; the rest is guarded by the bucket's lock.
type upload struct {
	key, id   string
	initiated time.Time
	parts     []Part // by number
	etags     map[int]string
	open      bool // neither completed nor aborted
}

// compareUploads is the order of a listing: key bytes, then initiation, then id.
func compareUploads(a, b *upload) int {
	if c := strings.Compare(a.key, b.key); c != 0 {
		return c
	}
	if c := a.initiated.Compare(b.initiated); c != 0 {
		return c
	}
	return strings.Compare(a.id, b.id)
}

// blockSize bounds a block of an order. Inserting and removing move at most this many pointers.
const blockSize = 512

// order keeps open uploads sorted: a sorted sequence cut into blocks, none of them empty. Finding a place is a binary
// search, a page is a walk, and no change touches more than a block and the (short) list of blocks.
type order struct{ blocks [][]*upload }

// A place is a position in an order, valid until the order changes.
type place struct{ block, at int }

// search returns the first place for which after is true; after must be false up to some place and true from there on.
func (o *order) search(after func(*upload) bool) place {
	b := sort.Search(len(o.blocks), func(i int) bool { return after(o.blocks[i][len(o.blocks[i])-1]) })
	if b == len(o.blocks) {
		return place{block: b}
	}
	at := sort.Search(len(o.blocks[b]), func(i int) bool { return after(o.blocks[b][i]) })
	return place{block: b, at: at}
}

// at returns the upload at a place, nil at the end.
func (o *order) at(p place) *upload {
	if p.block >= len(o.blocks) {
		return nil
	}
	return o.blocks[p.block][p.at]
}

// next returns the place after p.
func (o *order) next(p place) place {
	if p.at+1 < len(o.blocks[p.block]) {
		return place{p.block, p.at + 1}
	}
	return place{block: p.block + 1}
}

// insert adds an upload that the order does not hold.
func (o *order) insert(u *upload) {
	p := o.search(func(have *upload) bool { return compareUploads(have, u) >= 0 })
	switch {
	case len(o.blocks) == 0:
		o.blocks = [][]*upload{{u}}
		return
	case p.block == len(o.blocks): // beyond the last: at the end of the last block
		p = place{p.block - 1, len(o.blocks[p.block-1])}
	}
	block := slices.Insert(o.blocks[p.block], p.at, u)
	o.blocks[p.block] = block
	if len(block) > blockSize {
		cut := len(block) / 2
		if p.at == len(block)-1 && p.block == len(o.blocks)-1 {
			cut = len(block) - 1 // appended in order: leave full blocks behind
		}
		o.blocks[p.block] = slices.Clone(block[:cut])
		o.blocks = slices.Insert(o.blocks, p.block+1, slices.Clone(block[cut:]))
	}
}

// remove takes an upload out, if the order holds it.
func (o *order) remove(u *upload) {
	p := o.search(func(have *upload) bool { return compareUploads(have, u) >= 0 })
	if o.at(p) != u {
		return
	}
	o.blocks[p.block] = slices.Delete(o.blocks[p.block], p.at, p.at+1)
	if len(o.blocks[p.block]) == 0 {
		o.blocks = slices.Delete(o.blocks, p.block, p.block+1)
	}
}

// listing is what a listing of uploads asks for.
type listing struct {
	prefix, delimiter string
	keyMarker         string
	idMarker          string // counts only beside keyMarker
	max               int
}

// uploadPage is one page of a listing, copied out of the bucket.
type uploadPage struct {
	uploads   []Upload
	prefixes  []string
	truncated bool
	nextKey   string
	nextID    string // empty when the page ends with a common prefix
}

// list makes one page. marked is the upload that both markers name, open or not; nil if the bucket never had one.
func (o *order) list(q listing, marked *upload) uploadPage {
	var page uploadPage
	if q.max == 0 {
		return page
	}
	for p := o.start(q, marked); ; {
		u := o.at(p)
		if u == nil || !strings.HasPrefix(u.key, q.prefix) {
			return page
		}
		group := commonPrefix(u.key, q.prefix, q.delimiter)
		if group != "" && group == q.keyMarker { // the page before ended with this group
			p = o.search(beyond(group))
			continue
		}
		if marked == nil && q.idMarker != "" && u.key == q.keyMarker && u.id <= q.idMarker {
			p = o.next(p)
			continue
		}
		if len(page.uploads)+len(page.prefixes) == q.max {
			page.truncated = true
			return page
		}
		if group != "" {
			page.prefixes = append(page.prefixes, group)
			page.nextKey, page.nextID = group, ""
			p = o.search(beyond(group))
			continue
		}
		page.uploads = append(page.uploads, Upload{Key: u.key, UploadID: u.id, Initiated: u.initiated})
		page.nextKey, page.nextID = u.key, u.id
		p = o.next(p)
	}
}

// start returns the place where a listing begins. With both markers it is just after the upload that they name, or, when
// there never was one, at the key's first (list then compares ids, as the documents word it).
func (o *order) start(q listing, marked *upload) place {
	switch {
	case q.keyMarker < q.prefix || q.keyMarker == "":
		return o.search(func(u *upload) bool { return u.key >= q.prefix })
	case q.idMarker == "":
		return o.search(func(u *upload) bool { return u.key > q.keyMarker })
	case marked != nil:
		return o.search(func(u *upload) bool { return compareUploads(u, marked) > 0 })
	}
	return o.search(func(u *upload) bool { return u.key >= q.keyMarker })
}

// commonPrefix returns the group that a key falls into, empty for none.
func commonPrefix(key, prefix, delimiter string) string {
	if delimiter == "" {
		return ""
	}
	i := strings.Index(key[len(prefix):], delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(prefix)+i+len(delimiter)]
}

// beyond is true from the first upload on whose key is past every key with the prefix.
func beyond(prefix string) func(*upload) bool {
	return func(u *upload) bool { return u.key > prefix && !strings.HasPrefix(u.key, prefix) }
}
