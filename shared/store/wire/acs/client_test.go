package acs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

const token = "token+with/odd=characters"

func secrets(context.Context) (store.Credentials, error) {
	return store.Credentials{AccessKeyID: "testid", SecretAccessKey: "testsecret", SessionToken: token}, nil
}

var testService = Service{Product: "vod", Version: "2017-03-21"}

// client returns a client whose requests go to a handler.
func client(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := New(store.Config{Endpoint: server.URL, Credentials: secrets, Client: server.Client()}, testService)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var testCall = Call{
	Op:     store.AbortUpload,
	Target: mpu.Upload{Bucket: mpu.Bucket{Store: "vod", Region: "cn-beijing", Name: "cn-beijing"}, Key: "id", UploadID: "id"},
	Region: "cn-beijing",
	Action: "DeleteMultipartUpload",
	Params: map[string]string{"MediaId": "i d+*~/视", "MediaType": "video"},
}

func TestNew(t *testing.T) {
	for _, test := range []struct {
		name  string
		cfg   store.Config
		field string // "" if all is well
	}{
		{"least", store.Config{Credentials: secrets}, ""},
		{"all", store.Config{Credentials: secrets, Region: "cn-shanghai", Endpoint: "https://vod-vpc.{region}.aliyuncs.com"}, ""},
		{"a trailing slash", store.Config{Credentials: secrets, Endpoint: "http://127.0.0.1:1/"}, ""},
		{"no credentials", store.Config{}, "Credentials"},
		{"region with a dot", store.Config{Credentials: secrets, Region: "cn.example"}, "Region"},
		{"endpoint without a scheme", store.Config{Credentials: secrets, Endpoint: "127.0.0.1:80"}, "Endpoint"},
		{"endpoint with another scheme", store.Config{Credentials: secrets, Endpoint: "ftp://127.0.0.1"}, "Endpoint"},
		{"endpoint with a path", store.Config{Credentials: secrets, Endpoint: "https://example.com/path"}, "Endpoint"},
		{"endpoint with a bucket", store.Config{Credentials: secrets, Endpoint: "https://{bucket}.example.com"}, "Endpoint"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.cfg, testService)
			if test.field == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, mpu.Invalid) || !strings.Contains(err.Error(), test.field) {
				t.Errorf("error %v, want an invalid %s", err, test.field)
			}
		})
	}
}

