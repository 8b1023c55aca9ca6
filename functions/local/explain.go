package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/lifecycle"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/page"
)

// mostExplained is how many uploads of one key are explained.
const mostExplained = 20

func (c *console) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain REQUEST",
		Short: "say what is known of one upload, and what the rules say of it",
		Long: `Says of one upload, or of all of one key: when it was begun, what it holds and since when nothing has happened to it, whether a
lifecycle rule covers it and until when, what the rules decide, and why. Nothing is changed.`,
		Example: `  partsweep explain 's3://videos/raw/a.mxf'
  partsweep explain 's3://videos/raw/a.mxf?uploadId=VXBs&olderThan=2d'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			rs, err := c.requests(args)
			if err != nil {
				return err
			}
			if len(rs) != 1 {
				return usage(errors.New("name one upload, or one key"), "for many, see partsweep plan")
			}
			h, err := handler.New(c.platform(toPlan, rs))
			if err != nil {
				return err
			}
			all, err := h.Explain(c.stop, rs[0], mostExplained) // nothing is changed, so that the first Ctrl-C may end it
			if err != nil {
				return err
			}
			rules := newRules(c.stop, h)
			for i, e := range all {
				covering := rules.of(e.Upload)
				if c.stop.Err() != nil {
					return errors.New("interrupted")
				}
				x := explain(e, covering, h.Settings())
				if c.json {
					if err := json.NewEncoder(c.out).Encode(x); err != nil {
						return err
					}
					continue
				}
				if i > 0 {
					fmt.Fprintln(c.out)
				}
				fmt.Fprint(c.out, x.text())
			}
			return nil
		},
	}
}

// rules are the lifecycle rules of the bucket that is asked about, read once.
type rules struct {
	ctx   context.Context
	h     *handler.Handler
	audit map[mpu.Bucket]ruleset
}

type ruleset struct {
	rules []lifecycle.Rule
	err   error
}

func newRules(ctx context.Context, h *handler.Handler) *rules {
	return &rules{ctx, h, map[mpu.Bucket]ruleset{}}
}

func (r *rules) of(u mpu.Upload) ruleset {
	s, ok := r.audit[u.Bucket]
	if !ok && !mpu.ByMediaID(u.Bucket.Store) {
		st, err := r.h.Open(u.Bucket)
		if s.err = err; err == nil {
			a, err := lifecycle.Read(r.ctx, st, mpu.Request{Bucket: u.Bucket})
			s = ruleset{a.Rules, err}
		}
		r.audit[u.Bucket] = s
	}
	return s
}

// An explanation is what explain writes.
type explanation struct {
	Upload       string      `json:"upload"`
	Initiated    time.Time   `json:"initiated,omitzero"`
	Parts        int         `json:"parts"`
	Bytes        int64       `json:"bytes"`
	MonthlyUSD   float64     `json:"monthlyUSD"`
	NewestPart   time.Time   `json:"newestPart,omitzero"`
	LastActive   time.Time   `json:"lastActive,omitzero"`
	StorageClass string      `json:"storageClass,omitempty"`
	Lifecycle    string      `json:"lifecycle"`
	Verdict      mpu.Verdict `json:"verdict"`
	Reason       mpu.Reason  `json:"reason"`
	Detail       string      `json:"detail"`
	Before       time.Time   `json:"before"`
}

func explain(e janitor.Explanation, rules ruleset, settings handler.Settings) explanation {
	return explanation{
		Upload: e.Upload.String(), Initiated: e.Upload.Initiated, Parts: e.Parts, Bytes: e.Bytes,
		MonthlyUSD: settings.Price(e.Upload.Bucket.Store).MonthlyCost(e.Bytes), NewestPart: e.Newest, LastActive: e.LastActive,
		StorageClass: e.Upload.StorageClass, Lifecycle: covered(e.Upload, rules),
		Verdict: e.Verdict, Reason: e.Reason, Detail: e.Detail, Before: e.Before,
	}
}

// covered says which lifecycle rule covers an upload, and until when.
func covered(u mpu.Upload, s ruleset) string {
	switch rule, ok := lifecycle.Covering(s.rules, u.Key); {
	case mpu.ByMediaID(u.Bucket.Store):
		return u.Bucket.Store + " has no lifecycle rules"
	case s.err != nil:
		return "not known: " + s.err.Error()
	case ok && u.Initiated.IsZero():
		return fmt.Sprintf("rule %q aborts it %s after it was begun", rule.ID, plural(rule.Days, "day"))
	case ok:
		return fmt.Sprintf("rule %q aborts it at %s, %s after it was begun, alive or not",
			rule.ID, rule.AbortsAt(u.Initiated).Format(time.RFC3339), plural(rule.Days, "day"))
	}
	for _, r := range s.rules {
		if why := r.WhyNot(u.Key); why != "" {
			return fmt.Sprintf("none: rule %q would abort uploads, but %s", r.ID, why)
		}
	}
	return "none covers it"
}

// text is the explanation as people read it.
func (x explanation) text() string {
	var b strings.Builder
	fmt.Fprintln(&b, x.Upload)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("begun", "%s", when(x.Initiated))
	line("holds", "%s in %s, about %s a month", page.Size(x.Bytes), plural(x.Parts, "part"), page.Money(x.MonthlyUSD))
	line("newest part", "%s", cmp.Or(when(x.NewestPart), "none"))
	if x.StorageClass != "" {
		line("class", "%s", x.StorageClass)
	}
	line("lifecycle", "%s", x.Lifecycle)
	line("cutoff", "%s: stale is what nothing has happened to since then", when(x.Before))
	switch x.Verdict {
	case mpu.Abort:
		line("verdict", "stale, it would be aborted: %s", x.Detail)
	default:
		line("verdict", "kept, %s: %s", x.Reason, x.Detail)
	}
	return b.String()
}

// when writes a time and how long ago it is, empty for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s, %s ago", t.UTC().Format(time.RFC3339), roughly(time.Since(t)))
}

// roughly writes a duration with two units at most.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 10*day:
		return fmt.Sprintf("%dd", d/day)
	case d >= 2*day:
		return strings.TrimSuffix(fmt.Sprintf("%dd %dh", d/day, d%day/time.Hour), " 0h")
	case d >= time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute), " 0m")
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
