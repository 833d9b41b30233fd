package drill

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/smithy-go"

	"github.com/penguinshop/delivery/sandbox/lambda"
)

// seed makes what is random in a drill the same in every run.
const seed = 20260101

// deaths is how often the function is killed in one delivery: each time its schedule needs three minutes to find out, and the
// pipeline waits twenty for an answer.
const deaths = 4

func functionKilled(ctx context.Context, t *trial) error {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	killed, calls, next := 0, 0, 0
	last := ""
	t.kills(func(i lambda.Invocation, operation string) bool {
		if bytes.Contains(i.Event, []byte(`\"prepare\"`)) {
			return false // it has begun nothing yet: the pipeline's action fails, and nothing has changed
		}
		mu.Lock()
		defer mu.Unlock()
		calls++
		deadly := []bool{last == "UpdateService", calls == next, last == "ModifyListener", last == "PutJobSuccessResult"}
		last = operation
		if killed == deaths || !deadly[killed] {
			return false
		}
		killed++
		last, next = "", calls+20+random.IntN(60) // a tick makes about ten calls
		return true
	})
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.end(ctx); err != nil {
		return err
	}
	return t.until(ctx, "the function was killed for the last time", func() (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		return killed == deaths, nil
	})
}

func functionInvokedTwice(ctx context.Context, t *trial) error {
	t.after(t.world.Functions.Wrap(func(next lambda.Program) lambda.Program {
		return func(ctx context.Context, i lambda.Invocation) error {
			var second error
			var both sync.WaitGroup
			both.Go(func() { second = next(ctx, i) })
			first := next(ctx, i)
			both.Wait()
			return errors.Join(first, second)
		}
	}))
	return delivers(good)(ctx, t)
}

// attempts is how often the SDK makes a call before its caller hears of a failure (its standard retry mode). The sandbox's
// function has no SDK between itself and the services.
const attempts = 3

func callsThrottled(ctx context.Context, t *trial) error {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 1))
	t.meddle(func(_ context.Context, operation string) error {
		mu.Lock()
		defer mu.Unlock()
		for range attempts {
			if operation == "probe" || random.IntN(3) > 0 {
				return nil
			}
		}
		return &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
	})
	return delivers(good)(ctx, t)
}

// outage is how long AWS fails, in the sandbox's time.
const outage = 2 * time.Minute

func callsFailing(ctx context.Context, t *trial) error {
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.reaches(ctx, firstStep); err != nil {
		return err
	}
	over := t.world.Clock.Now().Add(outage)
	t.meddle(func(_ context.Context, operation string) error {
		if operation != "probe" && t.world.Clock.Now().Before(over) {
			return &smithy.GenericAPIError{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error"}
		}
		return nil
	})
	return d.end(ctx)
}
