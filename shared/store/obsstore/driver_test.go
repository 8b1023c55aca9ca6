package obsstore

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
	"github.com/partsweep/partsweep/test/sandbox"
	"github.com/partsweep/partsweep/test/sandbox/sandboxtest"
)

var creds = sandboxtest.Credentials(store.Credentials{AccessKeyID: "AKEXAMPLE", SecretAccessKey: "SKEXAMPLE"})

func TestNewRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg   store.Config
		field string
	}{
		"signature":              {store.Config{Signature: "v3", Credentials: creds}, "Signature"},
		"endpoint":               {store.Config{Endpoint: "obs.example.com", Credentials: creds}, "Endpoint"},
		"path style by default":  {store.Config{PathStyle: true, Credentials: creds}, "PathStyle"},
		"path style on Huawei":   {store.Config{PathStyle: true, Endpoint: "https://obs.cn-north-4.myhuaweicloud.com:443", Credentials: creds}, "PathStyle"},
		"path style in the EU":   {store.Config{PathStyle: true, Endpoint: "https://obs.eu-west-101.myhuaweicloud.eu", Credentials: creds}, "PathStyle"},
		"path style in capitals": {store.Config{PathStyle: true, Endpoint: "https://OBS.cn-north-4.MyHuaweiCloud.com", Credentials: creds}, "PathStyle"},
		"bucket twice":           {store.Config{PathStyle: true, Endpoint: "https://{bucket}.example.com", Credentials: creds}, "PathStyle"},
		"address without it":     {store.Config{Endpoint: "http://127.0.0.1:1", Credentials: creds}, "PathStyle"},
		"region":                 {store.Config{Region: "cn north", Credentials: creds}, "Region"},
		"credentials":            {store.Config{}, "Credentials"},
	} {
		d, err := New(tt.cfg)
		if d != nil || !errors.Is(err, mpu.Invalid) || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%s: %v, %v; want an invalid %s", name, d, err, tt.field)
		}
	}
}

func TestLocate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		cfg    store.Config
		bucket mpu.Bucket
		want   string
		kind   mpu.Kind
	}{
		{"region of the bucket", store.Config{Region: "cn-east-3"}, mpu.Bucket{Name: "media", Region: "cn-north-4"},
			"https://media.obs.cn-north-4.myhuaweicloud.com", 0},
		{"region of the configuration", store.Config{Region: "cn-east-3"}, mpu.Bucket{Name: "media"},
			"https://media.obs.cn-east-3.myhuaweicloud.com", 0},
		{"another operator", store.Config{Endpoint: "https://obs.eu-de.otc.t-systems.com", Region: "eu-de"}, mpu.Bucket{Name: "media"},
			"https://media.obs.eu-de.otc.t-systems.com", 0},
		{"path style", store.Config{Endpoint: "http://10.0.0.1", Region: "r", PathStyle: true}, mpu.Bucket{Name: "Media"}, "http://10.0.0.1 Media", 0},
		{"v2 needs no region", store.Config{Endpoint: "https://obs.example.com", Signature: "v2"}, mpu.Bucket{Name: "media"},
			"https://media.obs.example.com", 0},
		{"v4 does", store.Config{Endpoint: "https://obs.example.com"}, mpu.Bucket{Name: "media"}, "", mpu.Invalid},
		{"the host does", store.Config{Signature: "v2"}, mpu.Bucket{Name: "media"}, "", mpu.Invalid},
		{"the endpoint does", store.Config{Signature: "v2", Endpoint: "https://obs.{region}.example.com"}, mpu.Bucket{Name: "media"}, "", mpu.Invalid},
		{"region that is a host", store.Config{}, mpu.Bucket{Name: "media", Region: "x.evil.example"}, "", mpu.Refused},
		{"name that is no host", store.Config{Region: "r"}, mpu.Bucket{Name: "my_media"}, "", mpu.Refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Credentials = creds
			d, err := New(tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			p, err := d.locate(tt.bucket)
			got := ""
			if err == nil {
				got = p.Scheme + "://" + p.Address
			}
			if p.InPath {
				got += " " + p.Bucket
			}
			if got != tt.want || tt.kind != 0 && !errors.Is(err, tt.kind) {
				t.Errorf("%s, %v; want %s, %s", got, err, tt.want, tt.kind)
			}
		})
	}
}

