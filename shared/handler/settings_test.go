package handler

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store/all"
)

func TestParseSettings(t *testing.T) {
	s, err := ParseSettings([]string{
		"PATH=/bin", "PARTSWEEPER=not ours",
		"PARTSWEEP_BUCKETS= s3://videos  cos://media-1250000000?region=ap-beijing\ns3://logs?prefix=tmp/ , mps://cn-shanghai",
		"PARTSWEEP_MODE=apply", "PARTSWEEP_MIN_AGE=2d", "PARTSWEEP_MAX_ABORTS=7", "PARTSWEEP_CONCURRENCY=9",
		"PARTSWEEP_MPS_DELETE_MEDIA=allow", "PARTSWEEP_LOG_LEVEL=debug", "PARTSWEEP_S3_ENDPOINT=http://127.0.0.1:9000/",
		"PARTSWEEP_S3_PATH_STYLE=true", "PARTSWEEP_OBS_SIGNATURE=v2", "PARTSWEEP_COS_ACCESS_KEY_ID=a", "PARTSWEEP_COS_SECRET_ACCESS_KEY=b",
		"PARTSWEEP_OSS_PRICE=0.02", "PARTSWEEP_VOD_REGION=",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Buckets) != 4 || !s.Apply || s.MinAge != 48*time.Hour || s.MaxAborts != 7 || s.Concurrency != 9 || !s.DeleteMedia {
		t.Errorf("%+v", s)
	}
	if s3 := s.Stores["s3"]; s3.Endpoint != "http://127.0.0.1:9000" || !s3.PathStyle {
		t.Errorf("%+v", s3)
	}
	if s.Price("oss").Price != 0.02 || s.Price("s3").Price == 0 || s.Price("mps").Price != 0 {
		t.Error("prices")
	}
}

// Of two values the later one counts, and an empty one unsets.
func TestLaterValueCounts(t *testing.T) {
	s, err := ParseSettings([]string{"PARTSWEEP_BUCKETS=s3://a", "PARTSWEEP_BUCKETS=s3://z", "PARTSWEEP_BUCKETS=s3://m",
		"PARTSWEEP_MODE=apply", "PARTSWEEP_MODE="})
	if err != nil || len(s.Buckets) != 1 || s.Buckets[0].Bucket.Name != "m" || s.Apply {
		t.Errorf("%+v, %v", s, err)
	}
}

// The empty value is the safe value.
func TestDefaultsAreSafe(t *testing.T) {
	s, err := ParseSettings([]string{"PARTSWEEP_BUCKETS=s3://videos", "PARTSWEEP_MODE="})
	if err != nil {
		t.Fatal(err)
	}
	if s.Apply || s.DeleteMedia || s.MinAge < 24*time.Hour {
		t.Errorf("%+v", s)
	}
}

func TestBadSettingsStopTheStart(t *testing.T) {
	const secret = "hunter2-hunter2"
	ok := "PARTSWEEP_BUCKETS=s3://videos"
	for _, tt := range []struct {
		name    string
		environ []string
		want    []string // all of these are in the error
	}{
		{"no buckets", nil, []string{"PARTSWEEP_BUCKETS"}},
		{"unknown setting", []string{ok, "PARTSWEEP_MINAGE=4h"}, []string{"PARTSWEEP_MINAGE", "PARTSWEEP_MIN_AGE"}},
		{"unknown store setting", []string{ok, "PARTSWEEP_COS_PATH_STYLE=true"}, []string{"PARTSWEEP_COS_PATH_STYLE"}},
		{"unknown store", []string{ok, "PARTSWEEP_GCS_REGION=x"}, []string{"PARTSWEEP_GCS_REGION"}},
		{"mode", []string{ok, "PARTSWEEP_MODE=aply"}, []string{"PARTSWEEP_MODE", "aply", "apply or plan"}},
		{"age", []string{ok, "PARTSWEEP_MIN_AGE=soon"}, []string{"PARTSWEEP_MIN_AGE", "soon"}},
		{"no age", []string{ok, "PARTSWEEP_MIN_AGE=0s"}, []string{"PARTSWEEP_MIN_AGE", "0s"}},
		{"cap", []string{ok, "PARTSWEEP_MAX_ABORTS=-1"}, []string{"PARTSWEEP_MAX_ABORTS", "-1"}},
		{"concurrency", []string{ok, "PARTSWEEP_CONCURRENCY=many"}, []string{"PARTSWEEP_CONCURRENCY", "many"}},
		{"log level", []string{ok, "PARTSWEEP_LOG_LEVEL=loud"}, []string{"PARTSWEEP_LOG_LEVEL", "loud"}},
		{"bucket that is none", []string{"PARTSWEEP_BUCKETS=videos"}, []string{"PARTSWEEP_BUCKETS", "videos"}},
		{"bucket with an age", []string{"PARTSWEEP_BUCKETS=s3://videos?olderThan=2d"}, []string{"PARTSWEEP_BUCKETS", "olderThan"}},
		{"bucket with a key", []string{"PARTSWEEP_BUCKETS=s3://videos/key"}, []string{"PARTSWEEP_BUCKETS", "s3://videos/key"}},
		{"unknown scheme", []string{"PARTSWEEP_BUCKETS=gs://videos"}, []string{"PARTSWEEP_BUCKETS", "gs"}},
		{"cos without a region", []string{"PARTSWEEP_BUCKETS=cos://media-1250000000"}, []string{"PARTSWEEP_BUCKETS", "PARTSWEEP_COS_REGION"}},
		{"mps not allowed", []string{"PARTSWEEP_BUCKETS=mps://cn-shanghai"}, []string{"PARTSWEEP_BUCKETS", "PARTSWEEP_MPS_DELETE_MEDIA"}},
		{"mps allowed nowhere", []string{ok, "PARTSWEEP_MPS_DELETE_MEDIA=allow"}, []string{"PARTSWEEP_MPS_DELETE_MEDIA"}},
		{"endpoint", []string{ok, "PARTSWEEP_S3_ENDPOINT=minio:9000"}, []string{"PARTSWEEP_S3_ENDPOINT"}},
		{"endpoint with a path", []string{ok, "PARTSWEEP_S3_ENDPOINT=https://h/bucket"}, []string{"PARTSWEEP_S3_ENDPOINT"}},
		{"any bucket becomes a host", []string{"PARTSWEEP_BUCKETS=s3://*", "PARTSWEEP_S3_ENDPOINT=https://{bucket}"}, []string{"PARTSWEEP_S3_ENDPOINT", "every bucket"}},
		{"any bucket becomes a host and a port", []string{"PARTSWEEP_BUCKETS=s3://*", "PARTSWEEP_S3_ENDPOINT=https://s3.{bucket}:9000"}, []string{"PARTSWEEP_S3_ENDPOINT", "every bucket"}},
		{"any region becomes a host", []string{"PARTSWEEP_BUCKETS=oss://*", "PARTSWEEP_OSS_ENDPOINT=https://oss-{region}"}, []string{"PARTSWEEP_OSS_ENDPOINT", "every bucket"}},
		{"path style against {bucket}", []string{ok, "PARTSWEEP_S3_ENDPOINT=https://{bucket}.h", "PARTSWEEP_S3_PATH_STYLE=true"}, []string{"PARTSWEEP_S3_PATH_STYLE"}},
		{"path style at the vendor's", []string{ok, "PARTSWEEP_OBS_PATH_STYLE=true"}, []string{"PARTSWEEP_OBS_PATH_STYLE", "PARTSWEEP_OBS_ENDPOINT"}},
		{"signature", []string{ok, "PARTSWEEP_OBS_SIGNATURE=v3"}, []string{"PARTSWEEP_OBS_SIGNATURE", "v3"}},
		{"half a credential", []string{ok, "PARTSWEEP_S3_ACCESS_KEY_ID=" + secret}, []string{"PARTSWEEP_S3_SECRET_ACCESS_KEY"}},
		{"the other half", []string{ok, "PARTSWEEP_S3_SECRET_ACCESS_KEY=" + secret}, []string{"PARTSWEEP_S3_ACCESS_KEY_ID"}},
		{"short token", []string{ok, "PARTSWEEP_HTTP_TOKEN=" + secret[:8]}, []string{"PARTSWEEP_HTTP_TOKEN", "16"}},
		{"token that is not asked for", []string{ok, "PARTSWEEP_HTTP_TOKEN=" + secret + secret, "PARTSWEEP_HTTP_AUTH=platform"}, []string{"PARTSWEEP_HTTP_TOKEN", "PARTSWEEP_HTTP_AUTH"}},
		{"callback without a key", []string{ok, "PARTSWEEP_VOD_CALLBACK_URL=https://x/"}, []string{"PARTSWEEP_VOD_CALLBACK_KEY"}},
		{"callback without a URL", []string{ok, "PARTSWEEP_VOD_CALLBACK_KEY=" + secret}, []string{"PARTSWEEP_VOD_CALLBACK_URL"}},
		{"partial", []string{ok, "PARTSWEEP_SQS_PARTIAL=perhaps"}, []string{"PARTSWEEP_SQS_PARTIAL", "perhaps"}},
		{"region that is none", []string{ok, "PARTSWEEP_S3_REGION=EU West 1"}, []string{"PARTSWEEP_S3_REGION"}},
		{"user in the endpoint", []string{ok, "PARTSWEEP_S3_ENDPOINT=https://user:" + secret + "@h"}, []string{"PARTSWEEP_S3_ENDPOINT"}},
		{"signed URL for a bucket", []string{"PARTSWEEP_BUCKETS=s3://videos?X-Amz-Signature=" + secret}, []string{"PARTSWEEP_BUCKETS", "X-Amz-Signature"}},
		{"signed URL for a bucket, by https", []string{"PARTSWEEP_BUCKETS=https://h/k?X-Amz-Signature=" + secret}, []string{"PARTSWEEP_BUCKETS"}},
		{"look back", []string{ok, "PARTSWEEP_VOD_LOOKBACK=1d"}, []string{"PARTSWEEP_VOD_LOOKBACK", "1d"}},
		{"token alone", []string{ok, "PARTSWEEP_S3_SESSION_TOKEN=" + secret}, []string{"PARTSWEEP_S3_SESSION_TOKEN"}},
		{"price", []string{ok, "PARTSWEEP_S3_PRICE=cheap"}, []string{"PARTSWEEP_S3_PRICE", "cheap"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(Platform{Environ: tt.environ, Open: all.Open, Log: io.Discard})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not name %q", err, want)
				}
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), secret[:8]) {
				t.Errorf("error %q holds a secret", err)
			}
		})
	}
}

