package store_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

var throttled = &mpu.Error{Kind: mpu.Transient, Status: 503, Code: "SlowDown"}

// failing is a driver whose first n aborts fail.
func failing(n int, err error) *script {
	d := &script{}
	d.abort = func(mpu.Upload) error {
		if len(d.aborted) <= n {
			return err
		}
		return nil
	}
	return d
}

func TestRetry(t *testing.T) {
	for _, tt := range []struct {
		name     string
		failures int
		err      error
		sent     int
		ok       bool
		least    time.Duration
	}{
		{"fine at once", 0, nil, 1, true, 0},
		{"throttled twice, then fine", 2, throttled, 3, true, time.Second},
		{"throttled for ever", 99, throttled, 4, false, time.Second},
		{"denied", 99, &mpu.Error{Kind: mpu.Denied}, 1, false, 0},
		{"gone", 99, &mpu.Error{Kind: mpu.Gone}, 1, false, 0},
		{"unclassified", 99, &mpu.Error{Code: "Whatever"}, 1, false, 0},
		{"the service asks for ten seconds", 1, &mpu.Error{Kind: mpu.Transient, RetryAfter: 10 * time.Second}, 2, true, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := failing(tt.failures, tt.err)
				start := time.Now()
				err := store.New(d, store.Retry(4, time.Second, 8*time.Second)).Abort(t.Context(), upload("k", "u"), nil)
				if (err == nil) != tt.ok || len(d.aborted) != tt.sent {
					t.Errorf("error %v after %d requests, want %d", err, len(d.aborted), tt.sent)
				}
				if err != nil && err != tt.err {
					t.Errorf("error %v, want the last one itself", err)
				}
				if took := time.Since(start); took < tt.least || took > time.Minute {
					t.Errorf("took %v, want at least %v", took, tt.least)
				}
			})
		})
	}
}

func TestAbortAsksAgainBeforeItIsSentAgain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		again error
		sent  int
		asked int
		ok    bool
	}{
		{"still to go", nil, 3, 2, true},
		{"not any more", errors.New("it lives"), 1, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, asked := failing(2, throttled), 0
				err := store.New(d, store.Retry(5, time.Second, time.Second)).Abort(t.Context(), upload("k", "u"), func(_ context.Context, last error) error {
					asked++
					return tt.again
				})
				if len(d.aborted) != tt.sent || asked != tt.asked || (err == nil) != tt.ok || err != nil && err != tt.again {
					t.Errorf("sent %d, asked %d, %v", len(d.aborted), asked, err)
				}
			})
		})
	}
}

func TestRetryStopsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		d := failing(99, &mpu.Error{Kind: mpu.Transient, RetryAfter: time.Hour})
		start := time.Now()
		err := store.New(d, store.Retry(10, time.Second, time.Second)).Abort(ctx, upload("k", "u"), nil)
		if err == nil || len(d.aborted) != 1 || time.Since(start) > 4*time.Second {
			t.Errorf("error %v after %d requests and %v", err, len(d.aborted), time.Since(start))
		}
	})
}

func TestDeadContextSendsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := &script{}
	layers := []store.Layer{store.Retry(4, time.Hour, time.Hour), store.Pace(map[store.Op]float64{store.AbortUpload: 10}), store.NewGate(store.NewBudget(1)).Layer()}
	err := store.New(d, layers...).Abort(ctx, upload("k", "u"), nil)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrNoTime) || len(d.aborted) != 0 {
		t.Errorf("%v, sent %d", err, len(d.aborted))
	}
}

func TestPaceStaysUnderThePublishedLimit(t *testing.T) {
	for _, limit := range []float64{10, 100} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var sent []time.Time
			d := &timed{func() { mu.Lock(); sent = append(sent, time.Now()); mu.Unlock() }}
			st := store.New(d, store.Pace(map[store.Op]float64{store.AbortUpload: limit}))
			var wg sync.WaitGroup
			start := time.Now()
			for range int(3 * limit) {
				wg.Go(func() { st.Abort(t.Context(), upload("k", "u"), nil) })
			}
			wg.Wait()
			for i := range sent {
				if j := i + int(limit); j < len(sent) && sent[j].Sub(sent[i]) < time.Second {
					t.Fatalf("%v a second: request %d came %v after request %d", limit, j, sent[j].Sub(sent[i]), i)
				}
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%v requests at %v a second took %v", 3*limit, limit, took)
			}
		})
	}
}

// timed calls a function at every abort.
type timed struct{ at func() }

func (d *timed) ListUploads(context.Context, mpu.Bucket, string, mpu.Marker) (store.Page, error) {
	return store.Page{}, nil
}
func (d *timed) ListParts(context.Context, mpu.Upload, int) (store.Parts, error) {
	return store.Parts{}, nil
}
func (d *timed) AbortUpload(context.Context, mpu.Upload) error { d.at(); return nil }

func TestPaceDoesNotWaitPastTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		d := &script{}
		st := store.New(d, store.Retry(5, time.Second, time.Second), store.Pace(map[store.Op]float64{store.AbortUpload: 2}))
		st.Abort(ctx, upload("k", "u"), nil)
		start := time.Now()
		if err := st.Abort(ctx, upload("k", "u"), nil); !errors.Is(err, store.ErrNoTime) {
			t.Errorf("%v, want no time left", err)
		}
		if len(d.aborted) != 1 || time.Since(start) > 50*time.Millisecond {
			t.Errorf("%d sent, waited %v", len(d.aborted), time.Since(start))
		}
	})
}

func TestLogNamesTheTargetAndTheRequestID(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	d := failing(1, &mpu.Error{Kind: mpu.Denied, Status: 403, Code: "AccessDenied", RequestID: "R-7"})
	store.New(d, store.Log(log)).Abort(t.Context(), upload("k", "u"), nil)
	for _, want := range []string{"s3://media/k?uploadId=u", "R-7", "AccessDenied", `"kind":"denied"`, "abort upload"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
}
