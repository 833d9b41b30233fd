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
	deliveryScale    = 8
	deliveryRate     = 1_000
	leastRequests    = 100_000
	deliveryPatience = 10 * time.Second // of one user, with one request
)

// Delivery delivers the checked-out commit through all environments with 1,000 users' requests a second on the environment that is
// being delivered to, and then compares the load balancer with nginx and with no load balancer, on the containers of the last one.
func Delivery(ctx context.Context, s Settings, progress func(string)) (_ []Figure, err error) {
	w, err := world.Open(ctx, world.Options{Dir: s.Dir, Program: stacks.Declare, Scale: deliveryScale, Say: progress})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	counts, seconds, err := underLoad(ctx, w, progress)
	if err != nil {
		return nil, err
	}
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

// underLoad delivers, with the load on one environment after the other.
func underLoad(ctx context.Context, w *world.World, progress func(string)) (all load.Counts, seconds float64, err error) {
	execution, err := w.Start(ctx)
	if err != nil {
		return all, 0, err
	}
	client := w.ELB.Client()
	client.Timeout = deliveryPatience
	var stream *load.Load
	at := ""
	began := time.Time{}
	stop := func() {
		if stream == nil {
			return
		}
		counts := stream.Stop()
		seconds += time.Since(began).Seconds()
		all.Requests += counts.Requests
		all.Failed += counts.Failed
		all.P99 = max(all.P99, counts.P99)
		if all.Failures == nil {
			all.Failures = map[string]int{}
		}
		for failure, n := range counts.Failures {
			all.Failures[failure] += n
		}
		stream = nil
	}
	defer stop()
	for {
		stage, over, err := where(ctx, w, execution)
		if err != nil {
			return all, 0, err
		}
		if over {
			break
		}
		if i := slices.IndexFunc(w.Environments, func(e world.Environment) bool { return e.Name == stage }); i >= 0 && stage != at {
			stop()
			progress(fmt.Sprintf("%d requests a second on %s", deliveryRate, stage))
			at, began = stage, time.Now()
			stream = load.Start(load.Options{URL: w.Environments[i].URL, Paths: []string{"/", "/api/products", "/version"}, Rate: deliveryRate, Client: client})
		}
		questions, err := w.Questions(ctx)
		if err != nil {
			return all, 0, err
		}
		for _, q := range questions {
			if err := w.Answer(ctx, q, true, "given by the benchmark"); err != nil {
				return all, 0, err
			}
		}
		select {
		case <-ctx.Done():
			return all, 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	stop()
	_, err = w.Follow(ctx, execution, nil, nil)
	return all, seconds, err
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
