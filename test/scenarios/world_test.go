package scenarios

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/test/runtimes"
	"github.com/partsweep/partsweep/test/sandbox"
)

type worldKey struct{}

// A world is one scenario's: the six services, and the functions that run.
type world struct {
	*sandbox.Sandbox
	binaries  string // folder
	functions map[string]*function
	result    []byte // of the last call
}

// The role's credentials before and after they are rotated.
var (
	firstRole   = runtimes.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey, SessionToken: sandbox.SessionToken}
	rotatedRole = runtimes.Credentials{AccessKeyID: "AKIDSANDBOX0000000002", SecretAccessKey: "sandbox/secret+key/0000000000000000000002", SessionToken: "sandbox-session-token-rotated"}
)

func newWorld(binaries string) (*world, error) {
	s, err := sandbox.Start(sandbox.Options{})
	return &world{Sandbox: s, binaries: binaries, functions: map[string]*function{}}, err
}

// close ends the functions before their hosts, and both before the services.
func (w *world) close() error {
	var errs []error
	for _, f := range w.functions {
		errs = append(errs, f.stop())
	}
	return errors.Join(append(errs, w.Close())...)
}

// upload reads an upload in the notation.
func upload(text string) (service sandbox.Service, u mpu.Request, err error) {
	u, err = mpu.Parse(text)
	if err == nil && (u.Key == "" || u.UploadID == "" && !mpu.ByMediaID(u.Bucket.Store)) {
		err = fmt.Errorf("%s: name a key and an upload ID, or a media ID", text)
	}
	return sandbox.Service(u.Bucket.Store), u, err
}

// known refuses a misspelt service or operation, which a line about nothing would pass with.
func known(service, op string) error {
	if !slices.Contains(sandbox.Services, sandbox.Service(service)) {
		return fmt.Errorf("no service %q; there are %q", service, sandbox.Services)
	}
	ops := []string{"all", sandbox.OpListBuckets, sandbox.OpListUploads, sandbox.OpListParts, sandbox.OpAbort, sandbox.OpVideoInfo}
	if !slices.Contains(ops, op) {
		return fmt.Errorf("no operation %q; there are %q", op, ops)
	}
	return nil
}

// ago reads an age, and returns the time that was then.
func ago(age string) (time.Time, error) {
	d, err := mpu.ParseAge(age)
	return time.Now().Add(-d), err
}

const partSize = 5 << 20

// seed leaves an upload behind, with parts as old as itself.
func (w *world) seed(_ *testscript.TestScript, _ bool, args []string) error {
	service, u, err := upload(args[0])
	if err != nil {
		return err
	}
	given, err := options(args[1:], "age", "parts")
	if err != nil {
		return err
	}
	at, err := ago(given["age"])
	if err != nil {
		return err
	}
	n := 0
	if given["parts"] != "" {
		if n, err = strconv.Atoi(given["parts"]); err != nil {
			return err
		}
	}
	switch service {
	case sandbox.VOD:
		w.AddVideo(u.Bucket.Name, sandbox.Video{ID: u.Key, Created: at, Parts: n, PartBytes: int64(n) * partSize})
	case sandbox.MPS:
		w.AddMedia(u.Bucket.Name, u.Key)
	default:
		w.CreateBucket(service, u.Bucket.Name, u.Bucket.Region)
		if _, _, _, err := w.find(args[0]); err == nil {
			return fmt.Errorf("there is such an upload already: %s", args[0])
		}
		w.PinUploadID(service, u.Bucket.Name, u.Key, u.UploadID)
		w.Seed(service, u.Bucket.Name, u.Key, at)
		for i := range n {
			w.AddPart(service, u.Bucket.Name, u.Key, u.UploadID, sandbox.Part{Number: i + 1, Size: partSize, Modified: at})
		}
	}
	return nil
}

// find returns an open upload of one of the object stores.
func (w *world) find(text string) (sandbox.Service, mpu.Request, sandbox.Upload, error) {
	service, u, err := upload(text)
	if err != nil {
		return service, u, sandbox.Upload{}, err
	}
	for _, open := range w.Uploads(service, u.Bucket.Name) {
		if open.Key == u.Key && open.UploadID == u.UploadID {
			return service, u, open, nil
		}
	}
	return service, u, sandbox.Upload{}, fmt.Errorf("no such upload: %s", text)
}

