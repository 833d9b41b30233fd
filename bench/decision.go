package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// Decision measures one tick's decision on a candidate that takes traffic and passes, with ten minutes of metrics.
func Decision(_ context.Context, _ Settings, progress func(string)) ([]Figure, error) {
	plan, problems := rollout.Policy{Limits: rollout.Limits{LatencyMs: 500}, Alarms: []string{"checkout-errors"}}.Plan()
	if len(problems) > 0 {
		return nil, fmt.Errorf("the benchmark's policy: %v", problems)
	}
	const revision = "arn:aws:ecs:eu-central-1:123456789012:task-definition/web-green:7"
	now := time.Date(2025, time.June, 2, 9, 0, 0, 0, time.UTC)
	since := now.Add(-11 * time.Minute)
	state := rollout.Begin(rollout.Green, plan, since)
	state.Phase, state.Weight, state.Writing, state.Size, state.TaskDefinition = rollout.Shifting, 100, 100, 4, revision
	weights, preview := rollout.Split(rollout.Green, 100), rollout.Green
	var metrics rollout.Metrics
	for i := range 10 {
		metrics.Periods = append(metrics.Periods, rollout.Counts{End: since.Add(time.Duration(i+1) * rollout.Period), Requests: 60_000, Errors: 60, Latency: 200 * time.Millisecond})
	}
	o := rollout.Observation{Now: since.Add(4 * time.Minute), Lease: rollout.LeaseMine, Weights: &weights, Preview: &preview,
		Probes: &rollout.Probed{Sent: 5}, Alarms: []rollout.Alarm{{Name: "checkout-errors", State: rollout.AlarmOK}}}
	for _, c := range []rollout.Colour{rollout.Blue, rollout.Green} {
		*o.Of(c) = rollout.Side{Targets: &rollout.Targets{Healthy: 4}, Scaling: &rollout.Scaling{Managed: true, Min: 4, Max: 8, Suspended: true},
			Service: &rollout.Service{Desired: 4, Running: 4, TaskDefinition: revision, Settled: true}, Metrics: &metrics}
	}
	if d := rollout.Decide(plan, state, &o); d.Outcome != "" || rollout.Overall(d.Findings) != rollout.Pass {
		return nil, fmt.Errorf("the benchmark's tick does not pass: %s", d.Reason)
	}
	progress("one tick")
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rollout.Decide(plan, state, &o)
		}
	})
	return []Figure{
		{Name: "decision/time", Value: float64(result.NsPerOp()), Unit: "ns"},
		{Name: "decision/allocations", Value: float64(result.AllocsPerOp()), Unit: "allocations"},
		{Name: "decision/allocated", Value: float64(result.AllocedBytesPerOp()), Unit: "bytes"},
	}, nil
}
