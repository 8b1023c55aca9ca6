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
	Before       time.Time   `json:"before"` // the cutoff
	Parts        int         `json:"parts"`
	Bytes        int64       `json:"bytes"`
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
		Before: o.Before.UTC(), Parts: o.Parts, Bytes: o.Bytes, StorageClass: o.Upload.StorageClass}
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
	Header Header
	End    End
	Abort  int   // lines whose verdict is abort; what is struck out is not counted
	Bytes  int64 // in them
	Groups []Group
}

// A Group is what of a plan can be applied together: the uploads of one bucket that were judged by one cutoff. VOD and MPS
// have no listing to look at uploads in, so that there each is a request of its own, and Uploads is nil.
type Group struct {
	Request mpu.Request
	Uploads iter.Seq[mpu.Upload]
	lines   [][]byte
}

// Read reads a plan. Every line is read before anything is returned; an error names the line.
func Read(text []byte) (*File, error) {
	f := &File{}
	groups := map[mpu.Request]int{}
	n := 0
	for raw := range bytes.Lines(text) {
		n++
		raw = bytes.TrimSpace(raw)
		var err error
		switch {
		case len(raw) == 0:
		case n == 1:
			err = f.readHeader(raw)
		case f.End.End:
			err = errors.New("something stands behind the end")
		case bytes.HasPrefix(raw, []byte(`{"end"`)):
			err = strict(raw, &f.End)
		default:
			err = f.readLine(raw, groups)
		}
		if err != nil {
			return nil, &mpu.Error{Kind: mpu.Invalid, Op: "read plan", Target: fmt.Sprintf("line %d", n), Err: err}
		}
	}
	if !f.End.End {
		return nil, &mpu.Error{Kind: mpu.Invalid, Op: "read plan", Target: fmt.Sprintf("line %d", n),
			Err: errors.New("the last line is missing, so the file may have been cut; make the plan again")}
	}
	for i := range f.Groups {
		f.Groups[i].open()
	}
	return f, nil
}

func (f *File) readHeader(raw []byte) error {
	if err := strict(raw, &f.Header); err != nil || f.Header.Plan == 0 {
		return errors.Join(errors.New("this is no plan; make one with partsweep plan -o FILE"), err)
	}
	if f.Header.Plan != Version {
		return fmt.Errorf("version %d of a plan, and this knows version %d only", f.Header.Plan, Version)
	}
	return nil
}

func (f *File) readLine(raw []byte, groups map[mpu.Request]int) error {
	var l Line
	if err := strict(raw, &l); err != nil {
		return err
	}
	r, err := mpu.Parse(l.Upload)
	switch {
	case err != nil:
		return err
	case r.UploadID == "" || r != (mpu.Request{Bucket: r.Bucket, Key: r.Key, UploadID: r.UploadID}):
		return fmt.Errorf("upload %q: exactly one upload can stand here", l.Upload)
	case l.Verdict == mpu.Keep:
		return nil
	case l.Verdict != mpu.Abort:
		return fmt.Errorf("verdict %q: use %s or %s", l.Verdict, mpu.Abort, mpu.Keep)
	case l.Before.IsZero() && r.Bucket.Store != "mps":
		return errors.New("before is missing: an upload is aborted only if nothing has happened to it since then")
	}
	f.Abort++
	f.Bytes += l.Bytes
	group := mpu.Request{Bucket: r.Bucket, Before: l.Before.UTC()}
	switch r.Bucket.Store {
	case "vod":
		r.Before = l.Before.UTC()
		f.Groups = append(f.Groups, Group{Request: r})
		return nil
	case "mps":
		f.Groups = append(f.Groups, Group{Request: r})
		return nil
	}
	i, ok := groups[group]
	if !ok {
		i = len(f.Groups)
		groups[group] = i
		f.Groups = append(f.Groups, Group{Request: group})
	}
	f.Groups[i].lines = append(f.Groups[i].lines, raw)
	return nil
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
		return err
	}
	if dec.More() {
		return errors.New("more than one object stands on the line")
	}
	return nil
}
