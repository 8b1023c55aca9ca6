package trigger

import (
	"encoding/base64"
	"fmt"
	"net/http"
)

// readHTTP reads what web requests have in common on all platforms. Nothing of it becomes a request here: a web request
// says nothing about who sent it that the sender could not have written, but for what the platform vouches for itself.
//
// One that cannot be read is an error beside an Event that says that it was one: it is the sender who should hear of it.
func readHTTP(o object, r HTTPRequest) (Event, error) {
	if err := o.outermost("a web request"); err != nil {
		return Event{}, err
	}
	e := Event{Source: r.Platform + " http", HTTP: &r}
	var err error
	if r.Header, err = o.header("headers"); err != nil {
		return e, err
	}
	r.Body, err = o.body()
	return e, err
}

// header reads an object of texts. Names that differ in letter case only are one name, and it stands once.
func (o object) header(field string) (http.Header, error) {
	header := http.Header{}
	if raw, ok := o.fields[field]; !ok || string(raw) == "null" {
		return header, nil
	}
	headers, err := o.object(field)
	if err != nil {
		return nil, err
	}
	for _, name := range headers.names {
		value, err := headers.text(name)
		if err != nil {
			return nil, fault("header "+clip(name, 40), "write a string", nil)
		}
		canonical := http.CanonicalHeaderKey(name)
		if _, ok := header[canonical]; ok {
			return nil, invalid("header", name, "a header stands once")
		}
		header[canonical] = []string{value}
	}
	return header, nil
}

// body returns the body as it was sent.
func (o object) body() ([]byte, error) {
	encoded, err := o.flag("isBase64Encoded")
	if err != nil || !o.has("body") || string(o.fields["body"]) == "null" {
		return nil, err
	}
	text, err := o.text("body")
	if err != nil {
		return nil, err
	}
	body := []byte(text)
	if encoded {
		if body, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, fault("body", "it is not Base64", nil)
		}
	}
	if len(body) > maxBody {
		return nil, invalid("body", fmt.Sprintf("%d bytes", len(body)), fmt.Sprintf("a body has at most %d", maxBody))
	}
	return body, nil
}

// httpContext returns the http object of a requestContext, as Lambda and Function Compute write it.
func httpContext(o object) (context, http object, ok bool) {
	context, err := o.object("requestContext")
	if err != nil {
		return object{}, object{}, false
	}
	http, err = context.object("http")
	return context, http, err == nil && http.has("method")
}

// methodAndPath reads them into the request. The path is the one that was asked for.
func (r *HTTPRequest) methodAndPath(methodIn object, method string, pathIn object, path string) (err error) {
	if r.Method, err = methodIn.must(method); err != nil {
		return err
	}
	r.Path, err = pathIn.must(path)
	return err
}
