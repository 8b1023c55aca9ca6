package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Bounds of a document. A key of 1,024 bytes, each written as a numeric reference, stays well below maxText.
const (
	maxDepth = 32
	maxName  = 256
	maxTag   = 16 << 10
	maxText  = 128 << 10
)

// An Event is what a [Scanner] has come upon.
type Event uint8

// The two events. An empty element is an Open and a Close.
const (
	Open  Event = iota + 1 // a start tag
	Close                  // an end tag; Text is what the element held
)

// A Scanner reads an XML document as a stream of events, in memory that does not grow with the document. It is not
// encoding/xml, for two reasons: that takes ten times as long, and it refuses what stores really send. Keys may hold
// characters that XML 1.0 cannot carry, raw or as numeric references, and bytes that are not UTF-8; a Scanner hands all of
// them on as they came. It does not normalize line ends either: who writes a raw carriage return into a key means one.
//
// Otherwise it is strict, because a listing that is understood by halves is a short listing: every element must be
// closed by its own name, there is one root, an unknown entity is an error, and so is a document type declaration.
type Scanner struct {
	r       *bufio.Reader
	open    []element
	names   []byte // of the open elements, one after the other
	name    []byte // what Name returns
	text    []byte // character data since the last tag
	tag     []byte // a tag that did not come in one piece, or the end of the markup that is being skipped
	written bool   // text holds something that was written out: a reference or CDATA
	close   bool   // the last tag was an empty element, whose Close is still to come
	pop     bool   // the last event was a Close, whose name is still on the stack
	ended   bool   // the root has been closed
	err     error
}

// NewScanner returns a scanner that reads from r.
func NewScanner(r io.Reader) *Scanner { return &Scanner{r: bufio.NewReaderSize(r, 16<<10)} }

// Reset makes the scanner read from r, as a new one would, and keeps its memory.
func (s *Scanner) Reset(r io.Reader) {
	s.r.Reset(r)
	*s = Scanner{r: s.r, open: s.open[:0], names: s.names[:0], text: s.text[:0], tag: s.tag[:0]}
}

// An element is where an open element's names lie: the one it was opened with, and the one that Name returns.
type element struct{ raw, local int }

// errSyntax is the cause of every error about a document's form, as against its being cut.
var errSyntax = errors.New("malformed xml")

func syntax(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errSyntax, fmt.Sprintf(format, args...))
}

// Next reads up to the next event. It returns io.EOF after a whole document, io.ErrUnexpectedEOF if the document ends
// before its root does, and any error of the underlying reader. An error is final.
func (s *Scanner) Next() (Event, error) {
	if s.err != nil {
		return 0, s.err
	}
	event, err := s.next()
	s.err = err
	return event, err
}

// Name returns the local name of the element that was opened or closed, in lower case: services agree neither on
// namespaces nor on case. It is valid until the next Next.
func (s *Scanner) Name() []byte { return s.name }

// Text returns, at a Close, the character data since the last tag: an element's text if it has no elements within. It is
// valid until the next Next.
func (s *Scanner) Text() []byte { return s.text }

// Depth returns how deep the element is that was opened or closed. The root's depth is 1.
func (s *Scanner) Depth() int { return len(s.open) }

// Layout reports whether Text is but the layout of the document: blanks with a line break among them, none of them
// written out as a reference. Some services break the line inside elements that are meant to be empty. A single blank
// is no layout: it may be a key.
func (s *Scanner) Layout() bool {
	return !s.written && bytes.ContainsAny(s.text, "\r\n") && blank(s.text)
}

func blank(b []byte) bool {
	for _, c := range b {
		if !isBlank(c) {
			return false
		}
	}
	return true
}

func (s *Scanner) next() (Event, error) {
	if s.pop {
		s.pop = false
		last := len(s.open) - 1
		s.names, s.open = s.names[:s.open[last].raw], s.open[:last]
		s.ended = last == 0
	}
	if s.close {
		s.close, s.pop = false, true
		return Close, nil
	}
	s.text, s.written = s.text[:0], false
	for {
		if err := s.readText(); err != nil {
			return 0, err
		}
		event, err := s.readMarkup()
		if event != 0 || err != nil {
			return event, err
		}
	}
}

