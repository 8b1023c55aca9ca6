package sandboxtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/test/sandbox"
)

// Buckets lists the buckets of an account that has more than one page of them, in two regions.
func Buckets(t *testing.T, service sandbox.Service, open Open) {
	const more = 1100
	c := Start(t, service, sandbox.Options{})
	want := map[string]string{c.Bucket.Name: c.Bucket.Region}
	regions := map[sandbox.Service]string{sandbox.S3: "us-west-2", sandbox.COS: "ap-tokyo", sandbox.OBS: "cn-south-1", sandbox.OSS: "us-west-1"}
	for i := range more {
		name := strings.Replace(c.Bucket.Name, "media", fmt.Sprintf("bucket-%04d", i), 1)
		want[name] = c.Bucket.Region
		if i%3 == 0 {
			want[name] = regions[service]
		}
		c.CreateBucket(service, name, want[name])
	}
	every := mpu.Bucket{Store: c.Bucket.Store, Name: mpu.AnyBucket, Region: c.Bucket.Region}
	got, err := store.New(open(t, c.Config(), 0)).Buckets(t.Context(), every)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range got {
		if want[b.Name] != b.Region || b.Store != c.Bucket.Store {
			t.Errorf("%+v, want region %q", b, want[b.Name])
		}
		delete(want, b.Name)
	}
	if len(want) > 0 || len(got) != more+1 {
		t.Errorf("%d buckets, %d are missing", len(got), len(want))
	}
	pages := map[bool]int{true: 1, false: 2}[service == sandbox.OBS]
	if n := c.Count(service, sandbox.OpListBuckets); n != pages {
		t.Errorf("%d requests, want %d", n, pages)
	}

	c.Script(sandbox.Fault{Service: service, Code: "AccessDenied", Op: sandbox.OpListBuckets})
	_, err = open(t, c.Config(), 0).(store.BucketsDriver).ListBuckets(t.Context(), every, "")
	var e *mpu.Error
	if !errors.As(err, &e) || e.Kind != mpu.Denied || !strings.HasPrefix(e.Hint, "grant ") || e.Op != string(store.ListBuckets) ||
		!strings.HasPrefix(e.Target, every.Store+"://*") || e.RequestID == "" {
		t.Errorf("%#v, want what to grant", err)
	}
}
