package handler

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/partsweep/partsweep/shared/trigger"
)

const (
	maxBody = 1 << 20          // the largest body of a web request
	maxTime = 15 * time.Minute // the longest run for one; it stops in time and says what is left
)

// ServeHTTP answers web requests, for container platforms. POST is work, under the same conditions as a web request that
// comes wrapped into an event. GET /healthz says that the function is up; GET /metrics counts for Prometheus, under the same conditions as
// work. POST /invoke is an event of Alibaba Function
// Compute's custom runtime, and is read as such where PARTSWEEP_HTTP_AUTH is platform.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control := r.Header.Get("X-Fc-Control-Path")
	if control != "" {
		w = &fcWriter{w}
	}
	if r.URL.Path == "/healthz" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		io.WriteString(w, "ok\n")
		return
	}
	if r.URL.Path == "/metrics" && r.Method == http.MethodGet && control == "" {
		h.serveMetrics(w, r)
		return
	}
	// Whoever has shown nothing is not listened to for up to 1 MiB.
	web := &trigger.HTTPRequest{Platform: h.platform.Name, Method: r.Method, Path: r.URL.Path, Header: r.Header}
	fc := control != "" && h.settings.HTTPTrusted
	if err := h.admit(web); err != nil && !fc {
		write(w, h.refuseHTTP(web, err))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		write(w, respond(status, map[string]string{"error": "the body cannot be read: " + err.Error()}))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxTime)
	defer cancel()
	r = r.WithContext(ctx)
	web.Body = body
	if fc {
		h.serveFC(w, r, control, web)
		return
	}
	write(w, h.answerHTTP(r.Context(), web))
}

// serveFC answers the custom runtime's own requests ("Custom runtime": x-fc-status says whether the function failed).
func (h *Handler) serveFC(w http.ResponseWriter, r *http.Request, control string, web *trigger.HTTPRequest) {
	switch control {
	case "/invoke":
	case "/initialize", "/pre-stop", "/pre-freeze":
		return // there is nothing to do, and 200 says so
	case "/http-invoke":
		write(w, h.answerHTTP(r.Context(), web))
		return
	default:
		write(w, respond(http.StatusNotFound, map[string]string{"error": "no such control path"}))
		return
	}
	answer, err := h.Handle(r.Context(), web.Body)
	status := http.StatusOK
	if err != nil {
		status, answer = http.StatusNotFound, map[string]string{"errorMessage": err.Error()}
	}
	w.Header().Set("X-Fc-Status", strconv.Itoa(status))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer)
}

// An fcWriter marks every answer that is no success as a function error. Without x-fc-status the custom runtime takes any
// status for a success, and a timer's tick that was refused would pass for done.
type fcWriter struct{ http.ResponseWriter }

func (w *fcWriter) WriteHeader(status int) {
	if status/100 != 2 {
		w.Header().Set("X-Fc-Status", strconv.Itoa(http.StatusNotFound))
	}
	w.ResponseWriter.WriteHeader(status)
}

func write(w http.ResponseWriter, a Response) {
	for name, value := range a.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.StatusCode)
	io.WriteString(w, a.Body)
}
