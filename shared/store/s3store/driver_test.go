package s3store

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
	"github.com/partsweep/partsweep/test/sandbox"
	"github.com/partsweep/partsweep/test/sandbox/sandboxtest"
)

var creds = sandboxtest.Credentials(store.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"})

func TestNewRefuses(t *testing.T) {
	for field, cfg := range map[string]store.Config{
		"Signature":   {Signature: "v2", Credentials: creds},
		"Endpoint":    {Endpoint: "s3.example.com", Credentials: creds},
		"PathStyle":   {Endpoint: "https://{bucket}.example.com", PathStyle: true, Credentials: creds},
		"Region":      {Region: "eu west", Credentials: creds},
		"Credentials": {},
	} {
		d, err := New(cfg)
		if d != nil || !errors.Is(err, mpu.Invalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%v, %v; want an invalid %s", d, err, field)
		}
	}
}

func TestLocate(t *testing.T) {
	for _, tt := range []struct {
		name, endpoint string
		pathStyle      bool
		bucket, region string
		want           string // scheme://address, and the bucket behind a blank if it is in the path
		kind           mpu.Kind
	}{
		{"default region", "", false, "media", "", "https://media.s3.us-east-1.amazonaws.com", 0},
		{"region", "", false, "media", "eu-west-1", "https://media.s3.eu-west-1.amazonaws.com", 0},
		{"china", "", false, "media", "cn-north-1", "https://media.s3.cn-north-1.amazonaws.com.cn", 0},
		{"us government", "", false, "media", "us-gov-west-1", "https://media.s3.us-gov-west-1.amazonaws.com", 0},
		{"european sovereign", "", false, "media", "eusc-de-east-1", "https://media.s3.eusc-de-east-1.amazonaws.eu", 0},
		{"iso", "", false, "media", "us-iso-east-1", "https://media.s3.us-iso-east-1.c2s.ic.gov", 0},
		{"iso b", "", false, "media", "us-isob-east-1", "https://media.s3.us-isob-east-1.sc2s.sgov.gov", 0},
		{"dots", "", false, "media.example.com", "eu-west-1", "https://s3.eu-west-1.amazonaws.com media.example.com", 0},
		{"old name", "", false, "My_Bucket", "", "https://s3.us-east-1.amazonaws.com My_Bucket", 0},
		{"path style", "", true, "media", "eu-west-1", "https://s3.eu-west-1.amazonaws.com media", 0},
		{"custom", "https://s3.example.com", false, "media", "", "https://media.s3.example.com", 0},
		{"custom, dots and TLS", "https://s3.example.com", false, "a.b", "", "https://s3.example.com a.b", 0},
		{"custom, dots without TLS", "http://s3.example.com", false, "a.b", "", "http://a.b.s3.example.com", 0},
		{"custom, path style", "https://s3.example.com:8443", true, "media", "", "https://s3.example.com:8443 media", 0},
		{"custom, address", "http://127.0.0.1:9000", false, "media", "", "http://127.0.0.1:9000 media", 0},
		{"custom, its own places", "https://{bucket}.{region}.example.com", false, "media", "r1", "https://media.r1.example.com", 0},
		{"directory bucket", "", false, "media--use1-az4--x-s3", "us-east-1", "", mpu.Refused},
		{"region that is a host", "", false, "media", "x.evil.example", "", mpu.Refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := New(store.Config{Endpoint: tt.endpoint, PathStyle: tt.pathStyle, Credentials: creds})
			if err != nil {
				t.Fatal(err)
			}
			p, err := d.locate(mpu.Bucket{Store: "s3", Name: tt.bucket, Region: tt.region})
			if tt.kind != 0 {
				if !errors.Is(err, tt.kind) {
					t.Errorf("%v, want kind %s", err, tt.kind)
				}
				return
			}
			got := p.Scheme + "://" + p.Address
			if p.InPath {
				got += " " + p.Bucket
			}
			if got != tt.want || err != nil {
				t.Errorf("%s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// The vector is the one of "GET Bucket Lifecycle" in S3's document on signatures in headers, whose request has the same
// form as a listing's.
func TestSignatureVector(t *testing.T) {
	d, err := New(store.Config{Credentials: creds})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, "https://examplebucket.s3.amazonaws.com/?lifecycle", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = d.sign(req, wire.Signing{
		Place:       wire.Place{Region: "us-east-1"},
		Credentials: store.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
		Now:         time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC),
	})
	const want = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, " +
		"Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
	if got := req.Header.Get("Authorization"); got != want || err != nil {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}

func TestEncodingIsAskedOfAWSOnly(t *testing.T) {
	for endpoint, want := range map[string]bool{"": true, "http://s3.example.com": false} {
		asked := ""
		d, err := New(store.Config{Endpoint: endpoint, Credentials: creds, Client: &http.Client{
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked = r.URL.Query().Get("encoding-type")
				return nil, io.ErrUnexpectedEOF
			})}})
		if err != nil {
			t.Fatal(err)
		}
		d.ListUploads(t.Context(), mpu.Bucket{Store: "s3", Name: "media"}, "", mpu.Marker{})
		if (asked == "url") != want {
			t.Errorf("endpoint %q: asked for encoding %q", endpoint, asked)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestBucketInHost(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.S3, sandbox.Options{})
	c.Journey(t, open(t, c.InHost("http://{bucket}.s3.{region}.amazonaws.com"), 0))
}

func TestRegionIsLearnt(t *testing.T) {
	for _, tt := range []struct{ name, bucket, config string }{
		{"nothing known", "", ""},
		{"stale in the bucket", "ap-southeast-2", ""},
		{"stale in the configuration", "", "ap-southeast-2"},
	} {
		for style, config := range map[string]func(*sandboxtest.Cloud) store.Config{
			"in host": func(c *sandboxtest.Cloud) store.Config { return c.InHost("http://{bucket}.s3.{region}.amazonaws.com") },
			"in path": (*sandboxtest.Cloud).Config,
		} {
			t.Run(tt.name+" "+style, func(t *testing.T) {
				c := sandboxtest.Start(t, sandbox.S3, sandbox.Options{})
				u := c.Upload("k", 5)
				u.Bucket.Region = tt.bucket
				cfg := config(c)
				cfg.Region = tt.config
				d := open(t, cfg, 0)
				_, err := d.ListParts(t.Context(), u, 0)
				if !errors.Is(err, mpu.Transient) || !strings.Contains(err.Error(), c.Bucket.Region) {
					t.Errorf("first request: %v, want a transient error that names the region", err)
				}
				before := c.Count(sandbox.S3, "")
				page, err := d.ListUploads(t.Context(), u.Bucket, "", mpu.Marker{})
				if err != nil || len(page.Uploads) != 1 || page.Uploads[0].Bucket != c.Bucket {
					t.Errorf("%+v, %v; want the upload in %v", page.Uploads, err, c.Bucket)
				}
				if err := d.AbortUpload(t.Context(), u); err != nil {
					t.Error(err)
				}
				if n := c.Count(sandbox.S3, "") - before; n != 2 {
					t.Errorf("%d requests for two calls", n)
				}
			})
		}
	}
}

// A service that names the region it was asked in, no region or no plain region teaches nothing.
func TestRegionIsNotLearnt(t *testing.T) {
	for name, answer := range map[string]struct {
		status       int
		header, body string
	}{
		"the same again":       {301, "us-east-1", "<Error><Code>PermanentRedirect</Code></Error>"},
		"no region":            {301, "", "<Error><Code>PermanentRedirect</Code></Error>"},
		"a host":               {301, "evil.example", ""},
		"a path":               {400, "", "<Error><Code>AuthorizationHeaderMalformed</Code><Region>x/../y</Region></Error>"},
		"with another refusal": {403, "eu-west-1", "<Error><Code>AccessDenied</Code></Error>"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if answer.header != "" {
					w.Header().Set("X-Amz-Bucket-Region", answer.header)
				}
				w.WriteHeader(answer.status)
				io.WriteString(w, answer.body)
			}))
			t.Cleanup(s.Close)
			d := open(t, store.Config{Endpoint: s.URL, Credentials: creds}, 0)
			b := mpu.Bucket{Store: "s3", Name: "media"}
			_, err := d.ListUploads(t.Context(), b, "", mpu.Marker{})
			if err == nil || errors.Is(err, mpu.Transient) {
				t.Errorf("%v, want an error that is not tried again", err)
			}
			if region, learnt := d.(*Driver).regionOf(b); learnt || region != defaultRegion {
				t.Errorf("learnt %s", region)
			}
		})
	}
}

// Two requests in flight may both learn.
func TestRegionIsLearntByMany(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.S3, sandbox.Options{})
	d := open(t, c.Config(), 0)
	b := c.Bucket
	b.Region = ""
	done := make(chan error)
	for range 8 {
		go func() {
			var err error
			for range 3 {
				if _, err = d.ListUploads(context.Background(), b, "", mpu.Marker{}); err == nil {
					break
				}
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestHintNamesThePartition(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.S3, sandbox.Options{})
	c.Script(sandbox.Fault{Code: "AccessDenied", Service: sandbox.S3})
	u := mpu.Upload{Bucket: mpu.Bucket{Store: "s3", Name: "media", Region: "cn-north-1"}, Key: "k", UploadID: "u"}
	err := open(t, c.Config(), 0).AbortUpload(t.Context(), u)
	if want := "grant s3:AbortMultipartUpload on arn:aws-cn:s3:::media/*"; !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q in it", err, want)
	}
}

func TestForeign(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"":                                   false,
		"https://s3.eu-west-1.amazonaws.com": false,
		"https://s3-fips.us-gov-west-1.amazonaws.com:443":             false,
		"https://{bucket}.s3.cn-north-1.amazonaws.com.cn":             false,
		"https://bucket.vpce-1a2b-3c.s3.us-east-1.vpce.amazonaws.com": false,
		"https://amazonaws.com.example.net":                           true,
		"https://notamazonaws.com":                                    true,
		"http://127.0.0.1:9000":                                       true,
		"https://{bucket}.storage.example.com":                        true,
	} {
		d, err := New(store.Config{Endpoint: endpoint, Credentials: func(context.Context) (store.Credentials, error) { return store.Credentials{}, nil }})
		if err != nil || d.Foreign() != want {
			t.Errorf("%s: %v, %v; want %v", endpoint, d.Foreign(), err, want)
		}
	}
}

func TestLeavesOut(t *testing.T) {
	some, many := store.Page{Uploads: make([]mpu.Upload, 3)}, store.Page{Uploads: make([]mpu.Upload, 1000)}
	for _, tt := range []struct {
		server, prefix string
		page           store.Page
		want           string
	}{
		{"AmazonS3", "", many, ""},
		{"", "", store.Page{}, ""},
		{"MinIO", "", some, "one node"},
		{"MinIO/RELEASE.2019-03-20", "", store.Page{}, "one node"},
		{"MinIO", "a/b", some, ""},
		{"MinIO", "a/", store.Page{}, `none of the key "a/"`},
		{"StorageGRID/11.8.0", "", some, ""},
		{"StorageGRID/11.8.0", "", many, "1,000"},
		{"ViPR/1.0", "", store.Page{More: true}, "1,000"},
		{"VERSITYGW", "", store.Page{}, "its own folders"},
		{"VERSITYGW", "", some, ""},
	} {
		if got := leavesOut(tt.server, tt.prefix, tt.page); !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%q, prefix %q, %d uploads: %q, want %q", tt.server, tt.prefix, len(tt.page.Uploads), got, tt.want)
		}
	}
}

func TestBuckets(t *testing.T) { sandboxtest.Buckets(t, sandbox.S3, open) }

func TestBucketsInHost(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.S3, sandbox.Options{})
	page, err := open(t, c.InHost("http://s3.{region}.amazonaws.com"), 0).(store.BucketsDriver).ListBuckets(t.Context(), c.Bucket, "")
	if err != nil || len(page.Buckets) != 1 || page.Buckets[0] != c.Bucket {
		t.Errorf("%+v, %v; want %s", page, err, c.Bucket)
	}
}

