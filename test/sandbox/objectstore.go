package sandbox

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A dialect is what sets one object storage API apart from the others. The operations themselves are the same four
// times, and objectStore has them.
type dialect interface {
	traits() *traits
	// locate says where a request to a host points. It sees no more than the request line and the host.
	locate(host, path string) location
	// verify says who may not call: whatever is wrong with a call's signature, date, token or region. On success it
	// fills in what the call's signature says about region and payload.
	verify(c *call, who account, now time.Time) *refusal
	// stamp sets the headers that every answer carries.
	stamp(h http.Header, r *http.Request, requestID string)
	// greet sets the headers that need the bucket, on success and refusal alike.
	greet(h http.Header, c *call)
	// explain adds to a refusal what this API says beside the code.
	explain(c *call, no *refusal)
	// newUploadID makes an upload id of the API's shape.
	newUploadID(initiated time.Time) string
	// listBuckets writes the answer to a listing of buckets, which come sorted by name.
	listBuckets(c *call, all []*bucket) (*document, *refusal)
}

// traits are a dialect's constants.
type traits struct {
	codes  map[string]reply
	region string // of a bucket made with none named

	precision   time.Duration // of the times that it shows
	maxKey      int           // bytes
	keyTooLong  string        // code
	bucketTaken string        // code
	strict      bool          // refuses an upload id marker that it never issued

	emptyUploadID string // code for a listing of parts with an empty upload id, empty for the usual one

	namespace     string
	blank         string // what empty elements hold
	storageClass  string
	parties       []party
	uploadsCoding string // element that tells the encoding of a listing of uploads
	partsCoding   string // the same of a listing of parts
	crcHeader     string // tells an upload's checksum
	codingAlways  bool   // that element is there even when empty
	encode        func(string) string
	date          func(time.Time) string
}

// party is an owner or an initiator, as listings name them.
type party struct{ role, id, name string }

// reply is how a code is answered.
type reply struct {
	status  int
	message string
}

// refusal is an answer that is an error.
type refusal struct {
	code    string
	message string            // instead of the usual one
	fields  [][2]string       // elements beside the usual ones
	header  map[string]string // headers beside the usual ones
}

func deny(code string) *refusal { return &refusal{code: code} }

func denyBecause(code, message string, fields ...[2]string) *refusal {
	return &refusal{code: code, message: message, fields: fields}
}

// objectStore is one of the four object storage services.
type objectStore struct {
	sandbox *Sandbox
	service Service
	dialect dialect
	traits  *traits

	mu      sync.RWMutex
	buckets map[string]*bucket
}

func newObjectStore(s *Sandbox, service Service) *objectStore {
	o := &objectStore{sandbox: s, service: service, buckets: map[string]*bucket{}}
	switch service {
	case S3:
		o.dialect = newS3()
	case COS:
		o.dialect = newCOS(s.opt.BeijingDates)
	case OBS:
		o.dialect = newOBS()
	case OSS:
		o.dialect = newOSS()
	}
	o.traits = o.dialect.traits()
	return o
}

// find returns a bucket, nil for none.
func (o *objectStore) find(name string) *bucket {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.buckets[name]
}

