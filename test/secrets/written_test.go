package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
	"github.com/partsweep/partsweep/test/sandbox"
)

// written is all that partsweep writes in a test.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

// run handles an event and keeps the log, the report, the answer and the error.
func (w *written) run(t *testing.T, h *handler.Handler, event []byte) {
	t.Helper()
	report, err := h.Run(t.Context(), event)
	answer, answerErr := h.Handle(t.Context(), event)
	for _, said := range []any{report, answer} {
		text, jsonErr := json.Marshal(said)
		if jsonErr != nil {
			t.Error(jsonErr)
		}
		w.Write(append(text, '\n'))
	}
	fmt.Fprintln(w, err, answerErr)
	fmt.Fprintf(w, "%v %+v %#v\n", err, err, err)
}

const secretToken = "bearer-token-of-this-test"

// newHandler makes a handler whose every store is at a URL. It says all it has to say.
func newHandler(t *testing.T, w *written, urlOf func(sandbox.Service) string) *handler.Handler {
	t.Helper()
	environ := []string{
		"PARTSWEEP_MODE=apply", "PARTSWEEP_LOG_LEVEL=debug", "PARTSWEEP_MPS_DELETE_MEDIA=allow", "PARTSWEEP_HTTP_TOKEN=" + secretToken,
		"PARTSWEEP_BUCKETS=s3://* cos://*?region=ap-guangzhou obs://*?region=cn-north-4 oss://*?region=cn-shanghai vod://cn-shanghai mps://cn-shanghai",
		"PARTSWEEP_VOD_CALLBACK_URL=https://hooks.example/vod", "PARTSWEEP_VOD_CALLBACK_KEY=callback-key-of-this-test",
	}
	for _, s := range sandbox.Services {
		name := "PARTSWEEP_" + strings.ToUpper(string(s))
		environ = append(environ, name+"_ENDPOINT="+urlOf(s), name+"_ACCESS_KEY_ID="+sandbox.AccessKeyID,
			name+"_SECRET_ACCESS_KEY="+sandbox.SecretAccessKey, name+"_SESSION_TOKEN="+sandbox.SessionToken)
		if s == sandbox.S3 || s == sandbox.OBS || s == sandbox.OSS {
			environ = append(environ, name+"_PATH_STYLE=true")
		}
	}
	h, err := handler.New(handler.Platform{Name: "secrets", Environ: environ, Open: all.Open, Log: w})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w, "%v %+v %#v %s\n", h, h, h, h)
	return h
}

// events are all of the events that the project knows.
func events(t *testing.T) (all [][]byte) {
	t.Helper()
	root := os.DirFS("../../events")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json") {
			return err
		}
		event, err := fs.ReadFile(root, path)
		all = append(all, event)
		return err
	})
	if err != nil || len(all) < 50 {
		t.Fatalf("%d events, %v", len(all), err)
	}
	return all
}

var targets = map[sandbox.Service]string{
	sandbox.S3: "s3://media", sandbox.COS: "cos://media-1250000000?region=ap-guangzhou", sandbox.OBS: "obs://media?region=cn-north-4",
	sandbox.OSS: "oss://media?region=cn-shanghai", sandbox.VOD: "vod://cn-shanghai", sandbox.MPS: "mps://cn-shanghai/0123456789abcdef0123456789abcdef",
}

func (w *written) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	known = append(known, secretToken, "callback-key-of-this-test")
	defer func() { known = known[:len(known)-2] }()
	found := scan(w.b.Bytes())
	for _, f := range found[:min(len(found), 10)] {
		t.Errorf("line %d: %s, after %q", f.line, f.what, f.near)
	}
	if w.b.Len() < 10_000 {
		t.Errorf("only %d bytes were written: this has shown nothing", w.b.Len())
	}
}

// Every event, on a sandbox that answers as it should.
func TestNoSecretIsWritten(t *testing.T) {
	s, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &written{}
	h := newHandler(t, w, s.URL)
	for _, event := range events(t) {
		w.run(t, h, event)
	}
	w.check(t)
}

// Every service refuses every operation with each of its codes.
func TestNoSecretIsWrittenOfARefusal(t *testing.T) {
	s, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &written{}
	for service, target := range targets {
		for _, code := range s.Codes(service) {
			remove := s.Script(sandbox.Fault{Service: service, Code: code})
			w.ask(t, service, target, s.URL(service))
			remove()
		}
	}
	w.check(t)
}

