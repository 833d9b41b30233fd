// Package target hands payloads to what an ARN names, as EventBridge and its scheduler do: at least once, with retries.
package target

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/penguinshop/delivery/sandbox/clock"
)

// Invoke hands the payload to the function, topic or other resource that the ARN names, on behalf of the rule or schedule that
// source names, and returns when it was accepted. An error that is ErrNotFound is final; after any other one the delivery is
// tried again.
type Invoke func(ctx context.Context, source, arn string, payload []byte) error

// ErrNotFound says that nothing in the sandbox has the ARN.
var ErrNotFound = errors.New("no such target in the sandbox")

// Retry bounds the retries of one delivery. AWS's defaults, for EventBridge and its scheduler alike, are Defaults.
type Retry struct {
	// Attempts are the retries after the first try, 0 to 185.
	Attempts int32
	// Age is how long after the event the last try may begin, 60 s to 24 h.
	Age time.Duration
}

// Defaults are the retries that AWS makes when nothing else is declared.
var Defaults = Retry{Attempts: 185, Age: 24 * time.Hour}

// Deliver invokes until the target accepts, the retries are used up or ctx ends, and waits longer after each try: from one
// second up to ten minutes of c's time, with jitter. It returns the last error.
func (r Retry) Deliver(ctx context.Context, c clock.Clock, invoke Invoke, source, arn string, payload []byte) error {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = time.Second, 10*time.Minute
	begun := c.Now()
	for try := int32(0); ; try++ {
		err := invoke(ctx, source, arn, payload)
		if err == nil || errors.Is(err, ErrNotFound) || ctx.Err() != nil || try >= r.Attempts {
			return err
		}
		wait := waits.NextBackOff()
		if c.Since(begun)+wait > r.Age {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-c.After(wait):
		}
	}
}
