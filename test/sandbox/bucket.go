package sandbox

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"
)

// A Part is a stored part of an open upload.
type Part struct {
	Number   int
	Size     int64
	Modified time.Time
}

// An Upload is an open multipart upload as a bucket holds it.
type Upload struct {
	Key       string
	UploadID  string
	Initiated time.Time
	Parts     []Part
}

// uploadName names an upload inside a bucket. The id alone is not enough: an abort with the wrong key must miss.
type uploadName struct{ key, id string }

// object is a finished object. A multipart upload leaves its size only: its bytes were never kept.
type object struct {
	size     int64
	etag     string
	modified time.Time
	body     []byte
}

// bucket is one bucket: its objects, and its uploads both open and ended. Ended ones stay known, so that a listing can
// go on from a marker that was aborted meanwhile.
type bucket struct {
	name, region string
	created      time.Time
	service      Service
	now          func() time.Time
	observer     func(Happening) // nil for none

	mu      sync.RWMutex
	uploads map[uploadName]*upload
	open    order
	objects map[string]object
	pins    map[string][]string // key → ids of the next uploads

	lifecycle []byte // as it was put, nil for none
	minimum   string // S3's header beside it
}

func newBucket(name, region string, created time.Time) *bucket {
	return &bucket{name: name, region: region, created: created,
		uploads: map[uploadName]*upload{}, objects: map[string]object{}, pins: map[string][]string{}}
}

// begin opens an upload. A pinned id wins over the one made by newID.
func (b *bucket) begin(key string, initiated time.Time, newID func(time.Time) string) *upload {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := ""
	if pins := b.pins[key]; len(pins) > 0 {
		id, b.pins[key] = pins[0], pins[1:]
	} else {
		id = newID(initiated)
	}
	name := uploadName{key, id}
	if old := b.uploads[name]; old != nil && old.open {
		b.open.remove(old) // a pinned id used twice: the later one replaces the earlier
	}
	u := &upload{key: key, id: id, initiated: initiated, open: true}
	b.uploads[name] = u
	b.open.insert(u)
	b.observe(Begun, u, "")
	return u
}

// find returns an open upload, nil for none. The lock must be held.
func (b *bucket) find(key, id string) *upload {
	if u := b.uploads[uploadName{key, id}]; u != nil && u.open {
		return u
	}
	return nil
}

// has reports whether an upload is open.
func (b *bucket) has(key, id string) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.find(key, id) != nil
}

// put stores a part and reports whether the upload is open.
func (b *bucket) put(key, id string, p Part, etag string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.find(key, id)
	if u == nil {
		return false
	}
	b.observe(PartCame, u, "")
	u.put(p, etag)
	return true
}

// put stores a part over one of the same number.
func (u *upload) put(p Part, etag string) {
	i, found := slices.BinarySearchFunc(u.parts, p.Number, func(have Part, n int) int { return have.Number - n })
	if found {
		u.parts[i] = p
	} else {
		u.parts = slices.Insert(u.parts, i, p)
	}
	if etag != "" {
		if u.etags == nil {
			u.etags = map[int]string{}
		}
		u.etags[p.Number] = etag
	} else {
		delete(u.etags, p.Number)
	}
}

// etag returns a part's entity tag without quotes. A seeded part has no bytes, so its tag is made from what it has.
func (u *upload) etag(p Part) string {
	if tag, ok := u.etags[p.Number]; ok {
		return tag
	}
	sum := md5.Sum(fmt.Appendf(nil, "%s/%d/%d", u.id, p.Number, p.Size))
	return hex.EncodeToString(sum[:])
}

// end takes an upload off the open ones. The lock must be held.
func (b *bucket) end(u *upload) {
	b.open.remove(u)
	u.open, u.parts, u.etags = false, nil, nil
}

// abort ends an upload and reports whether there was one. If land is not 0, the parts go but the upload lives on with
// one new part of that size: a part that was in flight.
func (b *bucket) abort(key, id string, land int64, now time.Time, by string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.find(key, id)
	if u == nil {
		return false
	}
	b.observe(Aborted, u, by)
	if land == 0 {
		b.end(u)
		return true
	}
	next := 1
	if n := len(u.parts); n > 0 {
		next = u.parts[n-1].Number + 1
	}
	u.parts, u.etags = nil, nil
	u.put(Part{Number: next, Size: land, Modified: now}, "")
	return true
}

