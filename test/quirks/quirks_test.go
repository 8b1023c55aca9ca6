// Package quirks holds what real stores do against the documents, one row each, and what partsweep makes of it: no upload
// lost, no listing that never ends, none but the stale ones aborted, and a word in the report where a listing is known to
// be incomplete. Every row is a sandbox that behaves so, swept by the real handler over real requests.
//
// Rows that concern nothing that partsweep does are listed with the reason, and printed by go test -v.
package quirks

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/store/all"
	"github.com/partsweep/partsweep/test/sandbox"
)

// A row is one quirk.
type row struct {
	store  string // who does so
	does   string
	source string
	set    func(o *sandbox.Options)
	fill   func(w *world)                   // beside what every world holds
	script func(w *world)                   // faults, scripted before the sweep
	event  string                           // default: a sweep of the bucket
	stays  func(w *world, name string) bool // stale uploads that cannot be known to be stale, and so stay
	unsure bool                             // the sweep breaks off, and what is left is left
	hidden bool                             // a plan cannot see everything: more shows once the first are gone
	note   string                           // in the report of the sweep
	still  string                           // in the report of the sweep after that
	err    string                           // in the error of the sweep
}

const everything = `{"sweep":"s3://media?olderThan=2d"}`

var rows = []row{
	{store: "AWS S3", does: "none of it", source: "the baseline"},
	{store: "AWS S3", does: "names markers on the last page too", source: "versity/versitygw#2144",
		set: func(o *sandbox.Options) { o.Quirks.MarkersOnLastPage = true }},
	{store: "AWS directory buckets, and any other", does: "sorts like nothing and has one opaque marker",
		source: "docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html",
		set:    func(o *sandbox.Options) { o.Quirks.Paging, o.Quirks.Order = sandbox.OpaqueMarkers, sandbox.ByUploadID }},

	{store: "MinIO", does: "shows nothing without a prefix once it was started anew, and says so nowhere", source: "minio/minio#10276",
		set:    func(o *sandbox.Options) { o.Quirks = minio(); o.Quirks.ForgetsUnnamed = true },
		stays:  func(*world, string) bool { return true },
		hidden: true, note: "MinIO lists without a prefix only", still: "MinIO lists without a prefix only"},
	{store: "MinIO", does: "finds the exact key of an event even then", source: "minio/minio#7632",
		set:    func(o *sandbox.Options) { o.Quirks = minio(); o.Quirks.ForgetsUnnamed = true },
		event:  `{"sweep":"s3://media/same?olderThan=2d"}`,
		stays:  func(_ *world, key string) bool { return key != "same" },
		hidden: true},
	{store: "MinIO", does: "shows nothing for a prefix that is no whole key", source: "minio/minio#11686",
		set:    func(o *sandbox.Options) { o.Quirks = minio() },
		event:  `{"sweep":"s3://media?prefix=k/&olderThan=2d"}`,
		stays:  func(*world, string) bool { return true },
		hidden: true, note: `MinIO finds uploads by their exact key only, and lists none of the key "k/"`, still: "MinIO"},
	{store: "MinIO, moto, NooBaa, Ozone, LocalStack", does: "ignores page size and markers, and puts everything on one page",
		source: "noobaa/noobaa-core#8016, HDDS-11530",
		set: func(o *sandbox.Options) {
			o.Quirks.Paging, o.Quirks.Order = sandbox.IgnoresPaging, sandbox.ByInitiation
		}},
	{store: "MinIO", does: "says that an upload was begun just now when it cannot tell", source: "cmd/erasure-multipart.go",
		set:   func(o *sandbox.Options) { o.Quirks.Initiated = func(sandbox.Upload) time.Time { return now } },
		stays: func(*world, string) bool { return true }, hidden: true},
	{store: "MinIO, SeaweedFS", does: "names no key marker beside its upload ID marker", source: "weed/s3api/filer_multipart.go",
		set: func(o *sandbox.Options) { o.Quirks.Paging, o.Quirks.Order = sandbox.NamesIDOnly, sandbox.ByUploadID }},
	{store: "MinIO", does: "refuses a marker whose upload is gone with 404 NoSuchUpload", source: "measured, RELEASE of 2026-02",
		set: func(o *sandbox.Options) { o.Quirks.Paging = sandbox.RefusesGone }},
	{store: "MinIO before May 2025", does: "shows the uploads of other buckets as this one's", source: "minio/minio#21375",
		set: func(o *sandbox.Options) { o.Quirks.ShowsAllBuckets = true }, hidden: true},
	{store: "MinIO", does: "answers 204 to every abort", source: "measured, RELEASE of 2026-02",
		set: func(o *sandbox.Options) { o.Quirks.AbortsAlways = true }},

	{store: "SeaweedFS", does: "does not say when an upload was begun; then an upload without parts has no age",
		source: "weed/s3api/filer_multipart.go",
		set: func(o *sandbox.Options) {
			o.Quirks = sandbox.Quirks{NoInitiated: true, Paging: sandbox.NamesIDOnly, Order: sandbox.ByUploadID}
		},
		stays: func(_ *world, key string) bool { return key == "empty" }, hidden: true},
	{store: "SeaweedFS, OSS", does: "lets a part land behind an abort", source: "seaweedfs/seaweedfs#11025",
		fill: func(w *world) { w.stale("landing", 23*time.Hour) },
		script: func(w *world) {
			w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpAbort, Key: "landing", Times: 1, LandPart: 7})
		},
		event: `{"type":"upload-failed","request":"s3://media/landing?uploadId=landing-1","failedAt":"2026-11-21T11:59:58Z"}`,
		stays: func(_ *world, key string) bool { return key != "landing" }, hidden: true},

	{store: "versitygw", does: "refuses its own upload ID marker", source: "versity/versitygw#2149",
		set: func(o *sandbox.Options) { o.Quirks.Paging = sandbox.RefusesIDMarker },
		// No page but the first of a key can be reached, and a plan leaves the first ones where they are.
		hidden: true},
	{store: "versitygw", does: "moves the beginning of an upload with every part", source: "backend/posix/posix.go",
		set: func(o *sandbox.Options) {
			o.Quirks.Initiated = func(u sandbox.Upload) time.Time {
				at := u.Initiated
				for _, p := range u.Parts {
					if p.Modified.After(at) {
						at = p.Modified
					}
				}
				return at
			}
		}},
	{store: "versitygw", does: "answers with an empty listing when it cannot read its own folders", source: "backend/posix/posix.go",
		set: func(o *sandbox.Options) {
			o.Quirks = sandbox.Quirks{Server: "VERSITYGW", ForgetsUnnamed: true}
		},
		stays: func(*world, string) bool { return true }, hidden: true, note: "cannot read its own folders", still: "cannot read its own folders"},

	{store: "Garage", does: `names the next key, and "include" for an upload ID`, source: "src/api/s3/list.rs",
		set: func(o *sandbox.Options) { o.Quirks.Paging = sandbox.NamesNextKey }},

	{store: "Ceph", does: "sorts by key and ID joined with a dot, so that b-dash comes before b", source: "measured, 16.2",
		set: func(o *sandbox.Options) { o.Quirks.Order = sandbox.ByKeyAndID }},
	{store: "Ceph, rclone", does: "begins again with the key of a marker that comes alone", source: "measured, Ceph 16.2 and rclone 1.76",
		set: func(o *sandbox.Options) { o.Quirks.Paging = sandbox.KeyMarkerAgain }},
	{store: "Ceph", does: "encodes keys without saying so", source: "measured, 16.2",
		set: func(o *sandbox.Options) { o.Quirks.EncodesSilently = true }},
	{store: "Ceph", does: "lists an upload whose metadata is gone, for good", source: "ceph/ceph#12793, #24110",
		set: func(o *sandbox.Options) { o.Quirks.ShowsEnded = true }, hidden: true},
	{store: "Ceph", does: "says NoSuchKey of the parts of an upload that is gone", source: "measured, 16.2",
		set: func(o *sandbox.Options) { o.Quirks.PartsGoneAsKey = true }},
	{store: "Ceph", does: "accepts an abort and does nothing", source: "tracker.ceph.com/issues/28724",
		set:   func(o *sandbox.Options) { o.Quirks.AbortsNothing = true },
		stays: func(*world, string) bool { return true }, err: "still lists the upload"},

	{store: "StorageGRID", does: "leaves uploads out above a number", source: "docs.netapp.com/us-en/storagegrid-118/s3/operations-for-multipart-uploads.html",
		set:    func(o *sandbox.Options) { o.Quirks = sandbox.Quirks{Server: "StorageGRID/11.8", ShowsAtMost: 20} },
		hidden: true},
	{store: "ECS and others", does: "stops at exactly 1,000 uploads and says that there are no more", source: "distribution/distribution#3062",
		set: func(o *sandbox.Options) { o.Quirks.ShowsAtMost = 1000; o.MaxPage = 1000 },
		fill: func(w *world) {
			for i := range 1200 {
				w.stale(fmt.Sprintf("more/%04d", i), 10*24*time.Hour)
			}
		}, hidden: true},
	{store: "ECS and others", does: "stops at 1,000 uploads that all are alive", source: "distribution/distribution#3062",
		set: func(o *sandbox.Options) { o.Quirks.ShowsAtMost = 1000; o.MaxPage = 1000 },
		fill: func(w *world) {
			for i := range 1000 {
				w.young(fmt.Sprintf("!/%04d", i))
			}
		},
		stays:  func(*world, string) bool { return true },
		hidden: true, note: "exactly 1000 uploads", still: "exactly 1000 uploads"},

	{store: "Google Cloud Storage", does: "refuses a marker with nothing in it", source: "syslog-ng/syslog-ng#4956",
		set: func(o *sandbox.Options) { o.Quirks.RefusesBlankMarker = true }},
	{store: "Backblaze B2", does: "lets a key that may list not abort", source: "elastic/elasticsearch#159153",
		script: func(w *world) {
			w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpAbort, Key: "a b", Code: "AccessDenied"})
		},
		stays: func(_ *world, key string) bool { return key == "a b" }, err: "AccessDenied"},
	{store: "Supabase, moto", does: "looks an upload up by its ID alone, so that a wrong key aborts a live one", source: "supabase/storage#1391",
		set:   func(o *sandbox.Options) { o.Quirks.FindsByID = true },
		event: `{"type":"upload-failed","request":"s3://media/wrong?uploadId=slow-1","failedAt":"2026-11-21T11:00:00Z"}`,
		stays: func(*world, string) bool { return true }, hidden: true},
	{store: "Riak CS, Storj", does: "ignores the upload ID marker and goes on with the next key", source: "basho/riak_cs#464, storj/edge#213",
		set:    func(o *sandbox.Options) { o.Quirks.Paging = sandbox.IgnoresIDMarker },
		hidden: true},
	{store: "lakeFS", does: "sends no upload ID marker", source: "treeverse/lakeFS#9035",
		set:    func(o *sandbox.Options) { o.Quirks.Paging = sandbox.NamesKeyOnly },
		hidden: true},
	{store: "Scality", does: "sends the same marker again and again", source: "scality/backbeat#247",
		set:    func(o *sandbox.Options) { o.Quirks.Paging = sandbox.NamesMarkerAgain },
		hidden: true, unsure: true, err: "came back"},
	{store: "Scality", does: "answers an abort with 409 MPUinProgress", source: "scality/cloudserver#106",
		script: func(w *world) {
			w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpAbort, Key: "a b", Respond: answer(409,
				`<Error><Code>MPUinProgress</Code><Message>An MPU is in progress</Message></Error>`)})
		},
		stays: func(_ *world, key string) bool { return key == "a b" }, err: "MPUinProgress"},
	{store: "LocalStack, S3Mock, rustfs", does: "ignores the prefix", source: "adobe/S3Mock#16",
		set:   func(o *sandbox.Options) { o.Quirks.IgnoresPrefix = true },
		event: `{"sweep":"s3://media?prefix=k/&olderThan=2d"}`,
		stays: func(_ *world, key string) bool { return !strings.HasPrefix(key, "k/") }, hidden: true,
		note: "which was not asked for", still: "which was not asked for"},
	{store: "QingStor", does: "refuses a page of more than 200", source: "rclone, backend/qingstor",
		set: func(o *sandbox.Options) { o.Quirks.MostPerPage = 200 }},
	{store: "Qumulo", does: "lists uploads of its own that nobody else may abort", source: "docs.qumulo.com",
		fill: func(w *world) { w.stale("!system", 10*24*time.Hour) },
		script: func(w *world) {
			w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpAbort, Key: "!system", Code: "AccessDenied"})
		},
		stays: func(_ *world, key string) bool { return key == "!system" }, err: "AccessDenied"},

	{store: "rclone", does: "shows nothing after a marker whose upload is gone", source: "measured, 1.76",
		set: func(o *sandbox.Options) { o.Quirks.Paging = sandbox.EmptyAfterGone }},
	{store: "rclone", does: "says NoSuchUpload where there is no such bucket", source: "measured, 1.76",
		set:   func(o *sandbox.Options) { o.Quirks.BucketGoneAsUpload = true },
		event: `{"type":"upload-failed","request":"s3://typo/k?uploadId=u","failedAt":"2026-11-21T11:00:00Z"}`,
		stays: func(*world, string) bool { return true }, hidden: true, err: "NoSuchBucket"},
	{store: "rclone", does: "repeats the part that a marker names", source: "measured, 1.76",
		set: func(o *sandbox.Options) { o.Quirks.PartMarkerIncluded = true }},
	{store: "npm s3rver", does: "has no such listing", source: "measured, 3.7",
		script: func(w *world) {
			w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpListUploads, Respond: answer(501,
				`<Error><Code>NotImplemented</Code><Message>A parameter you provided implies functionality that is not implemented</Message></Error>`)})
		},
		stays: func(*world, string) bool { return true }, hidden: true, err: "NotImplemented"},
	{store: "moto", does: "says of every upload that it was begun in 2010; only those without parts suffer", source: "measured, 5.2",
		set: func(o *sandbox.Options) {
			o.Quirks.Initiated = func(u sandbox.Upload) time.Time {
				if len(u.Parts) == 0 {
					return u.Initiated // see the rows that do not apply
				}
				return time.Date(2010, 11, 10, 23, 0, 0, 0, time.UTC)
			}
		}},
}

