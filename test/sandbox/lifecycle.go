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

// putLifecycle replaces all rules, once it has looked at them as the services do.
func (o *objectStore) putLifecycle(w http.ResponseWriter, c *call) *refusal {
	if no := o.checkDigest(c); no != nil {
		return no
	}
	var l lifecycle
	if err := xml.NewDecoder(bytes.NewReader(c.body)).Decode(&l); err != nil || len(l.Rules) == 0 || len(l.Rules) > 1000 {
		return deny("MalformedXML")
	}
	if no := o.checkRules(l.Rules); no != nil {
		return no
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

// A lifecycle is as much of a LifecycleConfiguration as is looked at.
type lifecycle struct {
	XMLName xml.Name        `xml:"LifecycleConfiguration"`
	Rules   []lifecycleRule `xml:"Rule"`
}

type lifecycleRule struct {
	ID     string
	Prefix *string
	Filter *struct{}
	Status string
	Abort  *struct{ DaysAfterInitiation int } `xml:"AbortIncompleteMultipartUpload"`
	OSS    *struct{ Days int }                `xml:"AbortMultipartUpload"`
}

// checkDigest wants the checksum that each service wants of a lifecycle.
func (o *objectStore) checkDigest(c *call) *refusal {
	sum := md5.Sum(c.body)
	h := c.r.Header
	switch md5 := h.Get("Content-Md5"); {
	case md5 == "" && (o.service == OBS || o.service == COS):
		return denyBecause("InvalidRequest", "Missing required header for this request: Content-MD5")
	case md5 == "" && o.service == S3 && h.Get("X-Amz-Checksum-Crc32") == "" && h.Get("X-Amz-Checksum-Sha256") == "":
		return denyBecause("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	case md5 != "" && md5 != base64.StdEncoding.EncodeToString(sum[:]):
		return deny("BadDigest")
	}
	return nil
}

// checkRules looks at each rule, and at each beside the others: names are unique, S3 does not mix the two ways to write a prefix,
// rules of OBS do not overlap, and neither do those of OSS that abort uploads.
func (o *objectStore) checkRules(rules []lifecycleRule) *refusal {
	ids, old, filters := map[string]bool{}, false, false
	for i, r := range rules {
		if r.Status != "Enabled" && r.Status != "Disabled" || r.Prefix == nil && r.Filter == nil ||
			o.service == OSS && r.Abort != nil || o.service != OSS && r.OSS != nil {
			return deny("MalformedXML")
		}
		if r.ID != "" && ids[r.ID] {
			return denyBecause("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[r.ID] = true
		old, filters = old || r.Prefix != nil, filters || r.Filter != nil
		for _, other := range rules[:i] {
			a, b := prefixText(r.Prefix), prefixText(other.Prefix)
			if overlap := strings.HasPrefix(a, b) || strings.HasPrefix(b, a); overlap &&
				(o.service == OBS || o.service == OSS && r.OSS != nil && other.OSS != nil) {
				return denyBecause("InvalidRequest", "The prefixes of two rules overlap.")
			}
		}
	}
	if o.service == S3 && old && filters {
		return denyBecause("InvalidRequest", "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.")
	}
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
