package handler

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/trigger"
)

// message is one SQS record.
func message(id, body string) string {
	b, err := json.Marshal(map[string]any{"messageId": id, "body": body, "eventSource": "aws:sqs",
		"attributes": map[string]string{"SentTimestamp": "1795262400000"}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func batchOf(bodies ...string) []byte {
	var records []string
	for i, body := range bodies {
		records = append(records, message(fmt.Sprint("m", i), body))
	}
	return []byte(`{"Records":[` + strings.Join(records, ",") + `]}`)
}

const (
	doneBody    = `{"type":"upload-failed","request":"s3://media/raw/a.mxf?uploadId=u1","failedAt":"2026-11-21T11:59:58Z"}`
	foreignBody = `{"type":"upload-failed","request":"s3://other/k?uploadId=u","failedAt":"2026-11-21T11:59:58Z"}`
)

func TestOneBadMessageOfTen(t *testing.T) {
	bodies := []string{doneBody, doneBody, doneBody, `{"type":"upload-failed"`, doneBody, doneBody, doneBody, doneBody, doneBody, doneBody}
	w := newWorld(t, "PARTSWEEP_SQS_PARTIAL=true")
	answer, err := w.Handle(t.Context(), batchOf(bodies...))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(answer)
	if err != nil || string(b) != `{"batchItemFailures":[{"itemIdentifier":"m3"}]}` {
		t.Errorf("%s, %v", b, err)
	}
	if len(w.memory.Left()) != 0 {
		t.Error("the good messages were not done")
	}
}

// Without the setting SQS would delete every message, so the whole batch fails instead.
func TestBatchWithoutPartialAnswers(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Handle(t.Context(), batchOf(doneBody, foreignBody)); err == nil {
		t.Error("a batch with something left to do passes for done")
	}
	w = newWorld(t)
	if _, err := w.Handle(t.Context(), batchOf(doneBody, doneBody)); err != nil {
		t.Error(err)
	}
}

func TestAllMessagesDone(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_SQS_PARTIAL=true")
	answer, err := w.Handle(t.Context(), batchOf(doneBody))
	b, _ := json.Marshal(answer)
	if err != nil || string(b) != `{"batchItemFailures":[]}` {
		t.Errorf("%s, %v", b, err)
	}
}

func TestS3BatchAnswer(t *testing.T) {
	e := trigger.Event{
		Answer: trigger.AnswerS3Batch, S3Batch: &trigger.S3Batch{SchemaVersion: "2.0", InvocationID: "inv"},
		Items: []trigger.Item{{ID: "t1"}, {ID: "t2"}, {ID: "t2"}, {ID: "t3"}, {ID: "t4"}},
	}
	errs := []error{nil, nil, &mpu.Error{Kind: mpu.Transient, Code: "SlowDown"}, &mpu.Error{Kind: mpu.Refused}, &mpu.Error{Kind: mpu.Ignored}}
	got := answerS3Batch(e, errs, "apply")
	for i := range got.Results {
		if got.Results[i].ResultString == "" {
			t.Errorf("%s has no text", got.Results[i].TaskID)
		}
		got.Results[i].ResultString = ""
	}
	want := S3BatchAnswer{"2.0", "TemporaryFailure", "inv", []S3BatchResult{
		{"t1", "Succeeded", ""}, {"t2", "TemporaryFailure", ""}, {"t3", "PermanentFailure", ""}, {"t4", "Succeeded", ""},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

const token = "a-token-of-sixteen"

// post is a web request with a body.
func post(body string, header ...string) *trigger.HTTPRequest {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &trigger.HTTPRequest{Platform: "test", Method: "POST", Path: "/", Header: h, Body: []byte(body)}
}

func TestWebRequests(t *testing.T) {
	bearer := []string{"Authorization", "Bearer " + token}
	get, iam := post(doneBody, bearer...), post(doneBody)
	get.Method, iam.IAM = "GET", true
	for _, tt := range []struct {
		name    string
		environ []string
		request *trigger.HTTPRequest
		status  int
		left    int
	}{
		{"with the token", nil, post(doneBody, bearer...), 200, 0},
		{"scheme in lower case", nil, post(doneBody, "Authorization", "bearer "+token), 200, 0},
		{"without a token", nil, post(doneBody), 401, 1},
		{"with another token", nil, post(doneBody, "Authorization", "Bearer "+token+"x"), 401, 1},
		{"with basic", nil, post(doneBody, "Authorization", "Basic "+token), 401, 1},
		{"an empty token where none is set", []string{"PARTSWEEP_HTTP_TOKEN="}, post(doneBody, "Authorization", "Bearer "), 401, 1},
		{"the platform's IAM", nil, iam, 200, 0},
		{"a platform that is trusted", []string{"PARTSWEEP_HTTP_TOKEN=", "PARTSWEEP_HTTP_AUTH=platform"}, post(doneBody), 200, 0},
		{"GET", nil, get, 405, 1},
		{"no body", nil, post("", bearer...), 400, 1},
		{"a request by hand plans", nil, post(`{"request":"s3://media?olderThan=48h"}`, bearer...), 200, 1},
		{"a bucket that is not allowed", nil, post(foreignBody, bearer...), 403, 1},
		{"a web request inside", nil, post(`{"version":"2.0","rawPath":"/","headers":{},"requestContext":{"http":{"method":"POST","path":"/"}},"body":"{}","isBase64Encoded":false}`, bearer...), 400, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, append([]string{"PARTSWEEP_HTTP_TOKEN=" + token}, tt.environ...)...)
			answer := w.answerHTTP(t.Context(), tt.request)
			if left := len(w.memory.Left()); answer.StatusCode != tt.status || left != tt.left {
				t.Errorf("status %d, want %d; %d left, want %d\n%s", answer.StatusCode, tt.status, left, tt.left, answer.Body)
			}
			if !json.Valid([]byte(answer.Body)) || answer.Headers["Content-Type"] != "application/json" {
				t.Errorf("answer %+v", answer)
			}
			if strings.Contains(w.log.String()+answer.Body, token) {
				t.Error("the token is in the log or the answer")
			}
		})
	}
}

// A failing cloud is the caller's to try again.
func TestWebRequestThatIsNotDone(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_HTTP_TOKEN="+token)
	w.memory.OnAbort = func(u mpu.Upload) error { return &mpu.Error{Kind: mpu.Denied, Op: "abort upload", Target: u.String()} }
	if a := w.answerHTTP(t.Context(), post(doneBody, "Authorization", "Bearer "+token)); a.StatusCode != 500 {
		t.Errorf("status %d\n%s", a.StatusCode, a.Body)
	}
}

func sign(url, timestamp, key string) string {
	sum := md5.Sum([]byte(url + "|" + timestamp + "|" + key))
	return hex.EncodeToString(sum[:])
}

func TestCallbackSignature(t *testing.T) {
	// The vendor's own example.
	const url, stamp, key, signature = "https://www.example.com/your/callback", "1519375990", "test123", "c72b60894140fa98920f1279219b7ed4"
	at := time.Unix(1519375990, 0)
	h := &Handler{settings: Settings{CallbackURL: url, CallbackKey: key}}
	for _, tt := range []struct {
		name             string
		stamp, signature string
		now              time.Time
		ok               bool
	}{
		{"the vendor's example", stamp, signature, at, true},
		{"four minutes late", stamp, signature, at.Add(4 * time.Minute), true},
		{"six minutes late", stamp, signature, at.Add(6 * time.Minute), false},
		{"six minutes early", stamp, signature, at.Add(-6 * time.Minute), false},
		{"another timestamp", "1519375991", signature, at, false},
		{"another signature", stamp, strings.Repeat("0", 32), at, false},
		{"a prefix of the signature", stamp, signature[:31], at, false},
		{"no timestamp, rightly signed", "", sign(url, "", key), at, false},
		{"words for a timestamp, rightly signed", "now", sign(url, "now", key), at, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := h.checkCallback(post("{}", "X-VOD-TIMESTAMP", tt.stamp, "X-VOD-SIGNATURE", tt.signature), tt.now)
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, errCallback) {
				t.Errorf("%v", err)
			}
			if err != nil && statusOf(err) != http.StatusForbidden {
				t.Errorf("status %d", statusOf(err))
			}
		})
	}
	blank := &Handler{settings: Settings{}}
	if blank.checkCallback(post("{}", "X-VOD-TIMESTAMP", stamp, "X-VOD-SIGNATURE", sign("", stamp, "")), at) == nil {
		t.Error("a callback is believed although no key is set")
	}
}

// What a stranger sends is answered, and does not count as a failure of the function.
func TestWebRequestThatCannotBeRead(t *testing.T) {
	for _, body := range []string{`"isBase64Encoded":true,"body":"%%%"`, `"isBase64Encoded":false,"body":"{}","headers":{"a":"1","A":"2"}`} {
		w := newWorld(t, "PARTSWEEP_HTTP_TOKEN="+token)
		answer, err := w.Handle(t.Context(), []byte(`{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"POST","path":"/"}},`+body+`}`))
		if r, ok := answer.(Response); err != nil || !ok || r.StatusCode != http.StatusBadRequest || !json.Valid([]byte(r.Body)) {
			t.Errorf("%s: %+v, %v", body, answer, err)
		}
	}
}
