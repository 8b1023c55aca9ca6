package sandbox

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ossAPI is Alibaba Cloud Object Storage Service: the "OSS API Reference", pages "Include a V4 signature in the
// Authorization header", "(Not recommended) V1 signatures" and "Error codes".
type ossAPI struct{ constants traits }

func newOSS() *ossAPI {
	return &ossAPI{constants: traits{
		codes: ossCodes, region: "cn-hangzhou", precision: time.Millisecond,
		maxKey: 1023, keyTooLong: "InvalidObjectName", bucketTaken: "BucketAlreadyExists",
		namespace: "http://doc.oss-cn-hangzhou.aliyuncs.com", storageClass: "Standard", crcHeader: "X-Oss-Hash-Crc64ecma",
		uploadsCoding: "EncodingType", partsCoding: "EncodingType",
		encode: func(s string) string { return percentEncode(s, "") },
		date:   func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") },
	}}
}

const ossOwner = "1234567890123456"

// ossCodes holds the codes that a request for multipart uploads can meet, and those of the checks that every request
// goes through.
var ossCodes = map[string]reply{
	"NoSuchUpload":          {404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."},
	"NoSuchLifecycle":       {404, "No Row found in Lifecycle Table."},
	"NoSuchBucket":          {404, "The specified bucket does not exist."},
	"AccessDenied":          {403, "You have no right to access this object because of bucket acl."},
	"SignatureDoesNotMatch": {403, "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
	"RequestTimeTooSkewed":  {403, "The difference between the request time and the current time is too large."},
	"InternalError":         {500, "Please contact the server administrator, oss@service.aliyun.com."},
	"RequestTimeout":        {400, "Your socket connection to the server was not read from or written to within the timeout period."},
	"BadRequest":            {400, "Bad Request"},
	"ServiceUnavailable":    {503, "Please reduce your request rate."},

	"BadDigest":            {400, "The Content-MD5 you specified did not match what we received."},
	"BucketAlreadyExists":  {409, "The requested bucket name is not available."},
	"BucketNotEmpty":       {409, "The bucket you tried to delete is not empty."},
	"IncompleteBody":       {400, "You did not provide the number of bytes specified by the Content-Length HTTP header."},
	"InvalidAccessKeyId":   {403, "The OSS Access Key Id you provided does not exist in our records."},
	"InvalidArgument":      {400, "Invalid Argument"},
	"InvalidObjectName":    {400, "The length of object name must be less than 1024."},
	"InvalidPart":          {400, "One or more of the specified parts could not be found."},
	"InvalidPartOrder":     {400, "The list of parts was not in ascending order."},
	"InvalidRequest":       {400, "Invalid Request"},
	"InvalidSecurityToken": {403, "The security token you provided is invalid."},
	"InvalidURI":           {400, "Couldn't parse the specified URI."},
	"MalformedXML":         {400, "The XML you provided was not well-formed or did not validate against our published schema."},
	"MethodNotAllowed":     {405, "The specified method is not allowed against this resource."},
	"NoSuchKey":            {404, "The specified key does not exist."},
	"NotImplemented":       {501, "A header you provided implies functionality that is not implemented."},
	"SecurityTokenExpired": {403, "The security token you provided has expired."},
}

func (a *ossAPI) traits() *traits { return &a.constants }

var ossHost = regexp.MustCompile(`^(?:(.+)\.)?oss-([a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com$`)

// locate implements dialect. The cloud's own names take the bucket in the host only; an address takes path style.
func (a *ossAPI) locate(host, path string) location {
	if at, ok := loopback(host, path); ok {
		return at
	}
	m := ossHost.FindStringSubmatch(host)
	switch {
	case m == nil:
		return pathStyle(path)
	case m[1] != "":
		return virtualStyle(m[1], m[2], path)
	}
	at := pathStyle(path)
	at.region = m[2]
	return at
}

// verify implements dialect. The wrong endpoint is a refusal that names the right one.
func (a *ossAPI) verify(c *call, who account, now time.Time) *refusal {
	scheme, _, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	var no *refusal
	switch scheme {
	case "OSS4-HMAC-SHA256":
		no = c.verifyOSS4(who, now)
	case "OSS":
		no = c.verifyOSS1(who, now)
	default:
		no = deny("AccessDenied")
	}
	if no == nil && c.bucket != nil && c.at.region != "" && c.at.region != c.bucket.region {
		return denyBecause("AccessDenied", "The bucket you are attempting to access must be addressed using the specified endpoint. "+
			"Please send all future requests to this endpoint.", [2]string{"Bucket", c.bucket.name},
			[2]string{"Endpoint", "oss-" + c.bucket.region + ".aliyuncs.com"})
	}
	return no
}

// verifyOSS4 verifies V4 in its header form.
func (c *call) verifyOSS4(who account, now time.Time) *refusal {
	const algorithm = "OSS4-HMAC-SHA256"
	claim, ok := parseV4(c.r.Header.Get("Authorization"), algorithm, "AdditionalHeaders")
	if !ok || claim.service != "oss" || claim.terminator != "aliyun_v4_request" {
		return denyBecause("InvalidArgument", "Invalid Authorization header.")
	}
	if claim.accessKey != who.id {
		return deny("InvalidAccessKeyId")
	}
	if c.bucket != nil && claim.region != c.bucket.region {
		return denyBecause("InvalidArgument", "Invalid signing region in Authorization header.", [2]string{"Region", c.bucket.region})
	}
	stamp, ok := ossDate(c.r)
	if !ok || stamp.UTC().Format("20060102") != claim.day {
		return denyBecause("InvalidArgument", "Invalid signing date in Authorization header.")
	}
	if skewed(stamp, now) {
		return deny("RequestTimeTooSkewed")
	}
	hash := c.r.Header.Get("X-Oss-Content-Sha256")
	if hash != "UNSIGNED-PAYLOAD" {
		return denyBecause("InvalidArgument", "Invalid value for x-oss-content-sha256.")
	}
	canonical := c.canonicalOSS4(claim.headers, hash)
	want, signed := v4Signature(algorithm, "aliyun_v4", who.secret, stamp.UTC().Format(basicISO), canonical, claim)
	if !sameString(want, claim.signature) {
		return badSignature(claim.signature, signed, canonical)
	}
	c.region = claim.region
	return c.ossToken(who)
}

// canonicalOSS4 writes the canonical request. Unlike AWS's, its path always holds the bucket, parameters without a value
// have no equals sign, and the list of headers names only those that were signed beyond the usual.
func (c *call) canonicalOSS4(additional []string, hash string) string {
	path := "/"
	if c.at.bucket != "" {
		path = percentEncode("/"+c.at.bucket+"/"+c.at.key, "/")
	}
	slices.Sort(additional)
	names := slices.Concat(headersWith(c.r, "x-oss-"), headersWith(c.r, "content-type"), headersWith(c.r, "content-md5"), additional)
	slices.Sort(names)
	return c.r.Method + "\n" + path + "\n" + canonicalQuery(c.query, true) + "\n" +
		canonicalHeaders(c.r, slices.Compact(names)) + "\n" + strings.Join(additional, ";") + "\n" + hash
}

// ossDate reads x-oss-date, or Date where that is missing.
func ossDate(r *http.Request) (time.Time, bool) {
	v := r.Header.Get("X-Oss-Date")
	if v == "" {
		v = r.Header.Get("Date")
	}
	if t, err := time.Parse(basicISO, v); err == nil {
		return t, true
	}
	t, err := http.ParseTime(v)
	return t, err == nil
}

func (c *call) ossToken(who account) *refusal {
	if token := c.r.Header.Get("X-Oss-Security-Token"); token != "" && !sameString(token, who.token) {
		return deny("InvalidSecurityToken")
	}
	return nil
}

// verifyOSS1 verifies "OSS ak:signature".
func (c *call) verifyOSS1(who account, now time.Time) *refusal {
	ak, signature, ok := strings.Cut(strings.TrimPrefix(c.r.Header.Get("Authorization"), "OSS "), ":")
	if !ok || ak == "" || signature == "" {
		return denyBecause("InvalidArgument", "Invalid Authorization header.")
	}
	if ak != who.id {
		return deny("InvalidAccessKeyId")
	}
	stamp, ok := ossDate(c.r)
	if !ok {
		return denyBecause("AccessDenied", "OSS authentication requires a valid Date.")
	}
	if skewed(stamp, now) {
		return deny("RequestTimeTooSkewed")
	}
	signed := ""
	for _, date := range []string{c.r.Header.Get("Date"), c.r.Header.Get("X-Oss-Date")} {
		if date == "" {
			continue
		}
		signed = c.stringToSignOSS1(date)
		if sameString(base64SHA1(who.secret, signed), signature) {
			return c.ossToken(who)
		}
	}
	return badSignature(signature, signed, "")
}

// stringToSignOSS1 writes what is signed. Clients put either of the two dates on the date line.
func (c *call) stringToSignOSS1(date string) string {
	h := c.r.Header
	return c.r.Method + "\n" + h.Get("Content-Md5") + "\n" + h.Get("Content-Type") + "\n" + date + "\n" +
		canonicalHeaders(c.r, headersWith(c.r, "x-oss-")) + c.resourceOSS1()
}

// subresourcesOSS1 are the query parameters that are part of the signed resource.
var subresourcesOSS1 = []string{
	"accessPoint", "accessPointPolicy", "acl", "append", "asyncFetch", "bucketInfo", "callback", "callback-var", "cname",
	"comp", "continuation-token", "cors", "delete", "encryption", "endTime", "group", "httpsConfig", "img", "inventory",
	"inventoryId", "lifecycle", "link", "live", "location", "logging", "metaQuery", "objectMeta", "partNumber", "policy",
	"policyStatus", "position", "publicAccessBlock", "qos", "qosInfo", "qosRequester", "redundancyTransition", "referer",
	"regionList", "replication", "replicationLocation", "replicationProgress", "requestPayment", "requesterQosInfo",
	"resourceGroup", "resourcePool", "resourcePoolInfo", "response-cache-control", "response-content-disposition",
	"response-content-encoding", "response-content-language", "response-content-type", "response-expires", "restore",
	"security-token", "sequential", "startTime", "stat", "status", "style", "styleName", "symlink", "tagging",
	"transferAcceleration", "uploadId", "uploads", "versionId", "versioning", "versions", "vod", "website", "worm", "wormExtend",
	"wormId", "x-oss-ac-forward-allow", "x-oss-ac-source-ip", "x-oss-ac-subnet-mask", "x-oss-ac-vpc-id", "x-oss-process",
	"x-oss-request-payer", "x-oss-traffic-limit", "x-oss-write-get-object-response",
}

// resourceOSS1 writes the signed resource, all of it decoded.
func (c *call) resourceOSS1() string {
	resource := "/"
	if c.at.bucket != "" {
		resource = "/" + c.at.bucket + "/" + c.at.key
	}
	if subs := c.query.only(subresourcesOSS1); len(subs) > 0 {
		return resource + "?" + subs.join(true)
	}
	return resource
}

// stamp implements dialect.
func (a *ossAPI) stamp(h http.Header, _ *http.Request, requestID string) {
	h.Set("Server", "AliyunOSS")
	h.Set("X-Oss-Request-Id", requestID)
}

// greet implements dialect.
func (a *ossAPI) greet(h http.Header, c *call) {
	if c.target.Op == OpHeadBucket && c.bucket != nil {
		h.Set("X-Oss-Bucket-Region", c.bucket.region)
	}
}

// explain implements dialect. EC is a finer code; a client that finds no body reads it, and the whole error, from headers.
func (a *ossAPI) explain(c *call, no *refusal) {
	ec := "0000-00000001"
	if known, ok := ossEC[no.code]; ok {
		ec = known
	}
	no.fields = append(no.fields, [2]string{"RequestId", c.id}, [2]string{"HostId", c.r.Host}, [2]string{"EC", ec})
	no.header = map[string]string{"X-Oss-Ec": ec}
}

// ossEC are the finer codes of the errors that a cleaner sees most.
var ossEC = map[string]string{
	"NoSuchUpload":          "0042-00000002",
	"NoSuchBucket":          "0015-00000101",
	"SignatureDoesNotMatch": "0002-00000040",
	"InvalidAccessKeyId":    "0002-00000902",
	"RequestTimeTooSkewed":  "0002-00000504",
	"AccessDenied":          "0003-00000001",
}

// newUploadID implements dialect: 32 hexadecimal digits.
func (a *ossAPI) newUploadID(time.Time) string { return fmt.Sprintf("%X", randomBytes(16)) }

// listBuckets implements dialect: page "ListBuckets (GetService)".
func (a *ossAPI) listBuckets(c *call, all []*bucket) (*document, *refusal) {
	most, err := c.query.count("max-keys", 100)
	if err != nil || most == 0 || most > 1000 {
		return nil, denyBecause("InvalidArgument", "max-keys must be between 1 and 1000")
	}
	prefix, marker := c.query.value("prefix"), c.query.value("marker")
	d := newDocument("")
	d.open("ListAllMyBucketsResult")
	d.open("Owner")
	d.text("ID", ossOwner)
	d.text("DisplayName", ossOwner)
	d.close("Owner")
	d.open("Buckets")
	n, last, more := 0, "", false
	for _, b := range all {
		if !strings.HasPrefix(b.name, prefix) || b.name <= marker {
			continue
		}
		if more = n == most; more {
			break
		}
		a.writeBucket(d, b)
		n, last = n+1, b.name
	}
	d.close("Buckets")
	d.some("Prefix", prefix)
	d.some("Marker", marker)
	d.number("MaxKeys", int64(most))
	d.truth("IsTruncated", more)
	if more {
		d.text("NextMarker", last)
	}
	d.close("ListAllMyBucketsResult")
	return d, nil
}

func (a *ossAPI) writeBucket(d *document, b *bucket) {
	d.open("Bucket")
	d.text("Name", b.name)
	d.text("Location", "oss-"+b.region)
	d.text("Region", b.region)
	d.text("CreationDate", a.constants.date(b.created))
	d.text("ExtranetEndpoint", "oss-"+b.region+".aliyuncs.com")
	d.text("IntranetEndpoint", "oss-"+b.region+"-internal.aliyuncs.com")
	d.text("StorageClass", a.constants.storageClass)
	d.close("Bucket")
}
