package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

var someCredentials = sameCredentials(store.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRETSECRET", SessionToken: "TOKENTOKEN"})

func sameCredentials(c store.Credentials) store.CredentialsFunc {
	return func(context.Context) (store.Credentials, error) { return c, nil }
}

// newMultipart returns a driver of a made-up dialect for a server.
func newMultipart(t *testing.T, url string, change func(*store.Config, *Dialect)) *Multipart {
	t.Helper()
	e, err := ParseEndpoint(url)
	if err != nil {
		t.Fatal(err)
	}
	cfg := store.Config{Credentials: someCredentials, Client: NewClient(RequestTime)}
	d := Dialect{
		Codes:       Codes{"NoSuchUpload": mpu.Gone, "NoSuchBucket": mpu.Missing, "AccessDenied": mpu.Denied, "InternalError": mpu.Transient, "Expired": mpu.Denied},
		Permissions: map[store.Op]string{store.ListUploads: "list on {bucket}", store.ListParts: "parts in {region}", store.AbortUpload: "abort on {partition}"},
		Hints:       map[string]string{"Expired": "fetch new ones"},
		Locate: func(b mpu.Bucket) (Place, error) {
			p := e.Place(b.Name, "here", true)
			p.Partition = "part"
			return p, nil
		},
		Sign: func(req *http.Request, s Signing) error {
			req.Header.Set("Authorization", "TEST "+s.Credentials.AccessKeyID+", Signature=SIGSIGSIG")
			return nil
		},
		ParseTime: ParseISO8601,
	}
	if change != nil {
		change(&cfg, &d)
	}
	m, err := NewMultipart(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// each sends all three operations about an upload.
func each(m *Multipart, u mpu.Upload) map[store.Op]func(context.Context) error {
	return map[store.Op]func(context.Context) error{
		store.ListUploads: func(ctx context.Context) error { _, err := m.ListUploads(ctx, u.Bucket, "", mpu.Marker{}); return err },
		store.ListParts:   func(ctx context.Context) error { _, err := m.ListParts(ctx, u, 0); return err },
		store.AbortUpload: func(ctx context.Context) error { return m.AbortUpload(ctx, u) },
	}
}

func TestRequests(t *testing.T) {
	var seen string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Method + " " + r.RequestURI
		switch {
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case r.URL.Query().Has("uploads"):
			io.WriteString(w, result("<IsTruncated>false</IsTruncated>"))
		default:
			io.WriteString(w, "<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>")
		}
	})
	list := func(prefix, key, id string) func(*Multipart) error {
		return func(m *Multipart) error {
			_, err := m.ListUploads(t.Context(), upload("", "").Bucket, prefix, mpu.Marker{Key: key, UploadID: id})
			return err
		}
	}
	parts := func(key, id string, after int) func(*Multipart) error {
		return func(m *Multipart) error { _, err := m.ListParts(t.Context(), upload(key, id), after); return err }
	}
	abort := func(key, id string) func(*Multipart) error {
		return func(m *Multipart) error { return m.AbortUpload(t.Context(), upload(key, id)) }
	}
	for _, tt := range []struct {
		name     string
		send     func(*Multipart) error
		pageSize int
		encoding bool
		want     string
	}{
		{"list", list("", "", ""), 0, false, "GET /bkt?uploads"},
		{"list with all", list("p/+", "k &=", "u#"), 7, true,
			"GET /bkt?uploads&prefix=p%2F%2B&key-marker=k%20%26%3D&upload-id-marker=u%23&max-uploads=7&encoding-type=url"},
		{"list after a key", list("", "k", ""), 0, false, "GET /bkt?uploads&key-marker=k"},
		{"list after an ID", list("", "", "u"), 0, false, "GET /bkt?uploads&upload-id-marker=u"},
		{"parts", parts("k", "u", 0), 0, true, "GET /bkt/k?uploadId=u"},
		{"parts with all", parts("k", "u", 3), 7, true, "GET /bkt/k?uploadId=u&part-number-marker=3&max-parts=7"},
		{"abort", abort("a/b.bin", "u"), 7, true, "DELETE /bkt/a/b.bin?uploadId=u"},
		{"upload ID", abort("k", "+&=# ?%/"), 0, false, "DELETE /bkt/k?uploadId=%2B%26%3D%23%20%3F%25%2F"},
		{"unreserved", abort("aZ09-._~", "aZ09-._~"), 0, false, "DELETE /bkt/aZ09-._~?uploadId=aZ09-._~"},
		{"reserved", abort(":?#[]@!$&'()*+,;= \"<>\\^`{|}", "u"), 0, false,
			"DELETE /bkt/%3A%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%20%22%3C%3E%5C%5E%60%7B%7C%7D?uploadId=u"},
		{"once", abort("100%25", "%2F"), 0, false, "DELETE /bkt/100%2525?uploadId=%252F"},
		{"bytes", abort("\xff\x00\n长", "u"), 0, false, "DELETE /bkt/%FF%00%0A%E9%95%BF?uploadId=u"},
		{"slashes", abort("/a//b/", "u"), 0, false, "DELETE /bkt//a//b/?uploadId=u"},
		{"dots", abort("../a/./..", "u"), 0, false, "DELETE /bkt/../a/./..?uploadId=u"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMultipart(t, s.URL, func(_ *store.Config, d *Dialect) { d.EncodingURL = tt.encoding })
			m.PageSize = tt.pageSize
			if err := tt.send(m); err != nil || seen != tt.want {
				t.Errorf("%s, %v\nwant %s", seen, err, tt.want)
			}
		})
	}
}

