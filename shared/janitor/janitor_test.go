package janitor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/storetest"
)

var bucket = mpu.Bucket{Store: "s3", Name: "media"}

// upload makes an upload that was begun so long ago.
func upload(key, id string, age time.Duration) mpu.Upload {
	return mpu.Upload{Bucket: bucket, Key: key, UploadID: id, Initiated: ago(age)}
}

// part makes a part that was uploaded so long ago.
func part(size int64, age time.Duration) storetest.MemoryPart {
	return storetest.MemoryPart{Bytes: size, Modified: ago(age)}
}

func janitorOver(d store.Driver) *Janitor {
	return &Janitor{
		Open:  func(mpu.Bucket) (*store.Store, error) { return store.New(d), nil },
		Apply: true, Now: func() time.Time { return now }, Pause: time.Nanosecond,
	}
}

func task(t *testing.T, notation string) Task {
	t.Helper()
	r, err := mpu.Parse(notation)
	if err != nil {
		t.Fatal(err)
	}
	return Task{Request: r}
}

func ids(us []mpu.Upload) string {
	var s []string
	for _, u := range us {
		s = append(s, u.UploadID)
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

func TestSweepKeepsWhatIsAlive(t *testing.T) {
	m := &storetest.Memory{PageSize: 2}
	m.Add(upload("stale", "s1", 72*time.Hour), part(100, 70*time.Hour))
	m.Add(upload("slow", "s2", 72*time.Hour), part(100, 70*time.Hour), part(100, time.Minute))
	m.Add(upload("same", "old", 72*time.Hour), part(7, 72*time.Hour))
	m.Add(upload("same", "new", time.Hour))
	m.Add(upload("empty", "e", 72*time.Hour))
	r := janitorOver(m).Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	if got := ids(m.Left()); got != "new s2" {
		t.Errorf("left %q, want new s2", got)
	}
	want := Totals{Found: 5, Aborted: 3, Kept: 2, BytesFreed: 107, KeptBy: map[mpu.Reason]int{mpu.Active: 1, mpu.TooYoung: 1},
		OldestKept: r.Started.Add(-72 * time.Hour)}
	if got := fmt.Sprintf("%+v", r.Totals); got != fmt.Sprintf("%+v", want) {
		t.Errorf("totals\n%s, want\n%+v", got, want)
	}
	again := janitorOver(m).Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
	if again.Totals.Aborted != 0 || again.Err() != nil {
		t.Errorf("second run: %+v, %v", again.Totals, again.Err())
	}
}

func TestNamedUpload(t *testing.T) {
	const event = "s3://media/k?uploadId=failed&before=2026-11-21T11:00:00Z"
	for _, tt := range []struct {
		name   string
		set    func(m *storetest.Memory)
		left   string
		result func(Totals) int
	}{
		{"failed a moment ago", func(m *storetest.Memory) { m.Add(upload("k", "failed", 2*time.Hour), part(5, 90*time.Minute)) },
			"", func(t Totals) int { return t.Aborted }},
		{"a retry with another ID has begun", func(m *storetest.Memory) {
			m.Add(upload("k", "failed", 2*time.Hour))
			m.Add(upload("k", "retry", time.Minute))
		}, "retry", func(t Totals) int { return t.Aborted }},
		{"the same upload was resumed", func(m *storetest.Memory) { m.Add(upload("k", "failed", 2*time.Hour), part(5, time.Minute)) },
			"failed", func(t Totals) int { return t.Kept }},
		{"it has completed meanwhile", func(m *storetest.Memory) {}, "", func(t Totals) int { return t.Gone }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &storetest.Memory{}
			tt.set(m)
			r := janitorOver(m).Run(t.Context(), []Task{task(t, event)})
			if r.Err() != nil || ids(m.Left()) != tt.left || tt.result(r.Totals) != 1 || r.Totals.Found != 1 {
				t.Errorf("left %q, totals %+v, error %v", ids(m.Left()), r.Totals, r.Err())
			}
			if r.Totals.Aborted != r.Totals.Verified {
				t.Errorf("an abort on an event is verified: %+v", r.Totals)
			}
		})
	}
}

// The listing of parts of an upload that has none says nothing about its age, so the listing of its key is asked.
func TestNamedUploadWithoutParts(t *testing.T) {
	for _, tt := range []struct {
		name, request string
		age           time.Duration
		left          string
	}{
		{"begun before it failed", "s3://media/k?uploadId=u&before=2026-11-21T11:00:00Z", 2 * time.Hour, ""},
		{"begun since", "s3://media/k?uploadId=u&before=2026-11-21T11:00:00Z", time.Minute, "other u"},
		{"by hand, with an age", "s3://media/k?uploadId=u&olderThan=7d", 2 * time.Hour, "other u"},
		{"by hand, with no time", "s3://media/k?uploadId=u", 2 * time.Hour, "other u"},
		{"by hand, with no time, old", "s3://media/k?uploadId=u", 72 * time.Hour, ""},
		{"failed in the future", "s3://media/k?uploadId=u&before=2026-11-21T20:00:00Z", 2 * time.Hour, "other u"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &storetest.Memory{PageSize: 1}
			m.Add(upload("k", "u", tt.age))
			m.Add(upload("k", "other", time.Minute))
			r := janitorOver(m).Run(t.Context(), []Task{task(t, tt.request)})
			want := tt.left
			if want == "" {
				want = "other"
			}
			if got := ids(m.Left()); got != want || r.Err() != nil || r.Totals.Found != 1 {
				t.Errorf("left %q, want %q; %+v, %v", got, want, r.Totals, r.Err())
			}
		})
	}
	m := &storetest.Memory{}
	m.Add(mpu.Upload{Bucket: bucket, Key: "k", UploadID: "u"})
	if r := janitorOver(m).Run(t.Context(), []Task{task(t, "s3://media/k?uploadId=u&before=2026-11-21T11:00:00Z")}); r.Totals.KeptBy[mpu.NoTime] != 1 {
		t.Errorf("nothing says when it was begun, and yet: %+v", r.Totals)
	}
}

