package wire

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// A BucketListing is how a service lists the buckets of an account.
type BucketListing struct {
	// Locate says where it is to be asked; the region is one to ask in, perhaps empty.
	Locate func(region string) (Place, error)
	// Most and After name the parameters that say how many buckets a page has and where it begins. Empty: there is one page.
	Most, After string
}

// bucketsPage is how many buckets a page has: as many as every service allows.
const bucketsPage = 1000

// ListBuckets implements [store.BucketsDriver].
func (m *Multipart) ListBuckets(ctx context.Context, in mpu.Bucket, after string) (store.BucketPage, error) {
	c := call{op: store.ListBuckets, method: http.MethodGet, bucket: in}
	if how := m.dialect.Buckets; how.Most != "" {
		c.query.number(how.Most, bucketsPage)
		c.query.add(how.After, after)
	}
	var page store.BucketPage
	c.read = func(_ Place, _ http.Header, s *Scanner) (err error) {
		page, err = readBuckets(s, in.Store)
		return err
	}
	if err := m.send(ctx, c); err != nil {
		return store.BucketPage{}, About(err, c.op, in)
	}
	return page, nil
}

// Account returns the place where the account's buckets are listed at a custom endpoint.
func (e Endpoint) Account(region string) (Place, error) {
	switch {
	case e.HasBucket():
		return Place{}, &mpu.Error{Kind: mpu.Invalid, Message: "the endpoint has {bucket} in its host, so buckets cannot be listed there",
			Hint: "name the buckets"}
	case e.HasRegion() && region == "":
		return Place{}, &mpu.Error{Kind: mpu.Invalid, Message: "the region is missing", Hint: "set a default region"}
	}
	return Place{Scheme: e.scheme, Address: e.With("", region), InPath: true, Region: region}, nil
}

// A bucketListing is a page of buckets while it is being read.
type bucketListing struct {
	page      store.BucketPage
	bucket    mpu.Bucket
	location  string // where the bucket is, in one of two spellings
	truncated string
	token     string // S3's word for where the next page begins
	marker    string // everybody else's
}

// readBuckets reads a ListAllMyBucketsResult.
func readBuckets(s *Scanner, scheme string) (store.BucketPage, error) {
	if err := readRoot(s, "listallmybucketsresult"); err != nil {
		return store.BucketPage{}, err
	}
	var l bucketListing
	for {
		event, err := s.Next()
		if err != nil {
			return store.BucketPage{}, err
		}
		bucket := s.Depth() == 3 && string(s.Name()) == "bucket"
		switch {
		case event == Open && bucket:
			l.bucket, l.location = mpu.Bucket{Store: scheme}, ""
		case event == Close && bucket:
			err = l.add()
		case event == Close && s.Depth() == 4:
			err = l.bucketField(s)
		case event == Close && s.Depth() == 2:
			err = l.field(s)
		case event == Close && s.Depth() == 1:
			return l.finish(s)
		}
		if err != nil {
			return store.BucketPage{}, err
		}
	}
}

// bucketField keeps an element of a bucket. OSS tells the region as Region, and as Location with its own name in front.
func (l *bucketListing) bucketField(s *Scanner) error {
	text := bytes.TrimSpace(s.Text())
	switch string(s.Name()) {
	case "name":
		return keep(s, &l.bucket.Name, text)
	case "bucketregion", "region":
		return keep(s, &l.bucket.Region, text)
	case "location":
		return keep(s, &l.location, bytes.TrimPrefix(text, []byte("oss-")))
	}
	return nil
}

// add adds the bucket that has been read. What cannot be named is not left out in silence.
func (l *bucketListing) add() error {
	l.bucket.Region = cmp.Or(l.bucket.Region, l.location)
	switch {
	case !IsBucketPath(l.bucket.Name):
		return content("a bucket's name is %s", quote(l.bucket.Name))
	case l.bucket.Region != "" && !IsRegion(l.bucket.Region):
		return content("the region of bucket %s is %s", l.bucket.Name, quote(l.bucket.Region))
	}
	l.page.Buckets = append(l.page.Buckets, l.bucket)
	return nil
}

func (l *bucketListing) field(s *Scanner) error {
	text := bytes.TrimSpace(s.Text())
	switch string(s.Name()) {
	case "istruncated":
		return keep(s, &l.truncated, text)
	case "continuationtoken":
		return keep(s, &l.token, text)
	case "nextmarker":
		return keep(s, &l.marker, text)
	}
	return nil
}

// finish says where the listing goes on. S3 sends a token if there is more and says nothing else; OBS sends all at once.
func (l *bucketListing) finish(s *Scanner) (store.BucketPage, error) {
	if err := readEnd(s); err != nil {
		return store.BucketPage{}, err
	}
	switch {
	case l.token != "":
		l.page.Next = l.token
	case strings.EqualFold(l.truncated, "true") && l.marker != "":
		l.page.Next = l.marker
	case strings.EqualFold(l.truncated, "true") && len(l.page.Buckets) > 0:
		l.page.Next = l.page.Buckets[len(l.page.Buckets)-1].Name
	case strings.EqualFold(l.truncated, "true"):
		return store.BucketPage{}, content("there are more buckets, but it does not say where")
	}
	if len(l.page.Next) > maxNamed {
		return store.BucketPage{}, content("a marker has more than %d bytes", maxNamed)
	}
	return l.page, nil
}
