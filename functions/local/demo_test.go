package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
)

func TestDemonstrationJSON(t *testing.T) {
	type count struct {
		Uploads int
		Bytes   int64
	}
	var r struct {
		Reports []struct {
			Totals struct {
				Aborted    int
				BytesFreed int64
			}
		}
		Before, After count
		Killed        []string
	}
	exit, out, errs := invoke(t, nil, "demo", "--json")
	if err := json.Unmarshal([]byte(out), &r); exit != 0 || errs != "" || err != nil {
		t.Fatalf("exit %d, %v\n%s%s", exit, err, out, errs)
	}
	aborted, freed := 0, int64(0)
	for _, report := range r.Reports {
		aborted, freed = aborted+report.Totals.Aborted, freed+report.Totals.BytesFreed
	}
	if aborted == 0 || r.Before.Uploads-r.After.Uploads != aborted || r.Before.Bytes-r.After.Bytes != freed || len(r.Killed) > 0 {
		t.Errorf("%d uploads and %d bytes by the reports; %+v", aborted, freed, r)
	}
}

// A demonstration that is interrupted ends there, and says nothing of what it has not done.
func TestDemonstrationInterrupted(t *testing.T) {
	for _, at := range []string{"1. Clients", "2. 9 reports", "3. The timer"} {
		t.Run(at, func(t *testing.T) {
			stop, press := context.WithCancel(t.Context())
			defer press()
			var out, errs bytes.Buffer
			c := &console{in: strings.NewReader(""), out: &tripwire{&out, at, press}, err: &errs, stop: stop}
			err := c.demo(t.Context(), false)
			if text := out.String(); err != nil || !strings.Contains(text, "Interrupted. The sandbox still holds") || strings.Contains(text, "alive") ||
				strings.Contains(text, "4. It ticks") {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

// A tripwire does something when a text is written.
type tripwire struct {
	out  *bytes.Buffer
	text string
	trip func()
}

// Write writes, and trips.
func (w *tripwire) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.text)) {
		w.trip()
	}
	return w.out.Write(p)
}

// Interrupted before its first event, the demonstration has a list of no reports.
func TestDemonstrationWithoutReports(t *testing.T) {
	w, _ := inWorld(t, 0)
	var out bytes.Buffer
	if err := (&demonstration{world: w}).writeJSON(&out); err != nil || strings.Contains(out.String(), "null") {
		t.Errorf("%v\n%s", err, &out)
	}
}