func TestKeyInFrontOfHost(t *testing.T) {
	for _, tt := range []struct{ key, want string }{
		{"", "/"}, {"k", "/k"}, {"/", "//"}, {"//k", "///k"}, {"a%2Fb", "/a%252Fb"},
	} {
		path, raw := Place{Bucket: "bkt"}.path(tt.key)
		if raw != tt.want || path != "/"+tt.key {
			t.Errorf("%q: %q and %q, want %q", tt.key, path, raw, tt.want)
		}
	}
}

func TestAnswers(t *testing.T) {
	errorBody := func(code string) string {
		return "<Error><Code>" + code + "</Code><Message>words</Message><RequestId>R</RequestId></Error>"
	}
	good := map[store.Op]string{
		store.ListUploads: result("<IsTruncated>false</IsTruncated>"),
		store.ListParts:   "<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>",
	}
	ops := []store.Op{store.ListUploads, store.ListParts, store.AbortUpload}
	listings := ops[:2]
	for _, tt := range []struct {
		name   string
		status int
		body   string
		ops    []store.Op
		want   mpu.Kind
		text   string // part of the error
	}{
		{"no such upload", 404, errorBody("NoSuchUpload"), ops, mpu.Gone, "HTTP 404, NoSuchUpload, request R"},
		{"no such bucket", 404, errorBody("NoSuchBucket"), ops, mpu.Missing, "check the bucket's name and its region"},
		{"bare 404", 404, "", ops, 0, "HTTP 404"},
		{"404 with HTML", 404, "<html>NoSuchUpload</html>", ops, 0, "HTTP 404"},
		{"404 with another code", 404, errorBody("NoSuchKey"), ops, 0, "NoSuchKey"},
		{"denied", 403, errorBody("AccessDenied"), ops[:1], mpu.Denied, "; list on bkt"},
		{"denied parts", 403, errorBody("AccessDenied"), ops[1:2], mpu.Denied, "; parts in here"},
		{"denied abort", 403, errorBody("AccessDenied"), ops[2:], mpu.Denied, "; abort on part"},
		{"denied for a reason of its own", 400, errorBody("Expired"), ops, mpu.Denied, "; fetch new ones"},
		{"bare 403", 403, "", ops, 0, "HTTP 403"},
		{"503 with HTML", 503, "<html><br></html>", ops, mpu.Transient, "HTTP 503"},
		{"429", 429, "", ops, mpu.Transient, "HTTP 429"},
		{"408", 408, "", ops, mpu.Transient, "HTTP 408"},
		{"unknown code", 400, errorBody("New"), ops, 0, "New, request R): words"},
		{"unknown code with 500", 500, errorBody("New"), ops, mpu.Transient, "New"},
		{"error under 200", 200, errorBody("InternalError"), ops, mpu.Transient, "HTTP 200, InternalError, request R"},
		{"gone under 200", 200, errorBody("NoSuchUpload"), ops, mpu.Gone, "NoSuchUpload"},
		{"redirect", 307, "", ops, 0, "a redirect to elsewhere.example; redirects are not followed"},
		{"redirect with words", 301, errorBody("Moved"), ops, 0, "words to elsewhere.example; redirects are not followed"},
		{"200 with HTML", 200, "<html></html>", ops, 0, ""},
		{"204", 204, "", listings, 0, "none of this operation's"},
		{"206", 206, good[store.ListUploads], listings, 0, "none of this operation's"},
		{"empty", 200, "", listings, mpu.Transient, "unexpected EOF"},
		{"cut", 200, "<ListMultipartUploadsResult><IsTruncated>", ops[:1], mpu.Transient, "unexpected EOF"},
		{"malformed", 200, "<ListPartsResult></X>", ops[1:2], 0, "malformed xml"},
		{"the other's answer", 200, good[store.ListParts], ops[:1], 0, "the root element is"},
		{"a long abort", 200, strings.Repeat(" ", 100_000), ops[2:], 0, "more than 64 KiB"},
		{"a long answer under another status", 202, strings.Repeat(" ", 100_000), ops, 0, "more than 64 KiB"},
		{"a long error", 403, errorBody("AccessDenied") + strings.Repeat(" ", 100_000), ops, mpu.Denied, "AccessDenied"},
		{"an error that is too long", 403, "<Error>" + strings.Repeat(" ", 100_000) + errorBody("AccessDenied"), ops, 0, "HTTP 403"},
		{"endless", 200, "<ListPartsResult>" + strings.Repeat("<a>"+strings.Repeat("x", 100_000)+"</a>", 200), ops[1:2], 0, "more than 16384 KiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "https://user@elsewhere.example/path?Signature=x")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			})
			m := newMultipart(t, s.URL, nil)
			for _, op := range tt.ops {
				err := each(m, upload("k", "u"))[op](t.Context())
				e := kind(t, err, tt.want)
				if e.Status != tt.status || e.Op != string(op) || !strings.HasPrefix(e.Target, "s3://bkt") {
					t.Errorf("%s: %#v", op, e)
				}
				if !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "user@") {
					t.Errorf("%s: %q, want %q in it", op, err, tt.text)
				}
			}
		})
	}
}

