package wire

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// A Dialect is how one service of the S3 family differs from the others.
type Dialect struct {
	// Codes is the service's table of error codes.
	Codes Codes
	// Permissions says what to grant for each operation. {bucket}, {region} and {partition} are filled in.
	Permissions map[store.Op]string
	// Hints says what to do about single codes, or about whole messages, in place of the permission.
	Hints map[string]string
	// EncodingURL asks for keys in percent-encoding. They are decoded only if the answer says that it did so.
	EncodingURL bool
	// Locate says where a bucket is to be asked. Its errors say what is missing in the settings.
	Locate func(b mpu.Bucket) (Place, error)
	// Buckets says how the account's buckets are listed.
	Buckets BucketListing
	// NoLifecycle is the code that says that a bucket has no lifecycle rules.
	NoLifecycle string
	// Sign signs a request that is otherwise complete.
	Sign func(req *http.Request, s Signing) error
	// ParseTime reads a time as the service writes it. It returns the zero time for what is none.
	ParseTime func(s string) time.Time
	// Initiated corrects an upload's time by what its ID tells. Nil if IDs tell nothing.
	Initiated func(t time.Time, uploadID string) time.Time
	// Moved may take up what a refusal says of the bucket's place, and then returns true: asked again, the request will
	// go to another place. Nil if the service never says so.
	Moved func(p Place, r *Reply) bool
	// PartsGone is a code with which a listing of parts says that the upload is gone, beside those of the table; "" if none.
	PartsGone string
	// LeavesOut says what the listing of uploads is known to leave out on a server of a name, which is what the Server header
	// says; prefix and page are the listing's. Nil if nothing is known.
	LeavesOut func(server, prefix string, page store.Page) string
	// Alias reports whether a bucket's name is another name for it, so that answers speak of a different one. Nil if
	// there are none.
	Alias func(bucket string) bool
}

// A Place is where the requests about one bucket go.
type Place struct {
	Scheme    string
	Address   string // host and port to connect to
	Host      string // the Host header; Address if empty
	InPath    bool   // the bucket stands in the path
	Bucket    string
	Region    string // the region to sign for
	Partition string // the part of the cloud, for hints
	Learnt    bool   // the region is one that the service has told
}

// A Signing is what a signer may need besides the request.
type Signing struct {
	Place       Place
	Key         string // the object's key, empty for requests about the bucket
	Body        []byte // nil for the requests that have none
	Credentials store.Credentials
	Now         time.Time
}

// path returns the path of a key in the place, or of the bucket itself for the empty key: as it is, and percent-encoded
// exactly once.
func (p Place) path(key string) (path, raw string) {
	path = "/" + key
	if p.InPath {
		path = "/" + p.Bucket + path
		if key == "" {
			path = path[:len(path)-1]
		}
	}
	return path, Escape(path, true)
}

// An Endpoint is a custom one: scheme://host[:port], perhaps with {bucket} and {region} in it.
type Endpoint struct {
	scheme, host string
	ip           bool
}

// ParseEndpoint reads a custom endpoint. The error is mpu.Invalid and names the field.
func ParseEndpoint(s string) (Endpoint, error) {
	e, ok := parseEndpoint(s)
	if !ok {
		s = s[strings.LastIndexByte(s, '@')+1:] // what stands before may be a password
		return Endpoint{}, BadField("Endpoint", s, "write scheme://host[:port], with {bucket} and {region} where they belong")
	}
	return e, nil
}

func parseEndpoint(s string) (Endpoint, bool) {
	var e Endpoint
	var ok bool
	e.scheme, e.host, ok = strings.Cut(strings.TrimSuffix(s, "/"), "://")
	if !ok || e.scheme != "http" && e.scheme != "https" {
		return e, false
	}
	// The port that a scheme has anyway is not signed, so that it must not be sent either.
	e.host = strings.TrimSuffix(e.host, map[string]string{"http": ":80", "https": ":443"}[e.scheme])
	example := e.With("bucket", "region")
	u, err := url.Parse(e.scheme + "://" + example)
	e.ip = err == nil && net.ParseIP(u.Hostname()) != nil
	return e, err == nil && u.Host == example && u.Hostname() != "" && !strings.ContainsAny(example, "{}@/?# ")
}

