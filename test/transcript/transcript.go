// Package transcript keeps what the functions write while they are tested, so that all of it can be searched for secrets
// afterwards.
package transcript

import (
	"io"
	"os"
	"path/filepath"
	"sync"
)

// Variable names the folder. Without it nothing is kept.
const Variable = "PARTSWEEP_TEST_TRANSCRIPT"

// To returns a writer that writes to w and keeps a copy in a file of its own, whose name begins with name.
func To(w io.Writer, name string) io.Writer {
	dir := os.Getenv(Variable)
	if dir == "" {
		return w
	}
	f, err := os.CreateTemp(dir, filepath.Base(name)+"-*.txt")
	if err != nil {
		panic("transcript: " + err.Error()) // whoever set the folder wants to have it all
	}
	return io.MultiWriter(w, &file{f: f})
}

// Keep keeps a text, such as an answer.
func Keep(name string, text []byte) {
	To(io.Discard, name).Write(text)
}

// A file opens and closes with every write, so that whoever forgets to close it leaks nothing.
type file struct {
	mu sync.Mutex
	f  *os.File
}

func (t *file) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.f.Write(b)
}
