package sandbox

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// obsAPI is Huawei Object Storage Service: the "Object Storage Service API Reference" (obs_04_0115 for the errors) and,
// for the S3-style half, the Open Telekom Cloud pages of the same software.
type obsAPI struct{ constants traits }

func newOBS() *obsAPI {
	return &obsAPI{constants: traits{
		codes: obsCodes, region: "cn-north-4", precision: time.Millisecond,
		maxKey: 1024, keyTooLong: "KeyTooLongError", bucketTaken: "BucketAlreadyOwnedByYou",
		namespace: "http://obs.cn-north-4.myhuaweicloud.com/doc/2015-06-30/", blank: "\n  ", storageClass: "STANDARD",
		parties: []party{
			{"Initiator", "domainID/0123abcd:userID/4567ef01", ""},
			{"Owner", obsOwner, ""},
		},
		uploadsCoding: "EncodingType", partsCoding: "EncodingType",
		encode: func(s string) string { return percentEncode(s, "/") },
		date:   func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") },
	}}
}

const obsOwner = "0123abcd"

// obsCodes holds the codes of obs_04_0115 that a request for multipart uploads can meet, and those of the checks that
// every request goes through.
var obsCodes = map[string]reply{
	"PermanentRedirect":             {301, "The bucket you are attempting to access must be addressed using the specified endpoint."},
	"TemporaryRedirect":             {307, "You are being redirected to the bucket while DNS updates."},
	"Redirect":                      {307, "Please send this request to the specified endpoint."},
	"InvalidArgument":               {400, "Invalid Argument"},
	"InvalidRequest":                {400, "Invalid Request"},
	"InvalidBucketName":             {400, "The specified bucket is not valid."},
	"InvalidBucket":                 {400, "The bucket does not exist."},
	"InvalidURI":                    {400, "Couldn't parse the specified URI."},
	"KeyTooLongError":               {400, "Your key is too long."},
	"BadDomainName":                 {400, "The domain name is invalid."},
	"MissingRegion":                 {400, "The region is missing in the request."},
	"XAmzContentSHA256Mismatch":     {400, "The provided 'x-amz-content-sha256' header does not match what was computed."},
	"TooManyWrongSignature":         {400, "The request was rejected for high-frequency errors."},
	"RequestTimeout":                {400, "Your socket connection to the server was not read from or written to within the timeout period."},
	"AccessDenied":                  {403, "Access Denied"},
	"AccessForbidden":               {403, "Access Forbidden"},
	"AllAccessDisabled":             {403, "All access to this object has been disabled."},
	"InvalidAccessKeyId":            {403, "The access key ID you provided does not exist in our records."},
	"SignatureDoesNotMatch":         {403, "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
	"InvalidSecurity":               {403, "The provided security credentials are not valid."},
	"NotSignedUp":                   {403, "Your account is not signed up for the OBS service."},
	"Unauthorized":                  {403, "The account has not been authenticated in real name."},
	"DeregisterUserId":              {403, "The user has been deregistered."},
	"FrozenUserId":                  {403, "The user has been frozen."},
	"AccountProblem":                {403, "There is a problem with your account."},
	"InArrearOrInsufficientBalance": {403, "The subscriber owes fees or the account balance is insufficient."},
	"RequestPayerDenied":            {403, "The requester did not agree to pay."},
	"RequestTimeTooSkewed":          {403, "The difference between the request time and the current time is too large."},
	"VirtualHostDomainRequired":     {403, "Virtual host domain is required when accessing a specific bucket."},
	"NoSuchUpload":                  {404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."},
	"NoSuchBucket":                  {404, "The specified bucket does not exist"},
	"NoSuchKey":                     {404, "The specified key does not exist."},
	"NoSuchVersion":                 {404, "The specified version does not exist."},
	"NoSuchLifecycleConfiguration":  {404, "The lifecycle configuration does not exist."},
	"MethodNotAllowed":              {405, "The specified method is not allowed against this resource."},
	"FsNotSupport":                  {405, "POSIX buckets do not support this operation."},
	"OperationAborted":              {409, "A conflicting conditional operation is currently in progress against this resource. Try again."},
	"InvalidBucketState":            {409, "The request is not valid with the current state of the bucket."},
	"ServiceNotSupported":           {409, "The request is not supported by the server."},
	"BucketExpanding":               {409, "The bucket is being expanded. Please try again later."},
	"TooManyRequests":               {429, "Too many requests."},
	"InternalError":                 {500, "We encountered an internal error. Please try again."},
	"ServiceNotImplemented":         {501, "The request is not implemented by the server."},
	"NotImplemented":                {501, "A header you provided implies functionality that is not implemented."},
	"SlowDown":                      {503, "Please reduce your request rate."},
	"ServiceUnavailable":            {503, "The server is overloaded or has internal errors."},

	"BadDigest":               {400, "The Content-MD5 you specified did not match what we received."},
	"BucketAlreadyOwnedByYou": {409, "Your previous request to create the named bucket succeeded and you already own it."},
	"BucketNotEmpty":          {409, "The bucket you tried to delete is not empty."},
	"IncompleteBody":          {400, "You did not provide the number of bytes specified by the Content-Length HTTP header."},
	"InvalidPart":             {400, "One or more of the specified parts could not be found."},
	"InvalidPartOrder":        {400, "The list of parts was not in ascending order."},
	"MalformedXML":            {400, "The XML you provided was not well-formed or did not validate against our published schema."},
}

func (a *obsAPI) traits() *traits { return &a.constants }

// obsHost fits every operator's names, as far as they begin with obs.
var obsHost = regexp.MustCompile(`^(?:(.+)\.)?obs\.([a-z0-9-]+)\.(.+)$`)

// locate implements dialect. Huawei's own domain takes the bucket in the host only; other operators, and addresses, take
// path style too.
func (a *obsAPI) locate(host, path string) location {
	if at, ok := loopback(host, path); ok {
		return at
	}
	m := obsHost.FindStringSubmatch(host)
	if m == nil {
		return pathStyle(path)
	}
	if m[1] != "" {
		return virtualStyle(m[1], m[2], path)
	}
	at := pathStyle(path)
	at.region = m[2]
	if m[3] == "myhuaweicloud.com" && at.bucket != "" {
		at.refuse = "VirtualHostDomainRequired"
	}
	return at
}

// verify implements dialect.
func (a *obsAPI) verify(c *call, who account, now time.Time) *refusal {
	if c.bucket != nil && c.at.region != "" && c.at.region != c.bucket.region {
		return deny("PermanentRedirect")
	}
	scheme, _, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	switch scheme {
	case "AWS":
		return c.verifyV2("AWS", "x-amz-", who, now)
	case "OBS":
		return c.verifyV2("OBS", "x-obs-", who, now)
	case "AWS4-HMAC-SHA256":
		return c.verifyV4(who, now, v4Rules{
			malformed: "AccessDenied", noHash: "InvalidRequest", badDate: "AccessDenied", badToken: "InvalidSecurity",
			region:  func(v4Claim) *refusal { return nil }, // samples leave a placeholder there
			payload: obsPayload,
		})
	}
	return deny("AccessDenied")
}

// obsPayload checks the payload hash as the FAQ words it (obs_faq_0274): the body's own hash is taken of real uploads
// only, so the hash of nothing never is.
func obsPayload(c *call, hash string) *refusal {
	switch {
	case hash == "UNSIGNED-PAYLOAD", hash == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" && c.uploads():
		return nil
	case c.uploads() && isHexSHA256(hash) && c.r.ContentLength != 0:
		c.payloadHash = strings.ToLower(hash)
		return nil
	case len(c.body) > 0 && strings.EqualFold(hash, hexSHA256(c.body)):
		return nil
	}
	return deny("XAmzContentSHA256Mismatch")
}

// verifyV2 verifies "SCHEME ak:signature", the same algorithm under both names ("User Signature Authentication").
func (c *call) verifyV2(scheme, family string, who account, now time.Time) *refusal {
	rest := strings.TrimPrefix(c.r.Header.Get("Authorization"), scheme+" ")
	ak, signature, ok := strings.Cut(rest, ":")
	if !ok || ak == "" || signature == "" {
		return deny("AccessDenied")
	}
	if ak != who.id {
		return deny("InvalidAccessKeyId")
	}
	date := c.r.Header.Get(family + "date")
	if date == "" {
		date = c.r.Header.Get("Date")
	}
	stamp, ok := obsDate(date)
	if !ok {
		return denyBecause("AccessDenied", "Authentication requires a valid Date or "+family+"date header")
	}
	if skewed(stamp, now) {
		return deny("RequestTimeTooSkewed")
	}
	signed := c.stringToSignV2(family)
	if want := base64SHA1(who.secret, signed); !sameString(want, signature) {
		return badSignature(signature, signed, "")
	}
	if token := c.r.Header.Get(family + "security-token"); token != "" && !sameString(token, who.token) {
		return deny("InvalidSecurity")
	}
	return nil
}

// obsDate reads the dates that the documents show: those of HTTP, and ISO 8601 in its short form.
func obsDate(s string) (time.Time, bool) {
	if t, err := http.ParseTime(s); err == nil {
		return t, true
	}
	if t, err := time.Parse(time.RFC1123Z, s); err == nil {
		return t, true
	}
	t, err := time.Parse(basicISO, s)
	return t, err == nil
}

// stringToSignV2 writes what is signed. The date gives way to an empty line if the family has its own header for it.
func (c *call) stringToSignV2(family string) string {
	h := c.r.Header
	date := h.Get("Date")
	if h.Get(family+"date") != "" {
		date = ""
	}
	return c.r.Method + "\n" + h.Get("Content-Md5") + "\n" + h.Get("Content-Type") + "\n" + date + "\n" +
		canonicalHeaders(c.r, headersWith(c.r, family)) + c.resourceV2()
}

// subresourcesV2 are the query parameters that are part of the signed resource. The many others are not.
var subresourcesV2 = []string{
	"CDNNotifyConfiguration", "acl", "append", "attname", "backtosource", "cors", "customdomain", "delete", "deletebucket",
	"directcoldaccess", "encryption", "inventory", "length", "lifecycle", "location", "logging", "metadata",
	"mirrorBackToSource", "modify", "name", "notification", "obscompresspolicy", "orchestration", "partNumber", "policy",
	"position", "quota", "rename", "replication", "requestPayment", "response-cache-control", "response-content-disposition",
	"response-content-encoding", "response-content-language", "response-content-type", "response-expires", "restore",
	"storageClass", "storagePolicy", "storageinfo", "tagging", "torrent", "truncate", "uploadId", "uploads", "versionId",
	"versioning", "versions", "website", "x-image-process", "x-image-save-bucket", "x-image-save-object",
	"x-obs-security-token", "x-amz-security-token", "object-lock", "retention",
}

// resourceV2 writes the signed resource: the path as it was sent, but the values of sub-resources decoded.
func (c *call) resourceV2() string {
	path := c.path
	if c.at.virtual {
		path = "/" + c.at.bucket + path
	}
	if subs := c.query.only(subresourcesV2); len(subs) > 0 {
		return path + "?" + subs.join(true)
	}
	return path
}

// native reports whether a request speaks OBS's own half of the API rather than the S3-style one.
func (a *obsAPI) native(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "OBS ")
}

// stamp implements dialect: the names of the headers follow the request's half of the API.
func (a *obsAPI) stamp(h http.Header, r *http.Request, requestID string) {
	h.Set("Server", "OBS")
	if a.native(r) {
		h.Set("X-Obs-Request-Id", requestID)
		h.Set("X-Obs-Id-2", hostID(requestID))
		return
	}
	h.Set("X-Amz-Request-Id", requestID)
	h.Set("X-Amz-Id-2", hostID(requestID))
	h.Set("X-Reserved", "amazon, aws and amazon web services are trademarks or registered trademarks of Amazon Technologies, Inc")
}

// greet implements dialect.
func (a *obsAPI) greet(h http.Header, c *call) {
	switch {
	case c.target.Op != OpHeadBucket || c.bucket == nil:
	case a.native(c.r):
		h.Set("X-Obs-Bucket-Location", c.bucket.region)
	default:
		h.Set("X-Amz-Bucket-Region", c.bucket.region)
	}
}

// explain implements dialect.
func (a *obsAPI) explain(c *call, no *refusal) {
	if no.code == "PermanentRedirect" && c.bucket != nil {
		no.fields = append(no.fields, [2]string{"Endpoint", "obs." + c.bucket.region + ".myhuaweicloud.com"})
	}
	no.fields = append(no.fields, [2]string{"Resource", c.resource()}, [2]string{"RequestId", c.id}, [2]string{"HostId", hostID(c.id)})
}

// newUploadID implements dialect: 32 hexadecimal digits.
func (a *obsAPI) newUploadID(initiated time.Time) string {
	return fmt.Sprintf("%012X%X", uint64(initiated.UnixMilli())&(1<<48-1), randomBytes(16)[:10])
}

// listBuckets implements dialect. Locations are told only when a header asks for them.
func (a *obsAPI) listBuckets(c *call, all []*bucket) (*document, *refusal) {
	located := c.r.Header.Get("X-Amz-Location") == "true" || c.r.Header.Get("X-Obs-Location") == "true"
	d := newDocument("")
	d.root("ListAllMyBucketsResult", a.constants.namespace)
	d.open("Owner")
	d.text("ID", obsOwner)
	d.close("Owner")
	d.open("Buckets")
	for _, b := range all {
		d.open("Bucket")
		d.text("Name", b.name)
		d.text("CreationDate", a.constants.date(b.created))
		if located {
			d.text("Location", b.region)
		}
		d.close("Bucket")
	}
	d.close("Buckets")
	d.close("ListAllMyBucketsResult")
	return d, nil
}

// asksVersion reports whether a call asks which half of the API it may speak. Huawei's own SDKs do so, unsigned, before
// they speak OBS's own; of the service or a bucket, never of a key.
func (c *call) asksVersion() bool {
	return c.r.Method == http.MethodHead && c.at.key == "" && c.query.has("apiversion")
}

// tellVersion answers that it is OBS's own. There is no body to put an error into.
func (o *objectStore) tellVersion(w http.ResponseWriter, c *call) {
	if c.at.bucket != "" && c.bucket == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("X-Obs-Api", "3.0")
	w.WriteHeader(http.StatusOK)
}
