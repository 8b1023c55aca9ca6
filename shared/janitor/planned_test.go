package janitor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store/storetest"
)

// Only what a plan names is aborted, and not even that if something has happened to it since.
func TestPlannedUploads(t *testing.T) {
	m := &storetest.Memory{}
	m.Add(upload("stale", "s1", 72*time.Hour), part(100, 70*time.Hour))
	m.Add(upload("stale", "s2", 72*time.Hour), part(50, 70*time.Hour))
	m.Add(upload("active", "a", 72*time.Hour), part(7, time.Minute))
	m.Add(upload("unnamed", "u", 720*time.Hour), part(9, 700*time.Hour))
	m.Add(upload("young", "y", time.Hour))
	m.Add(upload("young", "z", time.Hour))
	young := upload("young", "y", 900*time.Hour) // whoever edited the plan made it older than it is
	undated := upload("young", "z", 0)
	undated.Initiated = time.Time{}
	planned := []mpu.Upload{upload("stale", "s1", 72*time.Hour), upload("stale", "s2", 72*time.Hour), upload("active", "a", 72*time.Hour),
		upload("gone", "g", 72*time.Hour), upload("stale", "s1", 72*time.Hour), young, undated}
	j := janitorOver(m)
	var mu sync.Mutex
	var outcomes []string
	j.Outcome = func(o mpu.Outcome) {
		mu.Lock()
		defer mu.Unlock()
		if o.Before.IsZero() {
			t.Errorf("%+v has no cutoff", o)
		}
		outcomes = append(outcomes, o.Upload.UploadID+" "+string(o.Result))
	}
	request := mpu.Request{Bucket: upload("", "", 0).Bucket, Before: j.now().Add(-48 * time.Hour)}
	r := j.Run(t.Context(), []Task{{Request: request, Uploads: slices.Values(planned)}})
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	if got := ids(m.Left()); got != "a u y z" {
		t.Errorf("left %q", got)
	}
	slices.Sort(outcomes)
	if got := strings.Join(outcomes, ", "); got != "a kept, g gone, s1 aborted, s1 gone, s2 aborted, y kept, z kept" {
		t.Error(got)
	}
	if r.Totals.BytesFreed != 150 || r.Totals.KeptBy[mpu.Active] != 1 || r.Totals.KeptBy[mpu.TooYoung] != 2 {
		t.Errorf("%+v", r.Totals)
	}
}

// Without inspection a plan is looked at all the same: it was made some time ago.
func TestPlannedUploadsAreInspected(t *testing.T) {
	m := &storetest.Memory{}
	m.Add(upload("stale", "s", 72*time.Hour), part(100, 70*time.Hour))
	m.Add(upload("active", "a", 72*time.Hour), part(7, time.Minute))
	j := janitorOver(m)
	j.Uninspected = true
	planned := []mpu.Upload{upload("stale", "s", 72*time.Hour), upload("active", "a", 72*time.Hour)}
	r := j.Run(t.Context(), []Task{{Request: mpu.Request{Bucket: planned[0].Bucket, Before: j.now().Add(-48 * time.Hour)}, Uploads: slices.Values(planned)}})
	if got := ids(m.Left()); got != "a" || r.Err() != nil || r.Totals.BytesFreed != 100 || len(r.Notes) != 0 {
		t.Errorf("left %q, %v, %+v, notes %q", got, r.Err(), r.Totals, r.Notes)
	}
}

// A brake leaves the rest of a plan to the plan: nothing that goes beyond it is handed on.
func TestPlannedUploadsAreCapped(t *testing.T) {
	m := &storetest.Memory{}
	var planned []mpu.Upload
	for _, id := range strings.Fields("1 2 3 4 5 6 7 8") {
		u := upload("k", id, 72*time.Hour)
		m.Add(u)
		planned = append(planned, u)
	}
	j := janitorOver(m)
	j.MaxAborts = 3
	r := j.Run(t.Context(), []Task{{Request: mpu.Request{Bucket: planned[0].Bucket, Before: j.now().Add(-48 * time.Hour)}, Uploads: slices.Values(planned)}})
	if r.Err() == nil || r.Totals.Aborted != 3 || r.Totals.Deferred != 5 || len(r.Unfinished()) != 0 || len(m.Left()) != 5 {
		t.Errorf("%v, %+v, left %d, handed on %v", r.Err(), r.Totals, len(m.Left()), r.Unfinished())
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "apply the plan again") {
		t.Errorf("notes %q", r.Notes)
	}
}

// Stopped before it begins, a run does nothing and says what is left.
func TestStop(t *testing.T) {
	m := &storetest.Memory{}
	m.Add(upload("stale", "s", 72*time.Hour))
	stopped, stop := context.WithCancel(context.Background())
	stop()
	for name, tasks := range map[string][]Task{
		"a sweep": {task(t, "s3://media?olderThan=2d")},
		"a plan":  {{Request: task(t, "s3://media?olderThan=2d").Request, Uploads: slices.Values([]mpu.Upload{upload("stale", "s", 72*time.Hour)})}},
	} {
		j := janitorOver(m)
		j.Stop = stopped
		r := j.Run(t.Context(), tasks)
		if r.Err() == nil || len(m.Left()) != 1 || !strings.Contains(strings.Join(r.Notes, " "), "interrupted") {
			t.Errorf("%s: %v, %d left, %q", name, r.Err(), len(m.Left()), r.Notes)
		}
	}
}

func TestExplain(t *testing.T) {
	m := &storetest.Memory{PageSize: 1}
	m.Add(upload("k", "old", 72*time.Hour), part(100, 70*time.Hour), part(5, 71*time.Hour))
	m.Add(upload("k", "new", time.Hour))
	m.Add(upload("k2", "other", 72*time.Hour))
	j := janitorOver(m)
	for _, tt := range []struct {
		request string
		most    int
		want    string
		kind    mpu.Kind
	}{
		{"s3://media/k", 9, "new keep, old abort", 0},
		{"s3://media/k", 1, "new keep", 0},
		{"s3://media/k?uploadId=old", 9, "old abort", 0},
		{"s3://media/k?uploadId=none", 9, "", mpu.Gone},
		{"s3://media/none", 9, "", mpu.Gone},
		{"s3://media", 9, "", mpu.Invalid},
		{"mps://cn-shanghai/id", 9, "", mpu.Invalid},
	} {
		all, err := j.Explain(t.Context(), task(t, tt.request).Request, tt.most)
		var got []string
		for _, e := range all {
			got = append(got, e.Upload.UploadID+" "+string(e.Verdict))
			if e.Upload.UploadID == "old" && (e.Parts != 2 || e.Bytes != 105 || e.Newest.IsZero() || !e.LastActive.Equal(e.Newest)) {
				t.Errorf("%+v", e)
			}
		}
		slices.Sort(got)
		if strings.Join(got, ", ") != tt.want || mpu.KindOf(err) != tt.kind || tt.kind == 0 && err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.request, got, err, tt.want)
		}
	}
	if len(m.Left()) != 3 {
		t.Error("explaining changes things")
	}
	if _, err := j.Explain(t.Context(), mpu.Request{}, 1); !errors.Is(err, mpu.Invalid) {
		t.Error(err)
	}
}
