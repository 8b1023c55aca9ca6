package sandbox

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vector is a signed request that somebody else published, or signed with a vendor's own code.
type vector struct {
	name    string
	service Service
	method  string
	url     string
	header  string // lines of "name: value"
	body    string
	who     account
	now     time.Time
}

func (v vector) call(t *testing.T, service Service) *call {
	t.Helper()
	r := httptest.NewRequest(v.method, v.url, strings.NewReader(v.body))
	r.RequestURI = strings.TrimPrefix(v.url, "http://"+r.Host)
	if !strings.HasPrefix(r.RequestURI, "/") {
		r.RequestURI = "/" + r.RequestURI
	}
	for line := range strings.Lines(v.header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if strings.EqualFold(name, "content-length") {
			r.ContentLength, _ = strconv.ParseInt(value, 10, 64)
			continue
		}
		r.Header.Add(name, value)
	}
	o := newObjectStore(&Sandbox{opt: Options{Now: time.Now}}, service)
	c := o.read(r)
	c.body = []byte(v.body)
	return c
}

func (v vector) verify(t *testing.T) *refusal {
	t.Helper()
	o := newObjectStore(&Sandbox{opt: Options{Now: time.Now}}, v.service)
	return o.dialect.verify(v.call(t, v.service), v.who, v.now)
}

