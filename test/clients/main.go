// Clients lets the vendors' own clients of another language judge the sandbox: its signatures, its XML and JSON, its errors.
// They create, list, inspect, complete and abort uploads on it, and are refused where they should be. Then each leaves some
// stale uploads and some live ones, partsweep sweeps, and each client looks what is left.
//
//	go run ./test/clients
//
// needs node and npm. The clients' versions are fixed in package-lock.json.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/store/all"
	"github.com/partsweep/partsweep/test/sandbox"
)

// A client is one script in one manner of speaking.
type client struct {
	script, style  string
	service        sandbox.Service
	bucket, region string
	codes          map[string]string // what it must be refused with
}

var objectCodes = map[string]string{
	"second abort": "NoSuchUpload", "parts of what is gone": "NoSuchUpload", "abort of what is finished": "NoSuchUpload",
	"no such bucket": "NoSuchBucket", "wrong secret": "SignatureDoesNotMatch",
}

// headCodes are those of a client that asks for a bucket with HEAD before anything else: there is no code in the answer.
var headCodes = func() map[string]string {
	codes := maps.Clone(objectCodes)
	codes["no such bucket"] = "404"
	return codes
}()

var clients = []client{
	{"s3.js", "path", sandbox.S3, "media-path", "eu-west-1", objectCodes},
	{"s3.js", "host", sandbox.S3, "media-host", "eu-west-1", objectCodes},
	{"cos.js", "", sandbox.COS, "media-1250000000", "ap-beijing", objectCodes},
	{"obs.js", "host", sandbox.OBS, "media-host", "cn-north-4", headCodes},
	{"obs.js", "path", sandbox.OBS, "media-path", "cn-north-4", objectCodes},
	{"oss.js", "v1", sandbox.OSS, "media-one", "cn-shanghai", objectCodes},
	{"oss.js", "v4", sandbox.OSS, "media-four", "cn-shanghai", objectCodes},
	{"vod.js", "", sandbox.VOD, "cn-shanghai", "cn-shanghai", map[string]string{
		"second abort": "InvalidMultipartUpload.NotFound", "no such video": "InvalidVideo.NotFound", "wrong secret": "SignatureDoesNotMatch"}},
	{"mps.js", "v1", sandbox.MPS, "cn-shanghai", "cn-shanghai", map[string]string{
		"second deletion": "InvalidParameter.ResourceNotFound", "wrong secret": "SignatureDoesNotMatch"}},
	{"mps.js", "v3", sandbox.MPS, "cn-shanghai", "cn-shanghai", map[string]string{
		"second deletion": "InvalidParameter.ResourceNotFound", "wrong secret": "SignatureDoesNotMatch"}},
}

// said is what a script writes.
type said struct {
	Client  string
	Calls   map[string]int
	Codes   map[string]struct{ Code, RequestID string }
	Uploads []struct{ Key, ID string }
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A world is the sandbox with a storage clock that is put where it is needed, and the folder of the scripts.
type world struct {
	*sandbox.Sandbox
	now atomic.Pointer[time.Time]
	dir string
}

func run(ctx context.Context) error {
	dir, err := install(ctx)
	if err != nil {
		return err
	}
	w := &world{dir: dir}
	w.setTime(time.Now())
	if w.Sandbox, err = sandbox.Start(sandbox.Options{Now: func() time.Time { return *w.now.Load() }}); err != nil {
		return err
	}
	defer w.Close()
	var errs []error
	for _, c := range clients {
		line, err := w.judge(ctx, c)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", c.script, c.style, err))
			line = "FAILED: " + err.Error()
		}
		fmt.Println(line)
	}
	return errors.Join(errs...)
}

func (w *world) setTime(t time.Time) { w.now.Store(&t) }

// install installs the clients as the lock file has them, unless that was done before.
func install(ctx context.Context) (dir string, err error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/partsweep/partsweep/test/clients").Output()
	if err != nil {
		return "", fmt.Errorf("find the scripts: %w", err)
	}
	dir = strings.TrimSpace(string(out))
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("%s is not installed, and the vendors' clients need it", tool)
		}
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return "", err
	}
	stamp := filepath.Join(dir, "node_modules", ".installed-lock.json")
	if have, err := os.ReadFile(stamp); err == nil && bytes.Equal(have, lock) {
		return dir, nil
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-progress")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return dir, os.WriteFile(stamp, lock, 0o600)
}

