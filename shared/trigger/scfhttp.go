package trigger

// A function URL calls a function of Tencent SCF with this (Serverless Cloud Function, document 583/96099):
//
//	{"httpMethod":"POST","path":"/sweep","headers":{"content-type":"application/json"},"queryString":{},"body":"…"}
//
// The API Gateway that came before it added a requestContext with a serviceId. What an AWS API Gateway with payload format
// 1.0, or a load balancer, sends has another requestContext, and is not read: set the format to 2.0. Nothing in it says
// whether the platform has authenticated the caller.
func isSCFHTTP(o object) bool {
	if !o.has("httpMethod") || !o.has("path") || !o.has("headers") {
		return false
	}
	if !o.has("requestContext") {
		return true
	}
	context, err := o.object("requestContext")
	return err == nil && context.has("serviceId")
}

func readSCFHTTP(o object) (Event, error) {
	r := HTTPRequest{Platform: "scf"}
	if err := r.methodAndPath(o, "httpMethod", o, "path"); err != nil {
		return Event{}, err
	}
	return readHTTP(o, r)
}
