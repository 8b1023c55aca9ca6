package quirks

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
)

// answer answers with a status and an XML body.
func answer(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

// Ceph deletes the bucket when an abort has no key (tracker.ceph.com/issues/48727), and so does the sandbox. Nothing that
// comes in may lead there.
func TestNoAbortWithoutAKey(t *testing.T) {
	w := newWorld(t, row{})
	for _, event := range []string{
		`{"type":"upload-failed","request":"s3://media?uploadId=same-1","failedAt":"2026-11-21T11:00:00Z"}`,
		`{"type":"upload-failed","request":"s3://media/?uploadId=same-1","failedAt":"2026-11-21T11:00:00Z"}`,
		`"s3://media/%00?uploadId="`,
	} {
		w.handler(t, "apply").Run(t.Context(), []byte(event))
	}
	for _, e := range w.Ledger() {
		if e.Method == http.MethodDelete {
			t.Errorf("%s %s", e.Method, e.URI)
		}
	}
	if len(w.left()) == 0 {
		t.Error("the bucket is gone")
	}
}

// OBS and OSS notify of their own aborts as of removed objects; a function that they start must not start over.
func TestOwnAbortsAreIgnored(t *testing.T) {
	w := newWorld(t, row{})
	for _, name := range []string{"huawei/obs-notification-removed", "alibaba/oss-trigger-abort", "alibaba/eventbridge-oss-abort"} {
		event, err := os.ReadFile("../../events/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		report, err := w.handler(t, "apply").Run(t.Context(), event)
		if err != nil || report.Totals.Found != 0 || len(report.Ignored) != 1 {
			t.Errorf("%s: %+v, %v; want it ignored", name, report, err)
		}
	}
	if n := len(w.Ledger()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

// One bucket that refuses does not stop the others (Backblaze B2: a key that is limited to a prefix cannot abort).
func TestOneBucketMayRefuse(t *testing.T) {
	w := newWorld(t, row{})
	w.CreateBucket(sandbox.S3, "typo", "eu-west-1")
	w.Seed(sandbox.S3, "typo", "k", now.Add(-10*24*time.Hour), part(1, 10*24*time.Hour))
	w.Script(sandbox.Fault{Service: sandbox.S3, Bucket: "typo", Code: "AccessDenied"})
	report, err := w.handler(t, "apply").Run(t.Context(), []byte(`{"sweep":["s3://typo?olderThan=2d","s3://media?olderThan=2d"]}`))
	if err == nil || !strings.Contains(err.Error(), "s3://typo") || report.Totals.Aborted != len(w.staleID) {
		t.Errorf("aborted %d, %v; want %d and an error about s3://typo", report.Totals.Aborted, err, len(w.staleID))
	}
}

// Cloudflare R2 has one region, "auto".
func TestRegionAuto(t *testing.T) {
	w := newWorld(t, row{})
	w.CreateBucket(sandbox.S3, "r2", "auto")
	w.Seed(sandbox.S3, "r2", "k", now.Add(-10*24*time.Hour), part(1, 10*24*time.Hour))
	report, err := w.handler(t, "apply").Run(t.Context(), []byte(`{"sweep":"s3://r2?olderThan=2d"}`))
	if err != nil || report.Totals.Aborted != 1 {
		t.Errorf("%+v, %v; want 1 aborted", report.Totals, err)
	}
}

// A rest that names a marker whose upload is gone must not end in an empty page (rclone), nor in an error (MinIO,
// versitygw), nor skip what comes in front of it.
func TestRestAfterAGoneMarker(t *testing.T) {
	for name, paging := range map[string]sandbox.Paging{
		"shows nothing": sandbox.EmptyAfterGone, "404": sandbox.RefusesGone, "400": sandbox.RefusesIDMarker, "right": sandbox.PagesRight,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, row{set: func(o *sandbox.Options) { o.Quirks.Paging = paging }})
			h := w.handler(t, "apply")
			if _, err := h.Run(t.Context(), []byte(`{"type":"upload-failed","request":"s3://media/k/20?uploadId=k/20-1","failedAt":"2026-11-21T11:00:00Z"}`)); err != nil {
				t.Fatal(err)
			}
			report, err := h.Run(t.Context(), []byte(`{"sweep":"s3://media?before=2026-11-19T12:00:00Z&after=k%2F20,k%2F20-1"}`))
			if err != nil || report.Totals.Aborted != len(w.staleID)-1 {
				t.Errorf("aborted %d, %v; want %d", report.Totals.Aborted, err, len(w.staleID)-1)
			}
		})
	}
}

// notOurs are the quirks that touch nothing that partsweep does.
var notOurs = []struct{ store, quirk, why string }{
	{"AWS S3 directory buckets", "need sessions, and a marker without an order", "refused before anything is sent, with a hint; the marker is a row of the suite"},
	{"Ceph", "a part that was uploaded twice leaks its first copy (tracker 16767)", "inside the store; no request shows it or removes it"},
	{"Ceph", "quota is not updated by an abort (tracker 29638)", "inside the store"},
	{"Ceph", "deleting a bucket leaves its uploads (tracker 15630, 43913)", "buckets are never deleted"},
	{"Ceph", "max-uploads=0 never ends", "a page size of nothing is never asked for"},
	{"Ceph, rclone, versitygw, MinIO", "delimiters", "none is ever sent"},
	{"Ceph, MinIO", "encoding-type=url, encoded or ignored", "not asked for where the endpoint is not AWS's own; asked for anyway in the row of the suite, by the endpoint of AWS alone"},
	{"Cloudflare R2", "aborts by itself 7 days after the beginning", "nothing to survive; the region \"auto\" has a test"},
	{"Wasabi", "aborts by itself after 30 days, and bills until then", "nothing to survive"},
	{"Backblaze B2", "a part in flight while its upload is aborted answers 400", "concerns the writer, for which the age is taken from the last part"},
	{"Backblaze B2", "has its lifecycle rules in another API", "a rule that is refused is an error, and nothing has changed"},
	{"HCP", "frees the parts late", "no request shows it; freed means that the service no longer knows the upload"},
	{"Huawei OBS, Alibaba OSS", "overlapping lifecycle rules are refused", "said before anything is written; the drivers' lifecycle tests"},
	{"rclone, s3rver", "cannot overwrite a part, cannot delete a bucket with uploads", "concerns the writer"},
	{"moto", "believes every signature", "concerns the test that leans on it, and none does"},
	{"moto", "says of an upload without parts that it was begun in 2010", "one that has no part has no other age; with a part, the part counts"},
	{"Qumulo", "does not list the uploads of others", "what is not listed by any request cannot be found; an event that names it is enough"},
	{"Flink, syslog-ng, Guardian, browsers", "keep uploads open for days on purpose", "aged by their last part; one that pauses longer than the minimum age needs a larger one"},
}

func TestNotOurs(t *testing.T) {
	for _, n := range notOurs {
		if n.store == "" || n.quirk == "" || n.why == "" {
			t.Errorf("%+v has a blank", n)
		}
		t.Logf("does not apply: %s: %s: %s", n.store, n.quirk, n.why)
	}
}
