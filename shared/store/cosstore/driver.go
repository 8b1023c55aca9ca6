// Package cosstore speaks Tencent Cloud Object Storage (COS) in its own dialect.
package cosstore

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// A Driver is a [store.Driver] for COS. Its requests are signed with the vendor's q-sign-algorithm
// (cloud.tencent.com/document/product/436/7778).
//
// A bucket is named with its APPID, as in media-1250000000, and its region must be told: asked in the wrong region, COS
// answers that there is no such bucket.
type Driver struct {
	*wire.Multipart

	region   string
	endpoint wire.Endpoint
}

var (
	_ store.BucketsDriver = (*Driver)(nil)
	_ store.RatedDriver   = (*Driver)(nil)

	_ store.LifecycleDriver = (*Driver)(nil)
)

// New returns a driver. The error is mpu.Invalid and names the field of the configuration that is wrong.
func New(cfg store.Config) (*Driver, error) {
	if cfg.Signature != "" {
		return nil, wire.BadField("Signature", cfg.Signature, "cos has one signature; leave it out")
	}
	if cfg.PathStyle {
		return nil, wire.BadField("PathStyle", "true", "cos has none; an Endpoint without {bucket} says where to connect")
	}
	d := &Driver{region: cfg.Region}
	var err error
	if cfg.Endpoint != "" {
		if d.endpoint, err = wire.ParseEndpoint(cfg.Endpoint); err != nil {
			return nil, err
		}
	}
	if d.Multipart, err = wire.NewMultipart(cfg, wire.Dialect{
		Codes:       codes,
		Permissions: permissions,
		Hints:       hints,
		EncodingURL: true,
		Locate:      d.locate,
		Buckets:     wire.BucketListing{Locate: d.locateAccount, Most: "max-keys", After: "marker"},
		NoLifecycle: "NoSuchLifecycleConfiguration",
		Sign:        sign,
		ParseTime:   parseTime,
		Initiated:   initiated,
	}); err != nil {
		return nil, err
	}
	return d, nil
}

// locate implements the endpoint rules (cloud.tencent.com/document/product/436/6224): the bucket is in the host, always.
func (d *Driver) locate(b mpu.Bucket) (wire.Place, error) {
	region := b.Region
	if region == "" {
		region = d.region
	}
	if region == "" {
		return wire.Place{}, wire.MissingRegion(b, "cos cannot be asked for it: write region=ap-beijing, or set a default")
	}
	if err := wire.CheckRegion(b, region); err != nil {
		return wire.Place{}, err
	}
	if !hasAppID(b.Name) || !wire.IsBucketHost(b.Name) {
		return wire.Place{}, &mpu.Error{Kind: mpu.Refused, Message: strconv.Quote(b.Name) + " is no bucket's name in cos",
			Hint: "it ends in the account's APPID, as in media-1250000000"}
	}
	host := b.Name + ".cos." + region + ".myqcloud.com"
	if d.endpoint.IsZero() {
		return wire.Place{Scheme: "https", Address: host, Bucket: b.Name, Region: region}, nil
	}
	if d.endpoint.HasBucket() {
		return d.endpoint.Place(b.Name, region, false), nil
	}
	return wire.Place{Scheme: d.endpoint.Scheme(), Address: d.endpoint.With(b.Name, region), Host: host,
		Bucket: b.Name, Region: region}, nil
}

// serviceHost lists the buckets of all regions (cloud.tencent.com/document/product/436/8291).
const serviceHost = "service.cos.myqcloud.com"

// locateAccount is where the account's buckets are listed.
func (d *Driver) locateAccount(region string) (wire.Place, error) {
	if d.endpoint.IsZero() {
		return wire.Place{Scheme: "https", Address: serviceHost, InPath: true}, nil
	}
	p, err := d.endpoint.Account(cmp.Or(region, d.region))
	p.Host = serviceHost
	return p, err
}

// Rates implements [store.RatedDriver] (cloud.tencent.com/document/product/436/14518). The limit on listings is one bucket's,
// and is here kept for all together: one process reads a bucket's listing as one stream.
func (d *Driver) Rates() map[store.Op]float64 {
	return map[store.Op]float64{store.ListUploads: 1000, store.ListBuckets: 50}
}

func hasAppID(bucket string) bool {
	i := strings.LastIndexByte(bucket, '-')
	if i < 1 {
		return false
	}
	_, err := strconv.ParseUint(bucket[i+1:], 10, 64)
	return err == nil
}

// parseTime reads both formats that COS is known to use. The one without a zone is Beijing's in the documentation's
// sample, but nothing says that it always is: read as UTC, it looks up to eight hours younger than it is, and that is
// the safe side.
func parseTime(s string) time.Time {
	if t := wire.ParseISO8601(s); !t.IsZero() {
		return t
	}
	t, err := time.Parse(time.ANSIC, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Upload IDs begin with the seconds of their initiation in every sample that there is. Nothing promises it, so these
// bounds tell what cannot be a time: before COS there was none, and after 2100 there is no hurry.
const (
	idDigits   = 10
	earliestID = 1262304000 // 2010-01-01
	latestID   = 4102444800 // 2100-01-01
)

// initiated returns the later of an upload's time and the time in its ID.
func initiated(t time.Time, uploadID string) time.Time {
	if len(uploadID) < idDigits {
		return t
	}
	seconds, err := strconv.ParseUint(uploadID[:idDigits], 10, 63)
	if err != nil || seconds < earliestID || seconds > latestID {
		return t
	}
	if fromID := time.Unix(int64(seconds), 0).UTC(); fromID.After(t) {
		return fromID
	}
	return t
}
