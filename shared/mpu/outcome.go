package mpu

import "time"

// A Verdict is what the rules say of an upload.
type Verdict string

// The two verdicts. The empty one is no verdict, and acts as Keep.
const (
	Abort Verdict = "abort"
	Keep  Verdict = "keep"
)

// A Decision is a verdict with its reason, in words that a person reads.
type Decision struct {
	Upload  Upload
	Verdict Verdict
	Reason  Reason
	Detail  string // the figures behind the reason
	// Inspected says that its parts were looked at. Without that, Parts and Bytes are 0 and mean nothing.
	Inspected bool
	Parts     int   // parts seen
	Bytes     int64 // bytes in those parts
	// LastActive is the latest sign of life: when it was initiated, or its newest part was uploaded. Zero if nothing says so.
	LastActive time.Time
}

// A Reason is why an upload was kept or aborted. Reports count by it, so the set is closed.
type Reason string

// The reasons for a verdict.
const (
	Stale    Reason = "stale"               // nothing has happened to it since the cutoff
	TooYoung Reason = "too young"           // it was initiated after the cutoff
	Active   Reason = "active"              // a part was uploaded after the cutoff
	NoTime   Reason = "no trustworthy time" // nothing says how old it is
)

// A Result is what became of an upload.
type Result string

// The results.
const (
	ResultAborted  Result = "aborted"  // the service accepted the abort
	ResultPlanned  Result = "planned"  // it would have been aborted, but this was a plan
	ResultKept     Result = "kept"     // the rules keep it
	ResultGone     Result = "gone"     // it no longer existed
	ResultFailed   Result = "failed"   // it should be gone and is not known to be
	ResultDeferred Result = "deferred" // a brake or the deadline left it for another run
)

// An Outcome is what became of one upload. Bytes and Parts are what was seen in it before the abort; they came back only
// if Result is ResultAborted. Verified says that the service, asked afterwards, no longer knew it: an accepted abort
// alone proves nothing. Unconfirmed says that an abort of it was sent which Result does not count: its answer never came, or
// the service accepted it and was not seen to have carried it out. The bytes may have come back by that, or the client may have
// finished the upload at that very moment, or nothing has happened at all. BytesUnconfirmed are those that aborts may have
// removed beyond what came back for sure.
type Outcome struct {
	Upload           Upload
	Result           Result
	Reason           Reason
	Detail           string
	Verified         bool
	Unconfirmed      bool
	BytesUnconfirmed int64
	Inspected        bool // its parts were looked at; without that, Parts and Bytes are 0 and mean nothing
	Parts            int
	Bytes            int64
	LastActive       time.Time // the latest sign of life that was seen, zero for none
	Before           time.Time // the cutoff that it was judged by
	Err              error
}
