package drill

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/load"
	"github.com/penguinshop/delivery/sandbox/scratch"
	"github.com/penguinshop/delivery/sandbox/source"
	"github.com/penguinshop/delivery/sandbox/world"
)

// Options say where drills are run and how.
type Options struct {
	// Dir is the Pulumi project's folder, in a git checkout. Its current commit is what is broken, in a clone.
	Dir string
	// Program is the Pulumi program.
	Program pulumi.RunFunc
	// Engine is docker, podman or process; empty takes the first that works.
	Engine string
	// Scale is how many times faster than the machine's the sandbox's time runs.
	Scale float64
	// Rate is users' requests a second.
	Rate int
	// Say is told, in sentences, what is being done. It may be nil.
	Say func(string)
}

// Ground is a world with one environment, in which a good release is live: what drills break.
type Ground struct {
	options  Options
	folder   *scratch.Folder
	checkout checkout
	world    *world.World
	spoilt   bool

	mu    sync.Mutex
	tally tally
}

// tally counts users' requests.
type tally struct {
	requests, failed, bad int
	first, last           time.Time // when those began that failed or met a broken release
	failures              map[string]int
	// broken is true while a broken release is out, so that a request without an answer may be its doing.
	broken bool
}

// Open raises the world and delivers a good release. An error leaves nothing behind; otherwise Close takes all down.
func Open(ctx context.Context, o Options) (_ *Ground, err error) {
	if o.Say == nil {
		o.Say = func(string) {}
	}
	g := &Ground{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	repository, err := source.Open(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	if g.folder, err = scratch.New(); err != nil {
		return nil, err
	}
	if g.checkout, err = cloneTo(ctx, filepath.Join(g.folder.Path, "checkout"), repository.Root()); err != nil {
		return nil, err
	}
	if _, err = g.checkout.commit(ctx, good); err != nil {
		return nil, err
	}
	g.world, err = world.Open(ctx, world.Options{Dir: g.checkout.root, Program: o.Program, Engine: o.Engine, Scale: o.Scale, Say: o.Say})
	if err != nil {
		return nil, err
	}
	o.Say("delivering a good release, which every drill begins with")
	execution, err := g.world.Start(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := g.world.Follow(ctx, execution, nil, nil); err != nil {
		return nil, err
	}
	return g, nil
}

// Close takes everything down.
func (g *Ground) Close() error {
	var problems []error
	if g.world != nil {
		problems = append(problems, g.world.Close())
	}
	if g.folder != nil {
		problems = append(problems, g.folder.Close())
	}
	return errors.Join(problems...)
}

// Spoilt tells that a drill left the world in a state that the next one must not begin with.
func (g *Ground) Spoilt() bool { return g.spoilt }

// Journal is the world's.
func (g *Ground) Journal() *journal.Journal { return g.world.Journal }

// environment is the only one.
func (g *Ground) environment() world.Environment { return g.world.Environments[0] }

func (g *Ground) observe(_ string, a load.Answer) {
	// A request that waits for a dead task until its time is out was in trouble from its beginning, not until its end.
	began := g.world.Clock.Now().Add(-clock.Lasting(g.world.Clock, a.Latency))
	g.mu.Lock()
	defer g.mu.Unlock()
	t := &g.tally
	t.requests++
	met := a.Header.Get(faultHeader) != "" || t.broken && a.Failure != ""
	if met {
		t.bad++
	}
	if a.Failure != "" {
		t.failed++
		t.failures[a.Failure]++
	}
	if met || a.Failure != "" {
		if t.first.IsZero() || began.Before(t.first) {
			t.first = began
		}
		if began.After(t.last) {
			t.last = began
		}
	}
}

// Run breaks what the drill breaks, judges what becomes of it, and brings the world back to where it was. The error is of a
// drill that could not be carried out.
func (g *Ground) Run(ctx context.Context, d Drill) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("the drill %s was not over within %s", d.Name, longest))
	defer cancel()
	began := time.Now()
	g.mu.Lock()
	g.tally = tally{failures: map[string]int{}}
	g.mu.Unlock()
	t := &trial{Ground: g, drill: d}
	if err := t.begin(ctx); err != nil {
		return Result{}, err
	}
	g.spoilt = true
	// The users are the drill's own: each of their requests is awaited, so that none is counted for the next drill.
	users := g.world.StartLoad(g.options.Rate, g.observe)
	err := d.run(ctx, t)
	t.undo()
	users.Stop()
	if err != nil {
		if ctx.Err() != nil {
			err = errors.Join(context.Cause(ctx), err)
		}
		return Result{}, fmt.Errorf("%s: %w", d.Name, err)
	}
	result := t.judge(t.reach())
	result.Took = time.Since(began).Seconds()
	if err := g.restore(ctx, t); err != nil {
		result.Problems, result.Passed = append(result.Problems, err.Error()), false
	}
	g.spoilt = !result.Passed
	return result, nil
}

// longest is how long a drill may take on the machine's clock, many times what it needs.
const longest = 6 * time.Minute

// calm is how many good answers in a row show that users are well.
const calm = 50

// restore gives all traffic to the good side where a drill has left it shared out, and waits until users are well.
func (g *Ground) restore(ctx context.Context, t *trial) error {
	weights, err := g.world.Weights(ctx, g.environment())
	if err != nil {
		return err
	}
	if weights.Blue != 100 && weights.Green != 100 {
		if err := g.setWeights(ctx, t.stable, 100); err != nil {
			return err
		}
	}
	for well := 0; well < calm; well++ {
		version, err := g.world.Version(ctx, g.environment())
		if ctx.Err() != nil {
			return fmt.Errorf("users were not well again: %w", context.Cause(ctx))
		}
		if err != nil || version == "" {
			well = -1
			time.Sleep(look)
		}
	}
	return nil
}

// look is the time between two looks at the world, on the machine's clock.
const look = 20 * time.Millisecond

// until waits for a condition, which what names.
func (g *Ground) until(ctx context.Context, what string, met func() (bool, error)) error {
	for {
		yes, err := met()
		if err != nil || yes {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, context.Cause(ctx))
		case <-time.After(look):
		}
	}
}

// setWeights writes the weights as a person would: percent to one colour, the rest to the other.
func (g *Ground) setWeights(ctx context.Context, colour string, percent int) error {
	e := g.environment()
	shares := map[string]int{colour: percent, other(colour): 100 - percent}
	groups := []types.TargetGroupTuple{
		{TargetGroupArn: &e.BlueTargetGroupARN, Weight: new(int32(shares["blue"]))},
		{TargetGroupArn: &e.GreenTargetGroupARN, Weight: new(int32(shares["green"]))},
	}
	_, err := g.world.ELB.ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: &e.ListenerARN,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: groups}}}})
	return err
}

func other(colour string) string {
	if colour == "blue" {
		return "green"
	}
	return "blue"
}

// of is a colour's part of the weights.
func of(w world.Weights, colour string) int {
	if colour == "green" {
		return w.Green
	}
	return w.Blue
}
