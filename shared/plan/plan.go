// Package plan keeps a plan in a file: what would be done, and why, an upload a line, for people and programs to read, to
// strike lines out of, and to apply later.
//
// The file is JSON Lines. The first line says what it is, the last that it is whole; between them is an upload a line, in the
// notation, with the cutoff that it was judged by. Only lines whose verdict is "abort" are applied.
package plan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// Version is the version of the format.
const Version = 1

// A Header is the first line.
type Header struct {
	Plan     int       `json:"plan"` // the version
	Made     time.Time `json:"made"`
	Requests []string  `json:"requests"` // what was asked for
}

// A Line is one upload.
type Line struct {
	Upload       string      `json:"upload"` // in the notation
	Verdict      mpu.Verdict `json:"verdict"`
	Reason       mpu.Reason  `json:"reason"`
	Detail       string      `json:"detail,omitempty"`
	Initiated    time.Time   `json:"initiated,omitzero"`
	LastActive   time.Time   `json:"lastActive,omitzero"`
	Before       time.Time   `json:"before"`          // the cutoff
	Parts        *int        `json:"parts,omitempty"` // nil where nobody has looked: what is too young is not looked at
	Bytes        *int64      `json:"bytes,omitempty"` // in the parts
	StorageClass string      `json:"storageClass,omitempty"`
}

// An End is the last line.
type End struct {
	End      bool  `json:"end"`
	Abort    int   `json:"abort"`    // uploads
	Keep     int   `json:"keep"`     // uploads
	Bytes    int64 `json:"bytes"`    // in those to be aborted
	Complete bool  `json:"complete"` // all that was asked for was looked at
}

// A Writer writes a plan. It is safe for use by many goroutines.
type Writer struct {
	mu  sync.Mutex
	buf *bufio.Writer
	enc *json.Encoder
	end End
	err error
}

// NewWriter begins a plan.
func NewWriter(w io.Writer, h Header) *Writer {
	p := &Writer{buf: bufio.NewWriter(w), end: End{End: true}}
	p.enc = json.NewEncoder(p.buf)
	p.enc.SetEscapeHTML(false) // & stands in every request
	h.Plan = Version
	p.err = p.enc.Encode(h)
	return p
}

