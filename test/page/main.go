// Command page opens the report's page in a real browser, headless Chromium, on a phone and on a desk, in light and in dark, and
// holds it against the JSON report of the same run: the figures, the sums of every table, what a click on a head does. A console
// message, a request to anywhere or a page that is wider than the screen fails it.
//
//	go -C test/page run . [-out FOLDER]
//
// It is a module of its own, so that nothing else needs a browser's protocol.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

func main() {
	out := flag.String("out", "", "keep the pictures in this `folder`")
	uploads := flag.Int("uploads", 5000, "how many uploads the page is about")
	flag.Parse()
	if err := run(*out, *uploads); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A report is what of the JSON report is held against the page.
type report struct {
	Reports []struct {
		Totals struct{ Found, Planned, BytesPlanned int64 }
	}
	Breakdown struct {
		Total                                      row
		Services, Buckets, Prefixes, Ages, Reasons []row
		Largest, Oldest                            []struct{ Upload string }
	}
}

type row struct {
	Name              string
	Uploads, Stale    int64
	Bytes, StaleBytes int64
	MonthlyUSD        float64
}

func run(out string, uploads int) error {
	browser, err := browserPath()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "partsweep-page-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if out == "" {
		out = work
	} else if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	want, page, err := makePage(work, uploads)
	if err != nil {
		return err
	}
	var errs []error
	for _, screen := range []struct {
		name          string
		width, height int64
		phone, dark   bool
	}{{"phone", 390, 844, true, false}, {"phone-dark", 390, 844, true, true}, {"desk", 1280, 900, false, false}, {"desk-dark", 1280, 900, false, true}} {
		v := &visit{want: want, width: screen.width}
		err := v.open(browser, "file://"+page, screen.height, screen.phone, screen.dark, filepath.Join(out, screen.name))
		fmt.Printf("%-10s %4d wide  %d uploads, %d checks, %d complaints, %d console messages\n", screen.name, screen.width, want.Breakdown.Total.Uploads,
			v.checks, len(v.complaints), len(v.messages))
		for _, c := range append(v.complaints, v.messages...) {
			errs = append(errs, fmt.Errorf("%s: %s", screen.name, c))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", screen.name, err))
		}
	}
	return errors.Join(errs...)
}

func browserPath() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no Chromium; install the package chromium")
}

// makePage runs a plan on the sandbox, which writes the page and the JSON report of the same run.
func makePage(work string, uploads int) (*report, string, error) {
	binary, page := filepath.Join(work, "partsweep"), filepath.Join(work, "page.html")
	build := exec.Command("go", "build", "-o", binary, "./functions/local")
	build.Dir = filepath.Join("..", "..")
	if b, err := build.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("%w\n%s", err, b)
	}
	cmd := exec.Command(binary, "sandbox", "--uploads", fmt.Sprint(uploads), "partsweep", "plan", "s3://*", "cos://*", "obs://*", "oss://*", "vod://cn-shanghai",
		"--json", "--html", page)
	cmd.Stderr = os.Stderr
	b, err := cmd.Output()
	if err != nil {
		return nil, "", err
	}
	var r report
	return &r, page, json.Unmarshal(b, &r)
}

// A visit is one look at the page.
type visit struct {
	want       *report
	width      int64
	checks     int
	complaints []string

	mu       sync.Mutex
	messages []string
}

func (v *visit) open(browser, url string, height int64, phone, dark bool, picture string) error {
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(browser), chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	defer cancel()
	chromedp.ListenTarget(ctx, v.listen(url))
	scheme, scale := "light", 1.0
	if dark {
		scheme = "dark"
	}
	if phone {
		scale = 2
	}
	var top, largest []byte
	err := chromedp.Run(ctx, network.Enable(), log.Enable(), runtime.Enable(),
		emulation.SetDeviceMetricsOverride(v.width, height, scale, phone),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.Navigate(url),
		chromedp.ActionFunc(v.figures),
		chromedp.ActionFunc(v.sorting),
		chromedp.CaptureScreenshot(&top),
		chromedp.Evaluate(`document.querySelector("#largest").closest("section").scrollIntoView()`, nil),
		chromedp.CaptureScreenshot(&largest),
	)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(picture+".png", top, 0o644), os.WriteFile(picture+"-largest.png", largest, 0o644))
}

// listen keeps what the page should not do: say something on the console, fail, or ask for anything but itself.
func (v *visit) listen(url string) func(any) {
	say := func(format string, args ...any) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.messages = append(v.messages, fmt.Sprintf(format, args...))
	}
	return func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			say("console %s", e.Type)
		case *runtime.EventExceptionThrown:
			say("%v", e.ExceptionDetails)
		case *log.EventEntryAdded:
			say("%s", e.Entry.Text)
		case *network.EventRequestWillBeSent:
			if e.Request.URL != url && !strings.HasPrefix(e.Request.URL, "data:") {
				say("request to %s", e.Request.URL)
			}
		}
	}
}

func (v *visit) check(ok bool, format string, args ...any) {
	v.checks++
	if !ok {
		v.complaints = append(v.complaints, fmt.Sprintf(format, args...))
	}
}

// A table is one of the page's, as the browser has it.
type table struct {
	Title string
	Cells [][]string // text
	Names []string   // of uploads, in full
	Sums  []float64  // of a column's numbers
}

