package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// errContent is the cause of every error about what an answer says, as against how it is written.
var errContent = errors.New("not the answer that was asked for")

func content(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errContent, fmt.Sprintf(format, args...))
}

// A refusedError is an error document under a status of success.
type refusedError struct{ reply Reply }

func (e *refusedError) Error() string { return "an error under a status of success" }

// readRoot reads the root's start tag. An error document is read whole.
func readRoot(s *Scanner, want string) error {
	if _, err := s.Next(); err != nil {
		return err
	}
	switch name := string(s.Name()); name {
	case want:
		return nil
	case "error", "errorresponse":
		e := new(refusedError)
		if err := e.reply.readError(s); err != nil {
			return err
		}
		return e
	default:
		return content("the root element is %s, not %s", quote(name), want)
	}
}

// readEnd reads what may follow the root: nothing.
func readEnd(s *Scanner) error {
	if _, err := s.Next(); err != io.EOF {
		return err
	}
	return nil
}

// A listing is a page of uploads while it is being read.
type listing struct {
	header
	page     store.Page
	encoding string
	upload   mpu.Upload
	time     string // when the upload was initiated, as it is written
}

// A header is what both kinds of pages say of themselves.
type header struct {
	bucket    string
	truncated string
}

// more returns what the page says of there being more. A page that says nothing about it is not known to be a whole one.
func (h *header) more(d *Dialect, asked string) (bool, error) {
	if h.bucket != "" && h.bucket != asked && (d.Alias == nil || !d.Alias(asked)) {
		return false, content("it is about the bucket %s, not %s", quote(h.bucket), asked)
	}
	switch {
	case strings.EqualFold(h.truncated, "true"):
		return true, nil
	case strings.EqualFold(h.truncated, "false"):
		return false, nil
	case h.truncated == "":
		return false, content("IsTruncated is missing")
	}
	return false, content("IsTruncated is %s", quote(h.truncated))
}

// readUploads reads a ListMultipartUploadsResult. Uploads belong to b.
func (d *Dialect) readUploads(s *Scanner, b mpu.Bucket) (store.Page, error) {
	if err := readRoot(s, "listmultipartuploadsresult"); err != nil {
		return store.Page{}, err
	}
	var l listing
	for {
		event, err := s.Next()
		if err != nil {
			return store.Page{}, err
		}
		upload := s.Depth() == 2 && string(s.Name()) == "upload"
		switch {
		case event == Open && upload:
			l.upload, l.time = mpu.Upload{Bucket: b}, ""
		case event == Close && upload:
			err = l.add(d)
		case event == Close && s.Depth() == 3:
			err = l.uploadField(s)
		case event == Close && s.Depth() == 2:
			err = l.field(s)
		case event == Close && s.Depth() == 1:
			return l.finish(d, s, b)
		}
		if err != nil {
			return store.Page{}, err
		}
	}
}

// keep keeps the text of an element that stands once. The same text twice is no contradiction; of two texts one reader
// takes the first and another the last, so that they are no answer.
func keep(s *Scanner, field *string, text []byte) error {
	switch {
	case *field == "":
		*field = string(text)
	case *field != string(text):
		return content("there are two of %s, and they differ", quote(string(s.Name())))
	}
	return nil
}

// uploadField keeps an element of an upload. Keys and upload IDs are never trimmed: a blank is a good key.
func (l *listing) uploadField(s *Scanner) error {
	switch string(s.Name()) {
	case "key":
		return keep(s, &l.upload.Key, s.Text())
	case "uploadid":
		return keep(s, &l.upload.UploadID, s.Text())
	case "initiated":
		return keep(s, &l.time, bytes.TrimSpace(s.Text()))
	case "storageclass":
		class := bytes.TrimSpace(s.Text())
		if n := len(l.page.Uploads); n > 0 && l.page.Uploads[n-1].StorageClass == string(class) {
			l.upload.StorageClass = l.page.Uploads[n-1].StorageClass // a page has a thousand, mostly of one class
		} else {
			l.upload.StorageClass = string(class)
		}
	}
	return nil
}

