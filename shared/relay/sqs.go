package relay

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// SQS is a [Queue] on Amazon SQS (docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html, in
// the AWS JSON protocol). The SDK's client for it would add a tenth to the start of every function, for this one call.
type SQS struct {
	queue       *url.URL
	region      string
	credentials store.CredentialsFunc
	client      *http.Client
	signer      *v4.Signer
	pause       time.Duration // before it is tried again
}

// batchSize is how many messages SendMessageBatch takes. Ten of the longest are a tenth of what it may weigh.
const batchSize = 10

const (
	sendAttempts = 4
	sendTime     = 10 * time.Second
	maxAnswer    = 256 << 10
)

// OpenSQS opens a queue by its URL, as in https://sqs.eu-west-1.amazonaws.com/123456789012/partsweep. The region is the URL's
// where it names one.
func OpenSQS(queueURL, region string, credentials store.CredentialsFunc) (*SQS, error) {
	u, err := url.Parse(queueURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("write the queue's URL, as in https://sqs.eu-west-1.amazonaws.com/123456789012/partsweep")
	}
	if rest, ok := strings.CutPrefix(u.Hostname(), "sqs."); ok && strings.Contains(rest, ".amazonaws.") {
		region, _, _ = strings.Cut(rest, ".")
	}
	if region == "" {
		return nil, fmt.Errorf("the queue's URL names no region, and nothing else does")
	}
	return &SQS{queue: u, region: region, credentials: credentials, client: newClient(), signer: v4.NewSigner(),
		pause: 200 * time.Millisecond}, nil
}

// Send implements [Queue].
func (q *SQS) Send(ctx context.Context, messages []Message) (taken int, err error) {
	for len(messages) > 0 {
		n := min(len(messages), batchSize)
		if err := q.sendBatch(ctx, messages[:n]); err != nil {
			return taken, err
		}
		taken, messages = taken+n, messages[n:]
	}
	return taken, nil
}

type entry struct {
	ID   string `json:"Id"`
	Body string `json:"MessageBody"`
}

// sendBatch sends up to ten messages, those that the queue did not take again, until it has all or has refused too often.
func (q *SQS) sendBatch(ctx context.Context, messages []Message) error {
	left := make([]entry, len(messages))
	for i, m := range messages {
		body, err := json.Marshal(m)
		if err != nil {
			return err
		}
		left[i] = entry{strconv.Itoa(i), string(body)}
	}
	for attempt := 1; ; attempt++ {
		var err error
		if left, err = q.try(ctx, left); err == nil || attempt == sendAttempts || mpu.KindOf(err) != mpu.Transient {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(q.pause << attempt):
		}
	}
}

// An answer is SQS's, of a batch or of a refusal.
type answer struct {
	Successful []struct{ Id string }
	Failed     []struct {
		Id, Code, Message string
		SenderFault       bool
	}
	Type         string `json:"__type"`
	Message      string `json:"message"`
	LargeMessage string `json:"Message"`
}

// try sends a batch once, and returns what the queue is not known to have taken, with an error if that is anything.
func (q *SQS) try(ctx context.Context, batch []entry) (left []entry, err error) {
	creds, err := q.credentials(ctx)
	if err != nil {
		return batch, q.failed(mpu.Transient, "", "", err.Error(), creds)
	}
	resp, err := q.post(ctx, map[string]any{"QueueUrl": q.queue.String(), "Entries": batch}, creds)
	if err != nil {
		return batch, q.failed(mpu.Transient, "", "", err.Error(), creds)
	}
	defer resp.Body.Close()
	id := resp.Header.Get("X-Amzn-Requestid")
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	var a answer
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	if resp.StatusCode != http.StatusOK {
		kind := mpu.Transient
		busy := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout ||
			strings.Contains(a.Type, "Throttl") || strings.Contains(a.Type, "OverLimit")
		if resp.StatusCode/100 < 5 && !busy {
			kind = mpu.Denied
		}
		_, code, ok := strings.Cut(a.Type, "#")
		if !ok {
			code = cmp.Or(a.Type, strconv.Itoa(resp.StatusCode))
		}
		return batch, q.failed(kind, code, id, cmp.Or(a.Message, a.LargeMessage), creds)
	}
	if err != nil {
		return batch, q.failed(mpu.Transient, "", id, "the answer cannot be read: "+err.Error(), creds)
	}
	done := map[string]bool{}
	for _, s := range a.Successful {
		done[s.Id] = true
	}
	for _, e := range batch {
		if !done[e.ID] {
			left = append(left, e)
		}
	}
	if len(left) == 0 {
		return nil, nil
	}
	kind, code, message := mpu.Transient, "", "the queue did not take all messages"
	for _, f := range a.Failed {
		code, message = f.Code, cmp.Or(f.Message, message)
		if f.SenderFault {
			kind = mpu.Invalid
		}
	}
	return left, q.failed(kind, code, id, message, creds)
}

func (q *SQS) post(ctx context.Context, body any, c store.Credentials) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, q.queue.Scheme+"://"+q.queue.Host+"/", bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "AmazonSQS.SendMessageBatch")
	creds := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	sum := sha256.Sum256(text)
	if err := q.signer.SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), "sqs", q.region, time.Now()); err != nil {
		return nil, err
	}
	return q.client.Do(req)
}

func (q *SQS) failed(kind mpu.Kind, code, requestID, message string, creds store.Credentials) error {
	return conceal(&mpu.Error{Kind: kind, Op: "send to queue", Target: q.queue.String(), Code: code, RequestID: requestID, Message: message,
		Hint: map[mpu.Kind]string{mpu.Denied: "grant sqs:SendMessage on the queue, and check its URL"}[kind]}, creds)
}
