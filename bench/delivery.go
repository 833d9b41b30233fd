package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/penguinshop/delivery/sandbox/load"
	"github.com/penguinshop/delivery/sandbox/world"
	"github.com/penguinshop/delivery/stacks"
)

// How the delivery under load runs (issue 5): so slowly that the environments' stages together last for 100,000 requests.
const (
	deliveryScale    = 10
	deliveryRate     = 1_000
	leastRequests    = 100_000
	bearable         = 0.4              // of what it answers when it does nothing else
	deliveryPatience = 10 * time.Second // of one user, with one request
)

// Delivery delivers the checked-out commit through all environments, and then once more with 1,000 users' requests a second on the
// environment that is being delivered to. At the end it compares the load balancer with nginx and with no load balancer, on the
// containers of the last environment.
func Delivery(ctx context.Context, s Settings, progress func(string)) (_ []Figure, err error) {
	w, err := world.Open(ctx, world.Options{Dir: s.Dir, Program: stacks.Declare, Scale: deliveryScale, Say: progress})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	progress("a first delivery, to have a release that users can be taken from")
	if err := deliver(ctx, w, func(string) {}); err != nil {
		return nil, err
	}
	rates := map[string]int{}
	for _, e := range w.Environments {
		can, err := capacity(ctx, e.Name, w.ELB.Address(e.LoadBalancerARN, 80), progress)
		if err != nil {
			return nil, err
		}
		rates[e.Name] = max(1, min(deliveryRate, int(bearable*can.PerSecond)))
	}
	u := &users{world: w, rates: rates, progress: progress}
	err = deliver(ctx, w, u.goTo)
	u.leave()
	if err != nil {
		return nil, err
	}
	counts, seconds := u.counts, u.seconds
	figures := []Figure{
		Figure{Name: "delivery/failed", Value: float64(counts.Failed), Unit: "requests"}.AtMost(0),
		Figure{Name: "delivery/requests", Value: float64(counts.Requests), Unit: "requests"}.AtLeast(leastRequests),
		{Name: "delivery/rate", Value: float64(counts.Requests) / seconds, Unit: "requests/s"},
		{Name: "delivery/p99", Value: float64(counts.P99.Microseconds()) / 1000, Unit: "ms"},
	}
	if counts.Failed > 0 {
		progress("what failed most: " + counts.Worst())
	}
	last := w.Environments[len(w.Environments)-1]
	weights, err := w.Weights(ctx, last)
	if err != nil {
		return figures, err
	}
	group := last.BlueTargetGroupARN
	if weights.Live() == "green" {
		group = last.GreenTargetGroupARN
	}
	compared, err := balancers(ctx, w.ELB.Address(last.LoadBalancerARN, 80), w.ELB.Targets(group), progress)
	return append(figures, compared...), err
}

// deliver runs the pipeline to its end, gives every approval, and says each stage that begins.
func deliver(ctx context.Context, w *world.World, begins func(stage string)) error {
	execution, err := w.Start(ctx)
	if err != nil {
		return err
	}
	at := ""
	for {
		stage, over, err := where(ctx, w, execution)
		if err != nil {
			return err
		}
		if over {
			break
		}
		if stage != at {
			at = stage
			begins(stage)
		}
		questions, err := w.Questions(ctx)
		if err != nil {
			return err
		}
		for _, q := range questions {
			if err := w.Answer(ctx, q, true, "given by the benchmark"); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	_, err = w.Follow(ctx, execution, nil, nil)
	return err
}

// users send their requests to the environment that is being delivered to.
type users struct {
	world    *world.World
	rates    map[string]int // by environment, in requests a second
	progress func(string)

	stream  *load.Load
	began   time.Time
	counts  load.Counts
	seconds float64
}

// goTo moves the users to the environment of a stage; they stay where they are when it is none's.
func (u *users) goTo(stage string) {
	i := slices.IndexFunc(u.world.Environments, func(e world.Environment) bool { return e.Name == stage })
	if i < 0 {
		return
	}
	u.leave()
	u.progress(fmt.Sprintf("%d requests a second on %s", u.rates[stage], stage))
	client := u.world.ELB.Client()
	client.Timeout = deliveryPatience
	u.began = time.Now()
	u.stream = load.Start(load.Options{URL: u.world.Environments[i].URL, Paths: []string{"/", "/api/products", "/version"}, Rate: u.rates[stage], Client: client})
}

// leave ends their requests and counts them.
func (u *users) leave() {
	if u.stream == nil {
		return
	}
	counts := u.stream.Stop()
	u.seconds += time.Since(u.began).Seconds()
	u.counts.Requests += counts.Requests
	u.counts.Failed += counts.Failed
	u.counts.P99 = max(u.counts.P99, counts.P99)
	if u.counts.Failures == nil {
		u.counts.Failures = map[string]int{}
	}
	for failure, n := range counts.Failures {
		u.counts.Failures[failure] += n
	}
	u.stream = nil
}

// where tells which stage an execution is in, and whether it is over.
func where(ctx context.Context, w *world.World, execution string) (stage string, over bool, err error) {
	found, err := w.Pipelines.GetPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: &w.Pipeline, PipelineExecutionId: &execution})
	if err != nil {
		return "", false, err
	}
	listed, err := w.Pipelines.ListActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{PipelineName: &w.Pipeline,
		Filter: &types.ActionExecutionFilter{PipelineExecutionId: &execution}})
	if err != nil {
		return "", false, err
	}
	if len(listed.ActionExecutionDetails) > 0 {
		stage = *listed.ActionExecutionDetails[0].StageName // the newest is first
	}
	return stage, found.PipelineExecution.Status != types.PipelineExecutionStatusInProgress, nil
}
