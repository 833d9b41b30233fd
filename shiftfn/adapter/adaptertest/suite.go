// Package adaptertest is one suite of tests for the adapters, to be run on every world that claims to behave like AWS.
package adaptertest

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// World is one environment: two services at their minimum and 0 tasks behind a listener at blue 100, green 0, with a preview
// rule that leads to green and scalable targets from the minimum (0 for green) to Maximum.
type World struct {
	Settings settings.Settings
	// Clients are the adapters', made of a watched configuration. Balancer is for what the suite asks and changes itself.
	Clients  adapter.Clients
	Balancer adapter.ELB
	Now      func() time.Time
	Maximum  int
	// Register registers a task definition of the green family as the pipeline does: a clone of the declared one with another
	// image, and, where memory is not empty, with another size in MiB.
	Register func(t *testing.T, image, memory string) (arn string)
	// Deploy gives green's service a task definition.
	Deploy func(t *testing.T, arn string)
	// Stop leaves a stopped task of green's behind.
	Stop func(t *testing.T)
	// Measure publishes one value of a load balancer's metric for a target group. The times do not go back.
	Measure func(t *testing.T, c rollout.Colour, metric string, value float64, at time.Time)
	// Alarm declares an alarm in a state.
	Alarm func(t *testing.T, name string, state rollout.AlarmState)
	// Log writes a line into the application's log group.
	Log func(t *testing.T, c rollout.Colour, line string)
}

// Apart is what a world does not do as AWS documents it, each with how it shows: an operation, or a part of one. The suite
// leaves out what cannot be had there, and nothing else.
type Apart map[string]string

// The parts of operations that a world may lack.
const (
	Percentiles = "GetMetricData: percentiles"
	Prefixes    = "FilterLogEvents: logStreamNamePrefix"
	// Traffic is requests through the load balancer.
	Traffic = "Do"
)

// Watch makes the calls of a configuration's clients known to the suite; the account is the one of the world's ARNs.
type Watch func(c aws.Config, account string) aws.Config

const digest = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

// Run runs the suite, each test in a world of its own, and returns what IAM must have allowed for it. It fails where the adapters
// could make a call that no test has led them to.
func Run(t *testing.T, apart Apart, raise func(t *testing.T, watch Watch) *World) []Call {
	seen := &recorder{operations: map[string]bool{}, calls: map[string]Call{}}
	each := func(name string, test func(s *suite, t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			w := raise(t, seen.watch)
			w.Clients.HTTP = watchedHTTP{w.Clients.HTTP, seen}
			plan, problems := rollout.Policy{}.Plan()
			require.Empty(t, problems)
			if apart[Percentiles] != "" {
				plan.Limits.LatencyRatio = 0 // nobody judges latency, so none is asked for
			}
			log := slog.New(slog.DiscardHandler)
			test(&suite{w, apart, &adapter.World{Settings: w.Settings, Clients: w.Clients, Plan: plan, Now: w.Now, Log: log},
				&adapter.Leases{Settings: w.Settings, Scheduler: w.Clients.Scheduler, Schedule: settings.Schedule, Now: w.Now, Log: log}}, t)
		})
	}
	each("sees the environment as it is declared", (*suite).declared)
	each("moves the weights and reads them back, with everything else of the action kept", (*suite).weights)
	each("refuses to move weights that somebody else has moved", (*suite).moved)
	each("counts a small share as some traffic", (*suite).small)
	each("leads the preview rule to either side", (*suite).preview)
	each("scales a side up and down", (*suite).tasks)
	each("changes a minimum and the freedom to shrink, and leaves the maximum", (*suite).bounds)
	each("recognises the release by its image and its shape", (*suite).release)
	each("keeps a lease through all its kinds", (*suite).lease)
	each("reads alarms by name", (*suite).alarms)
	each("reads the complete periods of both sides", (*suite).metrics)
	each("diagnoses with the secrets struck out", (*suite).diagnosis)
	each("tells of tasks that stopped", (*suite).stopped)
	each("probes the side that the preview rule leads to", (*suite).probes)
	each("publishes events", (*suite).events)
	each("answers jobs, and knows when nobody waits for an answer", (*suite).jobs)
	t.Run("makes every call that the adapters' interfaces have", func(t *testing.T) {
		assert.Empty(t, seen.unknown, "say in call.go which permission it needs")
		for _, operation := range operations() {
			assert.True(t, seen.operations[operation] || apart[operation] != "", "no test leads the adapters to %s", operation)
		}
	})
	return slices.Collect(maps.Values(seen.calls))
}

