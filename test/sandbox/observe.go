package sandbox

import "time"

// A Happening is what became of an upload in one of the object stores, as the store itself knows it.
type Happening struct {
	What     string // one of the constants below
	Service  Service
	Bucket   string
	Key      string
	UploadID string
	At       time.Time // by the storage clock
	Active   time.Time // when the newest of its parts was stored, or else when it was begun; before this happened
	Bytes    int64     // in its parts, before this happened
	By       string    // the User-Agent of the request that looked or aborted
}

// What happens to an upload.
const (
	Begun     = "begun"
	PartCame  = "part came"
	Looked    = "looked" // its parts were listed
	Completed = "completed"
	Aborted   = "aborted"  // by a request; with LandPart its parts are gone, and it lives on
	GivenUp   = "given up" // by TryAbort
)

// observe tells the observer what happens to an upload. The bucket's lock must be held.
func (b *bucket) observe(what string, u *upload, by string) {
	if b.observer == nil {
		return
	}
	h := Happening{What: what, Service: b.service, Bucket: b.name, Key: u.key, UploadID: u.id, At: b.now(), Active: u.initiated, By: by}
	for _, p := range u.parts {
		h.Bytes += p.Size
		if p.Modified.After(h.Active) {
			h.Active = p.Modified
		}
	}
	b.observer(h)
}

// TryPart stores a part as a client would that does not know if its upload is still open, and reports whether it was.
func (s *Sandbox) TryPart(service Service, bucket, key, uploadID string, p Part) bool {
	p.Modified = s.store(service).clip(p.Modified)
	return s.bucket(service, bucket).put(key, uploadID, p, "")
}

// TryComplete completes an upload with the parts that it has, and reports whether it was open.
func (s *Sandbox) TryComplete(service Service, bucket, key, uploadID string) bool {
	b := s.bucket(service, bucket)
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.find(key, uploadID)
	if u == nil {
		return false
	}
	o := object{modified: s.opt.Now()}
	for _, p := range u.parts {
		o.size += p.Size
	}
	b.objects[key] = o
	b.observe(Completed, u, "")
	b.end(u)
	return true
}

// TryAbort aborts an upload without a request, and reports whether it was open.
func (s *Sandbox) TryAbort(service Service, bucket, key, uploadID string) bool {
	b := s.bucket(service, bucket)
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.find(key, uploadID)
	if u == nil {
		return false
	}
	b.observe(GivenUp, u, "")
	b.end(u)
	return true
}
