package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"github.com/partsweep/partsweep/shared/mpu"
)

// trace writes a document's events down: "+name" for a start tag, "-name:text" for an end tag.
func trace(r io.Reader) ([]string, error) {
	s := NewScanner(r)
	var events []string
	for {
		event, err := s.Next()
		switch {
		case err == io.EOF:
			return events, nil
		case err != nil:
			return events, err
		case event == Open:
			events = append(events, "+"+string(s.Name()))
		default:
			events = append(events, "-"+string(s.Name())+":"+string(s.Text()))
		}
	}
}

func TestScanner(t *testing.T) {
	for _, tt := range []struct{ name, doc, want string }{
		{"text", "<a>x y</a>", "+a -a:x y"},
		{"empty element", "<a/>", "+a -a:"},
		{"empty element with blanks and attributes", `<a b="/" c='>' />`, "+a -a:"},
		{"nested", "<a>1<b>2</b>3</a>", "+a +b -b:2 -a:3"},
		{"text is not left over", "<a>1<b/>\n</a>", "+a +b -b: -a:\n"},
		{"namespace", `<x:A xmlns:x="u:v"><x:Bc>1</x:Bc></x:A>`, "+a +bc -bc:1 -a:"},
		{"end tag with blanks", "<a>1</a \n>", "+a -a:1"},
		{"prolog", "\ufeff<?xml version=\"1.0\"?>\n<!-- > --> <a/>\n<!----><?p?>\n", "+a -a:"},
		{"comment within text", "<a>1<!-- <b> -- > -->2</a>", "+a -a:12"},
		{"cdata", "<a>1<![CDATA[<b>&amp;]]]]>2</a>", "+a -a:1<b>&amp;]]2"},
		{"entities", "<a>&lt;&gt;&amp;&quot;&apos;</a>", `+a -a:<>&"'`},
		{"entities once", "<a>&amp;lt;</a>", "+a -a:&lt;"},
		{"numeric references", "<a>&#65;&#x42;&#x1F3AC;</a>", "+a -a:AB🎬"},
		{"what XML 1.0 cannot carry", "<a>&#0;&#x1;&#31;\x02\ufffe</a>", "+a -a:\x00\x01\x1f\x02\ufffe"},
		{"two halves of one character", "<a>&#55356;&#xdfac;!</a>", "+a -a:🎬!"},
		{"bytes that are not UTF-8", "<a>\xff\xfe</a>", "+a -a:\xff\xfe"},
		{"line ends as they are", "<a>\r\n\r</a>", "+a -a:\r\n\r"},
		{"> in text", "<a>a>b]]></a>", "+a -a:a>b]]>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"whole":        strings.NewReader(tt.doc),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tt.doc)),
			} {
				events, err := trace(r)
				if got := strings.Join(events, " "); got != tt.want || err != nil {
					t.Errorf("%s: %q, %v; want %q", name, got, err, tt.want)
				}
			}
		})
	}
}

func TestScannerRefuses(t *testing.T) {
	form, cut := errSyntax, io.ErrUnexpectedEOF
	for _, tt := range []struct {
		name, doc string
		want      error
	}{
		{"nothing", "", cut},
		{"blanks only", " \n", cut},
		{"prolog only", "<?xml version='1.0'?>", cut},
		{"root not closed", "<a><b>1</b>", cut},
		{"cut in text", "<a>1", cut},
		{"cut in a tag", "<a><b", cut},
		{"cut in quotes", `<a b="`, cut},
		{"cut in an end tag", "<a></a", cut},
		{"cut in a comment", "<a><!-- ->", cut},
		{"cut in cdata", "<a><![CDATA[ ]>", cut},
		{"cut after <", "<a><", cut},
		{"not xml", "Service Unavailable", form},
		{"not xml, with a tag", "busy <b>", form},
		{"json", `{"a":"<b>"}`, form},
		{"two roots", "<a/><b/>", form},
		{"text after the root", "<a/>x", form},
		{"reference before the root", "&amp;<a/>", form},
		{"cdata after the root", "<a/><![CDATA[]]>", form},
		{"end tag first", "</a>", form},
		{"wrong end tag", "<a></b>", form},
		{"crossed tags", "<a><b></a></b>", form},
		{"prefix differs", "<x:a></y:a>", form},
		{"html", "<html><body>busy<br></body></html>", form},
		{"document type", "<!DOCTYPE a><a/>", form},
		{"entity declaration", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, form},
		{"declaration within", "<a><!ELEMENT b></a>", form},
		{"short comment", "<a><!--></a>", cut},
		{"unknown entity", "<a>&nbsp;</a>", form},
		{"bare ampersand", "<a>a & b</a>", form},
		{"reference with no end", "<a>&#65</a>", form},
		{"empty reference", "<a>&#;</a>", form},
		{"reference beyond Unicode", "<a>&#x110000;</a>", form},
		{"reference with a sign", "<a>&#-1;</a>", form},
		{"one half of a character", "<a>&#xd83c;</a>", form},
		{"the second half first", "<a>&#xdfac;&#xd83c;</a>", form},
		{"name with a digit first", "<1/>", form},
		{"no name", "<a><></></a>", form},
		{"blank before the name", "< a></a>", form},
		{"tag within a tag", "<a <b></a>", form},
		{"too deep", strings.Repeat("<a>", maxDepth+1), form},
		{"name too long", "<" + strings.Repeat("a", maxName+1) + "/>", form},
		{"tag too long", "<a " + strings.Repeat("b", maxTag) + "/>", form},
		{"text too long", "<a>" + strings.Repeat("b", maxText+1) + "</a>", form},
		{"cdata too long", "<a><![CDATA[" + strings.Repeat("b", maxText+1) + "]]></a>", form},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if events, err := trace(strings.NewReader(tt.doc)); !errors.Is(err, tt.want) {
				t.Errorf("%q, %v; want %v", events, err, tt.want)
			}
		})
	}
}

