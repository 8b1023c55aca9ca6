package wire

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"net/http"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// maxDocument bounds a lifecycle configuration: a thousand rules of S3's, each with the longest prefix.
const maxDocument = 4 << 20

// minimumSize is S3's header for the smallest object that a transition is about.
const minimumSize = "X-Amz-Transition-Default-Minimum-Object-Size"

// Lifecycle implements [store.LifecycleDriver]. The document is kept byte for byte: a decoder would lose what it does not know,
// and a rule that is lost goes unnoticed.
func (m *Multipart) Lifecycle(ctx context.Context, b mpu.Bucket) (l store.Lifecycle, err error) {
	c := call{op: store.GetLifecycle, method: http.MethodGet, bucket: b}
	c.query.flag("lifecycle")
	c.whole = func(h http.Header, body []byte) { l = store.Lifecycle{Document: body, Minimum: h.Get(minimumSize)} }
	err = m.send(ctx, c)
	if e, ok := errors.AsType[*mpu.Error](err); ok && e.Status == http.StatusNotFound && e.Code == m.dialect.NoLifecycle {
		return store.Lifecycle{}, nil
	}
	if err == nil && len(bytes.TrimSpace(l.Document)) == 0 {
		// It is not the store's way to say that there are none. Taken for that, it would cost the bucket every rule that it has.
		err = &mpu.Error{Message: "an empty answer in place of the rules", Hint: "look what stands between, and try again"}
	}
	return l, About(err, c.op, b)
}

// PutLifecycle implements [store.LifecycleDriver].
func (m *Multipart) PutLifecycle(ctx context.Context, b mpu.Bucket, l store.Lifecycle) error {
	c := call{op: store.PutLifecycle, method: http.MethodPut, bucket: b, body: l.Document}
	c.query.flag("lifecycle")
	if len(l.Document) == 0 {
		return About(&mpu.Error{Kind: mpu.Refused, Message: "an empty document would delete every rule"}, c.op, b)
	}
	if l.Minimum != "" {
		c.header = http.Header{minimumSize: {l.Minimum}}
	}
	return About(m.send(ctx, c), c.op, b)
}

// setBody puts a document into a request. All of these services take Content-MD5 for the checksum that they want of one, and
// some take nothing else.
func (c call) setBody(req *http.Request) {
	sum := md5.Sum(c.body)
	req.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	req.Header.Set("Content-Type", "application/xml")
	req.ContentLength = int64(len(c.body))
	req.Body = io.NopCloser(bytes.NewReader(c.body))
}
