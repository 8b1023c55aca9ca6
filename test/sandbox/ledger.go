package sandbox

import (
	"sync"
	"time"
)

// Operations as the ledger and faults name them, the same word for all services. A service has the ones it supports.
const (
	OpListUploads  = "list-uploads" // ListMultipartUploads; VOD GetVideoList
	OpListParts    = "list-parts"   // ListParts; VOD GetUploadDetails
	OpAbort        = "abort"        // AbortMultipartUpload; VOD DeleteMultipartUpload; MPS DeleteMedia
	OpCreate       = "create"       // CreateMultipartUpload; VOD CreateUploadVideo
	OpUploadPart   = "upload-part"
	OpComplete     = "complete"
	OpHeadBucket   = "head-bucket"
	OpListBuckets  = "list-buckets"
	OpGetLifecycle = "get-lifecycle"
	OpPutLifecycle = "put-lifecycle"
	OpVideoInfo    = "video-info" // VOD GetVideoInfos
	OpMediaList    = "media-list" // MPS QueryMediaList
	OpOther        = "other"
)

// A Target is what a request is about, as far as the request says.
type Target struct {
	Service  Service
	Op       string // one of the Op constants
	Bucket   string // the region for VOD and MPS
	Key      string // the media ID for VOD; the comma list of ids for MPS
	UploadID string
}

// An Entry is one request and its answer.
type Entry struct {
	Target
	Method, Host, URI string
	Status            int    // 0: the connection was cut
	Code              string // the provider's error code, empty on success
	RequestID         string
	Fault             bool // a scripted fault took part
	Start, End        time.Time
}

type ledger struct {
	mu      sync.Mutex
	entries []Entry
}

func (l *ledger) add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

// Ledger returns every request so far, in the order in which they were answered.
func (s *Sandbox) Ledger() []Entry {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return append([]Entry(nil), s.ledger.entries...)
}

// Count counts the requests to a service that name an operation; an empty op counts all of the service's.
func (s *Sandbox) Count(service Service, op string) int {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	n := 0
	for i := range s.ledger.entries {
		if e := &s.ledger.entries[i]; e.Service == service && (op == "" || e.Op == op) {
			n++
		}
	}
	return n
}

// ForgetLedger empties the ledger, for long runs.
func (s *Sandbox) ForgetLedger() {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	s.ledger.entries = nil
}
