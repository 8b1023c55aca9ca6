package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/relay"
)

// A fakeQueue keeps messages as they would be sent.
type fakeQueue struct {
	messages []string
	full     error
}

func (q *fakeQueue) Send(_ context.Context, messages []relay.Message) (int, error) {
	if q.full != nil {
		return 0, q.full
	}
	for _, m := range messages {
		b, err := json.Marshal(m)
		if err != nil {
			return 0, err
		}
		q.messages = append(q.messages, string(b))
	}
	return len(messages), nil
}

// take returns the oldest message.
func (q *fakeQueue) take() []byte {
	m := q.messages[0]
	q.messages = q.messages[1:]
	return []byte(m)
}

func (w *world) seed(n int) {
	for i := range n {
		w.memory.Add(mpu.Upload{Bucket: mpu.Bucket{Store: "s3", Name: "media"}, Key: fmt.Sprintf("k%04d", i), UploadID: "u", Initiated: now.Add(-72 * time.Hour)})
	}
}

func TestHandOn(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
	}{{"taken", nil}, {"not taken", errors.New("queue is full")}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "PARTSWEEP_MAX_ABORTS=1")
			w.seed(5)
			queue := &fakeQueue{full: tt.err}
			w.queue = queue
			report, err := w.Run(t.Context(), []byte(`{"sweep":"s3://media?olderThan=48h"}`))
			if report.Totals.Aborted != 1 {
				t.Errorf("%+v", report.Totals)
			}
			if tt.err == nil && (err != nil || len(queue.messages) != 1) {
				t.Errorf("handed on %v, and yet %v", queue.messages, err)
			}
			if tt.err != nil && (err == nil || !strings.Contains(err.Error(), "queue is full")) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A sweep that is cut again and again goes on where it was, with the cutoff that it had, until nothing is left.
func TestHandOnUntilNothingIsLeft(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_MAX_ABORTS=10")
	w.seed(105)
	queue := &fakeQueue{}
	w.queue = queue
	event, aborted, runs := []byte(`{"sweep":"s3://media?olderThan=48h"}`), 0, 0
	for ; ; runs++ {
		report, err := w.Run(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		if aborted += report.Totals.Aborted; len(queue.messages) == 0 {
			break
		}
		event = queue.take()
		var m struct {
			Hops    int
			Request string
			Expires time.Time
		}
		if err := json.Unmarshal(event, &m); err != nil || m.Hops != runs+1 || !strings.Contains(m.Request, "before=2026") {
			t.Fatalf("%s, %v; want hop %d and the cutoff of the first run", event, err, runs+1)
		}
		if left := m.Expires.Sub(now); left > relay.Life || left < relay.Life-time.Minute {
			t.Errorf("it expires in %s", left)
		}
	}
	if aborted != 106 || runs != 10 {
		t.Errorf("%d of 106 aborted, handed on %d times", aborted, runs)
	}
}

// A sweep that its deadline cuts ten times in a row is finished in the end, with each upload aborted once and no page of the
// listing read more than twice.
func TestHandOnAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "PARTSWEEP_CONCURRENCY=4")
		w.seed(1699) // and one that is there already
		w.memory.PageSize = 100
		var mu sync.Mutex
		pages, aborts := map[mpu.Marker]int{}, map[string]int{}
		w.memory.OnList = func(_ mpu.Bucket, _ string, after mpu.Marker) error {
			time.Sleep(20 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			pages[after]++
			return nil
		}
		w.memory.OnAbort = func(u mpu.Upload) error {
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			aborts[u.Key]++
			return nil
		}
		queue := &fakeQueue{}
		w.queue = queue
		event, cuts := []byte(`{"sweep":"s3://media?olderThan=48h"}`), 0
		for ; ; cuts++ {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, err := w.Run(ctx, event)
			cancel()
			if err != nil || ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Fatalf("run %d: %v, %v", cuts, err, ctx.Err())
			}
			if len(queue.messages) == 0 {
				break
			}
			event = queue.take()
		}
		if cuts < 10 || len(w.memory.Left()) > 0 || len(aborts) != 1700 {
			t.Errorf("cut %d times, %d of 1700 aborted, %d left", cuts, len(aborts), len(w.memory.Left()))
		}
		for key, n := range aborts {
			if n != 1 {
				t.Errorf("%s was aborted %d times", key, n)
			}
		}
		for marker, n := range pages {
			if n > 2 {
				t.Errorf("the page after %q was read %d times", marker, n)
			}
		}
	})
}

func TestHandOnEnds(t *testing.T) {
	for _, tt := range []struct {
		name    string
		hops    int
		expires time.Duration
		want    string
	}{
		{"often enough", relay.MaxHops, time.Hour, ""},
		{"too often", relay.MaxHops + 1, time.Hour, "handed on 201 times"},
		{"too late", 1, -time.Minute, "expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.seed(1)
			queue := &fakeQueue{}
			w.queue = queue
			m, _ := json.Marshal(relay.Message{Request: mpu.Request{Bucket: mpu.Bucket{Store: "s3", Name: "media"}}, Hops: tt.hops, Expires: now.Add(tt.expires)})
			report, err := w.Run(t.Context(), m)
			if tt.want == "" && (err != nil || report.Totals.Aborted != 2) ||
				tt.want != "" && (!strings.Contains(fmt.Sprint(err), tt.want) || report.Totals.Aborted != 0) {
				t.Errorf("%v, %+v; want %q", err, report.Totals, tt.want)
			}
		})
	}
}

// A sweep of every bucket becomes a message for each, and nothing is done here.
func TestSpread(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_BUCKETS=s3://media s3://logs?prefix=tmp/")
	w.seed(3)
	queue := &fakeQueue{}
	w.queue = queue
	report, err := w.Run(t.Context(), []byte(`{"sweep":"s3://*?olderThan=48h"}`))
	if err != nil || report.Totals.Found != 0 || len(queue.messages) != 2 || !strings.Contains(queue.messages[1], "prefix=tmp/") {
		t.Fatalf("%+v, %v, %v", report.Totals, err, queue.messages)
	}
	if report, err = w.Run(t.Context(), queue.take()); err != nil || report.Totals.Aborted != 4 {
		t.Errorf("%+v, %v", report.Totals, err)
	}
	// What a person wants to read is one report.
	queue.messages = nil
	if report, err = w.Run(t.Context(), []byte(`"s3://*?olderThan=48h"`)); err != nil || report.Requests != 2 || len(queue.messages) != 0 {
		t.Errorf("%+v, %v, %v", report, err, queue.messages)
	}
	// What could not be handed on is not done.
	queue.full = errors.New("queue is full")
	if _, err = w.Run(t.Context(), []byte(`{"sweep":"s3://*?olderThan=48h"}`)); !strings.Contains(fmt.Sprint(err), "queue is full") {
		t.Errorf("%v, want an error", err)
	}
}

func TestQueueSetting(t *testing.T) {
	w := newWorld(t)
	p := w.platform
	p.Environ = []string{"PARTSWEEP_BUCKETS=s3://media", "PARTSWEEP_QUEUE=https://q"}
	if _, err := New(p); !strings.Contains(fmt.Sprint(err), "PARTSWEEP_QUEUE") {
		t.Errorf("no queues here: %v", err)
	}
	p.OpenQueue = func(string) (relay.Queue, error) { return nil, errors.New("no such host") }
	if _, err := New(p); !strings.Contains(fmt.Sprint(err), "no such host") {
		t.Errorf("a bad queue: %v", err)
	}
}
