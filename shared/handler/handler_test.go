package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/storetest"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is a handler over a bucket in memory.
type world struct {
	*Handler
	memory *storetest.Memory
	log    bytes.Buffer
}

func newWorld(t *testing.T, environ ...string) *world {
	t.Helper()
	w := &world{memory: &storetest.Memory{}}
	h, err := New(Platform{
		Name: "test", Environ: append([]string{"PARTSWEEP_BUCKETS=s3://media", "PARTSWEEP_MODE=apply"}, environ...), Log: &w.log,
		Open: func(string, store.Config) (store.Driver, error) { return w.memory, nil },
		Now:  func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Handler = h
	w.memory.Add(mpu.Upload{Bucket: mpu.Bucket{Store: "s3", Name: "media"}, Key: "raw/a.mxf", UploadID: "u1", Initiated: now.Add(-72 * time.Hour)},
		storetest.MemoryPart{Bytes: 1 << 30, Modified: now.Add(-72 * time.Hour)})
	return w
}

func TestHandle(t *testing.T) {
	for _, tt := range []struct {
		name  string
		event string
		left  int
		err   string // in the error; blank for success
	}{
		{"failure event", `{"type":"upload-failed","request":"s3://media/raw/a.mxf?uploadId=u1","failedAt":"2026-11-21T11:59:58Z"}`, 0, ""},
		{"timer", `{"sweep":"s3://media?olderThan=48h","time":"2026-11-21T12:00:00Z"}`, 0, ""},
		{"timer for every bucket", `{"sweep":"s3://*?olderThan=48h"}`, 0, ""},
		{"by hand plans", `"s3://media?olderThan=48h"`, 1, ""},
		{"by hand applies when told", `{"request":"s3://media?olderThan=48h","apply":true}`, 0, ""},
		{"one good, one foreign", `{"sweep":["s3://other?olderThan=48h","s3://media?olderThan=48h"]}`, 0, "s3://other"},
		{"foreign bucket", `{"type":"upload-failed","request":"s3://other/k?uploadId=u","failedAt":"2026-11-21T11:59:58Z"}`, 1, "PARTSWEEP_BUCKETS"},
		{"empty", ``, 1, "invalid"},
		{"empty object", `{}`, 1, "invalid"},
		{"null", `null`, 1, "invalid"},
		{"empty array", `[]`, 1, "invalid"},
		{"array of objects", `[{},{}]`, 1, "invalid"},
		{"array of requests only plans", `["s3://media?olderThan=48h"]`, 1, ""},
		{"string", `"sweep"`, 1, "invalid"},
		{"unknown", `{"hello":"world"}`, 1, "hello"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			report, err := w.Run(t.Context(), []byte(tt.event))
			if left := len(w.memory.Left()); left != tt.left {
				t.Errorf("%d left, want %d", left, tt.left)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if report == nil || !strings.Contains(w.log.String(), `"msg":"report"`) {
				t.Error("no report")
			}
			if tt.left == 0 && tt.err == "" && (report.Totals.BytesFreed != 1<<30 || report.MonthlyUSD < 0.02) {
				t.Errorf("%+v, %v USD", report.Totals, report.MonthlyUSD)
			}
		})
	}
}

func TestRefusedBeforeARequestIsSent(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Run(t.Context(), []byte(`{"sweep":"s3://other?olderThan=48h"}`)); !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
	if n := w.memory.Calls(store.ListUploads); n != 0 {
		t.Errorf("%d requests were sent for a bucket that is not allowed", n)
	}
}

func TestReportAsJSON(t *testing.T) {
	w := newWorld(t)
	report, _ := w.Run(t.Context(), []byte(`{"sweep":"s3://media?olderThan=48h"}`))
	b, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Source, Mode string
		Totals       janitor.Totals
		Services     map[string]janitor.Totals
		MonthlyUSD   float64
	}
	if err := json.Unmarshal(b, &back); err != nil || back.Source == "" || back.Mode != "apply" || back.Totals.Aborted != 1 || back.Services["s3"].BytesFreed != 1<<30 {
		t.Errorf("%s\n%+v, %v", b, back, err)
	}
}

func TestCredentials(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_COS_ACCESS_KEY_ID=AK", "PARTSWEEP_COS_SECRET_ACCESS_KEY=SK")
	w.platform.Credentials = func(_ context.Context, scheme string) (store.Credentials, error) {
		switch scheme {
		case "s3":
			return store.Credentials{AccessKeyID: "role", SecretAccessKey: "s"}, nil
		case "oss":
			return store.Credentials{}, nil
		}
		return store.Credentials{}, ErrNoCredentials
	}
	for scheme, want := range map[string]string{"s3": "role", "cos": "AK", "oss": "", "obs": ""} {
		c, err := w.credentials(t.Context(), scheme)
		if c.AccessKeyID != want || (err == nil) != (want != "") {
			t.Errorf("%s: %v, %v", scheme, c, err)
		}
		if err != nil && (mpu.KindOf(err) != mpu.Denied || !strings.Contains(err.Error(), "PARTSWEEP_"+strings.ToUpper(scheme)+"_ACCESS_KEY_ID")) {
			t.Errorf("%s: %v does not say what to set", scheme, err)
		}
	}
}

// What the settings say reaches the work.
func TestSettingsReachTheWork(t *testing.T) {
	event := []byte(`{"sweep":["s3://media?olderThan=1m","s3://media?prefix=raw&olderThan=1m"]}`)
	w := newWorld(t, "PARTSWEEP_MIN_AGE=7d")
	if report, err := w.Run(t.Context(), event); report.Totals.Aborted != 0 || len(report.Notes) == 0 || err != nil {
		t.Errorf("PARTSWEEP_MIN_AGE: %+v, %v, %v", report.Totals, report.Notes, err)
	}
	var now, most atomic.Int64
	w = newWorld(t, "PARTSWEEP_CONCURRENCY=2")
	for i := range 50 {
		w.memory.Add(mpu.Upload{Bucket: mpu.Bucket{Store: "s3", Name: "media"}, Key: fmt.Sprint("raw", i), UploadID: "u", Initiated: w.platform.Now().Add(-72 * time.Hour)})
	}
	w.memory.OnParts = func(mpu.Upload) error {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
		return nil
	}
	if _, err := w.Run(t.Context(), event); err != nil || most.Load() > 2 {
		t.Errorf("PARTSWEEP_CONCURRENCY: %d in flight to one bucket, %v", most.Load(), err)
	}
}

// A published rate is kept, whatever asks.
func TestPublishedRatesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &rated{Memory: &storetest.Memory{}}
		h, err := New(Platform{Environ: []string{"PARTSWEEP_BUCKETS=s3://media", "PARTSWEEP_MODE=apply"}, Log: io.Discard,
			Open: func(string, store.Config) (store.Driver, error) { return d, nil }})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			d.Add(mpu.Upload{Bucket: mpu.Bucket{Store: "s3", Name: "media"}, Key: fmt.Sprint("k", i), UploadID: "u", Initiated: time.Now().Add(-72 * time.Hour)})
		}
		start := time.Now()
		if _, err := h.Run(t.Context(), []byte(`{"sweep":"s3://media?olderThan=2d"}`)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 3*time.Second || len(d.Left()) != 0 {
			t.Errorf("30 aborts at 10 a second took %v, %d left", took, len(d.Left()))
		}
	})
}

