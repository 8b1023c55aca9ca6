package janitor

import (
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

func TestCutoff(t *testing.T) {
	const minAge = 24 * time.Hour
	for _, tt := range []struct {
		name string
		r    mpu.Request
		want time.Time
	}{
		{"no time: the minimum age decides", mpu.Request{}, ago(minAge)},
		{"older than the minimum", mpu.Request{OlderThan: 48 * time.Hour}, ago(48 * time.Hour)},
		{"younger than the minimum is held to it", mpu.Request{OlderThan: time.Hour}, ago(minAge)},
		{"an event that knows the key only is held to it", mpu.Request{Key: "k", Before: ago(time.Minute)}, ago(minAge)},
		{"an event that names the upload is not", mpu.Request{Key: "k", UploadID: "u", Before: ago(time.Minute)}, ago(time.Minute)},
		{"named with no time: the minimum age decides", mpu.Request{Key: "k", UploadID: "u"}, ago(minAge)},
		{"named with a time in the future", mpu.Request{Key: "k", UploadID: "u", Before: now.Add(time.Hour)}, ago(minAge)},
		{"named by a clock that is a little ahead", mpu.Request{Key: "k", UploadID: "u", Before: now.Add(20 * time.Second)}, now},
		{"a sweep with a time in the future", mpu.Request{Before: now.Add(1e6 * time.Hour)}, ago(minAge)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := cutoff(tt.r, minAge, now); !got.Equal(tt.want) {
				t.Errorf("cutoff %v, want %v", got, tt.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	before := ago(24 * time.Hour)
	old, young := ago(72*time.Hour), ago(time.Minute)
	part := func(at time.Time) store.Parts { return store.Parts{Count: 1, Bytes: 5, Newest: at} }
	for _, tt := range []struct {
		name   string
		u      mpu.Upload
		parts  store.Parts
		want   mpu.Verdict
		reason mpu.Reason
	}{
		{"old with an old part", mpu.Upload{Initiated: old}, part(old), mpu.Abort, mpu.Stale},
		{"old without parts", mpu.Upload{Initiated: old}, store.Parts{}, mpu.Abort, mpu.Stale},
		{"old with a part a minute ago", mpu.Upload{Initiated: old}, part(young), mpu.Keep, mpu.Active},
		{"young", mpu.Upload{Initiated: young}, store.Parts{}, mpu.Keep, mpu.TooYoung},
		{"young by what the parts say", mpu.Upload{}, store.Parts{Initiated: young}, mpu.Keep, mpu.TooYoung},
		{"the listing says that it is active", mpu.Upload{Initiated: old, Active: young}, part(old), mpu.Keep, mpu.Active},
		{"no time at all", mpu.Upload{}, store.Parts{}, mpu.Keep, mpu.NoTime},
		{"no time on the parts", mpu.Upload{Initiated: old}, store.Parts{Count: 2, Bytes: 5}, mpu.Keep, mpu.NoTime},
		{"never initiated, but an old part", mpu.Upload{}, part(old), mpu.Abort, mpu.Stale},
		{"exactly at the cutoff", mpu.Upload{Initiated: before}, store.Parts{}, mpu.Keep, mpu.TooYoung},
		{"in the second before the cutoff", mpu.Upload{Initiated: before.Add(-999 * time.Millisecond)}, store.Parts{}, mpu.Keep, mpu.TooYoung},
		{"a whole second before the cutoff", mpu.Upload{Initiated: before.Add(-time.Second)}, store.Parts{}, mpu.Abort, mpu.Stale},
		{"part exactly at the cutoff", mpu.Upload{Initiated: old}, part(before), mpu.Keep, mpu.Active},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := judge(tt.u, tt.parts, before)
			if d.Verdict != tt.want || d.Reason != tt.reason {
				t.Errorf("%s (%s: %s), want %s (%s)", d.Verdict, d.Reason, d.Detail, tt.want, tt.reason)
			}
			if d.Detail == "" || d.Parts != tt.parts.Count || d.Bytes != tt.parts.Bytes {
				t.Errorf("decision without its figures: %+v", d)
			}
		})
	}
}

func TestMayLand(t *testing.T) {
	for _, tt := range []struct {
		name  string
		u     mpu.Upload
		named bool
		want  bool
	}{
		{"idle for days", mpu.Upload{Initiated: ago(72 * time.Hour)}, false, false},
		{"idle for an hour", mpu.Upload{Initiated: ago(time.Hour)}, false, true},
		{"idle for 23 hours", mpu.Upload{Initiated: ago(23 * time.Hour)}, false, true},
		{"idle for 25 hours", mpu.Upload{Initiated: ago(25 * time.Hour)}, false, false},
		{"no time", mpu.Upload{}, false, true},
		{"named by an event", mpu.Upload{Initiated: ago(72 * time.Hour)}, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := mayLand(tt.u, store.Parts{}, tt.named, now); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
