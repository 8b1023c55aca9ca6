package main

import (
	"bytes"
	"encoding/json"
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

// What reads the JSON learns whether a rule was written, and which.
func TestLifecycleJSONSaysWhatWasWritten(t *testing.T) {
	w, environ := inWorld(t, 0)
	lifecycle := func(exitWant int, args ...string) (audit auditJSON, errs string) {
		exit, out, errs := invoke(t, environ, append([]string{"lifecycle", "--json", "s3://media-in"}, args...)...)
		if err := json.Unmarshal([]byte(out), &audit); err != nil || exit != exitWant {
			t.Errorf("%v: exit %d, %v\n%s%s", args, exit, err, out, errs)
		}
		return audit, errs
	}
	document := func() []byte { d, _ := w.Lifecycle(sandbox.S3, "media-in"); return d }
	w.SetLifecycle(sandbox.S3, "media-in", sandboxtest.FiveRules(sandbox.S3), "")
	if a, _ := lifecycle(0); a.Added != "" || a.Covered || a.Rules != 5 {
		t.Errorf("without --install: %+v", a)
	}
	undo := w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpPutLifecycle, Code: "AccessDenied"})
	if a, _ := lifecycle(1, "--install", "--yes"); a.Added != "" || a.Covered || a.Rules != 5 {
		t.Errorf("refused, and yet %+v", a)
	}
	undo()
	// It is read to be shown, before it is written, and after: that is refused.
	undo = w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpGetLifecycle, Skip: 2, Code: "AccessDenied"})
	if a, errs := lifecycle(1, "--install", "--yes"); a.Added == "" || a.Covered || !bytes.Contains(document(), []byte(a.Added)) || !strings.Contains(errs, "AccessDenied") {
		t.Errorf("written, and not to be read: %+v\n%s\n%s", a, errs, document())
	}
	undo()
	// People are told so too.
	w.SetLifecycle(sandbox.S3, "media-in", sandboxtest.FiveRules(sandbox.S3), "")
	undo = w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpGetLifecycle, Skip: 2, Code: "AccessDenied"})
	if exit, _, errs := invoke(t, environ, "lifecycle", "--install", "--yes", "s3://media-in"); exit != 1 || !strings.Contains(errs, "written, and could not be read back") {
		t.Errorf("exit %d: %s", exit, errs)
	}
	undo()
	w.SetLifecycle(sandbox.S3, "media-in", sandboxtest.FiveRules(sandbox.S3), "")
	a, errs := lifecycle(0, "--install", "--yes", "--days", "9")
	if a.Added == "" || !bytes.Contains(document(), []byte(a.Added)) || !a.Covered || a.Rules != 6 || a.Days != 9 || !strings.Contains(strings.Join(a.Said, "\n"), "9 days") {
		t.Errorf("%+v, and the document is\n%s", a, document())
	}
	if !strings.Contains(errs, "to be added to "+a.Bucket) {
		t.Errorf("it does not say where it adds the rule:\n%s", errs)
	}
}

// A rule that somebody else writes beside ours is counted, not guessed.
func TestLifecycleCountsWhatIsThere(t *testing.T) {
	w, environ := inWorld(t, 0)
	w.SetLifecycle(sandbox.S3, "media-in", sandboxtest.FiveRules(sandbox.S3), "")
	another := []byte("<Rule><ID>theirs</ID><Filter><Prefix>x/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>")
	w.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpGetLifecycle, Skip: 2, Times: 1, Do: func() {
		document, _ := w.Lifecycle(sandbox.S3, "media-in")
		w.SetLifecycle(sandbox.S3, "media-in", bytes.Replace(document, []byte("</LifecycleConfiguration>"), another, 1), "")
	}})
	if exit, out, errs := invoke(t, environ, "lifecycle", "--install", "--yes", "s3://media-in"); exit != 0 || !strings.Contains(out, "it has 7 rules now") {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
}
