package sandbox

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// s3API is AWS S3: the "Amazon S3 API Reference".
type s3API struct{ constants traits }

func newS3() *s3API {
	return &s3API{constants: traits{
		codes: s3Codes, region: "us-east-1", precision: time.Second,
		maxKey: 1024, keyTooLong: "KeyTooLongError", bucketTaken: "BucketAlreadyOwnedByYou", strict: true,
		namespace: "http://s3.amazonaws.com/doc/2006-03-01/", storageClass: "STANDARD",
		parties: []party{
			{"Initiator", "arn:aws:iam::" + AccountID + ":user/sandbox", ""},
			{"Owner", s3Owner, ""},
		},
		uploadsCoding: "EncodingType", partsCoding: "EncodingType",
		encode: func(s string) string { return strings.ReplaceAll(percentEncode(s, "/*"), "%20", "+") },
		date:   func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") },
	}}
}

const s3Owner = "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"

// s3Codes holds the codes that S3 answers with here: those that matter to multipart uploads, then those of the checks
// every request goes through ("Error responses" in the reference).
var s3Codes = map[string]reply{
	"NoSuchUpload":                 {404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."},
	"NoSuchBucket":                 {404, "The specified bucket does not exist"},
	"AccessDenied":                 {403, "Access Denied"},
	"PermanentRedirect":            {301, "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."},
	"AuthorizationHeaderMalformed": {400, "The authorization header is malformed."},
	"SlowDown":                     {503, "Please reduce your request rate."},
	"ServiceUnavailable":           {503, "Service is unable to handle request."},
	"InternalError":                {500, "We encountered an internal error. Please try again."},
	"RequestTimeout":               {400, "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed."},
	"RequestTimeTooSkewed":         {403, "The difference between the request time and the current time is too large."},
	"ExpiredToken":                 {400, "The provided token has expired."},
	"InvalidArgument":              {400, "Invalid Argument"},
	"MethodNotAllowed":             {405, "The specified method is not allowed against this resource."},
	"PreconditionFailed":           {412, "At least one of the pre-conditions you specified did not hold"},

	"BadDigest":                    {400, "The Content-MD5 you specified did not match what we received."},
	"BucketAlreadyOwnedByYou":      {409, "Your previous request to create the named bucket succeeded and you already own it."},
	"BucketNotEmpty":               {409, "The bucket you tried to delete is not empty"},
	"EntityTooSmall":               {400, "Your proposed upload is smaller than the minimum allowed size"},
	"IncompleteBody":               {400, "You did not provide the number of bytes specified by the Content-Length HTTP header"},
	"InvalidAccessKeyId":           {403, "The AWS Access Key Id you provided does not exist in our records."},
	"InvalidPart":                  {400, "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."},
	"InvalidPartOrder":             {400, "The list of parts was not in ascending order. Parts must be ordered by part number."},
	"InvalidRequest":               {400, "Invalid Request"},
	"InvalidToken":                 {400, "The provided token is malformed or otherwise invalid."},
	"InvalidURI":                   {400, "Couldn't parse the specified URI."},
	"KeyTooLongError":              {400, "Your key is too long"},
	"MalformedXML":                 {400, "The XML you provided was not well-formed or did not validate against our published schema"},
	"NoSuchLifecycleConfiguration": {404, "The lifecycle configuration does not exist"},
	"NoSuchKey":                    {404, "The specified key does not exist."},
	"NotImplemented":               {501, "A header you provided implies functionality that is not implemented"},
	"SignatureDoesNotMatch":        {403, "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
	"XAmzContentSHA256Mismatch":    {400, "The provided 'x-amz-content-sha256' header does not match what was computed."},
}

func (a *s3API) traits() *traits { return &a.constants }

var (
	s3Regional = regexp.MustCompile(`^(?:(.+)\.)?s3(?:-fips)?(?:\.dualstack)?[.-]([a-z]+-[a-z-]+-\d+)\.amazonaws\.com(?:\.cn)?$`)
	s3Global   = regexp.MustCompile(`^(?:(.+)\.)?s3\.amazonaws\.com$`)
)

// locate implements dialect. Both styles are served everywhere.
func (a *s3API) locate(host, path string) location {
	if at, ok := loopback(host, path); ok {
		return at
	}
	bucket, region := "", ""
	if m := s3Regional.FindStringSubmatch(host); m != nil {
		bucket, region = m[1], m[2]
	} else if m := s3Global.FindStringSubmatch(host); m != nil {
		bucket, region = m[1], "us-east-1"
	}
	if bucket != "" {
		return virtualStyle(bucket, region, path)
	}
	at := pathStyle(path)
	at.region = region
	return at
}

// verify implements dialect. A wrong endpoint is told before the signature is looked at, a wrong region in the signature
// before the signature is compared.
func (a *s3API) verify(c *call, who account, now time.Time) *refusal {
	if c.bucket != nil && c.at.region != "" && c.at.region != c.bucket.region {
		return deny("PermanentRedirect")
	}
	if c.r.Header.Get("Authorization") == "" {
		return deny("AccessDenied")
	}
	no := c.verifyV4(who, now, v4Rules{
		malformed: "AuthorizationHeaderMalformed", noHash: "InvalidRequest", badDate: "AccessDenied", badToken: "InvalidToken",
		region: func(claim v4Claim) *refusal {
			if c.bucket == nil || claim.region == c.bucket.region {
				return nil
			}
			return denyBecause("AuthorizationHeaderMalformed", "The authorization header is malformed; the region '"+claim.region+
				"' is wrong; expecting '"+c.bucket.region+"'")
		},
		payload: s3Payload,
	})
	if owner := c.r.Header.Get("X-Amz-Expected-Bucket-Owner"); no == nil && owner != "" && owner != AccountID {
		return deny("AccessDenied")
	}
	return no
}

// s3Payload checks x-amz-content-sha256 against the body, or leaves that to the upload that reads the body.
func s3Payload(c *call, hash string) *refusal {
	switch {
	case hash == "UNSIGNED-PAYLOAD", strings.HasPrefix(hash, "STREAMING-") && c.uploads():
		return nil
	case !isHexSHA256(hash):
		return denyBecause("InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "+
			"STREAMING-AWS4-HMAC-SHA256-PAYLOAD or a valid sha256 value.")
	case c.uploads():
		c.payloadHash = strings.ToLower(hash)
	case !strings.EqualFold(hash, hexSHA256(c.body)):
		return deny("XAmzContentSHA256Mismatch")
	}
	return nil
}

// stamp implements dialect.
func (a *s3API) stamp(h http.Header, _ *http.Request, requestID string) {
	h.Set("Server", "AmazonS3")
	h.Set("X-Amz-Request-Id", requestID)
	h.Set("X-Amz-Id-2", hostID(requestID))
}

// hostID makes the second, longer id that S3 and OBS send.
func hostID(requestID string) string {
	return base64.StdEncoding.EncodeToString([]byte("host of " + requestID + " in the sandbox"))
}

// explain implements dialect. The header that names the right region is on every answer to a HEAD bucket; see greet.
func (a *s3API) explain(c *call, no *refusal) {
	add := func(name, value string) { no.fields = append(no.fields, [2]string{name, value}) }
	switch no.code {
	case "NoSuchUpload":
		add("UploadId", c.target.UploadID)
	case "NoSuchBucket":
		add("BucketName", c.at.bucket)
	case "NoSuchKey":
		add("Key", c.at.key)
	case "PermanentRedirect", "AuthorizationHeaderMalformed":
		if c.bucket == nil {
			break
		}
		no.header = map[string]string{"X-Amz-Bucket-Region": c.bucket.region}
		if no.code == "AuthorizationHeaderMalformed" {
			add("Region", c.bucket.region)
			break
		}
		add("Endpoint", c.bucket.name+".s3."+c.bucket.region+".amazonaws.com")
		add("Bucket", c.bucket.name)
	}
	add("RequestId", c.id)
	add("HostId", hostID(c.id))
}

// greet implements dialect.
func (a *s3API) greet(h http.Header, c *call) {
	if c.target.Op == OpHeadBucket && c.bucket != nil {
		h.Set("X-Amz-Bucket-Region", c.bucket.region)
	}
}

// newUploadID implements dialect: 128 characters, all of them safe in a URL.
func (a *s3API) newUploadID(time.Time) string {
	return base64.URLEncoding.EncodeToString(randomBytes(96))
}

// listBuckets implements dialect. Regions are told once any paging parameter is sent, as the reference has it.
func (a *s3API) listBuckets(c *call, all []*bucket) (*document, *refusal) {
	most, err := c.query.count("max-buckets", 10_000)
	if err != nil || most == 0 || most > 10_000 {
		return nil, denyBecause("InvalidArgument", "Argument max-buckets must be an integer between 1 and 10000")
	}
	paged := false
	for _, name := range []string{"max-buckets", "continuation-token", "prefix", "bucket-region"} {
		paged = paged || c.query.has(name)
	}
	prefix, region, after := c.query.value("prefix"), c.query.value("bucket-region"), c.query.value("continuation-token")
	d := newDocument("")
	d.root("ListAllMyBucketsResult", a.constants.namespace)
	d.open("Owner")
	d.text("ID", s3Owner)
	d.close("Owner")
	d.open("Buckets")
	n, next, last := 0, "", ""
	for _, b := range all {
		if !strings.HasPrefix(b.name, prefix) || b.name <= unseal(after) || region != "" && b.region != region {
			continue
		}
		if n == most {
			next = seal(last)
			break
		}
		a.writeBucket(d, b, paged)
		n, last = n+1, b.name
	}
	d.close("Buckets")
	d.some("ContinuationToken", next)
	d.some("Prefix", prefix)
	d.close("ListAllMyBucketsResult")
	return d, nil
}

func (a *s3API) writeBucket(d *document, b *bucket, withRegion bool) {
	d.open("Bucket")
	d.text("Name", b.name)
	d.text("CreationDate", a.constants.date(b.created))
	if withRegion {
		d.text("BucketRegion", b.region)
	}
	d.close("Bucket")
}

// seal makes a continuation token that no client can take for a name; unseal reads it back.
func seal(name string) string { return base64.URLEncoding.EncodeToString([]byte(name)) }

func unseal(token string) string {
	name, err := base64.URLEncoding.DecodeString(token)
	if err != nil {
		return ""
	}
	return string(name)
}