// judge lets one client do its journey, then leave uploads that partsweep sweeps.
func (w *world) judge(ctx context.Context, c client) (string, error) {
	w.ForgetLedger()
	w.setTime(time.Now())
	environ := w.prepare(c)
	journey, err := w.script(ctx, c, environ, "journey")
	if err != nil {
		return "", err
	}
	if err := compare(journey, c.codes); err != nil {
		return "", err
	}
	if err := w.checkLedger(c, len(c.codes)); err != nil {
		return "", err
	}
	swept, err := "nothing to sweep: it deletes what is named", error(nil)
	if c.service != sandbox.MPS {
		swept, err = w.sweep(ctx, c, environ)
	}
	return fmt.Sprintf("%s%s\n  called  %s\n  refused %s\n  swept   %s", journey.Client, suffix(c), counts(journey.Calls), refusals(journey), swept), err
}

func suffix(c client) string {
	if c.style == "" {
		return ""
	}
	return ", " + map[string]string{"path": "bucket in the path", "host": "bucket in the host", "v1": "signature V1", "v4": "signature V4", "v3": "signature V3"}[c.style]
}

// prepare makes the bucket, or the records that only the service itself can make, and says where everything is.
func (w *world) prepare(c client) []string {
	environ := []string{
		"ENDPOINT=" + w.URL(c.service), "PORT=" + w.URL(c.service)[strings.LastIndexByte(w.URL(c.service), ':')+1:],
		"BUCKET=" + c.bucket, "REGION=" + c.region, "STYLE=" + c.style,
		"ACCESS_KEY_ID=" + sandbox.AccessKeyID, "SECRET=" + sandbox.SecretAccessKey,
	}
	switch c.service {
	case sandbox.VOD:
		const video = "61ccbdb06fa3012be4d8083f6990b3c1"
		w.AddVideo(c.region, sandbox.Video{ID: video, Title: "with parts", PartBytes: 7 << 20, Parts: 7})
		return append(environ, "VIDEO="+video, fmt.Sprint("VIDEO_BYTES=", 7<<20))
	case sandbox.MPS:
		ids := []string{"3e1cd21131a94525be55acf65888bf46", "88c6ca184c0e47098a5b665e2a126797", "a1c6ca184c0e47098a5b665e2a126797"}
		for _, id := range ids {
			w.AddMedia(c.region, id)
		}
		return append(environ, "MEDIA="+strings.Join(ids, ","))
	}
	if c.style == "host" && c.service == sandbox.S3 {
		environ[0] = "ENDPOINT=http://s3." + c.region + ".amazonaws.com:" + strings.TrimPrefix(environ[1], "PORT=")
	}
	w.CreateBucket(c.service, c.bucket, c.region)
	return environ
}

// script runs a client's script and reads what it says.
func (w *world) script(ctx context.Context, c client, environ []string, args ...string) (said, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{"--no-warnings", "-r", "./preload.js", c.script}, args...)...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), environ...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var s said
	if err == nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		err = json.Unmarshal([]byte(lines[len(lines)-1]), &s)
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%.2000s", strings.Join(args, " "), err, stderr.String())
	}
	return s, nil
}

// compare sees that a client understood every refusal by the vendor's own code.
func compare(s said, want map[string]string) error {
	for what, code := range want {
		if got := s.Codes[what]; got.Code != code || code != "404" && !strings.HasPrefix(got.RequestID, "SANDBOX-") {
			return fmt.Errorf("%s: the client read code %q and request %q, want code %s", what, got.Code, got.RequestID, code)
		}
	}
	return nil
}

// checkLedger sees that the sandbox refused what it should, and nothing else.
func (w *world) checkLedger(c client, refusals int) error {
	refused := 0
	for _, e := range w.Ledger() {
		switch {
		case e.Service != c.service:
			return fmt.Errorf("a request went to %s: %+v", e.Service, e)
		case e.Status >= 400:
			refused++
			if e.Method != http.MethodHead && !slices.Contains(slices.Collect(maps.Values(c.codes)), e.Code) {
				return fmt.Errorf("refused with %s: %s %s", e.Code, e.Method, e.URI)
			}
		}
	}
	if refused != refusals {
		return fmt.Errorf("%d requests were refused, want %d", refused, refusals)
	}
	return nil
}