// rated is a Memory whose service takes ten aborts a second.
type rated struct{ *storetest.Memory }

func (*rated) Rates() map[store.Op]float64 { return map[store.Op]float64{store.AbortUpload: 10} }

func TestSecretsDoNotPrint(t *testing.T) {
	const secret = "hunter2-hunter2-hunter2"
	w := newWorld(t, "PARTSWEEP_COS_ACCESS_KEY_ID=AK", "PARTSWEEP_COS_SECRET_ACCESS_KEY="+secret, "PARTSWEEP_COS_SESSION_TOKEN="+secret,
		"PARTSWEEP_HTTP_TOKEN="+secret, "PARTSWEEP_VOD_CALLBACK_URL=https://h/", "PARTSWEEP_VOD_CALLBACK_KEY="+secret)
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{w.Handler, w.Settings(), w.Settings().Stores["cos"], w.Settings().Stores["cos"].Credentials, w.Settings().HTTPToken} {
		fmt.Fprintf(&out, "%v %+v %#v %s\n", v, v, v, v)
		b, err := json.Marshal(v)
		fmt.Fprintf(&out, "%s %v\n", b, err)
		log.Info("value", "v", v)
	}
	if strings.Contains(out.String(), secret) {
		t.Errorf("a secret was printed:\n%s", out.String())
	}
}

func TestLookback(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_BUCKETS=vod://cn-shanghai s3://media")
	for event, want := range map[string]string{
		`{"sweep":"vod://cn-shanghai?olderThan=30d"}`: "PARTSWEEP_VOD_LOOKBACK",
		`{"sweep":"vod://cn-shanghai?olderThan=2d"}`:  "",
		`{"sweep":"s3://media?olderThan=30d"}`:        "",
	} {
		_, err := w.Run(t.Context(), []byte(event))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", event, err)
		}
	}
}

// Every line about a call says which call it is.
func TestLogNamesTheCall(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_LOG_LEVEL=debug")
	w.platform.RequestID = func(ctx context.Context) string { id, _ := ctx.Value(callKey{}).(string); return id }
	w.seed(2)
	ctx := context.WithValue(t.Context(), callKey{}, "call-1")
	if _, err := w.Run(ctx, []byte(`{"sweep":"s3://media?olderThan=48h"}`)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	if len(lines) < 8 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if !strings.Contains(line, `"requestId":"call-1"`) {
			t.Errorf("no request ID: %s", line)
		}
	}
}

type callKey struct{}
