package adversary

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/test/sandbox"
)

// A caller is a web request as somebody makes it.
type caller struct {
	name   string
	method string
	path   string
	header http.Header
	body   string // of the failure message if empty
	status int
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

// strangers know no token, or nearly know it, or try to be taken for somebody who needs none.
func strangers() []caller {
	near := map[string]string{
		"nothing": "", "the scheme alone": "Bearer", "an empty token": "Bearer ", "another token": "Bearer another-token-of-it",
		"all but the last": "Bearer " + httpToken[:len(httpToken)-1], "all but the first": "Bearer " + httpToken[1:], "one more": "Bearer " + httpToken + "x",
		"twice": "Bearer " + httpToken + httpToken, "capitals": "Bearer " + strings.ToUpper(httpToken), "a capital": "Bearer A" + httpToken[1:],
		"quoted": `Bearer "` + httpToken + `"`, "encoded": "Bearer a%2Dtoken-of-sixteen", "with a NUL's name": "Bearer " + httpToken + "\\x00",
		"basic": "Basic " + httpToken, "digest": "Digest " + httpToken, "no scheme": httpToken, "a colon": "Bearer: " + httpToken,
		"two schemes": "Bearer Bearer " + httpToken, "a list": "Bearer " + httpToken + ", Bearer x", "a tab": "Bearer\t" + httpToken,
		"another alphabet": "Bearer " + strings.Replace(httpToken, "o", "\u043e", 1), "nothing that shows": "Bearer " + httpToken + "\u200b",
		"the placeholder": "Bearer (secret)", "a hash": "Bearer 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
		"very long": "Bearer " + strings.Repeat("a", 100_000), "the callback's key": "Bearer " + callbackKey,
		"the store's secret": "Bearer " + sandbox.SecretAccessKey,
	}
	var all []caller
	for name, authorization := range near {
		all = append(all, caller{name: "token, " + name, header: headers("Authorization", authorization), status: 401})
	}
	right := "Bearer " + httpToken
	return append(all,
		caller{name: "the right token second", header: headers("Authorization", "Bearer x", "Authorization", right), status: 401},
		caller{name: "in another header", header: headers("X-Authorization", right, "Proxy-Authorization", right, "X-Forwarded-Authorization", right, "Cookie", "token="+httpToken), status: 401},
		caller{name: "in the query", path: "/?token=" + httpToken + "&access_token=" + httpToken, status: 401},
		caller{name: "in the path", path: "/" + httpToken, status: 401},
		caller{name: "in the body", body: `{"token":"` + httpToken + `","Authorization":"` + right + `"}`, status: 401},
		caller{name: "as the platform", header: headers("X-Fc-Control-Path", "/invoke", "X-Fc-Request-Id", "1"), path: "/invoke", status: 401},
		caller{name: "as the platform's web trigger", header: headers("X-Fc-Control-Path", "/http-invoke"), status: 401},
		caller{name: "with the platform's credentials", header: headers("X-Fc-Access-Key-Id", "AK", "X-Fc-Access-Key-Secret", "SK"), status: 401},
		caller{name: "as a proxy that has checked", header: headers("X-Amzn-Iam", "true", "X-Forwarded-User", "root", "X-Remote-User", "root", "X-Apigateway-Api-Userinfo", "e30="), status: 401},
		caller{name: "with IAM in the body", body: `{"version":"2.0","rawPath":"/","headers":{},"requestContext":{"http":{"method":"POST","path":"/"},"authorizer":{"iam":{"userArn":"x"}}},"body":"{}"}`, status: 401},
		caller{name: "GET", method: "GET", header: headers("Authorization", right), status: 405},
		caller{name: "GET for POST", method: "GET", header: headers("Authorization", right, "X-Http-Method-Override", "POST", "X-Method-Override", "POST", "X-Http-Method", "POST"), status: 405},
		caller{name: "PUT", method: "PUT", header: headers("Authorization", right), status: 405},
		caller{name: "DELETE", method: "DELETE", header: headers("Authorization", right), status: 405},
		caller{name: "PATCH", method: "PATCH", header: headers("Authorization", right), status: 405},
		caller{name: "OPTIONS", method: "OPTIONS", header: headers("Authorization", right, "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"), status: 405},
		caller{name: "HEAD", method: "HEAD", header: headers("Authorization", right), status: 405},
		caller{name: "TRACE", method: "TRACE", header: headers("Authorization", right), status: 405},
		caller{name: "post", method: "post", header: headers("Authorization", right), status: 405},
		caller{name: "a long method", method: strings.Repeat("A", 50_000), header: headers("Authorization", right), status: 405},
		caller{name: "a body that is too large", header: headers("Authorization", right), body: strings.Repeat(" ", 2<<20), status: 413},
		caller{name: "a web request in a web request", header: headers("Authorization", right), body: `{"version":"2.0","rawPath":"/","headers":{},"requestContext":{"http":{"method":"POST","path":"/"},"authorizer":{"iam":{"userArn":"x"}}},"body":"{}"}`, status: 400},
		caller{name: "a foreign bucket", header: headers("Authorization", right), body: `{"type":"upload-failed","request":"s3://payroll/raw/a?uploadId=ID","failedAt":"2026-11-03T08:59:58Z"}`, status: 403},
	)
}

// TestStrangers: nobody who cannot show the token gets anything done, or learns what it is, on any of the four platforms.
func TestStrangers(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_HTTP_TOKEN="+httpToken, "PARTSWEEP_VOD_CALLBACK_URL="+callbackURL, "PARTSWEEP_VOD_CALLBACK_KEY="+callbackKey)
	mine, bait := w.seed(ours[sandbox.S3], "raw/a", "ID"), w.seed(theirs[sandbox.S3], "raw/a", "ID")
	doors := doors(t, w)
	for _, c := range strangers() {
		if c.method == "" {
			c.method = http.MethodPost
		}
		if c.path == "" {
			c.path = "/"
		}
		if c.body == "" {
			c.body = failed(mine)
		}
		for platform, knock := range doors {
			t.Run(c.name+"/"+platform, func(t *testing.T) {
				status, answer, ok := knock(t, c)
				want := c.status
				switch {
				case !ok:
					return // the platform cannot hand it on
				case platform != "http" && want == http.StatusRequestEntityTooLarge:
					want = http.StatusBadRequest // the event as a whole cannot be read
				}
				if status != want {
					t.Errorf("status %d, want %d: %.300s", status, want, answer)
				}
				if len(w.sent()) > 0 || !w.there(mine) || !w.there(bait) {
					t.Errorf("sent %+v", w.sent())
				}
				for _, secret := range []string{httpToken, callbackKey, sandbox.SecretAccessKey, "5e884898da28"} {
					if strings.Contains(answer, secret) {
						t.Errorf("the answer holds %q: %s", secret, answer)
					}
				}
				if len(answer) > 2000 {
					t.Errorf("an answer of %d bytes", len(answer))
				}
			})
		}
	}
	for line := range strings.Lines(w.log.String()) {
		if len(line) > 3000 {
			t.Errorf("a stranger made a line of %d bytes: %.200s", len(line), line)
		}
	}
	w.checkLog(t)
	for _, secret := range []string{callbackKey, sandbox.SecretAccessKey, "Bearer a-token"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	// And whoever knows the token is let in by each of them.
	for platform, knock := range doors {
		mine := w.seed(ours[sandbox.S3], "raw/"+platform, "ID")
		if status, answer, _ := knock(t, caller{method: "POST", path: "/", header: headers("Authorization", "Bearer "+httpToken), body: failed(mine)}); status != 200 || w.there(mine) {
			t.Errorf("%s: status %d: %s", platform, status, answer)
		}
	}
}

// doors are the ways in which a web request reaches the handler. Ok is false if the platform would not hand it on.
func doors(t *testing.T, w *world) map[string]func(t *testing.T, c caller) (status int, answer string, ok bool) {
	server := httptest.NewServer(w.Handler)
	t.Cleanup(server.Close)
	wrapped := func(event func(c caller, header map[string]string) map[string]any) func(*testing.T, caller) (int, string, bool) {
		return func(t *testing.T, c caller) (int, string, bool) {
			flat := map[string]string{}
			for name, values := range c.header {
				if len(values) > 1 {
					return 0, "", false // JSON has one value for a name
				}
				flat[strings.ToLower(name)] = values[0]
			}
			b, err := json.Marshal(event(c, flat))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := w.Handle(t.Context(), b)
			r, isResponse := answer.(handler.Response)
			if err != nil || !isResponse {
				t.Fatalf("%+v, %v; a stranger's request must not fail the function", answer, err)
			}
			return r.StatusCode, fmt.Sprint(r.Body, r.Headers), true
		}
	}
	return map[string]func(*testing.T, caller) (int, string, bool){
		"http": func(t *testing.T, c caller) (int, string, bool) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				return 0, "", false
			}
			r.Header = c.header.Clone()
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, fmt.Sprint(string(body), resp.Header), true
		},
		"lambda": wrapped(func(c caller, header map[string]string) map[string]any {
			return map[string]any{"version": "2.0", "rawPath": c.path, "headers": header, "body": c.body, "isBase64Encoded": false,
				"requestContext": map[string]any{"http": map[string]any{"method": c.method, "path": c.path}}}
		}),
		"fc": wrapped(func(c caller, header map[string]string) map[string]any {
			return map[string]any{"version": "v1", "rawPath": c.path, "headers": header, "body": c.body, "isBase64Encoded": false,
				"requestContext": map[string]any{"http": map[string]any{"method": c.method, "path": c.path}}}
		}),
		"scf": wrapped(func(c caller, header map[string]string) map[string]any {
			return map[string]any{"httpMethod": c.method, "path": c.path, "headers": header, "body": c.body}
		}),
	}
}