func TestHost(t *testing.T) {
	for _, test := range []struct{ name, endpoint, url, host string }{
		{"the vendor's", "", "https://vod.cn-beijing.aliyuncs.com/", "vod.cn-beijing.aliyuncs.com"},
		{"with a region", "http://vod.{region}.example.com:81", "http://vod.cn-beijing.example.com:81/", "vod.cn-beijing.example.com:81"},
		{"without a region", "http://127.0.0.1:82", "http://127.0.0.1:82/", "vod.cn-beijing.aliyuncs.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(store.Config{Credentials: secrets, Endpoint: test.endpoint}, testService)
			if err != nil {
				t.Fatal(err)
			}
			req := c.request(testCall)
			if url, _, _ := strings.Cut(req.URL.String(), "?"); url != test.url || req.Host != test.host {
				t.Errorf("%s with host %s, want %s with host %s", url, req.Host, test.url, test.host)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	var got []*http.Request
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r)
		fmt.Fprint(w, `{"RequestId":"r"}`)
	})
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	c.now = func() time.Time { at = at.Add(time.Second); return at }
	for range 2 {
		if err := c.Do(t.Context(), testCall, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 2 {
		t.Fatalf("%d requests, want 2", len(got))
	}
	r := got[0]
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.ContentLength != 0 || r.Host != "vod.cn-beijing.aliyuncs.com" {
		t.Errorf("%s %s to %s with %d bytes", r.Method, r.URL.Path, r.Host, r.ContentLength)
	}
	if want := "MediaId=i%20d%2B%2A~%2F%E8%A7%86&MediaType=video"; r.URL.RawQuery != want && r.URL.RawQuery != strings.ReplaceAll(want, "%2A", "*") {
		t.Errorf("query %s, want %s", r.URL.RawQuery, want)
	}
	for name, want := range map[string]string{
		"x-acs-action": "DeleteMultipartUpload", "x-acs-version": "2017-03-21", "x-acs-date": "2024-01-02T03:04:06Z",
		"x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "x-acs-security-token": token,
	} {
		if have := r.Header.Get(name); have != want {
			t.Errorf("%s is %q, want %q", name, have, want)
		}
	}
	for _, name := range []string{"x-acs-signature-nonce", "x-acs-date", "Authorization"} {
		if a, b := got[0].Header.Get(name), got[1].Header.Get(name); a == b || a == "" {
			t.Errorf("two requests have %s %q and %q", name, a, b)
		}
	}
}

func TestAnswers(t *testing.T) {
	long := strings.Repeat("x", maxSmall)
	for _, test := range []struct {
		name     string
		status   int
		body     string
		kind     mpu.Kind
		ok       bool
		contains string
	}{
		{"success", 200, `{"RequestId":"r"}`, 0, true, ""},
		{"success with blanks", 200, " \n{\"RequestId\":\"r\"}\n", 0, true, ""},
		{"an object that is no answer", 200, `{}`, 0, false, "no RequestId"},
		{"another program's answer", 200, `{"error":"log in"}`, 0, false, "no RequestId"},
		{"empty 200", 200, ``, 0, false, "no JSON object"},
		{"HTML 200", 200, `<html>log in</html>`, 0, false, "no JSON object"},
		{"cut JSON", 200, `{"RequestId":"r`, 0, false, "cannot be read"},
		{"too long", 200, `{"RequestId":"` + long + `"}`, 0, false, "more than 64 KiB"},
		{"a code with 200", 200, `{"RequestId":"r","Code":"NoPermission"}`, mpu.Denied, false, "NoPermission"},
		{"HTML 502", 502, `<html>bad gateway</html>`, mpu.Transient, false, "HTTP 502"},
		{"empty 503", 503, ``, mpu.Transient, false, "HTTP 503"},
		{"text 429", 429, `slow down`, mpu.Transient, false, "HTTP 429"},
		{"HTML 404", 404, `<html>not found</html>`, 0, false, "HTTP 404"},
		{"redirect", 302, ``, 0, false, "HTTP 302"},
		{"unknown code", 400, `{"RequestId":"the-id","Code":"NewCode","Message":"Something new."}`, 0, false, "the-id"},
		{"unknown code with 500", 500, `{"Code":"NewCode"}`, mpu.Transient, false, "NewCode"},
		{"no code", 400, `{}`, 0, false, "HTTP 400"},
		{"permission", 403, `{"Code":"NoPermission","AccessDeniedDetail":{"AuthAction":"x"}}`, mpu.Denied, false, "vod:DeleteMultipartUpload"},
		{"token", 400, `{"Code":"InvalidSecurityToken.Expired"}`, mpu.Denied, false, "fetch the credentials again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			err := c.Do(t.Context(), testCall, nil)
			if test.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, is := errors.AsType[*mpu.Error](err)
			if !is || e.Kind != test.kind || e.Status != test.status || !strings.Contains(err.Error(), test.contains) {
				t.Fatalf("error %v, want kind %v, status %d and %q", err, test.kind, test.status, test.contains)
			}
			if e.Op != string(store.AbortUpload) || e.Target != testCall.Target.String() {
				t.Errorf("error is about %q of %q", e.Op, e.Target)
			}
		})
	}
}

func TestTimeLeft(t *testing.T) {
	for _, test := range []struct {
		name, api, user string
		want            time.Duration
	}{
		{"neither", "", "", 0},
		{"one", "", "Limit:10,Remain:0,TimeLeft:150", 150 * time.Millisecond},
		{"the longer", "TimeLeft:200", "TimeLeft:150", 200 * time.Millisecond},
		{"blanks and case", "Remain: 0, timeleft: 70", "", 70 * time.Millisecond},
		{"negative", "TimeLeft:-5", "", 0},
		{"words", "TimeLeft:soon", "", 0},
		{"for ever", "TimeLeft:9223372036854775807", "", 24 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("x-ratelimit-user-api", test.api)
				w.Header().Set("x-ratelimit-user", test.user)
				w.WriteHeader(400)
				fmt.Fprint(w, `{"Code":"Throttling.User","Message":"Request was denied due to user flow control."}`)
			})
			err := c.Do(t.Context(), testCall, nil)
			e, _ := errors.AsType[*mpu.Error](err)
			if !errors.Is(err, mpu.Transient) || e.RetryAfter != test.want {
				t.Errorf("error %v, wait %v; want %v", err, e.RetryAfter, test.want)
			}
		})
	}
}

