// Queue has a sweep of three hundred buckets spread over an SQS queue that we did not write (moto's), with two workers of which
// one is killed, and looks whether every bucket is clean at the end and nothing is in the dead-letter queue but the one message
// that nobody could read.
//
//	go run ./test/queue                 half a minute; needs moto_server
//
// What Lambda does between a queue and a function is done here: messages are received, handed to the function's binary under
// its runtime protocol, and deleted unless the answer names them.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/partsweep/partsweep/test/runtimes"
	"github.com/partsweep/partsweep/test/sandbox"
)

const (
	buckets    = 300
	stale      = 3 // in each, and a young one
	received   = 4 // times, after which a message is dead
	visibility = 5 // seconds that a worker has for a message
	killAfter  = 60
	poison     = "this is no event"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "queue:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "partsweep-queue-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	binary := filepath.Join(folder, "bootstrap")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-o", binary, "github.com/partsweep/partsweep/functions/lambda")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	s, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range buckets {
		seed(s, nameOf(i))
	}
	q, err := startQueue(ctx)
	if err != nil {
		return err
	}
	defer q.stop()
	var workers [2]*worker
	for i := range workers {
		if workers[i], err = startWorker(ctx, binary, s.URL(sandbox.S3), q); err != nil {
			return err
		}
		defer workers[i].stop()
	}
	if _, err := workers[0].host.Invoke(ctx, []byte(`{"sweep":"s3://*?olderThan=48h"}`), runtimes.Call{Timeout: time.Minute}); err != nil {
		return fmt.Errorf("the sweep: %w", err)
	}
	spread, err := q.count(ctx, q.work)
	if err != nil {
		return err
	}
	fmt.Printf("a sweep of every bucket became %d messages; nothing was aborted by it: %v\n", spread, s.Count(sandbox.S3, sandbox.OpAbort) == 0)
	if spread != buckets || s.Count(sandbox.S3, sandbox.OpAbort) != 0 {
		return fmt.Errorf("%d messages for %d buckets", spread, buckets)
	}
	if err := q.send(ctx, poison); err != nil {
		return err
	}
	if err := drain(ctx, q, workers); err != nil {
		return err
	}
	return judge(ctx, s, q, workers)
}

func nameOf(i int) string { return fmt.Sprintf("bucket-%03d", i) }

func seed(s *sandbox.Sandbox, name string) {
	s.CreateBucket(sandbox.S3, name, "eu-west-1")
	for n := range stale + 1 {
		age, key := 72*time.Hour, fmt.Sprintf("raw/%d.mxf", n)
		if n == stale {
			age, key = time.Hour, "raw/young.mxf"
		}
		at := time.Now().Add(-age)
		id := s.Seed(sandbox.S3, name, key, at)
		s.AddPart(sandbox.S3, name, key, id, sandbox.Part{Number: 1, Size: 5 << 20, Modified: at})
	}
}

// drain has the workers take messages until there are none, and kills the second one in between.
func drain(ctx context.Context, q *queue, workers [2]*worker) error {
	var taken atomic.Int64
	done, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() {
			for done.Err() == nil {
				if taken.Load() >= killAfter && i == 1 {
					w.killWhileAtWork(done, q)
					return
				}
				n, err := w.take(done, q)
				if err != nil && done.Err() == nil {
					fmt.Printf("worker %d: %v\n", i+1, err)
				}
				taken.Add(int64(n))
			}
		})
	}
	for {
		n, err := q.count(ctx, q.work)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d messages are left: %w", n, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	stop()
	wg.Wait()
	return nil
}

func judge(ctx context.Context, s *sandbox.Sandbox, q *queue, workers [2]*worker) error {
	dirty, young := 0, 0
	for i := range buckets {
		for _, u := range s.Uploads(sandbox.S3, nameOf(i)) {
			if u.Key == "raw/young.mxf" {
				young++
			} else {
				dirty++
			}
		}
	}
	dead, err := q.bodies(ctx, q.dead)
	if err != nil {
		return err
	}
	fmt.Printf("worker 1 worked off %d messages, worker 2 worked off %d and was killed with %d in hand\n", workers[0].done, workers[1].done, workers[1].inHand)
	fmt.Printf("stale uploads left: %d of %d; young ones left: %d of %d; dead letters: %q\n", dirty, buckets*stale, young, buckets, dead)
	switch {
	case dirty > 0 || young != buckets:
		return errors.New("the buckets are not as they should be")
	case len(dead) != 1 || dead[0] != poison:
		return errors.New("the dead letters are not the poisoned message alone")
	case workers[1].inHand == 0:
		return errors.New("the second worker was killed with nothing in hand, which shows nothing")
	}
	return nil
}

// A worker is one process of the function.
type worker struct {
	host         *runtimes.Lambda
	cmd          *exec.Cmd
	done, inHand int
}

func startWorker(ctx context.Context, binary, endpoint string, q *queue) (*worker, error) {
	host, err := runtimes.StartLambda()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary)
	role := runtimes.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey, SessionToken: sandbox.SessionToken}
	cmd.Env = append(host.Environ(role), "PARTSWEEP_MODE=apply", "PARTSWEEP_BUCKETS=s3://*", "PARTSWEEP_S3_ENDPOINT="+endpoint,
		"PARTSWEEP_S3_PATH_STYLE=true", "PARTSWEEP_S3_REGION=eu-west-1", "PARTSWEEP_SQS_PARTIAL=true", "PARTSWEEP_QUEUE="+q.work)
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, host.Close())
	}
	return &worker{host: host, cmd: cmd}, nil
}