const readTables = `[...document.querySelectorAll("section")].filter(s => s.querySelector("table")).map(s => {
  const rows = [...s.querySelector("tbody").rows];
  const columns = rows[0].children.length;
  return {
    Title: s.querySelector("h2").textContent,
    Names: rows.map(r => r.querySelector("code")?.title ?? ""),
    Cells: rows.map(r => [...r.children].map(c => c.textContent)),
    Sums: [...Array(columns).keys()].map(i => rows.reduce((sum, r) => sum + Number(r.children[i].dataset.v || 0), 0)),
  };
})`

// figures holds what the page says against the JSON report.
func (v *visit) figures(ctx context.Context) error {
	var cards map[string]string
	var tables []table
	var overflow, hidden int64
	if err := chromedp.Run(ctx,
		chromedp.Evaluate(`Object.fromEntries([...document.querySelectorAll(".card b")].map(b => [b.id, b.textContent]))`, &cards),
		chromedp.Evaluate(readTables, &tables),
		chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &overflow),
		chromedp.Evaluate(`Math.max(...[...document.querySelectorAll(".wide")].map(w => w.scrollWidth - w.clientWidth))`, &hidden),
	); err != nil {
		return err
	}
	b, total := v.want.Breakdown, v.want.Breakdown.Total
	v.check(overflow <= 0, "the page is %d pixels wider than the screen", overflow)
	v.check(hidden <= 0, "%d pixels of a table must be scrolled to", hidden)
	v.check(number(cards["stale"]) == total.Stale && total.Stale == v.want.Reports[0].Totals.Planned, "stale: %s, %d, %d", cards["stale"], total.Stale, v.want.Reports[0].Totals.Planned)
	v.check(number(cards["found"]) == total.Uploads && total.Uploads == v.want.Reports[0].Totals.Found, "found: %s, %d", cards["found"], total.Uploads)
	v.check(size(cards["bytes"], total.StaleBytes) && total.StaleBytes == v.want.Reports[0].Totals.BytesPlanned, "bytes: %s, %d", cards["bytes"], total.StaleBytes)
	v.check(cards["cost"] == fmt.Sprintf("$%.2f", total.MonthlyUSD), "cost: %s, %v", cards["cost"], total.MonthlyUSD)
	v.check(len(tables) == 7, "%d tables", len(tables))
	for i, rows := range [][]row{b.Services, b.Buckets, b.Prefixes, b.Ages, b.Reasons} {
		if i >= len(tables) {
			break
		}
		t := tables[i]
		v.check(len(t.Cells) == len(rows), "%s: %d rows, %d", t.Title, len(t.Cells), len(rows))
		for k, r := range rows {
			v.check(k < len(t.Cells) && t.Cells[k][0] == r.Name && number(t.Cells[k][1]) == r.Uploads, "%s, row %d: %q, want %+v", t.Title, k, t.Cells[k], r)
		}
		for column, sum := range map[int]float64{1: float64(total.Uploads), 2: float64(total.Stale), 3: float64(total.Bytes), 4: float64(total.StaleBytes), 5: total.MonthlyUSD} {
			v.check(math.Abs(t.Sums[column]-sum) < 1e-6*math.Max(1, sum), "%s: column %d adds up to %v, want %v", t.Title, column, t.Sums[column], sum)
		}
	}
	if len(tables) == 7 {
		v.check(len(tables[5].Cells) == len(b.Largest) && tables[5].Names[0] == b.Largest[0].Upload, "largest: %q", tables[5].Cells[0])
		v.check(len(tables[6].Cells) == len(b.Oldest) && tables[6].Names[0] == b.Oldest[0].Upload, "oldest: %q", tables[6].Cells[0])
	}
	return nil
}

// sorting clicks on the heads of the largest uploads: by bytes it is sorted so, and again the other way round.
func (v *visit) sorting(ctx context.Context) error {
	const column = `[...document.querySelectorAll("#largest tbody tr")].map(r => Number(r.children[5].dataset.v))`
	const click = `document.querySelectorAll("#largest th button")[5].click()`
	for i, less := range []func(a, b float64) bool{func(a, b float64) bool { return a >= b }, func(a, b float64) bool { return a <= b }} {
		var values []float64
		if err := chromedp.Run(ctx, chromedp.Evaluate(click, nil), chromedp.Evaluate(column, &values)); err != nil {
			return err
		}
		sorted := true
		for k := 1; k < len(values); k++ {
			sorted = sorted && less(values[k-1], values[k])
		}
		v.check(sorted && len(values) > 50, "click %d: %v", i+1, values)
	}
	return nil
}

func number(s string) (n int64) {
	fmt.Sscan(strings.ReplaceAll(s, ",", ""), &n)
	return n
}

// size reports whether a text such as 1.5 GiB says so many bytes.
func size(s string, bytes int64) bool {
	var value float64
	var unit string
	if _, err := fmt.Sscan(s, &value, &unit); err != nil {
		return false
	}
	exponent := strings.IndexByte(" KMGTP", unit[0])
	return exponent > 0 && math.Abs(value-float64(bytes)/math.Pow(1024, float64(exponent))) <= 0.051
}