// operations are the names of everything that Clients can do.
func operations() []string {
	var names []string
	for _, client := range reflect.VisibleFields(reflect.TypeFor[adapter.Clients]()) {
		for method := range client.Type.NumMethod() {
			names = append(names, client.Type.Method(method).Name)
		}
	}
	return names
}

type watchedHTTP struct {
	adapter.HTTP
	seen *recorder
}

func (h watchedHTTP) Do(r *http.Request) (*http.Response, error) {
	h.seen.mu.Lock()
	h.seen.operations["Do"] = true
	h.seen.mu.Unlock()
	return h.HTTP.Do(r)
}

type suite struct {
	*World
	apart   Apart
	adapter *adapter.World
	leases  *adapter.Leases
}

func (s *suite) observe(t *testing.T, look rollout.Look) rollout.Observation {
	t.Helper()
	o := s.adapter.Observe(context.Background(), look, controller.Order{Candidate: rollout.Green, Digest: digest})
	require.Empty(t, o.Trouble)
	return o
}

func (s *suite) apply(t *testing.T, c rollout.Change) {
	t.Helper()
	require.NoError(t, s.adapter.Apply(context.Background(), c))
}

func (s *suite) declared(t *testing.T) {
	o := s.observe(t, rollout.Look{})
	assert.Equal(t, rollout.Weights{Blue: 100}, *o.Weights)
	assert.Equal(t, rollout.Green, *o.Preview)
	assert.Equal(t, s.Settings.MinimumTasks, o.Blue.Service.Desired)
	assert.Equal(t, 0, o.Green.Service.Desired)
	assert.Equal(t, s.Settings.Green.TaskDefinition, o.Green.Service.TaskDefinition)
	assert.Empty(t, o.Blue.Service.Failed)
	assert.Equal(t, rollout.Scaling{Managed: true, Min: s.Settings.MinimumTasks, Max: s.Maximum}, *o.Blue.Scaling)
	assert.Equal(t, rollout.Scaling{Managed: true, Min: 0, Max: s.Maximum}, *o.Green.Scaling)
	assert.Zero(t, *o.Green.Targets)
	assert.Nil(t, o.Release)
	assert.Nil(t, o.Probes)
	assert.Nil(t, o.Blue.Metrics)
}

func (s *suite) move(t *testing.T, from, to rollout.Weights) {
	t.Helper()
	s.apply(t, rollout.Change{Kind: rollout.ChangeWeights, Before: from, Weights: to})
}

func (s *suite) action(t *testing.T) types.Action {
	t.Helper()
	out, err := s.Balancer.DescribeListeners(context.Background(), &elb.DescribeListenersInput{ListenerArns: []string{s.Settings.Listener}})
	require.NoError(t, err)
	require.Len(t, out.Listeners[0].DefaultActions, 1)
	return out.Listeners[0].DefaultActions[0]
}

func (s *suite) weights(t *testing.T) {
	before := s.action(t)
	at := rollout.Weights{Blue: 100}
	for _, to := range []rollout.Weights{{Blue: 99, Green: 1}, {Blue: 50, Green: 50}, {Green: 100}, {Blue: 100}} {
		s.move(t, at, to)
		assert.Equal(t, to, *s.observe(t, rollout.Look{}).Weights)
		at = to
	}
	after := s.action(t)
	require.NotNil(t, after.ForwardConfig)
	assert.Len(t, after.ForwardConfig.TargetGroups, 2, "a group with weight 0 stays attached, and so is health-checked")
	if before.ForwardConfig != nil {
		assert.Equal(t, before.ForwardConfig.TargetGroupStickinessConfig, after.ForwardConfig.TargetGroupStickinessConfig)
	}
}

