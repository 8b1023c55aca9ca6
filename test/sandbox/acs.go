package sandbox

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// DefaultRegion is the region of a VOD or MPS request whose Host names none, such as an IP address.
const DefaultRegion = "cn-shanghai"

const (
	acsAlgorithm  = "ACS3-HMAC-SHA256"
	acsTimeFormat = "2006-01-02T15:04:05Z"
	acsMaxSkew    = 15 * time.Minute
	acsMaxBody    = 1 << 20 // RPC calls carry parameters, never a file
	// acsScriptedWait is what a scripted throttle promises as TimeLeft: short, so that a client that obeys stays quick.
	acsScriptedWait = 100 * time.Millisecond
)

// acsService is what the two RPC services of Alibaba Cloud share: the gateway in front of them. It reads parameters,
// verifies both signatures ("V3 request body and signature" and "RPC mechanism V1" of the SDK product overview), knows
// the error table, and renders answers.
type acsService struct {
	product  string // the first label of the host name
	version  string // the one API version
	actions  map[string]acsAction
	errors   map[string]acsError
	verifier acsVerifier
	limiter  acsLimiter
}

// An acsAction is one operation.
type acsAction struct {
	op    string // an Op constant
	key   string // the parameter that says which media it acts on
	limit int    // documented calls per second and account
	run   func(*acsCall) (any, error)
}

// An acsCall is one request, parsed and not yet trusted.
type acsCall struct {
	request         *http.Request
	requestID       string
	action, version string
	region          string
	v3              bool
	query, form     url.Values
	body            []byte
	malformed       bool // query or form could not be parsed
}

// param returns a parameter of the query or, if it is not there, of the form.
func (c *acsCall) param(name string) string {
	if c.query.Has(name) {
		return c.query.Get(name)
	}
	return c.form.Get(name)
}

// xml says how to answer: V3 is always JSON, V1 is XML unless Format says JSON.
func (c *acsCall) xml() bool {
	return !c.v3 && !strings.EqualFold(c.param("Format"), "JSON")
}

// acsFailure is an error of the table, with a message of its own where the table's does not do.
type acsFailure struct {
	code, message string
	wait          time.Duration // for throttles: when to come back
}

func (f *acsFailure) Error() string { return f.code + ": " + f.message }

func acsRefuse(code string) error { return &acsFailure{code: code} }

func acsRefusef(code, format string, args ...any) error {
	return &acsFailure{code: code, message: fmt.Sprintf(format, args...)}
}

// acsInvalid is how both services refuse the value of a parameter.
func acsInvalid(name string) error {
	return acsRefusef("InvalidParameter", "The specified parameter %s is not valid.", name)
}

// target implements api. A V1 client may send everything, the action too, as a form; the body is then read, within
// bounds, and put back as it was.
func (a *acsService) target(r *http.Request) Target {
	c := a.parse(r)
	t := Target{Op: OpOther, Bucket: c.region}
	if action, ok := a.actions[c.action]; ok {
		t.Op, t.Key = action.op, c.param(action.key)
	}
	return t
}

// serve implements api.
func (a *acsService) serve(w http.ResponseWriter, r *http.Request, _ Target, requestID string) {
	c := a.parse(r)
	c.requestID = requestID
	answer, err := a.answer(c)
	if err == nil {
		writeACS(w, http.StatusOK, c.xml(), c.action+"Response", answer)
		return
	}
	failure := &acsFailure{code: "InternalError", message: err.Error()}
	errors.As(err, &failure)
	a.refuse(w, failure, c.region, requestID, c.xml())
}

// fail implements api.
func (a *acsService) fail(w http.ResponseWriter, t Target, code, requestID string) {
	asXML := false
	if r := requestOf(w); r != nil {
		asXML = a.parse(r).xml()
	}
	a.refuse(w, &acsFailure{code: code, wait: acsScriptedWait}, t.Bucket, requestID, asXML)
}

