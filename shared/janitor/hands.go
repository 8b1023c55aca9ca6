package janitor

import (
	"sync"

	"github.com/partsweep/partsweep/shared/mpu"
)

// hands are the uploads that a run has in hand. Several requests may be about one: a queue delivers twice, and a sweep finds
// what an event names. They take turns, so that the second looks when the first is done with it. S3 accepts the abort of an
// upload for hours after it was aborted, and both would count the bytes. It holds what is in hand and nothing else.
type hands struct {
	mu   sync.Mutex
	held map[inHand]chan struct{} // closed when it is put down
}

type inHand struct{ store, bucket, key, uploadID string }

// take waits until nobody else has an upload in hand, and returns how to put it down.
func (h *hands) take(u mpu.Upload) (putDown func()) {
	id := inHand{u.Bucket.Store, u.Bucket.Name, u.Key, u.UploadID}
	mine := make(chan struct{})
	for {
		others := h.try(id, mine)
		if others == nil {
			return func() {
				h.mu.Lock()
				defer h.mu.Unlock()
				delete(h.held, id)
				close(mine)
			}
		}
		<-others
	}
}

// try takes an upload, or returns what is closed when whoever has it puts it down.
func (h *hands) try(id inHand, mine chan struct{}) (others chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if others = h.held[id]; others == nil {
		if h.held == nil {
			h.held = map[inHand]chan struct{}{}
		}
		h.held[id] = mine
	}
	return others
}
