package main

import (
	"bytes"
	"encoding/json"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A log reads what a process writes, line by line as it comes: at that moment the sandbox must already have done what the
// line says.
type log struct {
	world *world
	part  []byte          // of a line
	seen  map[string]bool // uploads that this process said were aborted
	rest  []string        // of its report
}

// A line is what is read of a line of the log.
type line struct {
	Msg, Target string
	Report      struct {
		Totals struct{ Aborted int }
		Rest   []string
	}
}

// Write implements io.Writer.
func (l *log) Write(b []byte) (int, error) {
	l.part = append(l.part, b...)
	for {
		whole, rest, ok := bytes.Cut(l.part, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		l.read(whole)
		l.part = rest
	}
}

// read reads a whole line. What a platform's own code writes is none of JSON.
func (l *log) read(text []byte) {
	if !bytes.HasPrefix(text, []byte("{")) {
		return
	}
	w := l.world
	w.mu.Lock()
	defer w.mu.Unlock()
	var said line
	if err := json.Unmarshal(text, &said); err != nil {
		w.result.complain("a line of the log cannot be read: %v: %s", err, text)
		return
	}
	switch said.Msg {
	case string(mpu.ResultAborted):
		l.claim(said.Target)
	case "report":
		l.rest = said.Report.Rest
		if n := said.Report.Totals.Aborted; n != len(l.seen) {
			w.result.complain("a report says that %d uploads were aborted, and the lines before it %d", n, len(l.seen))
		}
	}
}

// claim checks a claim that an upload was aborted. The world's lock must be held.
func (l *log) claim(target string) {
	w := l.world
	r, err := mpu.Parse(target)
	id := r.UploadID
	w.claimed[id]++
	w.result.logged++
	switch {
	case err != nil:
		w.result.complain("the log names %q: %v", target, err)
	case l.seen[id]:
		w.result.twice++
		w.result.complain("one run says twice that %s was aborted", id)
	case w.claimed[id] > w.aborted[id]:
		w.result.complain("%s is said to be aborted for the %d. time, and was %d times", id, w.claimed[id], w.aborted[id])
	}
	l.seen[id] = true
}
