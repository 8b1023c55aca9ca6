package test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
)

// commands are the README's commands that stand in an indented block, and where each is run: by .ci/run, perhaps with flags that
// make it shorter, or by a test here. Those behind a $ are run by TestReadmeTranscripts in functions/local, and by .ci/run.
var commands = map[string]string{
	"go build -o partsweep ./functions/local":       "TestReadmeSandbox",
	"./partsweep sandbox":                           "TestReadmeSandbox",
	"go run ./functions/http":                       "TestReadmeHTTP",
	"curl":                                          "TestReadmeHTTP",
	"go run ./test/chaos":                           ".ci/run",
	"go run ./test/kill":                            ".ci/run",
	"go run ./test/queue":                           ".ci/run",
	"go -C test/witness run .":                      ".ci/run",
	"go run ./test/clients":                         ".ci/run",
	"go -C test/page run .":                         ".ci/run",
	"go run ./test/terminal":                        ".ci/run",
	"go test -v ./test/quirks":                      "go test ./...",
	"go test ./test/adversary":                      "go test ./...",
	"go run ./test/secrets":                         ".ci/run",
	"go run ./infra/package":                        ".ci/run",
	"npx osls deploy --param='buckets=videos,logs'": ".ci/run",
	"go run ./test/bench":                           ".ci/run",
	"go test -run xxx -bench":                       ".ci/run",
}

// indented returns the README's commands in indented blocks, without what is said about them.
func indented(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^    ((?:[A-Z_]+=\S+ )*(?:go|npx|curl|\./\S+) .*)$`).FindAllStringSubmatch(string(text), -1) {
		command, _, _ := strings.Cut(m[1], "   ")
		all = append(all, command)
	}
	return all
}

func TestReadmeCommandsAreRun(t *testing.T) {
	ci, err := os.ReadFile("../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, command := range indented(t) {
		known := ""
		for name := range commands {
			if strings.Contains(command, name) && len(name) > len(known) {
				known = name
			}
		}
		if found[known] = true; known == "" {
			t.Errorf("nothing runs %q", command)
		}
	}
	for name, where := range commands {
		if !found[name] {
			t.Errorf("the README has no %q", name)
		}
		name = strings.NewReplacer("npx osls", "$osls", "--param='buckets=videos,logs'", "").Replace(name)
		if where == ".ci/run" && !bytes.Contains(ci, []byte(strings.TrimSpace(name))) && !strings.Contains(name, "deploy") {
			t.Errorf(".ci/run has no %q", name)
		}
	}
	if !bytes.Contains(ci, []byte(`"deploy --param=buckets=videos,logs"`)) {
		t.Error(".ci/run deploys nothing")
	}
}

// shell runs a line as a shell does, at the top of the project, in a process group that ends with the test.
func shell(t *testing.T, dir, line string, stdin io.Reader, environ ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	outer := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "PARTSWEEP_") }) // how the tests are run
	cmd.Dir, cmd.Stdin, cmd.Env = dir, stdin, append(outer, environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	t.Cleanup(cancel)
	return cmd
}

func TestReadmeSandbox(t *testing.T) {
	lines := indented(t)[:2]
	dir := t.TempDir()
	build := strings.Replace(lines[0], "-o partsweep", "-o "+filepath.Join(dir, "partsweep"), 1)
	if out, err := shell(t, "..", build, nil).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", lines[0], err, out)
	}
	out, err := shell(t, dir, lines[1], strings.NewReader("partsweep plan 's3://*'\n"), "SHELL=/bin/sh").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "would abort") || !strings.Contains(string(out), "until this shell ends") {
		t.Errorf("%s: %v\n%s", lines[1], err, out)
	}
}

func TestReadmeHTTP(t *testing.T) {
	sb, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	sb.CreateBucket(sandbox.S3, "videos", "us-east-1")
	sb.Seed(sandbox.S3, "videos", "stale", time.Now().Add(-9*24*time.Hour))
	var serve, ask string
	for _, line := range indented(t) {
		if strings.Contains(line, "functions/http") {
			serve = strings.ReplaceAll(line, "127.0.0.1:8000", "127.0.0.1:0")
		} else if strings.HasPrefix(line, "curl") {
			ask = line
		}
	}
	server := shell(t, "..", serve, nil, "PARTSWEEP_S3_ENDPOINT="+sb.URL(sandbox.S3), "PARTSWEEP_S3_PATH_STYLE=true",
		"AWS_ACCESS_KEY_ID="+sandbox.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+sandbox.SecretAccessKey)
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { syscall.Kill(-server.Process.Pid, syscall.SIGKILL); server.Wait() }()
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	address := regexp.MustCompile(`"address":"([^"]+)"`).FindStringSubmatch(line)
	if address == nil {
		t.Fatalf("%s: it says %q", serve, line)
	}
	ask = strings.ReplaceAll(ask, "127.0.0.1:8000", address[1])
	// Without curl, what it would send is sent.
	answer := ""
	if _, err := exec.LookPath("curl"); err == nil {
		out, err := shell(t, "..", strings.Replace(ask, "curl", "curl -s", 1), nil).Output()
		if answer = string(out); err != nil {
			t.Fatal(err)
		}
	} else {
		m := regexp.MustCompile(`-H '([^:]+): ([^']+)' -d '([^']+)' (\S+)`).FindStringSubmatch(ask)
		r, _ := http.NewRequest(http.MethodPost, m[4], strings.NewReader(m[3]))
		r.Header.Set(m[1], m[2])
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		answer = string(body)
	}
	if !strings.Contains(answer, `"planned":1`) {
		t.Errorf("%s: %s", ask, answer)
	}
}
