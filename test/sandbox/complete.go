package sandbox

import "fmt"

// Complete finishes an open upload with the parts that it has, as a client's CompleteMultipartUpload would.
func (s *Sandbox) Complete(service Service, bucket, key, uploadID string) {
	b := s.bucket(service, bucket)
	var numbers []int
	parts, _, _ := b.parts(key, uploadID, 0, 10_000, "")
	for _, p := range parts {
		numbers = append(numbers, p.Number)
	}
	if _, code := b.complete(key, uploadID, numbers, s.opt.Now()); code != "" {
		panic(fmt.Sprintf("sandbox: complete %s bucket %q, key %q, upload %q: %s", service, bucket, key, uploadID, code))
	}
}
