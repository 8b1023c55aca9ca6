package janitor

import (
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// A sweep goes on at the first page that has anything left, in whatever order its uploads were worked off.
func TestProgress(t *testing.T) {
	mark := func(s string) mpu.Marker { return mpu.Marker{Key: s} }
	page := func(after, next string) store.Page {
		return store.Page{After: mark(after), Next: mark(next), More: next != ""}
	}
	p := &progress{next: mark("0")}
	if after, left := p.rest(); !left || after != mark("0") {
		t.Errorf("before the first page: %v, %v", after, left)
	}
	first := p.open(page("0", "1"))
	first.add()
	first.done(true)
	second := p.open(page("1", "2"))
	second.add()
	second.add()
	third := p.open(page("2", "3"))
	third.add()
	third.done(true)
	if after, left := p.rest(); !left || after != mark("3") {
		t.Errorf("with everything so far worked off: %v, %v", after, left)
	}
	second.done(false)
	second.done(true) // a later success does not undo what is left
	fourth := p.open(page("3", ""))
	fourth.add()
	fourth.done(false)
	p.end()
	if after, left := p.rest(); !left || after != mark("1") {
		t.Errorf("the second page has something left: %v, %v", after, left)
	}
	done := &progress{}
	done.open(page("0", ""))
	if after, left := done.rest(); left {
		t.Errorf("nothing is left, and yet: %v", after)
	}
}
