// Package adversary attacks the whole: events, answers, redirects, certificates and web requests that somebody has made up to
// get what is not theirs. The handler, the janitor, the layers and the drivers are the real ones, and so are the vendors'
// host names; behind them is the sandbox, on loopback. Each test says what the attacker did not get.
package adversary

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
	"github.com/partsweep/partsweep/test/sandbox"
)

// ours are the buckets that the settings allow, unless a test says otherwise. Theirs are somebody else's, in the same
// accounts, so that nothing but our own rule stands in front of them.
var (
	ours = map[sandbox.Service]mpu.Bucket{
		sandbox.S3:  {Store: "s3", Region: "eu-west-1", Name: "media-in"},
		sandbox.COS: {Store: "cos", Region: "ap-guangzhou", Name: "media-1250000000"},
		sandbox.OBS: {Store: "obs", Region: "cn-north-4", Name: "media-obs"},
		sandbox.OSS: {Store: "oss", Region: "cn-shanghai", Name: "media-oss"},
		sandbox.VOD: {Store: "vod", Region: "cn-shanghai", Name: "cn-shanghai"},
		sandbox.MPS: {Store: "mps", Region: "cn-shanghai", Name: "cn-shanghai"},
	}
	theirs = map[sandbox.Service]mpu.Bucket{
		sandbox.S3:  {Store: "s3", Region: "eu-west-1", Name: "payroll"},
		sandbox.COS: {Store: "cos", Region: "ap-guangzhou", Name: "payroll-1250000000"},
		sandbox.OBS: {Store: "obs", Region: "cn-north-4", Name: "payroll"},
		sandbox.OSS: {Store: "oss", Region: "cn-shanghai", Name: "payroll"},
		sandbox.VOD: {Store: "vod", Region: "cn-beijing", Name: "cn-beijing"},
		sandbox.MPS: {Store: "mps", Region: "cn-beijing", Name: "cn-beijing"},
	}
	objectStores = []sandbox.Service{sandbox.S3, sandbox.COS, sandbox.OBS, sandbox.OSS}
)

const (
	httpToken   = "a-token-of-sixteen"
	callbackURL = "https://hooks.example/vod"
	callbackKey = "callback-key-of-vod"
)

// old is when what lies around was begun and last touched.
var old = time.Now().Add(-72 * time.Hour).UTC().Truncate(time.Second)

// A world is the six clouds, the network that leads to them, and a handler.
type world struct {
	*sandbox.Sandbox
	*network
	*handler.Handler
	log output
}

// An output may be written to by many.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// allowed is the setting that allows our buckets.
func allowed(services ...sandbox.Service) string {
	var list []string
	for _, s := range services {
		list = append(list, ours[s].String())
	}
	return "PARTSWEEP_BUCKETS=" + strings.Join(list, " ")
}

// newWorld returns a world whose handler acts, and says all that it has to say.
func newWorld(t *testing.T, environ ...string) *world {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	w := &world{Sandbox: sb, network: newNetwork(t, sb)}
	for _, s := range objectStores {
		sb.CreateBucket(s, ours[s].Name, ours[s].Region)
		sb.CreateBucket(s, theirs[s].Name, theirs[s].Region)
	}
	w.configure(t, environ...)
	return w
}

// configure makes the handler anew.
func (w *world) configure(t *testing.T, environ ...string) {
	t.Helper()
	environ = append([]string{"PARTSWEEP_MODE=apply", "PARTSWEEP_LOG_LEVEL=debug", allowed(sandbox.Services...), "PARTSWEEP_MPS_DELETE_MEDIA=allow"}, environ...)
	h, err := handler.New(handler.Platform{
		Name: "adversary", Environ: environ, Log: &w.log, Credentials: credentials,
		Open: func(scheme string, cfg store.Config) (store.Driver, error) {
			cfg.Client = w.client
			return all.Open(scheme, cfg)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Handler = h
}

func credentials(context.Context, string) (store.Credentials, error) {
	return store.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey, SessionToken: sandbox.SessionToken}, nil
}

// seed leaves a stale upload in a bucket.
func (w *world) seed(b mpu.Bucket, key, id string) mpu.Upload {
	service := sandbox.Service(b.Store)
	u := mpu.Upload{Bucket: b, Key: key, UploadID: id}
	switch service {
	case sandbox.VOD:
		w.AddVideo(b.Name, sandbox.Video{ID: key, Created: old, PartBytes: 5})
		u.UploadID = key
	case sandbox.MPS:
		w.AddMedia(b.Name, key)
		u.UploadID = key
	default:
		w.PinUploadID(service, b.Name, key, id)
		w.Seed(service, b.Name, key, old, sandbox.Part{Number: 1, Size: 5, Modified: old})
	}
	return u
}

// there reports whether an upload is as it was left.
func (w *world) there(u mpu.Upload) bool {
	switch service := sandbox.Service(u.Bucket.Store); service {
	case sandbox.VOD:
		return slices.ContainsFunc(w.Videos(u.Bucket.Name), func(v sandbox.Video) bool { return v.ID == u.Key && v.Parts > 0 })
	case sandbox.MPS:
		return slices.Contains(w.Media(u.Bucket.Name), u.Key)
	default:
		return slices.ContainsFunc(w.Uploads(service, u.Bucket.Name), func(o sandbox.Upload) bool {
			return o.Key == u.Key && o.UploadID == u.UploadID && len(o.Parts) == 1
		})
	}
}

// sent returns what the services were asked, in the words of the ledger.
func (w *world) sent() []sandbox.Target {
	var targets []sandbox.Target
	for _, e := range w.Ledger() {
		targets = append(targets, e.Target)
	}
	return targets
}

// run handles an event and returns the error. Whatever is said must be fit for a log.
func (w *world) run(t *testing.T, event string) (*handler.Report, error) {
	t.Helper()
	report, err := w.Run(t.Context(), []byte(event))
	if err != nil {
		fitForLog(t, "the error", err.Error())
	}
	text, jsonErr := json.Marshal(report)
	if jsonErr != nil {
		t.Error(jsonErr)
	}
	fitForLog(t, "the report", string(text))
	return report, err
}

// failed is the project's own failure message about an upload, which failed two days ago.
func failed(u mpu.Upload) string {
	at := old.Add(24 * time.Hour).Format(time.RFC3339)
	return fmt.Sprintf(`{"type":"upload-failed","request":%s,"failedAt":%q}`, quote(u.String()), at)
}

// sweepOf is a timer's message.
func sweepOf(b mpu.Bucket) string {
	return fmt.Sprintf(`{"sweep":%s}`, quote(mpu.Request{Bucket: b, OlderThan: 48 * time.Hour}.String()))
}

// quote writes a text as JSON.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// fitForLog says what may not be in a line of a log, whoever wrote a part of it: what ends the line, moves a terminal's
// cursor, or turns text around.
func fitForLog(t *testing.T, what, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s is not UTF-8: %q", what, text)
	}
	for _, r := range text {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' {
			t.Errorf("%s holds %U: %q", what, r, text)
			return
		}
	}
}

// checkLog makes sure that every line of the log is one object of the log's own form.
func (w *world) checkLog(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(w.log.String()) {
		var entry struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Time == "" || entry.Level == "" || entry.Msg == "" {
			t.Errorf("a line of the log is %q, %v", line, err)
		}
		fitForLog(t, "a line of the log", strings.TrimSuffix(line, "\n"))
	}
}

// says fails the test unless an error says one of the things that a person can act on.
func says(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	if !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(err.Error(), word) }) {
		t.Errorf("%v\nsays none of %q", err, words)
	}
}
