package adversary

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/test/sandbox"
)

// An answer is one that a store gives in the place of the right one.
type answer struct {
	name   string
	status int
	body   string
	again  bool // it may be better the next time, and so is asked for again
}

// wrong are answers to any operation of the four object stores that must not pass for success, nor for "gone". BUCKET and
// ID are what the request was about.
var wrong = []answer{
	{"an error under success", 200, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`, false},
	{"an unknown error under success", 200, `<Error><Code>Teapot</Code></Error>`, false},
	{"a missing bucket under success", 200, `<Error><Code>NoSuchBucket</Code></Error>`, false},
	{"an error that may pass under success", 200, `<Error><Code>InternalError</Code></Error>`, true},
	{"a page to log in", 200, "<!DOCTYPE html><html><body><form>Log in</form><br></body></html>", false},
	{"a page that is XML", 200, "<html><body>Log in</body></html>", false},
	{"JSON", 200, `{"uploads":[]}`, false},
	{"plain text", 200, "OK", false},
	{"a listing of objects", 200, `<ListBucketResult><Name>BUCKET</Name><IsTruncated>false</IsTruncated></ListBucketResult>`, false},
	{"nothing under accepted", 202, "<Accepted/>", false},
	{"a part of it", 206, `<ListMultipartUploadsResult><Bucket>BUCKET</Bucket><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>`, false},
	{"a page that is not there", 404, "<!DOCTYPE html><html><body>404 Not Found<br></body></html>", false},
	{"nothing that is there", 404, "", false},
	{"another thing that is not there", 404, `<Error><Code>NoSuchKey</Code></Error>`, false},
	{"no such upload, in a page", 404, `<html><body><h1>NoSuchUpload</h1><Code>NoSuchUpload</Code></body></html>`, false},
	{"no such upload, in a page that is no XML", 404, `<html><br>Error: NoSuchUpload`, false},
	{"no such upload, in text", 404, "NoSuchUpload: The specified upload does not exist.", false},
	{"no such upload, in JSON", 404, `{"Code":"NoSuchUpload"}`, false},
	{"no such upload, in the message", 404, `<Error><Code>Teapot</Code><Message>NoSuchUpload</Message></Error>`, false},
	{"no such upload, in a comment", 404, `<Error><!--<Code>NoSuchUpload</Code>--><Code>Teapot</Code></Error>`, false},
	{"no such upload, in an attribute", 404, `<Error Code="NoSuchUpload"/>`, false},
	{"no such upload, further down", 404, `<Error><Details><Code>NoSuchUpload</Code></Details></Error>`, false},
	{"no such upload, beside the error", 404, `<Answer><Code>NoSuchUpload</Code></Answer>`, false},
	{"no such upload, and something else", 404, `<Error><Code>NoSuchUpload</Code><Code>AccessDenied</Code></Error>`, false},
	{"something else, and no such upload", 404, `<Error><Code>AccessDenied</Code><Code>NoSuchUpload</Code></Error>`, false},
	{"no such upload, spelt in another way", 404, `<Error><Code>nosuchupload</Code></Error>`, false},
	{"no such upload, and more", 404, `<Error><Code>NoSuchUploadPolicy</Code></Error>`, false},
	{"no such upload, cut short", 404, `<Error><Code>NoSuchUpload</Code><Message>The spec`, false},
	{"no such upload, behind a document type", 404, `<!DOCTYPE Error [<!ENTITY c "NoSuchUpload">]><Error><Code>&c;</Code></Error>`, false},
	{"no such upload, under forbidden", 403, `<Error><Code>NoSuchUpload</Code></Error>`, false},
	{"no such upload, under a bad request", 400, `<Error><Code>NoSuchUpload</Code></Error>`, false},
	{"no such upload, under a redirect", 301, `<Error><Code>NoSuchUpload</Code></Error>`, false},
	{"no such upload, under a failure", 500, `<Error><Code>NoSuchUpload</Code></Error>`, true},
	{"no such upload, under a failure of a proxy", 502, `<Error><Code>NoSuchUpload</Code></Error>`, true},
	{"not modified", 304, "", false},
}

// wrongListings are wrong answers to listings only: an abort has no answer to be wrong in.
var wrongListings = []answer{
	{"nothing", 200, "", true},
	{"blanks", 200, " \n", true},
	{"no content", 204, "", false},
	{"an element of that name", 200, "<ListMultipartUploadsResult/>", false},
	{"an element of that name", 200, "<ListPartsResult/>", false},
	{"another bucket's uploads", 200, `<ListMultipartUploadsResult><Bucket>payroll</Bucket><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>`, false},
	{"another bucket's parts", 200, `<ListPartsResult><Bucket>payroll</Bucket><IsTruncated>false</IsTruncated></ListPartsResult>`, false},
	{"another upload's parts", 200, `<ListPartsResult><Bucket>BUCKET</Bucket><UploadId>other</UploadId><IsTruncated>false</IsTruncated></ListPartsResult>`, false},
	{"an upload without a key", 200, `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><UploadId>ID</UploadId></Upload></ListMultipartUploadsResult>`, false},
	{"uploads cut short", 200, `<ListMultipartUploadsResult><Bucket>BUCKET</Bucket><IsTruncated>false</IsTruncated>`, true},
	{"uploads cut in a tag", 200, `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>k</Ke`, true},
	{"parts cut short", 200, `<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber>`, true},
	{"uploads and something behind", 200, `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult><Error/>`, false},
	{"more, and not where", 200, `<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>`, false},
	{"more parts, and not where", 200, `<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>`, false},
	{"perhaps more", 200, `<ListMultipartUploadsResult><IsTruncated>perhaps</IsTruncated></ListMultipartUploadsResult>`, false},
	{"no word of more", 200, `<ListMultipartUploadsResult><Bucket>BUCKET</Bucket></ListMultipartUploadsResult>`, false},
}

// wrongACS are those of the two services that answer in JSON.
var wrongACS = []answer{
	{"an error under success", 200, `{"RequestId":"r","Code":"NoPermission","Message":"no"}`, false},
	{"an unknown error under success", 200, `{"RequestId":"r","Code":"Teapot"}`, false},
	{"an error that may pass under success", 200, `{"RequestId":"r","Code":"InternalError"}`, true},
	{"a page to log in", 200, "<!DOCTYPE html><html><body>Log in</body></html>", false},
	{"nothing", 200, "", false},
	{"no content", 204, "", false},
	{"null", 200, "null", false},
	{"an array", 200, `[{"RequestId":"r"}]`, false},
	{"a text", 200, `"RequestId"`, false},
	{"an object", 200, "{}", false},
	{"another program's error", 200, `{"error":"unauthorized"}`, false},
	{"cut short", 200, `{"RequestId":"r","Total":0,"VideoList":{"Video":[`, false},
	{"two documents", 200, `{"RequestId":"r"}{"RequestId":"r"}`, false},
	{"a page that is not there", 404, "<html>404 Not Found</html>", false},
	{"nothing that is there", 404, "", false},
	{"not there, in a page", 404, "<html>InvalidVideo.NotFound InvalidMultipartUpload.NotFound InvalidParameter.ResourceNotFound</html>", false},
	{"not there, in the message", 404, `{"RequestId":"r","Code":"Teapot","Message":"InvalidMultipartUpload.NotFound"}`, false},
	{"not there, in XML", 404, `<Error><Code>InvalidMultipartUpload.NotFound</Code></Error>`, false},
	{"not there, further down", 404, `{"RequestId":"r","Data":{"Code":"InvalidMultipartUpload.NotFound"}}`, false},
	{"no such action", 404, `{"RequestId":"r","Code":"InvalidAction.NotFound"}`, false},
	{"no such API", 404, `{"RequestId":"r","Code":"InvalidApi.NotFound"}`, false},
	{"no such storage", 400, `{"RequestId":"r","Code":"InvalidStorage.NotFound"}`, false},
	{"a proxy's failure", 502, `<html>Bad Gateway</html>`, true},
}

// TestWrongAnswers: whatever a store or what stands before it answers in place of the right thing is an error, that says
// what it was about. It never passes for done, for nothing found or for gone.
func TestWrongAnswers(t *testing.T) {
	for _, s := range sandbox.Services {
		for _, op := range []string{sandbox.OpListUploads, sandbox.OpListParts, sandbox.OpAbort, sandbox.OpVideoInfo} {
			answers := wrong
			switch {
			case s == sandbox.VOD || s == sandbox.MPS:
				answers = wrongACS
			case op != sandbox.OpAbort:
				answers = append(append([]answer{}, wrong...), wrongListings...)
			}
			if s == sandbox.MPS && op != sandbox.OpAbort || s != sandbox.VOD && op == sandbox.OpVideoInfo {
				continue // does not have it
			}
			for _, a := range answers {
				t.Run(fmt.Sprintf("%s/%s/%d %s", s, op, a.status, a.name), func(t *testing.T) {
					t.Parallel()
					a.give(t, s, op)
				})
			}
		}
	}
}

// give has a service answer one operation so, in the middle of an otherwise good world.
func (a answer) give(t *testing.T, s sandbox.Service, op string) {
	w := newWorld(t)
	mine := w.seed(ours[s], "raw/a", "ID")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var asked atomic.Int32
	w.Script(sandbox.Fault{Service: s, Op: op, Respond: func(rw http.ResponseWriter) {
		if asked.Add(1) > 1 && a.again {
			stop() // it would be asked for again for as long as there is time
		}
		rw.WriteHeader(a.status)
		io.WriteString(rw, strings.NewReplacer("BUCKET", ours[s].Name).Replace(a.body))
	}})
	event := failed(mine)
	if op == sandbox.OpListUploads {
		event = sweepOf(ours[s])
	}
	report, err := w.Run(ctx, []byte(event))
	if w.Count(s, op) == 0 {
		t.Fatalf("%s was never asked for", op)
	}
	if err == nil || report.Totals.Aborted > 0 || report.Totals.Gone > 0 || !w.there(mine) {
		t.Errorf("%+v, %v", report.Totals, err)
	}
	if says(t, err, ours[s].Name, "left to do"); asked.Load() > 1 && !a.again {
		t.Errorf("asked %d times", asked.Load())
	}
	w.checkLog(t)
}

// TestGoneIsSaidByTheUpload: a listing says nothing of the kind, though it be in the right words.
func TestGoneIsSaidByTheUpload(t *testing.T) {
	for _, s := range objectStores {
		t.Run(string(s), func(t *testing.T) {
			w := newWorld(t)
			mine := mpu.Upload{Bucket: ours[s], Key: "raw/a", UploadID: "ID"}
			w.PinUploadID(s, mine.Bucket.Name, mine.Key, mine.UploadID)
			w.Seed(s, mine.Bucket.Name, mine.Key, old) // without a part, so that the listing is asked for its age
			w.Script(sandbox.Fault{Service: s, Op: sandbox.OpListUploads, Code: "NoSuchUpload"})
			for _, event := range []string{sweepOf(ours[s]), failed(mine)} {
				report, err := w.run(t, event)
				says(t, err, "NoSuchUpload")
				if report.Totals.Gone > 0 || report.Totals.Aborted > 0 || len(w.Uploads(s, mine.Bucket.Name)) != 1 {
					t.Errorf("%+v, %v", report.Totals, err)
				}
			}
		})
	}
}

// TestAbortThatIsNoAbort: an answer to an abort that says anything at all is read before it is believed.
func TestAbortThatIsNoAbort(t *testing.T) {
	for _, body := range []string{"<Error><Code>AccessDenied</Code></Error>", "<AbortMultipartUploadResult/>", "OK", "{}", "\x00", "<html></html>"} {
		for _, status := range []int{200, 202} {
			w := newWorld(t)
			mine := w.seed(ours[sandbox.S3], "raw/a", "ID")
			w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpAbort, Respond: func(rw http.ResponseWriter) {
				rw.WriteHeader(status)
				io.WriteString(rw, body)
			}})
			if report, err := w.run(t, failed(mine)); err == nil || report.Totals.Aborted > 0 {
				t.Errorf("%d %q: %+v, %v", status, body, report.Totals, err)
			}
		}
	}
}

// TestAbortThatDidNothing: an abort that is accepted and changes nothing is noticed where parts may still be on their way.
func TestAbortThatDidNothing(t *testing.T) {
	for _, s := range objectStores {
		w := newWorld(t)
		mine := w.seed(ours[s], "raw/a", "ID")
		w.Script(sandbox.Fault{Service: s, Op: sandbox.OpAbort, Respond: func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusNoContent) }})
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		report, err := w.Run(ctx, []byte(failed(mine)))
		cancel()
		if err == nil || report.Totals.Verified > 0 || report.Totals.Aborted > 0 {
			t.Errorf("%s: %+v, %v", s, report.Totals, err)
		}
	}
}