func TestAllowed(t *testing.T) {
	s, err := ParseSettings([]string{"PARTSWEEP_BUCKETS=s3://videos s3://logs?prefix=tmp/&region=eu-west-1 cos://a-1?region=ap-beijing oss://* " +
		"obs://mine?region=cn-north-4&prefix=x/ obs://*?region=cn-north-4 obs://theirs?region=cn-north-4&prefix=tmp/"})
	if err != nil {
		t.Fatal(err)
	}
	account := func(in mpu.Bucket) ([]mpu.Bucket, error) {
		return map[string][]mpu.Bucket{
			"oss": {{Store: "oss", Region: "cn-shanghai", Name: "one"}, {Store: "oss", Region: "cn-beijing", Name: "two"}},
			"obs": {{Store: "obs", Name: "old"}, {Store: "obs", Region: "cn-south-1", Name: "far"}, {Store: "obs", Region: "cn-north-4", Name: "mine"}},
		}[in.Store], nil
	}
	for _, tt := range []struct {
		request string
		want    string // requests after the check, blank for refused
	}{
		{"s3://videos?olderThan=2d", "s3://videos?olderThan=2d"},
		{"s3://videos/any/key", "s3://videos/any/key"},
		{"s3://other?olderThan=2d", ""},
		{"s3://video", ""},
		{"cos://videos?region=ap-beijing", ""},
		{"s3://logs/tmp/x", "s3://logs/tmp/x?region=eu-west-1"},
		{"s3://logs/tmp", ""},
		{"s3://logs?prefix=tmp/a", "s3://logs?region=eu-west-1&prefix=tmp/a"},
		{"s3://logs?prefix=tm", ""},
		{"s3://logs", ""},
		{"s3://logs/tmp/x?region=us-east-1", ""},
		{"s3://videos?region=cn-north-1&olderThan=2d", "s3://videos?olderThan=2d"},
		{"cos://a-1", "cos://a-1?region=ap-beijing"},
		{"oss://anything?region=cn-shanghai", "oss://anything?region=cn-shanghai"},
		{"s3://*?olderThan=7d", "s3://videos?olderThan=7d s3://logs?region=eu-west-1&prefix=tmp/&olderThan=7d"},
		{"s3://*?prefix=tmp/a&olderThan=7d", "s3://videos?prefix=tmp/a&olderThan=7d s3://logs?region=eu-west-1&prefix=tmp/a&olderThan=7d"},
		{"s3://*?prefix=raw/", "s3://videos?prefix=raw/"},
		{"oss://*", "oss://one?region=cn-shanghai oss://two?region=cn-beijing"},
		{"oss://*?region=cn-beijing", "oss://two?region=cn-beijing"},
		{"oss://*?region=cn-hangzhou", ""},
		{"obs://*", "obs://old?region=cn-north-4 obs://mine?region=cn-north-4 obs://theirs?region=cn-north-4&prefix=tmp/"},
		{"obs://*?prefix=raw/", "obs://old?region=cn-north-4&prefix=raw/ obs://mine?region=cn-north-4&prefix=raw/"},
		{"cos://*?region=ap-guangzhou", ""},
		{"cos://*?region=ap-beijing", "cos://a-1?region=ap-beijing"},
	} {
		t.Run(tt.request, func(t *testing.T) {
			r, err := mpu.Parse(tt.request)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.allowed(r, account)
			var texts []string
			for _, r := range got {
				texts = append(texts, r.String())
			}
			if strings.Join(texts, " ") != tt.want || tt.want != "" && err != nil || err == nil && tt.want == "" && r.Bucket.Store != "oss" {
				t.Errorf("%v, %v; want %q", texts, err, tt.want)
			}
			if err != nil && mpu.KindOf(err) != mpu.Refused {
				t.Errorf("%v is not refused", err)
			}
		})
	}
}

