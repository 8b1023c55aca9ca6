package store

import (
	"context"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A Call is one request on its way to a driver.
type Call struct {
	Op     Op
	Upload mpu.Upload // what it is about; for ListUploads only the bucket, and the prefix as Key
	run    func(context.Context) error
}

// A Send sends one request and returns when its answer has been read.
type Send func(ctx context.Context, c Call) error

// A Layer is one concern around every single request: retrying, pacing, bounding, logging.
type Layer func(next Send) Send
