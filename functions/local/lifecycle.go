package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/lifecycle"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/page"
	"github.com/partsweep/partsweep/shared/store"
)

// An auditor is the lifecycle command.
type auditor struct {
	*console
	install, yes bool
	days         int
	handler      *handler.Handler
}

func (c *console) lifecycleCommand() *cobra.Command {
	a := &auditor{console: c, days: 7}
	cmd := &cobra.Command{
		Use:   "lifecycle REQUEST...",
		Short: "say whether a lifecycle rule aborts stale uploads, and add one",
		Long: `Reads the lifecycle rules of each bucket and says whether one of them aborts the uploads in it, from when on, and whether that
happens: uploads that a rule should have aborted long ago tell of a store that ignores it. Nothing is changed.

With --install a rule is added where none covers all uploads. It is shown first, and written when you say so. Every other rule stays
as it is, byte for byte. A rule goes by the age of an upload since it was begun, and so aborts slow live ones too: give it more
days than your longest upload takes.`,
		Example: `  partsweep lifecycle s3://videos 'oss://media?region=cn-shanghai'
  partsweep lifecycle 's3://*'
  partsweep lifecycle --install --days 14 s3://videos`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(cmd, args) },
	}
	cmd.Flags().BoolVar(&a.install, "install", false, "add a rule where none covers all uploads")
	cmd.Flags().Var(&number{value: &a.days, least: 1, unit: "d"}, "days", "how many `DAYS` after its beginning the rule aborts an upload")
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "write the rule without asking")
	cmd.Flags().BoolVarP(&a.quiet, "quiet", "q", false, "name only buckets that are not covered, or whose rule is ignored")
	return cmd
}