// readText reads character data up to the next <, and resolves its references.
func (s *Scanner) readText() error {
	from := len(s.text)
	for {
		part, err := s.r.ReadSlice('<')
		if len(s.text)+len(part) > maxText {
			return syntax("more than %d bytes of text", maxText)
		}
		s.text = append(s.text, part...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err == nil {
			s.text = s.text[:len(s.text)-1]
		}
		if len(s.open) == 0 {
			return s.outside(err)
		}
		if err != nil {
			return eof(err, true)
		}
		break
	}
	if len(s.text) == from || bytes.IndexByte(s.text[from:], '&') < 0 {
		return nil
	}
	s.written = true
	var err error
	s.text, err = resolve(s.text, from)
	return err
}

// outside judges what stands before or after the root. Err is what ended it, nil for a <.
func (s *Scanner) outside(err error) error {
	text := s.text
	if !s.ended {
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
	}
	if !blank(text) {
		return syntax("text outside of the root element")
	}
	s.text = s.text[:0]
	return eof(err, !s.ended)
}

// eof turns an end of the input that came too early into an unexpected one.
func eof(err error, early bool) error {
	if err == io.EOF && early {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readMarkup reads what follows a <. It returns no event for what is no tag.
func (s *Scanner) readMarkup() (Event, error) {
	first, err := s.r.Peek(1)
	if err != nil {
		return 0, eof(err, true)
	}
	switch first[0] {
	case '?':
		return 0, s.skip("?>", len("?"))
	case '!':
		return 0, s.readDeclaration()
	}
	tag, err := s.readTag()
	if err != nil {
		return 0, err
	}
	if tag[0] == '/' {
		return Close, s.closeTag(tag[1:])
	}
	return Open, s.openTag(tag)
}

func (s *Scanner) readDeclaration() error {
	if start, _ := s.r.Peek(len("!--")); string(start) == "!--" {
		return s.skip("-->", len("!--"))
	}
	const cdata = "![CDATA["
	if start, _ := s.r.Peek(len(cdata)); string(start) != cdata {
		return syntax("a declaration")
	}
	if len(s.open) == 0 {
		return syntax("text outside of the root element")
	}
	s.r.Discard(len(cdata)) // it was peeked at, so it is there
	s.written = true
	from := len(s.text)
	for {
		part, err := s.r.ReadSlice('>')
		if len(s.text)+len(part) > maxText {
			return syntax("more than %d bytes of text", maxText)
		}
		s.text = append(s.text, part...)
		if err != nil && err != bufio.ErrBufferFull {
			return eof(err, true)
		}
		if rest, ok := bytes.CutSuffix(s.text[from:], []byte("]]>")); ok {
			s.text = s.text[:from+len(rest)]
			return nil
		}
	}
}

// skip reads up to the end of a comment or a processing instruction. The first head bytes cannot belong to the end: <!-->
// is no comment. Only the last bytes are kept, so that its length needs no bound.
func (s *Scanner) skip(end string, head int) error {
	s.tag = s.tag[:0]
	for n := 0; ; {
		part, err := s.r.ReadSlice('>')
		n += len(part)
		s.tag = append(s.tag, part...)
		if err != nil && err != bufio.ErrBufferFull {
			return eof(err, true)
		}
		if n >= head+len(end) && bytes.HasSuffix(s.tag, []byte(end)) {
			return nil
		}
		s.tag = append(s.tag[:0], s.tag[max(0, len(s.tag)-len(end)):]...)
	}
}

// readTag reads up to the > that ends the tag: one that stands in no quotes. What it returns is valid until the next
// read.
func (s *Scanner) readTag() ([]byte, error) {
	tag, err := s.r.ReadSlice('>')
	if err != nil || !simple(tag) {
		if tag, err = s.readQuotedTag(tag, err); err != nil {
			return nil, err
		}
	}
	if tag = tag[:len(tag)-1]; len(tag) == 0 {
		return nil, syntax("a tag with no name")
	}
	return tag, nil
}

// simple reports whether a tag has neither quotes nor anything that may not be in a tag. Nearly all have.
func simple(tag []byte) bool {
	for _, c := range tag {
		if c == '"' || c == '\'' || c == '<' {
			return false
		}
	}
	return true
}

// readQuotedTag reads on after what the first read of a tag has brought.
func (s *Scanner) readQuotedTag(part []byte, err error) ([]byte, error) {
	s.tag = s.tag[:0]
	for {
		if len(s.tag)+len(part) > maxTag {
			return nil, syntax("a tag of more than %d bytes", maxTag)
		}
		s.tag = append(s.tag, part...)
		if err != nil && err != bufio.ErrBufferFull {
			return nil, eof(err, true)
		}
		if err == nil && !quoted(s.tag) {
			break
		}
		part, err = s.r.ReadSlice('>')
	}
	if bytes.IndexByte(s.tag, '<') >= 0 {
		return nil, syntax("a < inside a tag")
	}
	return s.tag, nil
}

// quoted reports whether the end of a tag lies within an attribute's quotes.
func quoted(tag []byte) bool {
	for {
		i := bytes.IndexAny(tag, `"'`)
		if i < 0 {
			return false
		}
		j := bytes.IndexByte(tag[i+1:], tag[i])
		if j < 0 {
			return true
		}
		tag = tag[i+1+j+1:]
	}
}

func (s *Scanner) openTag(tag []byte) error {
	tag, empty := bytes.CutSuffix(tag, []byte("/"))
	name := tag[:nameEnd(tag)]
	switch {
	case s.ended:
		return syntax("a second root element")
	case len(s.open) == maxDepth:
		return syntax("more than %d elements deep", maxDepth)
	case len(name) == 0 || len(name) > maxName:
		return syntax("an element's name")
	case len(name) < len(tag) && !isBlank(tag[len(name)]):
		return syntax("an element's name")
	}
	e := element{raw: len(s.names), local: len(s.names) + len(name)}
	s.open = append(s.open, e)
	s.names = appendLocal(append(s.names, name...), name)
	s.name = s.names[e.local:]
	s.text = s.text[:0]
	s.written, s.close = false, empty
	return nil
}

func (s *Scanner) closeTag(name []byte) error {
	if len(name) > 0 && isBlank(name[len(name)-1]) {
		name = bytes.TrimRight(name, " \t\r\n")
	}
	if len(s.open) == 0 {
		return syntax("an end tag with no element open")
	}
	e := s.open[len(s.open)-1]
	if !bytes.Equal(name, s.names[e.raw:e.local]) {
		return syntax("an element closed by another's name")
	}
	s.name = s.names[e.local:]
	s.pop = true
	return nil
}

// nameEnd returns how long the name is that a tag begins with. It is generous: it only stops at what is certainly not
// part of a name.
func nameEnd(tag []byte) int {
	for i, c := range tag {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == ':' || c >= 0x80
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '-' || c == '.')) {
			return i
		}
	}
	return len(tag)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// appendLocal appends the local part of a name in lower case.
func appendLocal(b, name []byte) []byte {
	from := len(b)
	for _, c := range name {
		switch {
		case c == ':':
			b = b[:from]
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// resolve replaces the references in b from an offset on, in place: no reference is shorter than what it stands for.
func resolve(b []byte, from int) ([]byte, error) {
	out, rest := b[:from], b[from:]
	for {
		i := bytes.IndexByte(rest, '&')
		if i < 0 {
			return append(out, rest...), nil
		}
		out, rest = append(out, rest[:i]...), rest[i+1:]
		r, n := reference(rest)
		if n < 0 {
			return nil, syntax("a reference")
		}
		if 0xd800 <= r && r <= 0xdfff {
			// Some writers put a character outside of the first plane as two halves.
			if len(rest) == n || rest[n] != '&' {
				return nil, syntax("half a character")
			}
			low, m := reference(rest[n+1:])
			if m < 0 || r >= 0xdc00 || low < 0xdc00 || low > 0xdfff {
				return nil, syntax("half a character")
			}
			r, n = 0x10000+(r-0xd800)<<10+(low-0xdc00), n+1+m
		}
		out, rest = utf8.AppendRune(out, r), rest[n:]
	}
}

var entities = [...]struct {
	name string
	char rune
}{{"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}}

// reference reads what follows an &, up to and with the semicolon. It returns the code point and how many bytes it read,
// a negative number for what is no reference. A code point may be one that XML 1.0 does not allow.
func reference(b []byte) (rune, int) {
	for _, e := range entities {
		if bytes.HasPrefix(b, []byte(e.name)) {
			return e.char, len(e.name)
		}
	}
	digits, ok := bytes.CutPrefix(b, []byte("#"))
	base := rune(10)
	if ok && len(digits) > 0 && digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	var r rune
	for i, c := range digits {
		d := digit(c)
		switch {
		case !ok, c == ';' && i == 0:
			return 0, -1
		case c == ';':
			return r, len(b) - len(digits) + i + 1
		case d < 0 || d >= base:
			return 0, -1
		}
		if r = r*base + d; r > utf8.MaxRune {
			return 0, -1
		}
	}
	return 0, -1
}

func digit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