func TestScannerErrorIsFinal(t *testing.T) {
	s := NewScanner(strings.NewReader("<a></b><c/>"))
	for range 3 {
		s.Next()
	}
	if _, err := s.Next(); !errors.Is(err, errSyntax) {
		t.Errorf("%v, want the first error again", err)
	}
}

func TestScannerReset(t *testing.T) {
	s := NewScanner(strings.NewReader("<a><b>1</b"))
	for {
		if _, err := s.Next(); err != nil {
			break
		}
	}
	s.Reset(strings.NewReader("<c>2</c>"))
	s.Next()
	event, err := s.Next()
	if event != Close || err != nil || string(s.Name()) != "c" || string(s.Text()) != "2" || s.Depth() != 1 {
		t.Errorf("after Reset: %v, %v, name %q, text %q, depth %d", event, err, s.Name(), s.Text(), s.Depth())
	}
}

func TestScannerLayout(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"", false}, {" ", false}, {"  ", false}, {"\t", false}, {"\n", true}, {"\n   ", true}, {"\r\n\t", true},
		{"\nx\n", false}, {"&#10;", false}, {"\n&#32;", false}, {"<![CDATA[\n]]>", false},
	} {
		s := NewScanner(strings.NewReader("<a>" + tt.text + "</a>"))
		s.Next()
		s.Next()
		if got := s.Layout(); got != tt.want {
			t.Errorf("Layout of %q is %v", tt.text, got)
		}
	}
}

// referenceTrace writes a document's events down as encoding/xml sees them, in trace's form.
func referenceTrace(doc []byte) ([]string, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var events []string
	var text []byte
	roots, depth := 0, 0
	for {
		token, err := d.RawToken()
		if err == io.EOF && roots == 1 && depth == 0 {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth++; depth == 1 {
				roots++
			}
			events = append(events, "+"+lowerASCII(token.Name.Local))
			text = text[:0]
		case xml.EndElement:
			depth--
			events = append(events, "-"+lowerASCII(token.Name.Local)+":"+string(text))
			text = text[:0]
		case xml.CharData:
			text = append(text, token...)
		}
	}
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// FuzzScanner holds the scanner against encoding/xml on every document that both take, and looks for panics and for
// memory that grows with what nobody closes.
func FuzzScanner(f *testing.F) {
	for _, doc := range []string{
		"<a>x</a>", "<a/>", "<?xml version=\"1.0\"?><!--c--><a b='>'>1<b>2</b>3<![CDATA[<]]></a>\n",
		"<a>&amp;&#65;&#x1F3AC;&#0;</a>", "<a:b xmlns:a='u'>\r\n</a:b>", "<a>&#xd83c;&#xdfac;</a>", "<a><!----></a>",
		string(uploadsPage(2)), "<Error><Code>NoSuchUpload</Code></Error>", "<!DOCTYPE a><a/>", "<a>\xff</a>", "<a b=\"", "",
	} {
		f.Add([]byte(doc))
	}
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n")
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := trace(bytes.NewReader(doc))
		again, againErr := trace(iotest.OneByteReader(bytes.NewReader(doc)))
		if !slices.Equal(got, again) || (err == nil) != (againErr == nil) {
			t.Errorf("%q, %v; but byte by byte %q, %v", got, err, again, againErr)
		}
		if err != nil {
			return
		}
		want, err := referenceTrace(doc)
		if err != nil {
			return
		}
		// encoding/xml splits names at a colon in ways of its own, turns line ends into line feeds, as XML has it, and
		// knows no halves of characters.
		if bytes.Contains(doc, []byte(":")) || strings.Contains(fmt.Sprint(want), "\ufffd") {
			return
		}
		if g, w := lines.Replace(fmt.Sprint(got)), lines.Replace(fmt.Sprint(want)); g != w {
			t.Errorf("%s\nencoding/xml: %s", g, w)
		}
	})
}