func minio() sandbox.Quirks {
	return sandbox.Quirks{Server: "MinIO", NeedsExactKey: true, Paging: sandbox.IgnoresPaging, Order: sandbox.ByInitiation, AbortsAlways: true}
}

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// A world is a sandbox with the same uploads in it for every row: stale ones of many keys and of one, live ones between
// them, finished objects, and a bucket that is none of our business.
type world struct {
	*sandbox.Sandbox
	made    map[string]int  // uploads of a key so far
	staleID map[string]bool // by upload ID
	bytes   map[string]int64
	alien   int // uploads that are listed and are not there: completed, or of another bucket
}

func newWorld(t *testing.T, r row) *world {
	t.Helper()
	opt := sandbox.Options{Now: func() time.Time { return now }, MaxPage: 10}
	if r.set != nil {
		r.set(&opt)
	}
	s, err := sandbox.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &world{Sandbox: s, made: map[string]int{}, staleID: map[string]bool{}, bytes: map[string]int64{}}
	if opt.Quirks.ShowsEnded || opt.Quirks.ShowsAllBuckets {
		w.alien = 1
	}
	w.CreateBucket(sandbox.S3, "media", "eu-west-1")
	w.CreateBucket(sandbox.S3, "others", "eu-west-1")
	const old = 10 * 24 * time.Hour
	for i := range 25 {
		w.stale(fmt.Sprintf("k/%02d", i), old)
	}
	w.young("same")
	for range 15 {
		w.stale("same", old)
	}
	w.slow("same")
	for range 9 {
		w.stale("same", old+time.Hour)
	}
	for _, key := range []string{"b", "b-dash", "b/c", "a b", "a+b%41", "ünï"} {
		w.stale(key, old)
	}
	w.begin("empty", old)
	w.staleID["empty-1"] = true
	w.slow("slow")
	w.young("young")
	w.Complete(sandbox.S3, "media", "done", w.begin("done", old, part(1, old)))
	w.PinUploadID(sandbox.S3, "others", "theirs", "theirs-1")
	w.Seed(sandbox.S3, "others", "theirs", now.Add(-old), part(1, old))
	if r.fill != nil {
		r.fill(w)
	}
	if r.script != nil {
		r.script(w)
	}
	return w
}

