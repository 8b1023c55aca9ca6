package janitor

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// workOff looks at the uploads that a plan has named as if a listing had shown them, and at no others. What happened to them
// since the plan was made counts: one that has been active is kept.
func (j *job) workOff(uploads iter.Seq[mpu.Upload]) {
	crew := &crew{job: j, work: make(chan item), most: orDefault(j.Workers, DefaultWorkers)}
	var all progress
	page := all.open(store.Page{})
	left := 0
	for u := range uploads {
		page.add()
		if j.giveUp.Err() != nil || !crew.give(item{u, page}) {
			page.done(false)
			j.record(mpu.Outcome{Upload: u, Result: mpu.ResultDeferred})
			left++
		}
	}
	close(crew.work)
	crew.workers.Wait()
	if !page.left {
		return
	}
	cause := context.Cause(j.giveUp)
	if errors.Is(cause, errTooManyDenied) {
		j.failRequest(j.task, j.request, cause)
		return
	}
	j.report.Note(j.whyStopped(cause) + fmt.Sprintf("; apply the plan again for the rest (%d were not looked at)", left))
	j.report.leavePlanned(j.task)
}
