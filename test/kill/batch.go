package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
)

// A message is in the queue until it is acknowledged, or has been received too often.
type message struct {
	id, body string
	about    about
	uploadID string // of a message about an upload of the bucket
	receives int
	repeated bool // it comes although it was acknowledged
}

// About is what is to become of a message.
type about int

const (
	anUpload about = iota // acknowledged when that is gone, or rightly kept
	nothing               // acknowledged: a good event that is not about us
	poison                // never acknowledged: nobody can read it, or nobody may do it
)

// A queue behaves as SQS does. It hands messages over in any order, deletes what the function's answer says is done, hands
// over everything else again, and now and then something that it has deleted.
type queue struct {
	*world
	messages           []*message
	acknowledged, dead int
}

const (
	batchSize    = 10
	mostReceives = 5
	failedAgo    = 2 * time.Hour
)

// killBatches feeds failure messages to the function, and kills it at half of the batches or gives it little time.
func killBatches(ctx context.Context, w *world) error {
	q := &queue{world: w}
	q.fill()
	all, most := len(q.messages), 100*len(q.messages)
	for range most {
		if len(q.messages) == 0 {
			w.result.say("%d of %d messages acknowledged, %d times; each was done at that moment", all-q.dead, all, q.acknowledged)
			w.result.say("%d dead letters, each of them one that nobody can read or nobody may do", q.dead)
			return w.sweepAll(ctx)
		}
		batch := q.receive()
		failed, err := q.deliver(ctx, batch)
		if err != nil {
			return err
		}
		for _, m := range batch {
			q.settle(m, failed[m.id])
		}
	}
	w.complain("%d messages never end", len(q.messages))
	return nil
}

// fill puts in a message for each upload, stale or live, two for some of them, and what no queue is ever without.
func (q *queue) fill() {
	p := q.platform
	failure := func(bucket, key, uploadID string) string {
		body, err := json.Marshal(map[string]string{"type": "upload-failed", "failedAt": time.Now().Add(-failedAgo).UTC().Format(time.RFC3339),
			"request": fmt.Sprintf("%s://%s/%s?uploadId=%s", p.service, bucket, key, uploadID)})
		if err != nil {
			panic(err) // strings only
		}
		return string(body)
	}
	for i, u := range q.Uploads(p.service, p.bucket) {
		for range 1 + i%7/6 {
			q.add(anUpload, failure(p.bucket, u.Key, u.UploadID), u.UploadID)
		}
	}
	for range 4 {
		q.add(poison, failure(p.others(), "theirs.bin", q.theirs), "")
		q.add(poison, `{"what":"is this`, "")
		q.add(nothing, fmt.Sprintf(`{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-03T08:00:00.000Z","Bucket":%q}`, p.bucket), "")
	}
}

func (q *queue) add(about about, body, uploadID string) {
	q.messages = append(q.messages, &message{id: fmt.Sprintf("m%04d", len(q.messages)), body: body, about: about, uploadID: uploadID})
}

// receive takes a batch off the queue. Two messages about one upload come together now and then.
func (q *queue) receive() []*message {
	ms := q.messages
	q.dice.Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
	if twin := slices.IndexFunc(ms[1:], func(m *message) bool { return m.uploadID != "" && m.uploadID == ms[0].uploadID }); twin >= 0 {
		ms[1], ms[1+twin] = ms[1+twin], ms[1]
	}
	n := min(batchSize, len(ms))
	batch := slices.Clone(ms[:n])
	q.messages = ms[n:]
	return batch
}

// deliver hands a batch to a function, and returns the messages that are not done. Half of the functions report what of a
// batch failed; the others fail as a whole.
func (q *queue) deliver(ctx context.Context, batch []*message) (failed map[string]bool, err error) {
	partial := q.dice.IntN(2) == 0
	c := call{event: sqsEvent(batch), settings: []string{fmt.Sprint("PARTSWEEP_SQS_PARTIAL=", partial)}, faults: landings}
	switch q.dice.IntN(4) {
	case 0, 1:
		aborts := q.dice.IntN(len(batch))
		c.aim = func(p *process) func() { return q.aim(p, aborts) }
	case 2:
		c.limit, c.faults = time.Duration(1+q.dice.IntN(400))*time.Millisecond, slow
	}
	a, err := q.call(ctx, c)
	if err != nil {
		return nil, err
	}
	failed = map[string]bool{}
	if a.ending == done && !partial {
		return failed, nil
	}
	for _, m := range batch {
		failed[m.id] = true
	}
	if a.ending == done {
		return q.readPartial(a.body, failed)
	}
	if partial && a.ending == left {
		q.complain("a batch failed as a whole where the answer names what failed")
	}
	return failed, nil
}

// readPartial reads the answer as Lambda does: one that it cannot read, or that names a message which was not in the batch,
// has the whole batch come again.
func (q *queue) readPartial(body []byte, whole map[string]bool) (failed map[string]bool, err error) {
	var said struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	if err := json.Unmarshal(body, &said); err != nil || said.BatchItemFailures == nil {
		q.complain("the answer to a batch is %s: %v", body, err)
		return whole, nil
	}
	failed = map[string]bool{}
	for _, f := range said.BatchItemFailures {
		if !whole[f.ItemIdentifier] {
			q.complain("the answer to a batch names %q, which was not in it", f.ItemIdentifier)
			return whole, nil
		}
		failed[f.ItemIdentifier] = true
	}
	return failed, nil
}

// settle deletes a message that is done, and puts back one that is not. A dead letter that somebody could do is put back
// by whoever looks after those.
func (q *queue) settle(m *message, failed bool) {
	m.receives++
	switch {
	case !failed:
		q.acknowledged++
		q.acknowledge(m)
		if !m.repeated && q.dice.IntN(10) == 0 {
			m.repeated = true
			q.messages = append(q.messages, m)
		}
	case m.receives < mostReceives || m.about != poison:
		q.messages = append(q.messages, m)
	default:
		q.dead++
	}
}

// acknowledge sees that a message which is acknowledged is done.
func (q *queue) acknowledge(m *message) {
	_, live := q.live[m.uploadID]
	switch u, open := q.open()[m.uploadID]; {
	case m.about == nothing:
	case m.about == poison:
		q.complain("a message was acknowledged that nobody has done: %s", m.body)
	case live && !open:
		q.complain("the message about %s was acknowledged, and the upload was alive and is gone", m.uploadID)
	case !live && open && !slices.ContainsFunc(u.Parts, q.since):
		q.complain("the message about %s was acknowledged, and the upload is still there", m.uploadID)
	}
}

// since reports whether a part came after the failure that the messages are about, so that its upload is rightly kept.
func (q *queue) since(p sandbox.Part) bool { return p.Modified.After(q.began.Add(-failedAgo)) }

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
