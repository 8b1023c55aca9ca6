package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"time"
)

// starts is how often each function is started. A start takes some milliseconds, and with 40 of them the ratio moved by a tenth.
const starts = 200

// cold measures cold starts: from exec to the first time that the function asks its platform for an event, beside a function
// that does nothing.
func (b *bench) cold(ctx context.Context, folder string, out io.Writer) error {
	hello, err := build(ctx, folder, "test/bench/hello")
	if err != nil {
		return err
	}
	times := map[string][]time.Duration{}
	for range starts {
		for _, binary := range []string{b.bootstrap, hello} {
			took, err := firstPoll(ctx, binary)
			if err != nil {
				return err
			}
			times[binary] = append(times[binary], took)
		}
	}
	fmt.Fprintf(out, "cold: from exec to the first poll of the runtime; medians of %d starts\n", starts)
	of := func(binary string) float64 {
		slices.Sort(times[binary])
		return times[binary][starts/2].Seconds() * 1000
	}
	for _, f := range []struct{ name, binary string }{{"partsweep", b.bootstrap}, {"hello", hello}} {
		info, err := os.Stat(f.binary)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-10s %8.2f ms %8.1f MB stripped\n", f.name, of(f.binary), float64(info.Size())/1e6)
	}
	fmt.Fprintf(out, "  that is %.2f times hello's\n\n", of(b.bootstrap)/of(hello))
	return nil
}

// firstPoll starts a function and returns how long it takes to ask for an event.
func firstPoll(ctx context.Context, binary string) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	polled := make(chan time.Time, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case polled <- time.Now():
		default:
		}
		<-r.Context().Done()
	})}
	go server.Serve(l)
	defer server.Close()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + l.Addr().String(), "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_REGION=eu-west-1", "PARTSWEEP_BUCKETS=s3://media"}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	select {
	case at := <-polled:
		return at.Sub(began), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(10 * time.Second):
		return 0, fmt.Errorf("%s asks for no event", binary)
	}
}
