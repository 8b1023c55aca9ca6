package janitor

import (
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
)

// deleteMedia is for MPS, which cannot list and whose DeleteMedia forgets a media record and frees no byte: the records
// that the request names are deleted in batches. A sweep never comes here with anything to do.
func (j *job) deleteMedia() {
	ids := mediaIDs(j.request.Key)
	if len(ids) == 0 {
		j.failRequest(j.task, j.request, &mpu.Error{Kind: mpu.Refused, Op: "delete media", Target: j.request.String(),
			Hint: "name the media IDs; MPS is never swept, because DeleteMedia frees no storage"})
		return
	}
	us := make([]mpu.Upload, len(ids))
	for i, id := range ids {
		us[i] = mpu.Upload{Bucket: j.request.Bucket, Key: id, UploadID: id}
	}
	var left []string
	for size := j.store.BatchSize(); len(us) > 0; {
		n := min(size, len(us))
		left = append(left, j.deleteBatch(us[:n])...)
		us = us[n:]
	}
	if len(left) > 0 {
		rest := j.request
		rest.Key = strings.Join(left, ",")
		rest.UploadID = rest.Key
		j.leave(rest)
	}
}

// take takes up to n of the aborts that the run may do.
func (j *job) take(n int) int {
	most := int64(orDefault(j.MaxAborts, DefaultMaxAborts))
	over := max(0, j.aborts.Add(int64(n))-most)
	j.aborts.Add(-min(over, int64(n)))
	return n - int(min(over, int64(n)))
}

// deleteBatch deletes one batch, and returns the IDs that are left for another run.
func (j *job) deleteBatch(us []mpu.Upload) (left []string) {
	o := mpu.Outcome{Inspected: true, Reason: mpu.Stale, Detail: "named by the request; a media record holds 0 bytes"}
	now, errs := 0, make([]error, len(us))
	switch {
	case !j.apply:
		o.Result, now = mpu.ResultPlanned, len(us)
	case j.giveUp.Err() == nil:
		if now = j.take(len(us)); now > 0 {
			o.Result = mpu.ResultAborted
			copy(errs, j.store.AbortBatch(j.ctx, us[:now]))
		}
	}
	for i, u := range us {
		o := o
		o.Upload = u
		if i >= now {
			o.Result = mpu.ResultDeferred
		} else if errs[i] != nil {
			o = j.failed(o, errs[i])
		}
		if o.Result == mpu.ResultDeferred {
			left = append(left, u.Key)
		}
		j.record(o)
	}
	return left
}

// mediaIDs splits the comma list of a request's key, without blanks and repetitions.
func mediaIDs(key string) []string {
	var ids []string
	seen := map[string]bool{"": true}
	for id := range strings.SplitSeq(key, ",") {
		if id = strings.TrimSpace(id); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}
