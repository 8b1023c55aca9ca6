// Package obsstore speaks Huawei Cloud Object Storage Service (OBS), and that of the operators who run the same software.
package obsstore

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// A Driver is a [store.Driver] for OBS in its S3-like dialect
// (support.huaweicloud.com/intl/en-us/api-obs/obs_04_0103.html).
type Driver struct {
	*wire.Multipart

	region    string
	endpoint  wire.Endpoint
	pathStyle bool
	v2        bool
	signer    wire.SignerV4
}

var (
	_ store.ForeignDriver = (*Driver)(nil)
	_ store.BucketsDriver = (*Driver)(nil)

	_ store.LifecycleDriver = (*Driver)(nil)
)

// Foreign implements [store.ForeignDriver]. Path style, which Huawei Cloud has not, tells another's server: Ceph is one that
// understands the SDKs of OBS.
func (d *Driver) Foreign() bool { return d.pathStyle }

// New returns a driver. The error is mpu.Invalid and names the field of the configuration that is wrong.
func New(cfg store.Config) (*Driver, error) {
	d := &Driver{region: cfg.Region, pathStyle: cfg.PathStyle, v2: cfg.Signature == "v2"}
	if err := d.configure(cfg); err != nil {
		return nil, err
	}
	dialect := wire.Dialect{
		Codes:       codes,
		Permissions: permissions,
		Hints:       hints,
		Locate:      d.locate,
		Buckets:     wire.BucketListing{Locate: d.locateAccount},
		NoLifecycle: "NoSuchLifecycleConfiguration",
		Sign:        d.sign,
		ParseTime:   wire.ParseISO8601,
	}
	if d.Foreign() {
		dialect.PartsGone = "NoSuchKey" // Ceph says so of the parts of an upload that is gone
	}
	var err error
	if d.Multipart, err = wire.NewMultipart(cfg, dialect); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Driver) configure(cfg store.Config) (err error) {
	switch cfg.Signature {
	case "", "v4", "v2":
	default:
		return wire.BadField("Signature", cfg.Signature, "write v4 or v2")
	}
	if cfg.Endpoint != "" {
		if d.endpoint, err = wire.ParseEndpoint(cfg.Endpoint); err != nil {
			return err
		}
	}
	switch {
	case cfg.PathStyle && (d.endpoint.IsZero() || isHuawei(d.endpoint.With("", ""))):
		return wire.BadField("PathStyle", "true", "Huawei Cloud's own domains have none; leave it out")
	case cfg.PathStyle && d.endpoint.HasBucket():
		return wire.BadField("PathStyle", "true", "the endpoint has {bucket} in its host")
	case !cfg.PathStyle && d.endpoint.IsIP() && !d.endpoint.HasBucket():
		return wire.BadField("PathStyle", "false", "an endpoint that is an IP address needs it set")
	}
	return nil
}

// isHuawei reports whether a host is one of Huawei Cloud's own, which refuse path style since the end of 2023
// (huaweicloud.com/notice/2022/20231106133534969.html), and not always with an error that says so.
func isHuawei(host string) bool {
	return slices.ContainsFunc([]string{"myhuaweicloud.com", "myhuaweicloud.eu", "myhuaweicloud.cn"},
		func(domain string) bool { return wire.HasDomain(host, domain) })
}

// locate implements the endpoint rules (support.huaweicloud.com/intl/en-us/api-obs/obs_04_0006.html).
func (d *Driver) locate(b mpu.Bucket) (wire.Place, error) {
	region := b.Region
	if region == "" {
		region = d.region
	}
	switch {
	case region != "":
		if err := wire.CheckRegion(b, region); err != nil {
			return wire.Place{}, err
		}
	case !d.v2 || d.endpoint.IsZero() || d.endpoint.HasRegion():
		return wire.Place{}, wire.MissingRegion(b, "write region=cn-north-4, or set a default")
	}
	if !d.pathStyle && !wire.IsBucketHost(b.Name) {
		return wire.Place{}, &mpu.Error{Kind: mpu.Refused, Message: "the bucket's name cannot stand in a host"}
	}
	if d.endpoint.IsZero() {
		return wire.Place{Scheme: "https", Address: b.Name + ".obs." + region + ".myhuaweicloud.com", Bucket: b.Name, Region: region}, nil
	}
	return d.endpoint.Place(b.Name, region, d.pathStyle), nil
}

// locateAccount is where the account's buckets are listed (support.huaweicloud.com/intl/en-us/api-obs/obs_04_0020.html).
func (d *Driver) locateAccount(region string) (wire.Place, error) {
	region = cmp.Or(region, d.region)
	b := mpu.Bucket{Store: "obs", Name: mpu.AnyBucket}
	switch {
	case region != "":
		if err := wire.CheckRegion(b, region); err != nil {
			return wire.Place{}, err
		}
	case !d.v2 || d.endpoint.IsZero():
		return wire.Place{}, wire.MissingRegion(b, "write region=cn-north-4, or set a default")
	}
	if d.endpoint.IsZero() {
		return wire.Place{Scheme: "https", Address: "obs." + region + ".myhuaweicloud.com", InPath: true, Region: region}, nil
	}
	return d.endpoint.Account(region)
}

// unsigned is the only hash of a body without chunks that OBS documents
// (support.huaweicloud.com/intl/en-us/obs_faq/obs_faq_0274.html).
const unsigned = "UNSIGNED-PAYLOAD"

func (d *Driver) sign(req *http.Request, s wire.Signing) error {
	if s.Place.Bucket == "" {
		req.Header.Set("X-Amz-Location", "true") // or the listing of buckets does not say where they are
	}
	if d.v2 {
		return signV2(req, s)
	}
	d.signer.Sign(req, s, unsigned)
	return nil
}