// TestStrangersAreNotRead: who has shown nothing is answered before the body is read, so that many of them cannot fill the
// memory.
func TestStrangersAreNotRead(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_HTTP_TOKEN="+httpToken, "PARTSWEEP_VOD_CALLBACK_URL="+callbackURL, "PARTSWEEP_VOD_CALLBACK_KEY="+callbackKey)
	server := httptest.NewServer(w.Handler)
	t.Cleanup(server.Close)
	for name, header := range map[string]string{
		"no token":      "",
		"another token": "Authorization: Bearer another-token-of-it\r\n",
		"a forged call": "X-Vod-Timestamp: 1\r\nX-Vod-Signature: 00\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n%s\r\n", header)
		conn.SetReadDeadline(time.Now().Add(10 * time.Second)) // none of the body is ever sent
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 401 && resp.StatusCode != 403 {
			t.Errorf("%s: %v, %v; want to be refused without having sent the body", name, resp, err)
		}
		conn.Close()
	}
}

// callback signs as ApsaraVideo VOD does.
func callback(url, key string, at time.Time) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := md5.Sum([]byte(url + "|" + stamp + "|" + key))
	return headers("X-Vod-Timestamp", stamp, "X-Vod-Signature", hex.EncodeToString(sum[:]))
}

// TestCallbacks: a callback is believed for five minutes, for its own URL and key, and even then only as far as VOD itself
// confirms it.
func TestCallbacks(t *testing.T) {
	region := ours[sandbox.VOD].Name
	body := func(job string) string {
		return fmt.Sprintf(`{"EventTime":%q,"EventType":"UploadByURLComplete","Status":"fail","JobId":%q,"VideoId":"alive"}`, old.Add(time.Hour).Format(time.RFC3339), job)
	}
	now := time.Now()
	signed := callback(callbackURL, callbackKey, now)
	stamp := signed["X-Vod-Timestamp"][0]
	for _, tt := range []struct {
		name   string
		header http.Header
		job    string
		status int
		gone   bool
	}{
		{"as it is", signed, "failed", 200, true},
		{"four minutes late", callback(callbackURL, callbackKey, now.Add(-4*time.Minute)), "failed", 200, true},
		{"replayed later", callback(callbackURL, callbackKey, now.Add(-6*time.Minute)), "failed", 403, false},
		{"signed for later", callback(callbackURL, callbackKey, now.Add(6*time.Minute)), "failed", 403, false},
		{"replayed with a new time", headers("X-Vod-Timestamp", strconv.FormatInt(now.Unix()+1, 10), "X-Vod-Signature", signed["X-Vod-Signature"][0]), "failed", 403, false},
		{"for another URL", callback("https://hooks.example/other", callbackKey, now), "failed", 403, false},
		{"for the URL with a slash", callback(callbackURL+"/", callbackKey, now), "failed", 403, false},
		{"for http", callback("http://hooks.example/vod", callbackKey, now), "failed", 403, false},
		{"with another key", callback(callbackURL, "another-key", now), "failed", 403, false},
		{"with no key", callback(callbackURL, "", now), "failed", 403, false},
		{"with the token for a key", callback(callbackURL, httpToken, now), "failed", 403, false},
		{"capitals", headers("X-Vod-Timestamp", stamp, "X-Vod-Signature", strings.ToUpper(signed["X-Vod-Signature"][0])), "failed", 403, false},
		{"cut short", headers("X-Vod-Timestamp", stamp, "X-Vod-Signature", signed["X-Vod-Signature"][0][:16]), "failed", 403, false},
		{"no time", headers("X-Vod-Signature", signed["X-Vod-Signature"][0]), "failed", 403, false},
		{"a time that moves the bars", headers("X-Vod-Timestamp", stamp+"|"+callbackKey, "X-Vod-Signature", signed["X-Vod-Signature"][0]), "failed", 403, false},
		{"beside the right token", headers("X-Vod-Signature", "00", "X-Vod-Timestamp", stamp, "Authorization", "Bearer "+httpToken), "failed", 403, false},
		{"about a pull that goes on", signed, "going", 403, false},
		{"about a pull that succeeded", signed, "done", 403, false},
		{"about no pull", signed, "none", 200, false},
		{"about two pulls", signed, "failed,going", 400, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "PARTSWEEP_HTTP_TOKEN="+httpToken, "PARTSWEEP_VOD_CALLBACK_URL="+callbackURL, "PARTSWEEP_VOD_CALLBACK_KEY="+callbackKey,
				allowed(sandbox.VOD, sandbox.S3), "PARTSWEEP_MPS_DELETE_MEDIA=no")
			upload := w.seed(ours[sandbox.VOD], "media-of-failed", "")
			alive := w.seed(ours[sandbox.VOD], "alive", "")
			w.AddURLJob(region, sandbox.URLJob{ID: "failed", MediaID: "media-of-failed", Status: "FAIL"})
			w.AddURLJob(region, sandbox.URLJob{ID: "going", MediaID: "alive", Status: "PROCESSING"})
			w.AddURLJob(region, sandbox.URLJob{ID: "done", MediaID: "alive", Status: "SUCCESS"})
			server := httptest.NewServer(w.Handler)
			defer server.Close()
			r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL, strings.NewReader(body(tt.job)))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = tt.header.Clone()
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != tt.status || w.there(upload) == tt.gone || !w.there(alive) {
				t.Errorf("status %d, want %d; %v %v, %v\n%s", resp.StatusCode, tt.status, w.there(upload), w.there(alive), err, answer)
			}
			if tt.job == "failed" && !tt.gone && len(w.sent()) > 0 {
				t.Errorf("sent %+v", w.sent())
			}
			if strings.Contains(string(answer)+w.log.String(), callbackKey) || bytes.Contains(answer, []byte(httpToken)) {
				t.Errorf("a secret is in the answer or the log: %s", answer)
			}
		})
	}
}

