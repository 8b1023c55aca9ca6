package main

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/lifecycle"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// fiveRules have nothing to do with multipart uploads.
const fiveRules = `<LifecycleConfiguration>
  <Rule><ID>logs</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>
  <Rule><ID>tmp</ID><Prefix>tmp/</Prefix><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>
  <Rule><ID>off</ID><Prefix>off/</Prefix><Status>Disabled</Status><Expiration><Days>9</Days></Expiration></Rule>
  <Rule><ID>versions</ID><Prefix>v/</Prefix><Status>Enabled</Status><NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration></Rule>
  <Rule><ID>old</ID><Prefix>old/</Prefix><Status>Enabled</Status><Expiration><Days>365</Days></Expiration></Rule>
</LifecycleConfiguration>`

// lifecycle adds a rule to five others, on a server that writes them back in a form of its own: all six are there afterwards.
func (w *witness) lifecycle(t *testing.T) {
	b := w.bucket(t)
	d, err := w.open(store.Config{
		Region: region, Endpoint: w.url, PathStyle: true, Client: &http.Client{},
		Credentials: func(context.Context) (store.Credentials, error) {
			return store.Credentials{AccessKeyID: w.accessKey, SecretAccessKey: w.secret}, nil
		},
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.create(b.Name, "raw/a.bin"); err != nil {
		t.Fatal(err)
	}
	st := store.New(d)
	look := func() lifecycle.Audit {
		t.Helper()
		a, err := lifecycle.Look(t.Context(), st, mpu.Request{Bucket: b, Prefix: "raw/"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := look(); a.Covered || len(a.Rules) != 0 || a.Open != 1 {
		t.Errorf("a bucket without rules: %+v", a)
	}
	if err := st.PutLifecycle(t.Context(), b, store.Lifecycle{Document: []byte(fiveRules)}); err != nil {
		t.Fatal(err)
	}
	before := look()
	if len(before.Rules) != 5 || before.Covered {
		t.Fatalf("five rules were written, and there are %+v", before.Rules)
	}
	change, err := before.Plan(14)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := change.Install(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	after := look()
	if len(after.Rules) != 6 || !after.Covered || after.Rule.Days != 14 {
		t.Errorf("afterwards: %+v", after.Rules)
	}
	for _, r := range before.Rules {
		if !slices.Contains(after.Rules, r) {
			t.Errorf("rule %q is lost", r.ID)
		}
	}
}
