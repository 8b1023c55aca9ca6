// Package sandboxtest puts the drivers of the four object stores before the sandbox: the examiner's questions, every
// error code that a service documents, and keys that are hard to carry. Each driver's own test calls it with how that
// driver is opened.
package sandboxtest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/storetest"
	"github.com/partsweep/partsweep/test/sandbox"
)

// An Open opens the driver under test. PageSize 0 is the service's own.
type Open func(t *testing.T, cfg store.Config, pageSize int) store.Driver

// A Cloud is one of the sandbox's object stores with a bucket in it.
type Cloud struct {
	*sandbox.Sandbox
	Service sandbox.Service
	Bucket  mpu.Bucket
}

var buckets = map[sandbox.Service]mpu.Bucket{
	sandbox.S3:  {Store: "s3", Region: "eu-west-1", Name: "media"},
	sandbox.COS: {Store: "cos", Region: "ap-beijing", Name: "media-1250000000"},
	sandbox.OBS: {Store: "obs", Region: "cn-north-4", Name: "media"},
	sandbox.OSS: {Store: "oss", Region: "cn-shanghai", Name: "media"},
}

// longest is how many bytes a key may have.
var longest = map[sandbox.Service]int{sandbox.S3: 1024, sandbox.COS: 850, sandbox.OBS: 1024, sandbox.OSS: 1023}

// Start starts a sandbox that ends with the test.
func Start(t *testing.T, service sandbox.Service, opt sandbox.Options) *Cloud {
	t.Helper()
	s, err := sandbox.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := &Cloud{Sandbox: s, Service: service, Bucket: buckets[service]}
	s.CreateBucket(service, c.Bucket.Name, c.Bucket.Region)
	return c
}

// Config returns what a driver is opened with to reach the cloud.
func (c *Cloud) Config() store.Config {
	return store.Config{
		Endpoint:    c.URL(c.Service),
		PathStyle:   c.Service != sandbox.COS,
		Credentials: Credentials(store.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey, SessionToken: sandbox.SessionToken}),
		Client:      &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}},
	}
}

// Credentials returns a source of one and the same credentials.
func Credentials(c store.Credentials) store.CredentialsFunc {
	return func(context.Context) (store.Credentials, error) { return c, nil }
}

// Upload begins an upload, initiated now, with a part of each size.
func (c *Cloud) Upload(key string, sizes ...int64) mpu.Upload {
	u := mpu.Upload{Bucket: c.Bucket, Key: key}
	u.UploadID = c.Seed(c.Service, c.Bucket.Name, key, time.Now())
	for i, size := range sizes {
		c.AddPart(c.Service, c.Bucket.Name, key, u.UploadID, sandbox.Part{Number: i + 1, Size: size, Modified: time.Now()})
	}
	return u
}

// Examine asks the driver the examiner's questions.
func Examine(t *testing.T, service sandbox.Service, open Open, declared storetest.Deviations) {
	storetest.Run(t, func(t *testing.T) *storetest.Service { return harness(t, service, open) }, declared)
}

func harness(t *testing.T, service sandbox.Service, open Open) *storetest.Service {
	c := Start(t, service, sandbox.Options{})
	parts := map[string]int{}
	absent := c.Bucket
	absent.Name = strings.Replace(absent.Name, "media", "absent", 1)
	return &storetest.Service{
		Bucket: c.Bucket,
		Absent: absent,
		Open: func(t *testing.T, how storetest.Opening) store.Driver {
			cfg := c.Config()
			if how.WrongSecret {
				cfg.Credentials = Credentials(store.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: "wrong"})
			}
			return open(t, cfg, how.PageSize)
		},
		Create: func(t *testing.T, key string) mpu.Upload {
			return c.Upload(strings.ToValidUTF8(key[:min(len(key), longest[service])], ""))
		},
		AddPart: func(t *testing.T, u mpu.Upload, bytes int64) {
			parts[u.UploadID]++
			c.AddPart(service, u.Bucket.Name, u.Key, u.UploadID,
				sandbox.Part{Number: parts[u.UploadID], Size: bytes, Modified: time.Now()})
		},
		Complete: func(t *testing.T, u mpu.Upload) { c.Complete(service, u.Bucket.Name, u.Key, u.UploadID) },
		Finished: func(t *testing.T, u mpu.Upload) bool {
			return slices.Contains(c.Objects(service, u.Bucket.Name), u.Key)
		},
		Requests: func() int { return c.Count(service, "") },
		Fail: func(t *testing.T, how storetest.Failure, n int) {
			f := sandbox.Fault{Service: service, Times: n, Code: throttled[service]}
			if how == storetest.HTML503 {
				f.Code, f.Respond = "", html503
			}
			c.Script(f)
		},
		LandPart: func(t *testing.T, u mpu.Upload, bytes int64) {
			c.Script(sandbox.Fault{Service: service, Op: sandbox.OpAbort, Key: u.Key, UploadID: u.UploadID, Times: 1, LandPart: bytes})
		},
	}
}

