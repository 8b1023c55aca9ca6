package trigger

// A function URL, and an HTTP API with payload format 2.0, call a Lambda function with this (AWS Lambda Developer Guide,
// "Invoking Lambda function URLs"):
//
//	{"version":"2.0","rawPath":"/sweep","headers":{"content-type":"application/json"},"body":"…","isBase64Encoded":false,
//	 "requestContext":{"http":{"method":"POST","path":"/sweep",…},"authorizer":{"iam":{"userArn":"…",…}},…}}
//
// The authorizer's iam is there if AWS itself has checked the caller's signature. A URL without authorization is open to
// everybody.
func isLambdaHTTP(o object) bool {
	_, _, ok := httpContext(o)
	return ok && o.is("version", "2.0")
}

func readLambdaHTTP(o object) (Event, error) {
	context, http, _ := httpContext(o)
	r := HTTPRequest{Platform: "lambda"}
	if err := r.methodAndPath(http, "method", o, "rawPath"); err != nil {
		return Event{}, err
	}
	if authorizer, err := context.object("authorizer"); err == nil {
		iam, err := authorizer.object("iam")
		r.IAM = err == nil && len(iam.names) > 0
	}
	return readHTTP(o, r)
}
