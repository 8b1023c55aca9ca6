package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/test/sandbox"
	"github.com/partsweep/partsweep/test/sandbox/sandboxtest"
)

// What somebody else changes between the look and the write is not written over, be it only what stands beside the rules.
func TestLifecycleChangedMeanwhile(t *testing.T) {
	five := sandboxtest.FiveRules(sandbox.S3)
	for name, change := range map[string]func(w *world){
		"a rule": func(w *world) {
			w.SetLifecycle(sandbox.S3, "media-in", bytes.Replace(five, []byte(">30<"), []byte(">31<"), 1), "")
		},
		"the minimum": func(w *world) { w.SetLifecycle(sandbox.S3, "media-in", five, "varies_by_storage_class") },
	} {
		w, environ := inWorld(t, 0)
		w.SetLifecycle(sandbox.S3, "media-in", five, "")
		w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpGetLifecycle, Skip: 1, Times: 1, Do: func() { change(w) }})
		exit, out, errs := invoke(t, environ, "lifecycle", "--install", "--yes", "s3://media-in")
		document, _ := w.Lifecycle(sandbox.S3, "media-in")
		if exit != 1 || !strings.Contains(errs, "have changed since they were read") || bytes.Contains(document, []byte("abort-incomplete-uploads")) {
			t.Errorf("%s: exit %d\n%s%s\n%s", name, exit, out, errs, document)
		}
	}
}

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
