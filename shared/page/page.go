package page

import (
	_ "embed"
	"html/template"
	"io"
	"time"
)

//go:embed page.html
var text string

var tmpl = template.Must(template.New("page").Funcs(template.FuncMap{
	"size": Size, "money": Money, "count": Count, "date": date, "day": day, "clock": clock, "share": share, "table": newTable, "entries": newEntries, "short": Short,
}).Parse(text))

// A Page is what is shown beside the figures.
type Page struct {
	Breakdown
	Made     time.Time
	Mode     string // plan or apply
	Requests []string
	Notes    []string
	Failures []string
	Prices   []Price
}

// A Price is what the costs were worked out with.
type Price struct {
	Store  string  `json:"store"`
	USD    float64 `json:"usd"` // a GB (2^30 bytes) and month
	Source string  `json:"source"`
	Date   string  `json:"date,omitempty"`
}

// Write writes the page. It is one file, and asks no network for anything.
func (p Page) Write(w io.Writer) error { return tmpl.Execute(w, p) }

// Verb is what was done to the stale uploads, or would be.
func (p Page) Verb() string {
	if p.Mode == "plan" {
		return "would be aborted"
	}
	return "aborted"
}

// A table is one of the page's tables of rows.
type table struct {
	Title, First string
	Rows         []Row
	Most         int64 // bytes in the row that has the most
}

func newTable(title, first string, rows []Row) table {
	t := table{Title: title, First: first, Rows: rows}
	for _, r := range rows {
		t.Most = max(t.Most, r.Bytes)
	}
	return t
}

type entries struct {
	ID, Title string
	Now       time.Time
	List      []Entry
}

func newEntries(id, title string, now time.Time, list []Entry) entries {
	return entries{id, title, now, list}
}

// share is how long a bar is, in percent.
func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole) * 100
}

// cents writes an amount in a column of amounts, where a fraction of a cent would be the longest.
func cents(usd float64) string {
	if usd > 0 && usd < 0.01 {
		return "< $0.01"
	}
	return Money(usd)
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(" 15:04")
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}