// codes lists every code that fail accepts, sorted.
func (a *acsService) codes() []string { return slices.Sorted(maps.Keys(a.errors)) }

// status is the HTTP status of a code. It panics on a code that is not in codes.
func (a *acsService) status(code string) int { return a.entry(code).status }

func (a *acsService) entry(code string) acsError {
	e, ok := a.errors[code]
	if !ok {
		panic(fmt.Sprintf("sandbox: %s has no error code %q", a.product, code))
	}
	return e
}

// answer takes a call through the steps of the gateway, then to its operation.
func (a *acsService) answer(c *acsCall) (any, error) {
	action, err := a.route(c)
	if err != nil {
		return nil, err
	}
	if c.v3 {
		err = a.verifier.verifyV3(c)
	} else {
		err = a.verifier.verifyV1(c)
	}
	if err != nil {
		return nil, err
	}
	if wait := a.limiter.admit(c.action, action.limit, time.Now()); wait > 0 {
		return nil, &acsFailure{code: "Throttling.User", wait: wait}
	}
	return action.run(c)
}

// route finds the operation. An action is looked up before the signature is, so that a mistyped one is told apart from
// a wrong key.
func (a *acsService) route(c *acsCall) (acsAction, error) {
	var none acsAction
	action, known := a.actions[c.action]
	switch {
	case c.request.Method != http.MethodGet && c.request.Method != http.MethodPost:
		return none, acsRefuse("UnsupportedHTTPMethod")
	case c.malformed:
		return none, acsRefuse("InvalidParameter.Format")
	case c.action == "":
		return none, acsRefuse("MissingAction")
	case c.version == "":
		return none, acsRefuse("MissingVersion")
	case c.version != a.version:
		return none, acsRefuse("InvalidVersion")
	case !known || c.request.URL.Path != "/":
		return none, acsRefuse("InvalidApi.NotFound")
	}
	if f := c.param("Format"); !c.v3 && f != "" && !strings.EqualFold(f, "JSON") && !strings.EqualFold(f, "XML") {
		return none, acsRefuse("InvalidParameter.Format")
	}
	return action, nil
}

// parse reads a request without judging it, and leaves its body readable.
func (a *acsService) parse(r *http.Request) *acsCall {
	c := &acsCall{request: r, region: a.regionOf(r.Host), body: acsBody(r)}
	var err error
	if c.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		c.malformed = true
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		if c.form, err = url.ParseQuery(string(c.body)); err != nil {
			c.malformed = true
		}
	}
	c.action, c.version = r.Header.Get("x-acs-action"), r.Header.Get("x-acs-version")
	// Clients of V1 may name the action in the headers too; what makes a call V3 is how it is signed.
	c.v3 = strings.HasPrefix(r.Header.Get("Authorization"), "ACS3-") || c.action != "" && c.param("Signature") == ""
	if !c.v3 {
		c.action, c.version = c.param("Action"), c.param("Version")
	}
	return c
}

// regionOf takes the region from a host such as vod.cn-beijing.aliyuncs.com.
func (a *acsService) regionOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	rest, isProduct := strings.CutPrefix(strings.ToLower(host), a.product+".")
	region, isCloud := strings.CutSuffix(rest, ".aliyuncs.com")
	if !isProduct || !isCloud || strings.Contains(region, ".") {
		return DefaultRegion
	}
	return region
}

// acsBody returns the body, up to acsMaxBody, and puts it back. What is longer than that comes back cut, and so fails
// its signature.
func acsBody(r *http.Request) []byte {
	if r.Body == nil {
		return nil
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, acsMaxBody)) // a body that breaks off fails its signature
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// acsVerifier checks signatures for one account.
type acsVerifier struct {
	account func() account
	now     func() time.Time
	nonces  acsNonces
}

// acsClaims are what both signatures state beside the signature.
type acsClaims struct{ keyID, token, date, nonce string }

