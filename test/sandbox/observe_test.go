package sandbox_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
)

func TestObserve(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	var seen []string
	s := start(t, sandbox.Options{Now: func() time.Time { return now }, Observe: func(h sandbox.Happening) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf("%s %s %s/%s %d bytes, active %s ago", h.What, h.Service, h.Bucket, h.Key, h.Bytes, now.Sub(h.Active)))
	}})
	s.CreateBucket(sandbox.OSS, "b", "")
	id := s.Seed(sandbox.OSS, "b", "k", now.Add(-time.Hour), sandbox.Part{Number: 1, Size: 5, Modified: now.Add(-time.Minute)})
	if !s.TryPart(sandbox.OSS, "b", "k", id, sandbox.Part{Number: 2, Size: 3, Modified: now}) || !s.TryComplete(sandbox.OSS, "b", "k", id) {
		t.Error("the upload is open, and the calls say that it is not")
	}
	if s.TryPart(sandbox.OSS, "b", "k", id, sandbox.Part{Number: 3}) || s.TryComplete(sandbox.OSS, "b", "k", id) {
		t.Error("the upload is completed, and the calls say that it is open")
	}
	want := []string{
		"begun oss b/k 0 bytes, active 1h0m0s ago", "part came oss b/k 0 bytes, active 1h0m0s ago",
		"part came oss b/k 5 bytes, active 1m0s ago", "completed oss b/k 8 bytes, active 0s ago",
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("seen %q, want %q", seen, want)
	}
	other := s.Seed(sandbox.OSS, "b", "other", now)
	if !s.TryAbort(sandbox.OSS, "b", "other", other) || s.TryAbort(sandbox.OSS, "b", "other", other) {
		t.Error("TryAbort does not know what is open")
	}
	if objects := s.Objects(sandbox.OSS, "b"); fmt.Sprint(objects) != "[k]" {
		t.Errorf("objects %q", objects)
	}
}
