package all_test

import (
	"context"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
)

func TestOpen(t *testing.T) {
	cfg := store.Config{Credentials: func(context.Context) (store.Credentials, error) { return store.Credentials{}, nil }}
	for _, scheme := range mpu.Stores() {
		if d, err := all.Open(scheme, cfg); err != nil || d == nil {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	if _, err := all.Open("gs", cfg); mpu.KindOf(err) != mpu.Invalid {
		t.Errorf("an unknown scheme: %v", err)
	}
}
