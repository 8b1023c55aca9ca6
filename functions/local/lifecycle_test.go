package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/test/sandbox"
	"github.com/partsweep/partsweep/test/sandbox/sandboxtest"
)

// An empty answer is not a bucket without rules: to write one would cost it all that it has.
func TestLifecycleEmptyAnswer(t *testing.T) {
	w, environ := inWorld(t, 0)
	for service, bucket := range map[sandbox.Service]string{
		sandbox.S3: "media-in", sandbox.COS: "media-1250000000", sandbox.OBS: "media-obs", sandbox.OSS: "media-oss",
	} {
		five := sandboxtest.FiveRules(service)
		w.SetLifecycle(service, bucket, five, "")
		undo := w.Script(sandbox.Fault{Service: service, Op: sandbox.OpGetLifecycle, Respond: func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }})
		exit, out, errs := invoke(t, environ, "lifecycle", "--install", "--yes", string(service)+"://"+bucket)
		undo()
		if document, _ := w.Lifecycle(service, bucket); exit != 1 || !bytes.Equal(document, five) || !strings.Contains(errs, "an empty answer") {
			t.Errorf("%s: exit %d\n%s%s\n%s", service, exit, out, errs, document)
		}
	}
}
