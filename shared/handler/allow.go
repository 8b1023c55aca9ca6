package handler

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
)

// allowed checks a request against the allow-list, before anything is sent, whoever asked. It returns the requests to
// work off: the one that was given, with the region filled in where the list knows it, or one for each allowed bucket if
// the request asks for every bucket.
func (s Settings) allowed(r mpu.Request) ([]mpu.Request, error) {
	if r.Bucket.Name == mpu.AnyBucket {
		return s.everyBucket(r)
	}
	var near []string
	for _, entry := range s.Buckets {
		if covers(entry, r) {
			r.Bucket.Region = s.region(entry, r)
			return []mpu.Request{r}, nil
		}
		if entry.Bucket.Store == r.Bucket.Store && entry.Bucket.Name == r.Bucket.Name {
			near = append(near, entry.String())
		}
	}
	if len(near) > 0 {
		return nil, refused(r, "of this bucket, "+Prefix+"BUCKETS allows only "+strings.Join(near, ", "))
	}
	return nil, refused(r, "it is not in "+Prefix+"BUCKETS")
}

// everyBucket turns a request for every bucket of a service into one for each that the allow-list names.
func (s Settings) everyBucket(r mpu.Request) ([]mpu.Request, error) {
	var all []mpu.Request
	for _, entry := range s.Buckets {
		switch {
		case entry.Bucket.Store != r.Bucket.Store:
		case entry.Bucket.Name == mpu.AnyBucket:
			return nil, refused(r, "the settings allow every bucket without naming one; name the buckets to sweep in "+Prefix+"BUCKETS")
		case r.Prefix != "" && !strings.HasPrefix(r.Prefix, entry.Prefix):
		case r.Bucket.Region != "" && entry.Bucket.Region != "" && r.Bucket.Region != entry.Bucket.Region:
		default:
			one := r
			one.Bucket, one.Prefix = entry.Bucket, cmp.Or(r.Prefix, entry.Prefix)
			one.Bucket.Region = s.region(entry, r)
			all = append(all, one)
		}
	}
	if len(all) == 0 {
		return nil, refused(r, "no bucket of "+r.Bucket.Store+" is in "+Prefix+"BUCKETS")
	}
	return all, nil
}

// region is where a request's bucket is. The allow-list's word comes first. Where it says none, an S3 bucket's region is
// asked of S3 itself and not taken from an event, which could so send a signature to another partition's hosts.
func (s Settings) region(entry, r mpu.Request) string {
	if r.Bucket.Store == "s3" {
		return entry.Bucket.Region
	}
	return cmp.Or(entry.Bucket.Region, r.Bucket.Region)
}

// covers reports whether an entry of the allow-list covers all that a request may touch.
func covers(entry, r mpu.Request) bool {
	return entry.Bucket.Store == r.Bucket.Store &&
		(entry.Bucket.Name == mpu.AnyBucket || entry.Bucket.Name == r.Bucket.Name) &&
		(entry.Bucket.Region == "" || r.Bucket.Region == "" || entry.Bucket.Region == r.Bucket.Region) &&
		(r.Key != "" && strings.HasPrefix(r.Key, entry.Prefix) || r.Key == "" && strings.HasPrefix(r.Prefix, entry.Prefix))
}

func refused(r mpu.Request, why string) error {
	return &mpu.Error{Kind: mpu.Refused, Op: "request", Target: r.String(), Err: fmt.Errorf("%s", why)}
}