// Much can happen to an upload while its abort waits to be sent again.
func TestUploadThatComesAliveWhileItsAbortWaits(t *testing.T) {
	m := &storetest.Memory{}
	u := upload("k", "u", 72*time.Hour)
	m.Add(u, part(5, 72*time.Hour))
	tries := 0
	m.OnAbort = func(mpu.Upload) error {
		if tries++; tries == 1 {
			m.Add(u, part(5, 72*time.Hour), part(5, time.Second))
			return &mpu.Error{Kind: mpu.Transient, Code: "SlowDown"}
		}
		return nil
	}
	j := janitorOver(m)
	j.Open = func(mpu.Bucket) (*store.Store, error) {
		return store.New(m, store.Retry(5, time.Nanosecond, time.Nanosecond)), nil
	}
	r := j.Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
	if tries != 1 || len(m.Left()) != 1 || r.Totals.KeptBy[mpu.Active] != 1 || r.Err() != nil {
		t.Errorf("%d aborts, %d left, %+v, %v", tries, len(m.Left()), r.Totals, r.Err())
	}
}

func TestKeyRequestTouchesOnlyThatKey(t *testing.T) {
	m := &storetest.Memory{PageSize: 1}
	for _, key := range []string{"raw", "raw/a", "raw/ab", "rawb"} {
		m.Add(upload(key, key, 72*time.Hour))
	}
	r := janitorOver(m).Run(t.Context(), []Task{task(t, "s3://media/raw/a?olderThan=2d")})
	if got := ids(m.Left()); got != "raw raw/ab rawb" || r.Totals.Found != 1 || r.Err() != nil {
		t.Errorf("left %q, found %d, %v", got, r.Totals.Found, r.Err())
	}
}

func TestPlanAbortsNothing(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(j *Janitor, t *Task)
	}{
		{"the setting says plan", func(j *Janitor, _ *Task) { j.Apply = false }},
		{"the task says plan", func(_ *Janitor, t *Task) { t.PlanOnly = true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &storetest.Memory{}
			m.Add(upload("k", "u", 72*time.Hour), part(9, 72*time.Hour))
			j, task := janitorOver(m), task(t, "s3://media?olderThan=2d")
			tt.set(j, &task)
			r := j.Run(t.Context(), []Task{task})
			if m.Calls(store.AbortUpload) != 0 || r.Totals.Planned != 1 || r.Totals.BytesPlanned != 9 || r.Totals.BytesFreed != 0 {
				t.Errorf("%d aborts, totals %+v", m.Calls(store.AbortUpload), r.Totals)
			}
			if r.Mode != "plan" || r.Err() != nil || len(r.Planned) != 1 {
				t.Errorf("mode %s, error %v, planned %v", r.Mode, r.Err(), r.Planned)
			}
		})
	}
}

// An abort that may have been carried out counts against what a run may abort, as one that was does.
func TestUnconfirmedAbortsAreCounted(t *testing.T) {
	m := &storetest.Memory{}
	for i := range 20 {
		m.Add(upload(fmt.Sprint("k", i), "u", 72*time.Hour), part(9, 72*time.Hour))
	}
	m.OnAbort = func(mpu.Upload) error { return &mpu.Error{Kind: mpu.Transient, Op: "abort upload", Status: 500} }
	j := janitorOver(m)
	j.MaxAborts, j.Workers = 5, 1
	r := j.Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
	if n := m.Calls(store.AbortUpload); n != 5 || r.Totals.Failed != 5 || r.Totals.BytesUnconfirmed != 45 {
		t.Errorf("%d aborts were sent, want 5; %+v", n, r.Totals)
	}
}

// Of an example that nobody looked into, the report does not say that it has no bytes.
func TestExamplesSayWhatWasSeen(t *testing.T) {
	m := &storetest.Memory{}
	m.Add(upload("old", "u", 72*time.Hour), part(9, 72*time.Hour))
	m.Add(upload("empty", "u", 72*time.Hour))
	m.Add(upload("young", "u", time.Hour), part(9, time.Hour))
	j := janitorOver(m)
	j.Apply = false
	r := j.Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
	got := map[string]string{}
	for _, e := range append(r.Planned, r.Kept...) {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var bytes struct{ Bytes json.RawMessage }
		if err := json.Unmarshal(text, &bytes); err != nil {
			t.Fatal(err)
		}
		got[strings.TrimSuffix(strings.TrimPrefix(e.Upload, "s3://media/"), "?uploadId=u")] = string(bytes.Bytes)
	}
	if want := map[string]string{"old": "9", "empty": "0", "young": ""}; !maps.Equal(got, want) {
		t.Errorf("bytes %v, want %v", got, want)
	}
}

// The plan of a rest begins where it is told to, and has each upload once, whoever's service it is.
func TestPlanOfARest(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		d := &balky{Memory: &storetest.Memory{PageSize: 2}, foreign: foreign}
		for i := range 7 {
			d.Add(upload(fmt.Sprint("k", i), "u", 72*time.Hour), part(9, 72*time.Hour))
		}
		j := janitorOver(d.Memory)
		j.Open = func(mpu.Bucket) (*store.Store, error) { return store.New(d), nil }
		j.Apply = false
		var got []string
		var mu sync.Mutex
		j.Outcome = func(o mpu.Outcome) { mu.Lock(); defer mu.Unlock(); got = append(got, o.Upload.Key) }
		r := j.Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d&after=k2,u")})
		slices.Sort(got)
		if want := []string{"k3", "k4", "k5", "k6"}; !slices.Equal(got, want) || r.Totals.Planned != 4 || r.Err() != nil {
			t.Errorf("foreign %v: %q, want %q; %+v", foreign, got, want, r.Totals)
		}
	}
}

