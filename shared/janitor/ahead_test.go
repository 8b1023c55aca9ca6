package janitor

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// One page is read while the one before is worked on, never two, and nothing is read once nobody wants more.
func TestAhead(t *testing.T) {
	for _, tt := range []struct{ take, read int }{{1, 2}, {2, 3}, {4, 5}, {9, 5}} {
		t.Run(fmt.Sprintf("take %d", tt.take), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				read, ended := 0, false
				failure := errors.New("the fifth")
				pages := func(yield func(store.Page, error) bool) {
					defer func() { ended = true }()
					for read < 5 {
						read++
						var err error
						if read == 5 {
							err = failure
						}
						if !yield(store.Page{Next: mpu.Marker{Key: fmt.Sprint(read)}}, err) {
							return
						}
					}
				}
				taken := 0
				for page, err := range ahead(pages) {
					taken++
					synctest.Wait()
					if page.Next.Key != fmt.Sprint(taken) || (err != nil) != (taken == 5) || read != min(taken+1, 5) {
						t.Errorf("page %d is %q with %v, and %d are read", taken, page.Next.Key, err, read)
					}
					if taken == tt.take {
						break
					}
				}
				if taken != min(tt.take, 5) || read != tt.read || !ended {
					t.Errorf("%d taken, %d read, ended %v", taken, read, ended)
				}
			})
		})
	}
}
