package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
)

// addRules gives buckets lifecycle rules: OBS ones that have nothing to do with uploads, COS one that is switched off, OSS one
// that covers all uploads. S3's has none.
func (w *world) addRules() {
	const (
		open, end = "<LifecycleConfiguration>", "</LifecycleConfiguration>"
		enabled   = "<Status>Enabled</Status>"
		expire    = enabled + "<Expiration><Days>30</Days></Expiration></Rule>"
	)
	for _, b := range []struct {
		service sandbox.Service
		bucket  string
		rules   string
	}{
		{sandbox.OBS, "media-obs", "<Rule><ID>tmp</ID><Prefix>tmp/</Prefix>" + expire + "<Rule><ID>logs</ID><Prefix>logs/</Prefix>" + expire},
		{sandbox.COS, "media-1250000000", "<Rule><ID>uploads</ID><Filter><Prefix></Prefix></Filter><Status>Disabled</Status>" +
			"<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"},
		{sandbox.OSS, "media-oss", "<Rule><ID>uploads</ID><Prefix></Prefix>" + enabled + "<AbortMultipartUpload><Days>30</Days></AbortMultipartUpload></Rule>"},
	} {
		w.SetLifecycle(b.service, b.bucket, []byte(open+b.rules+end), "")
	}
}

// mostMore bounds what is put into the sandbox: each takes about 1 KB of memory.
const mostMore = 1_000_000

// addMany leaves as many uploads more in the bucket on S3 as are asked for, of all ages and sizes, as long as stop is not done. One
// in twenty is alive.
func (w *world) addMany(stop context.Context, n int) {
	const seed = 20261103 // the same ones every time
	r := rand.New(rand.NewPCG(seed, seed))
	folders := []string{"raw/2025/", "raw/2026/", "proxies/", "masters/", "tmp/", "audio/", ""}
	for i := range n {
		if stop.Err() != nil {
			return
		}
		days := 2 + r.ExpFloat64()*60
		begun := w.days.tick.Add(-time.Duration(days * float64(24*time.Hour)))
		parts := make([]sandbox.Part, r.IntN(12))
		for k := range parts {
			parts[k] = sandbox.Part{Number: k + 1, Size: (5 + r.Int64N(60)) * mib, Modified: begun.Add(time.Duration(k) * time.Minute)}
		}
		alive := i%20 == 0 && len(parts) > 0
		if alive {
			parts[len(parts)-1].Modified = w.days.tick.Add(-time.Duration(r.Int64N(int64(20 * time.Hour))))
		}
		key := fmt.Sprintf("%sclip-%05d.mxf", folders[r.IntN(len(folders))], i)
		id := w.Seed(sandbox.S3, "media-in", key, begun, parts...)
		if alive {
			w.alive["s3 "+id] = true
		}
	}
}
