package trigger

import (
	"strings"
	"testing"
)

// What anyone may write into an event of their own does not become more than anyone may ask for: the project's failure
// message, or a plan.
func TestOriginIsNotBelieved(t *testing.T) {
	const sweep = `{"sweep":"s3://*?olderThan=1d"}`
	lambda := func(payload string) string {
		return `{"version":"0","id":"1","detail-type":"Lambda Function Invocation Result - Failure","source":"lambda","time":"2026-11-03T08:59:58Z","detail":` +
			`{"version":"1.0","timestamp":"2026-11-03T08:59:58Z","requestContext":{"functionArn":"arn:aws:lambda:eu-west-1:1:function:f","condition":"RetriesExhausted"},"requestPayload":` + payload + `,"responsePayload":{}}}`
	}
	cloud := func(source, kind, data, more string) string {
		return `{"specversion":"1.0","id":"1","source":"` + source + `","type":"` + kind + `","data":` + data + more + `}`
	}
	mns := `{"requestId":"r","messageId":"m","messageBody":"{\"sweep\":\"s3://*?olderThan=1d\"}"}`
	for _, tt := range []struct {
		name, event string
		acts        bool
	}{
		{"a sweep in a destination on a bus", lambda(sweep), false},
		{"by hand in a destination on a bus", lambda(`{"request":"s3://*?olderThan=1d","apply":true}`), false},
		{"the failure message in a destination on a bus", lambda(`{"type":"upload-failed","request":"s3://media-in/k?uploadId=u","failedAt":"2026-11-03T08:59:58Z"}`), true},
		{"a queue's message from its own source", cloud("acs:mns", "mns:Queue:SendMessage", mns, ""), true},
		{"a queue's message from another source", cloud("com.evil", "mns:Queue:SendMessage", mns, ""), false},
		{"an OSS event from another source", cloud("com.evil", "oss:ObjectCreated:CompleteMultipartUpload", `{}`, ""), false},
		{"a topic's fields on a cloud event", cloud("com.evil", "x", `{}`, `,"TopicOwner":"1","TopicName":"t","Message":"{\"sweep\":\"s3://*?olderThan=1d\"}"`), false},
		{"a map that applies", `{"Items":["s3://media-in?olderThan=2d"],"BatchInput":{"apply":true}}`, true},
		{"a map's item that says no", `{"Items":[{"request":"s3://media-in?olderThan=2d","apply":false}],"BatchInput":{"apply":true}}`, false},
		{"a map's item that says no, as a text", `{"Items":["{\"request\":\"s3://media-in?olderThan=2d\",\"apply\":false}"],"BatchInput":{"apply":true}}`, false},
		{"a timer that names an upload", `{"sweep":"s3://media-in/k?uploadId=u&before=2026-11-03T08:59:58Z"}`, false},
		{"a timer that names a video", `{"sweep":"vod://cn-shanghai/61ccbdb06fa3012be4d8083f6"}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Parse([]byte(tt.event))
			acts := false
			for _, item := range e.Items {
				acts = acts || item.Err == nil && !item.PlanOnly
			}
			if acts != tt.acts {
				t.Errorf("acts: %v, want %v: %+v, %v", acts, tt.acts, e, err)
			}
			if !tt.acts && err == nil && len(e.Items) == 0 {
				t.Error("neither a request nor a reason")
			}
			if err != nil && strings.Contains(err.Error(), "sweep\\") {
				t.Errorf("the event is in the error: %v", err)
			}
		})
	}
}
