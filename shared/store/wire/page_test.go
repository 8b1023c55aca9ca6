package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

var plain = &Dialect{ParseTime: ParseISO8601}

func upload(key, id string) mpu.Upload {
	return mpu.Upload{Bucket: mpu.Bucket{Store: "s3", Name: "bkt"}, Key: key, UploadID: id}
}

// uploadsPage is a page as S3 writes it, with IDs and keys as long as they usually are.
func uploadsPage(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>bkt</Bucket><KeyMarker></KeyMarker>` +
		`<UploadIdMarker></UploadIdMarker><NextKeyMarker>next</NextKeyMarker><NextUploadIdMarker>id</NextUploadIdMarker>` +
		`<MaxUploads>1000</MaxUploads><IsTruncated>true</IsTruncated>`)
	for i := range n {
		fmt.Fprintf(&b, `<Upload><Key>videos/2026/11/camera-%06d/clip &amp; sound.mxf</Key><UploadId>%0128d</UploadId>`+
			`<Initiator><ID>arn:aws:sts::111122223333:assumed-role/ingest/i-0a</ID></Initiator>`+
			`<Owner><ID>%064x</ID></Owner><StorageClass>STANDARD</StorageClass><Initiated>2026-11-20T09:00:00.000Z</Initiated></Upload>`,
			i, i, i)
	}
	b.WriteString(`</ListMultipartUploadsResult>`)
	return b.Bytes()
}

func partsPage(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`<ListPartsResult><Bucket>bkt</Bucket><Key>k</Key><UploadId>u</UploadId><PartNumberMarker>0</PartNumberMarker>` +
		`<NextPartNumberMarker>` + fmt.Sprint(n) + `</NextPartNumberMarker><MaxParts>1000</MaxParts><IsTruncated>true</IsTruncated>`)
	for i := range n {
		fmt.Fprintf(&b, `<Part><PartNumber>%d</PartNumber><LastModified>2026-11-20T09:00:0%d.000Z</LastModified><ETag>"x"</ETag><Size>5</Size></Part>`,
			i+1, i%10)
	}
	b.WriteString(`</ListPartsResult>`)
	return b.Bytes()
}

func readUploads(doc string) (store.Page, error) {
	return plain.readUploads(NewScanner(strings.NewReader(doc)), upload("", "").Bucket)
}

func result(inner string) string {
	return "<ListMultipartUploadsResult>" + inner + "</ListMultipartUploadsResult>"
}

func TestReadUploads(t *testing.T) {
	page, err := readUploads(string(uploadsPage(3)))
	if err != nil {
		t.Fatal(err)
	}
	want := upload("videos/2026/11/camera-000002/clip & sound.mxf", fmt.Sprintf("%0128d", 2))
	want.Initiated, want.StorageClass = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), "STANDARD"
	if len(page.Uploads) != 3 || page.Uploads[2] != want {
		t.Errorf("%+v, want the third to be %+v", page.Uploads, want)
	}
	if !page.More || page.Next != (mpu.Marker{Key: "next", UploadID: "id"}) {
		t.Errorf("more %v, next %v", page.More, page.Next)
	}
}

func TestReadUploadsKeys(t *testing.T) {
	const end = "<IsTruncated>true</IsTruncated>"
	for _, tt := range []struct{ name, encoding, written, want string }{
		{"blank", "", " ", " "},
		{"line feed", "", "&#10;", "\n"},
		{"raw line feed", "", "\n", "\n"},
		{"control characters", "", "a&#1;&#x1f;\x07b", "a\x01\x1f\x07b"},
		{"not UTF-8", "", "\xff\xfe", "\xff\xfe"},
		{"blanks in front and behind", "", " a ", " a "},
		{"cdata", "", "<![CDATA[a<b]]>", "a<b"},
		{"not decoded unless it says so", "", "a%2Bb+c", "a%2Bb+c"},
		{"not decoded if it says otherwise", "<EncodingType>none</EncodingType>", "a%2Bb", "a%2Bb"},
		{"not decoded if it says nothing", "<Encoding-Type/>", "a%2Bb", "a%2Bb"},
		{"decoded", "<EncodingType>url</EncodingType>", "a%2Bb+c%25%01%FF%2541", "a+b c%\x01\xff%41"},
		{"decoded with COS's spelling", "<Encoding-Type>url</Encoding-Type>", "a%20b", "a b"},
		{"decoded with COS's other spelling", "<Encoding-type>URL</Encoding-type>", "a%20b", "a b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			up := "<Upload><Key>" + tt.written + "</Key><UploadId>a%2Bb</UploadId></Upload>"
			// What tells the encoding may come after what is encoded.
			for _, doc := range []string{result(tt.encoding + end + up), result(up + end + tt.encoding)} {
				page, err := readUploads(doc)
				if err != nil || len(page.Uploads) != 1 || page.Uploads[0].Key != tt.want || page.Uploads[0].UploadID != "a%2Bb" {
					t.Errorf("%q, %v; want the key %q and its ID", page.Uploads, err, tt.want)
				}
			}
		})
	}
}

func TestReadUploadsMarkers(t *testing.T) {
	for _, tt := range []struct {
		name, doc string
		more      bool
		want      mpu.Marker
	}{
		{"none", "<IsTruncated>false</IsTruncated>", false, mpu.Marker{}},
		{"told though there is no more", "<NextKeyMarker>k</NextKeyMarker><IsTruncated>false</IsTruncated>", false, mpu.Marker{}},
		{"capitals", "<ISTRUNCATED>\nTRUE\n</ISTRUNCATED><NextKeyMarker>k</NextKeyMarker>", true, mpu.Marker{Key: "k"}},
		{"upload ID alone", "<IsTruncated>true</IsTruncated><NextUploadIdMarker>u</NextUploadIdMarker>", true, mpu.Marker{UploadID: "u"}},
		{"layout is empty", "<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>\n  </NextUploadIdMarker>",
			true, mpu.Marker{Key: "k"}},
		{"a blank is a key", "<IsTruncated>true</IsTruncated><NextKeyMarker> </NextKeyMarker>", true, mpu.Marker{Key: " "}},
		{"decoded", "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>a%2Bb</NextKeyMarker>" +
			"<NextUploadIdMarker>a%2Bb</NextUploadIdMarker>", true, mpu.Marker{Key: "a+b", UploadID: "a%2Bb"}},
		{"only the page's own", "<IsTruncated>true</IsTruncated><X><NextKeyMarker>no</NextKeyMarker></X>" +
			"<CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>", true, mpu.Marker{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page, err := readUploads(result(tt.doc))
			if err != nil || page.More != tt.more || page.Next != tt.want {
				t.Errorf("more %v, next %+v, %v; want %v, %+v", page.More, page.Next, err, tt.more, tt.want)
			}
		})
	}
}

func TestReadUploadsRefuses(t *testing.T) {
	up := "<Upload><Key>k</Key><UploadId>u</UploadId></Upload>"
	end := "<IsTruncated>false</IsTruncated>"
	refused := new(refusedError)
	for _, tt := range []struct {
		name, doc string
		want      error
	}{
		{"wrong root", "<ListBucketResult>" + end + "</ListBucketResult>", errContent},
		{"html that is xml", "<html><body/></html>", errContent},
		{"html", "<!DOCTYPE html><html>", errSyntax},
		{"empty", "", io.ErrUnexpectedEOF},
		{"not closed", "<ListMultipartUploadsResult>" + end + up, io.ErrUnexpectedEOF},
		{"text behind", result(end) + "x", errSyntax},
		{"IsTruncated missing", result(up), errContent},
		{"IsTruncated elsewhere", result(up + "<X>" + end + "</X>"), errContent},
		{"IsTruncated is something else", result(up + "<IsTruncated>maybe</IsTruncated>"), errContent},
		{"no key", result(end + "<Upload><UploadId>u</UploadId></Upload>"), errContent},
		{"no upload ID", result(end + "<Upload><Key>k</Key><UploadId/></Upload>"), errContent},
		{"the key of the one before", result(end + up + "<Upload><UploadId>u</UploadId></Upload>"), errContent},
		{"another bucket", result(end + "<Bucket>other</Bucket>"), errContent},
		{"encoding that is none", result(end + "<EncodingType>url</EncodingType><Upload><Key>100%</Key><UploadId>u</UploadId></Upload>"), errContent},
		{"two keys", result(end + "<Upload><Key>k</Key><UploadId>u</UploadId><Key>l</Key></Upload>"), errContent},
		{"two upload IDs", result(end + "<Upload><Key>k</Key><UploadId>u</UploadId><UploadId>v</UploadId></Upload>"), errContent},
		{"two times", result(end + "<Upload><Key>k</Key><UploadId>u</UploadId><Initiated>2026-11-20T09:00:00Z</Initiated><Initiated>2020-11-20T09:00:00Z</Initiated></Upload>"), errContent},
		{"two IsTruncated", result("<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>" + end), errContent},
		{"two buckets", result(end + "<Bucket>other</Bucket><Bucket>bkt</Bucket>"), errContent},
		{"two markers", result("<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextKeyMarker>l</NextKeyMarker>"), errContent},
		{"two upload ID markers", result("<IsTruncated>true</IsTruncated><NextUploadIdMarker>u</NextUploadIdMarker><NextUploadIdMarker>v</NextUploadIdMarker>"), errContent},
		{"two encodings", result(end + "<EncodingType>url</EncodingType><Encoding-Type>none</Encoding-Type>"), errContent},
		{"a key too long for any request", result(end + "<Upload><Key>" + strings.Repeat("k", 4097) + "</Key><UploadId>u</UploadId></Upload>"), errContent},
		{"an upload ID too long for any request", result(end + "<Upload><Key>k</Key><UploadId>" + strings.Repeat("u", 4097) + "</UploadId></Upload>"), errContent},
		{"a marker too long", result("<IsTruncated>true</IsTruncated><NextKeyMarker>" + strings.Repeat("k", 4097) + "</NextKeyMarker>"), errContent},
		{"error under 200", "<Error><Code>InternalError</Code></Error>", refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page, err := readUploads(tt.doc)
			if tt.want == refused {
				if !errors.As(err, &refused) || refused.reply.Code != "InternalError" {
					t.Errorf("%v, want the error in the body", err)
				}
				return
			}
			if !errors.Is(err, tt.want) || len(page.Uploads) != 0 {
				t.Errorf("%+v, %v; want %v", page, err, tt.want)
			}
		})
	}
}

func TestReadUploadsBound(t *testing.T) {
	up := "<Upload><Key>k</Key><UploadId>u</UploadId></Upload>"
	for n, want := range map[int]error{maxUploads: nil, maxUploads + 1: errContent} {
		page, err := readUploads(result("<IsTruncated>false</IsTruncated>" + strings.Repeat(up, n)))
		if !errors.Is(err, want) || err == nil && len(page.Uploads) != n {
			t.Errorf("%d uploads: %d, %v", n, len(page.Uploads), err)
		}
	}
}

func TestReadUploadsAlias(t *testing.T) {
	d := &Dialect{ParseTime: ParseISO8601, Alias: func(bucket string) bool { return bucket == "bkt" }}
	doc := result("<Bucket>other</Bucket><IsTruncated>false</IsTruncated>")
	if _, err := d.readUploads(NewScanner(strings.NewReader(doc)), upload("", "").Bucket); err != nil {
		t.Error(err)
	}
}

func TestReadUploadsTime(t *testing.T) {
	up := func(initiated string) string {
		return result("<IsTruncated>false</IsTruncated><Upload><Key>k</Key><UploadId>u</UploadId>" + initiated + "</Upload>")
	}
	for _, tt := range []struct {
		name, doc string
		want      time.Time
	}{
		{"missing", up(""), time.Time{}},
		{"no time", up("<Initiated>yesterday</Initiated>"), time.Time{}},
		{"in seconds", up("<Initiated>2026-11-20T09:00:00Z</Initiated>"), time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)},
		{"with a zone", up("<Initiated>\n2026-11-20T09:00:00.5+08:00\n</Initiated>"), time.Date(2026, 11, 20, 1, 0, 0, 5e8, time.UTC)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page, err := readUploads(tt.doc)
			if err != nil || len(page.Uploads) != 1 || page.Uploads[0].Initiated != tt.want {
				t.Errorf("%+v, %v; want %v", page.Uploads, err, tt.want)
			}
		})
	}
}

func TestReadParts(t *testing.T) {
	part := func(number, size, modified string) string {
		return "<Part><PartNumber>" + number + "</PartNumber><Size>" + size + "</Size><LastModified>" + modified + "</LastModified></Part>"
	}
	const first, second = "2026-11-20T09:00:00.000Z", "2026-11-20T17:00:00.001+08:00" // the second is later, and sorts so only as a time
	newest := time.Date(2026, 11, 20, 9, 0, 0, 1e6, time.UTC)
	const last, more = "<IsTruncated>false</IsTruncated>", "<IsTruncated>true</IsTruncated>"
	for _, tt := range []struct {
		name, inner string
		after       int
		want        store.Parts
		fails       error
	}{
		{"none", last, 0, store.Parts{}, nil},
		{"sum and newest", last + part("1", "5", second) + part("3", "7", first), 0, store.Parts{Count: 2, Bytes: 12, Newest: newest}, nil},
		{"the marker's own again", last + part("1", "5", second) + part("2", "7", first), 1,
			store.Parts{Count: 1, Bytes: 7, Newest: newest.Add(-time.Millisecond)}, nil},
		{"more", more + "<NextPartNumberMarker>3</NextPartNumberMarker>" + part("3", "5", first), 2,
			store.Parts{Count: 1, Bytes: 5, Newest: newest.Add(-time.Millisecond), More: true, Next: 3}, nil},
		{"more without a marker", more + part("3", "5", first), 2,
			store.Parts{Count: 1, Bytes: 5, Newest: newest.Add(-time.Millisecond), More: true, Next: 3}, nil},
		{"more with a marker that stands still", more + "<NextPartNumberMarker>2</NextPartNumberMarker>" + part("3", "5", first), 2,
			store.Parts{Count: 1, Bytes: 5, Newest: newest.Add(-time.Millisecond), More: true, Next: 3}, nil},
		{"more, but nothing new", more + "<NextPartNumberMarker>2</NextPartNumberMarker>" + part("2", "5", first), 2, store.Parts{}, errContent},
		{"no times at all", last + part("1", "5", "") + part("2", "5", "soon"), 0, store.Parts{Count: 2, Bytes: 10}, nil},
		{"some times", last + part("1", "5", first) + part("2", "5", ""), 0, store.Parts{}, errContent},
		{"initiated", last + "<Initiated>" + first + "</Initiated>", 0, store.Parts{Initiated: newest.Add(-time.Millisecond)}, nil},
		{"size is no number", last + part("1", "big", first), 0, store.Parts{}, errContent},
		{"size below zero", last + part("1", "-1", first), 0, store.Parts{}, errContent},
		{"part number is none", last + part("", "1", first), 0, store.Parts{}, errContent},
		{"IsTruncated missing", part("1", "1", first), 0, store.Parts{}, errContent},
		{"another bucket", last + "<Bucket>other</Bucket>", 0, store.Parts{}, errContent},
		{"another upload", last + "<UploadId>other</UploadId>", 0, store.Parts{}, errContent},
		{"two uploads", last + "<UploadId>other</UploadId><UploadId>u</UploadId>", 0, store.Parts{}, errContent},
		{"two IsTruncated", more + last + part("1", "1", first), 0, store.Parts{}, errContent},
		{"two times of a part", last + "<Part><PartNumber>1</PartNumber><Size>1</Size><LastModified>2026-11-20T09:00:00Z</LastModified><LastModified>2020-11-20T09:00:00Z</LastModified></Part>", 0, store.Parts{}, errContent},
		{"two sizes of a part", last + "<Part><PartNumber>1</PartNumber><Size>1</Size><Size>2</Size></Part>", 0, store.Parts{}, errContent},
		{"two numbers of a part", last + "<Part><PartNumber>1</PartNumber><PartNumber>2</PartNumber><Size>1</Size></Part>", 0, store.Parts{}, errContent},
		{"two times of the upload", last + "<Initiated>" + first + "</Initiated><Initiated>" + second + "</Initiated>", 0, store.Parts{}, errContent},
		{"the same twice", last + last + "<Initiated>" + first + "</Initiated><Initiated>" + first + "</Initiated>", 0, store.Parts{Initiated: newest.Add(-time.Millisecond)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := NewScanner(strings.NewReader("<ListPartsResult>" + tt.inner + "</ListPartsResult>"))
			got, err := plain.readParts(s, upload("k", "u"), tt.after)
			if got != tt.want || !errors.Is(err, tt.fails) {
				t.Errorf("%+v, %v; want %+v, %v", got, err, tt.want, tt.fails)
			}
		})
	}
}

func BenchmarkReadUploads(b *testing.B) {
	doc := uploadsPage(1000)
	b.Run("scanner", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(doc)))
		s := NewScanner(nil)
		for b.Loop() {
			s.Reset(bytes.NewReader(doc))
			if page, err := plain.readUploads(s, upload("", "").Bucket); err != nil || len(page.Uploads) != 1000 {
				b.Fatal(len(page.Uploads), err)
			}
		}
	})
	b.Run("encoding-xml", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			var page struct {
				Bucket, NextKeyMarker, NextUploadIdMarker string
				IsTruncated                               bool
				Upload                                    []struct {
					Key, UploadId, StorageClass string
					Initiated                   time.Time
				}
			}
			if err := xml.Unmarshal(doc, &page); err != nil || len(page.Upload) != 1000 {
				b.Fatal(len(page.Upload), err)
			}
		}
	})
}

func TestReadUploadsAllocations(t *testing.T) {
	doc := uploadsPage(1000)
	s := NewScanner(nil)
	n := testing.AllocsPerRun(5, func() {
		s.Reset(bytes.NewReader(doc))
		if _, err := plain.readUploads(s, upload("", "").Bucket); err != nil {
			t.Fatal(err)
		}
	})
	if n > 5000 {
		t.Errorf("a page of 1,000 uploads takes %.0f allocations, want at most 5,000", n)
	}
}