func TestLocateAccount(t *testing.T) {
	for _, tt := range []struct {
		cfg    store.Config
		region string
		want   string // scheme, address and, if it is another, the host
		kind   mpu.Kind
	}{
		{store.Config{}, "", "https://s3.us-east-1.amazonaws.com", 0},
		{store.Config{Region: "eu-west-1"}, "", "https://s3.eu-west-1.amazonaws.com", 0},
		{store.Config{Region: "eu-west-1"}, "cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn", 0},
		{store.Config{Endpoint: "http://127.0.0.1:9000"}, "", "http://127.0.0.1:9000", 0},
		{store.Config{Endpoint: "https://{bucket}.example.com"}, "", "", mpu.Invalid},
		{store.Config{}, "x.evil.example", "", mpu.Refused},
	} {
		tt.cfg.Credentials = creds
		d, err := New(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		p, err := d.locateAccount(tt.region)
		got := strings.TrimSpace(p.Scheme + "://" + p.Address + " " + p.Host)
		if err == nil && (got != tt.want || !p.InPath || p.Bucket != "") || !errors.Is(err, tt.kind) && tt.kind != 0 || err != nil && tt.kind == 0 {
			t.Errorf("%+v in %q: %+v, %v; want %q, %v", tt.cfg, tt.region, p, err, tt.want, tt.kind)
		}
	}
}

func TestLifecycle(t *testing.T) { sandboxtest.Lifecycle(t, sandbox.S3, open) }
