package acs

import (
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A Meaning is what an error code means to the program, and what it tells the operator to do.
type Meaning struct {
	Kind mpu.Kind
	Hint string
}

// Codes is a table from error codes to their meanings. Case makes no difference: the same code is spelt
// ServiceUnavailable by the gateway and ServiceUnAvailable by VOD. An entry that ends in an asterisk stands for every
// code that begins with what precedes it; a whole code wins over such an entry, and a longer one over a shorter.
type Codes map[string]Meaning

// gateway holds the codes of what stands in front of every RPC service ("Common error codes" of the vendor's API
// overview). A service's own table comes before it.
var gateway = Codes{
	"InternalError":      {Kind: mpu.Transient},
	"ServiceUnavailable": {Kind: mpu.Transient},
	"Throttling":         {Kind: mpu.Transient},
	"Throttling.*":       {Kind: mpu.Transient},

	// A new request has a new date and a new nonce, so these two are worth another try.
	"InvalidTimeStamp.*": {mpu.Transient, "the clock of this machine may be more than 15 minutes off"},
	"SignatureNonceUsed": {Kind: mpu.Transient},

	"SignatureDoesNotMatch":       {mpu.Denied, "check the access key's secret"},
	"InvalidAccessKeyId.NotFound": {mpu.Denied, "check the access key ID"},
	"InvalidAccessKeyId.Inactive": {mpu.Denied, "the access key is disabled"},
	"InvalidSecurityToken.*":      {mpu.Denied, "the security token has expired or is malformed: fetch the credentials again"},
	"Forbidden.RAM":               {Kind: mpu.Denied},
	"NoPermission":                {Kind: mpu.Denied},

	"IncompleteSignature":     {Kind: mpu.Invalid},
	"InvalidSignatureMethod":  {Kind: mpu.Invalid},
	"InvalidSignatureVersion": {Kind: mpu.Invalid},
	"InvalidParameter.Format": {Kind: mpu.Invalid},
	"InvalidAction":           {Kind: mpu.Invalid},
	"InvalidVersion":          {Kind: mpu.Invalid},
	"Missing*":                {Kind: mpu.Invalid},
	"UnsupportedHTTPMethod":   {Kind: mpu.Invalid},
	"InvalidApi.NotFound":     {mpu.Invalid, "this endpoint does not have the operation: check region and endpoint"},
	"InvalidProduct.NotFound": {mpu.Invalid, "this endpoint does not have the service: check region and endpoint"},
	"InvalidProtocol.NeedSsl": {mpu.Invalid, "use an https endpoint"},
}

// lookup finds the meaning of a code.
func (c Codes) lookup(code string) (Meaning, bool) {
	code = strings.ToLower(code)
	var best Meaning
	found := -1
	for entry, m := range c {
		prefix, open := strings.CutSuffix(strings.ToLower(entry), "*")
		switch {
		case !open && prefix == code:
			return m, true
		case open && strings.HasPrefix(code, prefix) && len(prefix) > found:
			best, found = m, len(prefix)
		}
	}
	return best, found >= 0
}

// meaning finds the meaning of a code in a service's own table, then in the gateway's. The gateway also refuses a
// parameter by its name, as Invalid{Parameter}; only names that the request did hold are known here.
func meaning(own Codes, code string, params map[string]string) Meaning {
	if m, ok := own.lookup(code); ok {
		return m
	}
	if m, ok := gateway.lookup(code); ok {
		return m
	}
	for name := range params {
		if strings.EqualFold(code, "Invalid"+name) {
			return Meaning{Kind: mpu.Invalid}
		}
	}
	return Meaning{}
}
