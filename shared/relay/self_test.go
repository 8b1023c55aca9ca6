package relay

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

var self = Function{Account: "1234567890", Region: "ap-guangzhou", Namespace: "default", Name: "partsweep",
	Credentials: store.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "a-secret-key", SessionToken: "a-session-token"}}

func mac(key, s string) string {
	m := hmac.New(sha256.New, []byte(key))
	io.WriteString(m, s)
	return string(m.Sum(nil))
}

func sha256Hex(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }

var parts = regexp.MustCompile(`^(\S+) Credential=([^,/]+)(?:/([^,]+))?, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)$`)

// signed works the signature of a request out from the vendors' documents, by another hand than the code that signs.
func signed(r *http.Request, body string) error {
	p := parts.FindStringSubmatch(strings.Replace(r.Header.Get("Authorization"), ",S", ", S", 2))
	if p == nil {
		return fmt.Errorf("Authorization: %q", r.Header.Get("Authorization"))
	}
	canonical := r.Method + "\n" + r.URL.EscapedPath() + "\n\n"
	for name := range strings.SplitSeq(p[4], ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		} else if name == "x-tc-action" {
			value = strings.ToLower(value)
		}
		canonical += name + ":" + value + "\n"
	}
	canonical += "\n" + p[4] + "\n" + sha256Hex([]byte(body))
	var want string
	switch p[1] {
	case "ACS3-HMAC-SHA256":
		want = hex.EncodeToString([]byte(mac(self.Credentials.SecretAccessKey, p[1]+"\n"+sha256Hex([]byte(canonical)))))
	case "TC3-HMAC-SHA256":
		scope := strings.Split(p[3], "/")
		key := mac(mac(mac("TC3"+self.Credentials.SecretAccessKey, scope[0]), scope[1]), "tc3_request")
		want = hex.EncodeToString([]byte(mac(key, p[1]+"\n"+r.Header.Get("X-TC-Timestamp")+"\n"+p[3]+"\n"+sha256Hex([]byte(canonical)))))
	}
	if p[2] != self.Credentials.AccessKeyID || p[5] != want {
		return fmt.Errorf("signature %s of %s, want %s of\n%s", p[5], p[2], want, canonical)
	}
	return nil
}

// fresh checks what the gateways refuse an old or a repeated request by. TC3 has no nonce.
func fresh(r *http.Request, nonces map[string]bool) error {
	at, err := time.Parse(time.RFC3339, r.Header.Get("X-Acs-Date"))
	if stamp := r.Header.Get("X-TC-Timestamp"); stamp != "" {
		var seconds int64
		seconds, err = strconv.ParseInt(stamp, 10, 64)
		at = time.Unix(seconds, 0)
	} else if n := r.Header.Get("X-Acs-Signature-Nonce"); len(n) < 16 || nonces[n] {
		return fmt.Errorf("nonce %q is short or not new", n)
	} else {
		nonces[n] = true
	}
	if off := time.Since(at).Abs(); err != nil || off > 5*time.Minute {
		return fmt.Errorf("the date is %s, which is off by %s: %v", at, off, err)
	}
	return nil
}

// A platform that disputes a signature quotes what was signed, and so does one in the middle. None of that is anybody's to read.
func TestInvokeSelfHidesItsSecrets(t *testing.T) {
	secrets := self.Credentials.SessionToken + " " + self.Credentials.SecretAccessKey
	for _, p := range platforms {
		for _, answer := range []string{
			`{"Code":"SignatureDoesNotMatch","Message":"server CanonicalRequest is ` + secrets + `","RequestID":"R1"}`,
			`{"Response":{"RequestId":"R1","Error":{"Code":"AuthFailure.SignatureFailure","Message":"` + secrets + `"}}}`,
			`<html>` + secrets,
			`{"Code":"X","Message":"` + strings.Repeat(`many\u0007\n words `, 1000) + `","RequestID":"a b"}`,
			`{"Response":{"RequestId":"a b","Error":{"Code":"X","Message":"` + strings.Repeat(`many\u0007\n words `, 1000) + `"}}}`,
		} {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(map[string]int{"FC": 400, "SCF": 200}[p.name])
				io.WriteString(w, answer)
			}))
			_, err := p.open(s.URL).Send(t.Context(), messages(1))
			s.Close()
			if err == nil || strings.Contains(err.Error(), self.Credentials.SessionToken) || strings.Contains(err.Error(), self.Credentials.SecretAccessKey) {
				t.Errorf("%s says %v to %s", p.name, err, answer)
			}
			if text := fmt.Sprint(err); len(text) > 600 || strings.ContainsAny(text, "\a\n") || strings.Contains(text, "a b") {
				t.Errorf("%s says %q", p.name, text)
			}
		}
	}
}

