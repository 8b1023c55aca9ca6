package trigger

import (
	"net/url"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// S3 Batch Operations calls with tasks, and wants a result for each (Amazon S3 User Guide, "Invoke AWS Lambda function"):
//
//	{"invocationSchemaVersion":"2.0","invocationId":"aW52…","job":{"id":"…","userArguments":{"olderThan":"72h"}},
//	 "tasks":[{"taskId":"dGFz…","s3Key":"raw%2Fa.mxf","s3VersionId":null,"s3Bucket":"media-in"}]}
//
// Version 1.0 has an s3BucketArn and no arguments. The key is percent-encoded. A manifest that knows upload IDs says
// {"k":"key","u":"upload ID"} in the key's place, and so a key that begins with a brace can be said in this form only. The
// arguments are olderThan or before; without them the receiver's minimum age decides.
func isS3Batch(o object) bool { return o.has("invocationSchemaVersion") && o.has("tasks") }

func readS3Batch(o object) (Event, error) {
	if err := o.outermost("a job of S3 Batch Operations"); err != nil {
		return Event{}, err
	}
	version, err := o.must("invocationSchemaVersion")
	if err != nil {
		return Event{}, err
	}
	if version != "1.0" && version != "2.0" {
		return Event{}, invalid("invocationSchemaVersion", version, "read are 1.0 and 2.0")
	}
	id, err := o.must("invocationId")
	if err != nil {
		return Event{}, err
	}
	tasks, err := o.records("tasks")
	if err != nil {
		return Event{}, err
	}
	e := Event{Source: "s3 batch", Answer: AnswerS3Batch, S3Batch: &S3Batch{SchemaVersion: version, InvocationID: id}}
	job, err := readBatchJob(o, version)
	for _, task := range tasks {
		e.Items = append(e.Items, job.item(task, err))
	}
	return e, nil
}

// A batchJob is what holds for all tasks of a job.
type batchJob struct {
	version   string
	olderThan time.Duration
	before    time.Time
}

func readBatchJob(o object, version string) (batchJob, error) {
	b := batchJob{version: version}
	job, err := o.object("job")
	if err != nil || !job.has("userArguments") || kindOf(job.fields["userArguments"]) == "a scalar" {
		return b, err
	}
	arguments, err := job.object("userArguments")
	if err != nil {
		return b, err
	}
	if err := arguments.onlyKnown("olderThan", "before"); err != nil {
		return b, err
	}
	if b.olderThan, err = arguments.age("olderThan"); err != nil {
		return b, err
	}
	b.before, err = arguments.time("before")
	return b, err
}

// item reads a task, and keeps the ID of one that cannot be read, so that the answer can name it.
func (b batchJob) item(task record, err error) Item {
	var item Item
	id := ""
	if task.err == nil {
		id, task.err = task.must("taskId")
	}
	switch {
	case task.err != nil:
		item.Err = task.err
	case err != nil:
		item.Err = err
	default:
		item = asked(b.request(task.object))
	}
	item.ID = id
	if item.Err != nil {
		item.Err = during("read s3 batch", item.Err)
	}
	return item
}

func (b batchJob) request(task object) (mpu.Request, error) {
	bucket, err := b.bucket(task)
	if err != nil {
		return mpu.Request{}, err
	}
	encoded, err := task.must("s3Key")
	if err != nil {
		return mpu.Request{}, err
	}
	key, err := decodedKey(encoded, url.PathUnescape)
	if err != nil {
		return mpu.Request{}, err
	}
	r := mpu.Request{Bucket: mpu.Bucket{Store: "s3", Name: bucket}, Key: key, Before: b.before, OlderThan: b.olderThan}
	if strings.HasPrefix(key, "{") {
		r.Key, r.UploadID, err = packedKey(key)
	}
	return r, err
}

func (b batchJob) bucket(task object) (string, error) {
	if b.version == "2.0" {
		return task.must("s3Bucket")
	}
	arn, err := task.must("s3BucketArn")
	if err != nil {
		return "", err
	}
	name, ok := strings.CutPrefix(arn, "arn:")
	if !ok {
		return "", invalid("s3BucketArn", arn, "it begins with arn:")
	}
	return name[strings.LastIndexByte(name, ':')+1:], nil
}

// packedKey reads the key and the upload ID of a manifest that holds both.
func packedKey(text string) (key, uploadID string, err error) {
	o, err := parseObject("s3Key", []byte(strings.Trim(text, blanks)))
	if err != nil {
		return "", "", err
	}
	if err := o.onlyKnown("k", "u"); err != nil {
		return "", "", err
	}
	if key, err = o.must("k"); err != nil {
		return "", "", err
	}
	uploadID, err = o.name("u")
	return key, uploadID, err
}
