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
	held map[inHand]chan struct{} // closed when it is put down; nil while nobody waits for that
}

type inHand struct{ store, bucket, key, uploadID string }

// take waits until nobody else has an upload in hand, and takes it. It is to be put down.
func (h *hands) take(u mpu.Upload) {
	for {
		others := h.try(idOf(u))
		if others == nil {
			return
		}
		<-others
	}
}

// try takes an upload, or returns what is closed when whoever has it puts it down.
func (h *hands) try(id inHand) (others chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		h.held = map[inHand]chan struct{}{}
	}
	others, taken := h.held[id]
	if taken && others == nil {
		others = make(chan struct{})
	}
	h.held[id] = others
	return others
}

// putDown lets others have an upload.
func (h *hands) putDown(u mpu.Upload) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := idOf(u)
	if others := h.held[id]; others != nil {
		close(others)
	}
	delete(h.held, id)
}

func idOf(u mpu.Upload) inHand { return inHand{u.Bucket.Store, u.Bucket.Name, u.Key, u.UploadID} }