// part adds a part to an upload.
func (w *world) part(_ *testscript.TestScript, _ bool, args []string) error {
	service, u, open, err := w.find(args[0])
	if err != nil {
		return err
	}
	given, err := options(args[1:], "age")
	if err != nil {
		return err
	}
	at, err := ago(given["age"])
	if err != nil {
		return err
	}
	w.AddPart(service, u.Bucket.Name, u.Key, u.UploadID, sandbox.Part{Number: len(open.Parts) + 1, Size: partSize, Modified: at})
	return nil
}

// complete makes an object of an upload.
func (w *world) complete(_ *testscript.TestScript, _ bool, args []string) error {
	service, u, _, err := w.find(args[0])
	if err == nil {
		w.Complete(service, u.Bucket.Name, u.Key, u.UploadID)
	}
	return err
}

// look writes what is in a bucket, a line for each: uploads with their parts, objects, videos, media.
func (w *world) look(ts *testscript.TestScript, _ bool, args []string) error {
	r, err := mpu.Parse(args[0])
	if err != nil {
		return err
	}
	b := r.Bucket
	var lines []string
	switch service := sandbox.Service(b.Store); service {
	case sandbox.VOD:
		for _, v := range w.Videos(b.Name) {
			lines = append(lines, fmt.Sprintf("%s %s, %s", mpu.Request{Bucket: b, Key: v.ID}, v.Status, count(v.Parts, "part")))
		}
	case sandbox.MPS:
		for _, id := range w.Media(b.Name) {
			lines = append(lines, mpu.Request{Bucket: b, Key: id}.String()+" media")
		}
	default:
		for _, u := range w.Uploads(service, b.Name) {
			lines = append(lines, fmt.Sprintf("%s %s", mpu.Request{Bucket: b, Key: u.Key, UploadID: u.UploadID}, count(len(u.Parts), "part")))
		}
		for _, key := range w.Objects(service, b.Name) {
			lines = append(lines, mpu.Request{Bucket: b, Key: key}.String()+" object")
		}
	}
	slices.Sort(lines)
	for _, l := range lines {
		fmt.Fprintln(ts.Stdout(), l)
	}
	if len(lines) == 0 {
		fmt.Fprintln(ts.Stdout(), "nothing")
	}
	return nil
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprint(n, " ", noun)
}

// script has a service misbehave at an operation.
func (w *world) script(_ *testscript.TestScript, _ bool, args []string) error {
	if err := known(args[0], args[1]); err != nil {
		return err
	}
	f := sandbox.Fault{Service: sandbox.Service(args[0]), Op: args[1]}
	rest := args[2:]
	if !strings.Contains(rest[0], "=") {
		f.Code, rest = rest[0], rest[1:]
	}
	given, err := options(rest, "wait", "times")
	if err != nil {
		return err
	}
	if given["wait"] != "" {
		if f.Latency, err = time.ParseDuration(given["wait"]); err != nil {
			return err
		}
	}
	if given["times"] != "" {
		if f.Times, err = strconv.Atoi(given["times"]); err != nil {
			return err
		}
	}
	w.Script(f)
	return nil
}

// requests checks how many requests have reached a service since the start.
func (w *world) requests(_ *testscript.TestScript, _ bool, args []string) error {
	want, err := strconv.Atoi(args[2])
	if err == nil {
		err = known(args[0], args[1])
	}
	if err != nil {
		return err
	}
	op := args[1]
	if op == "all" {
		op = ""
	}
	if got := w.Count(sandbox.Service(args[0]), op); got != want {
		return fmt.Errorf("%d requests of %s to %s, want %d", got, args[1], args[0], want)
	}
	return nil
}

// countConnections checks how many connections have been opened to a service since the start.
func (w *world) countConnections(_ *testscript.TestScript, _ bool, args []string) error {
	want, err := strconv.Atoi(args[len(args)-1])
	if err == nil {
		err = known(args[0], "all")
	}
	if err != nil {
		return err
	}
	got, atMost := w.Connections(sandbox.Service(args[0])), args[1] == "at-most"
	if atMost && got > want || !atMost && got != want {
		return fmt.Errorf("%d connections to %s, want %s", got, args[0], strings.Join(args[1:], " "))
	}
	return nil
}

// rotate has the clouds replace the role's credentials, and refuse the old ones.
func (w *world) rotate(*testscript.TestScript, bool, []string) error {
	w.SetCredentials(rotatedRole.AccessKeyID, rotatedRole.SecretAccessKey, rotatedRole.SessionToken)
	return nil
}
