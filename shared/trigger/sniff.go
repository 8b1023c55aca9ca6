package trigger

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A source is one form of event: how to know it, and how to read it.
type source struct {
	name   string
	claims func(object) bool
	read   func(object) (Event, error)
}

// sources lists the forms in the order in which they claim an event. It is a function because a form that wraps others
// reads them through this same list.
func sources() []source {
	return []source{
		// A publisher may add fields of any name to a message of a topic, so that it is told apart first.
		{"mns topic", isMNSTopic, readMNSTopic},
		{"records", isRecords, readRecords},
		{"s3 batch", isS3Batch, readS3Batch},
		{"lambda http", isLambdaHTTP, readLambdaHTTP},
		{"fc http", isFCHTTP, readFCHTTP},
		{"scf http", isSCFHTTP, readSCFHTTP},
		{"destination", isDestination, readDestination},
		{"eventbridge envelope", isEnvelope, readEnvelope},
		{"cloudevent", isCloudEvent, readCloudEvent},
		{"sns", isSNSMessage, readSNSMessage},
		{"smn", isSMN, readSMN},
		{"s3 test", isS3Test, readS3Test},
		{"scf timer", isSCFTimer, readSCFTimer},
		{"fc timer", isFCTimer, readFCTimer},
		{"cls", isCLS, readCLS},
		{"oss trigger", isOSSTrigger, readOSSTrigger},
		{"oss event", isOSSRecord, readOSSRecord},
		{"mns queue", isMNSData, readMNSData},
		{"mns topic", isMNSStream, readMNSStream},
		{"vod callback", isVODCallback, readVODCallback},
		{"mps workflow", isMPSWorkflow, readMPSWorkflow},
		{"step functions map", isMap, readMap},
		{"upload failure", isFailure, readFailure},
		{"handed on", isHandedOn, readHandedOn},
		{"aws timer", isSweep, readSweep},
		{"by hand", isByHand, readByHand},
	}
}

// readObject reads an event that is an object through the one source that claims it.
func readObject(o object) (Event, error) {
	for _, s := range sources() {
		if !s.claims(o) {
			continue
		}
		e, err := s.read(o)
		if err != nil {
			return Event{HTTP: e.HTTP}, during("read "+s.name, err)
		}
		return e, nil
	}
	return Event{}, unknown(o)
}

// unknown names the fields of an event that no source claims. It says nothing of their values.
func unknown(o object) error {
	if len(o.names) == 0 {
		return unusable("an event without fields")
	}
	names := slices.Sorted(slices.Values(o.names))
	if len(names) > 12 {
		names = append(names[:12], fmt.Sprintf("%d more", len(names)-12))
	}
	for i, name := range names {
		names[i] = strconv.Quote(clip(name, 40))
	}
	return &mpu.Error{Kind: mpu.Invalid, Target: "an event with the fields " + strings.Join(names, ", "),
		Hint: "no event that is read here has them; by hand it is request, requests or sweep"}
}
