package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// An Audit is what is known of a bucket's lifecycle, and whether what it promises is kept.
type Audit struct {
	Target  mpu.Request // a bucket, perhaps with a prefix
	Rules   []Rule
	Rule    Rule // the one that aborts all uploads of the target the soonest
	Covered bool // there is one
	Open    int  // uploads that were listed
	More    bool // there are more than that
	Oldest  time.Time
	Overdue int // of them, those that the rule should have aborted days ago

	lifecycle store.Lifecycle
}

const (
	auditPages = 10                 // of the listing, at most
	patience   = 3 * 24 * time.Hour // how long a service may take to act on a rule, or to notice a new one
)

// Read reads a bucket's rules.
func Read(ctx context.Context, st *store.Store, target mpu.Request) (Audit, error) {
	a := Audit{Target: mpu.Request{Bucket: target.Bucket, Prefix: target.Prefix}}
	err := a.read(ctx, st)
	return a, err
}

// read reads the rules anew.
func (a *Audit) read(ctx context.Context, st *store.Store) (err error) {
	if a.lifecycle, err = st.Lifecycle(ctx, a.Target.Bucket); err != nil {
		return err
	}
	if a.Rules, err = Parse(a.lifecycle.Document); err != nil {
		return &mpu.Error{Op: string(store.GetLifecycle), Target: a.Target.Bucket.String(), Err: err}
	}
	a.Rule, a.Covered = Covering(a.Rules, a.Target.Prefix)
	return nil
}

// Look reads a bucket's rules and the beginning of its listing. Nothing is changed.
func Look(ctx context.Context, st *store.Store, target mpu.Request, now time.Time) (Audit, error) {
	a, err := Read(ctx, st, target)
	if err != nil {
		return a, err
	}
	pages := 0
	for page, err := range st.Pages(ctx, target.Bucket, target.Prefix, mpu.Marker{}) {
		if err != nil {
			return a, err
		}
		for _, u := range page.Uploads {
			a.Open++
			if a.Oldest.IsZero() || u.Initiated.Before(a.Oldest) {
				a.Oldest = u.Initiated
			}
			if a.Covered && !u.Initiated.IsZero() && now.After(a.Rule.AbortsAt(u.Initiated).Add(patience)) {
				a.Overdue++
			}
		}
		if pages++; pages == auditPages {
			a.More = page.More
			break
		}
	}
	return a, nil
}

// A Change is a rule that is to be added to a bucket's.
type Change struct {
	Rule   string // its text
	before Audit  // what it was made from
	after  store.Lifecycle
}

// Plan returns the change that would cover what the audit found uncovered.
func (a Audit) Plan(days int) (Change, error) {
	merged, rule, err := Merge(a.Target.Bucket.Store, a.lifecycle.Document, a.Target.Prefix, days)
	if err != nil {
		return Change{}, &mpu.Error{Kind: mpu.Refused, Op: "add lifecycle rule", Target: a.Target.String(), Err: err}
	}
	return Change{Rule: rule, before: a, after: store.Lifecycle{Document: merged, Minimum: a.lifecycle.Minimum}}, nil
}

// ErrChanged is returned where somebody else has written the rules in the meantime.
var ErrChanged = errors.New("the bucket's rules have changed since they were read; look again")

// Install writes a change, if the rules are still what it was made from, and reads them again to see that none is lost. It returns
// what is known of the bucket's rules then, and whether ours is known to have been written, which it may be although there is an
// error: what came of it could not be seen.
func (c Change) Install(ctx context.Context, st *store.Store) (after Audit, written bool, err error) {
	after, written, err = c.install(ctx, st)
	if err != nil {
		err = &mpu.Error{Kind: mpu.KindOf(err), Op: "install lifecycle rule", Target: c.before.Target.Bucket.String(), Err: err}
	}
	return after, written, err
}

func (c Change) install(ctx context.Context, st *store.Store) (Audit, bool, error) {
	before, b := c.before, c.before.Target.Bucket
	now, err := st.Lifecycle(ctx, b)
	if err == nil && (!bytes.Equal(now.Document, before.lifecycle.Document) || now.Minimum != before.lifecycle.Minimum) {
		err = ErrChanged
	}
	if err != nil {
		return before, false, err
	}
	added, err := Parse([]byte("<LifecycleConfiguration>" + c.Rule + "</LifecycleConfiguration>"))
	if err != nil {
		return before, false, err
	}
	putErr := st.PutLifecycle(ctx, b, c.after)
	if putErr != nil && !errors.Is(putErr, mpu.Transient) {
		return before, false, putErr
	}
	after := before
	lost, err := after.readBack(ctx, st, before.Rules, added[0])
	switch {
	case err == nil && len(lost) == 0: // be it that only the answer was lost
		return after, true, nil
	case putErr != nil:
		return before, false, fmt.Errorf("it may have been written all the same: %w", putErr)
	case err != nil:
		return before, true, fmt.Errorf("written, and could not be read back: %w", err)
	}
	return after, true, fmt.Errorf("written, but rules %q are not there; the rules before were\n%s", lost, before.lifecycle.Document)
}

// readBack reads the rules until none that should be there is lost, or for some seconds: a service may take a moment before it shows
// what was written.
func (a *Audit) readBack(ctx context.Context, st *store.Store, old []Rule, added Rule) (lost []string, err error) {
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		if err := a.read(ctx, st); err != nil {
			return nil, err
		}
		if lost = missing(old, added, a.Rules); len(lost) == 0 || wait > 10*time.Second {
			return lost, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// missing returns the IDs of rules that should be there and are not. The service wrote the old ones itself before, and so writes
// them as it did then, but for an ID where they had none. The new one it may write in a way of its own.
func missing(old []Rule, added Rule, have []Rule) (lost []string) {
	left := slices.Clone(have)
	find := func(want Rule, same func(Rule) bool) {
		i := slices.IndexFunc(left, same)
		if i < 0 {
			lost = append(lost, want.ID)
			return
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, want := range old {
		find(want, func(r Rule) bool { return r.all == want.all && (want.ID == "" || want.ID == r.ID) })
	}
	find(added, func(r Rule) bool {
		return r.ID == added.ID && r.Prefix == added.Prefix && r.Days == added.Days && r.Enabled && r.Aborts && !r.Narrow
	})
	return lost
}