// HasDomain reports whether a host, perhaps with a port, is in a domain.
func HasDomain(host, domain string) bool {
	host, _, _ = strings.Cut(host, ":")
	return strings.HasSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), "."+domain)
}

// IsZero reports whether there is no custom endpoint.
func (e Endpoint) IsZero() bool { return e == Endpoint{} }

// HasBucket reports whether the bucket has its place in the endpoint.
func (e Endpoint) HasBucket() bool { return strings.Contains(e.host, "{bucket}") }

// HasRegion reports whether the region has its place in the endpoint.
func (e Endpoint) HasRegion() bool { return strings.Contains(e.host, "{region}") }

// IsIP reports whether the host is an IP address, which can have no bucket in front.
func (e Endpoint) IsIP() bool { return e.ip }

// Scheme returns http or https.
func (e Endpoint) Scheme() string { return e.scheme }

// With returns host and port with the names filled in.
func (e Endpoint) With(bucket, region string) string {
	if !strings.Contains(e.host, "{") {
		return e.host
	}
	return strings.NewReplacer("{bucket}", bucket, "{region}", region).Replace(e.host)
}

// Place returns the place of a bucket at the endpoint. The bucket goes into the path if inPath says so and the endpoint
// has no place for it.
func (e Endpoint) Place(bucket, region string, inPath bool) Place {
	p := Place{Scheme: e.scheme, Address: e.With(bucket, region), Bucket: bucket, Region: region}
	switch {
	case e.HasBucket():
	case inPath:
		p.InPath = true
	default:
		p.Address = bucket + "." + p.Address
	}
	return p
}

// BadField is the error about a setting that a driver cannot work with.
func BadField(field, value, hint string) error {
	return &mpu.Error{Kind: mpu.Invalid, Op: "open driver", Target: field + " " + quote(value), Hint: hint}
}

// MissingRegion is the error about a bucket whose region nobody has named.
func MissingRegion(b mpu.Bucket, hint string) error {
	return &mpu.Error{Kind: mpu.Invalid, Target: b.String(), Message: "the region is missing", Hint: hint}
}

func quote(s string) string { return `"` + Shorten(s) + `"` }

// CheckRegion refuses what is no plain region ID: it would become a part of a host name.
func CheckRegion(b mpu.Bucket, region string) error {
	if IsRegion(region) {
		return nil
	}
	return &mpu.Error{Kind: mpu.Refused, Target: b.String(), Message: "region " + quote(region) + " is no region ID"}
}

// IsRegion reports whether s is a plain region ID.
func IsRegion(s string) bool {
	return len(s) <= 64 && isLabel(s)
}

// CheckBucket refuses what cannot be a bucket's name in a host or a path.
func CheckBucket(b mpu.Bucket) error {
	if IsBucketPath(b.Name) {
		return nil
	}
	return &mpu.Error{Kind: mpu.Refused, Target: b.String(), Message: quote(b.Name) + " is no bucket's name"}
}

// IsBucketPath reports whether a bucket's name can stand in a path: letters, digits, dots, hyphens and underscores, no
// dot or hyphen in front, no two dots in a row.
func IsBucketPath(name string) bool {
	if name == "" || len(name) > 255 || name[0] == '.' || name[0] == '-' || strings.Contains(name, "..") {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !alphanumeric(c) && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

// IsBucketHost reports whether a bucket's name can stand in front of a host, dots included.
func IsBucketHost(name string) bool {
	if len(name) > 63 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && (!alphanumeric(c) || 'A' <= c && c <= 'Z') {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

const upperHex = "0123456789ABCDEF"

// Escape percent-encodes every byte that RFC 3986 does not call unreserved, but slashes only if they are no separators.
func Escape(s string, slashes bool) string {
	plain := 0
	for plain < len(s) && unreserved(s[plain], slashes) {
		plain++
	}
	if plain == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*(len(s)-plain))
	b.WriteString(s[:plain])
	for i := plain; i < len(s); i++ {
		c := s[i]
		if unreserved(c, slashes) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

func unreserved(c byte, slashes bool) bool {
	return alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~' || slashes && c == '/'
}

// ParseISO8601 reads a time as S3, OBS and OSS write it, and returns it in UTC. It returns the zero time for what is none.
func ParseISO8601(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
