// Package relay hands requests on to another run, over the platform's own queue: the buckets of a sweep of every bucket, one
// message each, and what a run leaves when its time is up.
//
// A message is a request in the notation, with how often its sweep has been handed on and until when it is good. A run
// refuses one that has been handed on too often or is too old, so that what never ends becomes a dead letter and no loop.
// Duplicates do no harm: an upload that is gone is gone.
package relay

import (
	"context"
	"encoding/json"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// The bounds of a sweep that is handed on. Twenty million uploads in one bucket, at a thousand aborts a second, take 23 runs
// of a quarter of an hour.
const (
	MaxHops = 200
	Life    = 3 * 24 * time.Hour
)

// Type is what tells a message from other events.
const Type = "handed-on"

// A Message is a request on its way to another run.
type Message struct {
	Request mpu.Request
	Hops    int       // how often it has been handed on, this time included
	Expires time.Time // UTC; a run that gets it later refuses it
}

// MarshalJSON writes the message as the function reads it:
//
//	{"type":"handed-on","request":"s3://videos?before=2026-01-01T00:00:00Z","hops":1,"expires":"2026-01-04T00:00:00Z"}
func (m Message) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type    string    `json:"type"`
		Request string    `json:"request"`
		Hops    int       `json:"hops"`
		Expires time.Time `json:"expires"`
	}{Type, m.Request.String(), m.Hops, m.Expires.UTC()})
}

// A Queue takes messages that other runs will get.
type Queue interface {
	// Send returns how many of the messages the queue took, always the first ones. The error is not nil if it did not take
	// all.
	Send(ctx context.Context, messages []Message) (taken int, err error)
}