// FuzzAnswers looks for panics, for a page that is taken without having been closed, and for more in a page than in the
// document that it was read from.
func FuzzAnswers(f *testing.F) {
	f.Add(uploadsPage(2), 0)
	f.Add(partsPage(2), 1)
	f.Add([]byte("<Error><Code>InternalError</Code></Error>"), 3)
	d := &Dialect{ParseTime: ParseISO8601}
	f.Fuzz(func(t *testing.T, doc []byte, after int) {
		u := upload("k", "u")
		page, uploadsErr := d.readUploads(NewScanner(bytes.NewReader(doc)), u.Bucket)
		parts, partsErr := d.readParts(NewScanner(bytes.NewReader(doc)), u, after)
		if uploadsErr == nil || partsErr == nil {
			if _, err := trace(bytes.NewReader(doc)); err != nil {
				t.Errorf("a page was read from a document with an error: %v", err)
			}
		}
		if partsErr == nil && parts.More && parts.Next <= after {
			t.Errorf("after %d comes %d", after, parts.Next)
		}
		size := len(page.Next.Key) + len(page.Next.UploadID)
		for _, u := range page.Uploads {
			if u.Key == "" || u.UploadID == "" {
				t.Errorf("an upload with a blank: %+v", u)
			}
			size += len(u.Key) + len(u.UploadID)
		}
		// A byte that is no character, or a character that XML has not, becomes one of three bytes.
		if size > 3*len(doc) || parts.Count > len(doc) {
			t.Errorf("%d bytes of names and %d parts, of a document of %d bytes", size, parts.Count, len(doc))
		}
	})
}

// FuzzErrorBody reads error bodies of any kind. Whatever is in one, the error is one short line, and only the code for
// exactly that makes it gone.
func FuzzErrorBody(f *testing.F) {
	for _, body := range []string{
		"<Error><Code>NoSuchUpload</Code><Message>m</Message><RequestId>r</RequestId></Error>",
		"<html><body>NoSuchUpload</body></html>", "<ErrorResponse><Error><Code>SlowDown</Code></Error></ErrorResponse>",
		"<Error><Code>NoSuchUpload</Code>", "<Error><Code>A\nB</Code><Message>\x1b[31m</Message></Error>", "", "{}",
		"<Error><Code>PermanentRedirect</Code><Endpoint>e</Endpoint><Region>r</Region></Error>",
	} {
		f.Add(404, []byte(body))
	}
	codes := Codes{"NoSuchUpload": mpu.Gone}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r := NewReply(status, http.Header{})
		r.ReadXML(body)
		e := r.Error(codes)
		text := e.Error()
		if len(text) > 2000 || strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
			t.Errorf("%d bytes: %.200q", len(text), text)
		}
		if e.Kind == mpu.Gone && r.Code != "NoSuchUpload" {
			t.Errorf("gone by the code %q", r.Code)
		}
	})
}

// endless is a document that never ends.
type endless struct{ start, part string }

func (e *endless) Read(p []byte) (int, error) {
	if e.start != "" {
		n := copy(p, e.start)
		e.start = e.start[n:]
		return n, nil
	}
	return copy(p, e.part), nil
}

func TestScannerMemory(t *testing.T) {
	for _, tt := range []struct{ name, start, part string }{
		{"elements", "<a>", "<b>text</b>"},
		{"comment", "<a><!--", "no end > "},
		{"processing instruction", "<?p", " ? > "},
		{"text", "<a>", "text"},
		{"tag", "<a ", "b='' "},
		{"quotes", "<a b='", ">>>>"},
		{"cdata", "<a><![CDATA[", "]]"},
		{"blanks outside", "", "    "},
		{"nesting", "", "<a>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s := NewScanner(io.LimitReader(&endless{tt.start, tt.part}, 8<<20))
			var err error
			for err == nil {
				_, err = s.Next()
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
				t.Errorf("took %d KiB", grown>>10)
			}
			if err == io.EOF {
				t.Error("taken for a whole document")
			}
		})
	}
}