func (s *suite) moved(t *testing.T) {
	s.move(t, rollout.Weights{Blue: 100}, rollout.Weights{Blue: 70, Green: 30})
	err := s.adapter.Apply(context.Background(), rollout.Change{Kind: rollout.ChangeWeights, Before: rollout.Weights{Blue: 100}, Weights: rollout.Weights{Green: 100}})
	assert.ErrorContains(t, err, "blue 70, green 30")
	assert.Equal(t, rollout.Weights{Blue: 70, Green: 30}, *s.observe(t, rollout.Look{}).Weights)
}

func (s *suite) small(t *testing.T) {
	for weight, want := range map[int32]int{1: 1, 998: 99} {
		_, err := s.Balancer.ModifyListener(context.Background(), &elb.ModifyListenerInput{
			ListenerArn: aws.String(s.Settings.Listener),
			DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{
				{TargetGroupArn: aws.String(s.Settings.Blue.TargetGroup), Weight: aws.Int32(999 - weight)},
				{TargetGroupArn: aws.String(s.Settings.Green.TargetGroup), Weight: aws.Int32(weight)},
			}}}},
		})
		require.NoError(t, err)
		assert.Equal(t, want, s.observe(t, rollout.Look{}).Weights.Green)
	}
}

func (s *suite) preview(t *testing.T) {
	for _, c := range []rollout.Colour{rollout.Blue, rollout.Green, rollout.Green} {
		s.apply(t, rollout.Change{Kind: rollout.ChangePreview, Colour: c})
		assert.Equal(t, c, *s.observe(t, rollout.Look{}).Preview)
	}
}

func (s *suite) tasks(t *testing.T) {
	least := s.Settings.MinimumTasks
	for c, tasks := range map[rollout.Colour]int{rollout.Green: 2, rollout.Blue: least + 1} {
		s.apply(t, rollout.Change{Kind: rollout.ChangeTasks, Colour: c, Tasks: tasks, Grow: true})
		o := s.observe(t, rollout.Look{})
		assert.Equal(t, tasks, o.Of(c).Service.Desired)
	}
	other := s.Register(t, "registry.example/shop@"+digest, "")
	s.apply(t, rollout.Change{Kind: rollout.ChangeTasks, Colour: rollout.Green, Tasks: 0, TaskDefinition: other})
	o := s.observe(t, rollout.Look{})
	assert.Equal(t, 0, o.Green.Service.Desired)
	assert.Equal(t, other, o.Green.Service.TaskDefinition)
	assert.Equal(t, least+1, o.Blue.Service.Desired)
}

func (s *suite) bounds(t *testing.T) {
	is := map[rollout.Colour]rollout.ScalingWant{rollout.Blue: {Min: s.Settings.MinimumTasks}, rollout.Green: {}}
	for _, c := range []rollout.Colour{rollout.Green, rollout.Blue} {
		for _, want := range []rollout.ScalingWant{{Min: 0, Suspended: true}, {Min: 2}, {Min: 1, Suspended: true}, {}} {
			s.apply(t, rollout.Change{Kind: rollout.ChangeScaling, Colour: c, Scaling: want})
			is[c] = want
			o := s.observe(t, rollout.Look{})
			for c, is := range is {
				assert.Equal(t, rollout.Scaling{Managed: true, Min: is.Min, Max: s.Maximum, Suspended: is.Suspended}, *o.Of(c).Scaling)
			}
		}
	}
}

func (s *suite) release(t *testing.T) {
	look := rollout.Look{Candidate: rollout.Green, Release: true}
	assert.Contains(t, s.observe(t, look).Release.Mismatch, digest, "the declared revision has the first image")

	good := s.Register(t, "registry.example/shop@"+digest, "")
	s.Deploy(t, good)
	assert.Equal(t, rollout.Release{TaskDefinition: good}, *s.observe(t, look).Release)

	large := s.Register(t, "registry.example/shop@"+digest, "1024")
	s.Deploy(t, large)
	assert.Contains(t, s.observe(t, look).Release.Mismatch, "Memory")

	s.Deploy(t, s.Register(t, "registry.example/shop@sha256:"+strings.Repeat("0", 64), ""))
	assert.Contains(t, s.observe(t, look).Release.Mismatch, strings.Repeat("0", 64))
}