// verifyV3 checks ACS3-HMAC-SHA256.
func (v *acsVerifier) verifyV3(c *acsCall) error {
	h := c.request.Header
	auth, err := parseACSAuthorization(h.Get("Authorization"))
	if err != nil {
		return err
	}
	says := acsClaims{auth.keyID, h.Get("x-acs-security-token"), h.Get("x-acs-date"), h.Get("x-acs-signature-nonce")}
	who := v.account()
	if err := v.check(who, says); err != nil {
		return err
	}
	if !coversAllV3(auth.signedHeaders, c) {
		return acsRefuse("IncompleteSignature")
	}
	canonical := canonicalV3(c, auth.signedHeaders)
	toSign := acsAlgorithm + "\n" + acsSum([]byte(canonical))
	mac := hmac.New(sha256.New, []byte(who.secret))
	mac.Write([]byte(toSign))
	bodyAsClaimed := acsSame(h.Get("x-acs-content-sha256"), acsSum(c.body))
	if !acsSame(auth.signature, hex.EncodeToString(mac.Sum(nil))) || !bodyAsClaimed {
		return acsRefusef("SignatureDoesNotMatch", "Specified signature does not match our calculation. "+
			"server StringToSign is [%s] server CanonicalRequest is [%s]", toSign, canonical)
	}
	return v.spend(says.nonce)
}

// verifyV1 checks the HMAC-SHA1 signature of RPC calls.
func (v *acsVerifier) verifyV1(c *acsCall) error {
	for _, name := range []string{"AccessKeyId", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"} {
		if c.param(name) == "" {
			return acsRefuse("Missing" + name)
		}
	}
	switch {
	case c.param("Signature") == "":
		return acsRefuse("IncompleteSignature")
	case c.param("SignatureMethod") != "HMAC-SHA1":
		return acsRefuse("InvalidSignatureMethod")
	case c.param("SignatureVersion") != "1.0":
		return acsRefuse("InvalidSignatureVersion")
	}
	says := acsClaims{c.param("AccessKeyId"), c.param("SecurityToken"), c.param("Timestamp"), c.param("SignatureNonce")}
	who := v.account()
	if err := v.check(who, says); err != nil {
		return err
	}
	toSign := stringToSignV1(c)
	mac := hmac.New(sha1.New, []byte(who.secret+"&"))
	mac.Write([]byte(toSign))
	if !acsSame(c.param("Signature"), base64.StdEncoding.EncodeToString(mac.Sum(nil))) {
		// The real message quotes the string to sign too, security token and all: a client must not log it blindly.
		return acsRefusef("SignatureDoesNotMatch", "Specified signature is not matched with our calculation. "+
			"server string to sign is:%s", toSign)
	}
	return v.spend(says.nonce)
}

// check judges everything that needs no signature.
func (v *acsVerifier) check(who account, says acsClaims) error {
	if says.date == "" {
		return acsRefuse("MissingTimestamp")
	}
	if says.nonce == "" {
		return acsRefuse("MissingSignatureNonce")
	}
	at, err := time.Parse(acsTimeFormat, says.date)
	if err != nil {
		return acsRefuse("InvalidTimeStamp.Format")
	}
	if v.now().Sub(at).Abs() > acsMaxSkew {
		return acsRefuse("InvalidTimeStamp.Expired")
	}
	if !acsSame(says.keyID, who.id) {
		return acsRefuse("InvalidAccessKeyId.NotFound")
	}
	if says.token != "" && !acsSame(says.token, who.token) {
		return acsRefuse("InvalidSecurityToken.Expired")
	}
	return nil
}

// spend uses a nonce up. Only a request that is otherwise good may do so, or a stranger could spend another's.
func (v *acsVerifier) spend(nonce string) error {
	if v.nonces.seen(nonce) {
		return acsRefuse("SignatureNonceUsed")
	}
	return nil
}

type acsAuthorization struct {
	keyID, signature string
	signedHeaders    []string
}

