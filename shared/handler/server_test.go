package handler

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestServeHTTP(t *testing.T) {
	trusted := []string{"PARTSWEEP_HTTP_AUTH=platform"}
	tokened := []string{"PARTSWEEP_HTTP_TOKEN=" + token}
	bearer := map[string]string{"Authorization": "Bearer " + token}
	sweep := `{"sweep":"s3://media?olderThan=48h"}`
	for _, tt := range []struct {
		name         string
		environ      []string
		method, path string
		header       map[string]string
		body         string
		status, left int
		fcStatus     string
	}{
		{"health", tokened, "GET", "/healthz", nil, "", 200, 1, ""},
		{"work", tokened, "POST", "/", bearer, doneBody, 200, 0, ""},
		{"work, no token", tokened, "POST", "/", nil, doneBody, 401, 1, ""},
		{"another method", tokened, "DELETE", "/", bearer, doneBody, 405, 1, ""},
		{"a body that is too large", tokened, "POST", "/", bearer, strings.Repeat(" ", maxBody+1), 413, 1, ""},
		{"an FC event", trusted, "POST", "/invoke", map[string]string{"X-Fc-Control-Path": "/invoke"}, sweep, 200, 0, "200"},
		{"an FC event that fails", trusted, "POST", "/invoke", map[string]string{"X-Fc-Control-Path": "/invoke"}, `{}`, 404, 1, "404"},
		{"FC initialize", trusted, "POST", "/initialize", map[string]string{"X-Fc-Control-Path": "/initialize"}, sweep, 200, 1, ""},
		{"an FC web request", trusted, "POST", "/", map[string]string{"X-Fc-Control-Path": "/http-invoke"}, doneBody, 200, 0, ""},
		{"a forged FC event", tokened, "POST", "/invoke", map[string]string{"X-Fc-Control-Path": "/invoke"}, sweep, 401, 1, "404"},
		{"an unknown control path", trusted, "POST", "/x", map[string]string{"X-Fc-Control-Path": "/INVOKE"}, sweep, 404, 1, "404"},
		{"an FC event that is too large", trusted, "POST", "/invoke", map[string]string{"X-Fc-Control-Path": "/invoke"}, strings.Repeat(" ", maxBody+1), 413, 1, "404"},
		{"a forged callback", tokened, "POST", "/", map[string]string{"X-VOD-SIGNATURE": "00", "X-VOD-TIMESTAMP": "1"}, doneBody, 403, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.environ...)
			server := httptest.NewServer(w.Handler)
			defer server.Close()
			r, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if left := len(w.memory.Left()); err != nil || res.StatusCode != tt.status || left != tt.left || res.Header.Get("X-Fc-Status") != tt.fcStatus {
				t.Errorf("status %d, want %d; %d left, want %d; x-fc-status %q, %v\n%s",
					res.StatusCode, tt.status, left, tt.left, res.Header.Get("X-Fc-Status"), err, body)
			}
			if res.Header.Get("Content-Type") == "application/json" && !json.Valid(body) {
				t.Errorf("not JSON: %s", body)
			}
		})
	}
}

// Who has shown nothing is refused before the body is read, so that many of them cannot fill the memory, and leaves one short
// line in the log.
func TestStrangersCostLittle(t *testing.T) {
	for name, header := range map[string]map[string]string{
		"no token":          {},
		"another token":     {"Authorization": "Bearer another-token-of-it"},
		"a forged callback": {"X-Vod-Signature": "00", "X-Vod-Timestamp": "1"},
		"a forged FC event": {"X-Fc-Control-Path": "/invoke"},
	} {
		w := newWorld(t, "PARTSWEEP_HTTP_TOKEN="+token)
		body := &counted{r: strings.NewReader(strings.Repeat(" ", 1<<20))}
		r := httptest.NewRequest(http.MethodPost, "/"+strings.Repeat("p", 100_000), body)
		for name, value := range header {
			r.Header.Set(name, value)
		}
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, r)
		if answer.Code != http.StatusUnauthorized && answer.Code != http.StatusForbidden || body.n > 0 {
			t.Errorf("%s: status %d, %d bytes of the body were read", name, answer.Code, body.n)
		}
		r = httptest.NewRequest(strings.Repeat("M", 100_000), "/", nil)
		w.ServeHTTP(httptest.NewRecorder(), r)
		for line := range strings.Lines(w.log.String()) {
			if len(line) > 1000 {
				t.Errorf("%s: a line of %d bytes: %.100s", name, len(line), line)
			}
		}
	}
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestFromEnvironment(t *testing.T) {
	t.Setenv("TENCENTCLOUD_SECRETID", "id")
	t.Setenv("TENCENTCLOUD_SECRETKEY", "key")
	t.Setenv("TENCENTCLOUD_SESSIONTOKEN", "first")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "half")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "")
	if c, err := FromEnvironment(t.Context(), "cos"); err != nil || c.AccessKeyID != "id" || c.SessionToken != "first" {
		t.Errorf("%v, %v", c, err)
	}
	t.Setenv("TENCENTCLOUD_SESSIONTOKEN", "renewed")
	if c, _ := FromEnvironment(t.Context(), "cos"); c.SessionToken != "renewed" {
		t.Error("a renewed token is not seen")
	}
	for _, scheme := range []string{"oss", "vod", "nothing"} {
		if _, err := FromEnvironment(t.Context(), scheme); err == nil {
			t.Errorf("%s has credentials", scheme)
		}
	}
}