func (s *suite) lease(t *testing.T) {
	ctx := context.Background()
	_, err := s.leases.Read(ctx)
	require.ErrorIs(t, err, controller.ErrNoLease)
	plan, _ := rollout.Policy{}.Plan()
	token, err := rollout.Begin(rollout.Green, plan, s.Now()).Token()
	require.NoError(t, err)
	due := s.Now().Add(time.Hour).UTC().Truncate(time.Second)
	rests := *s.leases
	rests.Schedule = settings.RestSchedule
	_, err = rests.Read(ctx)
	require.ErrorIs(t, err, controller.ErrNoLease)
	for i := range 2 {
		rest := controller.Lease{Kind: controller.LeaseWake, Due: due, Owner: "run", Run: i}
		require.NoError(t, rests.Write(ctx, rest))
		kept, err := rests.Read(ctx)
		require.NoError(t, err)
		rest.Version = kept.Version
		assert.Equal(t, rest, kept)
	}
	for _, lease := range []controller.Lease{
		{Kind: controller.LeaseShift, Due: due, Job: "job", Owner: "run", Run: 1, Token: token, Answered: []string{"job"}, Order: controller.Order{Candidate: rollout.Green, Digest: digest}},
		{Kind: controller.LeaseShift, Due: due.Add(-2 * time.Hour), Job: "job", Run: 1, Token: token, Diagnosis: &controller.Diagnosis{Logs: []string{"“ü” <&>"}}},
		{Kind: controller.LeaseStandby, Due: due, Live: rollout.Green, Since: due.Add(-time.Minute), TaskDefinition: s.Settings.Blue.TaskDefinition},
		{Kind: controller.LeaseEnded, Due: due.Add(-24 * time.Hour)},
		{Kind: controller.LeaseShift, Due: due, Job: "job-2", Token: token},
		{Kind: controller.LeaseSleep, Due: due, Owner: "run", Since: due.Add(-time.Minute)},
		{Kind: controller.LeaseWake, Due: due, Owner: "run", Since: due.Add(-time.Minute)},
	} {
		require.NoError(t, s.leases.Write(ctx, lease), lease.Kind)
		kept, err := s.leases.Read(ctx)
		require.NoError(t, err)
		lease.Version = kept.Version
		assert.Equal(t, lease, kept)
	}
}

func (s *suite) alarms(t *testing.T) {
	s.Alarm(t, "quiet", rollout.AlarmOK)
	s.Alarm(t, "ringing", rollout.AlarmRinging)
	s.Alarm(t, "unsure", rollout.AlarmInsufficient)
	o := s.observe(t, rollout.Look{Alarms: []string{"ringing", "nowhere", "quiet", "unsure"}})
	assert.Equal(t, []rollout.Alarm{
		{Name: "ringing", State: rollout.AlarmRinging}, {Name: "nowhere", State: rollout.AlarmMissing},
		{Name: "quiet", State: rollout.AlarmOK}, {Name: "unsure", State: rollout.AlarmInsufficient},
	}, o.Alarms)
}

func (s *suite) metrics(t *testing.T) {
	now := s.Now().UTC()
	minute := func(n int) time.Time { return now.Truncate(time.Minute).Add(time.Duration(n) * time.Minute) }
	look := rollout.Look{Candidate: rollout.Green, Since: minute(-4).Add(-30 * time.Second)}
	assert.Empty(t, s.observe(t, look).Green.Metrics.Periods, "no traffic is no period, and no period is unknown")
	s.Measure(t, rollout.Green, "RequestCount", 7, minute(-5)) // began before the weights took effect
	s.Measure(t, rollout.Green, "RequestCount", 100, minute(-4))
	s.Measure(t, rollout.Green, "HTTPCode_Target_5XX_Count", 4, minute(-4))
	s.Measure(t, rollout.Green, "TargetConnectionErrorCount", 1, minute(-4))
	s.Measure(t, rollout.Green, "TargetResponseTime", 0.25, minute(-4))
	s.Measure(t, rollout.Blue, "RequestCount", 900, minute(-3))
	s.Measure(t, rollout.Green, "RequestCount", 50, minute(-2)) // and none in the minute between
	s.Measure(t, rollout.Green, "RequestCount", 9, minute(0))   // not complete
	o := s.observe(t, look)
	// The clock may have passed a full minute meanwhile; the period that was not complete is then the last one.
	got := o.Green.Metrics.Periods
	if len(got) == 3 {
		got = got[:2]
	}
	require.Len(t, got, 2)
	for i := range got {
		got[i].End = got[i].End.UTC()
	}
	// The request whose connection failed is one of the hundred: a target had been chosen for it.
	first := rollout.Counts{End: minute(-3), Requests: 100, Errors: 5}
	if s.apart[Percentiles] == "" {
		first.Latency = 250 * time.Millisecond
	}
	assert.Equal(t, first, got[0])
	assert.Equal(t, rollout.Counts{End: minute(-1), Requests: 50}, got[1])
	require.Len(t, o.Blue.Metrics.Periods, 1)
	assert.Equal(t, 900.0, o.Blue.Metrics.Periods[0].Requests)

	assert.Empty(t, s.observe(t, rollout.Look{Candidate: rollout.Green, Since: s.Now()}).Green.Metrics.Periods)
}

