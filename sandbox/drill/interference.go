package drill

import (
	"context"
	"os"
)

func weightsByHand(ctx context.Context, t *trial) error {
	const hand = 70
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.reaches(ctx, firstStep); err != nil {
		return err
	}
	if err := t.setWeights(ctx, t.candidate, hand); err != nil {
		return err
	}
	if err := d.end(ctx); err != nil {
		return err
	}
	weights, err := t.world.Weights(ctx, t.environment())
	if err != nil {
		return err
	}
	if got := of(weights, t.candidate); got != hand {
		t.wrong("the person gave the release %d %%, and it has %d %%", hand, got)
	}
	return nil
}

func infrastructureUpdate(ctx context.Context, t *trial) error {
	before, err := os.ReadFile(t.checkout.stackFile())
	if err != nil {
		return err
	}
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.reaches(ctx, firstStep); err != nil {
		return err
	}
	changed, err := readStack(t.checkout.stackFile())
	if err != nil {
		return err
	}
	changed.Config["penguinshop:logRetentionDays"] = 14
	if service, ok := changed.Config["penguinshop:service"].(map[string]any); ok {
		service["memoryMiB"] = 1024
	}
	if err := changed.write(t.checkout.stackFile()); err != nil {
		return err
	}
	changes, err := t.world.Up(ctx)
	if err != nil {
		return err
	}
	if len(changes.Updated) == 0 {
		t.wrong("the update was to change something, and changed nothing")
	}
	if err := d.end(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(t.checkout.stackFile(), before, 0o600); err != nil {
		return err
	}
	_, err = t.world.Up(ctx)
	return err
}

func secondCommit(ctx context.Context, t *trial) error {
	first, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := first.reaches(ctx, firstStep); err != nil {
		return err
	}
	second, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if _, err := t.world.Follow(ctx, first.execution, nil, nil); err != nil {
		t.wrong("the first release was to be promoted: %s", err)
	}
	// The second goes to the side that the first came from.
	t.stable, t.candidate = t.candidate, t.stable
	return second.end(ctx)
}
