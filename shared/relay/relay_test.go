package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

func messages(n int) (all []Message) {
	for i := range n {
		all = append(all, Message{Request: mpu.Request{Bucket: mpu.Bucket{Store: "s3", Name: fmt.Sprint("bucket-", i)}}, Hops: 1, Expires: time.Now()})
	}
	return all
}

func open(t *testing.T, handle http.HandlerFunc) *SQS {
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	q, err := OpenSQS(s.URL+"/123456789012/work", "eu-west-1", func(context.Context) (store.Credentials, error) {
		return store.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	q.pause = time.Millisecond
	return q
}

type batch struct {
	QueueURL string `json:"QueueUrl"`
	Entries  []entry
}

func TestSQS(t *testing.T) {
	for _, tt := range []struct {
		name  string
		n     int
		say   func(call int, b batch) (status int, answer string)
		taken int
		calls int
		kind  mpu.Kind // 0: no error
	}{
		{"all", 25, func(_ int, b batch) (int, string) { return 200, took(b, len(b.Entries)) }, 25, 3, 0},
		{"some, then the rest", 10, func(call int, b batch) (int, string) {
			if call == 1 {
				return 200, took(b, 4)
			}
			return 200, took(b, len(b.Entries))
		}, 10, 2, 0},
		{"busy at first", 3, func(call int, b batch) (int, string) {
			if call < 3 {
				return 503, `{"__type":"com.amazonaws.sqs#ServiceUnavailable"}`
			}
			return 200, took(b, len(b.Entries))
		}, 3, 3, 0},
		{"busy for good", 15, func(call int, b batch) (int, string) {
			if call == 1 {
				return 200, took(b, len(b.Entries))
			}
			return 500, ""
		}, 10, 1 + sendAttempts, mpu.Transient},
		{"not allowed", 3, func(int, batch) (int, string) {
			return 403, `{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"not authorized"}`
		}, 0, 1, mpu.Denied},
		{"too many at once", 3, func(call int, b batch) (int, string) {
			if call == 1 {
				return 400, `{"__type":"com.amazonaws.sqs#OverLimit"}`
			}
			if call == 2 {
				return 408, ""
			}
			return 200, took(b, len(b.Entries))
		}, 3, 3, 0},
		{"a redirect", 3, func(int, batch) (int, string) { return 307, "" }, 0, 1, mpu.Denied},
		{"an answer that says nothing", 3, func(int, batch) (int, string) { return 200, `{}` }, 0, sendAttempts, mpu.Transient},
		{"one that is wrong", 2, func(_ int, b batch) (int, string) {
			return 200, `{"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","Code":"InvalidMessageContents","SenderFault":true}]}`
		}, 0, 1, mpu.Invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			calls, seen := 0, map[string]int{}
			q := open(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				body, _ := io.ReadAll(r.Body)
				var b batch
				if err := json.Unmarshal(body, &b); err != nil || len(b.Entries) > 10 || r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessageBatch" ||
					!strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/sqs/aws4_request") || r.Header.Get("X-Amz-Security-Token") != "token" ||
					!strings.HasSuffix(b.QueueURL, "/123456789012/work") {
					t.Errorf("%s %s: %v", r.Header, body, err)
				}
				for _, e := range b.Entries {
					seen[e.Body]++
				}
				status, answer := tt.say(calls, b)
				w.Header().Set("X-Amzn-Requestid", "ID1")
				w.Header().Set("Location", "/elsewhere") // which nobody follows
				w.WriteHeader(status)
				io.WriteString(w, answer)
			})
			taken, err := q.Send(t.Context(), messages(tt.n))
			if taken != tt.taken || calls != tt.calls || tt.kind == 0 && (err != nil || len(seen) != tt.n) {
				t.Errorf("%d taken in %d calls, %d different, %v; want %d in %d", taken, calls, len(seen), err, tt.taken, tt.calls)
			}
			if e, _ := errors.AsType[*mpu.Error](err); tt.kind != 0 && (e == nil || e.Kind != tt.kind || e.RequestID != "ID1") {
				t.Errorf("%v, want %s with the request ID", err, tt.kind)
			}
		})
	}
}

func took(b batch, n int) string {
	var ids []string
	for _, e := range b.Entries[:n] {
		ids = append(ids, fmt.Sprintf(`{"Id":%q}`, e.ID))
	}
	return `{"Successful":[` + strings.Join(ids, ",") + `]}`
}

// A service that disputes a signature quotes what was signed.
func TestSQSHidesItsSecrets(t *testing.T) {
	creds := store.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "a-secret-key", SessionToken: "a-session-token"}
	for status, answer := range map[int]string{
		403: `{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"should have been 'POST / x-amz-security-token:%s %s'"}`,
		200: `{"Failed":[{"Id":"0","Code":"%s","Message":"%s","SenderFault":true}]}`,
	} {
		q := open(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, answer, creds.SessionToken, creds.SecretAccessKey)
		})
		q.credentials = func(context.Context) (store.Credentials, error) { return creds, nil }
		_, err := q.Send(t.Context(), messages(1))
		if err == nil || strings.Contains(err.Error(), creds.SessionToken) || strings.Contains(err.Error(), creds.SecretAccessKey) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestSQSTakesNoTimeItHasNot(t *testing.T) {
	q := open(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	q.pause = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if n, err := q.Send(ctx, messages(1)); n != 0 || mpu.KindOf(err) != mpu.Transient {
		t.Errorf("%d, %v", n, err)
	}
}

func TestOpenSQS(t *testing.T) {
	for url, want := range map[string]string{
		"https://sqs.eu-west-1.amazonaws.com/123456789012/work":     "eu-west-1",
		"https://sqs.cn-north-1.amazonaws.com.cn/123456789012/work": "cn-north-1",
		"http://127.0.0.1:5000/123456789012/work":                   "us-east-2",
		"https://sqs.eu-west-1.amazonaws.com":                       "",
		"arn:aws:sqs:eu-west-1:123456789012:work":                   "",
		"https://user:secret@sqs.eu-west-1.amazonaws.com/1/work":    "",
	} {
		q, err := OpenSQS(url, "us-east-2", nil)
		if (err == nil) != (want != "") || err == nil && q.region != want {
			t.Errorf("%s: %+v, %v; want region %q", url, q, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v shows a password", err)
		}
	}
}
