package s3store

import (
	"testing"

	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/test/sandbox"
	"github.com/partsweep/partsweep/test/sandbox/sandboxtest"
)

func open(t *testing.T, cfg store.Config, pageSize int) store.Driver {
	t.Helper()
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.PageSize = pageSize
	return d
}

func TestExamine(t *testing.T)   { sandboxtest.Examine(t, sandbox.S3, open, nil) }
func TestCodes(t *testing.T)     { sandboxtest.Codes(t, sandbox.S3, open, codes) }
func TestKeys(t *testing.T)      { sandboxtest.Keys(t, sandbox.S3, open) }
func TestSignature(t *testing.T) { sandboxtest.Signature(t, sandbox.S3, open) }