// The vectors were computed from the vendor's description and agree with the vendor's own client.
func TestSignatureV2Vectors(t *testing.T) {
	const abort, list = "https://demo-bkt.obs.example.com/dir/a%20b.bin?uploadId=0123ABCDEF", "https://demo-bkt.obs.example.com/?uploads&prefix=x&max-uploads=3"
	now := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	for _, tt := range []struct{ name, method, url, token, want string }{
		{"abort", http.MethodDelete, abort, "TOKEN", "oqVS5d7KTilWV0lHpqJrAkM0kTI="},
		{"list", http.MethodGet, list, "TOKEN", "QRtPZYFvuzL3pqm1YBC9mCh9uvc="},
		{"list, no token", http.MethodGet, list, "", "O0+uT+2H4mXKFyP8mn/7VFwAL5k="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest(tt.method, tt.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			s := wire.Signing{Place: wire.Place{Bucket: "demo-bkt"}, Now: now,
				Credentials: store.Credentials{AccessKeyID: "AKEXAMPLE", SecretAccessKey: "SKEXAMPLE", SessionToken: tt.token}}
			if err := signV2(req, s); err != nil {
				t.Fatal(err)
			}
			if got, want := req.Header.Get("Authorization"), "AWS AKEXAMPLE:"+tt.want; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestStringToSign(t *testing.T) {
	req, err := http.NewRequest(http.MethodDelete, "https://demo-bkt.obs.example.com/dir/a%20b.bin?uploadId=UP+LOAD%2F1%2B2", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Date", "Sat, 21 Nov 2026 09:30:00 GMT")
	req.Header.Set("X-Amz-Security-Token", " TOKEN ")
	p := wire.Place{Bucket: "demo-bkt"}
	want := "DELETE\n\n\nSat, 21 Nov 2026 09:30:00 GMT\nx-amz-security-token:TOKEN\n/demo-bkt/dir/a%20b.bin?uploadId=UP LOAD/1+2"
	if got := stringToSign(req, p); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.InPath = true
	req.URL.Path, req.URL.RawPath = "/demo-bkt", ""
	req.URL.RawQuery = "uploads&prefix=x"
	req.Header.Set("X-Amz-Date", "d")
	want = "GET\n\n\n\nx-amz-date:d\nx-amz-security-token:TOKEN\n/demo-bkt?uploads"
	req.Method = http.MethodGet
	if got := stringToSign(req, p); got != want {
		t.Errorf("path style with a date of its own: %q, want %q", got, want)
	}
}

func openV2(t *testing.T, cfg store.Config, pageSize int) store.Driver {
	cfg.Signature = "v2"
	return open(t, cfg, pageSize)
}

func TestExamineV2(t *testing.T)   { sandboxtest.Examine(t, sandbox.OBS, openV2, nil) }
func TestKeysV2(t *testing.T)      { sandboxtest.Keys(t, sandbox.OBS, openV2) }
func TestSignatureV2(t *testing.T) { sandboxtest.Signature(t, sandbox.OBS, openV2) }

func TestBucketInHost(t *testing.T) {
	for _, signature := range []string{"v4", "v2"} {
		c := sandboxtest.Start(t, sandbox.OBS, sandbox.Options{})
		cfg := c.InHost("http://obs.{region}.myhuaweicloud.com")
		cfg.Signature = signature
		c.Journey(t, open(t, cfg, 0))
	}
}

func TestHowLongToWait(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.OBS, sandbox.Options{})
	u := c.Upload("k", 5)
	c.Script(sandbox.Fault{Respond: func(w http.ResponseWriter) {
		w.Header().Set("X-Obs-Qos-Delay-Time", "250")
		w.WriteHeader(http.StatusTooManyRequests)
	}})
	var e *mpu.Error
	if err := open(t, c.Config(), 0).AbortUpload(t.Context(), u); !errors.As(err, &e) || e.Kind != mpu.Transient || e.RetryAfter != 250*time.Millisecond {
		t.Errorf("%#v, want to wait 250 ms", err)
	}
}

func TestBuckets(t *testing.T) { sandboxtest.Buckets(t, sandbox.OBS, open) }

func TestBucketsV2(t *testing.T) { sandboxtest.Buckets(t, sandbox.OBS, openV2) }

func TestBucketsInHost(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.OBS, sandbox.Options{})
	page, err := open(t, c.InHost("http://obs.{region}.myhuaweicloud.com"), 0).(store.BucketsDriver).ListBuckets(t.Context(), c.Bucket, "")
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
		{store.Config{Region: "cn-north-4"}, "", "https://obs.cn-north-4.myhuaweicloud.com", 0},
		{store.Config{}, "cn-south-1", "https://obs.cn-south-1.myhuaweicloud.com", 0},
		{store.Config{Endpoint: "https://obs.example.com", Signature: "v2"}, "", "https://obs.example.com", 0},
		{store.Config{}, "", "", mpu.Invalid},
		{store.Config{Signature: "v2"}, "", "", mpu.Invalid},
		{store.Config{Endpoint: "https://{bucket}.example.com", Region: "r"}, "", "", mpu.Invalid},
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

func TestLifecycle(t *testing.T) { sandboxtest.Lifecycle(t, sandbox.OBS, open) }

func TestLifecycleV2(t *testing.T) { sandboxtest.Lifecycle(t, sandbox.OBS, openV2) }