// Add adds an outcome, if it is one that a plan has: planned or kept.
func (p *Writer) Add(o mpu.Outcome) {
	line := Line{Upload: o.Upload.String(), Reason: o.Reason, Detail: o.Detail, Initiated: o.Upload.Initiated.UTC(), LastActive: o.LastActive.UTC(),
		Before: o.Before.UTC(), StorageClass: o.Upload.StorageClass}
	if o.Inspected {
		line.Parts, line.Bytes = &o.Parts, &o.Bytes
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch o.Result {
	case mpu.ResultPlanned:
		line.Verdict = mpu.Abort
		p.end.Abort++
		p.end.Bytes += o.Bytes
	case mpu.ResultKept:
		line.Verdict = mpu.Keep
		p.end.Keep++
	default:
		return
	}
	if p.err == nil {
		p.err = p.enc.Encode(line)
	}
}

// Close ends the plan, and returns the first error that writing met.
func (p *Writer) Close(complete bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end.Complete = complete
	if p.err == nil {
		p.err = p.enc.Encode(p.end)
	}
	if p.err == nil {
		p.err = p.buf.Flush()
	}
	return p.err
}

// A File is a plan that has been read and found whole.
type File struct {
	Header  Header
	End     End
	Abort   int   // lines whose verdict is abort; what is struck out is not counted
	Bytes   int64 // in them
	Unknown int   // of them, those that nobody had looked into, so that their bytes are not known
	Groups  []Group
}

// A Group is what of a plan can be applied together: the uploads of one bucket that were judged by one cutoff. VOD and MPS
// have no listing to look at uploads in, so that there each is a request of its own, and Uploads is nil.
type Group struct {
	Request mpu.Request
	Uploads iter.Seq[mpu.Upload]
	lines   [][]byte
}

// Read reads a plan. Every line is read before anything is returned; an error names the line. An upload that stands there
// twice, because two requests named it, is read once, with the earlier of its cutoffs; not at all, if one of the two says keep.
func Read(text []byte) (*File, error) {
	r := reader{File: &File{}, places: map[string]int{}, spared: map[string]bool{}}
	n := 0
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // editors put it in front of files
	for raw := range bytes.Lines(text) {
		n++
		err := r.read(bytes.TrimSpace(raw))
		if err != nil && !bytes.HasSuffix(raw, []byte("\n")) && !json.Valid(raw) {
			err = errCut
		}
		if err != nil {
			return nil, invalid(n, err)
		}
	}
	switch {
	case n == 0:
		return nil, invalid(1, errors.New("the file is empty; make the plan again"))
	case r.Header.Plan != Version:
		return nil, invalid(1, errNoPlan)
	case !r.End.End:
		return nil, invalid(n, errCut)
	}
	r.group()
	return r.File, nil
}

var errNoPlan = errors.New("this is no plan; make one with partsweep plan -o FILE")

var errCut = errors.New("the file ends before the plan does, so it may have been cut; make the plan again")

func invalid(line int, err error) error {
	return &mpu.Error{Kind: mpu.Invalid, Op: "read plan", Target: fmt.Sprintf("line %d", line), Err: err}
}

// A reader is a plan that is being read.
type reader struct {
	*File
	found  []found
	places map[string]int  // of an upload among those that were found
	spared map[string]bool // uploads of which a line says keep
}

// A found is a line whose verdict is abort.
type found struct {
	raw     []byte
	name    string      // the upload
	request mpu.Request // the same, with the cutoff
	bytes   *int64      // nil where nobody had looked
}

func (r *reader) read(raw []byte) error {
	switch {
	case len(raw) == 0:
		return nil
	case r.Header.Plan == 0:
		return r.readHeader(raw)
	case r.End.End:
		return errors.New("something stands behind the end")
	case bytes.HasPrefix(raw, []byte(`{"end"`)):
		return strict(raw, &r.End)
	}
	return r.readLine(raw)
}

func (r *reader) readHeader(raw []byte) error {
	var version struct{ Plan int }
	switch err := json.NewDecoder(bytes.NewReader(raw)).Decode(&version); {
	case err != nil || version.Plan == 0:
		return errNoPlan
	case version.Plan != Version:
		return fmt.Errorf("version %d of a plan, and this knows version %d only; make the plan again", version.Plan, Version)
	}
	return strict(raw, &r.Header)
}

func (r *reader) readLine(raw []byte) error {
	var l Line
	if err := strict(raw, &l); err != nil {
		return err
	}
	u, err := mpu.Parse(l.Upload)
	switch {
	case err != nil:
		return err
	case u.UploadID == "" || u != (mpu.Request{Bucket: u.Bucket, Key: u.Key, UploadID: u.UploadID}):
		return fmt.Errorf("upload %q: exactly one upload can stand here", l.Upload)
	case l.Verdict == mpu.Keep:
		r.spared[anywhere(u)] = true
		return nil
	case l.Verdict != mpu.Abort:
		return fmt.Errorf("verdict %q: use %s or %s", l.Verdict, mpu.Abort, mpu.Keep)
	case l.Bytes != nil && *l.Bytes < 0, l.Parts != nil && *l.Parts < 0:
		return errors.New("parts and bytes cannot be below 0")
	case l.Before.IsZero() && u.Bucket.Store != "mps":
		return errors.New("before is missing: an upload is aborted only if nothing has happened to it since then")
	}
	name := u.String()
	u.Before = l.Before.UTC()
	f := found{raw: raw, name: name, request: u, bytes: l.Bytes}
	i, twice := r.places[name]
	switch {
	case !twice:
		r.places[name] = len(r.found)
		r.found = append(r.found, f)
	case u.Before.Before(r.found[i].request.Before):
		r.found[i] = f
	}
	return nil
}

// anywhere is an upload without its bucket's region: a line may leave that out, and one that says keep holds all the same.
func anywhere(r mpu.Request) string {
	r.Bucket.Region, r.Before = "", time.Time{}
	return r.String()
}

// group puts together what can be applied together.
func (r *reader) group() {
	groups := map[mpu.Request]int{}
	for _, f := range r.found {
		if r.spared[anywhere(f.request)] {
			continue
		}
		r.Abort++
		if f.bytes != nil {
			r.Bytes += *f.bytes
		} else {
			r.Unknown++
		}
		if mpu.ByMediaID(f.request.Bucket.Store) {
			if f.request.Bucket.Store == "mps" {
				f.request.Before = time.Time{} // its records have no time
			}
			r.Groups = append(r.Groups, Group{Request: f.request})
			continue
		}
		of := mpu.Request{Bucket: f.request.Bucket, Before: f.request.Before}
		i, ok := groups[of]
		if !ok {
			i = len(r.Groups)
			groups[of] = i
			r.Groups = append(r.Groups, Group{Request: of})
		}
		r.Groups[i].lines = append(r.Groups[i].lines, f.raw)
	}
	for i := range r.Groups {
		r.Groups[i].open()
	}
}

// open makes the lines of a group, which have been read once, into uploads.
func (g *Group) open() {
	if g.lines == nil {
		return
	}
	lines := slices.Clip(g.lines)
	g.Uploads = func(yield func(mpu.Upload) bool) {
		for _, raw := range lines {
			var l Line
			if err := strict(raw, &l); err != nil {
				panic("a line of a plan that has been read: " + err.Error())
			}
			r, err := mpu.Parse(l.Upload)
			if err != nil {
				panic("a line of a plan that has been read: " + err.Error())
			}
			if !yield(mpu.Upload{Bucket: r.Bucket, Key: r.Key, UploadID: r.UploadID, Initiated: l.Initiated, StorageClass: l.StorageClass}) {
				return
			}
		}
	}
}

// strict reads one object, with nothing behind it and no field that nobody knows: a misspelt one would be a lost word.
func strict(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return inWords(raw, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more than one object stands on the line; one upload is one line")
	}
	return once(raw)
}

// once refuses a name that stands twice in an object, however it is spelt: of the two, a reader takes one and a person may see
// the other.
func once(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.Token() // the object's beginning, which has been read once
	seen := map[string]bool{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		lower := strings.ToLower(fmt.Sprint(name))
		if seen[lower] {
			return fmt.Errorf("field %q stands there twice", name)
		}
		seen[lower] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}

// inWords says of what the JSON decoder complains about to people who know nothing of it.
func inWords(raw []byte, err error) error {
	var kind *json.UnmarshalTypeError
	field, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("field %s: a %s cannot stand here", kind.Field, kind.Value)
	case unknown:
		return fmt.Errorf("field %s is not one of a plan", field)
	case errors.As(err, new(*time.ParseError)):
		return errors.New("write times as in 2026-01-02T03:04:05Z")
	case json.Valid(raw):
		return err
	}
	return errors.New("this is no JSON object; strike out whole lines only, or make the plan again")
}