var throttled = map[sandbox.Service]string{
	sandbox.S3: "SlowDown", sandbox.COS: "SlowDown", sandbox.OBS: "TooManyRequests", sandbox.OSS: "ServiceUnavailable",
}

func html503(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusServiceUnavailable)
	w.Write([]byte("<html><head><title>503</title></head><body>busy<br></body></html>"))
}

// Codes makes the service answer each operation with each of its error codes, and compares the kind with the driver's
// table. Every code must be in the table. Elsewhere names the codes for which an answer may say more than the code does.
func Codes(t *testing.T, service sandbox.Service, open Open, table map[string]mpu.Kind, elsewhere ...string) {
	c := Start(t, service, sandbox.Options{})
	d := open(t, c.Config(), 0)
	u := c.Upload("key", 5)
	for _, code := range c.Codes(service) {
		kind, known := table[code]
		if !known {
			t.Errorf("%s is not in the table", code)
		}
		for op, send := range operations(d, u) {
			want := kind
			remove := c.Script(sandbox.Fault{Service: service, Code: code, Op: op})
			err := send(t.Context())
			remove()
			var e *mpu.Error
			if !errors.As(err, &e) {
				t.Fatalf("%s: %s: %v, want an *mpu.Error", op, code, err)
			}
			if code == "NoSuchKey" && op == sandbox.OpListParts && (service == sandbox.S3 || service == sandbox.OBS) {
				want = mpu.Gone // at an endpoint that is not the vendor's own, as this one
			}
			if e.Kind != want || e.Code != code || e.Status != c.Status(service, code) || e.RequestID == "" || e.Op == "" || e.Target == "" {
				t.Errorf("%s: %s: %#v, want kind %s", op, code, e, want)
			}
			if e.Kind == mpu.Denied && e.Hint == "" || e.Kind == mpu.Missing && e.Hint == "" {
				t.Errorf("%s: %s: no hint", op, code)
			}
		}
	}
	for _, code := range elsewhere {
		if _, known := table[code]; !known {
			t.Errorf("%s is not in the table", code)
		}
	}
}

func operations(d store.Driver, u mpu.Upload) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		sandbox.OpListUploads: func(ctx context.Context) error {
			_, err := d.ListUploads(ctx, u.Bucket, "", mpu.Marker{})
			return err
		},
		sandbox.OpListParts: func(ctx context.Context) error {
			_, err := d.ListParts(ctx, u, 0)
			return err
		},
		sandbox.OpAbort: func(ctx context.Context) error { return d.AbortUpload(ctx, u) },
	}
}

// hardKeys are keys that XML cannot carry, that URLs use for themselves, or that look like something else.
var hardKeys = []string{
	" ", "\n", "\r", "a\x01\x1f\x7fb", "\xff\xfe", "a\u2028b", "\ufffe", " a ", "a\r\nb", "%00", "%", "%2", "%2B", "+", "a b",
	"*'()!", "~-._", "a=b&uploadId=c", "?uploads", "#", ";", "/", "//", "/a", "a//b", "a/", ".", "..", "a/../b", "./a",
	"<a>&amp;]]>", "<![CDATA[", "\"", "长/🎬", strings.Repeat("a/", 50),
}

