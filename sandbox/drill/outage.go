package drill

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func stableLosesTargets(ctx context.Context, t *trial) error {
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.reaches(ctx, firstStep); err != nil {
		return err
	}
	if err := t.kill(ctx, t.stable, 1); err != nil {
		return err
	}
	return d.end(ctx)
}

func bothSidesUnhealthy(ctx context.Context, t *trial) error {
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.reaches(ctx, firstStep); err != nil {
		return err
	}
	if err := t.world.ECR.Stop(); err != nil {
		return err
	}
	open := func() error { return t.world.ECR.Start() }
	for _, colour := range []string{t.stable, t.candidate} {
		if err := t.kill(ctx, colour, 10); err != nil {
			return errors.Join(err, open())
		}
	}
	at, err := t.world.Weights(ctx, t.environment())
	if err != nil {
		return errors.Join(err, open())
	}
	if err := errors.Join(d.end(ctx), open()); err != nil {
		return err
	}
	now, err := t.world.Weights(ctx, t.environment())
	if err != nil {
		return err
	}
	if now != at {
		t.wrong("the weights were to stay at %v, and are at %v", at, now)
	}
	return t.until(ctx, "the stable side is back", func() (bool, error) {
		healthy, err := t.healthy(ctx, t.stable)
		return healthy >= 2, err
	})
}

func registryGone(ctx context.Context, t *trial) error {
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.begins(ctx, "deploy"); err != nil {
		return err
	}
	if err := t.world.ECR.Stop(); err != nil {
		return err
	}
	return errors.Join(d.end(ctx), t.world.ECR.Start())
}

func taskKilled(ctx context.Context, t *trial) error {
	had, err := t.healthy(ctx, t.stable)
	if err != nil {
		return err
	}
	if err := t.kill(ctx, t.stable, 1); err != nil {
		return err
	}
	for _, wanted := range []int{had - 1, had} {
		err := t.until(ctx, fmt.Sprintf("%d targets are healthy", wanted), func() (bool, error) {
			healthy, err := t.healthy(ctx, t.stable)
			return healthy == wanted, err
		})
		if err != nil {
			return err
		}
	}
	t.outcome = Healed
	select { // long enough to see that nobody notices any more
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.world.Clock.After(afterwards):
		return nil
	}
}

// afterwards is how long users are watched after a task is back, in the sandbox's time.
const afterwards = 5 * time.Minute
