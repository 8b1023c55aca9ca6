package adversary

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
)

// hostileWords are what a store may say in the place of a code, a message, a request ID or an endpoint.
var hostileWords = []string{
	"a\nb", "a\r\n{\"time\":\"x\",\"level\":\"INFO\",\"msg\":\"aborted\"}", "\x1b[2J\x1b[31mfailed", "\u2028a\u2029b\u0085c", "a\u202eb\u2066c",
	`","level":"INFO","msg":"aborted","x":"`, "</Message></Error>", strings.Repeat("long ", 100_000), "\x00\x01\x7f", "\xff\xfe\xc0\x80", "%s%n%!d(MISSING)",
	"\ufeff\u200b", "<script>alert(1)</script>", "é\u0301" + strings.Repeat("\u0301", 500),
}

// refuse answers as the service does, in words of the attacker's.
func refuse(s sandbox.Service, status int, words string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for _, name := range []string{"X-Amz-Request-Id", "X-Acs-Request-Id", "X-Amz-Bucket-Region", "Location", "Retry-After"} {
			w.Header().Set(name, strings.Map(func(r rune) rune {
				if r < ' ' || r == 0x7f {
					return ' ' // or else it is no HTTP, and is tried again as what was cut
				}
				return r
			}, words[:min(len(words), 4000)]))
		}
		w.WriteHeader(status)
		if s == sandbox.VOD || s == sandbox.MPS {
			json.NewEncoder(w).Encode(map[string]string{"Code": words, "Message": words, "RequestId": words, "HostId": words, "Recommend": words})
			return
		}
		var escaped strings.Builder
		xml.EscapeText(&escaped, []byte(words)) // to memory
		fmt.Fprintf(w, "<Error><Code>%[1]s</Code><Message>%[1]s</Message><RequestId>%[1]s</RequestId><Region>%[1]s</Region><Endpoint>%[1]s</Endpoint></Error>", &escaped)
	}
}

// TestHostileWords: whatever a store says of itself stays within one line, in the error, the report and the log, and is short.
func TestHostileWords(t *testing.T) {
	for _, s := range sandbox.Services {
		for _, op := range []string{sandbox.OpListUploads, sandbox.OpListParts, sandbox.OpAbort} {
			for _, status := range []int{400, 403, 301, 200} {
				t.Run(fmt.Sprintf("%s/%s/%d", s, op, status), func(t *testing.T) {
					w := newWorld(t)
					mine := w.seed(ours[s], "raw", "id-1")
					event := failed(mine)
					if op == sandbox.OpListUploads {
						event = sweepOf(ours[s])
					}
					for _, words := range hostileWords {
						remove := w.Script(sandbox.Fault{Service: s, Op: op, Respond: refuse(s, status, words)})
						report, err := w.run(t, event)
						remove()
						if err == nil && (s != sandbox.MPS || op == sandbox.OpAbort) {
							t.Errorf("%.40q passed for success: %+v", words, report.Totals)
						}
						if err != nil && len(err.Error()) > 1500 {
							t.Errorf("%.40q made an error of %d bytes", words, len(err.Error()))
						}
						if s == sandbox.MPS && op != sandbox.OpAbort {
							return // it cannot list
						}
					}
					if !w.there(mine) {
						t.Error("it was aborted")
					}
					w.checkLog(t)
					for line := range strings.Lines(w.log.String()) {
						if len(line) > 10_000 {
							t.Errorf("a line of %d bytes: %.200s", len(line), line)
						}
					}
				})
			}
		}
	}
}

// TestUnaskedWords: what a store sends behind its answer is not for the log either. Through a tunnel it is net/http that asks, and
// writes it to the process's own log, as it came.
func TestUnaskedWords(t *testing.T) {
	for _, name := range []string{"lambda", "fc", "scf", "http", "local"} {
		source, err := os.ReadFile(filepath.Join("..", "..", "functions", name, "main.go"))
		if err != nil || !strings.Contains(string(source), "\thandler.SetUp()\n") {
			t.Errorf("functions/%s does not keep its process's log quiet: %v", name, err)
		}
	}
	p := startProcess(t, build(t, "lambda"))
	p.leave(sandbox.S3, "k")
	p.Script(sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpAbort, Respond: func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n<Error>words that nobody asked for\n</Error>")
		}
	}})
	p.invoke(t, sweepOf(ours[sandbox.S3]), time.Minute)
	if strings.Contains(p.out.String(), "nobody asked for") {
		t.Errorf("it is in the log:\n%s", p.out.String())
	}
}