// The examples of "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)", S3 API reference.
var (
	awsExample = account{id: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	awsDay     = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
)

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func awsHeader(signed, signature, hash, more string) string {
	return more + "X-Amz-Date: 20130524T000000Z\nX-Amz-Content-Sha256: " + hash +
		"\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," +
		"SignedHeaders=" + signed + ",Signature=" + signature
}

var s3Vectors = []vector{
	{name: "GET object", method: "GET", url: "http://examplebucket.s3.amazonaws.com/test.txt",
		header: awsHeader("host;range;x-amz-content-sha256;x-amz-date",
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", emptySHA256, "Range: bytes=0-9\n")},
	{name: "PUT object", method: "PUT", url: "http://examplebucket.s3.amazonaws.com/test$file.text", body: "Welcome to Amazon S3.",
		header: awsHeader("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
			"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			"Date: Fri, 24 May 2013 00:00:00 GMT\nX-Amz-Storage-Class: REDUCED_REDUNDANCY\n")},
	{name: "GET bucket lifecycle", method: "GET", url: "http://examplebucket.s3.amazonaws.com/?lifecycle",
		header: awsHeader("host;x-amz-content-sha256;x-amz-date",
			"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", emptySHA256, "")},
	{name: "list objects", method: "GET", url: "http://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J",
		header: awsHeader("host;x-amz-content-sha256;x-amz-date",
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7", emptySHA256, "")},
	{name: "chunked upload, seed signature", method: "PUT", url: "http://s3.amazonaws.com/examplebucket/chunkObject.txt",
		header: awsHeader("content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
			"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
			"Content-Encoding: aws-chunked\nX-Amz-Decoded-Content-Length: 66560\nX-Amz-Storage-Class: REDUCED_REDUNDANCY\n"+
				"Content-Length: 66824\n")},
}

var cosVectors = []vector{
	{name: "abort", method: "DELETE", url: "http://127.0.0.1:18099/dir%2Fa%20b%2Bc%2A%281%29%27~%21.bin?uploadId=UPLOAD%2F1%202",
		header: cosHeader("uploadid", "dd561152e1d47370495696c4fbf1a56547baf186")},
	{name: "abort, list in the document's spelling", method: "DELETE",
		url:    "http://127.0.0.1:18099/dir/a%20b+c*(1)'~!.bin?uploadId=UPLOAD%2F1%202",
		header: cosHeader("uploadId", "dd561152e1d47370495696c4fbf1a56547baf186")},
	{name: "list uploads", method: "GET", url: "http://127.0.0.1:18099/?uploads&prefix=a%20b%2F%2A&encoding-type=url&max-uploads=10",
		header: cosHeader("encoding-type;max-uploads;prefix;uploads", "b3564d77f14c58fb400f074b68e547fbdd3a8904")},
	{name: "list uploads, equals sign after uploads", method: "GET",
		url:    "http://127.0.0.1:18099/?encoding-type=url&max-uploads=10&prefix=a+b/*&uploads=",
		header: cosHeader("encoding-type;max-uploads;prefix;uploads", "b3564d77f14c58fb400f074b68e547fbdd3a8904")},
}

func cosHeader(params, signature string) string {
	return "X-Cos-Security-Token: TOKEN\nAuthorization: q-sign-algorithm=sha1&q-ak=AKIDEXAMPLE&q-sign-time=1795297640;1795301240" +
		"&q-key-time=1795297640;1795301240&q-header-list=host;x-cos-security-token&q-url-param-list=" + params + "&q-signature=" + signature
}

const (
	obsDay     = "Sat, 21 Nov 2026 09:30:00 GMT"
	obsAbort   = "http://demo-bkt.obs.eu-de.otc.t-systems.com/dir/a%20b.bin?uploadId=0123ABCDEF"
	obsList    = "http://demo-bkt.obs.eu-de.otc.t-systems.com/?uploads&max-uploads=10&prefix=x"
	obsAmz     = "Date: " + obsDay + "\nX-Amz-Security-Token: TOKEN\nAuthorization: AWS AKEXAMPLE:"
	obsObs     = "Date: " + obsDay + "\nX-Obs-Security-Token: TOKEN\nAuthorization: OBS AKEXAMPLE:"
	obsNoToken = "Date: " + obsDay + "\nAuthorization: "
)

var obsVectors = []vector{
	{name: "abort, AWS", method: "DELETE", url: obsAbort, header: obsAmz + "oqVS5d7KTilWV0lHpqJrAkM0kTI="},
	{name: "abort, OBS", method: "DELETE", url: obsAbort, header: obsObs + "B1nnh0nYd4sEiBIyXrBpfDhiDXk="},
	{name: "abort, AWS, path style", method: "DELETE", url: "http://127.0.0.1:1/demo-bkt/dir/a%20b.bin?uploadId=0123ABCDEF",
		header: obsAmz + "oqVS5d7KTilWV0lHpqJrAkM0kTI="},
	{name: "list, AWS", method: "GET", url: obsList, header: obsAmz + "QRtPZYFvuzL3pqm1YBC9mCh9uvc="},
	{name: "list, OBS", method: "GET", url: obsList, header: obsObs + "kXwAvWND3++N/kR99h58CnLlwSc="},
	{name: "list, AWS, no token", method: "GET", url: obsList, header: obsNoToken + "AWS AKEXAMPLE:O0+uT+2H4mXKFyP8mn/7VFwAL5k="},
	{name: "list, OBS, no token", method: "GET", url: obsList, header: obsNoToken + "OBS AKEXAMPLE:O0+uT+2H4mXKFyP8mn/7VFwAL5k="},
	{name: "abort, AWS, own date", method: "DELETE", url: obsAbort,
		header: "X-Amz-Date: " + obsDay + "\nAuthorization: AWS AKEXAMPLE:2J5DF31EatgoY1/dfKCKDYNPaAc="},
	{name: "abort, OBS, own date", method: "DELETE", url: obsAbort,
		header: "X-Obs-Date: " + obsDay + "\nAuthorization: OBS AKEXAMPLE:vKjb+ZVgOJsReQ/op+kdga09yJg="},
}

// The examples of alibabacloud-oss-go-sdk-v2's own signer tests.
const (
	ossV1Meta  = "Content-MD5: eB5eJF1ptWaXm4bijSPyxw==\nContent-Type: text/html\nx-oss-meta-author: alice\nx-oss-meta-magic: abracadabra\n"
	ossV1Date  = "x-oss-date: Wed, 28 Dec 2022 10:27:41 GMT\n"
	ossV4URL   = "http://bucket.oss-cn-hangzhou.aliyuncs.com/1234+-/123/1.txt?%2Bparam1=value3&%2Bparam2=&%7Cparam1=value4&%7Cparam2&param1=value1&param2"
	ossV4Heads = "x-oss-head1: value\nabc: value\nZAbc: value\nXYZ: value\ncontent-type: text/plain\nx-oss-content-sha256: UNSIGNED-PAYLOAD\n"
)

var ossVectors = []vector{
	{name: "V1, put object", method: "PUT", url: "http://examplebucket.oss-cn-hangzhou.aliyuncs.com/nelson",
		header: ossV1Meta + ossV1Date + "Authorization: OSS ak:kSHKmLxlyEAKtZPkJhG9bZb5k7M="},
	{name: "V1, sub-resource", method: "PUT", url: "http://examplebucket.oss-cn-hangzhou.aliyuncs.com/nelson?acl",
		header: ossV1Meta + ossV1Date + "Authorization: OSS ak:/afkugFbmWDQ967j1vr6zygBLQk="},
	{name: "V1, parameter that does not count", method: "GET",
		url:    "http://examplebucket.oss-cn-hangzhou.aliyuncs.com/?resourceGroup&non-resousce=null",
		header: ossV1Date + "Authorization: OSS ak:vkQmfuUDyi1uDi3bKt67oemssIs="},
	{name: "V1, two sub-resources", method: "GET", url: "http://examplebucket.oss-cn-hangzhou.aliyuncs.com/?resourceGroup&acl",
		header: ossV1Date + "Authorization: OSS ak:x3E5TgOvl/i7PN618s5mEvpJDYk="},
	{name: "V4", method: "PUT", url: ossV4URL, now: time.Unix(1702743657, 0),
		header: ossV4Heads + "x-oss-date: 20231216T162057Z\nAuthorization: OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request," +
			"Signature=e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe"},
	{name: "V4, token", method: "PUT", url: ossV4URL, now: time.Unix(1702784856, 0), who: account{"ak", "sk", "token"},
		header: ossV4Heads + "x-oss-security-token: token\nx-oss-date: 20231217T034736Z\n" +
			"Authorization: OSS4-HMAC-SHA256 Credential=ak/20231217/cn-hangzhou/oss/aliyun_v4_request," +
			"Signature=b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea"},
	{name: "V4, additional headers, blanks", method: "PUT", url: ossV4URL, now: time.Unix(1702747512, 0),
		header: ossV4Heads + "x-oss-date: 20231216T172512Z\nAuthorization: OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request, " +
			"AdditionalHeaders=abc;zabc, Signature=4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f"},
}

// vectors puts the tables together, each with its account and its day.
func vectors() []vector {
	var all []vector
	add := func(service Service, list []vector, who account, now time.Time) {
		for _, v := range list {
			v.service = service
			if v.who == (account{}) {
				v.who = who
			}
			if v.now.IsZero() {
				v.now = now
			}
			all = append(all, v)
		}
	}
	add(S3, s3Vectors, awsExample, awsDay)
	add(COS, cosVectors, account{"AKIDEXAMPLE", "SKEXAMPLE", "TOKEN"}, time.Unix(1795297700, 0))
	add(OBS, obsVectors, account{"AKEXAMPLE", "SKEXAMPLE", "TOKEN"}, time.Date(2026, 11, 21, 9, 31, 0, 0, time.UTC))
	add(OSS, ossVectors, account{id: "ak", secret: "sk"}, time.Date(2022, 12, 28, 10, 27, 41, 0, time.UTC))
	return all
}

func TestVectors(t *testing.T) {
	for _, v := range vectors() {
		t.Run(string(v.service)+" "+v.name, func(t *testing.T) {
			if no := v.verify(t); no != nil {
				t.Errorf("refused: %s %v", no.code, no.fields)
			}
		})
	}
}

// TestVectorsChanged changes one thing at a time about every vector.
func TestVectorsChanged(t *testing.T) {
	badToken := map[Service]string{S3: "InvalidToken", COS: "InvalidAccessKeyId", OBS: "InvalidSecurity", OSS: "InvalidSecurityToken"}
	for _, v := range vectors() {
		hasToken := strings.Contains(strings.ToLower(v.header), "security-token: ")
		late := "RequestTimeTooSkewed"
		if v.service == COS {
			late = "AccessDenied"
		}
		tests := []struct {
			name   string
			change func(v *vector)
			want   string
		}{
			{"secret", func(v *vector) { v.who.secret += "x" }, "SignatureDoesNotMatch"},
			{"key", func(v *vector) { v.who.id += "x" }, "InvalidAccessKeyId"},
			{"method", func(v *vector) { v.method = "POST" }, "SignatureDoesNotMatch"},
			{"key in the path", func(v *vector) { v.url = strings.Replace(v.url, ".com/", ".com/x", 1) }, "SignatureDoesNotMatch"},
			{"no signature", func(v *vector) { v.header, _, _ = strings.Cut(v.header, "Authorization") }, "AccessDenied"},
			{"late", func(v *vector) { v.now = v.now.Add(2 * time.Hour) }, late},
			{"token", func(v *vector) { v.who.token = "other" }, badToken[v.service]},
		}
		for _, test := range tests {
			changed := v
			test.change(&changed)
			if test.name == "token" && !hasToken || changed.url == v.url && test.name == "key in the path" {
				continue
			}
			t.Run(string(v.service)+" "+v.name+"/"+test.name, func(t *testing.T) {
				no := changed.verify(t)
				if no == nil {
					t.Fatal("not refused")
				}
				if no.code != test.want {
					t.Errorf("refused with %s, want %s", no.code, test.want)
				}
			})
		}
	}
}

// TestSkew walks the edge of the quarter of an hour.
func TestSkew(t *testing.T) {
	tests := []struct {
		off  time.Duration
		want string
	}{
		{15 * time.Minute, ""}, {-15 * time.Minute, ""},
		{15*time.Minute + time.Second, "RequestTimeTooSkewed"}, {-15*time.Minute - time.Second, "RequestTimeTooSkewed"},
	}
	for _, v := range vectors() {
		if v.service == COS {
			continue // its window is in the signature; see TestCOSWindow
		}
		exact := v
		stamp, _ := awsDate(v.call(t, v.service).r)
		switch v.service {
		case OBS:
			stamp = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
		case OSS:
			stamp, _ = ossDate(v.call(t, v.service).r)
		}
		for _, test := range tests {
			exact.now = stamp.Add(test.off)
			got := ""
			if no := exact.verify(t); no != nil {
				got = no.code
			}
			if got != test.want {
				t.Errorf("%s %s, %v off: %q, want %q", v.service, v.name, test.off, got, test.want)
			}
		}
	}
}

func TestCOSWindow(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	tests := []struct{ window, code, message string }{
		{"1000000;1000000", "", ""},
		{"999000;1000000", "", ""},
		{"999000;999999", "AccessDenied", "Request has expired"},
		{"1000900;1003600", "", ""},
		{"1000901;1003600", "RequestTimeTooSkewed", ""},
		{"1000000", "InvalidArgument", "The signing time is malformed."},
		{"1000000;999999", "InvalidArgument", "The signing time is malformed."},
		{"x;y", "InvalidArgument", "The signing time is malformed."},
	}
	for _, test := range tests {
		no := cosWindow(test.window, now)
		if no == nil {
			no = &refusal{}
		}
		if no.code != test.code || no.message != test.message {
			t.Errorf("%q: %q %q, want %q %q", test.window, no.code, no.message, test.code, test.message)
		}
	}
}

// TestCOSSignKey pins the step in between that the document shows.
func TestCOSSignKey(t *testing.T) {
	const window = "1795297640;1795301240"
	if got := cosSignKey("SKEXAMPLE", window); got != "5b49c405e05f35002bdb9ff508226d80c98caaa7" {
		t.Errorf("key %s", got)
	}
	const httpString = "delete\n/dir/a b+c*(1)'~!.bin\nuploadid=UPLOAD%2F1%202\nhost=127.0.0.1%3A18099&x-cos-security-token=TOKEN\n"
	if got, _ := cosSignature("SKEXAMPLE", window, window, httpString); got != "dd561152e1d47370495696c4fbf1a56547baf186" {
		t.Errorf("signature %s", got)
	}
}

// signV4 signs a request as the vectors above prove right, for what they do not cover.
func signV4(c *call, who account, now time.Time, region, hash string, dateHeader bool) {
	h := c.r.Header
	h.Set("X-Amz-Content-Sha256", hash)
	date := "x-amz-date"
	if dateHeader {
		date = "date"
		h.Set("Date", now.UTC().Format(http.TimeFormat))
	} else {
		h.Set("X-Amz-Date", now.UTC().Format(basicISO))
	}
	claim := v4Claim{who.id, now.UTC().Format("20060102"), region, "s3", "aws4_request", nil, ""}
	names := []string{"host", "x-amz-content-sha256", date}
	if dateHeader {
		names = []string{date, "host", "x-amz-content-sha256"}
	}
	list := strings.Join(names, ";")
	canonical := c.r.Method + "\n" + canonicalPath(c.path) + "\n" + canonicalQuery(c.query, false) + "\n" +
		canonicalHeaders(c.r, names) + "\n" + list + "\n" + hash
	signature, _ := v4Signature("AWS4-HMAC-SHA256", "AWS4", who.secret, now.UTC().Format(basicISO), canonical, claim)
	h.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+who.id+"/"+claim.scope()+",SignedHeaders="+list+",Signature="+signature)
}

// TestOBSVersion4 checks what Huawei's FAQ and SDK do to Signature Version 4: no hash of an empty body, Date instead of
// X-Amz-Date, any region.
func TestOBSVersion4(t *testing.T) {
	who, now := account{id: "AK", secret: "SK"}, time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	const object, part = "http://127.0.0.1:1/b/k?uploadId=u", "http://127.0.0.1:1/b/k?partNumber=1&uploadId=u"
	body := "0123456789"
	tests := []struct {
		name, method, url, body, hash string
		date                          bool
		want                          string
	}{
		{"unsigned", "DELETE", object, "", "UNSIGNED-PAYLOAD", false, ""},
		{"unsigned, Date", "DELETE", object, "", "UNSIGNED-PAYLOAD", true, ""},
		{"hash of nothing", "DELETE", object, "", emptySHA256, false, "XAmzContentSHA256Mismatch"},
		{"hash of nothing, Date", "GET", object, "", emptySHA256, true, "XAmzContentSHA256Mismatch"},
		{"streaming where there is no upload", "DELETE", object, "", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", false, "XAmzContentSHA256Mismatch"},
		{"upload with its hash", "PUT", part, body, hexSHA256([]byte(body)), false, ""},
		{"upload streaming", "PUT", part, body, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", false, ""},
		{"upload with a trailer", "PUT", part, body, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", false, "XAmzContentSHA256Mismatch"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := vector{method: test.method, url: test.url}.call(t, OBS)
			c.r.ContentLength = int64(len(test.body))
			signV4(c, who, now, "region", test.hash, test.date)
			got := ""
			if no := newOBS().verify(c, who, now); no != nil {
				got = no.code
			}
			if got != test.want {
				t.Errorf("refused with %q, want %q", got, test.want)
			}
		})
	}
}

// TestS3Payload checks every kind of x-amz-content-sha256.
func TestS3Payload(t *testing.T) {
	right := hexSHA256([]byte("body"))
	tests := []struct {
		name, url, hash, want string
	}{
		{"right hash", "/b/k?uploadId=u", right, ""},
		{"wrong hash", "/b/k?uploadId=u", emptySHA256, "XAmzContentSHA256Mismatch"},
		{"unsigned", "/b/k?uploadId=u", "UNSIGNED-PAYLOAD", ""},
		{"streaming where there is no upload", "/b/k?uploadId=u", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "InvalidArgument"},
		{"no hash at all", "/b/k?uploadId=u", "none", "InvalidArgument"},
		{"upload, streaming", "/b/k?partNumber=1&uploadId=u", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", ""},
		{"upload, any hash: checked at its end", "/b/k?partNumber=1&uploadId=u", emptySHA256, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			method := "POST"
			if strings.Contains(test.url, "partNumber") {
				method = "PUT"
			}
			c := vector{method: method, url: "http://127.0.0.1:1" + test.url, body: "body"}.call(t, S3)
			got := ""
			if no := s3Payload(c, test.hash); no != nil {
				got = no.code
			}
			if got != test.want {
				t.Errorf("refused with %q, want %q", got, test.want)
			}
		})
	}
}

// TestDrain checks what is known of a body once it is read.
func TestDrain(t *testing.T) {
	md5 := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
	chunked := "5;chunk-signature=00\r\nhello\r\n6\r\n world\r\n0;chunk-signature=00\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
	tests := []struct {
		name, body, header, hash, want string
		size                           int64
	}{
		{"plain", "hello", "", "", "", 5},
		{"empty", "", "", "", "", 0},
		{"right hash", "hello", "", hexSHA256([]byte("hello")), "", 5},
		{"wrong hash", "hello", "", emptySHA256, "XAmzContentSHA256Mismatch", 0},
		{"wrong MD5", "hello", "Content-MD5: " + md5, "", "BadDigest", 0},
		{"chunks", chunked, "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nX-Amz-Decoded-Content-Length: 11", "", "", 11},
		{"chunks, wrong length", chunked, "X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\nX-Amz-Decoded-Content-Length: 12", "", "IncompleteBody", 0},
		{"chunks, cut", chunked[:30], "X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\nX-Amz-Decoded-Content-Length: 11", "", "IncompleteBody", 0},
		{"not chunks", "hello", "X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\nX-Amz-Decoded-Content-Length: 5", "", "IncompleteBody", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := vector{method: "PUT", url: "http://127.0.0.1:1/b/k", header: test.header}.call(t, S3)
			c.r.Body = io.NopCloser(bytes.NewReader([]byte(test.body)))
			c.payloadHash = test.hash
			p, no := c.drain(true)
			got := ""
			if no != nil {
				got = no.code
			}
			if got != test.want || p.size != test.size || int64(len(p.body)) != test.size {
				t.Errorf("got %q and %d bytes, want %q and %d", got, p.size, test.want, test.size)
			}
		})
	}
}

// TestUnsignedHeader adds a header of the service's own that no signature covers.
func TestUnsignedHeader(t *testing.T) {
	names := map[Service]string{S3: "X-Amz-Expected-Bucket-Owner: 1", COS: "X-Cos-Acl: private"}
	for _, v := range vectors() {
		if names[v.service] == "" {
			continue // V2 and OSS sign every header of their own
		}
		v.header = names[v.service] + "\n" + v.header
		if no := v.verify(t); no == nil || no.code != "AccessDenied" {
			t.Errorf("%s %s: %v", v.service, v.name, no)
		}
	}
}
