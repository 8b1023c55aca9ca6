package ossstore

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

var creds = sandboxtest.Credentials(store.Credentials{AccessKeyID: "ak", SecretAccessKey: "sk"})

func TestNewRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg   store.Config
		field string
	}{
		"signature":             {store.Config{Signature: "v1", Credentials: creds}, "Signature"},
		"endpoint":              {store.Config{Endpoint: "oss.example.com", Credentials: creds}, "Endpoint"},
		"path style by default": {store.Config{PathStyle: true, Credentials: creds}, "PathStyle"},
		"bucket twice":          {store.Config{PathStyle: true, Endpoint: "https://{bucket}.example.com", Credentials: creds}, "PathStyle"},
		"region":                {store.Config{Region: "cn hangzhou", Credentials: creds}, "Region"},
		"credentials":           {store.Config{}, "Credentials"},
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
		region string
		kind   mpu.Kind
	}{
		{"region of the bucket", store.Config{Region: "cn-hangzhou"}, mpu.Bucket{Name: "media", Region: "cn-shanghai"},
			"https://media.oss-cn-shanghai.aliyuncs.com", "cn-shanghai", 0},
		{"region of the configuration", store.Config{Region: "cn-hangzhou"}, mpu.Bucket{Name: "media"},
			"https://media.oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou", 0},
		{"region as the console writes it", store.Config{}, mpu.Bucket{Name: "media", Region: "oss-cn-hangzhou"},
			"https://media.oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou", 0},
		{"inside", store.Config{Endpoint: "https://oss-{region}-internal.aliyuncs.com"}, mpu.Bucket{Name: "media", Region: "cn-hangzhou"},
			"https://media.oss-cn-hangzhou-internal.aliyuncs.com", "cn-hangzhou", 0},
		{"address", store.Config{Endpoint: "http://127.0.0.1:1"}, mpu.Bucket{Name: "media", Region: "r"}, "http://127.0.0.1:1 media", "r", 0},
		{"path style", store.Config{Endpoint: "http://oss.example.com", PathStyle: true}, mpu.Bucket{Name: "media", Region: "r"},
			"http://oss.example.com media", "r", 0},
		{"no region", store.Config{}, mpu.Bucket{Name: "media"}, "", "", mpu.Invalid},
		{"region that is a host", store.Config{}, mpu.Bucket{Name: "media", Region: "x.evil.example"}, "", "", mpu.Refused},
		{"name that is no host", store.Config{}, mpu.Bucket{Name: "my_media", Region: "r"}, "", "", mpu.Refused},
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
			if got != tt.want || p.Region != tt.region || tt.kind != 0 && !errors.Is(err, tt.kind) {
				t.Errorf("%s, region %s, %v; want %s, %s, %s", got, p.Region, err, tt.want, tt.region, tt.kind)
			}
		})
	}
}

// The vector is the vendor's own, from the tests of its module.
func TestSignatureVector(t *testing.T) {
	req, err := http.NewRequest(http.MethodPut, "http://bucket.oss-cn-hangzhou.aliyuncs.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"X-Oss-Head1": {"value"}, "Abc": {"value"}, "Zabc": {"value"}, "Xyz": {"value"}, "Content-Type": {"text/plain"}}
	req.URL.RawQuery = "%2Bparam1=value3&%2Bparam2=&%7Cparam1=value4&%7Cparam2=&param1=value1&param2="
	err = sign(req, wire.Signing{
		Place:       wire.Place{Bucket: "bucket", Region: "cn-hangzhou"},
		Key:         "1234+-/123/1.txt",
		Credentials: store.Credentials{AccessKeyID: "ak", SecretAccessKey: "sk"},
		Now:         time.Unix(1702743657, 0),
	})
	const want = "OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request," +
		"Signature=e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe"
	if got := req.Header.Get("Authorization"); got != want || err != nil {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}

func TestBucketInHost(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.OSS, sandbox.Options{})
	c.Journey(t, open(t, c.InHost("http://oss-{region}.aliyuncs.com"), 0))
}

// Asked at another region's endpoint, OSS names the right one.
func TestWrongEndpoint(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.OSS, sandbox.Options{})
	u := c.Upload("k", 5)
	err := open(t, c.InHost("http://oss-cn-beijing.aliyuncs.com"), 0).AbortUpload(t.Context(), u)
	if want := "the bucket answers at oss-cn-shanghai.aliyuncs.com"; !errors.Is(err, mpu.Denied) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want denied with %q", err, want)
	}
}

func TestBuckets(t *testing.T) { sandboxtest.Buckets(t, sandbox.OSS, open) }

func TestBucketsInHost(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.OSS, sandbox.Options{})
	page, err := open(t, c.InHost("http://oss-{region}.aliyuncs.com"), 0).(store.BucketsDriver).ListBuckets(t.Context(), c.Bucket, "")
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
		{store.Config{Region: "oss-cn-shanghai"}, "", "https://oss-cn-shanghai.aliyuncs.com", 0},
		{store.Config{}, "cn-beijing", "https://oss-cn-beijing.aliyuncs.com", 0},
		{store.Config{}, "", "", mpu.Invalid},
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

func TestLifecycle(t *testing.T) { sandboxtest.Lifecycle(t, sandbox.OSS, open) }
