package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/partsweep/partsweep/test/runtimes"
)

// A cost is what one run of one contestant took, of its own process alone.
type cost struct {
	wall time.Duration
	cpu  time.Duration // user and system
	peak int64         // resident memory, bytes
	stats
}

func (c cost) requests() int64 { return c.List + c.Parts + c.Abort }

func (c cost) cpuPerRequest() time.Duration {
	return c.cpu / time.Duration(max(c.requests(), 1))
}

// A bench is the load server and the binaries that are measured.
type bench struct {
	url       string
	bootstrap string // the Lambda function, as it is deployed
	self      string
	confined  string // a cgroup with the CPU of the smallest function, empty if none could be made
}

// usage reads what a running process has taken. The figures that the kernel gives at its end are of no use here: the peak
// begins with what the parent held when it started the child.
func usage(pid int) (cpu time.Duration, peak int64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, f := range fields[11:13] { // utime and stime of proc(5), in hundredths of a second
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			peak = kb << 10
		}
	}
	return cpu, peak, err
}

// peer runs one of this program's own roles in a process of its own.
func (b *bench) peer(ctx context.Context, confined bool, args ...string) (cost, error) {
	cmd := b.command(ctx, confined, b.self, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return cost{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return cost{}, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, err
	}
	defer cmd.Wait()
	defer in.Close() // it waits for that, so that what it has taken can be read
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "done\n" {
		return cost{}, fmt.Errorf("%s: %v", strings.Join(args, " "), err)
	}
	c := cost{wall: time.Since(began)}
	c.cpu, c.peak, err = usage(cmd.Process.Pid)
	return c, err
}

// command is a command, if wanted with the CPU of a small function only.
func (b *bench) command(ctx context.Context, confined bool, name string, args ...string) *exec.Cmd {
	if confined {
		args = append([]string{"-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, b.confined, name}, args...)
		name = "/bin/sh"
	}
	return exec.CommandContext(ctx, name, args...)
}

// memory is the function's, in MB, by the share of a CPU that it has: one that has little, or one that takes what it can get,
// which is most of one.
func memory(confined bool) string {
	if confined {
		return "128"
	}
	return "1536"
}

// ours has the Lambda function sweep, in a process of its own, under its own runtime API. It takes the load server for a
// proxy in front of AWS: of a server that is not AWS's own, it would read more, to be sure that nothing is left out.
func (b *bench) ours(ctx context.Context, confined bool, event string, settings ...string) (cost, error) {
	host, err := runtimes.StartLambda()
	if err != nil {
		return cost{}, err
	}
	defer host.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := b.command(ctx, confined, b.bootstrap)
	cmd.Stderr = os.Stderr
	log, err := os.CreateTemp("", "partsweep-bench-*.log")
	if err != nil {
		return cost{}, err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd.Stdout = log
	role := runtimes.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}
	cmd.Env = append(append(host.Environ(role), "PARTSWEEP_BUCKETS=s3://bench", "PARTSWEEP_MODE=apply",
		"PARTSWEEP_S3_ENDPOINT=http://s3.us-east-1.amazonaws.com", "PARTSWEEP_S3_PATH_STYLE=true", "HTTP_PROXY="+b.url, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE="+memory(confined)), settings...)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, err
	}
	ended := make(chan struct{})
	go func() { // a function that does not start would be waited for
		defer close(ended)
		defer cancel()
		cmd.Wait()
	}()
	defer func() { <-ended }()
	defer cancel()
	result, err := host.Invoke(ctx, []byte(event), runtimes.Call{Timeout: 2 * time.Hour})
	if err != nil {
		return cost{}, fmt.Errorf("the function: %w\n%s", err, result)
	}
	c := cost{wall: time.Since(began)}
	c.cpu, c.peak, err = usage(cmd.Process.Pid)
	return c, err
}

// build builds a function as it is deployed, for this machine.
func build(ctx context.Context, folder, name string) (string, error) {
	path := filepath.Join(folder, filepath.Base(name))
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags=-s -w", "-o", path,
		"github.com/partsweep/partsweep/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

// confine makes a cgroup with the CPU share of a Lambda function of so many MB: a whole core is 1,769 MB's
// (docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html). It needs to be root.
func confine(mb int) (folder string, remove func(), err error) {
	const period = 100_000 // microseconds
	quota := period * mb / 1769
	files := map[string]string{"cpu.max": fmt.Sprintf("%d %d", quota, period)}
	root := "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cgroup.controllers"); err != nil { // version 1
		root, files = root+"/cpu", map[string]string{"cpu.cfs_period_us": strconv.Itoa(period), "cpu.cfs_quota_us": strconv.Itoa(quota)}
	}
	folder = filepath.Join(root, fmt.Sprintf("partsweep-bench-%d", os.Getpid()))
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", nil, err
	}
	for name, value := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(value), 0o644); err != nil {
			os.Remove(folder)
			return "", nil, err
		}
	}
	return folder, func() { os.Remove(folder) }, nil
}

// startServer starts the load server in a process of its own.
func startServer(ctx context.Context, self string) (url string, stop func(), err error) {
	cmd := exec.CommandContext(ctx, self, "serve")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	return "http://" + strings.TrimSpace(addr), func() { in.Close(); cmd.Wait() }, err
}

// reset gives the load server a workload.
func (b *bench) reset(w workload) error {
	body, err := json.Marshal(w)
	if err != nil {
		return err
	}
	resp, err := http.Post(b.url+"/-/reset", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (b *bench) stats() (s stats, err error) {
	resp, err := http.Get(b.url + "/-/stats")
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}
