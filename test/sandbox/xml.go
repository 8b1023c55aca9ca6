package sandbox

import (
	"strconv"
	"strings"
)

// document is XML in the making. Real services write some XML that encoding/xml refuses to: control characters as
// references, line breaks inside elements that are meant to be empty.
type document struct {
	b     []byte
	blank string // what an element with no value holds
}

func newDocument(blank string) *document {
	return &document{b: []byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), blank: blank}
}

// root opens the outermost element; no namespace, no attribute.
func (d *document) root(name, namespace string) {
	d.b = append(d.b, '<')
	d.b = append(d.b, name...)
	if namespace != "" {
		d.b = append(d.b, ` xmlns="`...)
		d.b = append(d.b, namespace...)
		d.b = append(d.b, '"')
	}
	d.b = append(d.b, '>')
}

func (d *document) open(name string) {
	d.b = append(d.b, '<')
	d.b = append(d.b, name...)
	d.b = append(d.b, '>')
}

func (d *document) close(name string) {
	d.b = append(d.b, '<', '/')
	d.b = append(d.b, name...)
	d.b = append(d.b, '>')
}

// text writes an element with its value.
func (d *document) text(name, value string) {
	d.open(name)
	if value == "" {
		d.b = append(d.b, d.blank...)
	}
	d.b = appendEscaped(d.b, value)
	d.close(name)
}

// some writes an element if it has a value.
func (d *document) some(name, value string) {
	if value != "" {
		d.text(name, value)
	}
}

func (d *document) number(name string, n int64) { d.text(name, strconv.FormatInt(n, 10)) }

func (d *document) truth(name string, v bool) { d.text(name, strconv.FormatBool(v)) }

// appendEscaped appends text as character data. Control characters become references, which no XML 1.0 parser accepts:
// that is what S3 sends for a key that holds one, and the reason for encoding-type=url.
func appendEscaped(b []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '&' && c != '<' && c != '>' && c != '"' && c != 0x7f {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '"':
			b = append(b, "&quot;"...)
		default:
			b = append(b, "&#x"...)
			b = strconv.AppendUint(b, uint64(c), 16)
			b = append(b, ';')
		}
	}
	return append(b, s[from:]...)
}

// percentEncode encodes all but the unreserved characters of RFC 3986 and those in keep.
func percentEncode(s, keep string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+len(s)/2)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if unreserved(c) || strings.IndexByte(keep, c) >= 0 {
			b = append(b, c)
			continue
		}
		b = append(b, '%', hex[c>>4], hex[c&15])
	}
	return string(b)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '_' || c == '.' || c == '~'
}
