package sandbox

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cosAPI is Tencent Cloud Object Storage: documents 436/7730 (errors), 436/7736 (list uploads), 436/7778 (signature).
type cosAPI struct{ constants traits }

// newCOS makes the dialect. Beijing dates are the ANSI-C ones of the older documents: no zone, eight hours ahead of UTC.
func newCOS(beijingDates bool) *cosAPI {
	date := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
	if beijingDates {
		date = func(t time.Time) string { return t.In(beijing).Format(time.ANSIC) }
	}
	return &cosAPI{constants: traits{
		codes: cosCodes, region: "ap-guangzhou", precision: time.Second,
		maxKey: 850, keyTooLong: "KeyTooLong", bucketTaken: "BucketAlreadyOwnedByYou", emptyUploadID: "ListPartUploadIdIsEmpty",
		storageClass: "Standard", crcHeader: "X-Cos-Hash-Crc64ecma",
		parties: []party{
			{"Initiator", "qcs::cam::uin/100000000001:uin/100000000002", "100000000002"},
			{"Owner", cosOwner, "100000000001"},
		},
		uploadsCoding: "Encoding-Type", partsCoding: "Encoding-type", codingAlways: true,
		encode: func(s string) string { return percentEncode(s, "/") },
		date:   date,
	}}
}

const cosOwner = "qcs::cam::uin/100000000001:uin/100000000001"

var beijing = time.FixedZone("", 8*60*60)

// cosCodes holds the codes of document 436/7730 that a request for multipart uploads can meet, and those of the checks
// that every request goes through. "Request has expired" stands in a table of codes (436/40105) but arrives as the message
// of an AccessDenied; it is there to be scripted.
var cosCodes = map[string]reply{
	"InvalidArgument":              {400, "Invalid Argument"},
	"InvalidURI":                   {400, "Could not parse the specified URI."},
	"InvalidBucketName":            {400, "The specified bucket name is not valid."},
	"InvalidRequest":               {400, "Invalid Request"},
	"MalformedXML":                 {400, "The XML you provided was not well-formed or did not validate against our published schema."},
	"KeyTooLong":                   {400, "Your key is too long."},
	"InvalidUploadStatus":          {400, "The specified multipart upload is being completed or aborted."},
	"ListPartUploadIdIsEmpty":      {400, "The upload id of a part listing must not be empty."},
	"BucketAccelerateNotEnabled":   {400, "The bucket you access has not enabled acceleration."},
	"ActionAccelerateNotSupported": {400, "This operation is not supported for accelerated domains."},
	"ExpiredToken":                 {400, "The provided token has expired."},
	"RequestTimeout":               {400, "Your socket connection to the server was not read from or written to within the timeout period."},
	"UserNetworkTooSlow":           {400, "The network of the client is too slow."},
	"AccessDenied":                 {403, "Access Denied."},
	"AccessForbidden":              {403, "CORSResponse: this request is not allowed."},
	"InvalidAccessKeyId":           {403, "The Access Key Id you provided does not exist in our records"},
	"SignatureDoesNotMatch":        {403, "The Signature you specified is invalid."},
	"PathStyleDomainForbidden":     {403, "The bucket you are attempting to access must be addressed using COS virtual-styled domain."},
	"InvalidObjectState":           {403, "The operation is not valid for the object's storage class"},
	"RequestTimeTooSkewed":         {403, "The difference between the request time and the server time is too large."},
	"Request has expired":          {403, "Request has expired"},
	"NoSuchUpload":                 {404, "The specified multipart upload does not exist."},
	"NoSuchBucket":                 {404, "The specified bucket does not exist."},
	"NoSuchKey":                    {404, "The specified key does not exist."},
	"NoSuchVersion":                {404, "The specified version does not exist."},
	"NoSuchLifecycleConfiguration": {404, "The lifecycle configuration does not exist."},
	"MethodNotAllowed":             {405, "The specified method is not allowed against this resource."},
	"UploadIdNotSupported":         {405, "The upload id is not supported for this object."},
	"InvalidBucketState":           {409, "The request is not valid with the current state of the bucket."},
	"BucketLocked":                 {409, "The bucket is locked."},
	"ObjectLocked":                 {409, "The object is locked."},
	"PathConflict":                 {409, "The path conflicts with an existing one."},
	"UploadConflict":               {409, "The same upload is being changed by another request."},
	"PaymentRequired":              {402, "Payment is required."},
	"MissingContentLength":         {411, "You must provide the Content-Length HTTP header."},
	"PreconditionFailed":           {412, "At least one of the pre-conditions you specified did not hold."},
	"UnavailableForLegalReasons":   {451, "The resource is unavailable for legal reasons."},
	"DomainAuditFailed":            {451, "The domain has not passed its audit."},
	"InternalError":                {500, "We encountered an internal error. Please try again."},
	"NotImplemented":               {501, "A header you provided implies functionality that is not implemented."},
	"SlowDown":                     {503, "Reduce your request rate."},
	"ServiceUnavailable":           {503, "Please try again later."},
	"KmsFreqControl":               {503, "Requests to KMS are too frequent."},

	"BadDigest":               {400, "The Content-MD5 you specified did not match what we received."},
	"BucketAlreadyOwnedByYou": {409, "The bucket you tried to create already exists, and you own it."},
	"BucketNotEmpty":          {409, "The bucket you tried to delete is not empty."},
	"IncompleteBody":          {400, "You did not provide the number of bytes specified by the Content-Length HTTP header."},
	"InvalidPart":             {400, "One or more of the specified parts could not be found."},
	"InvalidPartOrder":        {400, "The list of parts was not in ascending order."},
}

