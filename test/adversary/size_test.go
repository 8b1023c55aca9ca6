package adversary

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partsweep/partsweep/test/runtimes"
	"github.com/partsweep/partsweep/test/sandbox"
)

// mostMemory is what the function's process may hold at its peak, however much it is sent by 64 answers at once. It is half
// of the smallest function that there is.
const mostMemory = 64 << 20

// floodSize is how much one answer would be, were it read to its end.
const floodSize = 48 << 20

// A flood is an answer that does not end by itself.
type flood struct {
	name  string
	below bool // it is not in the body, and so is the same for all operations
	send  func(w http.ResponseWriter, s sandbox.Service, op string)
}

var floods = []flood{
	{"elements", false, func(w http.ResponseWriter, s sandbox.Service, op string) {
		start, again := opening(s, op)
		pour(w, start, again)
	}},
	{"text", false, func(w http.ResponseWriter, s sandbox.Service, op string) {
		start, _ := opening(s, op)
		pour(w, start+word(s), "aaaaaaaaaaaaaaaa")
	}},
	{"blanks", false, func(w http.ResponseWriter, s sandbox.Service, op string) { pour(w, "", " \n") }},
	{"an error", false, func(w http.ResponseWriter, s sandbox.Service, op string) {
		w.WriteHeader(http.StatusForbidden)
		pour(w, "<Error><Code>AccessDenied</Code><Message>", "no ")
	}},
	{"an error of elements", false, func(w http.ResponseWriter, s sandbox.Service, op string) {
		w.WriteHeader(http.StatusNotFound)
		pour(w, "<Error>", "<a></a>")
	}},
	{"another status", false, func(w http.ResponseWriter, s sandbox.Service, op string) {
		w.WriteHeader(http.StatusAccepted)
		pour(w, "", "accepted ")
	}},
	{"a header", true, func(w http.ResponseWriter, _ sandbox.Service, _ string) {
		raw(w, "HTTP/1.1 200 OK\r\nX-A: ", "aaaaaaaaaaaaaaaa")
	}},
	{"headers", true, func(w http.ResponseWriter, _ sandbox.Service, _ string) {
		raw(w, "HTTP/1.1 200 OK\r\n", "X-Amz-Request-Id: aaaaaaaaaaaaaaaa\r\n")
	}},
	{"a status", true, func(w http.ResponseWriter, _ sandbox.Service, _ string) { raw(w, "HTTP/1.1 200 ", "OK ") }},
	{"answers before the answer", true, func(w http.ResponseWriter, _ sandbox.Service, _ string) {
		raw(w, "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
	}},
	{"a chunk's extension", true, func(w http.ResponseWriter, _ sandbox.Service, _ string) {
		raw(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=", "aaaaaaaaaaaaaaaa")
	}},
	{"trailers", true, func(w http.ResponseWriter, _ sandbox.Service, _ string) {
		raw(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-A: aaaaaaaaaaaaaaaa\r\n")
	}},
	{"a compressed bomb", false, func(w http.ResponseWriter, s sandbox.Service, op string) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(bomb())
	}},
	{"a compressed bomb, transferred so", true, func(w http.ResponseWriter, s sandbox.Service, op string) {
		raw(w, fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(bomb()))+string(bomb()), "")
	}},
}

// opening is how an answer begins, and what may stand in it any number of times.
func opening(s sandbox.Service, op string) (start, again string) {
	switch {
	case s == sandbox.VOD && op == sandbox.OpListUploads:
		return `{"RequestId":"r","Total":1,"VideoList":{"Video":[{}`, `,{"VideoId":"v","Status":"Uploading"}`
	case s == sandbox.VOD:
		return `{"RequestId":"r","UploadDetails":[{}`, `,{"MediaId":"v"}`
	case op == sandbox.OpListUploads:
		return "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>", "<Upload><Key>k</Key><UploadId>u</UploadId></Upload>"
	}
	return "<ListPartsResult><IsTruncated>false</IsTruncated>", "<Part><PartNumber>1</PartNumber><Size>1</Size></Part>"
}

// word begins something that has no end.
func word(s sandbox.Service) string {
	if s == sandbox.VOD {
		return `],"Message":"`
	}
	return "<Owner>"
}

// pour writes an answer with no end, or as much of it as the client takes.
func pour(w io.Writer, start, again string) {
	if _, err := io.WriteString(w, start); err != nil || again == "" {
		return
	}
	block := strings.Repeat(again, 1+(64<<10)/len(again))
	for n := 0; n < floodSize; n += len(block) {
		if _, err := io.WriteString(w, block); err != nil {
			return
		}
	}
}

// raw does the same below HTTP.
func raw(w http.ResponseWriter, start, again string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	pour(conn, start, again)
}

var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	pour(z, "<ListMultipartUploadsResult>", "<a></a>")
	z.Close() // to memory
	return b.Bytes()
})