// parseACSAuthorization reads `ACS3-HMAC-SHA256 Credential=..,SignedHeaders=..,Signature=..`; blanks may follow a comma.
func parseACSAuthorization(header string) (acsAuthorization, error) {
	var none acsAuthorization
	algorithm, rest, _ := strings.Cut(header, " ")
	if algorithm != acsAlgorithm && strings.HasPrefix(algorithm, "ACS3-") {
		return none, acsRefuse("InvalidSignatureMethod")
	}
	fields := map[string]string{}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(field), "=")
		if _, twice := fields[name]; !ok || twice {
			return none, acsRefuse("IncompleteSignature")
		}
		fields[name] = value
	}
	auth := acsAuthorization{
		keyID:         fields["Credential"],
		signature:     fields["Signature"],
		signedHeaders: strings.Split(fields["SignedHeaders"], ";"),
	}
	if algorithm != acsAlgorithm || auth.keyID == "" || auth.signature == "" || fields["SignedHeaders"] == "" {
		return none, acsRefuse("IncompleteSignature")
	}
	return auth, nil
}

// coversAllV3 says whether all that has to be signed is: Host, every x-acs- header, the content type of a body.
func coversAllV3(signed []string, c *acsCall) bool {
	if !slices.Contains(signed, "host") || c.request.Header.Get("x-acs-content-sha256") == "" {
		return false
	}
	for name := range c.request.Header {
		name = strings.ToLower(name)
		must := strings.HasPrefix(name, "x-acs-") || name == "content-type" && len(c.body) > 0
		if must && !slices.Contains(signed, name) {
			return false
		}
	}
	return true
}

// canonicalV3 rebuilds what was signed. The query is encoded afresh: some clients put a space on the wire as + yet sign
// %20.
func canonicalV3(c *acsCall, signed []string) string {
	signed = slices.Sorted(slices.Values(signed))
	var headers strings.Builder
	for _, name := range signed {
		values := append([]string(nil), c.request.Header.Values(name)...)
		if name == "host" {
			values = []string{c.request.Host}
		}
		for i := range values {
			values[i] = strings.TrimSpace(values[i])
		}
		sort.Strings(values)
		headers.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	return strings.Join([]string{
		c.request.Method, c.request.URL.EscapedPath(), acsEncode(c.query),
		headers.String(), strings.Join(signed, ";"), acsSum(c.body),
	}, "\n")
}

// stringToSignV1 covers every parameter, wherever it came from, but the signature itself.
func stringToSignV1(c *acsCall) string {
	all := url.Values{}
	for _, from := range []url.Values{c.query, c.form} {
		for name, values := range from {
			if name != "Signature" {
				all[name] = append(all[name], values...)
			}
		}
	}
	return c.request.Method + "&%2F&" + acsRFC3986.Replace(url.QueryEscape(acsEncode(all)))
}

// acsRFC3986 turns Go's form encoding into the vendor's: %20 for a space, %2A for an asterisk.
var acsRFC3986 = strings.NewReplacer("+", "%20", "*", "%2A")

func acsEncode(v url.Values) string { return acsRFC3986.Replace(v.Encode()) }

func acsSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func acsSame(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// acsNonceGeneration bounds the memory for nonces: at least this many of the latest are remembered, at most twice as many.
const acsNonceGeneration = 1 << 16

// acsNonces remembers nonces in two generations and forgets the older one when the younger is full. Sums are kept, so
// that a long nonce costs no more than a short one.
type acsNonces struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]struct{}
}

// seen reports whether a nonce was used before, and remembers it.
func (m *acsNonces) seen(nonce string) bool {
	sum := sha256.Sum256([]byte(nonce))
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.young[sum]; ok {
		return true
	}
	if _, ok := m.old[sum]; ok {
		return true
	}
	if m.young == nil || len(m.young) >= acsNonceGeneration {
		m.old, m.young = m.young, map[[sha256.Size]byte]struct{}{}
	}
	m.young[sum] = struct{}{}
	return false
}

