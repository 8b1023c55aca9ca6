package cosstore

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

var creds = sandboxtest.Credentials(store.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "SKEXAMPLE"})

func TestNewRefuses(t *testing.T) {
	for field, cfg := range map[string]store.Config{
		"Signature":   {Signature: "v4", Credentials: creds},
		"Endpoint":    {Endpoint: "cos.example.com", Credentials: creds},
		"PathStyle":   {PathStyle: true, Credentials: creds},
		"Region":      {Region: "Beijing", Credentials: creds},
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
		name, endpoint, bucket, region, config string
		address, host                          string
		kind                                   mpu.Kind
	}{
		{"region of the bucket", "", "media-1250000000", "ap-beijing", "ap-tokyo", "media-1250000000.cos.ap-beijing.myqcloud.com", "", 0},
		{"region of the configuration", "", "media-1250000000", "", "ap-tokyo", "media-1250000000.cos.ap-tokyo.myqcloud.com", "", 0},
		{"connect elsewhere", "http://127.0.0.1:1", "media-1250000000", "ap-beijing", "", "127.0.0.1:1",
			"media-1250000000.cos.ap-beijing.myqcloud.com", 0},
		{"another domain", "https://{bucket}.cos-internal.{region}.tencentcos.cn", "media-1250000000", "ap-beijing", "",
			"media-1250000000.cos-internal.ap-beijing.tencentcos.cn", "", 0},
		{"no region", "", "media-1250000000", "", "", "", "", mpu.Invalid},
		{"region that is a host", "", "media-1250000000", "x.evil.example", "", "", "", mpu.Refused},
		{"no appid", "", "media", "ap-beijing", "", "", "", mpu.Refused},
		{"appid only", "", "-1250000000", "ap-beijing", "", "", "", mpu.Refused},
		{"capitals", "", "Media-1250000000", "ap-beijing", "", "", "", mpu.Refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := New(store.Config{Endpoint: tt.endpoint, Region: tt.config, Credentials: creds})
			if err != nil {
				t.Fatal(err)
			}
			p, err := d.locate(mpu.Bucket{Store: "cos", Name: tt.bucket, Region: tt.region})
			if p.Address != tt.address || p.Host != tt.host || p.InPath || tt.kind != 0 && !errors.Is(err, tt.kind) || tt.kind == 0 && err != nil {
				t.Errorf("%+v, %v; want %s, %s, %s", p, err, tt.address, tt.host, tt.kind)
			}
		})
	}
}

// The vectors were computed from document 436/7778 and agree with the vendor's module.
func TestSignatureVectors(t *testing.T) {
	for _, tt := range []struct{ name, method, path, raw, query, want string }{
		{"abort", http.MethodDelete, "/dir/a b+c*(1)'~!.bin", "/dir/a%20b%2Bc%2A%281%29%27~%21.bin", "uploadId=UPLOAD%2F1%202",
			"dd561152e1d47370495696c4fbf1a56547baf186"},
		{"list", http.MethodGet, "/", "/", "uploads&prefix=a%20b%2F%2A&max-uploads=10&encoding-type=url",
			"b3564d77f14c58fb400f074b68e547fbdd3a8904"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest(tt.method, "http://127.0.0.1:18099", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Path, req.URL.RawPath, req.URL.RawQuery = tt.path, tt.raw, tt.query
			start, end := time.Unix(1795297640, 0), time.Unix(1795301240, 0)
			signFor(req, store.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "SKEXAMPLE", SessionToken: "TOKEN"}, start, end)
			if got := req.Header.Get("Authorization"); !strings.HasSuffix(got, "&q-signature="+tt.want) {
				t.Errorf("%s, want signature %s", got, tt.want)
			}
		})
	}
}

func TestSignatureWindow(t *testing.T) {
	req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:18099/", nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1795297640, 0)
	if err := sign(req, wire.Signing{Now: now, Credentials: store.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}}); err != nil {
		t.Fatal(err)
	}
	if got, want := req.Header.Get("Authorization"), "q-sign-time=1795297580;1795298240&q-key-time=1795297580;1795298240&"; !strings.Contains(got, want) {
		t.Errorf("%s, want %s in it", got, want)
	}
}

