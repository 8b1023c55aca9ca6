package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/partsweep/partsweep/test/runtimes"
	"github.com/partsweep/partsweep/test/sandbox"
)

// A message is in the queue until it is acknowledged, or has been received too often.
type message struct {
	id, body string
	uploadID string // what it is about; blank for one that nobody can read
	receives int
}

const mostReceives = 5

// killBatches feeds failure messages to the function as SQS does, ten at a time, and kills it in between. What dies with
// the function comes again, in another order; so do some messages that were acknowledged, for a queue may deliver twice.
func killBatches(ctx context.Context, binary string, c config) (*result, error) {
	c.uploads = min(c.uploads/20, 600)
	w, err := newWorld(c)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	w.disturb(c.seed)
	queue := w.messages()
	dead, acknowledged := 0, 0
	for round := 0; len(queue) > 0; round++ {
		if round > 100*len(queue)+1000 {
			return nil, fmt.Errorf("%d messages never end", len(queue))
		}
		w.dice.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
		batch := queue[:min(10, len(queue))]
		// Half of the functions report what failed of a batch, the others fail as a whole.
		failed, err := w.deliver(ctx, binary, batch, round%2 == 0)
		if err != nil {
			return nil, err
		}
		for _, m := range batch {
			if m.receives++; !failed[m.id] {
				acknowledged++
				w.acknowledge(m)
				m.receives = mostReceives
			} else if m.receives == mostReceives && m.uploadID != "" {
				m.receives = 0 // bad luck, five times: whoever looks after dead letters puts it back
			} else if m.receives == mostReceives {
				dead++
			}
		}
		queue = slices.DeleteFunc(queue, func(m *message) bool { return m.receives >= mostReceives })
	}
	w.check()
	w.result.more = append(w.result.more, fmt.Sprintf("%d messages acknowledged, each of them done; %d dead letters, each of them one that nobody may or can do", acknowledged, dead))
	return w.result, nil
}

// messages are one for each stale upload, some of them twice, some for live uploads, some that nobody can read and some
// about a bucket that is not allowed.
func (w *world) messages() (queue []*message) {
	add := func(uploadID, body string) {
		queue = append(queue, &message{id: fmt.Sprintf("m%04d", len(queue)), body: body, uploadID: uploadID})
	}
	for i, u := range w.Uploads(sandbox.S3, bucketName) {
		body, _ := json.Marshal(map[string]string{"type": "upload-failed", "failedAt": time.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339),
			"request": fmt.Sprintf("s3://%s/%s?uploadId=%s", bucketName, u.Key, u.UploadID)})
		for range 1 + i%7/6 {
			add(u.UploadID, string(body))
		}
	}
	for range 5 {
		add("", `{"type":"upload-failed","request":"s3://others/theirs.bin?uploadId=x","failedAt":"2026-11-01T00:00:00Z"}`)
		add("", `{"what":"is this`)
	}
	return queue
}

// deliver hands a batch to a function and returns the messages that come back.
func (w *world) deliver(ctx context.Context, binary string, batch []*message, partial bool) (failed map[string]bool, err error) {
	p, err := w.start(binary, fmt.Sprint("PARTSWEEP_SQS_PARTIAL=", partial))
	if err != nil {
		return nil, err
	}
	defer p.end()
	if err := p.host.Ready(ctx); err != nil {
		return nil, err
	}
	if w.dice.IntN(2) == 0 {
		remove := w.aim(p, w.dice.IntN(30))
		defer remove()
	}
	gone := make(chan struct{})
	go func() { p.cmd.Process.Wait(); close(gone) }()
	call, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { <-gone; cancel(errors.New("the process is dead")) }()
	answer, err := p.host.Invoke(call, sqsEvent(batch), runtimes.Call{Timeout: time.Minute})
	failed = map[string]bool{}
	if err != nil {
		for _, m := range batch {
			failed[m.id] = true
		}
		return failed, ctx.Err()
	}
	if !partial {
		return failed, nil
	}
	var said struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return nil, err
	}
	for _, f := range said.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	return failed, nil
}

func sqsEvent(batch []*message) []byte {
	type record struct {
		MessageID      string            `json:"messageId"`
		ReceiptHandle  string            `json:"receiptHandle"`
		Body           string            `json:"body"`
		Attributes     map[string]string `json:"attributes"`
		EventSource    string            `json:"eventSource"`
		EventSourceARN string            `json:"eventSourceARN"`
		AWSRegion      string            `json:"awsRegion"`
	}
	var records []record
	for _, m := range batch {
		records = append(records, record{m.id, "handle-" + m.id, m.body, map[string]string{"ApproximateReceiveCount": fmt.Sprint(m.receives + 1)},
			"aws:sqs", "arn:aws:sqs:eu-west-1:111122223333:uploads", "eu-west-1"})
	}
	b, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		panic(err) // strings only
	}
	return b
}

// acknowledge sees that a message which leaves the queue is done: its upload is gone, or it is alive.
func (w *world) acknowledge(m *message) {
	if m.uploadID == "" {
		w.result.complain("%s was acknowledged: %s", m.id, m.body)
		return
	}
	if w.live[m.uploadID] {
		return
	}
	for _, u := range w.Uploads(sandbox.S3, bucketName) {
		if u.UploadID == m.uploadID && w.stale[m.uploadID] {
			w.result.complain("%s was acknowledged, and its upload is still there", m.id)
		}
	}
}
