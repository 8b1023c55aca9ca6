package trigger

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/partsweep/partsweep/shared/mpu"
)

// Tencent CLS calls a function with log records, compressed (Serverless Cloud Function, "CLS trigger"):
//
//	{"clslogs":{"data":"H4sI…"}}     {"topic_id":"…","topic_name":"…","records":[{"timestamp":"…","content":"{…}"}]}
//
// The content of a record of the access log of COS is a JSON object (Cloud Object Storage, document 436/16920). It tells of a
// call as CloudTrail does on AWS, and the same calls are ignored.
func isCLS(o object) bool { return o.has("clslogs") }

// maxLog bounds what the compressed data may grow to.
const maxLog = 8 << 20

// readCLS reads a log that comes by itself: a queue of them would unpack without bounds.
func readCLS(o object) (Event, error) {
	if err := o.outermost("a log"); err != nil {
		return Event{}, err
	}
	logs, err := o.object("clslogs")
	if err != nil {
		return Event{}, err
	}
	data, err := logs.must("data")
	if err != nil {
		return Event{}, err
	}
	text, err := unpack(data)
	if err != nil {
		return Event{}, err
	}
	whole, err := parseObject("data", text)
	if err != nil {
		return Event{}, err
	}
	records, err := whole.records("records")
	if err != nil {
		return Event{}, err
	}
	return eachRecord("cls", records, clsRequest), nil
}

func unpack(data string) ([]byte, error) {
	packed, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, fault("data", "it is not Base64", nil)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fault("data", "it is not gzip", nil)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxLog+1))
	switch {
	case err != nil:
		return nil, fault("data", "its gzip is damaged", nil)
	case len(text) > maxLog:
		return nil, fault("data", fmt.Sprintf("it unpacks to more than %d bytes", maxLog), nil)
	case !utf8.Valid(text):
		return nil, fault("data", "it is not UTF-8", nil)
	}
	return bytes.Trim(text, blanks), nil
}

func clsRequest(r object) (mpu.Request, error) {
	var raw []byte = r.fields["content"]
	if kindOf(raw) == "a string" {
		text, err := parseText("content", raw)
		if err != nil {
			return mpu.Request{}, err
		}
		raw = bytes.Trim([]byte(text), blanks)
	}
	if kindOf(raw) != "an object" {
		return mpu.Request{}, ignored("content", kindOf(raw), "it is no record of the access log of COS")
	}
	content, err := parseObject("content", raw)
	if err != nil {
		return mpu.Request{}, err
	}
	return cosLogRequest(content)
}

func cosLogRequest(o object) (mpu.Request, error) {
	if !o.has("bucketName") || !o.has("eventName") || !o.has("resErrorCode") {
		return mpu.Request{}, ignored("content", strings.Join(o.names[:min(3, len(o.names))], ", "), "it is no record of the access log of COS")
	}
	name, err := o.must("eventName")
	if err != nil {
		return mpu.Request{}, err
	}
	code, err := o.text("resErrorCode")
	if err != nil {
		return mpu.Request{}, err
	}
	c := call{name: name, code: strings.Trim(code, "-"), own: ownRequester(o)}
	if err := c.ignored(); err != nil {
		return mpu.Request{}, err
	}
	return cosLogUpload(c, o)
}

// ownRequester reports whether the requester, ROOT or ROOT:SUB, belongs to the account of the bucket.
func ownRequester(o object) bool {
	account, err := o.must("accountId")
	if err != nil {
		return false
	}
	requester, err := o.must("requester")
	root, _, _ := strings.Cut(requester, ":")
	return err == nil && root == account && strings.Trim(root, "-") != ""
}

func cosLogUpload(c call, o object) (mpu.Request, error) {
	at, err := o.mustTime("eventTime")
	if err != nil {
		return mpu.Request{}, err
	}
	bucket, err := o.must("bucketName")
	if err != nil {
		return mpu.Request{}, err
	}
	region, err := o.name("qcsRegion")
	if err != nil {
		return mpu.Request{}, err
	}
	path, err := o.must("reqPath")
	if err != nil {
		return mpu.Request{}, err
	}
	line, err := o.name("requestUri")
	if err != nil {
		return mpu.Request{}, err
	}
	key, uploadID, err := loggedUpload(path, line)
	return c.upload(mpu.Bucket{Store: "cos", Region: region, Name: bucket}, key, uploadID, at), err
}

// loggedUpload reads the upload out of a request line, as in "POST /raw/a.mxf?uploadId=1 HTTP/1.1". Its path, decoded or
// not, is the path that was logged as well. A line without an upload ID names none, and is ignored: its key alone would be
// about every upload of the key.
func loggedUpload(path, line string) (key, uploadID string, err error) {
	target := line
	if words := strings.Fields(line); len(words) > 1 {
		target = words[1]
	}
	raw, query, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", "", fault("requestUri", "its query cannot be read", nil) // which may hold a signature
	}
	ids := values["uploadId"]
	if len(ids) == 0 {
		return "", "", ignored("requestUri", raw, "it does not name the upload")
	}
	decoded, err := decodedKey(raw, url.PathUnescape)
	if err != nil {
		return "", "", err
	}
	key, ok := strings.CutPrefix(decoded, "/")
	switch {
	case path != raw && path != decoded || !ok || key == "":
		return "", "", invalid("reqPath", path, "requestUri has another path")
	case len(ids) > 1 || ids[0] == "" || damaged(ids[0]):
		return "", "", invalid("uploadId", strings.Join(ids, " "), "an upload has one")
	}
	return key, ids[0], nil
}