func part(n int, age time.Duration) sandbox.Part {
	return sandbox.Part{Number: n, Size: 1 << 20, Modified: now.Add(-age)}
}

// begin begins an upload whose ID tells its key and a number.
func (w *world) begin(key string, age time.Duration, parts ...sandbox.Part) string {
	w.made[key]++
	id := fmt.Sprintf("%s-%d", key, w.made[key])
	w.PinUploadID(sandbox.S3, "media", key, id)
	w.bytes[id] = int64(len(parts)) << 20
	return w.Seed(sandbox.S3, "media", key, now.Add(-age), parts...)
}

func (w *world) stale(key string, age time.Duration) {
	w.staleID[w.begin(key, age, part(1, age), part(2, age))] = true
}
func (w *world) young(key string) { w.begin(key, time.Hour, part(1, time.Hour)) }
func (w *world) slow(key string) {
	w.begin(key, 10*24*time.Hour, part(1, 10*24*time.Hour), part(2, time.Minute))
}

// left returns the IDs of the uploads that are open in the bucket.
func (w *world) left() map[string]bool {
	ids := map[string]bool{}
	for _, u := range w.Uploads(sandbox.S3, "media") {
		ids[u.UploadID] = true
	}
	return ids
}

func (w *world) handler(t *testing.T, mode string) *handler.Handler {
	t.Helper()
	h, err := handler.New(handler.Platform{
		Name: "test", Open: all.Open, Log: new(bytes.Buffer), Now: func() time.Time { return now },
		Environ: []string{
			"PARTSWEEP_BUCKETS=s3://media s3://typo s3://r2?region=auto", "PARTSWEEP_MODE=" + mode, "PARTSWEEP_CONCURRENCY=64",
			"PARTSWEEP_S3_ENDPOINT=" + w.URL(sandbox.S3), "PARTSWEEP_S3_PATH_STYLE=true", "PARTSWEEP_S3_REGION=eu-west-1",
			"PARTSWEEP_S3_ACCESS_KEY_ID=" + sandbox.AccessKeyID, "PARTSWEEP_S3_SECRET_ACCESS_KEY=" + sandbox.SecretAccessKey,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestQuirks(t *testing.T) {
	for _, r := range rows {
		t.Run(r.store+" "+r.does, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, r)
			if r.event == "" {
				r.event = everything
			}
			before := w.left()
			w.plan(t, r)
			if len(w.left()) != len(before) {
				t.Fatal("a plan aborted something")
			}
			w.sweep(t, r, before)
			w.again(t, r)
		})
	}
}

// plan looks at what would be done: all that is stale and shows, and nothing else.
func (w *world) plan(t *testing.T, r row) {
	t.Helper()
	report, _ := w.handler(t, "plan").Run(t.Context(), []byte(r.event))
	if n := report.Totals.Planned; n > len(w.staleID) || !r.hidden && n != len(w.staleID) {
		t.Errorf("planned %d, and %d are stale; notes %q", n, len(w.staleID), report.Notes)
	}
}

// sweep aborts, and compares what the report says with what the sandbox knows.
func (w *world) sweep(t *testing.T, r row, before map[string]bool) {
	t.Helper()
	w.ForgetLedger()
	report, err := w.handler(t, "apply").Run(t.Context(), []byte(r.event))
	check(t, err, report.Notes, r.err, r.note)
	left, gone, freed := w.left(), 0, int64(0)
	for id := range before {
		key := id[:strings.LastIndexByte(id, '-')]
		switch stays := !w.staleID[id] || r.stays != nil && r.stays(w, key); {
		case stays && !left[id]:
			t.Errorf("aborted %s, which was to stay", id)
		case !stays && left[id] && !r.unsure:
			t.Errorf("lost %s; notes %q", id, report.Notes)
		}
		if !left[id] {
			gone, freed = gone+1, freed+w.bytes[id]
		}
	}
	if got := report.Totals; got.Aborted != gone || got.BytesFreed < freed || got.BytesFreed > freed+7 {
		t.Errorf("reported %d aborted and %d bytes, want %d and %d", got.Aborted, got.BytesFreed, gone, freed)
	}
	if n := report.Totals.Found; n > len(before)+w.alien {
		t.Errorf("found %d, and %d were there", n, len(before))
	}
	if objects := w.Objects(sandbox.S3, "media"); !slices.Equal(objects, []string{"done"}) {
		t.Errorf("objects %q, want done", objects)
	}
	if theirs := w.Uploads(sandbox.S3, "others"); len(theirs) != 1 {
		t.Errorf("the other bucket has %d uploads, want 1", len(theirs))
	}
	if n := len(w.Ledger()); n > 20*(len(before)+10) {
		t.Errorf("%d requests for %d uploads", n, len(before))
	}
}

// again sweeps once more: nothing is left to abort, and what is known to be missing is still said.
func (w *world) again(t *testing.T, r row) {
	t.Helper()
	left := len(w.left())
	report, err := w.handler(t, "apply").Run(t.Context(), []byte(r.event))
	check(t, err, report.Notes, r.err, r.still)
	if !r.unsure && (len(w.left()) != left || report.Totals.Aborted != 0) {
		t.Errorf("the second sweep aborted %d", report.Totals.Aborted)
	}
}

func check(t *testing.T, err error, notes []string, wantErr, wantNote string) {
	t.Helper()
	if wantErr == "" && err != nil || wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)) {
		t.Errorf("error %v, want %q", err, wantErr)
	}
	switch said := strings.Join(notes, "\n"); {
	case wantNote == "" && said != "":
		t.Errorf("the report says %q", said)
	case !strings.Contains(said, wantNote):
		t.Errorf("the report says %q, want %q", said, wantNote)
	}
}