func (a *cosAPI) traits() *traits { return &a.constants }

var cosHost = regexp.MustCompile(`^(?:(.+)\.)?cos(?:-internal)?\.([a-z0-9-]+)\.(?:myqcloud\.com|tencentcos\.cn)$`)

// locate implements dialect. The cloud's own names take the bucket in the host only; an address takes path style.
func (a *cosAPI) locate(host, path string) location {
	if at, ok := loopback(host, path); ok {
		return at
	}
	if host == "service.cos.myqcloud.com" {
		if path != "/" {
			return location{refuse: "InvalidArgument"}
		}
		return location{}
	}
	m := cosHost.FindStringSubmatch(host)
	switch {
	case m == nil:
		return pathStyle(path)
	case m[2] == "accelerate":
		at := virtualStyle(m[1], "", path)
		at.refuse = "BucketAccelerateNotEnabled"
		return at
	case m[1] != "":
		return virtualStyle(m[1], m[2], path)
	case path != "/":
		return location{refuse: "PathStyleDomainForbidden"}
	}
	return location{region: m[2]}
}

// cosClaim is what a q-sign-algorithm header says.
type cosClaim struct {
	accessKey, signTime, keyTime, signature string
	headers, params                         []string
}

func parseCOS(header string) (claim cosClaim, ok bool) {
	fields := map[string]string{}
	for field := range strings.SplitSeq(header, "&") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	claim = cosClaim{accessKey: fields["q-ak"], signTime: fields["q-sign-time"], keyTime: fields["q-key-time"],
		signature: fields["q-signature"], headers: cosList(fields["q-header-list"]), params: cosList(fields["q-url-param-list"])}
	return claim, fields["q-sign-algorithm"] == "sha1" && claim.accessKey != "" && claim.signature != ""
}

func cosList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.ToLower(s), ";")
}

// verify implements dialect. A bucket asked for in the wrong region is simply not there.
func (a *cosAPI) verify(c *call, who account, now time.Time) *refusal {
	if c.bucket != nil && c.at.region != "" && c.at.region != c.bucket.region {
		c.bucket = nil
	}
	header := c.r.Header.Get("Authorization")
	if header == "" {
		return deny("AccessDenied")
	}
	claim, ok := parseCOS(header)
	if !ok {
		return denyBecause("InvalidArgument", "Authorization header is malformed.")
	}
	if claim.accessKey != who.id {
		return deny("InvalidAccessKeyId")
	}
	for _, window := range []string{claim.signTime, claim.keyTime} {
		if no := cosWindow(window, now); no != nil {
			return no
		}
	}
	if no := c.checkCOS(who, claim); no != nil {
		return no
	}
	if token := c.r.Header.Get("X-Cos-Security-Token"); token != "" && !sameString(token, who.token) {
		return deny("InvalidAccessKeyId") // a temporary key is looked up by its token
	}
	return nil
}

// cosWindow checks "start;end" against the clock. The start may be ahead by the usual skew.
func cosWindow(window string, now time.Time) *refusal {
	from, to, _ := strings.Cut(window, ";")
	start, err1 := strconv.ParseInt(from, 10, 64)
	end, err2 := strconv.ParseInt(to, 10, 64)
	switch {
	case err1 != nil || err2 != nil || end < start:
		return denyBecause("InvalidArgument", "The signing time is malformed.")
	case now.Unix() > end:
		return denyBecause("AccessDenied", "Request has expired")
	case time.Unix(start, 0).Sub(now) > maxSkew:
		return deny("RequestTimeTooSkewed")
	}
	return nil
}

