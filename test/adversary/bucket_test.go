package adversary

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/test/sandbox"
)

// sources are all that can name a bucket, by the words of the trigger package. Each of them is attacked below.
var sources = []string{
	"upload failure", "handed on", "by hand", "aws timer", "aws rule", "fc timer", "scf timer", "cloudtrail", "cls", "s3 notification",
	"s3 event", "oss event", "cos trigger", "s3 batch", "sqs", "sns", "smn", "cmq", "ckafka", "mns topic", "mns queue",
	"event stream", "destination", "cloudevent", "step functions map", "lambda http", "fc http", "scf http",
}

func TestEverySourceIsAttacked(t *testing.T) {
	seen := map[string]bool{"vod callback": true} // names a job, and never a bucket
	for _, p := range payloads(t) {
		for source := range strings.SplitSeq(p.source, " in ") {
			seen[source] = true
		}
	}
	for _, source := range sources {
		if !seen[source] {
			t.Errorf("there is no payload of %s", source)
		}
		delete(seen, source)
	}
	for source := range seen {
		if source != "vod callback" {
			t.Errorf("%s can name a bucket, and is not in the list", source)
		}
	}
}

// foreign are names that an attacker puts in the place of a bucket that is ours.
func foreign(mine, other string) map[string]string {
	return map[string]string{
		"another bucket":                  other,
		"a bucket of another service":     ours[sandbox.OSS].Name + "-",
		"in front of ours":                mine[:len(mine)-1],
		"longer than ours":                mine + "-2",
		"a path behind":                   mine + "/" + other,
		"up and down":                     mine + "/../" + other,
		"down and up":                     other + "/../" + mine,
		"up":                              "../" + other,
		"two dots":                        "..",
		"a user":                          mine + "@" + other,
		"another user":                    other + "@" + mine,
		"a query":                         other + "?" + mine,
		"a query behind":                  mine + "?bucket=" + other,
		"a fragment":                      other + "#" + mine,
		"an encoded slash":                mine + "%2f" + other,
		"an encoded way up":               mine + "%2f..%2f" + other,
		"an encoded name":                 "%70ayroll",
		"encoded twice":                   mine + "%252f" + other,
		"a host":                          "evil.example",
		"a host and a port":               "evil.example:443",
		"ours at a host":                  mine + ".evil.example",
		"a URL":                           "https://evil.example/" + mine,
		"the machine itself":              "localhost",
		"an address":                      "127.0.0.1",
		"the metadata service":            "169.254.169.254",
		"an address in brackets":          "[::1]",
		"capitals":                        strings.ToUpper(mine),
		"a capital":                       strings.ToUpper(mine[:1]) + mine[1:],
		"another alphabet":                strings.Replace(mine, "e", "\u0435", 1),
		"wide letters":                    "\uff4d" + mine[1:],
		"nothing that shows":              mine + "\u200b",
		"turned around":                   "\u202e" + mine,
		"a blank in front":                " " + mine,
		"a blank behind":                  mine + " ",
		"a dot behind":                    mine + ".",
		"a dot in front":                  "." + mine,
		"a comma":                         mine + "," + other,
		"a backslash":                     mine + "\\" + other,
		"very long":                       strings.Repeat("a", 300),
		"a line break":                    mine + "\n" + other,
		"an access point":                 "arn:aws:s3:eu-west-1:111122223333:accesspoint/" + other,
		"a directory bucket":              other + "--euw1-az1--x-s3",
		"an access point's name for one":  other + "-s3alias",
		"a request in place of a bucket":  "s3://" + other,
		"nothing":                         "",
		"a star":                          "*",
		"a star behind":                   mine + "*",
		"a NUL":                           mine + "\x00" + other,
		"a dot that ends a host's labels": mine + ".s3.eu-west-1.amazonaws.com.evil.example",
	}
}