// maxNamed bounds keys, upload IDs and markers: what is longer cannot be a part of a request (mpu.Request.Validate), and is
// four times as long as any store's keys.
const maxNamed = 4096

// maxUploads bounds a page. A service's own is 1,000; servers that heed no such bound send what fits into maxPage, and with
// names as short as they can be that is hundreds of thousands.
const maxUploads = 50_000

// add adds the upload that has been read. What cannot be named cannot be aborted, and leaving it out would be a lie.
func (l *listing) add(d *Dialect) error {
	switch u := &l.upload; {
	case u.Key == "" || u.UploadID == "":
		return content("an upload has no key or no upload ID")
	case len(u.Key) > maxNamed || len(u.UploadID) > maxNamed:
		return content("an upload has a key or an upload ID of more than %d bytes", maxNamed)
	case len(l.page.Uploads) == maxUploads:
		return content("a page has more than %d uploads", maxUploads)
	}
	l.upload.Initiated = d.ParseTime(l.time)
	if d.Initiated != nil && !l.upload.Initiated.IsZero() {
		l.upload.Initiated = d.Initiated(l.upload.Initiated, l.upload.UploadID)
	}
	if n := len(l.page.Uploads); n == cap(l.page.Uploads) {
		l.page.Uploads = slices.Grow(l.page.Uploads, max(16, 3*n)) // most pages are small, or have a thousand
	}
	l.page.Uploads = append(l.page.Uploads, l.upload)
	return nil
}

// field keeps an element of the page. A marker that is but layout is an empty one; one that is a blank is a key.
func (l *listing) field(s *Scanner) error {
	text := s.Text()
	if s.Layout() {
		text = nil
	}
	switch string(s.Name()) {
	case "bucket":
		return keep(s, &l.bucket, bytes.TrimSpace(text))
	case "encodingtype", "encoding-type":
		return keep(s, &l.encoding, bytes.TrimSpace(text))
	case "istruncated":
		return keep(s, &l.truncated, bytes.TrimSpace(text))
	case "nextkeymarker":
		return keep(s, &l.page.Next.Key, text)
	case "nextuploadidmarker":
		return keep(s, &l.page.Next.UploadID, text)
	}
	return nil
}

func (l *listing) finish(d *Dialect, s *Scanner, b mpu.Bucket) (store.Page, error) {
	err := readEnd(s)
	if err == nil {
		l.page.More, err = l.more(d, b.Name)
	}
	if err == nil && strings.EqualFold(l.encoding, "url") {
		err = l.decode()
	}
	if err == nil && max(len(l.page.Next.Key), len(l.page.Next.UploadID)) > maxNamed {
		err = content("a marker has more than %d bytes", maxNamed)
	}
	if err != nil {
		return store.Page{}, err
	}
	if !l.page.More {
		l.page.Next = mpu.Marker{} // some services name markers even after the last page
	}
	return l.page, nil
}

// decode undoes encoding-type=url, in which a plus sign is a blank. Upload IDs are not encoded.
func (l *listing) decode() error {
	keys := make([]*string, 0, len(l.page.Uploads)+1)
	keys = append(keys, &l.page.Next.Key)
	for i := range l.page.Uploads {
		keys = append(keys, &l.page.Uploads[i].Key)
	}
	for _, key := range keys {
		decoded, err := url.QueryUnescape(*key)
		if err != nil {
			return content("the key %s is not in the encoding that the page claims", quote(*key))
		}
		*key = decoded
	}
	return nil
}

// A partListing is a page of parts while it is being read.
type partListing struct {
	header
	parts    store.Parts
	after    int
	uploadID string
	next     string
	time     string // when the upload was initiated, as it is written
	undated  int    // parts with no time that can be read
	highest  int    // the highest part number on the page
	part     struct{ number, size, time string }
}