// platforms are the two ways to invoke oneself, and what a platform's answers look like.
var platforms = []struct {
	name                  string
	open                  func(url string) Queue
	took, busy, forbidden string
	status                func(answer string) int
	event                 func(t *testing.T, r *http.Request, body string) string
}{
	{"FC", func(url string) Queue {
		q := OpenFC(func(context.Context) (Function, error) { return self, nil })
		q.base, q.pause = url, time.Millisecond
		return q
	}, "", `{"Code":"ResourceThrottled","Message":"slow down","RequestID":"R1"}`, `{"Code":"AccessDenied","Message":"no","RequestID":"R2"}`,
		func(answer string) int {
			return map[bool]int{true: 202, false: map[bool]int{true: 429, false: 403}[strings.Contains(answer, "Throttled")]}[answer == ""]
		},
		func(t *testing.T, r *http.Request, body string) string {
			if r.Host != "1234567890.ap-guangzhou.fc.aliyuncs.com" || r.URL.Path != "/2023-03-30/functions/partsweep/invocations" ||
				r.Header.Get("X-Fc-Invocation-Type") != "Async" || r.Header.Get("X-Acs-Security-Token") != self.Credentials.SessionToken ||
				r.Header.Get("X-Acs-Action") != "InvokeFunction" || r.Header.Get("X-Acs-Version") != "2023-03-30" ||
				r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s%s %v", r.Host, r.URL, r.Header)
			}
			return body
		}},
	{"SCF", func(url string) Queue {
		q := OpenSCF(func(context.Context) (Function, error) { return self, nil })
		q.profile.HttpProfile.Endpoint, q.profile.HttpProfile.Scheme, q.pause = strings.TrimPrefix(url, "http://"), "HTTP", time.Millisecond
		return q
	}, `{"Response":{"RequestId":"R0","Result":{}}}`, `{"Response":{"RequestId":"R1","Error":{"Code":"RequestLimitExceeded","Message":"slow down"}}}`,
		`{"Response":{"RequestId":"R2","Error":{"Code":"UnauthorizedOperation.CAM","Message":"no"}}}`,
		func(string) int { return 200 },
		func(t *testing.T, r *http.Request, body string) string {
			var call struct{ FunctionName, Namespace, InvocationType, ClientContext string }
			if err := json.Unmarshal([]byte(body), &call); err != nil || call.FunctionName != "partsweep" || call.Namespace != "default" || call.InvocationType != "Event" {
				t.Errorf("%v %s", err, body)
			}
			if r.Header.Get("X-TC-Action") != "Invoke" || r.Header.Get("X-TC-Region") != self.Region || r.Header.Get("X-TC-Token") != self.Credentials.SessionToken {
				t.Errorf("%v", r.Header)
			}
			return call.ClientContext
		}},
}