// What a service names as the place of a bucket is shown as a host: no path, and no query with somebody's signature in it.
func TestEndpointIsShownAsAHost(t *testing.T) {
	for endpoint, want := range map[string]string{
		"s3.eu-west-1.example.com":                    "the bucket answers at s3.eu-west-1.example.com; set",
		"https://h.example:8443/b/k?Signature=sssh#f": "the bucket answers at h.example:8443; set",
		"user:sssh@h.example/":                        "the bucket answers at h.example; set",
		"h.example/%zz?Signature=sssh":                "",
		"/path":                                       "",
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusMovedPermanently)
			io.WriteString(w, "<Error><Code>Moved</Code><Endpoint>"+endpoint+"</Endpoint></Error>")
		})
		err := newMultipart(t, s.URL, nil).AbortUpload(t.Context(), upload("k", "u"))
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sssh") || want == "" && strings.Contains(err.Error(), "answers at") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestAbortAccepted(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
	}{{204, ""}, {200, ""}, {200, " \n"}, {202, ""}} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(tt.status)
			io.WriteString(w, tt.body)
		})
		if err := newMultipart(t, s.URL, nil).AbortUpload(t.Context(), upload("k", "u")); err != nil {
			t.Errorf("%d %q: %v", tt.status, tt.body, err)
		}
	}
}

