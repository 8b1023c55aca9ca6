package wire

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// Multipart is a [store.Driver] for the services that speak S3's language. What sets one apart from the others is in its
// Dialect; the three requests are here, once.
//
// Documents: docs.aws.amazon.com/AmazonS3/latest/API, ListMultipartUploads, ListParts and AbortMultipartUpload.
type Multipart struct {
	// PageSize is the most uploads or parts that one page holds. Zero leaves it to the service: 1,000.
	PageSize int

	dialect     Dialect
	client      *http.Client
	credentials store.CredentialsFunc
	now         func() time.Time
}

var _ store.Driver = (*Multipart)(nil)

// NewMultipart returns the driver for a dialect. The error is mpu.Invalid and names the field of the configuration that
// is wrong; fields that only some services have are for the caller to check.
func NewMultipart(cfg store.Config, d Dialect) (*Multipart, error) {
	if cfg.Credentials == nil {
		return nil, BadField("Credentials", "", "say where they come from")
	}
	if cfg.Region != "" && !IsRegion(cfg.Region) {
		return nil, BadField("Region", cfg.Region, "use the region's ID")
	}
	m := &Multipart{dialect: d, client: Client(cfg.Client), credentials: cfg.Credentials, now: cfg.Now}
	if m.now == nil {
		m.now = time.Now
	}
	return m, nil
}

// ListUploads implements [store.Driver].
func (m *Multipart) ListUploads(ctx context.Context, b mpu.Bucket, prefix string, after mpu.Marker) (store.Page, error) {
	var q query
	q.flag("uploads")
	q.add("prefix", prefix)
	q.add("key-marker", after.Key)
	q.add("upload-id-marker", after.UploadID)
	q.number("max-uploads", m.PageSize)
	if m.dialect.EncodingURL {
		q.add("encoding-type", "url")
	}
	var page store.Page
	c := call{op: store.ListUploads, method: http.MethodGet, bucket: b, query: q}
	c.read = func(p Place, h http.Header, s *Scanner) (err error) {
		if p.Learnt {
			b.Region = p.Region
		}
		page, err = m.dialect.readUploads(s, b)
		if err == nil && m.dialect.LeavesOut != nil {
			page.Incomplete = m.dialect.LeavesOut(h.Get("Server"), prefix, page)
		}
		return err
	}
	if err := m.send(ctx, c); err != nil {
		return store.Page{}, About(err, c.op, mpu.Request{Bucket: b, Prefix: prefix})
	}
	return page, nil
}

// ListParts implements [store.Driver].
func (m *Multipart) ListParts(ctx context.Context, u mpu.Upload, after int) (store.Parts, error) {
	var parts store.Parts
	c := call{op: store.ListParts, method: http.MethodGet, bucket: u.Bucket, key: u.Key}
	c.read = func(_ Place, _ http.Header, s *Scanner) (err error) {
		parts, err = m.dialect.readParts(s, u, after)
		return err
	}
	err := whole(u)
	if err == nil {
		c.query.add("uploadId", u.UploadID)
		c.query.number("part-number-marker", after)
		c.query.number("max-parts", m.PageSize)
		err = m.send(ctx, c)
	}
	if err != nil {
		return store.Parts{}, About(err, c.op, u)
	}
	return parts, nil
}

// AbortUpload implements [store.Driver].
func (m *Multipart) AbortUpload(ctx context.Context, u mpu.Upload) error {
	c := call{op: store.AbortUpload, method: http.MethodDelete, bucket: u.Bucket, key: u.Key}
	err := whole(u)
	if err == nil {
		c.query.add("uploadId", u.UploadID)
		err = m.send(ctx, c)
	}
	return About(err, c.op, u)
}

// whole refuses an upload with a blank: with no key an abort deletes the bucket on one store, and with no upload ID it
// deletes the object.
func whole(u mpu.Upload) error {
	blank := ""
	switch {
	case u.Bucket.Name == "":
		blank = "bucket"
	case u.Key == "":
		blank = "key"
	case u.UploadID == "":
		blank = "upload ID"
	default:
		return nil
	}
	return &mpu.Error{Kind: mpu.Refused, Message: "the " + blank + " is blank"}
}

// A query is the part of a URL after the question mark. It never holds an empty value: some stores refuse an empty
// marker, and others take it for a real one.
type query struct{ b strings.Builder }