// acsLimiter enforces calls per second: in any second no action is let through more often than its limit. A refused call
// does not count.
type acsLimiter struct {
	mu    sync.Mutex
	on    bool
	calls map[string]*acsRing
}

// acsRing holds the times of the last calls that were let through; next is the oldest.
type acsRing struct {
	at   []time.Time
	next int
}

func (l *acsLimiter) enforce(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on, l.calls = on, map[string]*acsRing{}
}

// admit lets a call through, or says how long it has to wait.
func (l *acsLimiter) admit(action string, limit int, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on || limit <= 0 {
		return 0
	}
	ring := l.calls[action]
	if ring == nil {
		ring = &acsRing{at: make([]time.Time, limit)}
		l.calls[action] = ring
	}
	if left := time.Second - now.Sub(ring.at[ring.next]); left > 0 {
		return left
	}
	ring.at[ring.next] = now
	ring.next = (ring.next + 1) % limit
	return 0
}

// EnforceLimits turns the documented limits on or off, each per account: 10 calls a second of VOD DeleteMultipartUpload,
// 100 of MPS DeleteMedia, and those of the other operations ("QPS limits on API operations"). They are off at first.
func (s *Sandbox) EnforceLimits(on bool) {
	s.vod.limiter.enforce(on)
	s.mps.limiter.enforce(on)
}

// acsHead begins every answer. The fields of all answers bear the names that they have on the wire, in both formats.
type acsHead struct{ RequestId string }

// acsErrorBody is the envelope of errors.
type acsErrorBody struct {
	RequestId, HostId, Code, Message, Recommend string
	AccessDeniedDetail                          *acsDenied `json:",omitempty" xml:",omitempty"`
}

// acsDenied is what refusals by the access control service add.
type acsDenied struct{ PolicyType, AuthPrincipalType string }

// refuse answers with the error envelope.
func (a *acsService) refuse(w http.ResponseWriter, f *acsFailure, region, requestID string, asXML bool) {
	e := a.entry(f.code)
	body := acsErrorBody{
		RequestId: requestID,
		HostId:    a.product + "." + region + ".aliyuncs.com",
		Code:      f.code,
		Message:   f.message,
		Recommend: "https://api.aliyun.com/troubleshoot?q=" + f.code + "&product=" + a.product,
	}
	if body.Message == "" {
		body.Message = e.message
	}
	if f.code == "Forbidden.RAM" || f.code == "NoPermission" {
		body.AccessDeniedDetail = &acsDenied{PolicyType: "AccountLevelIdentityBasedPolicy", AuthPrincipalType: "AssumedRoleUser"}
	}
	if f.code == "Throttling" || strings.HasPrefix(f.code, "Throttling.") {
		hint := fmt.Sprintf("Remain:0,TimeLeft:%d", f.wait.Milliseconds()+1)
		w.Header().Set("x-ratelimit-user-api", hint)
		w.Header().Set("x-ratelimit-user", hint)
	}
	w.Header().Set(codeHeader, f.code)
	writeACS(w, e.status, asXML, "Error", body)
}

// writeACS renders an answer; root is the name of its XML element.
func writeACS(w http.ResponseWriter, status int, asXML bool, root string, answer any) {
	var b bytes.Buffer
	var err error
	if asXML {
		w.Header().Set("Content-Type", "text/xml;charset=utf-8")
		b.WriteString("<?xml version='1.0' encoding='UTF-8'?>")
		err = xml.NewEncoder(&b).EncodeElement(answer, xml.StartElement{Name: xml.Name{Local: root}})
	} else {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(answer)
	}
	if err != nil {
		panic(fmt.Sprintf("sandbox: cannot render %T: %v", answer, err))
	}
	w.WriteHeader(status)
	w.Write(bytes.TrimSpace(b.Bytes()))
}

