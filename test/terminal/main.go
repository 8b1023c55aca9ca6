// Command terminal is a newcomer's session on a real terminal: the sandbox, a plan, an upload explained, the plan applied, the page
// read, a lifecycle rule added. It is typed by util-linux's script, so that the command sees a terminal, and what is on
// the screen is looked at afterwards.
//
//	go run ./test/terminal [-show]
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// session is what is typed, as a shell reads it. Every line is shown as if at a prompt.
const session = `
say() { printf '\n$ %s\n' "$*"; }
type() { say "$*"; eval "$*"; }
type "partsweep plan 's3://media-in' -o plan.jsonl --html page.html"
type "partsweep explain s3://media-in/raw/2026/10/slow-line.mxf"
type "partsweep apply plan.jsonl"
type "partsweep apply plan.jsonl -q; echo exit \$?"
type "sed -n 's|<title>\(.*\)</title>|the page: \1|p' page.html"
type "partsweep lifecycle --install --yes s3://media-in"
`

// seen is what must be on the screen, in this order.
var seen = []struct{ what, pattern string }{
	{"progress in one line that is written over", `\r\x1b\[K[0-9,]+ pages, [0-9,]+ found, [0-9,]+ inspected`},
	{"the plan's table", `would abort`},
	{"why something is kept", `kept, active: s3://`},
	{"the largest", `would be aborted: s3://media-in/.*MiB, begun`},
	{"what to do next", `to abort [0-9,]+: partsweep apply plan\.jsonl`},
	{"why one upload is kept", `verdict +kept, active: last part uploaded`},
	{"the plan is applied", `A plan of [0-9,]+ uploads, [0-9.]+ [GT]iB, made [0-9]+[sm] ago`},
	{"how long it takes", `aborted, .*/s, [0-9ms]+ left`},
	{"all of it", `all +([0-9]+) +([0-9]+) +0 +0 +0`},
	{"nothing left", `exit 0`},
	{"the page", `the page: partsweep: [0-9,]+ stale uploads`},
	{"a rule is added", `\+ <Rule><ID>abort-incomplete-uploads`},
	{"and read back", `it has 1 rule now`},
}

func main() {
	show := flag.Bool("show", false, "write the whole session")
	flag.Parse()
	if err := run(*show); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(show bool) error {
	if _, err := exec.LookPath("script"); err != nil {
		return errors.New("there is no script(1); install util-linux")
	}
	work, err := os.MkdirTemp("", "partsweep-terminal-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	binary := filepath.Join(work, "partsweep")
	if out, err := exec.Command("go", "build", "-o", binary, "./functions/local").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(work, "session.sh"), []byte(session), 0o644); err != nil {
		return err
	}
	screen, err := typed(work, binary+" sandbox --uploads 60000 sh session.sh")
	if show {
		os.Stdout.WriteString(screen)
	}
	if err != nil {
		return err
	}
	rest := screen
	for _, s := range seen {
		at := regexp.MustCompile(s.pattern).FindStringIndex(rest)
		if at == nil {
			return fmt.Errorf("%s: no %q behind\n%s", s.what, s.pattern, screen)
		}
		fmt.Printf("seen: %s\n", s.what)
		rest = rest[at[1]:]
	}
	return nil
}

// typed runs a command on a terminal of its own, and returns what was on the screen.
func typed(work, command string) (string, error) {
	record := filepath.Join(work, "screen")
	cmd := exec.Command("script", "--quiet", "--return", "--flush", "--command", command, record)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "TERM=xterm", "COLUMNS=120")
	if err := cmd.Start(); err != nil {
		return "", err
	}
	timer := time.AfterFunc(3*time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	text, readErr := os.ReadFile(record)
	return strings.ReplaceAll(string(text), "\r\n", "\n"), errors.Join(err, readErr)
}
