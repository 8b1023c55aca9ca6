package handler

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// writeCounter counts how often it is written to.
type writeCounter struct {
	mu sync.Mutex
	bytes.Buffer
	writes int
}

func (c *writeCounter) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	return c.Buffer.Write(b)
}

func (c *writeCounter) said() (string, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.String(), c.writes
}

func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writeCounter
		l := newLines(&out)
		fmt.Fprintln(l, "one")
		fmt.Fprintln(l, "two")
		if s, _ := out.said(); s != "" {
			t.Errorf("%q is written at once", s)
		}
		time.Sleep(heldTime)
		synctest.Wait()
		if s, n := out.said(); s != "one\ntwo\n" || n != 1 {
			t.Errorf("after a moment %q was written in %d pieces", s, n)
		}
		fmt.Fprintln(l, "three")
		l.flush()
		l.flush()
		if s, n := out.said(); s != "one\ntwo\nthree\n" || n != 2 {
			t.Errorf("at the end %q was written in %d pieces", s, n)
		}
		time.Sleep(10 * heldTime)
		synctest.Wait()
		if _, n := out.said(); n != 2 {
			t.Errorf("%d writes, want no more", n)
		}
	})
}

// No line is lost, cut or written twice, however many write at once.
func TestLinesOfMany(t *testing.T) {
	var out writeCounter
	l := newLines(&out)
	const writers, each = 8, 2000
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				fmt.Fprintf(l, "line %d-%d %s\n", w, i, strings.Repeat("x", i%50))
			}
		})
	}
	wg.Wait()
	l.Write([]byte(strings.Repeat("y", 5*heldBytes) + "\n"))
	l.flush()
	s, n := out.said()
	seen := map[string]bool{}
	for line := range strings.Lines(s) {
		seen[line] = true
	}
	if len(seen) != writers*each+1 || strings.Count(s, "\n") != writers*each+1 {
		t.Errorf("%d lines, %d of them different; want %d", strings.Count(s, "\n"), len(seen), writers*each+1)
	}
	if n > len(s)/heldBytes+10 {
		t.Errorf("%d bytes were written in %d pieces", len(s), n)
	}
}
