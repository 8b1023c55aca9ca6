package obsstore

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/partsweep/partsweep/shared/store/wire"
)

// signV2 signs a request with version 2 of S3's signature, which OBS took over
// (support.huaweicloud.com/intl/en-us/api-obs/obs_04_0010.html). Some operators have no other.
func signV2(req *http.Request, s wire.Signing) error {
	req.Header.Set("Date", s.Now.UTC().Format(http.TimeFormat))
	if s.Credentials.SessionToken != "" {
		req.Header.Set("X-Amz-Security-Token", s.Credentials.SessionToken)
	}
	mac := hmac.New(sha1.New, []byte(s.Credentials.SecretAccessKey))
	mac.Write([]byte(stringToSign(req, s.Place)))
	signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	req.Header.Set("Authorization", "AWS "+s.Credentials.AccessKeyID+":"+signature)
	return nil
}

func stringToSign(req *http.Request, p wire.Place) string {
	date := req.Header.Get("Date")
	var extra []string
	for name, values := range req.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			extra = append(extra, name+":"+strings.TrimSpace(strings.Join(values, ","))+"\n")
		}
		if name == "x-amz-date" {
			date = "" // the date counts once
		}
	}
	slices.Sort(extra)
	lines := []string{req.Method, req.Header.Get("Content-Md5"), req.Header.Get("Content-Type"), date}
	return strings.Join(lines, "\n") + "\n" + strings.Join(extra, "") + resource(req, p)
}

// resource is the path as it is sent, with the bucket in front, and those parameters that name what the request is
// about: names and values as they are, not percent-encoded.
func resource(req *http.Request, p wire.Place) string {
	path := req.URL.EscapedPath()
	if !p.InPath {
		path = "/" + p.Bucket + path
	}
	query := req.URL.Query()
	switch {
	case query.Has("uploads"):
		return path + "?uploads"
	case query.Has("lifecycle"):
		return path + "?lifecycle"
	case query.Has("uploadId"):
		return path + "?uploadId=" + query.Get("uploadId")
	}
	return path
}
