package cosstore

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

func TestExamine(t *testing.T)   { sandboxtest.Examine(t, sandbox.COS, open, nil) }
func TestCodes(t *testing.T)     { sandboxtest.Codes(t, sandbox.COS, open, codes) }
func TestKeys(t *testing.T)      { sandboxtest.Keys(t, sandbox.COS, open) }
func TestSignature(t *testing.T) { sandboxtest.Signature(t, sandbox.COS, open) }