// lure puts uploads where an attacker would like us to go: in every bucket that is not ours, under the keys and IDs that
// the payload names, and under some that a sweep would find.
func (w *world) lure(p payload) (lures []mpu.Upload) {
	for _, b := range theirs {
		lures = append(lures, w.seed(b, "raw/lure.mxf", "lure"))
		for _, r := range p.asks {
			if r.Key != "" {
				u := mpu.Upload{Bucket: b, Key: r.Key, UploadID: r.UploadID}
				if u.UploadID == "" {
					u.UploadID = "lure"
				}
				lures = append(lures, w.seed(b, u.Key, u.UploadID))
			}
		}
	}
	return lures
}

// onlyOurs fails the test if anything was sent beyond what is ours, or if one of the lures is gone.
func (w *world) onlyOurs(t *testing.T, lures []mpu.Upload) {
	t.Helper()
	if strays := w.strays(); len(strays) > 0 {
		t.Errorf("dialled %q", strays)
	}
	for _, target := range w.sent() {
		if target.Bucket != ours[target.Service].Name {
			t.Errorf("sent: %+v", target)
		}
	}
	for _, u := range lures {
		if !w.there(u) {
			t.Errorf("%s is gone", u)
		}
	}
}

// told fails the test unless an error says that the request is refused or cannot be understood, and what to do.
func told(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("nothing was sent, and nobody is told")
		return
	}
	says(t, err, "PARTSWEEP_BUCKETS", "use ", "write ", "name ", "leave ", "percent-encode", "needs one bucket", "needs the region",
		"not both", "a lifecycle rule")
}

// TestForeignBuckets has every source name buckets that are not ours, under an allow-list of just our own.
func TestForeignBuckets(t *testing.T) {
	reached := map[string]bool{}
	for _, p := range payloads(t) {
		t.Run(p.name, func(t *testing.T) {
			w := newWorld(t, "PARTSWEEP_HTTP_TOKEN="+httpToken)
			lures := w.lure(p)
			w.run(t, p.event)
			for source := range strings.SplitSeq(p.source, " in ") {
				reached[source] = reached[source] || len(w.sent()) > 0
			}
			mine, other := ours[p.service()].Name, theirs[p.service()].Name
			names := foreign(mine, other)
			for _, name := range slices.Sorted(maps.Keys(names)) {
				for _, forged := range forgeries(t, p, mine, names[name]) {
					w.ForgetLedger()
					report, err := w.run(t, forged)
					w.onlyOurs(t, lures)
					if len(w.sent()) == 0 && len(report.Ignored) == 0 {
						told(t, err)
					}
					if t.Failed() {
						t.Fatalf("%s: %.2000s\n%v", name, forged, err)
					}
				}
			}
			w.checkLog(t)
		})
	}
	for _, source := range sources {
		if !reached[source] {
			t.Errorf("no good event of %s reaches a store, so that its bad ones prove nothing", source)
		}
	}
}

// forgeries are the payload with another bucket. COS splits a bucket's name into a name and the account's number.
func forgeries(t *testing.T, p payload, mine, name string) []string {
	t.Helper()
	forged := []string{forge(t, p.event, mine, name)}
	if short, _, ok := strings.Cut(mine, "-1250000000"); ok && strings.HasPrefix(p.source, "cos trigger") {
		forged = append(forged, forge(t, p.event, short, strings.TrimSuffix(name, "-1250000000")))
	}
	return forged
}

// TestForeignStores has every source name a bucket that is ours, and a store that it is not in.
func TestForeignStores(t *testing.T) {
	for _, p := range payloads(t) {
		t.Run(p.name, func(t *testing.T) {
			var others []sandbox.Service
			for _, s := range sandbox.Services {
				if s != p.service() {
					others = append(others, s)
				}
			}
			environ := []string{"PARTSWEEP_HTTP_TOKEN=" + httpToken, allowed(others...)}
			if p.service() == sandbox.MPS {
				environ = append(environ, "PARTSWEEP_MPS_DELETE_MEDIA=no")
			}
			w := newWorld(t, environ...)
			lures := w.lure(p)
			_, err := w.run(t, p.event)
			for _, target := range w.sent() {
				if target.Service == p.service() {
					t.Errorf("sent: %+v", target)
				}
			}
			w.onlyOurs(t, lures)
			told(t, err)
		})
	}
}

