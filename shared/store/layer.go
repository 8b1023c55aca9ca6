package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"golang.org/x/time/rate"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A Call is one request on its way to a driver.
type Call struct {
	Op     Op
	Upload mpu.Upload // what it is about; for ListUploads only the bucket, and the prefix as Key
	again  func(ctx context.Context, last error) error
	looked time.Time // when again, or what it would say again, was last found out
	run    func(context.Context) error
}

// A Send sends one request and returns when its answer has been read.
type Send func(ctx context.Context, c Call) error

// A Layer is one concern around every single request: retrying, pacing, bounding, logging.
type Layer func(next Send) Send

// Retry sends a request again while its error is mpu.Transient, at most attempts times in all. It waits between them: at
// least as long as the provider asks, up to a minute, or else from first on, doubling up to most. Each wait is varied so
// that many workers do not come back together. It is the only retry: nothing below it sends twice.
func Retry(attempts int, first, most time.Duration) Layer {
	policy := retrypolicy.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return errors.Is(err, mpu.Transient) }).
		AbortOnErrors(ErrNoTime).
		WithMaxAttempts(attempts).
		WithDelayFunc(func(exec failsafe.ExecutionAttempt[any]) time.Duration {
			return pause(exec.LastError(), exec.Attempts(), first, most)
		}).
		ReturnLastFailure().
		Build()
	return func(next Send) Send {
		return func(ctx context.Context, c Call) error {
			// The layers below use the caller's own context: the executor cancels the one that it makes, and an error
			// should name the caller's reason.
			last := next(ctx, c)
			if !errors.Is(last, mpu.Transient) {
				return last // nearly always, and then the executor need not be made
			}
			heard := false
			err := failsafe.With[any](policy).WithContext(ctx).Run(func() error {
				if !heard {
					heard = true
					return last
				}
				if c.again != nil {
					if last = c.again(ctx, last); last != nil {
						return last
					}
					c.looked = time.Now()
				}
				last = next(ctx, c)
				return last
			})
			if err != nil && last != nil {
				return last
			}
			return err
		}
	}
}

// pause is the wait after so many attempts: what the provider asks and up to a quarter more, or the back-off varied by
// half.
func pause(err error, attempts int, first, most time.Duration) time.Duration {
	var e *mpu.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		asked := min(e.RetryAfter, time.Minute)
		return asked + rand.N(asked/4+1)
	}
	wait := most
	if shift := attempts - 1; shift < 30 && first<<shift < most {
		wait = first << shift
	}
	return wait/2 + rand.N(wait+1)
}

// Pace keeps operations under the limits that a service publishes, in calls a second. An operation without one passes.
func Pace(perSecond map[Op]float64) Layer {
	limiters := make(map[Op]*rate.Limiter, len(perSecond))
	for op, n := range perSecond {
		// The burst is part of what any one second may hold, so it is taken off the rate.
		burst := max(1, int(n/20))
		limiters[op] = rate.NewLimiter(rate.Limit(max(n-float64(burst), n/2)), burst)
	}
	return func(next Send) Send {
		return func(ctx context.Context, c Call) error {
			if l := limiters[c.Op]; l != nil {
				if err := l.Wait(ctx); err != nil {
					return waitError(ctx, c, err)
				}
			}
			return next(ctx, c)
		}
	}
}

// ErrNoTime is in the error of a request that was not sent because its context ended, or would end, before its turn.
var ErrNoTime = errors.New("no time left to send it")

func waitError(ctx context.Context, c Call, err error) error {
	if cause := ctx.Err(); cause != nil {
		err = cause
	}
	return &mpu.Error{Kind: mpu.Transient, Op: string(c.Op), Target: c.Upload.String(), Err: fmt.Errorf("%w: %w", ErrNoTime, err)}
}

// Log writes one line for every request at debug level: operation, target, duration, and the error's kind and codes.
func Log(log *slog.Logger) Layer {
	return func(next Send) Send {
		return func(ctx context.Context, c Call) error {
			if !log.Enabled(ctx, slog.LevelDebug) {
				return next(ctx, c)
			}
			start := time.Now()
			err := next(ctx, c)
			attrs := []slog.Attr{slog.String("target", c.Upload.String()), slog.String("took", time.Since(start).Round(time.Microsecond).String())}
			var e *mpu.Error
			if errors.As(err, &e) {
				attrs = append(attrs, slog.String("kind", e.Kind.String()), slog.Int("status", e.Status),
					slog.String("code", e.Code), slog.String("requestId", e.RequestID))
			}
			log.LogAttrs(ctx, slog.LevelDebug, string(c.Op), attrs...)
			return err
		}
	}
}
