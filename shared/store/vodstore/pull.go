package vodstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire/acs"
)

var _ store.PullDriver = (*Driver)(nil)

// MediaOfPull returns the media ID that a pull from a URL was to make (GetURLUploadInfos). The vendor answers this in
// Shanghai and Singapore only, and for pulls of the last year. A pull that failed early may have none, and then it left
// nothing behind.
func (d *Driver) MediaOfPull(ctx context.Context, b mpu.Bucket, jobID string) (string, error) {
	if err := acs.CheckBucket(store.LookUpPull, b); err != nil {
		return "", err
	}
	if err := acs.CheckID(store.LookUpPull, b, jobID); err != nil {
		return "", err
	}
	call := acs.Call{Op: store.LookUpPull, Target: b, Region: b.Name, Action: "GetURLUploadInfos",
		Params: map[string]string{"JobIds": jobID}}
	var answer struct {
		URLUploadInfoList acs.List[struct{ JobId, MediaId, Status string }]
		NonExists         acs.List[string]
	}
	if err := d.client.Do(ctx, call, &answer); err != nil {
		return "", err
	}
	for _, job := range answer.URLUploadInfoList.Items {
		// Who names a job need not tell the truth about it: only VOD's own word that it failed lets its media be touched. The
		// spelling is not documented, so anything that says "fail" will do, and nothing else.
		switch status := strings.ToLower(job.Status); {
		case job.JobId != jobID:
		case !strings.Contains(status, "fail"):
			return "", call.Fail(mpu.Refused, fmt.Errorf("job %q has not failed: its status is %q", jobID, job.Status))
		case job.MediaId == "":
			return "", call.Fail(mpu.Gone, fmt.Errorf("job %q made no media", jobID))
		default:
			return job.MediaId, nil
		}
	}
	if slices.Contains(answer.NonExists.Items, jobID) {
		return "", call.Fail(mpu.Gone, fmt.Errorf("there is no job %q", jobID))
	}
	return "", call.Fail(0, fmt.Errorf("the answer says nothing of job %q", jobID))
}
