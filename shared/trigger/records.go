package trigger

import (
	"encoding/json"
	"fmt"

	"github.com/partsweep/partsweep/shared/mpu"
)

// Several platforms send {"Records":[…]}. What the records are, each record says itself.
type recordKind struct {
	name   string
	claims func(record object) bool
	read   func(o object, records []record) (Event, error)
}

// recordKinds lists them. It is a function because messages are read through the same list.
func recordKinds() []recordKind {
	return []recordKind{
		{"sqs", isSQSRecord, readSQS},
		{"sns", isSNSRecord, readSNS},
		{"s3 notification", isS3Record, readS3Records},
		{"cos trigger", isCOSRecord, readCOSRecords},
		{"cmq", isCMQRecord, readCMQ},
		{"ckafka", isCKafkaRecord, readCKafka},
	}
}

// A record is one element of a list of records, or the reason why it is none.
type record struct {
	object
	err error
}

func isRecords(o object) bool { return o.has("Records") }

// readRecords reads the records as what the first of them says that it is. A record of another kind cannot be read then.
func readRecords(o object) (Event, error) {
	records, err := o.records("Records")
	if err != nil {
		return Event{}, err
	}
	for _, r := range records {
		for _, kind := range recordKinds() {
			if r.err != nil || !kind.claims(r.object) {
				continue
			}
			e, err := kind.read(o, claimed(records, kind))
			if err != nil {
				return Event{}, during("read "+kind.name, err)
			}
			return e, nil
		}
	}
	if records[0].err != nil {
		return Event{}, records[0].err
	}
	return Event{}, unknown(records[0].object)
}

// claimed marks the records that are not of the kind.
func claimed(records []record, kind recordKind) []record {
	for i, r := range records {
		if r.err == nil && !kind.claims(r.object) {
			records[i].err = fault(fmt.Sprintf("Records[%d]", i), "it is no record of "+kind.name+", as others are", nil)
		}
	}
	return records
}

// records returns the objects of an array.
func (o object) records(field string) ([]record, error) {
	elements, err := o.array(field)
	if err != nil {
		return nil, err
	}
	return parseRecords(field, elements), nil
}

func parseRecords(field string, elements []json.RawMessage) []record {
	records := make([]record, len(elements))
	for i, element := range elements {
		records[i].object, records[i].err = cutObject(fmt.Sprintf("%s[%d]", field, i), element)
	}
	return records
}

// eachRecord makes the event of records that ask for one thing each.
func eachRecord(source string, records []record, ask func(object) (mpu.Request, error)) Event {
	e := Event{Source: source}
	for i, r := range records {
		item := Item{Err: r.err}
		if r.err == nil {
			item = asked(ask(r.object))
		}
		if item.Err != nil {
			item.Err = during("read "+source, numbered(item.Err, source, i, len(records)))
		}
		e.Items = append(e.Items, item)
	}
	return e
}

// asked makes the item of a request that has been read.
func asked(r mpu.Request, err error) Item {
	if err == nil {
		err = r.Validate()
	}
	if err != nil {
		return Item{Err: err}
	}
	return Item{Request: r}
}

// one makes the event of a single request.
func one(source string, r mpu.Request, err error) (Event, error) {
	if err == nil {
		err = r.Validate()
	}
	if err != nil {
		return Event{}, err
	}
	return Event{Source: source, Items: []Item{{Request: r}}}, nil
}

// ignored is the word for a good event that asks for nothing.
func ignored(field, value, why string) error {
	return &mpu.Error{Kind: mpu.Ignored, Target: fmt.Sprintf("%s %q", field, clip(value, 120)), Hint: why}
}
