package adversary

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/test/sandbox"
)

// elsewhere are places that an attacker would like a signed request to go to.
var elsewhere = []string{
	"https://evil.example/", "http://evil.example/", "//evil.example/raw/a", "https://evil.example:8443/raw/a?uploadId=ID",
	"https://media-in.s3.eu-west-1.amazonaws.com.evil.example/", "https://media-in.s3.eu-west-1.amazonaws.com@evil.example/",
	"http://media-in.s3.eu-west-1.amazonaws.com/raw/a", "https://s3.eu-west-1.amazonaws.com:444/payroll/raw/a?uploadId=ID",
	"https://evil.s3.eu-west-1.amazonaws.com/raw/a", "/payroll/raw/a?uploadId=ID", "?uploadId=decoy", "https://127.0.0.1/", "https://[::1]/",
	"https://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "ftp://evil.example/", "javascript:alert(1)", "https://evil.example\\@x/", "",
	"https://evil.example/?X-Amz-Signature=0123456789abcdef0123456789abcdef&X-Amz-Security-Token=tokentokentoken",
	"https://user:password@evil.example/", "https://evil.example/%zz?Signature=0123456789abcdef",
}

// regions are what an attacker would like to become a part of a host.
var regions = []string{
	"evil.example", "evil.example/", "evil.example#", "x@evil.example", "eu-west-1.evil.example", "eu-west-1.evil.example?", "../evil", "EVIL",
	"evil.example:443/", "127.0.0.1", "[::1]", " evil.example", "-", strings.Repeat("e", 65), "e\u0301vil", "eu-west-1\u3002evil\u3002example",
}

// TestRedirects: a signed request goes to the host that it was signed for and to no other, whatever the answer says in status,
// header and body.
func TestRedirects(t *testing.T) {
	for _, s := range sandbox.Services {
		for _, op := range []string{sandbox.OpListUploads, sandbox.OpListParts, sandbox.OpAbort} {
			if s == sandbox.MPS && op != sandbox.OpAbort {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", s, op), func(t *testing.T) {
				w := newWorld(t)
				mine, bait := w.seed(ours[s], "raw/a", "ID"), w.seed(theirs[s], "raw/a", "ID")
				event := failed(mine)
				if op == sandbox.OpListUploads {
					event = sweepOf(ours[s])
				}
				send := func(status int, location, region string) {
					t.Helper()
					remove := w.Script(sandbox.Fault{Service: s, Op: op, Respond: lead(s, status, location, region)})
					defer remove()
					_, err := w.run(t, event)
					if err == nil {
						t.Errorf("%d to %q in %q passed for success", status, location, region)
					}
				}
				for _, status := range []int{300, 301, 302, 303, 305, 307, 308, 400, 403} {
					for _, location := range elsewhere {
						if s == sandbox.S3 || status == 302 && s != sandbox.VOD || status == 307 { // one client sends for all
							send(status, location, "evil.example")
						}
					}
				}
				for _, region := range regions {
					if s == sandbox.S3 { // which alone may say where a bucket is
						send(301, "https://evil.example/", region)
						send(400, "", region)
					}
				}
				if !w.there(mine) || !w.there(bait) {
					t.Error("an upload is gone")
				}
				if hosts := w.hosts(); len(hosts) != 1 || len(w.strays()) != 0 {
					t.Errorf("dialled %q", hosts)
				}
				for _, secret := range []string{"0123456789abcdef", "tokentoken", "password", "X-Amz-Signature"} {
					if strings.Contains(w.log.String(), secret) {
						t.Errorf("%s is in the log", secret)
					}
				}
				if strings.Contains(w.overheard(), "Authorization") || !strings.Contains(w.overheard(), "\x16\x03") {
					t.Error("something was said outside of TLS")
				}
				w.checkLog(t)
			})
		}
	}
}

// lead answers with a place to go to, in every way that a service has for it.
func lead(s sandbox.Service, status int, location, region string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		h := w.Header()
		h["Location"] = []string{location}
		h["X-Amz-Bucket-Region"], h["X-Cos-Bucket-Region"], h["X-Obs-Bucket-Location"] = []string{region}, []string{region}, []string{region}
		h.Set("Alt-Svc", `h2="evil.example:443"; ma=86400`)
		h.Set("Refresh", "0; url=https://evil.example/")
		h.Set("Content-Location", "https://evil.example/")
		h.Set("Link", `<https://evil.example/>; rel="canonical"`)
		h.Set("Set-Cookie", "session=1; Domain=evil.example")
		w.WriteHeader(status)
		host := strings.TrimPrefix(location, "https://")
		if s == sandbox.VOD || s == sandbox.MPS {
			fmt.Fprintf(w, `{"RequestId":"r","Code":"Redirect","Message":"go there","HostId":%s,"Endpoint":%s,"Region":%s}`, quote(host), quote(host), quote(region))
			return
		}
		code := "PermanentRedirect"
		if status == 400 {
			code = "AuthorizationHeaderMalformed"
		}
		escape := strings.NewReplacer("&", "&amp;", "<", "&lt;")
		io.WriteString(w, "<Error><Code>"+code+"</Code><Message>go there</Message><Endpoint>"+escape.Replace(host)+"</Endpoint><Region>"+escape.Replace(region)+
			"</Region><Bucket>media-in</Bucket></Error>")
	}
}

// TestRegionThatIsTold: the one thing that S3 may say is in which of its own regions a bucket is. Then the next request goes to
// that region's host, which is the vendor's too.
func TestRegionThatIsTold(t *testing.T) {
	w := newWorld(t)
	mine := w.seed(ours[sandbox.S3], "raw/a", "ID")
	w.Script(sandbox.Fault{Service: sandbox.S3, Times: 1, Respond: lead(sandbox.S3, 301, "https://evil.example/", "ap-southeast-2")})
	w.run(t, failed(mine))
	want := []string{"media-in.s3.ap-southeast-2.amazonaws.com:443", "media-in.s3.eu-west-1.amazonaws.com:443"}
	if hosts := w.hosts(); !slices.Equal(hosts, want) {
		t.Errorf("dialled %q, want %q", hosts, want)
	}
}

// TestEndpointsThatAreHosts: an endpoint of the settings may have places for a bucket and a region in its host, and there too a
// name stays a name.
func TestEndpointsThatAreHosts(t *testing.T) {
	for _, endpoint := range []string{"https://{bucket}.s3.eu-west-1.amazonaws.com", "https://s3.{region}.amazonaws.com", "https://{bucket}.s3.{region}.amazonaws.com"} {
		w := newWorld(t, "PARTSWEEP_BUCKETS=s3://*", "PARTSWEEP_MPS_DELETE_MEDIA=no", "PARTSWEEP_S3_ENDPOINT="+endpoint, "PARTSWEEP_S3_REGION=eu-west-1")
		for what, name := range foreign(ours[sandbox.S3].Name, theirs[sandbox.S3].Name) {
			w.run(t, fmt.Sprintf(`{"type":"upload-failed","store":"s3","bucket":%s,"key":"k","uploadId":"u","failedAt":"2026-11-03T08:59:58Z"}`, quote(name)))
			if strays := w.strays(); len(strays) > 0 {
				t.Fatalf("%s, %s: dialled %q", endpoint, what, strays)
			}
		}
	}
}