// complete makes an object of the numbered parts. It returns its entity tag, or the code of what is wrong.
func (b *bucket) complete(key, id string, numbers []int, now time.Time) (etag, code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.find(key, id)
	if u == nil {
		return "", "NoSuchUpload"
	}
	if !slices.IsSorted(numbers) {
		return "", "InvalidPartOrder"
	}
	sum, size := md5.New(), int64(0)
	for _, n := range numbers {
		i, found := slices.BinarySearchFunc(u.parts, n, func(have Part, n int) int { return have.Number - n })
		if !found {
			return "", "InvalidPart"
		}
		raw, _ := hex.DecodeString(u.etag(u.parts[i])) // ours, always hex
		sum.Write(raw)
		size += u.parts[i].Size
	}
	etag = hex.EncodeToString(sum.Sum(nil)) + "-" + strconv.Itoa(len(numbers))
	b.objects[key] = object{size: size, etag: etag, modified: now}
	b.observe(Completed, u, "")
	b.end(u)
	return etag, ""
}

// list makes one page of the open uploads. known is false if both markers were given and no upload ever had them.
func (b *bucket) list(q listing) (page uploadPage, known bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var marked *upload
	if q.keyMarker == "" {
		q.idMarker = ""
	}
	if q.idMarker != "" {
		marked = b.uploads[uploadName{q.keyMarker, q.idMarker}]
	}
	return b.open.list(q, marked), q.idMarker == "" || marked != nil
}

// listedPart is a part as a listing shows it.
type listedPart struct {
	Part
	etag string
}

// parts returns up to max parts above a number, and whether there are more. ok is false if the upload is not open.
func (b *bucket) parts(key, id string, above, max int, by string) (parts []listedPart, more, ok bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	u := b.find(key, id)
	if u == nil {
		return nil, false, false
	}
	b.observe(Looked, u, by)
	from := sort.Search(len(u.parts), func(i int) bool { return u.parts[i].Number > above })
	rest := u.parts[from:]
	if len(rest) > max {
		rest, more = rest[:max], max > 0
	}
	for _, p := range rest {
		parts = append(parts, listedPart{p, u.etag(p)})
	}
	return parts, more, true
}

// CreateBucket makes a bucket, or leaves the one of that name as it is. An empty region is the service's usual one.
func (s *Sandbox) CreateBucket(service Service, name, region string) {
	o := s.store(service)
	o.create(name, region)
}

// Seed opens an upload that was initiated at a given time and has the parts, and returns its id. The time is kept as
// precisely as the service shows it: whole seconds, or milliseconds on OBS and OSS. The bucket must exist.
func (s *Sandbox) Seed(service Service, bucket, key string, initiated time.Time, parts ...Part) (uploadID string) {
	o := s.store(service)
	b := s.bucket(service, bucket)
	u := b.begin(key, o.clip(initiated), o.dialect.newUploadID)
	for _, p := range parts {
		s.AddPart(service, bucket, key, u.id, p)
	}
	return u.id
}

// PinUploadID makes the next upload of a key get this id. Several pins of one key are used in turn.
func (s *Sandbox) PinUploadID(service Service, bucket, key, uploadID string) {
	b := s.bucket(service, bucket)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pins[key] = append(b.pins[key], uploadID)
}

// AddPart stores a part in an open upload, over one of the same number.
func (s *Sandbox) AddPart(service Service, bucket, key, uploadID string, p Part) {
	p.Modified = s.store(service).clip(p.Modified)
	if !s.bucket(service, bucket).put(key, uploadID, p, "") {
		panic(fmt.Sprintf("sandbox: %s bucket %q has no open upload %q of key %q", service, bucket, uploadID, key))
	}
}

// Uploads returns a bucket's open uploads with their parts, in listing order.
func (s *Sandbox) Uploads(service Service, bucket string) []Upload {
	b := s.bucket(service, bucket)
	b.mu.RLock()
	defer b.mu.RUnlock()
	var all []Upload
	for _, block := range b.open.blocks {
		for _, u := range block {
			all = append(all, Upload{u.key, u.id, u.initiated, slices.Clone(u.parts)})
		}
	}
	return all
}

// Objects returns the keys of a bucket's objects, sorted.
func (s *Sandbox) Objects(service Service, bucket string) []string {
	b := s.bucket(service, bucket)
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Sorted(maps.Keys(b.objects))
}

// PartBytes returns the bytes that the parts of a bucket's open uploads hold.
func (s *Sandbox) PartBytes(service Service, bucket string) int64 {
	b := s.bucket(service, bucket)
	b.mu.RLock()
	defer b.mu.RUnlock()
	var n int64
	for _, block := range b.open.blocks {
		for _, u := range block {
			for _, p := range u.parts {
				n += p.Size
			}
		}
	}
	return n
}

// store returns the object store of a service.
func (s *Sandbox) store(service Service) *objectStore {
	o := s.objects[service]
	if o == nil {
		panic(fmt.Sprintf("sandbox: %q has no buckets", service))
	}
	return o
}

// bucket returns a bucket that the caller says exists.
func (s *Sandbox) bucket(service Service, name string) *bucket {
	b := s.store(service).find(name)
	if b == nil {
		panic(fmt.Sprintf("sandbox: no %s bucket %q", service, name))
	}
	return b
}
