package handler

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape asks for the metrics and reads them as Prometheus does.
func scrape(t *testing.T, w *world, bearer string) (status int, values map[string]float64) {
	t.Helper()
	server := httptest.NewServer(w.Handler)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, nil
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	values = map[string]float64{}
	for name, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetValue())
			}
			values[name+" "+strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return resp.StatusCode, values
}

func TestPrometheus(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_HTTP_TOKEN="+token)
	w.seed(2)
	if status, _ := scrape(t, w, ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	if _, values := scrape(t, w, token); values["partsweep_runs_total done"] != 0 || len(values) != 2 {
		t.Errorf("before anything was done: %v", values)
	}
	for range 2 {
		if _, err := w.Run(t.Context(), []byte(`{"sweep":"s3://media?olderThan=48h"}`)); err != nil {
			t.Fatal(err)
		}
	}
	_, values := scrape(t, w, token)
	for name, want := range map[string]float64{
		"partsweep_runs_total done":             2,
		"partsweep_runs_total unfinished":       0,
		"partsweep_uploads_total s3 aborted":    3,
		"partsweep_bytes_total s3 freed":        1 << 30,
		"partsweep_last_run_timestamp_seconds ": float64(now.Unix()),
	} {
		if got, ok := values[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v; all: %v", name, got, want, values)
		}
	}
}