func (q *query) flag(name string) {
	if q.b.Len() > 0 {
		q.b.WriteByte('&')
	}
	q.b.WriteString(name)
}

func (q *query) add(name, value string) {
	if value != "" {
		q.b.Grow(len(name) + len(value) + 2)
		q.flag(name)
		q.b.WriteByte('=')
		q.b.WriteString(Escape(value, false))
	}
}

func (q *query) number(name string, n int) {
	if n > 0 {
		q.add(name, strconv.Itoa(n))
	}
}

// A call is one of the operations on its way out.
type call struct {
	op     store.Op
	method string
	bucket mpu.Bucket
	key    string
	query  query
	read   func(Place, http.Header, *Scanner) error // nil: there is nothing to read
	whole  func(http.Header, []byte)                // instead, for an answer that is taken as it is
	body   []byte                                   // an XML document to send; nil: none
	header http.Header                              // beside the usual ones
}

// send sends a call and reads its answer. Its errors lack Op and Target.
func (m *Multipart) send(ctx context.Context, c call) error {
	if err := ctx.Err(); err != nil {
		return failed(ctx, 0, err)
	}
	place, err := m.locate(c)
	if err != nil {
		return err
	}
	creds, err := m.authorize(ctx)
	if err != nil {
		return err
	}
	req := c.request(ctx, place)
	if err := m.dialect.Sign(req, Signing{Place: place, Key: c.key, Body: c.body, Credentials: creds, Now: m.now()}); err != nil {
		return &mpu.Error{Message: "the request could not be signed", Err: err}
	}
	return Conceal(m.exchange(ctx, c, place, req), req, creds)
}

// locate says where a call goes.
func (m *Multipart) locate(c call) (Place, error) {
	if c.op == store.ListBuckets {
		return m.dialect.Buckets.Locate(c.bucket.Region)
	}
	if err := CheckBucket(c.bucket); err != nil {
		return Place{}, err
	}
	return m.dialect.Locate(c.bucket)
}

// exchange sends a request and judges its answer. The error may repeat what the answer says.
func (m *Multipart) exchange(ctx context.Context, c call, p Place, req *http.Request) error {
	resp, err := Send(ctx, m.client, req)
	if err != nil {
		return err
	}
	defer Release(resp)
	reply, err := c.answer(ctx, p, resp)
	if reply == nil {
		return err
	}
	return m.refusal(c, p, reply)
}