// checkCOS compares the signature over exactly the headers and parameters that the lists name. Host and every x-cos-
// header must be among them, or a stranger could change them: the document's advice, enforced here.
func (c *call) checkCOS(who account, claim cosClaim) *refusal {
	for _, name := range append(headersWith(c.r, "x-cos-"), "host") {
		if !slices.Contains(claim.headers, name) {
			return denyBecause("AccessDenied", "Header "+name+" must be signed.")
		}
	}
	path, err := url.PathUnescape(c.path)
	if err != nil {
		return deny("InvalidURI")
	}
	signed := strings.ToLower(c.r.Method) + "\n" + path + "\n" + c.cosParams(claim.params) + "\n" + c.cosHeaders(claim.headers) + "\n"
	want, text := cosSignature(who.secret, claim.keyTime, claim.signTime, signed)
	if !sameString(want, claim.signature) {
		no := deny("SignatureDoesNotMatch")
		no.fields = [][2]string{{"StringToSign", text}, {"FormatString", signed}}
		return no
	}
	return nil
}

// cosSignKey makes the signing key, which is used as its hexadecimal text.
func cosSignKey(secret, keyTime string) string {
	return hex.EncodeToString(hmacSHA1([]byte(secret), keyTime))
}

// cosSignature signs an HttpString.
func cosSignature(secret, keyTime, signTime, httpString string) (signature, signed string) {
	sum := sha1.Sum([]byte(httpString))
	signed = "sha1\n" + signTime + "\n" + hex.EncodeToString(sum[:]) + "\n"
	return hex.EncodeToString(hmacSHA1([]byte(cosSignKey(secret, keyTime)), signed)), signed
}

// cosParams writes the listed parameters as HttpParameters. Names are compared without regard to case: clients list
// uploadid for uploadId.
func (c *call) cosParams(names []string) string {
	var pairs []string
	for _, name := range names {
		for _, p := range c.query {
			if encoded := strings.ToLower(percentEncode(p.name, "")); encoded == name {
				pairs = append(pairs, encoded+"="+percentEncode(p.value, ""))
			}
		}
	}
	return strings.Join(pairs, "&")
}

// cosHeaders writes the listed headers as HttpHeaders.
func (c *call) cosHeaders(names []string) string {
	pairs := make([]string, 0, len(names))
	for _, name := range names {
		plain, err := url.PathUnescape(name)
		if err != nil {
			plain = name
		}
		pairs = append(pairs, name+"="+percentEncode(headerValue(c.r, plain), ""))
	}
	return strings.Join(pairs, "&")
}

// stamp implements dialect.
func (a *cosAPI) stamp(h http.Header, _ *http.Request, requestID string) {
	h.Set("Server", "tencent-cos")
	h.Set("X-Cos-Request-Id", requestID)
}

// greet implements dialect. A bucket of another region is not there, so its region is not told.
func (a *cosAPI) greet(h http.Header, c *call) {
	if c.target.Op == OpHeadBucket && c.bucket != nil && (c.at.region == "" || c.at.region == c.bucket.region) {
		h.Set("X-Cos-Bucket-Region", c.bucket.region)
	}
}

// explain implements dialect.
func (a *cosAPI) explain(c *call, no *refusal) {
	trace := base64.StdEncoding.EncodeToString([]byte("trace of " + c.id))
	no.fields = append(no.fields, [2]string{"Resource", "/" + c.at.key}, [2]string{"RequestId", c.id}, [2]string{"TraceId", trace})
	no.header = map[string]string{"X-Cos-Trace-Id": trace}
}

// newUploadID implements dialect: the seconds of the initiation, then 64 hexadecimal digits.
func (a *cosAPI) newUploadID(initiated time.Time) string {
	return fmt.Sprintf("%010d%x", initiated.Unix(), randomBytes(32))
}

// listBuckets implements dialect: GET Service, document 436/8291. Location is the region.
func (a *cosAPI) listBuckets(c *call, all []*bucket) (*document, *refusal) {
	most, err := c.query.count("max-keys", 2000)
	if err != nil {
		return nil, denyBecause("InvalidArgument", "max-keys must be a number")
	}
	region, marker := c.query.value("region"), c.query.value("marker")
	if region == "" {
		region = c.at.region
	}
	d := newDocument("")
	d.open("ListAllMyBucketsResult")
	d.open("Owner")
	d.text("ID", cosOwner)
	d.text("DisplayName", "100000000001")
	d.close("Owner")
	d.open("Buckets")
	n, last, more := 0, "", false
	for _, b := range all {
		if b.name <= marker || region != "" && b.region != region {
			continue
		}
		if more = n == most; more {
			break
		}
		d.open("Bucket")
		d.text("Name", b.name)
		d.text("Location", b.region)
		d.text("CreationDate", b.created.UTC().Format("2006-01-02T15:04:05Z"))
		d.close("Bucket")
		n, last = n+1, b.name
	}
	d.close("Buckets")
	d.text("Marker", marker)
	d.truth("IsTruncated", more)
	if more {
		d.text("NextMarker", last)
	}
	d.close("ListAllMyBucketsResult")
	return d, nil
}
