package page

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

var now = time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)

func stale(key string, bytes int64, age time.Duration) mpu.Outcome {
	return mpu.Outcome{Upload: mpu.Upload{Bucket: mpu.Bucket{Store: "s3", Name: "media"}, Key: key, UploadID: "U", Initiated: now.Add(-age)},
		Result: mpu.ResultPlanned, Inspected: true, Reason: mpu.Stale, Bytes: bytes, Parts: 1}
}

func collect(outcomes ...mpu.Outcome) Breakdown {
	c := NewCollector(now, func(string) float64 { return 0.5 })
	for _, o := range outcomes {
		c.Add(o)
	}
	return c.Breakdown()
}

func TestBreakdown(t *testing.T) {
	const day, gib = 24 * time.Hour, int64(1 << 30)
	kept := stale("raw/c", 4*gib, time.Hour)
	kept.Result, kept.Reason = mpu.ResultKept, mpu.TooYoung
	kept.Inspected = false
	failed := stale("top", 0, 400*day)
	failed.Result = mpu.ResultFailed
	undated := stale("tmp/x", 0, 0)
	undated.Upload.Initiated = time.Time{}
	b := collect(stale("raw/a", gib, 3*day), stale("tmp/b", 2*gib, 40*day), kept, failed, undated)
	if b.Total != (Row{Name: "all", Uploads: 5, Bytes: 7 * gib, Stale: 3, StaleBytes: 3 * gib, MonthlyUSD: 1.5, Unknown: 1}) {
		t.Errorf("total %+v", b.Total)
	}
	for _, tt := range []struct {
		name string
		rows []Row
		want string
	}{
		{"services", b.Services, "s3 5/3"},
		{"buckets", b.Buckets, "s3://media 5/3"},
		{"prefixes", b.Prefixes, "s3://media/tmp/ 2/2, s3://media/raw/ 2/1, s3://media/ 1/0"},
		{"ages", b.Ages, "less than a day 1/0, 1 to 7 days 1/1, 1 to 3 months 1/1, more than a year 1/0, unknown 1/1"},
		{"reasons", b.Reasons, "planned 3/3, kept, too young 1/0, failed 1/0"},
	} {
		var got []string
		for _, r := range tt.rows {
			got = append(got, fmt.Sprintf("%s %d/%d", r.Name, r.Uploads, r.Stale))
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, strings.Join(got, ", "), tt.want)
		}
	}
	if len(b.Largest) != 3 || b.Largest[0].Bytes != 4*gib || b.Largest[0].Result != mpu.ResultKept {
		t.Errorf("largest %+v", b.Largest)
	}
	if len(b.Oldest) != 4 || b.Oldest[0].Upload != "s3://media/top?uploadId=U" {
		t.Errorf("oldest %+v", b.Oldest)
	}
}

// What nobody has looked at is not said to be nothing.
func TestUnknownSizes(t *testing.T) {
	empty, unseen := stale("a", 0, 72*time.Hour), stale("b", 0, 72*time.Hour)
	unseen.Inspected = false
	young := unseen
	young.Result, young.Reason = mpu.ResultKept, mpu.TooYoung
	for _, tt := range []struct {
		name        string
		row         Row
		size, stale string
		cost        string
	}{
		{"looked at", collect(empty).Total, "0 B", "0 B", "$0.00"},
		{"not looked at", collect(unseen).Total, "unknown", "unknown", "unknown"},
		{"only what is too young was not", collect(empty, young).Total, "unknown", "0 B", "$0.00"},
		{"some were", collect(stale("c", 1<<30, 72*time.Hour), unseen).Total, "1.0 GiB", "1.0 GiB", "$0.50"},
	} {
		if tt.row.Size() != tt.size || tt.row.StaleSize() != tt.stale || tt.row.Cost() != tt.cost || tt.row.ShortCost() != tt.cost {
			t.Errorf("%s: %s, %s, %s", tt.name, tt.row.Size(), tt.row.StaleSize(), tt.row.Cost())
		}
	}
}

// What is kept does not grow with the number of uploads, and nothing is left out of the sums.
func TestBreakdownIsBounded(t *testing.T) {
	c := NewCollector(now, func(string) float64 { return 0 })
	const n = 3000
	var wg sync.WaitGroup
	for k := range 3 {
		wg.Go(func() {
			for i := range n {
				c.Add(stale(fmt.Sprintf("folder-%d/x", i), int64(i+1), time.Duration(i*3+k)*time.Minute))
			}
		})
	}
	wg.Wait()
	b := c.Breakdown()
	if len(b.Prefixes) != mostRows+1 || len(b.Largest) != mostEntries || len(b.Oldest) != mostEntries {
		t.Errorf("%d prefixes, %d largest, %d oldest", len(b.Prefixes), len(b.Largest), len(b.Oldest))
	}
	sum := 0
	for _, r := range b.Prefixes {
		sum += r.Uploads
	}
	if sum != 3*n || b.Total.Uploads != 3*n {
		t.Errorf("%d, %d", sum, b.Total.Uploads)
	}
	for i, e := range b.Largest {
		if want := int64(n - i/3); e.Bytes != want {
			t.Fatalf("largest %d has %d bytes, want %d", i, e.Bytes, want)
		}
	}
	for i := 1; i < len(b.Oldest); i++ {
		if b.Oldest[i].Initiated.Before(b.Oldest[i-1].Initiated) {
			t.Fatalf("oldest %d is older than the one before", i)
		}
	}
}

// Keys are what strangers have chosen.
func TestPageEscapes(t *testing.T) {
	const hostile = `<script>alert(1)</script>"onload='x'/&.mxf`
	var out bytes.Buffer
	p := Page{Breakdown: collect(stale(hostile, 5, 48*time.Hour)), Made: now, Mode: "plan", Requests: []string{hostile}, Notes: []string{hostile}, Failures: []string{hostile}}
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "<script>alert") || strings.Contains(out.String(), `"onload`) {
		t.Error("a key is markup in the page")
	}
	if n := strings.Count(out.String(), "&lt;script&gt;"); n < 3 {
		t.Errorf("shown %d times", n)
	}
}

func TestEmptyPage(t *testing.T) {
	var out bytes.Buffer
	if err := (Page{Breakdown: collect(), Made: now, Mode: "apply"}).Write(&out); err != nil || !strings.Contains(out.String(), "0 stale uploads aborted, 0 B") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestFormat(t *testing.T) {
	for got, want := range map[string]string{
		Money(0): "$0.00", Money(1234567.891): "$1,234,567.89", Money(0.0123): "$0.01", Money(0.00012): "$0.00012", cents(0.001): "< $0.01", cents(12): "$12.00",
		Size(0): "0 B", Size(1023): "1023 B", Size(1 << 20): "1.0 MiB", Size(3 << 40): "3.0 TiB", Size(1 << 62): "4096.0 PiB",
		Count(0): "0", Count(999): "999", Count(1000): "1,000", Count(-1234567): "-1,234,567",
		Short("s3://media/a%20b?region=eu-west-1&uploadId=U"): "s3://media/a%20b", Short("vod://cn-shanghai/id"): "vod://cn-shanghai/id",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
