// Package bench measures what the binaries cost that are deployed, each in a process of its own.
//
//	go test -run '^$' -bench . -benchtime 1x ./test/bench
package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/test/runtimes"
	"github.com/partsweep/partsweep/test/sandbox"
)

// BenchmarkSweep sweeps buckets of stale uploads with the Lambda binary, every upload inspected and aborted, and reports
// the peak memory of the function's process. It must stay under 64 MB, and must not grow with the bucket.
func BenchmarkSweep(b *testing.B) {
	bootstrap := build(b, "lambda")
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("uploads=%d", n), func(b *testing.B) {
			for range b.N {
				peak, took := sweep(b, bootstrap, n)
				b.ReportMetric(float64(peak)/(1<<20), "peak-RSS-MB")
				b.ReportMetric(float64(n)/took.Seconds(), "uploads/s")
				if peak >= 64<<20 {
					b.Errorf("the function's process held %d bytes at its peak, want less than 64 MB", peak)
				}
			}
		})
	}
}

// build builds a function as for deployment, for this machine.
func build(b *testing.B, name string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags=-s -w", "-o", path,
		"github.com/partsweep/partsweep/functions/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}

// sweep has a fresh process sweep a fresh sandbox, and returns the process's peak resident memory in bytes and how long
// the call took.
func sweep(b *testing.B, bootstrap string, uploads int) (peak int64, took time.Duration) {
	b.Helper()
	const bucket = "media"
	sb, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer sb.Close()
	sb.CreateBucket(sandbox.S3, bucket, "us-east-1")
	old := time.Now().Add(-72 * time.Hour)
	for i := range uploads {
		sb.Seed(sandbox.S3, bucket, fmt.Sprintf("raw/2026/11/%08d.mxf", i), old, sandbox.Part{Number: 1, Size: 5 << 20, Modified: old})
	}
	host, err := runtimes.StartLambda()
	if err != nil {
		b.Fatal(err)
	}
	defer host.Close()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bootstrap)
	cmd.Stderr = os.Stderr
	role := runtimes.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey, SessionToken: sandbox.SessionToken}
	cmd.Env = append(host.Environ(role), "PARTSWEEP_BUCKETS=s3://"+bucket, "PARTSWEEP_MODE=apply",
		"PARTSWEEP_S3_ENDPOINT="+sb.URL(sandbox.S3), "PARTSWEEP_S3_PATH_STYLE=true")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	result, err := host.Invoke(ctx, []byte(`{"sweep":"s3://media?olderThan=48h"}`), runtimes.Call{Timeout: 15 * time.Minute})
	took = time.Since(start)
	peak = peakMemory(b, cmd.Process.Pid)
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil {
		b.Fatal(err)
	}
	var report struct{ Totals janitor.Totals }
	if err := json.Unmarshal(result, &report); err != nil {
		b.Fatal(err)
	}
	if t := report.Totals; t.Aborted != uploads || t.BytesFreed != int64(uploads)*(5<<20) || len(sb.Uploads(sandbox.S3, bucket)) != 0 {
		b.Fatalf("%+v, %d left", t, len(sb.Uploads(sandbox.S3, bucket)))
	}
	return peak, took
}

// peakMemory returns a running process's peak resident memory in bytes (VmHWM of proc(5)). The figure that the kernel
// gives at a process's end is of no use here: it begins with what the parent held when it started the child.
func peakMemory(b *testing.B, pid int) int64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("no /proc here, so the peak memory of a process cannot be read: ", err)
	}
	for line := range strings.Lines(string(status)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	b.Fatal("no VmHWM in the status of the process")
	return 0
}
