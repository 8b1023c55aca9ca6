package adversary

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/test/sandbox"
)

// bombs are documents that cost more than they weigh, or that fetch something, in the place of an answer. FILE and URL are
// what they would fetch.
func bombs() map[string]string {
	laughs := `<!DOCTYPE r [<!ENTITY l0 "ha">`
	for i := range 30 {
		laughs += fmt.Sprintf(`<!ENTITY l%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&l%d;", i), 10))
	}
	page := func(inner string) string {
		return "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>" + inner + "</ListMultipartUploadsResult>"
	}
	upload := func(key string) string {
		return page("<Upload><Key>" + key + "</Key><UploadId>ID</UploadId></Upload>")
	}
	return map[string]string{
		"a billion laughs":                  laughs + "]>" + upload("&l30;"),
		"a billion laughs in an error":      laughs + "]><Error><Code>&l30;</Code></Error>",
		"quadratic":                         `<!DOCTYPE r [<!ENTITY a "` + strings.Repeat("a", 1<<20) + `">]>` + upload(strings.Repeat("&a;", 10_000)),
		"a file":                            `<!DOCTYPE r [<!ENTITY x SYSTEM "file://FILE">]>` + upload("&x;"),
		"a file in an error":                `<!DOCTYPE r [<!ENTITY x SYSTEM "file://FILE">]><Error><Code>NoSuchUpload</Code><Message>&x;</Message></Error>`,
		"a URL":                             `<!DOCTYPE r [<!ENTITY x SYSTEM "URL">]>` + upload("&x;"),
		"a document type elsewhere":         `<!DOCTYPE r SYSTEM "URL">` + page(""),
		"a public document type":            `<!DOCTYPE r PUBLIC "-//X//Y" "URL">` + page(""),
		"a parameter entity":                `<!DOCTYPE r [<!ENTITY % x SYSTEM "URL">%x;]>` + page(""),
		"a harmless document type":          "<!DOCTYPE ListMultipartUploadsResult>" + page(""),
		"a document type within":            page("<!DOCTYPE x>"),
		"an entity that nobody declared":    upload("&x;"),
		"an inclusion":                      upload(`<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file://FILE" parse="text"/>`),
		"nested":                            strings.Repeat("<a>", 1_000_000),
		"nested within":                     page(strings.Repeat("<a>", 1_000_000) + strings.Repeat("</a>", 1_000_000)),
		"a million attributes":              "<ListMultipartUploadsResult " + strings.Repeat(`a="b" `, 1_000_000) + "></ListMultipartUploadsResult>",
		"a long attribute":                  `<ListMultipartUploadsResult a="` + strings.Repeat("b", 8<<20) + `"/>`,
		"a long name":                       "<" + strings.Repeat("a", 8<<20) + "/>",
		"a long text":                       upload(strings.Repeat("a", 8<<20)),
		"a long text of references":         upload(strings.Repeat("&#x1F3AC;", 1<<20)),
		"a long text in CDATA":              upload("<![CDATA[" + strings.Repeat("a", 8<<20) + "]]>"),
		"CDATA that does not end":           upload("<![CDATA[a]] >"),
		"CDATA outside":                     "<![CDATA[" + page("") + "]]>",
		"half a character":                  upload("&#xD800;"),
		"a character that is none":          upload("&#x110000;"),
		"not UTF-8 in a name":               page("<\xff\xfe/>x<"),
		"another encoding":                  "\xff\xfe<\x00L\x00i\x00s\x00t\x00/\x00>\x00",
		"a seven-bit encoding":              `<?xml version="1.0" encoding="UTF-7"?>+ADw-ListMultipartUploadsResult+AD4-`,
		"two roots":                         page("") + page(""),
		"two keys":                          page("<Upload><Key>raw/a</Key><Key>raw/b</Key><UploadId>ID</UploadId></Upload>"),
		"a key of another namespace":        page(`<Upload><Key>raw/a</Key><x:Key xmlns:x="urn:x">raw/b</x:Key><UploadId>ID</UploadId></Upload>`),
		"two upload IDs":                    page("<Upload><Key>raw/a</Key><UploadId>ID</UploadId><UploadId>ID2</UploadId></Upload>"),
		"two ages":                          page("<Upload><Key>raw/a</Key><UploadId>ID</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated><Initiated>2020-01-01T00:00:00Z</Initiated></Upload>"),
		"more, and no more":                 "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>",
		"no more, and more":                 "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker></ListMultipartUploadsResult>",
		"two buckets":                       page("<Bucket>payroll</Bucket><Bucket>BUCKET</Bucket>"),
		"two markers":                       "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextKeyMarker>l</NextKeyMarker></ListMultipartUploadsResult>",
		"two sizes of a part":               "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><Size>1</Size><Size>2</Size><LastModified>2020-01-01T00:00:00Z</LastModified></Part></ListPartsResult>",
		"two ages of a part":                "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><Size>1</Size><LastModified>2099-01-01T00:00:00Z</LastModified><LastModified>2020-01-01T00:00:00Z</LastModified></Part></ListPartsResult>",
		"more parts, and no more":           "<ListPartsResult><IsTruncated>true</IsTruncated><IsTruncated>false</IsTruncated></ListPartsResult>",
		"parts of two uploads":              "<ListPartsResult><IsTruncated>false</IsTruncated><UploadId>other</UploadId><UploadId>ID</UploadId></ListPartsResult>",
		"a stylesheet, and then nothing":    `<?xml-stylesheet href="URL"?>`,
		"a processing instruction, endless": "<?x " + strings.Repeat("a", 8<<20),
		"a comment, endless":                "<!-- " + strings.Repeat("- ", 4<<20),
		"a key too long for any store":      upload(strings.Repeat("k", 100_000)),
	}
}

// TestXMLBombs: nothing is fetched, nothing is aborted, little is held, and it is an error.
func TestXMLBombs(t *testing.T) {
	var fetched atomic.Int32
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched.Add(1)
		io.WriteString(w, "fetched-by-the-parser")
	}))
	t.Cleanup(listener.Close)
	file := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(file, []byte("fetched-by-the-parser"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, bomb := range bombs() {
		t.Run(name, func(t *testing.T) {
			for _, s := range objectStores {
				for _, op := range []string{sandbox.OpListUploads, sandbox.OpListParts, sandbox.OpAbort} {
					if s != sandbox.S3 && len(bomb) > 1<<20 {
						continue // one reader reads for all
					}
					body := strings.NewReplacer("FILE", file, "URL", listener.URL, "BUCKET", ours[s].Name).Replace(bomb)
					drop(t, s, op, body)
				}
			}
		})
	}
	if n := fetched.Load(); n != 0 {
		t.Errorf("%d requests reached the listener", n)
	}
}

// mostBomb bounds what one answer makes a function allocate, all in all.
const mostBomb = 24 << 20

// drop has a service answer one operation with a document.
func drop(t *testing.T, s sandbox.Service, op, body string) {
	t.Helper()
	w := newWorld(t)
	mine := w.seed(ours[s], "raw/a", "ID")
	status := http.StatusOK
	if strings.Contains(body, "<Error>") || op == sandbox.OpAbort {
		status = http.StatusNotFound
	}
	w.Script(sandbox.Fault{Service: s, Op: op, Times: 1, Respond: func(rw http.ResponseWriter) {
		rw.WriteHeader(status)
		io.WriteString(rw, body)
	}})
	w.Script(sandbox.Fault{Service: s, Op: op, Code: "AccessDenied"}) // what was cut is asked for again
	event := failed(mine)
	if op == sandbox.OpListUploads {
		event = sweepOf(ours[s])
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	report, err := w.run(t, event)
	runtime.ReadMemStats(&after)
	if err == nil || report.Totals.Aborted+report.Totals.Gone > 0 || !w.there(mine) {
		t.Errorf("%s %s: %+v, %v", s, op, report.Totals, err)
	}
	if err != nil && (strings.Contains(err.Error(), "fetched") || len(err.Error()) > 2000) {
		t.Errorf("%s %s: %.3000v", s, op, err)
	}
	if cost := after.TotalAlloc - before.TotalAlloc; cost > mostBomb {
		t.Errorf("%s %s: %d MiB allocated for an answer of %d MiB", s, op, cost>>20, len(body)>>20)
	}
	if strays := w.strays(); len(strays) > 0 {
		t.Errorf("dialled %q", strays)
	}
	w.checkLog(t)
}

// TestOddButWhole: what is only unusual is read as it is meant.
func TestOddButWhole(t *testing.T) {
	for name, inner := range map[string]string{
		"CDATA":                  "<Key><![CDATA[raw/</Key>]]></Key>",
		"CDATA in pieces":        "<Key>raw/<![CDATA[<]]>/Key<![CDATA[>]]></Key>",
		"references":             "<Key>raw/&lt;/Key&#62;</Key>",
		"a prefix":               `<x:Key xmlns:x="urn:x">raw/&lt;/Key&gt;</x:Key>`,
		"the same key twice":     "<Key>raw/&lt;/Key&gt;</Key><Key>raw/&lt;/Key&gt;</Key>",
		"something else beside":  "<Key>raw/&lt;/Key&gt;</Key><Owner><Key>no</Key></Owner>",
		"a comment within":       "<Key>raw/<!-- -->&lt;/Key&gt;</Key>",
		"an instruction within":  `<Key>raw/<?x "file:///etc/passwd"?>&lt;/Key&gt;</Key>`,
		"an inclusion, unheeded": `<Key>raw/&lt;/Key&gt;</Key><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			mine := w.seed(ours[sandbox.S3], "raw/</Key>", "ID")
			w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpListUploads, Respond: func(rw http.ResponseWriter) {
				io.WriteString(rw, "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload>"+inner+
					"<UploadId>ID</UploadId><Initiated>2020-01-01T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>")
			}})
			report, err := w.run(t, sweepOf(mpu.Bucket{Store: "s3", Region: "eu-west-1", Name: ours[sandbox.S3].Name}))
			if err != nil || report.Totals.Aborted != 1 || w.there(mine) {
				t.Errorf("%+v, %v", report.Totals, err)
			}
		})
	}
}
