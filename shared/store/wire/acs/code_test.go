package acs

import (
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
)

func TestGateway(t *testing.T) {
	kinds := map[mpu.Kind][]string{
		mpu.Transient: {
			"InternalError", "ServiceUnavailable", "ServiceUnAvailable", "SERVICEUNAVAILABLE",
			"Throttling", "Throttling.User", "Throttling.Api", "Throttling.AnythingElse", "throttling.user",
			"InvalidTimeStamp.Expired", "InvalidTimeStamp.Format", "SignatureNonceUsed",
		},
		mpu.Denied: {
			"SignatureDoesNotMatch", "InvalidAccessKeyId.NotFound", "InvalidAccessKeyId.Inactive",
			"InvalidSecurityToken.Expired", "InvalidSecurityToken.Malformed", "Forbidden.RAM", "NoPermission",
		},
		mpu.Invalid: {
			"IncompleteSignature", "InvalidSignatureMethod", "InvalidSignatureVersion", "InvalidParameter.Format",
			"InvalidAction", "InvalidVersion", "MissingAction", "MissingMediaId", "UnsupportedHTTPMethod",
			"InvalidApi.NotFound", "InvalidProduct.NotFound", "InvalidProtocol.NeedSsl", "InvalidMediaId",
		},
		0: {"", "Throttled", "InvalidColour", "InvalidAnything.NotFound", "NoSuchUpload", "Forbidden"},
	}
	tested := map[string]bool{}
	for kind, codes := range kinds {
		for _, code := range codes {
			t.Run(code, func(t *testing.T) {
				if got := meaning(nil, code, map[string]string{"MediaId": "x"}); got.Kind != kind {
					t.Errorf("kind %v, want %v", got.Kind, kind)
				}
			})
			for entry := range gateway {
				if _, ok := (Codes{entry: {}}).lookup(code); ok {
					tested[entry] = true
				}
			}
		}
	}
	for entry := range gateway {
		if !tested[entry] {
			t.Errorf("entry %q is not tested", entry)
		}
	}
}

func TestMeaning(t *testing.T) {
	own := Codes{
		"Throttling.User":    {Kind: mpu.Denied},
		"InvalidParameter":   {Kind: mpu.Invalid},
		"InvalidParameter.*": {Kind: mpu.Missing},
		"Invalid*":           {Kind: mpu.Gone},
	}
	for code, want := range map[string]mpu.Kind{
		"Throttling.User":           mpu.Denied,    // the service's own table comes first
		"Throttling.Api":            mpu.Transient, // and the gateway's after it
		"InvalidParameter":          mpu.Invalid,   // a whole code wins over an open one
		"InvalidParameter.OfAnyUse": mpu.Missing,   // and a longer over a shorter
		"InvalidOtherwise":          mpu.Gone,
	} {
		t.Run(code, func(t *testing.T) {
			if got := meaning(own, code, nil); got.Kind != want {
				t.Errorf("kind %v, want %v", got.Kind, want)
			}
		})
	}
}