func (a *auditor) run(cmd *cobra.Command, args []string) error {
	for _, flag := range []string{"yes", "days"} {
		if cmd.Flags().Changed(flag) && !a.install {
			return usage(fmt.Errorf("--%s is of use with --install only, and without it nothing is written", flag), "add --install, or leave it out")
		}
	}
	rs, err := a.requests(args)
	if err != nil {
		return err
	}
	for _, r := range rs {
		if r != (mpu.Request{Bucket: r.Bucket, Prefix: r.Prefix}) {
			return usage(fmt.Errorf("%s: only a bucket and a prefix can stand here", r), "as in s3://videos?prefix=raw/")
		}
	}
	mode := toPlan
	if a.install {
		mode = toApply
	}
	if a.handler, err = handler.New(a.platform(mode, rs)); err != nil {
		return err
	}
	var errs []error
	for _, r := range rs {
		buckets, err := a.handler.Allowed(cmd.Context(), r)
		errs = append(errs, err)
		for _, b := range buckets {
			if a.stop.Err() != nil {
				errs = append(errs, fmt.Errorf("%s: interrupted before it was looked at", b))
				continue
			}
			if err := a.look(cmd, b); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return join(errs...)
}

// look audits one bucket, and mends it if that is asked for.
func (a *auditor) look(cmd *cobra.Command, r mpu.Request) error {
	st, err := a.handler.Open(r.Bucket)
	if err != nil {
		return err
	}
	audit, err := lifecycle.Look(cmd.Context(), st, r, time.Now())
	if err != nil {
		return err
	}
	a.tell(audit)
	added := ""
	switch {
	case !a.install:
	case !audit.Covered:
		audit, added, err = a.add(cmd.Context(), st, audit)
	case cmd.Flags().Changed("days") && audit.Rule.Days != a.days && !a.quiet:
		fmt.Fprintf(a.told(), "  nothing is added: it is covered already; for %s, change rule %q itself\n", plural(a.days, "day"), audit.Rule.ID)
	}
	if a.json {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		enc.Encode(newAuditJSON(audit, added))
	}
	return err
}

// add adds the rule that covers what an audit found uncovered, if whoever sits there agrees. It returns what is known then, and the
// rule's text if it was written.
func (a *auditor) add(ctx context.Context, st *store.Store, audit lifecycle.Audit) (after lifecycle.Audit, rule string, err error) {
	change, err := audit.Plan(a.days)
	if err != nil {
		return audit, "", err
	}
	where, others := "", ""
	if a.json {
		where = " to " + audit.Target.String() // which stands nowhere yet
	}
	if n := len(audit.Rules); n > 0 {
		others = "; of what it has, " + plural(n, "rule") + ", not a byte changes"
	}
	fmt.Fprintf(a.told(), "  to be added%s%s:\n  + %s\n", where, others, change.Rule)
	if !a.handler.Settings().Apply {
		return audit, "", fmt.Errorf("%s: not written, because %sMODE is plan", audit.Target, handler.Prefix)
	}
	if !a.agreed() || a.stop.Err() != nil {
		return audit, "", fmt.Errorf("%s: nothing was written", audit.Target)
	}
	after, written, err := change.Install(ctx, st)
	if written {
		rule = change.Rule
	}
	if err == nil {
		fmt.Fprintf(a.told(), "  written, and read back: it has %s now\n", plural(len(after.Rules), "rule"))
	}
	return after, rule, err
}

// told is where people read what is said: not among the objects that a program reads.
func (a *auditor) told() io.Writer {
	if a.json {
		return a.err
	}
	return a.out
}

// agreed asks whoever sits there, unless the answer was typed before.
func (a *auditor) agreed() bool {
	if a.yes {
		return true
	}
	if f, ok := a.in.(*os.File); ok && !term.IsTerminal(int(f.Fd())) {
		fmt.Fprintln(a.told(), "  there is nobody to ask whether to write it; add --yes")
		return false
	}
	fmt.Fprint(a.told(), "  write it? [y/N] ")
	answer, err := interruptibly(a.console, func() (string, error) { return bufio.NewReader(a.in).ReadString('\n') })
	if err != nil && err != io.EOF {
		return false
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

// tell says to people what an audit found.
func (a *auditor) tell(audit lifecycle.Audit) {
	if a.json || a.quiet && audit.Covered && audit.Overdue == 0 {
		return
	}
	fmt.Fprintln(a.out, audit.Target)
	for _, line := range findings(audit) {
		fmt.Fprintf(a.out, "  %s\n", line)
	}
}

func findings(audit lifecycle.Audit) (lines []string) {
	open := plural(audit.Open, "upload") + " open"
	if audit.More {
		open = "more than " + open
	}
	if !audit.Oldest.IsZero() {
		open += ", the oldest begun " + when(audit.Oldest)
	}
	switch {
	case audit.Covered:
		lines = append(lines, fmt.Sprintf("covered: rule %q aborts uploads %s after they were begun, alive or not",
			audit.Rule.ID, plural(audit.Rule.Days, "day")))
	case len(audit.Rules) == 0:
		lines = append(lines, "not covered: the bucket has no lifecycle rules")
	default:
		lines = append(lines, fmt.Sprintf("not covered: it has %s, and none that aborts all uploads", plural(len(audit.Rules), "rule")))
	}
	for _, r := range audit.Rules {
		if why := r.WhyNot(audit.Target.Prefix); why != "" {
			lines = append(lines, fmt.Sprintf("rule %q aborts uploads, but %s", r.ID, why))
		}
	}
	lines = append(lines, open)
	if audit.Overdue > 0 {
		lines = append(lines, plural(audit.Overdue, "upload")+
			" should have been aborted by the rule days ago: it is younger than that, or this store ignores it")
	}
	return lines
}

type auditJSON struct {
	Bucket  string    `json:"bucket"`
	Covered bool      `json:"covered"`
	Rule    string    `json:"rule,omitempty"`
	Days    int       `json:"days,omitempty"`
	Rules   int       `json:"rules"`
	Open    int       `json:"open"`
	More    bool      `json:"more"`
	Oldest  time.Time `json:"oldest,omitzero"`
	Overdue int       `json:"overdue"`
	Said    []string  `json:"said"`            // the same in words
	Added   string    `json:"added,omitempty"` // the rule that was written, as it was sent; the rules are those that are there since
}

func newAuditJSON(a lifecycle.Audit, added string) auditJSON {
	return auditJSON{a.Target.String(), a.Covered, a.Rule.ID, a.Rule.Days, len(a.Rules), a.Open, a.More, a.Oldest, a.Overdue, findings(a), added}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return page.Count(n) + " " + noun + "s"
}