var update = flag.Bool("update", false, "write the table of settings into the README")

// The README documents every setting there is, as the catalogue has it.
func TestReadmeSettings(t *testing.T) {
	const readme = "../../README.md"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, s := range Catalogue {
		meaning := s.Meaning
		if s.stores != nil && len(s.stores) < len(allStores) {
			meaning += " (" + strings.ToUpper(strings.Join(s.stores, ", ")) + ")"
		}
		fmt.Fprintf(&table, "| `%s%s` | %s | %s |\n", Prefix, s.Name, s.Default, meaning)
	}
	old := regexp.MustCompile(`\| variable \|(.*\n)+?\n|SETTINGS\n`)
	if want := table.String(); *update {
		if err := os.WriteFile(readme, old.ReplaceAll(text, []byte(want+"\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !strings.Contains(string(text), want) {
		t.Errorf("the README's table of settings is not the catalogue (go test ./shared/handler -run Readme -update); want\n%s", want)
	}
}

func TestPricesNameTheirSource(t *testing.T) {
	var file struct{ Stores map[string]Price }
	if err := json.Unmarshal(pricesJSON, &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range mpu.Stores() {
		if p, ok := file.Stores[name]; !ok || p.Source == "" || p.Date == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if got := (Price{Price: 0.02}).MonthlyCost(3 << 30); got != 0.06 {
		t.Errorf("3 GB at 0.02 cost %v", got)
	}
}
