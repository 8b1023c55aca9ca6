package adversary

import (
	"testing"

	"github.com/partsweep/partsweep/test/sandbox"
)

// Without an attacker all is as it should be; otherwise the other tests would prove nothing.
func TestNobodyAttacks(t *testing.T) {
	for _, s := range sandbox.Services {
		t.Run(string(s), func(t *testing.T) {
			w := newWorld(t)
			mine, other := w.seed(ours[s], "raw/a.mxf", "id-1"), w.seed(theirs[s], "raw/a.mxf", "id-1")
			report, err := w.run(t, failed(mine))
			if err != nil || report.Totals.Aborted != 1 || w.there(mine) || !w.there(other) {
				t.Errorf("%+v, %v", report.Totals, err)
			}
			if strays := w.strays(); len(w.hosts()) != 1 || len(strays) != 0 {
				t.Errorf("dialled %q", w.hosts())
			}
			w.checkLog(t)
		})
	}
}
