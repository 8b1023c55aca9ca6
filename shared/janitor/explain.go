package janitor

import (
	"context"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// An Explanation is what is known of one upload, and what the rules say of it.
type Explanation struct {
	mpu.Decision
	Before time.Time // since when nothing must have happened to it
	Newest time.Time // when its newest part was uploaded; zero if it has none or nobody says
}

// Explain looks at the uploads that a request names, by their ID or by their key, and changes nothing. Most is how many are
// looked at. An upload that the service does not know is an mpu.Gone error.
func (j *Janitor) Explain(ctx context.Context, r mpu.Request, most int) (all []Explanation, err error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Bucket.Store == "mps" {
		return nil, &mpu.Error{Kind: mpu.Invalid, Op: "explain", Target: r.String(), Hint: "MPS tells nothing of an upload"}
	}
	if r.IsSweep() {
		return nil, &mpu.Error{Kind: mpu.Invalid, Op: "explain", Target: r.String(), Hint: "name one upload, or the key of one"}
	}
	st, err := j.Open(r.Bucket)
	if err != nil {
		return nil, err
	}
	run := j.start(ctx, nil)
	defer run.cancel()
	job := run.job(0, Task{Request: r}, st)
	defer job.stop(nil)
	err = job.each(most, func(u mpu.Upload) error {
		d, parts, err := job.inspect(job.ctx, u)
		if err == nil {
			all = append(all, Explanation{Decision: d, Before: job.before, Newest: parts.Newest})
		}
		return err
	})
	return all, err
}

// each calls do with the uploads that the request names, as the listing shows them.
func (j *job) each(most int, do func(mpu.Upload) error) error {
	n, pages := 0, 0
	for page, err := range j.store.Pages(j.ctx, j.request.Bucket, j.request.Key, mpu.Marker{}) {
		if err != nil {
			return err
		}
		for _, u := range page.Uploads {
			if u.Key != j.request.Key || j.named && u.UploadID != j.request.UploadID {
				continue
			}
			if err := do(u); err != nil {
				return err
			}
			if n++; n == most || j.named {
				return nil
			}
		}
		if pages++; j.named && pages == lookUpPages {
			break
		}
	}
	if n > 0 {
		return nil
	}
	if j.direct() {
		return do(j.upload()) // the listing does not show it; the service may know it all the same
	}
	return &mpu.Error{Kind: mpu.Gone, Op: "explain", Target: j.request.String(), Message: "no such upload is open"}
}
