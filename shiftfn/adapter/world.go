package adapter

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// World is one environment as AWS has it. It implements controller.World.
type World struct {
	Settings settings.Settings
	Clients  Clients
	Plan     rollout.Plan
	Now      func() time.Time
	Log      *slog.Logger

	secret secret
}

var _ controller.World = (*World)(nil)

// side is what the settings know of one colour.
func (w *World) side(c rollout.Colour) settings.Side {
	if c == rollout.Blue {
		return w.Settings.Blue
	}
	return w.Settings.Green
}

var colours = [...]rollout.Colour{rollout.Blue, rollout.Green}

// Observe looks at the environment; each kind of reading by itself, so that one that fails hides no other. All readings run
// side by side, because a tick should see one moment.
func (w *World) Observe(ctx context.Context, look rollout.Look, order controller.Order) rollout.Observation {
	o := rollout.Observation{Now: w.Now()}
	var mu sync.Mutex
	var readings sync.WaitGroup
	read := func(what string, into func() error) {
		readings.Go(func() {
			if err := into(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				o.Trouble = append(o.Trouble, what+": "+redact(err.Error()))
			}
		})
	}
	read("listener", func() error {
		weights, err := w.weights(ctx)
		o.Weights = weights
		return err
	})
	rule := sync.OnceValues(func() (*previewRule, error) { return w.rule(ctx) })
	read("preview rule", func() error {
		r, err := rule()
		if err == nil {
			o.Preview, err = w.leadsTo(r)
		}
		return err
	})
	for _, c := range colours {
		read("targets of "+string(c), func() error {
			targets, err := w.targets(ctx, c)
			o.Of(c).Targets = targets
			return err
		})
	}
	read("services", func() error {
		services, err := w.services(ctx)
		if err != nil {
			return err
		}
		o.Blue.Service, o.Green.Service = services[rollout.Blue], services[rollout.Green]
		if !look.Release {
			return nil
		}
		release, err := w.release(ctx, look.Candidate, services[look.Candidate].TaskDefinition, order.Digest)
		o.Release = release
		return err
	})
	read("autoscaling", func() error {
		blue, green, err := w.scaling(ctx)
		o.Blue.Scaling, o.Green.Scaling = blue, green
		return err
	})
	if !look.Since.IsZero() {
		read("metrics", func() error {
			blue, green, err := w.metrics(ctx, look.Since)
			o.Blue.Metrics, o.Green.Metrics = blue, green
			return err
		})
	}
	if len(look.Alarms) > 0 {
		read("alarms", func() error {
			alarms, err := w.alarms(ctx, look.Alarms)
			o.Alarms = alarms
			return err
		})
	}
	if look.Probes > 0 {
		read("probes", func() error {
			r, err := rule()
			if err == nil {
				o.Probes, err = w.probe(ctx, look, order.Digest, r)
			}
			return err
		})
	}
	readings.Wait()
	return o
}

// Apply makes one change.
func (w *World) Apply(ctx context.Context, change rollout.Change) error {
	switch change.Kind {
	case rollout.ChangePreview:
		return w.setPreview(ctx, change.Colour)
	case rollout.ChangeScaling:
		return w.setScaling(ctx, change.Colour, change.Scaling)
	case rollout.ChangeTasks:
		return w.setTasks(ctx, change)
	case rollout.ChangeWeights:
		return w.setWeights(ctx, change.Before, change.Weights)
	}
	return fmt.Errorf("there is no change of the kind %q", change.Kind)
}