func TestAbortIsVerifiedWhilePartsMayLand(t *testing.T) {
	event := "s3://media/k?uploadId=u&before=2026-11-21T11:00:00Z"
	landing := func(n int) (*storetest.Memory, *Report) {
		m := &storetest.Memory{}
		u := upload("k", "u", 2*time.Hour)
		m.Add(u, part(10, 90*time.Minute))
		for i := range n {
			m.Land(u, storetest.MemoryPart{Bytes: 3, Modified: now.Add(time.Duration(i) * time.Second)})
		}
		u.Initiated = time.Time{}
		return m, janitorOver(m).Run(t.Context(), []Task{task(t, event)})
	}
	m, r := landing(1)
	if r.Totals.Aborted != 1 || r.Totals.Verified != 1 || r.Totals.BytesFreed != 13 || len(m.Left()) != 0 || r.Err() != nil {
		t.Errorf("one part in flight: %+v, left %d, %v", r.Totals, len(m.Left()), r.Err())
	}
	m, r = landing(5)
	if r.Totals.Failed != 1 || r.Totals.Verified != 0 || r.Totals.BytesFreed != 0 || m.Calls(store.AbortUpload) != rounds {
		t.Errorf("parts never stop landing: %+v after %d aborts", r.Totals, m.Calls(store.AbortUpload))
	}
	if r.Err() == nil {
		t.Error("an upload that is still there passes for done")
	}
}

// Where the time is up before an abort is seen to have worked, it is left to the next run; what is seen behind two of them has
// survived. Either way it is named, and its bytes are not forgotten: they may be gone.
func TestAbortThatIsNotSeenToHaveWorked(t *testing.T) {
	noTime := &mpu.Error{Kind: mpu.Transient, Op: "an op", Err: fmt.Errorf("%w: a limit", store.ErrNoTime)}
	transient := &mpu.Error{Kind: mpu.Transient, Op: "an op", Status: 500}
	denied := &mpu.Error{Kind: mpu.Denied, Op: "an op", Code: "AccessDenied"}
	for _, tt := range []struct {
		name        string
		onLook      int // the look at its parts that meets the error; the first is the one that decides
		onAbort     int
		err         error
		timeUp      bool // in that call
		want        mpu.Result
		unconfirmed int64
		say         string
	}{
		{"it is still there behind the first, and the time is up", 2, 0, nil, true, mpu.ResultDeferred, 10, "not seen to have worked: context canceled"},
		{"nobody can look in time", 2, 0, transient, true, mpu.ResultDeferred, 10, "not seen to have worked"},
		{"a limit leaves no time for the look", 2, 0, noTime, false, mpu.ResultDeferred, 10, "not seen to have worked"},
		{"a limit leaves no time for the last look", 4, 0, noTime, false, mpu.ResultDeferred, 10, "not seen to have worked"},
		{"the last look fails", 4, 0, transient, false, mpu.ResultFailed, 10, "not seen to have worked"},
		{"the look is not allowed, and the time is up", 2, 0, denied, true, mpu.ResultAborted, 0, ""},
		{"the time is up in the second abort", 0, 2, transient, true, mpu.ResultDeferred, 10, "an op"},
		{"a limit leaves no time for the second abort", 0, 2, noTime, false, mpu.ResultDeferred, 10, "an op"},
		{"the second abort fails", 0, 2, transient, false, mpu.ResultFailed, 10, "an op"},
		{"the second abort is refused", 0, 2, denied, false, mpu.ResultFailed, 10, "an op"},
		{"it is still there behind the second, and the time is up", 3, 0, nil, true, mpu.ResultFailed, 0, "still lists the upload"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &storetest.Memory{}
			u := upload("k", "u", 2*time.Hour)
			m.Add(u, part(10, 90*time.Minute))
			for range rounds {
				m.Land(u, part(10, 90*time.Minute)) // just like the one before, as if the abort had done nothing
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			at := func(n int) func(mpu.Upload) error {
				call := 0
				return func(mpu.Upload) error {
					if call++; call != n {
						return nil
					}
					if tt.timeUp {
						cancel()
					}
					return tt.err
				}
			}
			m.OnParts, m.OnAbort = at(tt.onLook), at(tt.onAbort)
			var log bytes.Buffer
			var got mpu.Outcome
			j := janitorOver(m)
			j.Log = slog.New(slog.NewJSONHandler(&log, nil))
			j.Outcome = func(o mpu.Outcome) { got = o }
			r := j.Run(ctx, []Task{task(t, "s3://media/k?uploadId=u&before=2026-11-21T11:00:00Z")})
			if got.Result != tt.want || r.Totals.BytesUnconfirmed != tt.unconfirmed || got.Unconfirmed != (tt.unconfirmed > 0) {
				t.Errorf("%s, %d bytes unconfirmed, want %s and %d", got.Result, r.Totals.BytesUnconfirmed, tt.want, tt.unconfirmed)
			}
			if text := fmt.Sprint(got.Err); tt.say != "" && !strings.Contains(text, tt.say) {
				t.Errorf("error %s, want one that says %q", text, tt.say)
			}
			if left := len(r.Unfinished()) == 1; left != (tt.want == mpu.ResultDeferred) || (r.Err() == nil) != (tt.want == mpu.ResultAborted) {
				t.Errorf("rest %v, error %v", r.Rest, r.Err())
			}
			if !strings.Contains(log.String(), `"target":"`+u.String()) {
				t.Errorf("the log does not name it: %s", &log)
			}
		})
	}
}

// A balky driver's first aborts do nothing, or are carried out and their answers lost.
type balky struct {
	*storetest.Memory
	foreign    bool
	idle, lost int
	then       []storetest.MemoryPart // what comes on top of what is there, one behind each idle abort
	u          mpu.Upload
	parts      []storetest.MemoryPart
}

func (b *balky) Foreign() bool { return b.foreign }

func (b *balky) AbortUpload(ctx context.Context, u mpu.Upload) error {
	switch {
	case b.idle > 0:
		b.parts, b.then = append(b.parts, b.then[0]), b.then[1:]
		b.Add(b.u, b.parts...)
		b.idle--
		return nil
	case b.lost > 0:
		b.lost--
		b.Memory.AbortUpload(ctx, u)
		return &mpu.Error{Kind: mpu.Transient, Op: "abort upload", Message: "cut"}
	}
	return b.Memory.AbortUpload(ctx, u)
}