// The gateway's own message quotes what was signed, and that holds the security token.
func TestSecretsStayOut(t *testing.T) {
	for _, message := range []string{
		"Specified signature does not match our calculation. server StringToSign is [ACS3], x-acs-security-token:%s",
		"Specified signature is not matched with our calculation. server string to sign is:POST&%%2F&SecurityToken%%3D%s",
		"Specified parameter %s is not valid.",
		strings.Repeat("long ", 45) + "%s",
	} {
		t.Run(message, func(t *testing.T) {
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(400)
				fmt.Fprintf(w, `{"Code":"SignatureDoesNotMatch","Message":%q}`, fmt.Sprintf(message, token))
			})
			err := c.Do(t.Context(), testCall, nil)
			if !errors.Is(err, mpu.Denied) || strings.Contains(err.Error(), "odd") || strings.Contains(err.Error(), "testsecret") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Whatever stands between may repeat the headers of a request.
func TestAuthorizationStaysOut(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter, authorization string){
		"message":    func(w http.ResponseWriter, a string) { fmt.Fprintf(w, `{"Code":"C","Message":%q}`, "sent: "+a) },
		"code":       func(w http.ResponseWriter, a string) { fmt.Fprintf(w, `{"Code":%q}`, a) },
		"request ID": func(w http.ResponseWriter, a string) { fmt.Fprintf(w, `{"Code":"C","RequestId":%q}`, a) },
		"signature": func(w http.ResponseWriter, a string) {
			fmt.Fprintf(w, `{"Code":"C","Message":%q}`, a[strings.LastIndexByte(a, '=')+1:])
		},
	} {
		var signature string
		c := client(t, func(w http.ResponseWriter, r *http.Request) {
			authorization := r.Header.Get("Authorization")
			_, signature, _ = strings.Cut(authorization, "Signature=")
			answer(w, authorization)
		})
		err := c.Do(t.Context(), testCall, nil)
		if err == nil || strings.Contains(err.Error(), signature[:8]) || strings.Contains(err.Error(), "Credential=") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingSent(t *testing.T) {
	requests := 0
	c := client(t, func(http.ResponseWriter, *http.Request) { requests++ })
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Do(dead, testCall, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("dead context: %v", err)
	}
	broken := errors.New("no metadata service")
	for _, test := range []struct {
		name string
		got  store.Credentials
		err  error
		want error
	}{
		{"an error", store.Credentials{}, broken, broken},
		{"a kind", store.Credentials{}, &mpu.Error{Kind: mpu.Transient}, mpu.Transient},
		{"no secret", store.Credentials{AccessKeyID: "id"}, nil, mpu.Denied},
		{"no ID", store.Credentials{SecretAccessKey: "secret"}, nil, mpu.Denied},
		{"a line break", store.Credentials{AccessKeyID: "id", SecretAccessKey: "secret\n"}, nil, mpu.Denied},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.credentials = func(context.Context) (store.Credentials, error) { return test.got, test.err }
			if err := c.Do(t.Context(), testCall, nil); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
	if requests != 0 {
		t.Errorf("%d requests were sent", requests)
	}
}

func TestCut(t *testing.T) {
	c := client(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if err := c.Do(t.Context(), testCall, nil); !errors.Is(err, mpu.Transient) {
		t.Errorf("error %v, want a transient one", err)
	}
}

// The race detector watches.
func TestManyGoroutines(t *testing.T) {
	var mu sync.Mutex
	nonces := map[string]bool{}
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		nonces[r.Header.Get("x-acs-signature-nonce")] = true
		fmt.Fprint(w, `{"RequestId":"r"}`)
	})
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			if err := c.Do(t.Context(), testCall, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(nonces) != 64 {
		t.Errorf("%d nonces for 64 requests", len(nonces))
	}
}
