package trigger

// An HTTP trigger calls a function of Function Compute 3.0 with this (Function Compute, "HTTP trigger invocation"):
//
//	{"version":"v1","rawPath":"/sweep","headers":{"Content-Type":"application/json"},"body":"…","isBase64Encoded":false,
//	 "requestContext":{"http":{"method":"POST","path":"/sweep",…},…}}
//
// Nothing in it says whether the platform has authenticated the caller.
func isFCHTTP(o object) bool {
	_, _, ok := httpContext(o)
	return ok && o.is("version", "v1")
}

func readFCHTTP(o object) (Event, error) {
	_, http, _ := httpContext(o)
	r := HTTPRequest{Platform: "fc"}
	if err := r.methodAndPath(http, "method", o, "rawPath"); err != nil {
		return Event{}, err
	}
	return readHTTP(o, r)
}
