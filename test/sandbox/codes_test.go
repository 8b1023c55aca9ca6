package sandbox

import (
	"encoding/xml"
	"net/http"
	"slices"
	"testing"
)

// documented is what the vendors' error pages list, by status.
var documented = map[Service]map[int][]string{
	S3: {
		301: {"PermanentRedirect"},
		400: {"AuthorizationHeaderMalformed", "RequestTimeout", "ExpiredToken", "InvalidArgument"},
		403: {"AccessDenied", "RequestTimeTooSkewed"},
		404: {"NoSuchUpload", "NoSuchBucket"},
		405: {"MethodNotAllowed"},
		412: {"PreconditionFailed"},
		500: {"InternalError"},
		503: {"SlowDown", "ServiceUnavailable"},
	},
	COS: {
		400: {"InvalidArgument", "InvalidURI", "InvalidBucketName", "InvalidRequest", "MalformedXML", "KeyTooLong",
			"InvalidUploadStatus", "ListPartUploadIdIsEmpty", "BucketAccelerateNotEnabled", "ActionAccelerateNotSupported",
			"ExpiredToken", "RequestTimeout", "UserNetworkTooSlow"},
		402: {"PaymentRequired"},
		403: {"AccessDenied", "AccessForbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "PathStyleDomainForbidden",
			"InvalidObjectState", "RequestTimeTooSkewed", "Request has expired"},
		404: {"NoSuchUpload", "NoSuchBucket", "NoSuchKey", "NoSuchVersion", "NoSuchLifecycleConfiguration"},
		405: {"MethodNotAllowed", "UploadIdNotSupported"},
		409: {"InvalidBucketState", "BucketLocked", "ObjectLocked", "PathConflict", "UploadConflict"},
		411: {"MissingContentLength"},
		412: {"PreconditionFailed"},
		451: {"UnavailableForLegalReasons", "DomainAuditFailed"},
		500: {"InternalError"},
		501: {"NotImplemented"},
		503: {"SlowDown", "ServiceUnavailable", "KmsFreqControl"},
	},
	OBS: {
		301: {"PermanentRedirect"},
		307: {"TemporaryRedirect", "Redirect"},
		400: {"InvalidArgument", "InvalidRequest", "InvalidBucketName", "InvalidBucket", "InvalidURI", "KeyTooLongError",
			"BadDomainName", "MissingRegion", "XAmzContentSHA256Mismatch", "TooManyWrongSignature", "RequestTimeout"},
		403: {"AccessDenied", "AccessForbidden", "AllAccessDisabled", "InvalidAccessKeyId", "SignatureDoesNotMatch",
			"InvalidSecurity", "NotSignedUp", "Unauthorized", "DeregisterUserId", "FrozenUserId", "AccountProblem",
			"InArrearOrInsufficientBalance", "RequestPayerDenied", "RequestTimeTooSkewed", "VirtualHostDomainRequired"},
		404: {"NoSuchUpload", "NoSuchBucket", "NoSuchKey", "NoSuchVersion", "NoSuchLifecycleConfiguration"},
		405: {"MethodNotAllowed", "FsNotSupport"},
		409: {"OperationAborted", "InvalidBucketState", "ServiceNotSupported", "BucketExpanding"},
		429: {"TooManyRequests"},
		500: {"InternalError"},
		501: {"ServiceNotImplemented", "NotImplemented"},
		503: {"SlowDown", "ServiceUnavailable"},
	},
	OSS: {
		400: {"RequestTimeout", "BadRequest"},
		403: {"AccessDenied", "SignatureDoesNotMatch", "RequestTimeTooSkewed"},
		404: {"NoSuchUpload", "NoSuchBucket"},
		500: {"InternalError"},
		503: {"ServiceUnavailable"},
	},
}

