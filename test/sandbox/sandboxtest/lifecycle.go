package sandboxtest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/lifecycle"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/test/sandbox"
)

// fiveRules are of kinds that have nothing to do with multipart uploads, written as nobody's encoder would write them.
const fiveRules = `<?xml version="1.0" encoding="UTF-8"?>
<LifecycleConfiguration>
  <!-- kept by the archive team -->
  <Rule><ID>logs</ID> FILTER(logs/) <Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>
  <Rule><ID>cold</ID> FILTER(raw/) <Status>Enabled</Status>
    <Transition><Days>90</Days><StorageClass>Archive</StorageClass></Transition></Rule>
  <Rule><ID>versions</ID> FILTER(v/) <Status>Enabled</Status><NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration></Rule>
  <Rule><ID>off</ID> FILTER(off/) <Status>Disabled</Status><Expiration><Days>1</Days></Expiration></Rule>
  <Rule><ID>new-kind</ID> FILTER(x/) <Status>Enabled</Status><SomethingNobodyKnows Yet="true"/></Rule>
</LifecycleConfiguration>
`

// FiveRules returns five rules in a service's form.
func FiveRules(service sandbox.Service) []byte {
	before, after := "<Prefix>", "</Prefix>"
	if service == sandbox.S3 || service == sandbox.COS {
		before, after = "<Filter><Prefix>", "</Prefix></Filter>"
	}
	return []byte(strings.NewReplacer("FILTER(", before, ") ", after).Replace(fiveRules))
}

// Lifecycle reads a bucket's rules, finds them wanting, and adds one: six afterwards, and the five as they were, byte for byte.
func Lifecycle(t *testing.T, service sandbox.Service, open Open) {
	c := Start(t, service, sandbox.Options{})
	d := open(t, c.Config(), 0)
	st := store.New(d)
	old := time.Now().Add(-30 * 24 * time.Hour)
	c.Seed(service, c.Bucket.Name, "uploads/a", old)
	target := mpu.Request{Bucket: c.Bucket}
	if service == sandbox.OBS {
		target.Prefix = "uploads/" // no two rules overlap there
	}
	look := func() lifecycle.Audit {
		t.Helper()
		a, err := lifecycle.Look(t.Context(), st, target, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := look(); a.Covered || len(a.Rules) != 0 || a.Open != 1 || a.More {
		t.Errorf("a bucket without rules: %+v", a)
	}
	for _, rules := range [][]byte{nil, FiveRules(service)} {
		minimum := ""
		if service == sandbox.S3 {
			minimum = "varies_by_storage_class"
		}
		c.SetLifecycle(service, c.Bucket.Name, rules, minimum)
		before := look()
		change, err := before.Plan(7)
		if err != nil {
			t.Fatal(err)
		}
		said, written, err := change.Install(t.Context(), st)
		if err != nil || !written {
			t.Fatal(written, err)
		}
		after := look()
		if len(after.Rules) != len(before.Rules)+1 || !slices.Equal(said.Rules, after.Rules) || said.Rule != after.Rule || !said.Covered || !after.Covered || after.Rule.Days != 7 || after.Overdue != 1 {
			t.Errorf("afterwards: %+v", after)
		}
		document, kept := c.Sandbox.Lifecycle(service, c.Bucket.Name)
		if left := bytes.Replace(document, []byte(change.Rule), nil, 1); rules != nil && (!bytes.Equal(left, rules) || kept != minimum && minimum != "") {
			t.Errorf("of the five is left, with %q,\n%s", kept, left)
		}
		// The same change is not made twice: it was made from other rules.
		if _, written, err := change.Install(t.Context(), st); written || !errors.Is(err, lifecycle.ErrChanged) {
			t.Errorf("a second time: %v", err)
		}
	}
	// Refused, it names what to grant, and changes nothing.
	target.Prefix = "elsewhere/"
	c.SetLifecycle(service, c.Bucket.Name, FiveRules(service), "")
	before, _ := c.Sandbox.Lifecycle(service, c.Bucket.Name)
	change, err := look().Plan(1)
	if err != nil {
		t.Fatal(err)
	}
	undo := c.Script(sandbox.Fault{Service: service, Op: sandbox.OpPutLifecycle, Code: "AccessDenied"})
	_, written, err := change.Install(t.Context(), st)
	e, ok := errors.AsType[*mpu.Error](err)
	if after, _ := c.Sandbox.Lifecycle(service, c.Bucket.Name); written || !ok || e.Kind != mpu.Denied || !strings.Contains(err.Error(), "Lifecycle") || !bytes.Equal(before, after) {
		t.Errorf("refused: %v", err)
	}
	undo()
	for _, tt := range []struct {
		name          string
		put           sandbox.Fault
		there, unread bool
		want          string
	}{
		{"it is written, and the answer is lost", sandbox.Fault{CutAfter: true}, true, false, ""},
		{"it is not, and nobody knows", sandbox.Fault{Cut: true}, false, true, "may have been written"},
	} {
		c.SetLifecycle(service, c.Bucket.Name, FiveRules(service), "")
		change, err := look().Plan(1)
		if err != nil {
			t.Fatal(err)
		}
		tt.put.Service, tt.put.Op = service, sandbox.OpPutLifecycle
		undo := []func(){c.Script(tt.put)}
		if tt.unread {
			undo = append(undo, c.Script(sandbox.Fault{Service: service, Op: sandbox.OpGetLifecycle, Skip: 1, Code: "AccessDenied"}))
		}
		after, written, err := change.Install(t.Context(), st)
		if written != tt.there || written != (len(after.Rules) == 6) || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: written %v, %d rules, %v", tt.name, written, len(after.Rules), err)
		}
		for _, f := range undo {
			f()
		}
	}
	if err := d.(store.LifecycleDriver).PutLifecycle(t.Context(), c.Bucket, store.Lifecycle{}); !errors.Is(err, mpu.Refused) {
		t.Errorf("an empty document: %v", err)
	}
}
