package simulation

import (
	"context"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// Policy is one way to bring a release to users.
type Policy struct {
	Name string
	// Peer is true for another product's.
	Peer bool
	run  func(*world) (promoted bool)
}

// Policies are this controller's presets and its peers.
func Policies() ([]Policy, error) {
	var policies []Policy
	for _, name := range []string{rollout.AllAtOnce, rollout.Canary, rollout.Linear} {
		p, err := Preset(name)
		if err != nil {
			return nil, err
		}
		policies = append(policies, p)
	}
	return append(policies, CodeDeploy(), ExpressMode(), Flagger()), nil
}

// Tally is what users met of the releases of one kind, or of several.
type Tally struct {
	Releases int
	// Failed counts users' requests that failed because of the releases.
	Failed float64
	// Exposed are the seconds from users' first meeting with a release until they were rid of it, summed up.
	Exposed float64
	// Stopped counts releases that were not promoted, and Missed bad ones that stayed with users.
	Stopped, Missed int
}

func (t *Tally) add(more Tally) {
	t.Releases += more.Releases
	t.Failed += more.Failed
	t.Exposed += more.Exposed
	t.Stopped += more.Stopped
	t.Missed += more.Missed
}

// Outcome is what became of all releases under one policy.
type Outcome struct {
	Policy Policy
	Kinds  map[Kind]Tally
}

// Bad sums up all kinds but the healthy.
func (o Outcome) Bad() Tally {
	var bad Tally
	for _, kind := range Kinds {
		if kind != Healthy {
			bad.add(o.Kinds[kind])
		}
	}
	return bad
}

// FailedPerBad is the mean number of users' failed requests of a bad release.
func (o Outcome) FailedPerBad() float64 { return o.Bad().FailedPerRelease() }

// FailedPerRelease is the mean number of users' failed requests.
func (t Tally) FailedPerRelease() float64 { return t.Failed / float64(max(1, t.Releases)) }

// SecondsToSafety is the mean time from users' first meeting with a release until they were rid of it; 0 for one that they
// never met.
func (t Tally) SecondsToSafety() float64 { return t.Exposed / float64(max(1, t.Releases)) }

// FalseRollbacks is the share of healthy releases that were not promoted, in percent.
func (o Outcome) FalseRollbacks() float64 {
	healthy := o.Kinds[Healthy]
	return 100 * float64(healthy.Stopped) / float64(max(1, healthy.Releases))
}

// Run offers the releases to a policy. The same seed gives every policy the same releases. The hiccups last and fail that many
// times as long and as much as usual.
func Run(ctx context.Context, p Policy, releases int, seed uint64, hiccups float64) (Outcome, error) {
	var next atomic.Int64
	workers := runtime.GOMAXPROCS(0)
	sums := make([]map[Kind]Tally, workers)
	group, ctx := errgroup.WithContext(ctx)
	for i := range workers {
		sums[i] = map[Kind]Tally{}
		group.Go(func() error {
			for ctx.Err() == nil {
				index := int(next.Add(1)) - 1
				if index >= releases {
					return nil
				}
				kind, one := offer(p, index, seed, hiccups)
				sum := sums[i][kind]
				sum.add(one)
				sums[i][kind] = sum
			}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return Outcome{}, err
	}
	o := Outcome{Policy: p, Kinds: map[Kind]Tally{}}
	for _, sum := range sums {
		for kind, more := range sum {
			all := o.Kinds[kind]
			all.add(more)
			o.Kinds[kind] = all
		}
	}
	return o, nil
}

// offer runs one release to its end, and a bad one that users are left with until a person notices.
func offer(p Policy, index int, seed uint64, hiccups float64) (Kind, Tally) {
	w := newWorld(index, seed, hiccups)
	t := Tally{Releases: 1}
	if !p.run(w) {
		t.Stopped = 1
	}
	if w.kind == Healthy {
		return w.kind, t
	}
	if w.weight > 0 {
		t.Missed = 1
		w.pass(w.met + noticed)
		w.shift(0)
	}
	t.Failed = w.failed
	if w.met >= 0 {
		t.Exposed = w.safe - w.met
	}
	return w.kind, t
}