func TestInvokeSelf(t *testing.T) {
	for _, p := range platforms {
		t.Run(p.name, func(t *testing.T) {
			for _, tt := range []struct {
				name  string
				say   func(call int) string
				taken int
				calls int
				kind  mpu.Kind
			}{
				{"taken", func(int) string { return p.took }, 3, 3, 0},
				{"busy at first", func(call int) string {
					if call < 3 {
						return p.busy
					}
					return p.took
				}, 3, 5, 0},
				{"busy for good", func(call int) string {
					if call == 1 {
						return p.took
					}
					return p.busy
				}, 1, 1 + sendAttempts, mpu.Transient},
				{"not allowed", func(int) string { return p.forbidden }, 0, 1, mpu.Denied},
			} {
				t.Run(tt.name, func(t *testing.T) {
					var calls int
					var events []string
					nonces := map[string]bool{}
					s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						body, _ := io.ReadAll(r.Body)
						if err := signed(r, string(body)); err != nil {
							t.Error(err)
						}
						if err := fresh(r, nonces); err != nil {
							t.Error(err)
						}
						calls++
						answer := tt.say(calls)
						if answer == p.took {
							events = append(events, p.event(t, r, string(body)))
						}
						w.Header().Set("Content-Type", "application/json")
						w.WriteHeader(p.status(answer))
						io.WriteString(w, answer)
					}))
					defer s.Close()
					taken, err := p.open(s.URL).Send(t.Context(), messages(3))
					if taken != tt.taken || calls != tt.calls || mpu.KindOf(err) != tt.kind {
						t.Fatalf("taken %d, want %d; %d calls, want %d; %v", taken, tt.taken, calls, tt.calls, err)
					}
					if tt.kind == mpu.Denied && !strings.Contains(err.Error(), "InvokeFunction") {
						t.Errorf("%v does not say what to grant", err)
					}
					for i, m := range messages(3)[:taken] {
						if !strings.Contains(events[i], `"type":"handed-on","request":"`+m.Request.String()+`"`) {
							t.Errorf("the function is given %s", events[i])
						}
					}
				})
			}
		})
	}
}

// An answer that says nothing is no success, and a redirect is not followed: the token would go with it, and the message would not.
func TestInvokeSelfIsNotFooled(t *testing.T) {
	var followed atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		followed.Add(1)
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, `{"Response":{"RequestId":"elsewhere"}}`)
	}))
	defer elsewhere.Close()
	for _, p := range platforms {
		for name, say := range map[string]func(w http.ResponseWriter){
			"nothing":           func(w http.ResponseWriter) {},
			"null":              func(w http.ResponseWriter) { io.WriteString(w, "null") },
			"an empty object":   func(w http.ResponseWriter) { io.WriteString(w, "{}") },
			"an empty response": func(w http.ResponseWriter) { io.WriteString(w, `{"Response":{}}`) },
			"no response":       func(w http.ResponseWriter) { io.WriteString(w, `{"Response":null}`) },
			"a page":            func(w http.ResponseWriter) { io.WriteString(w, "<html>sign in</html>") },
			"a redirect": func(w http.ResponseWriter) {
				w.Header().Set("Location", elsewhere.URL)
				w.WriteHeader(http.StatusFound)
			},
			"a strict redirect": func(w http.ResponseWriter) {
				w.Header().Set("Location", elsewhere.URL)
				w.WriteHeader(http.StatusTemporaryRedirect)
			},
		} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { say(w) }))
				defer s.Close()
				if taken, err := p.open(s.URL).Send(t.Context(), messages(2)); taken != 0 || err == nil {
					t.Errorf("taken %d, %v", taken, err)
				}
			})
		}
	}
	if n := followed.Load(); n > 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

// In one process, what is handed on comes out again in its order, as a function reads it.
func TestLocal(t *testing.T) {
	var q Local
	if n, err := q.Send(t.Context(), messages(3)); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	for _, m := range messages(3) {
		body, ok := q.Next()
		if want := `"type":"handed-on","request":"` + m.Request.String() + `"`; !ok || !strings.Contains(string(body), want) {
			t.Errorf("%v %s, want %s", ok, body, want)
		}
	}
	if body, ok := q.Next(); ok {
		t.Errorf("%s is left", body)
	}
}

func TestInvokeSelfWithoutCredentials(t *testing.T) {
	none := errors.New("no role")
	for _, q := range []Queue{
		OpenFC(func(context.Context) (Function, error) { return Function{}, none }),
		OpenSCF(func(context.Context) (Function, error) { return Function{}, none }),
	} {
		if n, err := q.Send(t.Context(), messages(1)); n != 0 || !errors.Is(err, none) {
			t.Errorf("%d, %v", n, err)
		}
	}
}