func TestCodesAsDocumented(t *testing.T) {
	s := launch(t, Options{})
	for service, byStatus := range documented {
		have := s.Codes(service)
		if !slices.IsSorted(have) {
			t.Errorf("%s: not sorted", service)
		}
		for status, codes := range byStatus {
			for _, code := range codes {
				if !slices.Contains(have, code) {
					t.Errorf("%s has no %s", service, code)
				} else if got := s.Status(service, code); got != status {
					t.Errorf("%s %s has status %d, want %d", service, code, got, status)
				}
			}
		}
	}
	for _, service := range Services {
		for _, code := range s.Codes(service) {
			if status := s.Status(service, code); status < 300 || status > 599 || http.StatusText(status) == "" {
				t.Errorf("%s %s has status %d", service, code, status)
			}
		}
	}
}

// errorHeaders names the headers that carry the request's ids.
var errorHeaders = map[Service][]string{
	S3:  {"X-Amz-Request-Id", "X-Amz-Id-2"},
	COS: {"X-Cos-Request-Id", "X-Cos-Trace-Id"},
	OBS: {"X-Obs-Request-Id", "X-Obs-Id-2"},
	OSS: {"X-Oss-Request-Id", "X-Oss-Ec"},
}

// TestEveryCode scripts every code once for a GET and once for a HEAD.
func TestEveryCode(t *testing.T) {
	s := launch(t, Options{})
	for _, service := range objectStores {
		for _, code := range s.Codes(service) {
			remove := s.Script(Fault{Service: service, Code: code})
			checkError(t, s, service, code)
			head := raw{method: "HEAD", target: "/b-1"}.do(t, s, service)
			if head.status != s.Status(service, code) || head.body != "" {
				t.Errorf("%s %s: HEAD answers %d %q", service, code, head.status, head.body)
			}
			remove()
		}
	}
}

func checkError(t *testing.T, s *Sandbox, service Service, code string) {
	t.Helper()
	got := raw{method: "GET", target: "/b-1/k?uploadId=u"}.do(t, s, service)
	var e struct {
		XMLName                                                 xml.Name `xml:"Error"`
		Code, Message, RequestId, HostId, TraceId, Resource, EC string
	}
	if err := xml.Unmarshal([]byte(got.body), &e); err != nil {
		t.Fatalf("%s %s: %v in %s", service, code, err, got.body)
	}
	id := got.header.Get(errorHeaders[service][0])
	if got.status != s.Status(service, code) || e.Code != code || e.Message == "" || e.RequestId != id || id == "" {
		t.Errorf("%s %s: %d %+v, id %q", service, code, got.status, e, id)
	}
	if got.header.Get(errorHeaders[service][1]) == "" || got.header.Get("Content-Type") != "application/xml" {
		t.Errorf("%s %s: headers %v", service, code, got.header)
	}
	own := map[Service]string{S3: e.HostId, COS: e.TraceId, OBS: e.HostId, OSS: e.EC}
	if own[service] == "" || (service == COS || service == OBS) && e.Resource == "" {
		t.Errorf("%s %s: not the service's own envelope: %s", service, code, got.body)
	}
	all := s.Ledger()
	if last := all[len(all)-1]; last.Code != code || last.Status != got.status || last.RequestID != id || !last.Fault {
		t.Errorf("ledger: %+v", last)
	}
	if got.header.Get(codeHeader) != "" {
		t.Error("the ledger's header left the house")
	}
}

// TestOBSHeadersFollowTheScheme asks in both halves of the API.
func TestOBSHeadersFollowTheScheme(t *testing.T) {
	s := launch(t, Options{})
	for scheme, want := range map[string]string{"AWS": "X-Amz-Request-Id", "OBS": "X-Obs-Request-Id"} {
		got := raw{method: "GET", target: "/b-1?uploads", scheme: scheme}.do(t, s, OBS)
		if got.status != 200 || got.header.Get(want) == "" {
			t.Errorf("%s: %d %v", scheme, got.status, got.header)
		}
	}
}