// TestForeignPrefixes has every source name a bucket that is ours, and what is not under the prefix that is ours there.
func TestForeignPrefixes(t *testing.T) {
	for _, p := range payloads(t) {
		if mpu.ByMediaID(string(p.service())) {
			continue // has no keys
		}
		for name, prefix := range map[string]string{"another": "tmp/", "in capitals": "RAW/", "longer": "raw/2026/11/a b+c.mxf.part/"} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				r := mpu.Request{Bucket: ours[p.service()], Prefix: prefix}
				w := newWorld(t, "PARTSWEEP_HTTP_TOKEN="+httpToken, "PARTSWEEP_BUCKETS="+r.String(), "PARTSWEEP_MPS_DELETE_MEDIA=no")
				lures := w.lure(p)
				_, err := w.run(t, p.event)
				for _, target := range w.sent() {
					t.Errorf("sent: %+v", target)
				}
				w.onlyOurs(t, lures)
				says(t, err, "of this bucket, PARTSWEEP_BUCKETS allows only "+r.String())
			})
		}
	}
}

// hostileRegions are regions that are meant to become a part of a host.
var hostileRegions = []string{
	"evil.example", "evil.example/", "evil.example#", "evil.example?", "x@evil.example", "eu-west-1.evil.example#", "eu-west-1@evil.example/",
	"evil.example:443/", "eu-west-1/../../evil", "..", ".", "-", "eu-west-1%2eevil.example%23", "EU-WEST-1", "eu west 1", "eu-west-1\nHost: evil.example",
	"\u0435u-west-1", "eu-west-1\u3002evil.example", "[::1]", "127.0.0.1", "localhost/", strings.Repeat("a", 65), "eu-west-1.", "oss-evil.example", "*",
}

// TestHostileRegions has every source name a region that is none, for our own bucket and where the settings allow every
// bucket, so that nothing but the region's form stands in front of the attacker.
func TestHostileRegions(t *testing.T) {
	wide := "PARTSWEEP_BUCKETS=s3://* cos://* obs://* oss://* vod://cn-shanghai mps://cn-shanghai"
	for name, buckets := range map[string]string{"ours": allowed(sandbox.Services...), "every bucket": wide} {
		w := newWorld(t, "PARTSWEEP_HTTP_TOKEN="+httpToken, buckets)
		for _, p := range payloads(t) {
			t.Run(name+"/"+p.name, func(t *testing.T) {
				for _, region := range hostileRegions {
					forged := forge(t, p.event, ours[p.service()].Region, region)
					if forged == forge(t, p.event, "", "") {
						continue // names no region
					}
					w.ForgetLedger()
					report, err := w.run(t, forged)
					w.onlyOurs(t, nil)
					if len(w.sent()) == 0 && len(report.Ignored) == 0 && err == nil {
						t.Error("nothing was sent, and nobody is told")
					}
					if t.Failed() {
						t.Fatalf("%s: %.2000s\n%v", region, forged, err)
					}
				}
			})
		}
		w.checkLog(t)
	}
}

// TestForeignBucketsWhereAllAreAllowed: even if every bucket is allowed, a name stays a name and becomes no host.
func TestForeignBucketsWhereAllAreAllowed(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_BUCKETS=s3://* cos://* obs://* oss://*", "PARTSWEEP_MPS_DELETE_MEDIA=no")
	for _, s := range objectStores {
		for what, name := range foreign(ours[s].Name, theirs[s].Name) {
			event := fmt.Sprintf(`{"type":"upload-failed","store":%q,"region":%q,"bucket":%s,"key":"k","uploadId":"u","failedAt":"2026-11-03T08:59:58Z"}`,
				s, ours[s].Region, quote(name))
			w.ForgetLedger()
			_, err := w.run(t, event)
			if strays := w.strays(); len(strays) > 0 {
				t.Fatalf("%s: dialled %q", what, strays)
			}
			for _, e := range w.Ledger() {
				if e.Bucket != name || e.Key != "k" || e.UploadID != "u" {
					t.Errorf("%s: sent %+v", what, e)
				}
			}
			if len(w.Ledger()) == 0 {
				told(t, err)
			}
		}
	}
	w.checkLog(t)
}