// readParts reads a ListPartsResult.
func (d *Dialect) readParts(s *Scanner, u mpu.Upload, after int) (store.Parts, error) {
	if err := readRoot(s, "listpartsresult"); err != nil {
		return store.Parts{}, err
	}
	l := partListing{after: after}
	for {
		event, err := s.Next()
		if err != nil {
			return store.Parts{}, err
		}
		part := s.Depth() == 2 && string(s.Name()) == "part"
		switch {
		case event == Open && part:
			l.part.number, l.part.size, l.part.time = "", "", ""
		case event == Close && part:
			err = l.add(d)
		case event == Close && s.Depth() == 3:
			err = l.partField(s)
		case event == Close && s.Depth() == 2:
			err = l.field(s)
		case event == Close && s.Depth() == 1:
			return l.finish(d, s, u)
		}
		if err != nil {
			return store.Parts{}, err
		}
	}
}

func (l *partListing) partField(s *Scanner) error {
	text := bytes.TrimSpace(s.Text())
	switch string(s.Name()) {
	case "partnumber":
		return keep(s, &l.part.number, text)
	case "size":
		return keep(s, &l.part.size, text)
	case "lastmodified":
		return keep(s, &l.part.time, text)
	}
	return nil
}

func (l *partListing) field(s *Scanner) error {
	text := bytes.TrimSpace(s.Text())
	switch string(s.Name()) {
	case "bucket":
		return keep(s, &l.bucket, text)
	case "uploadid":
		return keep(s, &l.uploadID, text)
	case "istruncated":
		return keep(s, &l.truncated, text)
	case "nextpartnumbermarker":
		return keep(s, &l.next, text)
	case "initiated":
		return keep(s, &l.time, text)
	}
	return nil
}

// add adds the part that has been read, unless it was on an earlier page: one server repeats the marker's own.
func (l *partListing) add(d *Dialect) error {
	number, err := strconv.Atoi(l.part.number)
	if err != nil || number < 0 {
		return content("a part's number is %s", quote(l.part.number))
	}
	if number <= l.after {
		return nil
	}
	size, err := strconv.ParseInt(l.part.size, 10, 64)
	if err != nil || size < 0 {
		return content("the size of part %d is %s", number, quote(l.part.size))
	}
	l.highest = max(l.highest, number)
	l.parts.Count++
	l.parts.Bytes += size
	modified := d.ParseTime(l.part.time)
	if modified.IsZero() {
		l.undated++
	}
	if modified.After(l.parts.Newest) {
		l.parts.Newest = modified
	}
	return nil
}

func (l *partListing) finish(d *Dialect, s *Scanner, u mpu.Upload) (store.Parts, error) {
	err := readEnd(s)
	if err == nil {
		l.parts.More, err = l.more(d, u.Bucket.Name)
	}
	l.parts.Initiated = d.ParseTime(l.time)
	switch {
	case err != nil:
		return store.Parts{}, err
	case l.uploadID != "" && l.uploadID != strings.TrimSpace(u.UploadID):
		return store.Parts{}, content("it is about the upload ID %s", quote(l.uploadID))
	case l.undated > 0 && l.undated < l.parts.Count:
		// The newest of the others would pass for the newest of all, and a live upload for a dead one.
		return store.Parts{}, content("%d of %d parts have no time", l.undated, l.parts.Count)
	case !l.parts.More:
		return l.parts, nil
	}
	if l.parts.Next, err = strconv.Atoi(l.next); err != nil || l.parts.Next <= l.after {
		l.parts.Next = l.highest
	}
	if l.parts.Next <= l.after {
		return store.Parts{}, content("there is more after part %d, but it does not say where", l.after)
	}
	return l.parts, nil
}

// bounded reads an answer up to its bound, and says so when there is more.
type bounded struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, tooLong(maxPage)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
