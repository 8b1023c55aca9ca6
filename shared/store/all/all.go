// Package all knows every driver. It is the only package that imports every vendor.
package all

import (
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/cosstore"
	"github.com/partsweep/partsweep/shared/store/mpsstore"
	"github.com/partsweep/partsweep/shared/store/obsstore"
	"github.com/partsweep/partsweep/shared/store/ossstore"
	"github.com/partsweep/partsweep/shared/store/s3store"
	"github.com/partsweep/partsweep/shared/store/vodstore"
)

// Open opens the driver of a scheme.
func Open(scheme string, cfg store.Config) (store.Driver, error) {
	switch scheme {
	case "s3":
		return s3store.New(cfg)
	case "cos":
		return cosstore.New(cfg)
	case "obs":
		return obsstore.New(cfg)
	case "oss":
		return ossstore.New(cfg)
	case "vod":
		return vodstore.New(cfg)
	case "mps":
		return mpsstore.New(cfg)
	}
	return nil, &mpu.Error{Kind: mpu.Invalid, Op: "open store", Target: scheme,
		Hint: "use one of " + strings.Join(mpu.Stores(), ", ")}
}