// authorize returns the credentials that are valid now, checked for what can only be a mistake.
func (m *Multipart) authorize(ctx context.Context) (store.Credentials, error) {
	creds, err := m.credentials(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return creds, failed(ctx, 0, err)
	case err != nil:
		return creds, &mpu.Error{Kind: mpu.KindOf(err), Err: err}
	case creds.AccessKeyID == "" || creds.SecretAccessKey == "":
		return creds, &mpu.Error{Kind: mpu.Denied, Message: "no credentials", Hint: "set the access key ID and the secret"}
	case !printable(creds.AccessKeyID) || !printable(creds.SecretAccessKey) || !printable(creds.SessionToken):
		return creds, &mpu.Error{Kind: mpu.Denied, Message: "the credentials hold a blank or a line break", Hint: "set them anew"}
	}
	return creds, nil
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

func (c call) request(ctx context.Context, p Place) *http.Request {
	path, raw := p.path(c.key)
	blank := http.Request{
		Method: c.method,
		URL:    &url.URL{Scheme: p.Scheme, Host: p.Address, Path: path, RawPath: raw, RawQuery: c.query.b.String()},
		Host:   cmp.Or(p.Host, p.Address),
		Header: make(http.Header, 8),
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	req := blank.WithContext(ctx)
	for name, values := range c.header {
		req.Header[name] = values
	}
	if c.body != nil {
		c.setBody(req)
	}
	return req
}

// answer reads an answer. It returns a reply for one that says no, and an error for one that says nothing whole.
func (c call) answer(ctx context.Context, p Place, resp *http.Response) (*Reply, error) {
	if c.read == nil && c.whole == nil || resp.StatusCode != http.StatusOK {
		body, err := readAll(resp, maxSmall)
		if err != nil {
			return nil, failed(ctx, resp.StatusCode, err)
		}
		if resp.StatusCode/100 == 2 && len(bytes.TrimSpace(body)) == 0 && c.read == nil && c.whole == nil {
			return nil, nil
		}
		reply := NewReply(resp.StatusCode, resp.Header)
		reply.ReadXML(body)
		return reply, nil
	}
	if c.whole != nil {
		body, err := readAll(resp, maxDocument)
		if err != nil {
			return nil, failed(ctx, resp.StatusCode, err)
		}
		c.whole(resp.Header, body)
		return nil, nil
	}
	scanner := scanners.Get().(*Scanner)
	defer scanners.Put(scanner)
	scanner.Reset(&bounded{r: resp.Body, left: maxPage})
	err := c.read(p, resp.Header, scanner)
	var refused *refusedError
	switch {
	case err == nil:
		return nil, nil
	case errors.As(err, &refused):
		reply := NewReply(resp.StatusCode, resp.Header)
		reply.merge(refused.reply)
		return reply, nil
	}
	return nil, misread(ctx, resp, err)
}

// scanners saves an answer's worth of buffers for every upload that is asked for its parts.
var scanners = sync.Pool{New: func() any { return NewScanner(nil) }}

// misread judges a 200 that could not be read. One that was cut may come whole the next time. Anything else is an answer
// that nobody knows, whose kind is not for guessing.
func misread(ctx context.Context, resp *http.Response, err error) *mpu.Error {
	e := &mpu.Error{Status: resp.StatusCode, Err: err}
	if !errors.Is(err, errSyntax) && !errors.Is(err, errContent) {
		e = failed(ctx, resp.StatusCode, err)
	}
	e.RequestID = Plain(requestID(resp.Header))
	return e
}

// refusal turns a reply into the error that the caller sees.
func (m *Multipart) refusal(c call, p Place, r *Reply) *mpu.Error {
	e := r.Error(m.dialect.Codes)
	if c.op == store.ListParts && r.Status == http.StatusNotFound && r.Code != "" && r.Code == m.dialect.PartsGone {
		e.Kind = mpu.Gone
	}
	if r.Status/100 == 3 {
		e.Message = cmp.Or(e.Message, "a redirect") + redirectTo(r.Header)
	}
	if m.dialect.Moved != nil && m.dialect.Moved(p, r) {
		e.Kind, e.Hint = mpu.Transient, "the bucket is in "+r.region()+", where it is asked from now on"
		return e
	}
	e.Hint = m.dialect.hint(c, p, r, e.Kind)
	if r.Code == "" && r.Status/100 == 2 {
		e.Message = "the answer is none of this operation's"
	}
	return e
}

// redirectTo names where a redirect leads. Its path and query are none of a log's business.
func redirectTo(h http.Header) string {
	const text = "; redirects are not followed"
	u, err := url.Parse(h.Get("Location"))
	if err != nil || u.Host == "" {
		return text
	}
	return " to " + Shorten(u.Host) + text
}

// hostOf returns the host of an endpoint, which may be a whole URL or none.
func hostOf(endpoint string) string {
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}

// region returns the region that a reply names, in its header or its body.
func (r *Reply) region() string {
	return cmp.Or(r.Header.Get("X-Amz-Bucket-Region"), r.Region)
}

// ToldRegion returns the region where the bucket is according to a refusal, "" if it names no plain region ID.
func (r *Reply) ToldRegion() string {
	if region := r.region(); IsRegion(region) {
		return region
	}
	return ""
}

// hint says what to do about a refusal.
func (d *Dialect) hint(c call, p Place, r *Reply, kind mpu.Kind) string {
	for _, word := range []string{r.Code, r.Message} { // COS says some of its codes in the message of another
		if hint, ok := d.Hints[word]; ok {
			return hint
		}
	}
	switch host := hostOf(r.Endpoint); {
	case host != "":
		return "the bucket answers at " + Shorten(host) + "; set its region or the endpoint"
	case kind == mpu.Denied:
		return strings.NewReplacer("{bucket}", p.Bucket, "{region}", cmp.Or(p.Region, "*"),
			"{partition}", p.Partition).Replace(d.Permissions[c.op])
	case kind == mpu.Missing:
		return fmt.Sprintf("check the bucket's name and its region (asked in %s)", cmp.Or(p.Region, "no region"))
	}
	return ""
}

// merge takes over what a document in the body said.
func (r *Reply) merge(body Reply) {
	r.Code, r.Message, r.Region, r.Endpoint = body.Code, body.Message, body.Region, body.Endpoint
	r.RequestID = cmp.Or(r.RequestID, body.RequestID)
}
