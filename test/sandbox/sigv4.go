package sandbox

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// v4Claim is what an Authorization header of the V4 family says.
type v4Claim struct {
	accessKey, day, region, service, terminator string
	headers                                     []string // SignedHeaders; OSS: AdditionalHeaders
	signature                                   string
}

// scope is the part of a claim that its signing key is made for.
func (v v4Claim) scope() string {
	return v.day + "/" + v.region + "/" + v.service + "/" + v.terminator
}

// parseV4 reads "ALGORITHM Credential=..., SignedHeaders=..., Signature=...", with or without blanks.
func parseV4(header, algorithm, list string) (claim v4Claim, ok bool) {
	rest, found := strings.CutPrefix(header, algorithm+" ")
	if !found {
		return claim, false
	}
	fields := map[string]string{}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	parts := strings.Split(fields["Credential"], "/")
	if len(parts) < 5 || fields["Signature"] == "" {
		return claim, false
	}
	n := len(parts)
	claim = v4Claim{strings.Join(parts[:n-4], "/"), parts[n-4], parts[n-3], parts[n-2], parts[n-1], nil, fields["Signature"]}
	if fields[list] != "" {
		claim.headers = strings.Split(strings.ToLower(fields[list]), ";")
	}
	return claim, true
}

// v4Keys remembers signing keys: each is four rounds of HMAC that would be run again for every request of a day.
var v4Keys sync.Map // string → []byte

// v4SigningKey derives the key that signs for a claim. prefix is put before the secret.
func v4SigningKey(prefix, secret string, claim v4Claim) []byte {
	name := prefix + "\x00" + secret + "\x00" + claim.scope()
	if key, ok := v4Keys.Load(name); ok {
		return key.([]byte)
	}
	key := []byte(prefix + secret)
	for _, part := range []string{claim.day, claim.region, claim.service, claim.terminator} {
		key = hmacSHA256(key, part)
	}
	v4Keys.Store(name, key)
	return key
}

// v4Signature signs a canonical request and returns the text that was signed too.
func v4Signature(algorithm, prefix, secret, stamp, canonical string, claim v4Claim) (signature, signed string) {
	signed = algorithm + "\n" + stamp + "\n" + claim.scope() + "\n" + hexSHA256([]byte(canonical))
	return hex.EncodeToString(hmacSHA256(v4SigningKey(prefix, secret, claim), signed)), signed
}

// headerValue returns a header as signatures read it: all its values, blanks squeezed, joined by commas.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(max(r.ContentLength, 0), 10)
	case "transfer-encoding": // net/http takes it off the other headers
		return strings.Join(r.TransferEncoding, ",")
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

// canonicalHeaders writes one "name:value" line for each name.
func canonicalHeaders(r *http.Request, names []string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	return b.String()
}

// headersWith returns the lower-case names of a request's headers that begin with a prefix, sorted.
func headersWith(r *http.Request, prefix string) []string {
	var names []string
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// canonicalQuery encodes and sorts the parameters. bareNames leaves the equals sign off those that have no value.
func canonicalQuery(q query, bareNames bool) string {
	encoded := make(query, len(q))
	for i, p := range q {
		encoded[i] = param{name: percentEncode(p.name, ""), value: percentEncode(p.value, "")}
	}
	return encoded.sorted().join(bareNames)
}

// canonicalPath decodes a path and encodes it again in the one way that signatures know.
func canonicalPath(path string) string {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		decoded = path // locate has refused it by now
	}
	return percentEncode(decoded, "/")
}

// basicISO is the date of the V4 family.
const basicISO = "20060102T150405Z"

// v4Rules are what OBS does differently from S3.
type v4Rules struct {
	malformed string // code for an Authorization header that cannot be read
	noHash    string // code for a missing x-amz-content-sha256
	badDate   string // code for a missing date, or one that is not the credential's
	badToken  string
	region    func(claim v4Claim) *refusal        // is it the right one?
	payload   func(c *call, hash string) *refusal // may this be the payload's hash?
}

// maxSkew is how far a request's date may be off, on all of the services.
const maxSkew = 15 * time.Minute

func skewed(stamp, now time.Time) bool { return now.Sub(stamp).Abs() > maxSkew }

// awsDate reads X-Amz-Date, or Date where that is missing.
func awsDate(r *http.Request) (time.Time, bool) {
	v := r.Header.Get("X-Amz-Date")
	if v == "" {
		v = r.Header.Get("Date")
	}
	if t, err := time.Parse(basicISO, v); err == nil {
		return t, true
	}
	t, err := http.ParseTime(v)
	return t.UTC(), err == nil
}

// verifyV4 verifies AWS Signature Version 4 in its header form: "Authenticating Requests (AWS Signature Version 4)" in
// the S3 API reference.
func (c *call) verifyV4(who account, now time.Time, rules v4Rules) *refusal {
	const algorithm = "AWS4-HMAC-SHA256"
	claim, ok := parseV4(c.r.Header.Get("Authorization"), algorithm, "SignedHeaders")
	if !ok || claim.service != "s3" || claim.terminator != "aws4_request" || !slices.Contains(claim.headers, "host") {
		return deny(rules.malformed)
	}
	if no := rules.region(claim); no != nil {
		return no
	}
	stamp, ok := awsDate(c.r)
	if !ok || stamp.Format("20060102") != claim.day {
		return deny(rules.badDate)
	}
	if claim.accessKey != who.id {
		return deny("InvalidAccessKeyId")
	}
	hash := c.r.Header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		return denyBecause(rules.noHash, "Missing required header for this request: x-amz-content-sha256")
	}
	if skewed(stamp, now) {
		return deny("RequestTimeTooSkewed")
	}
	if no := c.checkV4(who, claim, stamp, hash); no != nil {
		return no
	}
	if token := c.r.Header.Get("X-Amz-Security-Token"); token != "" && !sameString(token, who.token) {
		return deny(rules.badToken)
	}
	c.region = claim.region
	return rules.payload(c, hash)
}

// checkV4 compares the signature.
func (c *call) checkV4(who account, claim v4Claim, stamp time.Time, hash string) *refusal {
	for _, name := range headersWith(c.r, "x-amz-") {
		if !slices.Contains(claim.headers, name) {
			return denyBecause("AccessDenied", "There were headers present in the request which were not signed",
				[2]string{"HeadersNotSigned", name})
		}
	}
	canonical := c.r.Method + "\n" + canonicalPath(c.path) + "\n" + canonicalQuery(c.query, false) + "\n" +
		canonicalHeaders(c.r, claim.headers) + "\n" + strings.Join(claim.headers, ";") + "\n" + hash
	want, signed := v4Signature("AWS4-HMAC-SHA256", "AWS4", who.secret, stamp.Format(basicISO), canonical, claim)
	if !sameString(want, claim.signature) {
		return badSignature(claim.signature, signed, canonical)
	}
	return nil
}

// badSignature says what would have been signed, as the services do for whoever writes a client.
func badSignature(got, signed, canonical string) *refusal {
	no := deny("SignatureDoesNotMatch")
	no.fields = append(no.fields, [2]string{"SignatureProvided", got}, [2]string{"StringToSign", signed})
	if canonical != "" {
		no.fields = append(no.fields, [2]string{"CanonicalRequest", canonical})
	}
	return no
}
