package drill

import (
	"context"
	"fmt"
)

// delivers is a drill of a release with a fault, and nothing else.
func delivers(f fault) func(context.Context, *trial) error {
	return func(ctx context.Context, t *trial) error {
		d, err := t.deliver(ctx, f)
		if err != nil {
			return err
		}
		return d.end(ctx)
	}
}

func diesInStandby(ctx context.Context, t *trial) error {
	d, err := t.deliver(ctx, diesWhenTold)
	if err != nil {
		return err
	}
	if err := d.end(ctx); err != nil {
		return err
	}
	if d.outcome != Promoted {
		return fmt.Errorf("the release was to be promoted first, and was %s", d.outcome)
	}
	t.options.Say("the release is live; now it begins to die")
	err = t.until(ctx, "the traffic is back", func() (bool, error) {
		t.get(ctx, "/drill/die") // whatever comes of it: a task that dies does not answer
		weights, err := t.world.Weights(ctx, t.environment())
		return err == nil && of(weights, t.stable) == 100, err
	})
	if err != nil {
		return err
	}
	t.outcome = RolledBack
	return nil
}