// TestFloods: answers with no end, 64 at once, are each left at a bound, and are errors. It is the function's own binary
// that is measured, in a process of its own.
func TestFloods(t *testing.T) {
	onLinux(t, "where the peak memory of a process can be read from /proc")
	bootstrap := build(t, "lambda")
	bomb() // it takes longer to make than the function waits
	for _, s := range []sandbox.Service{sandbox.S3, sandbox.VOD} {
		for _, op := range []string{sandbox.OpListUploads, sandbox.OpListParts, sandbox.OpAbort} {
			for _, f := range floods {
				if f.below && (s != sandbox.S3 || op != sandbox.OpAbort) {
					continue
				}
				if s == sandbox.VOD && op == sandbox.OpAbort && !strings.HasPrefix(f.name, "an error") {
					continue // ten a second; and its answers are read as those to list-parts
				}
				t.Run(fmt.Sprintf("%s/%s/%s", s, op, f.name), func(t *testing.T) {
					t.Parallel()
					f.run(t, bootstrap, s, op)
				})
			}
		}
	}
}

// run has the function sweep 100 stale uploads of a service that floods it.
func (f flood) run(t *testing.T, bootstrap string, s sandbox.Service, op string) {
	p := startProcess(t, bootstrap)
	for i := range 100 {
		p.leave(s, fmt.Sprintf("k%03d", i))
	}
	p.Script(sandbox.Fault{Service: s, Op: op, Respond: func(w http.ResponseWriter) { f.send(w, s, op) }})
	result, err := p.invoke(t, sweepOf(ours[s]), 2*time.Second) // some are tried again for as long as there is time
	if peak := p.peak(t); peak > mostMemory {
		t.Errorf("the function held %d MiB", peak>>20)
	}
	if err == nil {
		t.Errorf("it passed for success: %s", result)
	}
	if n := p.left(s); n != 100 {
		t.Errorf("%d of 100 uploads are left", n)
	}
	if p.Count(s, op) == 0 {
		t.Errorf("%s was never asked for", op)
	}
}

// TestDrips: an answer that comes byte by byte, for ever, ends with the client's own time for it, and is tried again.
func TestDrips(t *testing.T) {
	for _, s := range []sandbox.Service{sandbox.S3, sandbox.VOD} {
		for _, op := range []string{sandbox.OpListUploads, sandbox.OpListParts, sandbox.OpAbort} {
			for name, send := range map[string]func(w http.ResponseWriter, until <-chan struct{}){
				"a body":   func(w http.ResponseWriter, until <-chan struct{}) { drip(w, until, http.StatusOK) },
				"an error": func(w http.ResponseWriter, until <-chan struct{}) { drip(w, until, http.StatusForbidden) },
				"nothing":  func(_ http.ResponseWriter, until <-chan struct{}) { <-until },
			} {
				t.Run(fmt.Sprintf("%s/%s/%s", s, op, name), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					w.connect(t, w.dial, 100*time.Millisecond)
					w.configure(t)
					mine := w.seed(ours[s], "raw/a", "ID")
					ctx, stop := context.WithCancel(t.Context())
					var asked atomic.Int32
					w.Script(sandbox.Fault{Service: s, Op: op, Respond: func(rw http.ResponseWriter) {
						if asked.Add(1) > 1 {
							stop()
						}
						send(rw, ctx.Done())
					}})
					report, err := w.Run(ctx, []byte(sweepOf(ours[s])))
					if err == nil || report.Totals.Aborted+report.Totals.Gone > 0 || !w.there(mine) || asked.Load() < 2 {
						t.Errorf("%+v, asked %d times, %v", report.Totals, asked.Load(), err)
					}
				})
			}
		}
	}
}

