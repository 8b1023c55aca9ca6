package handler

import (
	"errors"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/trigger"
)

// An SQSAnswer names the messages of a batch that are not done ("Reporting batch item failures for Lambda functions with an
// Amazon SQS trigger"). Those that it does not name are deleted.
type SQSAnswer struct {
	BatchItemFailures []SQSFailure `json:"batchItemFailures"`
}

// An SQSFailure is one message that is not done, by its messageId.
type SQSFailure struct {
	ItemIdentifier string `json:"itemIdentifier"`
}

func answerSQS(items []trigger.Item, errs []error) SQSAnswer {
	a := SQSAnswer{BatchItemFailures: []SQSFailure{}}
	for _, r := range byID(items, errs) {
		if r.err != nil {
			a.BatchItemFailures = append(a.BatchItemFailures, SQSFailure{r.id})
		}
	}
	return a
}

// An S3BatchAnswer is the answer to S3 Batch Operations ("Invoke AWS Lambda function").
type S3BatchAnswer struct {
	InvocationSchemaVersion string          `json:"invocationSchemaVersion"`
	TreatMissingKeysAs      string          `json:"treatMissingKeysAs"`
	InvocationID            string          `json:"invocationId"`
	Results                 []S3BatchResult `json:"results"`
}

// An S3BatchResult is what became of one task.
type S3BatchResult struct {
	TaskID       string `json:"taskId"`
	ResultCode   string `json:"resultCode"`
	ResultString string `json:"resultString"`
}

func answerS3Batch(e trigger.Event, errs []error, mode string) S3BatchAnswer {
	a := S3BatchAnswer{TreatMissingKeysAs: "TemporaryFailure", Results: []S3BatchResult{}}
	if e.S3Batch != nil {
		a.InvocationSchemaVersion, a.InvocationID = e.S3Batch.SchemaVersion, e.S3Batch.InvocationID
	}
	for _, r := range byID(e.Items, errs) {
		result := S3BatchResult{TaskID: r.id, ResultCode: "Succeeded", ResultString: "nothing is left to do"}
		if mode == "plan" {
			result.ResultString = "planned only: nothing was done"
		}
		if r.err != nil {
			result.ResultCode, result.ResultString = "TemporaryFailure", clip(r.err.Error(), 1000)
		}
		// What is wrong with the task itself is wrong the next time too.
		if errors.Is(r.err, mpu.Invalid) || errors.Is(r.err, mpu.Refused) || errors.Is(r.err, mpu.Denied) || errors.Is(r.err, mpu.Missing) {
			result.ResultCode = "PermanentFailure"
		}
		a.Results = append(a.Results, result)
	}
	return a
}

// A messageResult is what is left to do of one message, which may be several items.
type messageResult struct {
	id  string
	err error
}

// byID joins the errors of the items that have one ID, in the order of the event. An ignored item is done.
func byID(items []trigger.Item, errs []error) (results []messageResult) {
	place := map[string]int{}
	for i, item := range items {
		at, seen := place[item.ID]
		if !seen {
			at = len(results)
			place[item.ID] = at
			results = append(results, messageResult{id: item.ID})
		}
		if !errors.Is(errs[i], mpu.Ignored) {
			results[at].err = errors.Join(results[at].err, errs[i])
		}
	}
	return results
}

func clip(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}
