package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// A tally is what one witness said.
type tally struct {
	name       string
	version    string
	passed     []string
	failed     []string
	deviations []string // reasons, each beside what it is about
	absent     string   // why it did not run
	journeys   []string
}

func main() {
	cmd := exec.Command("go", "test", "-count=1", "-json", ".")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	tallies, other := read(bufio.NewScanner(out))
	failed := cmd.Wait() != nil
	show(tallies)
	if failed {
		fmt.Printf("\nFAILED\n%s", other)
		os.Exit(1)
	}
}

// event is a line of go test -json.
type event struct{ Action, Test, Output string }

var said = regexp.MustCompile(`^\s*\w+\.go:\d+: (declared deviation|version|swept|not installed): (.*)$`)

// read reads what go test says and sorts it by witness: the first part of each test's name.
func read(lines *bufio.Scanner) (tallies []*tally, other string) {
	lines.Buffer(nil, 1<<20)
	var rest bytes.Buffer
	get := func(test string) *tally {
		name, _, _ := strings.Cut(strings.TrimPrefix(test, "Test"), "/")
		if i := slices.IndexFunc(tallies, func(t *tally) bool { return t.name == name }); i >= 0 {
			return tallies[i]
		}
		tallies = append(tallies, &tally{name: name})
		return tallies[len(tallies)-1]
	}
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			rest.Write(append(lines.Bytes(), '\n'))
			continue
		}
		if e.Action == "output" {
			rest.WriteString(e.Output)
		}
		if e.Test == "" {
			continue
		}
		t := get(e.Test)
		_, question, _ := strings.Cut(e.Test, "/")
		switch {
		case e.Action == "pass" && question != "":
			t.passed = append(t.passed, question)
		case e.Action == "fail":
			t.failed = append(t.failed, question)
		case e.Action == "output":
			t.hear(question, strings.TrimSuffix(e.Output, "\n"))
		}
	}
	return tallies, rest.String()
}

// hear takes in a line that a test has logged.
func (t *tally) hear(question, line string) {
	m := said.FindStringSubmatch(line)
	if m == nil {
		return
	}
	switch m[1] {
	case "version":
		t.version = m[2]
	case "swept":
		t.journeys = append(t.journeys, strings.TrimSuffix(strings.TrimSuffix(question, "sweep"), "/")+" "+m[2])
	case "not installed":
		t.absent = m[2]
	default:
		t.deviations = append(t.deviations, strings.ReplaceAll(question, "_", " ")+": "+m[2])
	}
}

// questions counts the tests that passed and hold no others.
func (t *tally) questions() (n int) {
	for _, p := range t.passed {
		if !slices.ContainsFunc(t.passed, func(other string) bool { return strings.HasPrefix(other, p+"/") }) {
			n++
		}
	}
	return n
}

func show(tallies []*tally) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "witness\tversion\tpassed\tdeviations\tfailed")
	for _, t := range tallies {
		if t.absent != "" {
			fmt.Fprintf(w, "%s\tnot installed: %s\t\t\t\n", t.name, t.absent)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\n", t.name, t.version, t.questions(), len(t.deviations), len(t.failed))
	}
	w.Flush()
	for _, t := range tallies {
		for _, list := range []struct {
			title string
			lines []string
		}{{"swept", t.journeys}, {"declared deviation", t.deviations}, {"failed", t.failed}} {
			for _, line := range list.lines {
				fmt.Printf("\n%s, %s: %s", t.name, list.title, strings.TrimSpace(line))
			}
		}
	}
	fmt.Println()
}
