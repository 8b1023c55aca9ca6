package sandbox

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// minimumSize is S3's header beside a lifecycle. What a PUT leaves out reverts.
const (
	minimumSize        = "X-Amz-Transition-Default-Minimum-Object-Size"
	defaultMinimumSize = "all_storage_classes_128K"
)

// getLifecycle sends a lifecycle as it was put, byte for byte.
func (o *objectStore) getLifecycle(w http.ResponseWriter, c *call) *refusal {
	c.bucket.mu.RLock()
	document, minimum := slices.Clone(c.bucket.lifecycle), c.bucket.minimum
	c.bucket.mu.RUnlock()
	if document == nil {
		if o.service == OSS {
			return deny("NoSuchLifecycle")
		}
		return deny("NoSuchLifecycleConfiguration")
	}
	if o.service == S3 {
		w.Header().Set(minimumSize, minimum)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(document)))
	w.WriteHeader(http.StatusOK)
	w.Write(document)
	return nil
}

// putLifecycle replaces all rules, once it has looked at them as the services do: the checksum, the names, on S3 that the two
// ways to write a prefix are not mixed, on OBS and OSS that rules do not overlap.
func (o *objectStore) putLifecycle(w http.ResponseWriter, c *call) *refusal {
	sum := md5.Sum(c.body)
	switch md5 := c.r.Header.Get("Content-Md5"); {
	case md5 == "" && (o.service == OBS || o.service == COS):
		return denyBecause("InvalidRequest", "Missing required header for this request: Content-MD5")
	case md5 == "" && o.service == S3 && c.r.Header.Get("X-Amz-Checksum-Crc32") == "" && c.r.Header.Get("X-Amz-Checksum-Sha256") == "":
		return denyBecause("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	case md5 != "" && md5 != base64.StdEncoding.EncodeToString(sum[:]):
		return deny("BadDigest")
	}
	var document struct {
		XMLName xml.Name `xml:"LifecycleConfiguration"`
		Rules   []struct {
			ID     string
			Prefix *string
			Filter *struct{}
			Status string
			Abort  *struct{ DaysAfterInitiation int } `xml:"AbortIncompleteMultipartUpload"`
			OSS    *struct{ Days int }                `xml:"AbortMultipartUpload"`
		} `xml:"Rule"`
	}
	if err := xml.NewDecoder(bytes.NewReader(c.body)).Decode(&document); err != nil || len(document.Rules) == 0 || len(document.Rules) > 1000 {
		return deny("MalformedXML")
	}
	ids, prefixes, filters := map[string]bool{}, 0, 0
	for _, r := range document.Rules {
		if r.Status != "Enabled" && r.Status != "Disabled" || r.Prefix == nil && r.Filter == nil ||
			o.service == OSS && r.Abort != nil || o.service != OSS && r.OSS != nil {
			return deny("MalformedXML")
		}
		if r.ID != "" && ids[r.ID] {
			return denyBecause("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[r.ID] = true
		if r.Prefix != nil {
			prefixes++
		}
		if r.Filter != nil {
			filters++
		}
	}
	if o.service == S3 && prefixes > 0 && filters > 0 {
		return denyBecause("InvalidRequest", "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.")
	}
	for i, r := range document.Rules {
		for _, other := range document.Rules[:i] {
			a, b := prefixText(r.Prefix), prefixText(other.Prefix)
			overlaps := strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
			if overlaps && (o.service == OBS || o.service == OSS && r.OSS != nil && other.OSS != nil) {
				return denyBecause("InvalidRequest", "The prefixes of two rules overlap.")
			}
		}
	}
	minimum := c.r.Header.Get(minimumSize)
	if minimum == "" {
		minimum = defaultMinimumSize
	}
	c.bucket.mu.Lock()
	c.bucket.lifecycle, c.bucket.minimum = slices.Clone(c.body), minimum
	c.bucket.mu.Unlock()
	w.WriteHeader(http.StatusOK)
	return nil
}

func prefixText(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// Lifecycle returns a bucket's lifecycle as it was put, nil for none, and S3's header beside it.
func (s *Sandbox) Lifecycle(service Service, bucket string) (document []byte, minimum string) {
	b := s.bucket(service, bucket)
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Clone(b.lifecycle), b.minimum
}

// SetLifecycle gives a bucket a lifecycle, unchecked.
func (s *Sandbox) SetLifecycle(service Service, bucket string, document []byte, minimum string) {
	b := s.bucket(service, bucket)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lifecycle, b.minimum = slices.Clone(document), minimum
}