func TestInitiated(t *testing.T) {
	// The ID begins with 2026-11-21 21:47:20 UTC, eight hours before the zone-less sample.
	const id = "1795297640" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	fromID := time.Unix(1795297640, 0).UTC()
	for _, tt := range []struct {
		name, text, id string
		want           time.Time
	}{
		{"no zone is UTC", "Sun Nov 22 05:47:20 2026", "x", time.Date(2026, 11, 22, 5, 47, 20, 0, time.UTC)},
		{"one digit for the day", "Sun Nov  1 05:47:20 2026", "x", time.Date(2026, 11, 1, 5, 47, 20, 0, time.UTC)},
		{"the later of two is the text", "Sun Nov 22 05:47:20 2026", id, time.Date(2026, 11, 22, 5, 47, 20, 0, time.UTC)},
		{"the later of two is the ID", "Sat Nov 21 05:47:20 2026", id, fromID},
		{"iso 8601", "2026-11-21T21:47:20.000Z", id, fromID},
		{"iso 8601 with a zone", "2026-11-22T05:47:20+08:00", id, fromID},
		{"ID is no time yet", "2026-11-21T21:47:20.000Z", "0795297640", fromID},
		{"ID is no time any more", "2026-11-21T21:47:20.000Z", "9795297640", fromID},
		{"ID is no number", "2026-11-21T21:47:20.000Z", "17952976zz", fromID},
		{"no time", "soon", id, time.Time{}},
		{"nothing", "", id, time.Time{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := parseTime(tt.text)
			if !got.IsZero() {
				got = initiated(got, tt.id)
			}
			if got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestBeijingDates(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.COS, sandbox.Options{BeijingDates: true})
	u := c.Upload("k", 5)
	d := open(t, c.Config(), 0)
	page, err := d.ListUploads(t.Context(), c.Bucket, "", mpu.Marker{})
	if err != nil || len(page.Uploads) != 1 {
		t.Fatal(page, err)
	}
	p, err := d.ListParts(t.Context(), u, 0)
	if err != nil {
		t.Fatal(err)
	}
	for what, at := range map[string]time.Time{"initiated": page.Uploads[0].Initiated, "newest part": p.Newest} {
		if ahead := time.Until(at); ahead < 7*time.Hour || ahead > 9*time.Hour {
			t.Errorf("%s %v: %v ahead, want the safe side, which is eight hours", what, at, ahead)
		}
	}
}

func TestBucketInHost(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.COS, sandbox.Options{})
	c.Journey(t, open(t, c.InHost("http://{bucket}.cos.{region}.myqcloud.com"), 0))
}

func TestWrongRegionIsMissing(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.COS, sandbox.Options{})
	u := c.Upload("k", 5)
	u.Bucket.Region = "ap-tokyo"
	err := open(t, c.Config(), 0).AbortUpload(t.Context(), u)
	if !errors.Is(err, mpu.Missing) || !strings.Contains(err.Error(), "region (asked in ap-tokyo)") {
		t.Errorf("%v, want missing, with the region in the hint", err)
	}
}

func TestBuckets(t *testing.T) { sandboxtest.Buckets(t, sandbox.COS, open) }

func TestBucketsInHost(t *testing.T) {
	c := sandboxtest.Start(t, sandbox.COS, sandbox.Options{})
	page, err := open(t, c.InHost("http://service.cos.myqcloud.com"), 0).(store.BucketsDriver).ListBuckets(t.Context(), c.Bucket, "")
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
		{store.Config{}, "", "https://service.cos.myqcloud.com", 0},
		{store.Config{Region: "ap-tokyo"}, "", "https://service.cos.myqcloud.com", 0},
		{store.Config{Endpoint: "http://127.0.0.1:9000"}, "", "http://127.0.0.1:9000 service.cos.myqcloud.com", 0},
		{store.Config{Endpoint: "https://{bucket}.example.com"}, "", "", mpu.Invalid},
		{store.Config{Endpoint: "https://{region}.example.com"}, "", "", mpu.Invalid},
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

func TestRates(t *testing.T) {
	rates := (&Driver{}).Rates()
	if rates[store.ListUploads] != 1000 || rates[store.ListBuckets] != 50 {
		t.Errorf("%v", rates)
	}
}

func TestLifecycle(t *testing.T) { sandboxtest.Lifecycle(t, sandbox.COS, open) }