func TestNothingIsSent(t *testing.T) {
	var requests atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	m := newMultipart(t, s.URL, nil)
	named := func(name string) mpu.Upload {
		u := upload("k", "u")
		u.Bucket.Name = name
		return u
	}
	for name, u := range map[string]mpu.Upload{
		"no key": upload("", "u"), "no upload ID": upload("k", ""), "no bucket": named(""), "nothing": {},
		"a path": named("a/b"), "two dots": named(".."), "dots within": named("a..b"), "a host": named("evil.example:80"),
		"a query": named("a?b"), "a user": named("a@b"), "a blank": named("a b"), "a hyphen in front": named("-a"),
		"too long": named(strings.Repeat("a", 256)), "encoded": named("a%2fb"), "wide": named("长"),
	} {
		_, listErr := m.ListParts(t.Context(), u, 0)
		for _, err := range []error{listErr, m.AbortUpload(t.Context(), u)} {
			if kind(t, err, mpu.Refused).Op == "" {
				t.Errorf("%s: %#v", name, err)
			}
		}
		if IsBucketPath(u.Bucket.Name) {
			continue
		}
		_, err := m.ListUploads(t.Context(), u.Bucket, "", mpu.Marker{})
		kind(t, err, mpu.Refused)
	}
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	asked := false
	m = newMultipart(t, s.URL, func(cfg *store.Config, _ *Dialect) {
		cfg.Credentials = func(context.Context) (store.Credentials, error) { asked = true; return store.Credentials{}, nil }
	})
	for op, send := range each(m, upload("k", "u")) {
		if err := send(dead); !errors.Is(err, context.Canceled) || !errors.Is(err, mpu.Transient) || asked {
			t.Errorf("%s with a dead context: %v", op, err)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestCredentials(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	failure := errors.New("metadata service is away")
	for _, tt := range []struct {
		name  string
		creds store.Credentials
		err   error
		want  mpu.Kind
	}{
		{"fail", store.Credentials{}, failure, 0},
		{"fail with a kind", store.Credentials{}, &mpu.Error{Kind: mpu.Transient, Err: failure}, mpu.Transient},
		{"none", store.Credentials{}, nil, mpu.Denied},
		{"no secret", store.Credentials{AccessKeyID: "a"}, nil, mpu.Denied},
		{"line break", store.Credentials{AccessKeyID: "a", SecretAccessKey: "b\n"}, nil, mpu.Denied},
		{"blank in the token", store.Credentials{AccessKeyID: "a", SecretAccessKey: "b", SessionToken: " c"}, nil, mpu.Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMultipart(t, s.URL, func(cfg *store.Config, _ *Dialect) {
				cfg.Credentials = func(context.Context) (store.Credentials, error) { return tt.creds, tt.err }
			})
			err := m.AbortUpload(t.Context(), upload("k", "u"))
			if kind(t, err, tt.want); tt.err != nil && !errors.Is(err, failure) {
				t.Error(err)
			}
		})
	}
}

func TestNewMultipartRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  store.Config
		want string
	}{
		{"no credentials", store.Config{}, "Credentials"},
		{"region", store.Config{Credentials: someCredentials, Region: "eu-west-1.evil.example/"}, "Region"},
	} {
		_, err := NewMultipart(tt.cfg, Dialect{})
		if e := kind(t, err, mpu.Invalid); !strings.Contains(e.Target, tt.want) {
			t.Errorf("%s: %v does not name %s", tt.name, err, tt.want)
		}
	}
}

func TestParseEndpoint(t *testing.T) {
	for _, tt := range []struct {
		endpoint string
		inPath   bool
		want     string // empty: refused
	}{
		{"https://s3.example.com", false, "https://b.s3.example.com"},
		{"https://s3.example.com/", true, "https://s3.example.com /b"},
		{"http://127.0.0.1:9000", true, "http://127.0.0.1:9000 /b"},
		{"https://{bucket}.s3.{region}.example.com:8443", false, "https://b.s3.r.example.com:8443"},
		{"https://{bucket}.s3.example.com", true, "https://b.s3.example.com"},
		{"http://[::1]:9000", true, "http://[::1]:9000 /b"},
		{"https://s3.example.com:443", false, "https://b.s3.example.com"},
		{"http://s3.example.com:80/", false, "http://b.s3.example.com"},
		{"http://s3.example.com:443", false, "http://b.s3.example.com:443"},
		{"https://{bucket}.s3.{region}.example.com:443", false, "https://b.s3.r.example.com"},
		{"s3.example.com", false, ""},
		{"ftp://s3.example.com", false, ""},
		{"https://", false, ""},
		{"https://s3.example.com/path", false, ""},
		{"https://s3.example.com?query", false, ""},
		{"https://user:pass@s3.example.com", false, ""},
		{"https://{buckets}.example.com", false, ""},
		{"https://s3.example.com:port", false, ""},
		{"https://s3 .example.com", false, ""},
	} {
		e, err := ParseEndpoint(tt.endpoint)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s was taken: %+v", tt.endpoint, e)
			}
			continue
		}
		p := e.Place("b", "r", tt.inPath)
		got := p.Scheme + "://" + p.Address
		if p.InPath {
			got += " /" + p.Bucket
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.endpoint, got, err, tt.want)
		}
	}
	if _, err := ParseEndpoint("https://user:hunter2@s3.example.com"); strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func TestEndpointIsIP(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"http://127.0.0.1:9000": true, "http://[::1]": true, "https://s3.example.com": false, "http://localhost:1": false,
	} {
		if e, err := ParseEndpoint(endpoint); err != nil || e.IsIP() != want {
			t.Errorf("%s: %v, %v", endpoint, e.IsIP(), err)
		}
	}
}