// A store, or what stands in front of it, repeats in its answer all that it was sent.
func TestNoSecretIsRepeated(t *testing.T) {
	for _, status := range []int{200, 301, 400, 403, 404} {
		for _, form := range []string{
			"<Error><Code>SignatureDoesNotMatch</Code><Message>%s</Message><StringToSign>%[1]s</StringToSign><RequestId>%[1]s</RequestId></Error>",
			"<Error><Code>%s</Code></Error>", "<html><body>%s</body></html>", "<Error><Endpoint>%s</Endpoint><Region>%[1]s</Region></Error>",
			`{"Code":"SignatureDoesNotMatch","Message":"server string to sign is: %s","RequestId":"r"}`, `{"Code":"%s","Message":"m","RequestId":"r"}`, "%s",
		} {
			w := &written{}
			echo := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				for _, name := range []string{"X-Amz-Request-Id", "X-Oss-Request-Id", "X-Acs-Request-Id", "Retry-After", "Server"} {
					rw.Header().Set(name, r.Header.Get("Authorization"))
				}
				rw.Header().Set("Location", "http://127.0.0.1:1/?token="+r.Header.Get("X-Amz-Security-Token")+"&"+r.URL.RawQuery)
				rw.WriteHeader(status)
				fmt.Fprintf(rw, form, strings.NewReplacer("<", "", "&", "&amp;", `"`, "").Replace(
					fmt.Sprint(r.Header.Get("Authorization"), " ", r.Header.Get("X-Amz-Security-Token"), r.Header.Get("X-Cos-Security-Token"),
						r.Header.Get("X-Obs-Security-Token"), r.Header.Get("X-Oss-Security-Token"), r.Header.Get("X-Acs-Security-Token"), " ", r.URL.RawQuery, string(body))))
			}))
			for service, target := range targets {
				w.ask(t, service, target, echo.URL)
			}
			echo.Close()
			found := scan(w.b.Bytes())
			for _, f := range found[:min(len(found), 5)] {
				t.Errorf("status %d, %q: line %d: %s, after %q", status, form, f.line, f.what, f.near)
			}
		}
	}
}

// ask sends one request of each kind to a service, without another try, and keeps the errors.
func (w *written) ask(t *testing.T, service sandbox.Service, target, url string) {
	t.Helper()
	d, err := all.Open(string(service), store.Config{Endpoint: url, PathStyle: service == sandbox.S3 || service == sandbox.OBS || service == sandbox.OSS,
		Credentials: func(context.Context) (store.Credentials, error) {
			return store.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey, SessionToken: sandbox.SessionToken}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := mpu.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	u := mpu.Upload{Bucket: r.Bucket, Key: cmp.Or(r.Key, "0123456789abcdef0123456789abcdef"), UploadID: cmp.Or(r.UploadID, "0123456789abcdef0123456789abcdef")}
	st := store.New(d, store.Log(slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	_, partsErr := st.Parts(t.Context(), u)
	for _, err := range []error{st.Abort(t.Context(), u, nil), partsErr, listError(t, st, u.Bucket)} {
		fmt.Fprintf(w, "%v\n%+v\n%#v\n", err, err, err)
	}
}

func listError(t *testing.T, st *store.Store, b mpu.Bucket) (last error) {
	for _, err := range st.Pages(t.Context(), b, "", mpu.Marker{}) {
		last = err
	}
	return last
}

// Web requests bring tokens, right ones and wrong ones; none of them is repeated.
func TestNoTokenIsRepeated(t *testing.T) {
	s, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &written{}
	h := newHandler(t, w, s.URL)
	for _, header := range []string{"Bearer " + secretToken, "Bearer " + secretToken + "x", "bearer " + secretToken, "Basic " + secretToken, secretToken} {
		event := fmt.Sprintf(`{"version":"2.0","rawPath":"/%s","rawQueryString":"token=%s","headers":{"authorization":%q},"requestContext":{"http":{"method":"POST","path":"/","sourceIp":"192.0.2.1"},"time":%q},"body":"\"s3://media?olderThan=2d\"","isBase64Encoded":false}`,
			secretToken, secretToken, header, time.Now().Format(time.RFC3339))
		for range 40 {
			w.run(t, h, []byte(event))
		}
	}
	w.check(t)
}