// drip sends a byte now and then.
func drip(w http.ResponseWriter, until <-chan struct{}, status int) {
	w.WriteHeader(status)
	for {
		if _, err := io.WriteString(w, " "); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-until:
			return
		}
	}
}

// A process is the function's binary under its platform, and the clouds around it.
type process struct {
	*sandbox.Sandbox
	cmd  *exec.Cmd
	host *runtimes.Lambda
	out  output
}

func startProcess(t *testing.T, bootstrap string, environ ...string) *process {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	for _, s := range objectStores {
		sb.CreateBucket(s, ours[s].Name, ours[s].Region)
	}
	host, err := runtimes.StartLambda()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Sandbox: sb, host: host}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	p.cmd = exec.CommandContext(ctx, bootstrap)
	role := runtimes.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey, SessionToken: sandbox.SessionToken}
	p.cmd.Env = append(host.Environ(role), "PARTSWEEP_MODE=apply", allowed(sandbox.S3, sandbox.COS, sandbox.OBS, sandbox.OSS, sandbox.VOD))
	for _, s := range sandbox.Services {
		name := "PARTSWEEP_" + strings.ToUpper(string(s))
		p.cmd.Env = append(p.cmd.Env, name+"_ENDPOINT="+sb.URL(s))
		if s != sandbox.S3 {
			p.cmd.Env = append(p.cmd.Env, name+"_ACCESS_KEY_ID="+role.AccessKeyID, name+"_SECRET_ACCESS_KEY="+role.SecretAccessKey)
		}
	}
	p.cmd.Env = append(append(p.cmd.Env, "PARTSWEEP_S3_PATH_STYLE=true", "PARTSWEEP_OBS_PATH_STYLE=true", "PARTSWEEP_OSS_PATH_STYLE=true"), environ...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		p.cmd.Wait() // it was killed
		host.Close()
	})
	return p
}

func (p *process) invoke(t *testing.T, event string, timeout time.Duration) ([]byte, error) {
	t.Helper()
	return p.host.Invoke(t.Context(), []byte(event), runtimes.Call{Timeout: timeout})
}

// leave leaves a stale upload behind.
func (p *process) leave(s sandbox.Service, key string) {
	if s == sandbox.VOD {
		p.AddVideo(ours[s].Name, sandbox.Video{ID: key, Created: old, PartBytes: 5})
		return
	}
	p.Seed(s, ours[s].Name, key, old, sandbox.Part{Number: 1, Size: 5, Modified: old})
}

// left counts the uploads that still have their parts.
func (p *process) left(s sandbox.Service) (n int) {
	if s != sandbox.VOD {
		return len(p.Uploads(s, ours[s].Name))
	}
	for _, v := range p.Videos(ours[s].Name) {
		n += v.Parts
	}
	return n
}

// peak is the most memory that the process has held.
func (p *process) peak(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err, p.out.String())
	}
	for line := range strings.Lines(string(status)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	t.Fatal("no VmHWM in the status of the process")
	return 0
}

// onLinux skips a test elsewhere.
func onLinux(t *testing.T, why string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("runs on Linux, ", why)
	}
}

// build builds a function as for deployment, for this machine.
func build(t *testing.T, name string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags=-s -w", "-o", path,
		"github.com/partsweep/partsweep/functions/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}