func (w *worker) stop() {
	w.cmd.Process.Kill()
	w.cmd.Wait()
	w.host.Close()
}

// take has the function work off a batch, and deletes what its answer does not name.
func (w *worker) take(ctx context.Context, q *queue) (n int, err error) {
	batch, err := q.receive(ctx, q.work)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	answer, err := w.host.Invoke(ctx, event(batch), runtimes.Call{Timeout: time.Minute})
	if err != nil {
		return 0, err // nothing is deleted, and comes again
	}
	var failures struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	if err := json.Unmarshal(answer, &failures); err != nil {
		return 0, fmt.Errorf("%w: %s", err, answer)
	}
	failed := map[string]bool{}
	for _, f := range failures.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	for _, m := range batch {
		if !failed[m.MessageID] {
			if err := q.delete(ctx, m); err != nil {
				return n, err
			}
			n++
		}
	}
	w.done += n
	return n, nil
}

// killWhileAtWork receives a batch, has the function begin with it, and kills the process.
func (w *worker) killWhileAtWork(ctx context.Context, q *queue) {
	batch, err := q.receive(ctx, q.work)
	if err != nil {
		return
	}
	w.inHand = len(batch)
	call, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	go func() {
		time.Sleep(2 * time.Millisecond)
		w.cmd.Process.Kill()
	}()
	w.host.Invoke(call, event(batch), runtimes.Call{Timeout: time.Minute})
}

// event is what Lambda makes of a batch ("Using Lambda with Amazon SQS").
func event(batch []message) []byte {
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
		records = append(records, record{m.MessageID, m.ReceiptHandle, m.Body, map[string]string{"ApproximateReceiveCount": "1"},
			"aws:sqs", "arn:aws:sqs:eu-west-1:123456789012:work", "eu-west-1"})
	}
	b, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		panic(err) // texts can be written
	}
	return b
}

// A queue is moto's: a work queue and its dead letters.
type queue struct {
	endpoint   string
	work, dead string // URLs
	cmd        *exec.Cmd
}

type message struct {
	MessageID     string `json:"MessageId"`
	ReceiptHandle string
	Body          string
}

var listening = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

func startQueue(ctx context.Context) (*queue, error) {
	log, err := os.CreateTemp("", "partsweep-moto-*.log")
	if err != nil {
		return nil, err
	}
	defer os.Remove(log.Name())
	q := &queue{cmd: exec.CommandContext(ctx, "moto_server", "-H", "127.0.0.1", "-p", "0")}
	q.cmd.Stdout, q.cmd.Stderr = log, log
	if err := q.cmd.Start(); err != nil {
		return nil, err
	}
	for q.endpoint == "" {
		if ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), errors.New("moto_server does not listen"))
		}
		time.Sleep(100 * time.Millisecond)
		text, err := os.ReadFile(log.Name())
		if err != nil {
			return nil, err
		}
		q.endpoint = string(listening.Find(text))
	}
	if q.dead, err = q.create(ctx, "dead", nil); err != nil {
		return nil, err
	}
	q.work, err = q.create(ctx, "work", map[string]string{"VisibilityTimeout": strconv.Itoa(visibility),
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:dead","maxReceiveCount":%d}`, received)})
	return q, err
}

func (q *queue) stop() {
	q.cmd.Process.Kill()
	q.cmd.Wait()
}

func (q *queue) create(ctx context.Context, name string, attributes map[string]string) (string, error) {
	var out struct {
		QueueURL string `json:"QueueUrl"`
	}
	err := q.call(ctx, "CreateQueue", map[string]any{"QueueName": name, "Attributes": attributes}, &out)
	return out.QueueURL, err
}

func (q *queue) send(ctx context.Context, body string) error {
	return q.call(ctx, "SendMessage", map[string]any{"QueueUrl": q.work, "MessageBody": body}, nil)
}

func (q *queue) receive(ctx context.Context, url string) ([]message, error) {
	var out struct{ Messages []message }
	err := q.call(ctx, "ReceiveMessage", map[string]any{"QueueUrl": url, "MaxNumberOfMessages": 5, "WaitTimeSeconds": 1}, &out)
	return out.Messages, err
}

func (q *queue) delete(ctx context.Context, m message) error {
	return q.call(ctx, "DeleteMessage", map[string]any{"QueueUrl": q.work, "ReceiptHandle": m.ReceiptHandle}, nil)
}

// count is how many messages a queue has, those that somebody has in hand included.
func (q *queue) count(ctx context.Context, url string) (n int, err error) {
	var out struct{ Attributes map[string]string }
	if err := q.call(ctx, "GetQueueAttributes", map[string]any{"QueueUrl": url, "AttributeNames": []string{"All"}}, &out); err != nil {
		return 0, err
	}
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"} {
		one, err := strconv.Atoi(out.Attributes[name])
		if err != nil {
			return 0, err
		}
		n += one
	}
	return n, nil
}

func (q *queue) bodies(ctx context.Context, url string) (all []string, err error) {
	for {
		batch, err := q.receive(ctx, url)
		if err != nil || len(batch) == 0 {
			return all, err
		}
		for _, m := range batch {
			all = append(all, m.Body)
		}
	}
}

// call sends a request in the AWS JSON protocol. Moto looks at no signature but for the region in it.
func (q *queue) call(ctx context.Context, action string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, q.endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/20261127/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", action, resp.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