// Keys lists, measures and aborts uploads whose keys and IDs are hard to carry, one upload a page, and looks whether the
// service was asked about exactly those.
func Keys(t *testing.T, service sandbox.Service, open Open) {
	c := Start(t, service, sandbox.Options{})
	d := open(t, c.Config(), 1)
	const id = "id+with/&=#?% and ;"
	keys := append(slices.Clone(hardKeys), strings.Repeat("长", longest[service]/3))
	want := map[string]bool{}
	for i, key := range keys {
		if i%2 == 0 {
			c.PinUploadID(service, c.Bucket.Name, key, id)
		}
		u := c.Upload(key, 3, 4)
		want[u.Key] = true
	}
	var after mpu.Marker
	for more := true; more; {
		page, err := d.ListUploads(t.Context(), c.Bucket, "", after)
		if err != nil || page.More && page.Next == after {
			t.Fatalf("after %q: %+v, %v", after, page, err)
		}
		more, after = page.More, page.Next
		for _, u := range page.Uploads {
			if !want[u.Key] {
				t.Errorf("listed %q, which is not there or was listed before", u.Key)
			}
			delete(want, u.Key)
			for part := range 2 {
				p, err := d.ListParts(t.Context(), u, part)
				if err != nil || p.Count != 1 || p.Bytes != int64(3+part) || p.More != (part == 0) {
					t.Errorf("parts of %s after %d: %+v, %v", u, part, p, err)
				}
			}
			if err := d.AbortUpload(t.Context(), u); err != nil {
				t.Error(err)
			}
			if err := d.AbortUpload(t.Context(), u); !errors.Is(err, mpu.Gone) {
				t.Errorf("second abort of %s: %v, want gone", u, err)
			}
		}
	}
	for key := range want {
		t.Errorf("%q was not listed", key)
	}
	if left := c.Uploads(service, c.Bucket.Name); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

// Signature sends requests with all that a signature must cover, and with credentials that are not quite right.
func Signature(t *testing.T, service sandbox.Service, open Open) {
	c := Start(t, service, sandbox.Options{})
	u := c.Upload("dir/a b+c*(1)'~!.bin", 5)
	right := store.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey}
	for _, tt := range []struct {
		name  string
		creds func(store.Credentials) store.Credentials
		now   time.Duration
		want  mpu.Kind
	}{
		{"right", func(c store.Credentials) store.Credentials { return c }, 0, 0},
		{"with a session token", func(c store.Credentials) store.Credentials { c.SessionToken = sandbox.SessionToken; return c }, 0, 0},
		{"another session's token", func(c store.Credentials) store.Credentials { c.SessionToken = "another"; return c }, 0, mpu.Denied},
		{"wrong secret", func(c store.Credentials) store.Credentials { c.SecretAccessKey += "x"; return c }, 0, mpu.Denied},
		{"unknown key", func(c store.Credentials) store.Credentials { c.AccessKeyID = "AKIDNOBODY"; return c }, 0, mpu.Denied},
		{"clock an hour slow", func(c store.Credentials) store.Credentials { return c }, -time.Hour, mpu.Denied},
		{"clock an hour fast", func(c store.Credentials) store.Credentials { return c }, time.Hour, mpu.Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := c.Config()
			creds := tt.creds(right)
			cfg.Credentials = Credentials(creds)
			cfg.Now = func() time.Time { return time.Now().Add(tt.now) }
			d := open(t, cfg, 7)
			_, listErr := d.ListUploads(t.Context(), u.Bucket, "dir/a b+c*(1)'~!", mpu.Marker{Key: u.Key, UploadID: u.UploadID})
			_, partsErr := d.ListParts(t.Context(), u, 3)
			abortErr := d.AbortUpload(t.Context(), mpu.Upload{Bucket: u.Bucket, Key: u.Key, UploadID: "no/such +&=%"})
			for _, err := range []error{listErr, partsErr, abortErr} {
				switch {
				case tt.want == 0 && errors.Is(err, mpu.Gone): // the abort of what does not exist
				case tt.want == 0 && err != nil, !errors.Is(err, tt.want) && tt.want != 0:
					t.Errorf("%v, want kind %s", err, tt.want)
				case err != nil:
					for _, secret := range []string{creds.SecretAccessKey, creds.SessionToken} {
						if secret != "" && strings.Contains(err.Error(), secret) {
							t.Errorf("%v shows a secret", err)
						}
					}
				}
			}
		})
	}
}

// InHost returns what a driver is opened with to reach the cloud under the vendor's own host names, with the bucket in
// front: an endpoint such as http://{bucket}.obs.{region}.myhuaweicloud.com, where every name is the sandbox's.
func (c *Cloud) InHost(endpoint string) store.Config {
	cfg := c.Config()
	cfg.Endpoint, cfg.PathStyle = endpoint, false
	to := strings.TrimPrefix(c.URL(c.Service), "http://")
	cfg.Client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, to)
	}}}
	return cfg
}

// Journey lists, measures and aborts a few uploads with hard keys.
func (c *Cloud) Journey(t *testing.T, d store.Driver) {
	t.Helper()
	for _, key := range []string{"a b+c%2F.bin", "/a//b/../c", "长"} {
		u := c.Upload(key, 5)
		page, err := d.ListUploads(t.Context(), c.Bucket, key, mpu.Marker{})
		if err != nil || len(page.Uploads) != 1 || page.Uploads[0].Key != key || page.Uploads[0].UploadID != u.UploadID {
			t.Errorf("%+v, %v; want %s", page, err, u)
		}
		if p, err := d.ListParts(t.Context(), u, 0); err != nil || p.Bytes != 5 {
			t.Errorf("%+v, %v; want 5 bytes", p, err)
		}
		if err := d.AbortUpload(t.Context(), u); err != nil {
			t.Error(err)
		}
		if _, err := d.ListParts(t.Context(), u, 0); !errors.Is(err, mpu.Gone) {
			t.Errorf("%v, want gone", err)
		}
	}
}