// What is reported freed is never more than was, and with what is unconfirmed never less, whatever an abort did in truth.
func TestBytesAreBoundedFromBothSides(t *testing.T) {
	first := part(10, 90*time.Minute)
	landed := func(bytes ...int64) (parts []storetest.MemoryPart) {
		for i, n := range bytes {
			parts = append(parts, storetest.MemoryPart{Bytes: n, Modified: now.Add(time.Duration(i) * time.Second)})
		}
		return parts
	}
	for _, tt := range []struct {
		name               string
		driver             balky
		land               []storetest.MemoryPart // behind the aborts that are carried out
		parts              []storetest.MemoryPart
		want               mpu.Result
		freed, unconfirmed int64
		removed            int64 // in truth
	}{
		{"another service's abort does nothing, and a part lands", balky{foreign: true, idle: 1, then: landed(5)}, nil, nil, mpu.ResultAborted, 15, 10, 15},
		{"two do nothing", balky{foreign: true, idle: 2, then: landed(5, 5)}, nil, nil, mpu.ResultAborted, 20, 25, 20},
		{"another service's abort works, and a part lands", balky{foreign: true}, landed(5), nil, mpu.ResultAborted, 5, 10, 15},
		{"the same, of two parts", balky{foreign: true}, landed(5), []storetest.MemoryPart{first, first}, mpu.ResultAborted, 25, 0, 25},
		{"the vendor's own works, and a part lands", balky{}, landed(5), nil, mpu.ResultAborted, 15, 0, 15},
		{"the same, of two parts, and by the clock it is no newer", balky{}, []storetest.MemoryPart{part(5, 95*time.Minute)}, []storetest.MemoryPart{first, first}, mpu.ResultAborted, 25, 0, 25},
		{"parts land behind all of them", balky{}, landed(5, 50, 500), nil, mpu.ResultFailed, 0, 65, 65},
		{"smaller and smaller ones", balky{}, landed(500, 50, 5), nil, mpu.ResultFailed, 0, 560, 560},
		{"the answer is lost, and a part lands", balky{lost: 1}, landed(5), nil, mpu.ResultKept, 0, 10, 10},
		{"the answer is lost", balky{lost: 1}, nil, nil, mpu.ResultGone, 0, 10, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := upload("k", "u", 2*time.Hour)
			d := tt.driver
			d.Memory, d.u, d.parts = &storetest.Memory{}, u, tt.parts
			if d.parts == nil {
				d.parts = []storetest.MemoryPart{first}
			}
			d.Add(u, d.parts...)
			for _, p := range tt.land {
				d.Land(u, p)
			}
			var log bytes.Buffer
			j := janitorOver(d.Memory)
			j.Open = func(mpu.Bucket) (*store.Store, error) {
				return store.New(&d, store.Retry(4, time.Nanosecond, time.Nanosecond)), nil
			}
			j.Log = slog.New(slog.NewJSONHandler(&log, nil))
			var got mpu.Outcome
			j.Outcome = func(o mpu.Outcome) { got = o }
			r := j.Run(t.Context(), []Task{task(t, "s3://media/k?uploadId=u&before=2026-11-21T11:00:00Z")})
			if got.Result != tt.want || r.Totals.BytesFreed != tt.freed || r.Totals.BytesUnconfirmed != tt.unconfirmed {
				t.Errorf("%s, freed %d, unconfirmed %d; want %s, %d and %d", got.Result, r.Totals.BytesFreed, r.Totals.BytesUnconfirmed, tt.want, tt.freed, tt.unconfirmed)
			}
			if tt.freed > tt.removed || tt.freed+tt.unconfirmed < tt.removed {
				t.Errorf("%d bytes were removed, and the bounds are %d and %d", tt.removed, tt.freed, tt.freed+tt.unconfirmed)
			}
			if !strings.Contains(log.String(), u.String()) {
				t.Errorf("the log does not name it: %s", &log)
			}
			if note := strings.Contains(fmt.Sprint(r.Notes), "bytes more may have been freed"); note != (tt.unconfirmed > 0) {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

// A service may accept the abort and not let us look afterwards; then the abort counts, and is not called verified.
func TestUnverifiableAbort(t *testing.T) {
	m := &storetest.Memory{}
	m.Add(upload("k", "u", 2*time.Hour), part(10, 90*time.Minute))
	looks := 0
	m.OnParts = func(u mpu.Upload) error {
		if looks++; looks > 1 {
			return &mpu.Error{Kind: mpu.Denied, Op: "list parts", Code: "AccessDenied"}
		}
		return nil
	}
	m.OnAbort = func(u mpu.Upload) error {
		m.Add(u, part(10, 90*time.Minute)) // it never says that it is gone
		return nil
	}
	r := janitorOver(m).Run(t.Context(), []Task{task(t, "s3://media/k?uploadId=u&before=2026-11-21T11:00:00Z")})
	if r.Totals.Aborted != 1 || r.Totals.Verified != 0 || r.Totals.BytesFreed != 10 {
		t.Errorf("%+v", r.Totals)
	}
}

func TestRefusalsFailTheRun(t *testing.T) {
	m := &storetest.Memory{}
	for i := range 500 {
		m.Add(upload(fmt.Sprint("k", i), "u", 72*time.Hour))
	}
	m.OnAbort = func(u mpu.Upload) error {
		return &mpu.Error{Kind: mpu.Denied, Op: "abort upload", Target: u.String(), Status: 403, Code: "AccessDenied",
			RequestID: "R1", Hint: "grant s3:AbortMultipartUpload on arn:aws:s3:::media/*"}
	}
	j := janitorOver(m)
	j.Workers = 4
	r := j.Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
	err := r.Err()
	if err == nil || !strings.Contains(err.Error(), "s3:AbortMultipartUpload") || !strings.Contains(err.Error(), "R1") {
		t.Errorf("error %v, want the missing permission and the request ID", err)
	}
	if n := m.Calls(store.AbortUpload); n > deniedInARow+j.Workers {
		t.Errorf("%d refused requests before giving up", n)
	}
	if r.Totals.Aborted != 0 || r.Totals.BytesFreed != 0 {
		t.Errorf("%+v", r.Totals)
	}
}

func TestOneBucketsFailureStaysItsOwn(t *testing.T) {
	m := &storetest.Memory{OnList: func(b mpu.Bucket, _ string, _ mpu.Marker) error {
		if b.Name == "typo" {
			return &mpu.Error{Kind: mpu.Missing, Op: "list uploads", Target: b.String(), Code: "NoSuchBucket"}
		}
		return nil
	}}
	m.Add(upload("k", "u", 72*time.Hour))
	r := janitorOver(m).Run(t.Context(), []Task{task(t, "s3://typo?olderThan=2d"), task(t, "s3://media?olderThan=2d")})
	if len(m.Left()) != 0 || r.Totals.Aborted != 1 {
		t.Errorf("left %d, %+v", len(m.Left()), r.Totals)
	}
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "typo") {
		t.Errorf("error %v, want the bucket's name", err)
	}
	if r.TaskErr(0) == nil || r.TaskErr(1) != nil {
		t.Errorf("errors of the tasks: %v, %v", r.TaskErr(0), r.TaskErr(1))
	}
}

func TestCapDefersTheRest(t *testing.T) {
	m := &storetest.Memory{PageSize: 10}
	for i := range 95 {
		m.Add(upload(fmt.Sprintf("k%02d", i), "u", 72*time.Hour), part(1, 72*time.Hour))
	}
	j := janitorOver(m)
	j.MaxAborts, j.Workers = 20, 4
	tasks, aborted := []Task{task(t, "s3://media?olderThan=2d")}, 0
	for range 10 {
		r := j.Run(t.Context(), tasks)
		aborted += r.Totals.Aborted
		if r.Totals.Aborted > 20 {
			t.Fatalf("%d aborts in one run", r.Totals.Aborted)
		}
		if len(r.Unfinished()) == 0 {
			if r.Err() != nil {
				t.Error(r.Err())
			}
			break
		}
		if r.Err() == nil {
			t.Fatal("a run with a rest passes for done")
		}
		tasks = tasks[:0]
		for _, rest := range r.Unfinished() {
			again, err := mpu.Parse(rest.String())
			if err != nil || again != rest {
				t.Fatalf("rest %v, %v", rest, err)
			}
			tasks = append(tasks, Task{Request: again})
		}
	}
	if aborted != 95 || len(m.Left()) != 0 {
		t.Errorf("%d aborted, %d left", aborted, len(m.Left()))
	}
}

func TestDeadlineLosesNothing(t *testing.T) {
	m := &storetest.Memory{PageSize: 7}
	for i := range 200 {
		m.Add(upload(fmt.Sprintf("k%03d", i), "u", 72*time.Hour))
	}
	tasks := []Task{task(t, "s3://media?olderThan=2d")}
	for runs := 1; ; runs++ {
		ctx, cancel := context.WithCancel(t.Context())
		var n atomic.Int64
		m.OnAbort = func(mpu.Upload) error {
			if n.Add(1) == 15 {
				cancel() // the platform's time is up in the middle of the work
			}
			return nil
		}
		j := janitorOver(m)
		j.Workers = 3
		r := j.Run(ctx, tasks)
		cancel()
		if len(r.Unfinished()) == 0 {
			if r.Err() != nil {
				t.Error(r.Err())
			}
			break
		}
		if r.Err() == nil || runs > 50 {
			t.Fatalf("run %d: error %v, rest %v", runs, r.Err(), r.Rest)
		}
		tasks = tasks[:0]
		for _, rest := range r.Unfinished() {
			tasks = append(tasks, Task{Request: rest})
		}
	}
	if len(m.Left()) != 0 {
		t.Errorf("%d lost", len(m.Left()))
	}
	if n := len(m.Aborted()); n != 200 {
		t.Errorf("%d aborts were accepted, want 200", n)
	}
}

func TestStopsAheadOfTheDeadline(t *testing.T) {
	m := &storetest.Memory{}
	m.Add(upload("k", "u", 72*time.Hour))
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	j := janitorOver(m)
	j.Margin = 2 * time.Hour // the margin has begun
	r := j.Run(ctx, []Task{task(t, "s3://media?olderThan=2d"), task(t, "s3://media/k?uploadId=u")})
	if len(r.Unfinished()) != 2 || r.Err() == nil || len(m.Left()) != 1 {
		t.Errorf("rest %v, error %v, left %d", r.Rest, r.Err(), len(m.Left()))
	}
	if r.TaskErr(0) == nil || r.TaskErr(1) == nil {
		t.Error("a task with a rest passes for done")
	}
	r.MarkHandedOn(2)
	if r.TaskErr(0) != nil || r.TaskErr(1) != nil {
		t.Errorf("handed on, and yet: %v, %v", r.TaskErr(0), r.TaskErr(1))
	}
	if r.Err() != nil {
		t.Errorf("all of the rest was handed on, and yet: %v", r.Err())
	}
}

// A platform kills what has not answered at the deadline, report and all.
func TestAnswersAheadOfTheDeadline(t *testing.T) {
	for _, op := range []store.Op{store.ListUploads, store.ListParts, store.AbortUpload} {
		t.Run(string(op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &hanging{Memory: &storetest.Memory{}, op: op}
				d.Add(upload("k", "u", 72*time.Hour))
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
				defer cancel()
				start := time.Now()
				r := janitorOver(d).Run(ctx, []Task{task(t, "s3://media?olderThan=2d")})
				if took := time.Since(start); took > 96*time.Second || took < 80*time.Second {
					t.Errorf("took %v of 100 s", took)
				}
				if rest := r.Unfinished(); len(rest) != 1 || r.Err() == nil {
					t.Errorf("rest %v, %v", rest, r.Err())
				} else if rest[0].OlderThan != 0 || !rest[0].Before.Equal(ago(48*time.Hour)) {
					t.Errorf("the rest %v does not keep the cutoff", rest[0])
				}
			})
		})
	}
}

// hanging never answers one operation.
type hanging struct {
	*storetest.Memory
	op store.Op
}

func (d *hanging) hang(ctx context.Context, op store.Op) error {
	if op == d.op {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (d *hanging) ListUploads(ctx context.Context, b mpu.Bucket, prefix string, after mpu.Marker) (store.Page, error) {
	if err := d.hang(ctx, store.ListUploads); err != nil {
		return store.Page{}, err
	}
	return d.Memory.ListUploads(ctx, b, prefix, after)
}

func (d *hanging) ListParts(ctx context.Context, u mpu.Upload, after int) (store.Parts, error) {
	if err := d.hang(ctx, store.ListParts); err != nil {
		return store.Parts{}, err
	}
	return d.Memory.ListParts(ctx, u, after)
}

func (d *hanging) AbortUpload(ctx context.Context, u mpu.Upload) error {
	if err := d.hang(ctx, store.AbortUpload); err != nil {
		return err
	}
	return d.Memory.AbortUpload(ctx, u)
}

// Another run would not know that it was only a plan.
func TestRestOfAPlanIsNotHandedOn(t *testing.T) {
	m := &storetest.Memory{}
	m.Add(upload("k", "u", 72*time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	plan := task(t, "s3://media?olderThan=2d")
	plan.PlanOnly = true
	r := janitorOver(m).Run(ctx, []Task{plan})
	if len(r.Unfinished()) != 0 || len(r.Rest) != 1 || r.Err() == nil || r.TaskErr(0) == nil {
		t.Errorf("handed on %v, shown %v, %v", r.Unfinished(), r.Rest, r.Err())
	}
}

func TestOverlappingPlansSaySo(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"s3://media?olderThan=2d", "s3://media?prefix=raw/&olderThan=3d", true},
		{"s3://media/k?olderThan=2d", "s3://media?olderThan=2d", true},
		{"s3://media/k?uploadId=a", "s3://media/k?uploadId=a", true},
		{"s3://media/k?uploadId=a", "s3://media/k?uploadId=b", false},
		{"s3://media?prefix=a/&olderThan=2d", "s3://media?prefix=b/&olderThan=2d", false},
		{"s3://media?olderThan=2d", "s3://other?olderThan=2d", false},
		{"s3://media?olderThan=2d", "oss://media?olderThan=2d", false},
	} {
		tasks := []Task{task(t, tt.a), task(t, tt.b)}
		back := []Task{tasks[1], tasks[0]}
		if overlap(tasks) != tt.want || overlap(back) != tt.want {
			t.Errorf("%s and %s: want %v", tt.a, tt.b, tt.want)
		}
	}
}

func TestIncompleteListingIsReported(t *testing.T) {
	odd := upload("", "", 72*time.Hour)
	d := &oneOdd{Memory: &storetest.Memory{}, odd: odd}
	d.Add(upload("k", "u", 72*time.Hour))
	r := janitorOver(d).Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
	if len(r.Notes) != 1 || r.Totals.Aborted != 1 {
		t.Errorf("notes %v, %+v", r.Notes, r.Totals)
	}
}

// oneOdd lists one entry too many.
type oneOdd struct {
	*storetest.Memory
	odd mpu.Upload
}

func (d *oneOdd) ListUploads(ctx context.Context, b mpu.Bucket, prefix string, after mpu.Marker) (store.Page, error) {
	p, err := d.Memory.ListUploads(ctx, b, prefix, after)
	p.Uploads = append(p.Uploads, d.odd)
	return p, err
}

func TestMediaAreDeletedInBatches(t *testing.T) {
	d := &batches{Memory: &storetest.Memory{}}
	var want []string
	for i := range 23 {
		id := fmt.Sprintf("m%02d", i)
		d.Add(mpu.Upload{Bucket: mpu.Bucket{Store: "mps", Region: "cn-shanghai", Name: "cn-shanghai"}, Key: id, UploadID: id})
		want = append(want, id)
	}
	list := strings.Join(want, ",") + ",m00, m01 ,"
	r := mpu.Request{Bucket: mpu.Bucket{Store: "mps", Region: "cn-shanghai", Name: "cn-shanghai"}, Key: list, UploadID: list}
	rep := janitorOver(d).Run(t.Context(), []Task{{Request: r}})
	if rep.Err() != nil || rep.Totals.Aborted != 23 || rep.Totals.BytesFreed != 0 || len(d.Left()) != 0 {
		t.Errorf("%+v, %v, left %d", rep.Totals, rep.Err(), len(d.Left()))
	}
	if fmt.Sprint(d.sizes) != "[10 10 3]" {
		t.Errorf("batches of %v, want [10 10 3]", d.sizes)
	}
	sweep := janitorOver(d).Run(t.Context(), []Task{task(t, "mps://cn-shanghai?olderThan=2d")})
	if sweep.Err() == nil || !strings.Contains(sweep.Err().Error(), "refused") {
		t.Errorf("a sweep of mps: %v, want it refused", sweep.Err())
	}
}

func media(ids ...string) (us []mpu.Upload, r mpu.Request) {
	b := mpu.Bucket{Store: "mps", Region: "cn-shanghai", Name: "cn-shanghai"}
	for _, id := range ids {
		us = append(us, mpu.Upload{Bucket: b, Key: id, UploadID: id})
	}
	list := strings.Join(ids, ",")
	return us, mpu.Request{Bucket: b, Key: list, UploadID: list}
}

func TestMediaUnderTheBrakes(t *testing.T) {
	us, r := media("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
	for _, tt := range []struct {
		name    string
		set     func(j *Janitor, t *Task)
		timeUp  bool
		aborted int
		left    int
	}{
		{"a plan", func(j *Janitor, t *Task) { t.PlanOnly = true }, false, 0, 0},
		{"the setting says plan", func(j *Janitor, t *Task) { j.Apply = false }, false, 0, 0},
		{"more than a run may abort", func(j *Janitor, t *Task) { j.MaxAborts = 4 }, false, 4, 6},
		{"no time", func(j *Janitor, t *Task) {}, true, 0, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &batches{Memory: &storetest.Memory{}}
			for _, u := range us {
				d.Add(u)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.timeUp {
				cancel()
			}
			j, task := janitorOver(d), Task{Request: r}
			tt.set(j, &task)
			rep := j.Run(ctx, []Task{task})
			if rep.Totals.Aborted != tt.aborted || len(d.Left()) != 10-tt.aborted {
				t.Errorf("%+v, %d left", rep.Totals, len(d.Left()))
			}
			named := 0
			for _, rest := range rep.Unfinished() {
				named += len(mediaIDs(rest.Key))
			}
			if named != tt.left || (rep.Err() == nil) != (tt.left == 0) {
				t.Errorf("left to do %v, %v; want %d", rep.Unfinished(), rep.Err(), tt.left)
			}
		})
	}
}

// batches is a Memory that also aborts several at once.
type batches struct {
	*storetest.Memory
	sizes []int
}

func (d *batches) BatchSize() int { return 10 }

func (d *batches) AbortUploads(ctx context.Context, us []mpu.Upload) error {
	d.sizes = append(d.sizes, len(us))
	var errs []error
	for _, u := range us {
		errs = append(errs, d.AbortUpload(ctx, u))
	}
	return errors.Join(errs...)
}

func TestReportIsBounded(t *testing.T) {
	m := &storetest.Memory{}
	for i := range 3000 {
		m.Add(upload(fmt.Sprintf("%s%04d", strings.Repeat("long/", 100), i), "u", time.Hour))
		m.Add(upload(fmt.Sprintf("%s%04d", strings.Repeat("old/", 100), i), "u", 72*time.Hour))
	}
	m.OnAbort = func(u mpu.Upload) error { return &mpu.Error{Kind: mpu.Transient, Target: u.String()} }
	r := janitorOver(m).Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
	b, err := json.Marshal(r)
	if err != nil || len(b) > 100_000 {
		t.Errorf("a report of %d bytes, %v", len(b), err)
	}
	if r.Totals.Failed != 3000 || r.Totals.Kept != 3000 || r.Err() == nil {
		t.Errorf("%+v", r.Totals)
	}
}

func TestEveryOutcomeIsLogged(t *testing.T) {
	m := &storetest.Memory{}
	m.Add(upload("k\n", "u", 72*time.Hour), part(4, 72*time.Hour))
	var out bytes.Buffer
	j := janitorOver(m)
	j.Log = slog.New(slog.NewJSONHandler(&out, nil))
	j.Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
	if s := out.String(); !strings.Contains(s, `"msg":"aborted"`) || !strings.Contains(s, "s3://media/k%0A?uploadId=u") {
		t.Errorf("log\n%s", s)
	}
}

// A key that may abort under some prefixes only is refused now and then, and goes on.
func TestRefusalsNowAndThenDoNotStopTheRest(t *testing.T) {
	m := &storetest.Memory{}
	for i := range 60 {
		m.Add(upload(fmt.Sprintf("k%02d", i), "u", 72*time.Hour))
	}
	m.OnAbort = func(u mpu.Upload) error {
		if strings.HasSuffix(u.Key, "0") || strings.HasSuffix(u.Key, "5") {
			return &mpu.Error{Kind: mpu.Denied, Op: "abort upload", Target: u.String()}
		}
		return nil
	}
	j := janitorOver(m)
	j.Workers = 1
	if r := j.Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")}); r.Totals.Aborted != 48 || r.Totals.Failed != 12 || r.Err() == nil {
		t.Errorf("%+v, %v", r.Totals, r.Err())
	}
}

// An upload never loses parts but by an abort: the one whose answer got lost did arrive, and goes on.
func TestLostAnswerToAnAbort(t *testing.T) {
	lost := &mpu.Error{Kind: mpu.Transient, Err: errors.New("connection reset")}
	u := upload("k", "u", 2*time.Hour)
	for _, tt := range []struct {
		name    string
		onAbort func(m *storetest.Memory, try int) error
		want    Totals
	}{
		{"carried out, and a part lands behind it", func(m *storetest.Memory, try int) error {
			if try == 1 {
				m.Add(u, part(9, 0))
				return lost
			}
			return nil
		}, Totals{Found: 1, Aborted: 1, Verified: 1, BytesFreed: 29}},
		{"carried out, and a part that lands is gone before it is sent again", func(m *storetest.Memory, try int) error {
			switch try {
			case 1:
				m.Add(u, part(9, 0))
			case 2:
				m.Remove(u)
				return nil
			}
			return lost
		}, Totals{Found: 1, Aborted: 1, Verified: 1, BytesFreed: 29}},
		{"carried out", func(m *storetest.Memory, try int) error {
			m.Remove(u)
			return lost
		}, Totals{Found: 1, Gone: 1, BytesUnconfirmed: 20}},
		{"not carried out", func(m *storetest.Memory, try int) error {
			if try == 1 {
				return lost
			}
			return nil
		}, Totals{Found: 1, Aborted: 1, Verified: 1, BytesFreed: 20}},
		{"never answered", func(m *storetest.Memory, try int) error { return lost },
			Totals{Found: 1, Failed: 1, BytesUnconfirmed: 20}},
		{"throttled, and gone meanwhile", func(m *storetest.Memory, try int) error {
			m.Remove(u)
			return &mpu.Error{Kind: mpu.Transient, Status: 503, Code: "SlowDown"}
		}, Totals{Found: 1, Gone: 1}},
		{"throttled all the time", func(m *storetest.Memory, try int) error {
			return &mpu.Error{Kind: mpu.Transient, Status: 503, Code: "SlowDown"}
		}, Totals{Found: 1, Failed: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &storetest.Memory{}
			m.Add(u, part(10, 2*time.Hour), part(10, 2*time.Hour))
			tries := 0
			m.OnAbort = func(mpu.Upload) error {
				tries++
				return tt.onAbort(m, tries)
			}
			j := janitorOver(m)
			j.Open = func(mpu.Bucket) (*store.Store, error) {
				return store.New(m, store.Retry(3, time.Nanosecond, time.Nanosecond)), nil
			}
			r := j.Run(t.Context(), []Task{task(t, "s3://media/k?uploadId=u&before=2026-11-21T11:00:00Z")})
			if got := fmt.Sprintf("%+v", r.Totals); got != fmt.Sprintf("%+v", tt.want) {
				t.Errorf("%s\nwant %+v", got, tt.want)
			}
			if said := len(r.Notes) > 0; said != (tt.want.BytesUnconfirmed > 0) {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

// What cannot be found out is an error, and not "no time".
func TestUploadBehindTooManyOthers(t *testing.T) {
	m := &storetest.Memory{PageSize: 1}
	for i := range lookUpPages + 5 {
		m.Add(upload("k", fmt.Sprintf("a%03d", i), time.Second))
	}
	m.Add(upload("k", "u", 2*time.Hour))
	r := janitorOver(m).Run(t.Context(), []Task{task(t, "s3://media/k?uploadId=u&before=2026-11-21T11:00:00Z")})
	if r.Totals.Failed != 1 || r.Err() == nil {
		t.Errorf("%+v, %v", r.Totals, r.Err())
	}
}

// fussy refuses the upload ID markers that it gives, and from a key alone goes on behind all of that key's uploads, as
// versitygw v1.8.0 does.
type fussy struct{ *storetest.Memory }

func (d *fussy) ListUploads(ctx context.Context, b mpu.Bucket, prefix string, after mpu.Marker) (store.Page, error) {
	if after.UploadID != "" {
		return store.Page{}, &mpu.Error{Kind: mpu.Invalid, Code: "InvalidArgument", Status: 400}
	}
	return d.Memory.ListUploads(ctx, b, prefix, after)
}

func TestListingThatLeavesUploadsOutIsReadAgain(t *testing.T) {
	d := &fussy{&storetest.Memory{PageSize: 4}}
	for i := range 30 {
		d.Add(upload(fmt.Sprintf("k%d", i/3), fmt.Sprintf("u%02d", i), 72*time.Hour), part(1, 72*time.Hour))
	}
	d.Add(upload("k1", "young", time.Hour))
	r := janitorOver(d).Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
	if got := ids(d.Left()); got != "young" || r.Err() != nil {
		t.Errorf("left %q, %v", got, r.Err())
	}
	if r.Totals.Aborted != 30 || r.Totals.BytesFreed != 30 || r.Totals.Kept > 1 {
		t.Errorf("%+v", r.Totals)
	}
	plan := &fussy{&storetest.Memory{PageSize: 2}}
	for i := range 9 {
		plan.Add(upload("k", fmt.Sprint(i), 72*time.Hour))
	}
	j := janitorOver(plan)
	j.Apply = false
	if r := j.Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")}); len(r.Notes) != 1 {
		t.Errorf("a plan cannot help it, and says so: %v", r.Notes)
	}
}

// Without inspection age counts from initiation, and the report says so. What is named is looked at all the same.
func TestUninspected(t *testing.T) {
	for _, tt := range []struct {
		name, request, left string
		parts               int
	}{
		{"sweep", "s3://media?olderThan=2d", "young", 0},
		{"key", "s3://media/slow?olderThan=2d", "slow stale young", 1},
		{"named", "s3://media/slow?uploadId=slow&before=2026-11-21T11:00:00Z", "slow stale young", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &storetest.Memory{}
			m.Add(upload("stale", "stale", 72*time.Hour), part(100, 70*time.Hour))
			m.Add(upload("slow", "slow", 72*time.Hour), part(100, time.Minute))
			m.Add(upload("young", "young", time.Hour))
			j := janitorOver(m)
			j.Uninspected = true
			r := j.Run(t.Context(), []Task{task(t, tt.request)})
			if got := ids(m.Left()); got != tt.left || r.Err() != nil || m.Calls(store.ListParts) != tt.parts {
				t.Errorf("left %q, want %q; %d looks at parts, want %d; %v", got, tt.left, m.Calls(store.ListParts), tt.parts, r.Err())
			}
			if said := strings.Contains(strings.Join(r.Notes, ""), "not inspected"); said != (tt.parts == 0) {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

// There are no more workers than there is work for, and never more than the setting says.
func TestWorkersAreHiredAsNeeded(t *testing.T) {
	for _, tt := range []struct{ uploads, workers, most int }{{10, 3, 3}, {5, 1000, 4}} {
		synctest.Test(t, func(t *testing.T) {
			m := &storetest.Memory{}
			for i := range tt.uploads {
				m.Add(upload(fmt.Sprint("k", i), "u", 72*time.Hour))
			}
			before := runtime.NumGoroutine()
			var now, most, goroutines atomic.Int64
			m.OnAbort = func(mpu.Upload) error {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				return nil
			}
			m.PageSize = tt.uploads - 1
			m.OnList = func(_ mpu.Bucket, _ string, after mpu.Marker) error {
				if !after.IsZero() { // while the last page is on its way, whoever was hired is still there
					time.Sleep(time.Minute)
					goroutines.Store(int64(runtime.NumGoroutine()))
				}
				return nil
			}
			j := janitorOver(m)
			j.Workers = tt.workers
			r := j.Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
			if r.Totals.Aborted != tt.uploads || most.Load() != int64(tt.most) {
				t.Errorf("%+v, %d at once, want %d", r.Totals, most.Load(), tt.most)
			}
			if hired := goroutines.Load() - int64(before); hired > int64(tt.most)+10 {
				t.Errorf("%d goroutines for %d uploads", hired, tt.uploads)
			}
		})
	}
}
