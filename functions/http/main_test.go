package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
	"github.com/partsweep/partsweep/test/transcript"
)

const token = "a-token-of-sixteen"

// start builds the function as for deployment and runs it against a sandbox with n stale uploads.
func start(t *testing.T, n int) (sb *sandbox.Sandbox, function *exec.Cmd, url string) {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	sb.CreateBucket(sandbox.S3, "media", "us-east-1")
	old := time.Now().Add(-72 * time.Hour)
	for i := range n {
		sb.Seed(sandbox.S3, "media", fmt.Sprintf("k%04d", i), old)
	}
	binary := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	function = exec.CommandContext(ctx, binary)
	function.Env = []string{"PARTSWEEP_HTTP_ADDR=127.0.0.1:0", "PARTSWEEP_HTTP_TOKEN=" + token, "PARTSWEEP_BUCKETS=s3://media",
		"PARTSWEEP_MODE=apply", "PARTSWEEP_CONCURRENCY=2", "PARTSWEEP_S3_PATH_STYLE=true", "PARTSWEEP_S3_ENDPOINT=" + sb.URL(sandbox.S3),
		"AWS_ACCESS_KEY_ID=" + sandbox.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + sandbox.SecretAccessKey}
	stdout, err := function.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := function.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); function.Wait() })
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatal("the function said nothing")
	}
	var line struct{ Address string }
	if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Address == "" {
		t.Fatalf("%s, %v", lines.Text(), err)
	}
	go io.Copy(transcript.To(io.Discard, "http"), stdout)
	return sb, function, "http://" + line.Address
}

func sweep(t *testing.T, url, bearer string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(`{"sweep":"s3://media?olderThan=48h"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestFunction(t *testing.T) {
	sb, _, url := start(t, 20)
	if status, body := sweep(t, url, "another-token-of-it"); status != 401 || len(sb.Uploads(sandbox.S3, "media")) != 20 {
		t.Errorf("with a wrong token: status %d\n%s", status, body)
	}
	if status, body := sweep(t, url, token); status != 200 || len(sb.Uploads(sandbox.S3, "media")) != 0 {
		t.Errorf("status %d\n%s", status, body)
	}
	res, err := http.Get(url + "/healthz")
	if err != nil || res.StatusCode != 200 {
		t.Errorf("health: %v, %v", res, err)
	}
}

// A platform that ends the function in the middle of a run gets an answer that says what is left, and an orderly end.
func TestGracefulStop(t *testing.T) {
	sb, function, url := start(t, 500)
	stopped := make(chan struct{})
	var once bool
	sb.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpAbort, Skip: 20, Times: 1, Do: func() {
		if !once {
			once = true
			function.Process.Signal(syscall.SIGTERM)
			close(stopped)
		}
	}})
	sb.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpAbort, Latency: 20 * time.Millisecond})
	status, body := sweep(t, url, token)
	<-stopped
	var report struct{ Rest []string }
	if err := json.Unmarshal([]byte(body), &report); err != nil || status != 500 || len(report.Rest) != 1 {
		t.Errorf("status %d, rest %q, %v", status, report.Rest, err)
	}
	if left := len(sb.Uploads(sandbox.S3, "media")); left == 0 || left == 500 {
		t.Errorf("%d uploads left, want some", left)
	}
	if err := function.Wait(); err != nil {
		t.Errorf("the function ended with %v", err)
	}
}