// create makes a bucket and reports whether it is new.
func (o *objectStore) create(name, region string) bool {
	if region == "" {
		region = o.traits.region
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buckets[name] != nil {
		return false
	}
	b := newBucket(name, region, o.now())
	b.service, b.now, b.observer = o.service, o.now, o.sandbox.opt.Observe
	o.buckets[name] = b
	return true
}

// now is the storage clock, as precisely as the service shows it.
func (o *objectStore) now() time.Time { return o.clip(o.sandbox.opt.Now()) }

func (o *objectStore) clip(t time.Time) time.Time { return t.UTC().Truncate(o.traits.precision) }

// read takes a request apart.
func (o *objectStore) read(r *http.Request) *call {
	c := &call{r: r, path: rawPath(r)}
	c.at = o.dialect.locate(hostname(r), c.path)
	var err error
	if c.query, err = parseQuery(r.URL.RawQuery); err != nil {
		c.at.refuse = "InvalidURI"
	}
	if c.at.bucket != "" {
		c.bucket = o.find(c.at.bucket)
	}
	c.target = Target{Service: o.service, Op: c.operation(), Bucket: c.at.bucket, Key: c.at.key}
	c.target.UploadID = c.query.value("uploadId")
	return c
}

// target implements api.
func (o *objectStore) target(r *http.Request) Target { return o.read(r).target }

// serve implements api.
func (o *objectStore) serve(w http.ResponseWriter, r *http.Request, _ Target, requestID string) {
	c := o.read(r)
	c.id = requestID
	o.dialect.stamp(w.Header(), r, requestID)
	o.dialect.greet(w.Header(), c)
	if o.service == OBS && c.asksVersion() {
		o.tellVersion(w, c)
		return
	}
	if no := o.admit(c); no != nil {
		o.refuse(w, c, no)
		return
	}
	if no := o.route(w, c); no != nil {
		o.refuse(w, c, no)
	}
}

// fail implements api.
func (o *objectStore) fail(w http.ResponseWriter, t Target, code, requestID string) {
	if r := requestOf(w); r != nil {
		c := o.read(r)
		c.id = requestID
		o.dialect.stamp(w.Header(), r, requestID)
		o.dialect.greet(w.Header(), c)
		o.refuse(w, c, deny(code))
	}
}

// admit decides whether a call may run.
func (o *objectStore) admit(c *call) *refusal {
	if c.at.refuse != "" {
		return deny(c.at.refuse)
	}
	if !c.uploads() {
		if no := c.slurp(); no != nil {
			return no
		}
	}
	if no := o.dialect.verify(c, o.sandbox.account(), time.Now()); no != nil {
		return no
	}
	if len(c.at.key) > o.traits.maxKey {
		return deny(o.traits.keyTooLong)
	}
	return nil
}

// route runs the operation.
func (o *objectStore) route(w http.ResponseWriter, c *call) *refusal {
	if c.at.bucket == "" {
		return o.serveService(w, c)
	}
	if c.r.Method == http.MethodPut && c.at.key == "" && c.plain() {
		return o.putBucket(w, c)
	}
	if answered, no := o.quirkyCall(w, c); answered || no != nil {
		return no
	}
	if c.bucket == nil {
		return deny("NoSuchBucket")
	}
	switch c.target.Op {
	case OpHeadBucket:
		return nil
	case OpListUploads:
		return o.listUploads(w, c)
	case OpListParts:
		return o.listParts(w, c)
	case OpGetLifecycle:
		return o.getLifecycle(w, c)
	case OpPutLifecycle:
		return o.putLifecycle(w, c)
	case OpCreate:
		return o.createUpload(w, c)
	case OpUploadPart:
		return o.uploadPart(w, c)
	case OpComplete:
		return o.completeUpload(w, c)
	case OpAbort:
		return o.abortUpload(w, c)
	}
	if c.at.key == "" {
		return o.serveBucket(w, c)
	}
	return o.serveObject(w, c)
}

// serveService answers calls that name no bucket.
func (o *objectStore) serveService(w http.ResponseWriter, c *call) *refusal {
	if c.target.Op != OpListBuckets || c.path != "/" {
		return deny("MethodNotAllowed")
	}
	o.mu.RLock()
	all := slices.Collect(maps.Values(o.buckets))
	o.mu.RUnlock()
	slices.SortFunc(all, func(a, b *bucket) int { return strings.Compare(a.name, b.name) })
	d, no := o.dialect.listBuckets(c, all)
	if no == nil {
		send(w, http.StatusOK, d)
	}
	return no
}

// putBucket makes a bucket: in the region that the body, the host or the signature names.
func (o *objectStore) putBucket(w http.ResponseWriter, c *call) *refusal {
	region := c.wantedRegion()
	for _, more := range []string{c.at.region, c.region} {
		if region == "" {
			region = more
		}
	}
	if !o.create(c.at.bucket, region) {
		return deny(o.traits.bucketTaken)
	}
	w.Header().Set("Location", "/"+c.at.bucket)
	w.WriteHeader(http.StatusOK)
	return nil
}

// serveBucket answers the calls on a bucket that are not about uploads. Deleting looks at objects only, and an
// upload id beside it changes nothing: an abort that lost its key deletes the bucket.
func (o *objectStore) serveBucket(w http.ResponseWriter, c *call) *refusal {
	if c.r.Method != http.MethodDelete || !c.plain() {
		return deny("NotImplemented")
	}
	c.bucket.mu.RLock()
	full := len(c.bucket.objects) > 0
	c.bucket.mu.RUnlock()
	if full {
		return deny("BucketNotEmpty")
	}
	o.mu.Lock()
	delete(o.buckets, c.at.bucket)
	o.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// serveObject answers the calls on an object.
func (o *objectStore) serveObject(w http.ResponseWriter, c *call) *refusal {
	switch c.r.Method {
	case http.MethodPut:
		return o.putObject(w, c)
	case http.MethodDelete:
		c.bucket.mu.Lock()
		delete(c.bucket.objects, c.at.key)
		c.bucket.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodGet, http.MethodHead:
		return o.getObject(w, c)
	}
	return deny("MethodNotAllowed")
}

func (o *objectStore) putObject(w http.ResponseWriter, c *call) *refusal {
	p, no := c.drain(true)
	if no != nil {
		return no
	}
	c.bucket.mu.Lock()
	c.bucket.objects[c.at.key] = object{size: p.size, etag: p.etag, modified: o.now(), body: p.body}
	c.bucket.mu.Unlock()
	o.announce(w.Header(), p)
	w.WriteHeader(http.StatusOK)
	return nil
}

// getObject sends an object. One that was uploaded in parts reads as zeros: only its size was kept.
func (o *objectStore) getObject(w http.ResponseWriter, c *call) *refusal {
	c.bucket.mu.RLock()
	obj, ok := c.bucket.objects[c.at.key]
	c.bucket.mu.RUnlock()
	if !ok {
		return deny("NoSuchKey")
	}
	h := w.Header()
	h.Set("Etag", `"`+obj.etag+`"`)
	h.Set("Last-Modified", obj.modified.Format(http.TimeFormat))
	h.Set("Content-Length", strconv.FormatInt(obj.size, 10))
	h.Set("Content-Type", "binary/octet-stream")
	w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	if obj.body != nil {
		w.Write(obj.body)
		return nil
	}
	io.CopyN(w, zeros{}, obj.size) // the client may leave early; there is nobody to tell
	return nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// refuse sends an error in the service's own envelope.
func (o *objectStore) refuse(w http.ResponseWriter, c *call, no *refusal) {
	how, ok := o.traits.codes[no.code]
	if !ok {
		panic("sandbox: " + string(o.service) + " has no error code " + no.code)
	}
	if no.message == "" {
		no.message = how.message
	}
	o.dialect.explain(c, no)
	d := newDocument(o.traits.blank)
	d.open("Error")
	d.text("Code", no.code)
	d.text("Message", no.message)
	for _, f := range no.fields {
		d.text(f[0], f[1])
	}
	d.close("Error")
	w.Header().Set(codeHeader, no.code)
	for name, value := range no.header {
		w.Header().Set(name, value)
	}
	send(w, how.status, d)
}

// send answers with a document. net/http keeps it back from answers that have no body.
func send(w http.ResponseWriter, status int, d *document) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(d.b)))
	w.WriteHeader(status)
	w.Write(d.b) // the client may be gone; there is nobody to tell
}

// plain reports whether the query asks for nothing in particular.
func (c *call) plain() bool {
	for _, p := range c.query {
		if p.name != "x-id" && p.name != "uploadId" {
			return false
		}
	}
	return true
}

// resource is how an error names what the call was about.
func (c *call) resource() string {
	if c.at.bucket == "" {
		return "/"
	}
	return "/" + c.at.bucket + "/" + c.at.key
}
