package sandbox

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A call is one request to an object store, taken apart but not yet believed.
type call struct {
	r      *http.Request
	target Target
	id     string // request id
	path   string // as sent, still escaped
	query  query
	at     location
	bucket *bucket // nil if there is none of that name
	body   []byte  // of every call but an upload

	// What the signature says, for after it was verified.
	region      string // that it was made for
	payloadHash string // hex SHA-256 that an upload's body must have; empty for any
}

// location is where a request points.
type location struct {
	bucket, key string
	region      string // that the host names; empty if it names none
	virtual     bool   // the host names the bucket
	refuse      string // code: no such request may be sent to this host
}

// param is one query parameter, decoded.
type param struct{ name, value string }

type query []param

// get returns a parameter, and whether it was sent.
func (q query) get(name string) (string, bool) {
	for _, p := range q {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

// value returns a parameter, empty if it was not sent.
func (q query) value(name string) string {
	v, _ := q.get(name)
	return v
}

func (q query) has(name string) bool {
	_, ok := q.get(name)
	return ok
}

// count returns a parameter that must be a number from 0 on, or the usual value if it was not sent or is empty.
func (q query) count(name string, usual int) (int, error) {
	v, _ := q.get(name)
	if v == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, errors.New("not a count")
	}
	return n, nil
}

// sorted returns the parameters by name, then value.
func (q query) sorted() query {
	return slices.SortedFunc(slices.Values(q), func(a, b param) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
}

// join writes the parameters as they are. bareNames leaves the equals sign off those that have no value.
func (q query) join(bareNames bool) string {
	pairs := make([]string, len(q))
	for i, p := range q {
		pairs[i] = p.name
		if p.value != "" || !bareNames {
			pairs[i] += "=" + p.value
		}
	}
	return strings.Join(pairs, "&")
}

// only returns the parameters of the given names, sorted.
func (q query) only(names []string) query {
	return slices.DeleteFunc(q.sorted(), func(p param) bool { return !slices.Contains(names, p.name) })
}

// parseQuery takes a raw query apart. A plus sign is a space, as every one of these services reads it.
func parseQuery(raw string) (query, error) {
	var q query
	for raw != "" {
		var field string
		field, raw, _ = strings.Cut(raw, "&")
		if field == "" {
			continue
		}
		name, value, _ := strings.Cut(field, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return q, err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return q, err
		}
		q = append(q, param{name, value})
	}
	return q, nil
}

// rawPath returns a request's path as it was sent. No cleaning: keys may hold "//" and "..".
func rawPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if rest, absolute := strings.CutPrefix(path, "http://"); absolute {
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	return path
}

// hostname returns a request's host, lower case and without the port.
func hostname(r *http.Request) string {
	host := strings.ToLower(r.Host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

// pathStyle reads /bucket/key.
func pathStyle(path string) location {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return location{bucket: bucket}.withKey(key)
}

// virtualStyle reads /key on a host that names the bucket.
func virtualStyle(bucket, region, path string) location {
	return location{bucket: bucket, region: region, virtual: true}.withKey(strings.TrimPrefix(path, "/"))
}

func (l location) withKey(escaped string) location {
	key, err := url.PathUnescape(escaped)
	if err != nil {
		l.refuse = "InvalidURI"
	}
	l.key = key
	return l
}

var bucketOnLoopback = regexp.MustCompile(`^(.+)\.(localhost|\d+\.\d+\.\d+\.\d+)$`)

// loopback reads a request to an address rather than to one of the cloud's names: path style, or virtual-hosted style
// on an address (bucket.127.0.0.1), which is what some clients make of one.
func loopback(host, path string) (location, bool) {
	if host == "localhost" || net.ParseIP(host) != nil {
		return pathStyle(path), true
	}
	if m := bucketOnLoopback.FindStringSubmatch(host); m != nil {
		return virtualStyle(m[1], "", path), true
	}
	return location{}, false
}

// operation names what a call does. The ledger has no words for what is none of a cleaner's business.
func (c *call) operation() string {
	method, upload := c.r.Method, c.query.has("uploadId")
	switch {
	case c.at.bucket == "":
		if method == http.MethodGet {
			return OpListBuckets
		}
	case c.at.key == "":
		switch {
		case method == http.MethodHead:
			return OpHeadBucket
		case method == http.MethodGet && c.query.has("uploads"):
			return OpListUploads
		case method == http.MethodGet && c.query.has("lifecycle"):
			return OpGetLifecycle
		case method == http.MethodPut && c.query.has("lifecycle"):
			return OpPutLifecycle
		}
	case method == http.MethodPost && c.query.has("uploads"):
		return OpCreate
	case method == http.MethodPost && upload:
		return OpComplete
	case method == http.MethodPut && upload && c.query.has("partNumber"):
		return OpUploadPart
	case method == http.MethodGet && upload:
		return OpListParts
	case method == http.MethodDelete && upload:
		return OpAbort
	}
	return OpOther
}

// uploads reports whether the body is data to be stored, of any size.
func (c *call) uploads() bool {
	return c.target.Op == OpUploadPart || c.r.Method == http.MethodPut && c.at.key != "" && c.target.Op == OpOther
}

// maxDocument is the largest body of a call that is not an upload: a list of 10,000 parts fits many times over.
const maxDocument = 8 << 20

// slurp reads the body of a call that is not an upload.
func (c *call) slurp() *refusal {
	b, err := io.ReadAll(io.LimitReader(c.r.Body, maxDocument+1))
	if err != nil || len(b) > maxDocument {
		return deny("InvalidRequest")
	}
	c.body = b
	return nil
}

// partNumbers reads the list of a complete call. Only the numbers count; whatever else a client puts there is let be.
func (c *call) partNumbers() ([]int, error) {
	var numbers []int
	dec := xml.NewDecoder(bytes.NewReader(c.body))
	for {
		token, err := dec.Token()
		if err == io.EOF && len(numbers) > 0 {
			return numbers, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "PartNumber" {
			continue
		}
		var n int
		if err := dec.DecodeElement(&n, &start); err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
}

var locationElement = regexp.MustCompile(`<Location(?:Constraint)?[^>]*>\s*([^<\s]+)\s*</`)

// wantedRegion returns the region that the body of a PUT bucket names, empty for none.
func (c *call) wantedRegion() string {
	if m := locationElement.FindSubmatch(c.body); m != nil {
		return string(m[1])
	}
	return ""
}
