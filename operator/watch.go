package operator

import (
	"context"
	"time"
)

// How long Watch goes on when nothing seems to run any more.
const (
	// betweenStages is for how long no environment may have anything under way while the pipeline goes from one to the next.
	betweenStages = 10 * time.Second
	// telling is how long the way of an end may take to become readable.
	telling = 30 * time.Second
)

// Watch looks every interval and shows what it sees, until nothing is under way in any environment. With wait it first waits for
// something to begin. The endings are those of the rollouts that it saw, by environment: nil for one whose end could not be read.
func (d *Delivery) Watch(ctx context.Context, interval time.Duration, wait bool, show func([]Status)) (map[string]*Ending, error) {
	before, endings := map[string]time.Time{}, map[string]*Ending{}
	var idle time.Time
	for first := true; ; first = false {
		all := d.Look(ctx)
		if err := ctx.Err(); err != nil {
			return endings, err
		}
		show(all)
		running, untold := false, false
		for _, s := range all {
			if first && s.Last != nil {
				before[s.Environment] = s.Last.At
			}
			_, seen := endings[s.Environment]
			switch {
			case s.Rollout != nil:
				running = true
				endings[s.Environment] = nil
			case seen && s.Last != nil && !s.Last.At.Equal(before[s.Environment]):
				endings[s.Environment] = s.Last
			case seen && endings[s.Environment] == nil:
				untold = true
			}
		}
		switch quiet := time.Since(idle); {
		case running:
			idle = time.Time{}
		case len(endings) == 0 && wait:
		case len(endings) == 0:
			return endings, nil
		case idle.IsZero():
			idle = time.Now()
			if !untold && len(d.Environments) == 1 {
				return endings, nil
			}
		case quiet >= telling, quiet >= betweenStages && !untold, !untold && len(d.Environments) == 1:
			return endings, nil
		}
		select {
		case <-ctx.Done():
			return endings, ctx.Err()
		case <-time.After(interval):
		}
	}
}