// TestCallbackIsNoOtherEvent: a callback's signature does not cover the body, so that it opens the door to a callback only.
func TestCallbackIsNoOtherEvent(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_VOD_CALLBACK_URL="+callbackURL, "PARTSWEEP_VOD_CALLBACK_KEY="+callbackKey)
	mine := w.seed(ours[sandbox.S3], "raw/a", "ID")
	server := httptest.NewServer(w.Handler)
	t.Cleanup(server.Close)
	for _, event := range []string{failed(mine), sweepOf(ours[sandbox.S3]), `{"request":` + quote(mine.String()) + `,"apply":true}`,
		fmt.Sprintf(`{"Records":[{"eventSource":"aws:sqs","messageId":"1","body":%s}]}`, quote(failed(mine))), mpu.Request{Bucket: mine.Bucket}.String()} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL, strings.NewReader(event))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = callback(callbackURL, callbackKey, time.Now())
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 || len(w.sent()) > 0 {
			t.Errorf("%s: status %d, sent %+v", event, resp.StatusCode, w.sent())
		}
	}
}

// TestComparisonTakesItsTime: tokens and signatures are compared in a time that does not tell how much of them was right. A clock
// cannot show it, so the code is read: what reads a secret of the settings hands it to the comparison that is made for it.
func TestComparisonTakesItsTime(t *testing.T) {
	paths, err := filepath.Glob("../../shared/handler/*.go")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	code := &ast.File{Name: ast.NewIdent("handler")}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		code.Decls = append(code.Decls, file.Decls...)
	}
	constant, compared := false, 0
	ast.Inspect(code, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "same" {
				ast.Inspect(n, func(n ast.Node) bool {
					if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "ConstantTimeCompare" {
						constant = true
					}
					return true
				})
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "same" {
				compared++
			}
		case *ast.BinaryExpr:
			if n.Op != token.EQL && n.Op != token.NEQ {
				return true
			}
			for _, side := range []ast.Expr{n.X, n.Y} {
				s, ok := side.(*ast.SelectorExpr)
				other := n.X
				if side == n.X {
					other = n.Y
				}
				blank, isLit := other.(*ast.BasicLit)
				if ok && (s.Sel.Name == "HTTPToken" || s.Sel.Name == "CallbackKey") && !(isLit && blank.Value == `""`) {
					t.Errorf("%s is compared with %s", s.Sel.Name, n.Op)
				}
			}
		}
		return true
	})
	if !constant || compared != 2 {
		t.Errorf("constant time: %v, in %d places; want the token and the callback's signature", constant, compared)
	}
}