func (s *suite) diagnosis(t *testing.T) {
	s.Log(t, rollout.Green, "listening on 8080")
	s.Log(t, rollout.Green, "connecting with password=hunter2 to postgres://shop:hunter3@db/shop")
	if s.apart[Prefixes] == "" {
		s.Log(t, rollout.Blue, "all is well here")
	}
	d := s.adapter.Diagnose(context.Background(), rollout.Green)
	assert.Empty(t, d.Trouble)
	assert.Equal(t, []string{"listening on 8080", "connecting with password=… to postgres://shop:…@db/shop"}, d.Logs)
	assert.Empty(t, d.Targets)
}

func (s *suite) stopped(t *testing.T) {
	assert.Empty(t, s.adapter.Diagnose(context.Background(), rollout.Green).Tasks)
	if s.apart["DescribeTasks"] != "" {
		return
	}
	s.Stop(t)
	d := s.adapter.Diagnose(context.Background(), rollout.Green)
	assert.Empty(t, d.Trouble)
	require.Len(t, d.Tasks, 1)
	assert.Regexp(t, "^[0-9a-f-]{32,}: .+", d.Tasks[0], "the task and why it stopped")
	assert.Empty(t, s.adapter.Diagnose(context.Background(), rollout.Blue).Tasks)
}

func (s *suite) probes(t *testing.T) {
	look := rollout.Look{Candidate: rollout.Green, Probes: 3}
	if s.apart[Traffic] != "" {
		o := s.observe(t, look)
		assert.Equal(t, 3, o.Probes.Unsent, "what does not reach the load balancer says nothing about the candidate")
		return
	}
	o := s.observe(t, look)
	assert.Equal(t, 3, o.Probes.Failed, "green runs nothing, and users are served by blue")
	assert.Contains(t, o.Probes.Example, "HTTP 503 instead of 200")
	s.apply(t, rollout.Change{Kind: rollout.ChangeTasks, Colour: rollout.Green, Tasks: 1, Grow: true})
	require.Eventually(t, func() bool { return s.observe(t, rollout.Look{}).Green.Targets.Healthy == 1 }, 20*time.Second, 50*time.Millisecond)
	assert.Equal(t, rollout.Probed{Sent: 3}, *s.observe(t, look).Probes)
}

func (s *suite) events(t *testing.T) {
	assert.NoError(t, adapter.Herald{EventBridge: s.Clients.EventBridge}.Publish(context.Background(), controller.Event{
		Kind: controller.EventEnded, Environment: "dev", Outcome: rollout.RolledBack, Weights: &rollout.Weights{Blue: 100}, Reason: "it was bad",
	}))
}

func (s *suite) jobs(t *testing.T) {
	const nobody = "11111111-2222-3333-4444-555555555555"
	ctx, jobs := context.Background(), adapter.Jobs{CodePipeline: s.Clients.CodePipeline}
	for operation, errs := range map[string][]error{
		"PutJobSuccessResult": {jobs.Continue(ctx, nobody, "token", "going on"), jobs.Succeed(ctx, nobody, "live", map[string]string{"LiveColour": "blue"})},
		"PutJobFailureResult": {jobs.Fail(ctx, nobody, "no")},
	} {
		for _, err := range errs {
			if s.apart[operation] == "" {
				assert.ErrorIs(t, err, controller.ErrJobGone)
			} else { // a world without jobs does not take the answer to one
				assert.Error(t, err)
			}
		}
	}
}
