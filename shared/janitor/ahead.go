package janitor

import (
	"iter"

	"github.com/partsweep/partsweep/shared/store"
)

// ahead yields what pages yields, and reads the next one meanwhile: a listing takes as long as some hundred aborts that could
// be in flight. It is never further than one page ahead, so that memory stays bounded.
func ahead(pages iter.Seq2[store.Page, error]) iter.Seq2[store.Page, error] {
	type result struct {
		page store.Page
		err  error
	}
	return func(yield func(store.Page, error) bool) {
		results, stop := make(chan result), make(chan struct{})
		go func() {
			defer close(results)
			for page, err := range pages {
				select {
				case results <- result{page, err}:
				case <-stop:
					return
				}
			}
		}()
		defer func() {
			close(stop)
			for range results { // until nothing is read any more
			}
		}()
		for r := range results {
			if !yield(r.page, r.err) {
				return
			}
		}
	}
}
