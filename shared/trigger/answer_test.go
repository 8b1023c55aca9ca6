package trigger

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partsweep/partsweep/shared/mpu"
)

func readEvent(t *testing.T, name string) Event {
	t.Helper()
	event, err := os.ReadFile(eventsDir + "/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Parse(event)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestOneBadOfTen makes sure that every message keeps its ID, the bad one too.
func TestOneBadOfTen(t *testing.T) {
	e := readEvent(t, "aws/sqs-one-bad-of-ten")
	if e.Answer != AnswerSQS || len(e.Items) != 10 {
		t.Fatalf("answer %q with %d items", e.Answer, len(e.Items))
	}
	for i, item := range e.Items {
		if want := fmt.Sprintf("11111111-2222-4333-8444-55555555%04d", i+1); item.ID != want {
			t.Errorf("item %d is %q, want %q", i, item.ID, want)
		}
		if (item.Err != nil) != (i == 3) {
			t.Errorf("item %d: %v", i, item.Err)
		}
	}
}

// TestMessageWithSeveral gives each request of a message the ID of the message, through whatever it was wrapped in.
func TestMessageWithSeveral(t *testing.T) {
	e := readEvent(t, "aws/sqs-several-kinds")
	var ids []string
	for _, item := range e.Items {
		ids = append(ids, item.ID[len(item.ID)-1:])
	}
	if diff := cmp.Diff([]string{"1", "2", "3", "3", "4", "5", "6"}, ids); diff != "" {
		t.Errorf("IDs (-want +got):\n%s", diff)
	}
	if !e.Tick.IsZero() {
		t.Errorf("several messages have the tick %v", e.Tick)
	}
}

func TestS3BatchIsEchoed(t *testing.T) {
	e := readEvent(t, "aws/s3-batch-2.0-before")
	want := &S3Batch{SchemaVersion: "2.0", InvocationID: "aW52b2NhdGlvbjE"}
	if diff := cmp.Diff(want, e.S3Batch); diff != "" || e.Answer != AnswerS3Batch {
		t.Errorf("answer %q (-want +got):\n%s", e.Answer, diff)
	}
	for i, item := range e.Items {
		if want := fmt.Sprintf("dGFzaz%d", i+1); item.ID != want {
			t.Errorf("item %d is %q, want %q", i, item.ID, want)
		}
	}
}

func TestWebRequest(t *testing.T) {
	const body = `{"type": "upload-failed", "request": "s3://media-in/raw/k1.mxf?uploadId=u1", "failedAt": "2026-11-03T08:59:58Z", "reason": "client-timeout"}`
	for _, tt := range []struct {
		event string
		want  HTTPRequest
	}{
		{"aws/function-url", HTTPRequest{Platform: "lambda", Method: "POST", Path: "/sweep", Body: []byte(body),
			Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer example"}}}},
		{"aws/function-url-iam", HTTPRequest{Platform: "lambda", Method: "POST", Path: "/sweep", Body: []byte(body), IAM: true,
			Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer example"}}}},
		{"aws/http-api-base64", HTTPRequest{Platform: "lambda", Method: "POST", Path: "/sweep", Body: []byte(body),
			Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer example"}}}},
		{"aws/http-api-get", HTTPRequest{Platform: "lambda", Method: "GET", Path: "/sweep",
			Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer example"}}}},
		{"alibaba/http-trigger-base64", HTTPRequest{Platform: "fc", Method: "POST", Path: "/abort", Body: []byte(body),
			Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer example"}}}},
		{"tencent/function-url", HTTPRequest{Platform: "scf", Method: "POST", Path: "/sweep", Body: []byte(body),
			Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer example"}}}},
	} {
		t.Run(tt.event, func(t *testing.T) {
			e := readEvent(t, tt.event)
			if diff := cmp.Diff(&tt.want, e.HTTP); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	e := readEvent(t, "alibaba/http-trigger-vod-callback")
	if got := e.HTTP.Header.Get("X-VOD-SIGNATURE"); got != "c72b60894140fa98920f1279219b7ed4" {
		t.Errorf("signature %q", got)
	}
	if _, err := ParseVODCallback(e.HTTP.Body); err != nil {
		t.Error(err)
	}
}

func TestWebRequestBody(t *testing.T) {
	event := func(n int) []byte {
		return []byte(`{"httpMethod":"POST","path":"/","headers":{},"body":"` + strings.Repeat("x", n) + `"}`)
	}
	if e, err := Parse(event(maxBody)); err != nil || len(e.HTTP.Body) != maxBody {
		t.Errorf("as much as may be: %v", err)
	}
	if _, err := Parse(event(maxBody + 1)); mpu.KindOf(err) != mpu.Invalid {
		t.Errorf("a byte too many: %v", err)
	}
}

func TestParseVODCallback(t *testing.T) {
	const failed = `{"EventTime":"2026-11-03T08:59:58Z","EventType":"UploadByURLComplete","Status":"fail","JobId":"86c1925f"`
	for _, tt := range []struct{ name, body, want string }{
		{"a failed pull", failed + `}`, "look up 86c1925f before=2026-11-03T08:59:58Z cause=UploadByURLComplete"},
		{"a video and its region are not believed", failed + `,"VideoId":"v1","FileURL":"https://b.oss-ap-southeast-1-internal.aliyuncs.com/k"}`,
			"look up 86c1925f before=2026-11-03T08:59:58Z cause=UploadByURLComplete"},
		{"with a video in a region of the source's", failed + `,"VideoId":"v1","SourceURL":"https://b.oss-cn-beijing.aliyuncs.com/k"}`,
			"look up 86c1925f before=2026-11-03T08:59:58Z cause=UploadByURLComplete"},
		{"a video that was uploaded", `{"EventTime":"2026-11-03T08:59:58Z","EventType":"FileUploadComplete","Status":"success","VideoId":"v1"}`, "ignored: "},
		{"an unknown callback", `{"EventTime":"x","EventType":"Other"}`, `ignored: read vod callback: EventType "Other"`},
		{"another event", `{"type":"upload-failed","request":"s3://media-in/k","failedAt":"2026-11-03T08:59:58Z"}`, "invalid: read vod callback: "},
		{"a request by hand", `s3://media-in`, "invalid: read vod callback: "},
		{"wrapped", `{"Records":[{"eventSource":"aws:sqs","messageId":"1","body":"s3://media-in"}]}`, "invalid: read vod callback: "},
		{"nothing", ``, "invalid: read vod callback: "},
		{"no text", "\xff", "invalid: read event: encoding"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := ParseVODCallback([]byte(tt.body))
			checkEvent(t, []byte(tt.body), e, err)
			if got := outcomes(e, err); len(got) != 1 || !strings.HasPrefix(got[0], tt.want) {
				t.Errorf("got %q, want %s", got, tt.want)
			}
		})
	}
}

// TestCalls walks every code that has a meaning of its own.
func TestCalls(t *testing.T) {
	for _, code := range hopelessCodes {
		if err := (call{"CompleteMultipartUpload", code, true}).ignored(); err != nil {
			t.Error(err)
		}
		if (call{"CompleteMultipartUpload", code, false}).ignored() == nil {
			t.Errorf("%s from another account is acted upon", code)
		}
		for _, name := range []string{"AbortMultipartUpload", "CreateMultipartUpload", "InitiateMultipartUpload", "PutObject"} {
			if (call{name, code, true}).ignored() == nil {
				t.Errorf("%s %s is acted upon", name, code)
			}
		}
	}
	for _, code := range passingCodes {
		if err := (call{"AbortMultipartUpload", code, true}).ignored(); err != nil {
			t.Error(err)
		}
		for _, c := range []call{{"AbortMultipartUpload", code, false}, {"CompleteMultipartUpload", code, true}, {"UploadPart", code, true}} {
			if c.ignored() == nil {
				t.Errorf("%+v is acted upon", c)
			}
		}
	}
	denied := []string{"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed",
		"AuthorizationHeaderMalformed", "UnauthorizedAccess", "KMS.DisabledException", "", "NoSuchUpload", "SomethingNew"}
	for _, code := range denied {
		for _, name := range []string{"CompleteMultipartUpload", "AbortMultipartUpload", "UploadPart", "UploadPartCopy"} {
			if (call{name, code, true}).ignored() == nil {
				t.Errorf("%s %q is acted upon", name, code)
			}
		}
	}
}

// TestTooMuchAtOnce leaves the messages that are too many for another delivery, and loses none of the others.
func TestTooMuchAtOnce(t *testing.T) {
	var records []string
	for i := range 3 {
		records = append(records, fmt.Sprintf(`{"eventSource":"aws:sqs","messageId":"m%d","body":%q}`, i, strings.Repeat("s3://a ", 700)))
	}
	e, err := Parse([]byte(`{"Records":[` + strings.Join(records, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	last := e.Items[len(e.Items)-1]
	if len(e.Items) != 1401 || last.ID != "m2" || mpu.KindOf(last.Err) != mpu.Refused {
		t.Errorf("%d items, the last of %s: %v", len(e.Items), last.ID, last.Err)
	}
}

// TestTickOfOneMessage keeps the tick of a timer that comes through a queue.
func TestTickOfOneMessage(t *testing.T) {
	e, err := Parse([]byte(`{"Records":[{"eventSource":"aws:sqs","messageId":"1","body":"{\"sweep\":\"s3://a?olderThan=1h\",\"time\":\"2026-11-03T10:00:00Z\"}"}]}`))
	if want := time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC); err != nil || e.Tick != want || e.Source != "aws timer in sqs" {
		t.Errorf("%q at %v: %v", e.Source, e.Tick, err)
	}
}
