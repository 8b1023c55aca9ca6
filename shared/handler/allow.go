package handler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
)

// allowed checks a request against the allow-list, before anything is sent, whoever asked. It returns the requests to
// work off: the one that was given, with the region filled in where the list knows it, or one for each allowed bucket if
// the request asks for every bucket. Account returns the buckets of the account.
func (s Settings) allowed(r mpu.Request, account func(mpu.Bucket) ([]mpu.Bucket, error)) ([]mpu.Request, error) {
	if r.Bucket.Name == mpu.AnyBucket {
		return s.everyBucket(r, account)
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
	return nil, refused(r, "it is not in "+Prefix+"BUCKETS; if it is to be swept, add "+mpu.Request{Bucket: mpu.Bucket{Store: r.Bucket.Store, Name: r.Bucket.Name}}.String()+" there")
}

// everyBucket turns a request for every bucket of a service into one for each that the allow-list names, and, where the list
// allows every bucket, for each that the account has: those are asked for, since a sweep that left some out would pass for
// complete.
func (s Settings) everyBucket(r mpu.Request, account func(mpu.Bucket) ([]mpu.Bucket, error)) ([]mpu.Request, error) {
	var all []mpu.Request
	whole := map[string]bool{} // buckets that the account's listing had
	add := func(entry mpu.Request, b mpu.Bucket) {
		switch {
		case r.Prefix != "" && !strings.HasPrefix(r.Prefix, entry.Prefix):
		case r.Bucket.Region != "" && b.Region != "" && r.Bucket.Region != b.Region:
		default:
			one := r
			one.Bucket, one.Prefix = b, cmp.Or(r.Prefix, entry.Prefix)
			all = append(all, one)
		}
	}
	for _, entry := range s.Buckets {
		if entry.Bucket.Store != r.Bucket.Store || entry.Bucket.Name != mpu.AnyBucket {
			continue
		}
		in := entry.Bucket
		in.Region = cmp.Or(in.Region, r.Bucket.Region)
		buckets, err := account(in)
		if err != nil {
			return nil, err
		}
		for _, b := range buckets {
			if !whole[b.Name] && (entry.Bucket.Region == "" || b.Region == "" || b.Region == entry.Bucket.Region) {
				whole[b.Name] = true
				b.Region = cmp.Or(b.Region, s.region(entry, r))
				add(entry, b)
			}
		}
	}
	for _, entry := range s.Buckets {
		if entry.Bucket.Store == r.Bucket.Store && entry.Bucket.Name != mpu.AnyBucket && !whole[entry.Bucket.Name] {
			b := entry.Bucket
			b.Region = s.region(entry, r)
			add(entry, b)
		}
	}
	if len(all) == 0 && !s.allowsAny(r.Bucket.Store) {
		return nil, refused(r, "no bucket of "+r.Bucket.Store+" is in "+Prefix+"BUCKETS")
	}
	return all, nil
}

// allowsAny reports whether the list allows every bucket of a store.
func (s Settings) allowsAny(scheme string) bool {
	return slices.ContainsFunc(s.Buckets, func(entry mpu.Request) bool {
		return entry.Bucket.Store == scheme && entry.Bucket.Name == mpu.AnyBucket
	})
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
