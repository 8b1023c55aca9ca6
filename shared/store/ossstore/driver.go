// Package ossstore speaks Alibaba Cloud Object Storage Service (OSS) in its own dialect.
package ossstore

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/signer"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// A Driver is a [store.Driver] for OSS. Its requests are signed with version 4 of the vendor's signature
// (alibabacloud.com/help/en/oss/developer-reference/recommend-to-use-signature-version-4).
type Driver struct {
	*wire.Multipart

	region    string
	endpoint  wire.Endpoint
	pathStyle bool
}

var (
	_ store.BucketsDriver   = (*Driver)(nil)
	_ store.LifecycleDriver = (*Driver)(nil)
)

// New returns a driver. The error is mpu.Invalid and names the field of the configuration that is wrong.
func New(cfg store.Config) (*Driver, error) {
	if cfg.Signature != "" && cfg.Signature != "v4" {
		return nil, wire.BadField("Signature", cfg.Signature, "oss has v4 only")
	}
	d := &Driver{region: cfg.Region, pathStyle: cfg.PathStyle}
	var err error
	if cfg.Endpoint != "" {
		if d.endpoint, err = wire.ParseEndpoint(cfg.Endpoint); err != nil {
			return nil, err
		}
	}
	switch {
	case cfg.PathStyle && d.endpoint.IsZero():
		return nil, wire.BadField("PathStyle", "true", "oss's own domains have none; leave it out")
	case cfg.PathStyle && d.endpoint.HasBucket():
		return nil, wire.BadField("PathStyle", "true", "the endpoint has {bucket} in its host")
	}
	if d.Multipart, err = wire.NewMultipart(cfg, wire.Dialect{
		Codes:       codes,
		Permissions: permissions,
		Hints:       hints,
		EncodingURL: true,
		Locate:      d.locate,
		Buckets:     wire.BucketListing{Locate: d.locateAccount, Most: "max-keys", After: "marker"},
		NoLifecycle: "NoSuchLifecycle",
		Sign:        sign,
		ParseTime:   wire.ParseISO8601,
	}); err != nil {
		return nil, err
	}
	return d, nil
}

// locate implements the endpoint rules (alibabacloud.com/help/en/oss/user-guide/regions-and-endpoints).
func (d *Driver) locate(b mpu.Bucket) (wire.Place, error) {
	region := b.Region
	if region == "" {
		region = d.region
	}
	region = strings.TrimPrefix(region, "oss-") // the console writes it so
	if region == "" {
		return wire.Place{}, wire.MissingRegion(b, "the signature holds it: write region=cn-hangzhou, or set a default")
	}
	if err := wire.CheckRegion(b, region); err != nil {
		return wire.Place{}, err
	}
	inPath := d.pathStyle || d.endpoint.IsIP()
	if !inPath && !wire.IsBucketHost(b.Name) {
		return wire.Place{}, &mpu.Error{Kind: mpu.Refused, Message: "the bucket's name cannot stand in a host"}
	}
	if d.endpoint.IsZero() {
		return wire.Place{Scheme: "https", Address: b.Name + ".oss-" + region + ".aliyuncs.com", Bucket: b.Name, Region: region}, nil
	}
	return d.endpoint.Place(b.Name, region, inPath), nil
}

// locateAccount is where the account's buckets are listed: in any region, those of all
// (alibabacloud.com/help/en/oss/developer-reference/listbuckets).
func (d *Driver) locateAccount(region string) (wire.Place, error) {
	region = strings.TrimPrefix(cmp.Or(region, d.region), "oss-")
	b := mpu.Bucket{Store: "oss", Name: mpu.AnyBucket}
	if region == "" {
		return wire.Place{}, wire.MissingRegion(b, "the signature holds it: write region=cn-hangzhou, or set a default")
	}
	if err := wire.CheckRegion(b, region); err != nil {
		return wire.Place{}, err
	}
	if d.endpoint.IsZero() {
		return wire.Place{Scheme: "https", Address: "oss-" + region + ".aliyuncs.com", InPath: true, Region: region}, nil
	}
	return d.endpoint.Account(region)
}

func sign(req *http.Request, s wire.Signing) error {
	product := "oss"
	sc := &signer.SigningContext{
		Product: &product,
		Region:  &s.Place.Region,
		Request: req,
		Credentials: &credentials.Credentials{
			AccessKeyID:     s.Credentials.AccessKeyID,
			AccessKeySecret: s.Credentials.SecretAccessKey,
			SecurityToken:   s.Credentials.SessionToken,
		},
		Time: s.Now,
	}
	if s.Place.Bucket != "" {
		sc.Bucket = &s.Place.Bucket
	}
	if s.Key != "" {
		sc.Key = &s.Key
	}
	return new(signer.SignerV4).Sign(context.Background(), sc)
}