// sweep lets the client leave three uploads, and two more ten days later; then partsweep is to abort the three.
func (w *world) sweep(ctx context.Context, c client, environ []string) (string, error) {
	begun := time.Now().Add(-10 * 24 * time.Hour)
	if c.service == sandbox.VOD {
		begun = time.Now().Add(-5 * 24 * time.Hour) // the service removes parts itself after seven days
	}
	w.setTime(begun)
	had := len(w.open(c))
	stale, err := w.script(ctx, c, environ, "leave", "3", "stale")
	if err != nil {
		return "", err
	}
	if c.service == sandbox.VOD {
		for _, u := range stale.Uploads {
			w.TouchVideo(c.region, u.ID, 1000) // parts go to a bucket of the service's own
		}
	}
	w.setTime(time.Now())
	live, err := w.script(ctx, c, environ, "leave", "2", "live")
	if err != nil {
		return "", err
	}
	report, err := w.partsweep(ctx, c)
	if err != nil {
		return "", err
	}
	left, err := w.script(ctx, c, environ, "list")
	if err != nil {
		return "", err
	}
	if t := report.Totals; t.Aborted != len(stale.Uploads) || t.BytesFreed != 3000 {
		return "", fmt.Errorf("partsweep aborted %d of %d, %d bytes", t.Aborted, len(stale.Uploads), t.BytesFreed)
	}
	ids := func(s said) (all []string) {
		for _, u := range s.Uploads {
			all = append(all, u.ID)
		}
		return all
	}
	for _, id := range ids(live) {
		if !slices.Contains(ids(left), id) {
			return "", fmt.Errorf("the client no longer lists %s, which is alive", id)
		}
	}
	if c.service != sandbox.VOD { // whose records stay
		for _, id := range ids(left) {
			if slices.Contains(ids(stale), id) {
				return "", fmt.Errorf("the client still lists %s, which was aborted", id)
			}
		}
	}
	return fmt.Sprintf("aborted %d, %d bytes; %d live ones are listed as before", report.Totals.Aborted, report.Totals.BytesFreed, len(live.Uploads)+had), nil
}

// open returns the uploads that the sandbox holds of a client.
func (w *world) open(c client) []sandbox.Upload {
	if c.service == sandbox.VOD {
		return nil
	}
	return w.Uploads(c.service, c.bucket)
}

// partsweep sweeps the client's bucket as a function would.
func (w *world) partsweep(ctx context.Context, c client) (*handler.Report, error) {
	prefix := "PARTSWEEP_" + strings.ToUpper(string(c.service))
	target := fmt.Sprintf("%s://%s?region=%s", c.service, c.bucket, c.region)
	environ := []string{
		"PARTSWEEP_MODE=apply", prefix + "_ENDPOINT=" + w.URL(c.service),
		prefix + "_ACCESS_KEY_ID=" + sandbox.AccessKeyID, prefix + "_SECRET_ACCESS_KEY=" + sandbox.SecretAccessKey,
	}
	if c.service == sandbox.VOD {
		target = fmt.Sprintf("vod://%s", c.region)
	}
	if c.service == sandbox.S3 || c.service == sandbox.OBS || c.service == sandbox.OSS {
		environ = append(environ, prefix+"_PATH_STYLE=true")
	}
	h, err := handler.New(handler.Platform{Name: "clients", Environ: append(environ, "PARTSWEEP_BUCKETS="+target), Open: all.Open, Log: new(bytes.Buffer)})
	if err != nil {
		return nil, err
	}
	separator := "&"
	if c.service == sandbox.VOD {
		separator = "?"
	}
	return h.Run(ctx, fmt.Appendf(nil, `{"sweep":%q}`, target+separator+"olderThan=2d"))
}

func counts(calls map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, calls[name]))
	}
	return strings.Join(parts, ", ")
}

func refusals(s said) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(s.Codes)) {
		parts = append(parts, fmt.Sprintf("%s: %s", what, cmp.Or(s.Codes[what].Code, "?")))
	}
	return strings.Join(parts, ", ")
}