// acsIDs takes a comma list apart, in order and without repeats and blanks.
func acsIDs(list string) []string {
	var ids []string
	known := map[string]bool{}
	for id := range strings.SplitSeq(list, ",") {
		if id = strings.TrimSpace(id); id != "" && !known[id] {
			ids, known[id] = append(ids, id), true
		}
	}
	return ids
}

// acsTime renders a time as answers carry it; the zero time is the empty string.
func acsTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(acsTimeFormat)
}

// acsError is one line of an error table.
type acsError struct {
	status  int
	message string
}

// gatewayErrors are those that the gateway in front of every RPC service may answer with. Statuses are documented but
// where a comment says otherwise.
var gatewayErrors = map[string]acsError{
	"InternalError":      {500, "The request processing has failed due to some unknown error."},
	"ServiceUnavailable": {503, "The request has failed due to a temporary failure of the server."},
	"ServiceUnAvailable": {503, "The request has failed due to a temporary failure of the server."}, // VOD spells it so

	"Throttling":      {400, "Request was denied due to request throttling."},
	"Throttling.User": {400, "Request was denied due to user flow control."},
	"Throttling.Api":  {400, "Request was denied due to api flow control."},

	"InvalidTimeStamp.Expired":    {400, "Specified time stamp or date value is expired."},
	"InvalidTimeStamp.Format":     {400, "Specified time stamp or date value is not well formatted."},
	"SignatureNonceUsed":          {400, "Specified signature nonce was used already."},
	"SignatureDoesNotMatch":       {400, "Specified signature is not matched with our calculation."},
	"IncompleteSignature":         {400, "The request signature does not conform to Aliyun standards."},
	"InvalidSignatureMethod":      {400, "Specified signature method is not valid."},
	"InvalidSignatureVersion":     {400, "Specified signature version is not valid."},
	"InvalidAccessKeyId.NotFound": {404, "Specified access key is not found."},
	"InvalidAccessKeyId.Inactive": {400, "Specified access key is disabled."},

	// Neither the spelling of these three nor their status is documented for the two services.
	"InvalidSecurityToken.Expired":               {400, "Specified SecurityToken is expired."},
	"InvalidSecurityToken.Malformed":             {400, "Specified SecurityToken is malformed."},
	"InvalidSecurityToken.MismatchWithAccessKey": {400, "Specified SecurityToken mismatch with the AccessKey."},

	"InvalidParameter.Format": {400, "Specified parameter format is not valid."},
	"InvalidVersion":          {400, "Specified parameter Version is not valid."},
	"MissingAction":           {400, "Action is mandatory for this action."},
	"MissingVersion":          {400, "Version is mandatory for this action."},
	"MissingAccessKeyId":      {400, "AccessKeyId is mandatory for this action."},
	"MissingSignatureMethod":  {400, "SignatureMethod is mandatory for this action."},
	"MissingSignatureVersion": {400, "SignatureVersion is mandatory for this action."},
	"MissingSignatureNonce":   {400, "SignatureNonce is mandatory for this action."},
	"MissingTimestamp":        {400, "Timestamp is mandatory for this action."},
	"UnsupportedHTTPMethod":   {400, "This http method is not supported."},

	"Forbidden.RAM":           {403, "User not authorized to operate on the specified resource, or this API doesn't support RAM."},
	"NoPermission":            {403, "You are not authorized to do this action."},
	"InvalidApi.NotFound":     {404, "Specified api is not found, please check your url and method."},
	"InvalidProduct.NotFound": {404, "Cannot find product according to your specified domain."},
	"InvalidProtocol.NeedSsl": {404, "Your request is denied as lack of ssl protect."},
}

// newACS makes the gateway of a service; own are the service's own errors, and who returns the account of the moment.
func newACS(product, version string, own map[string]acsError, who func() account) *acsService {
	a := &acsService{product: product, version: version, errors: maps.Clone(gatewayErrors)}
	maps.Copy(a.errors, own)
	a.verifier.account, a.verifier.now = who, time.Now
	return a
}
