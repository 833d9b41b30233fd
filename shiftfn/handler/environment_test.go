package handler

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// environment is a world in which every change shows at once, with a pipeline that notes what it is told. Its clock moves when
// somebody sleeps.
type environment struct {
	now     time.Time
	plan    rollout.Plan
	weights rollout.Weights
	preview rollout.Colour
	sides   map[rollout.Colour]*side
	lease   *controller.Lease
	alarm   rollout.AlarmState
	bad     bool // the candidate fails all probes
	fault   any  // what an observation panics with

	answers []answer
	events  []controller.Event
	log     bytes.Buffer
}

type side struct {
	tasks, least   int
	suspended      bool
	taskDefinition string
}

// answer is one thing that the pipeline was told.
type answer struct {
	kind, job, text string // continued, succeeded or failed
	token           string
	outputs         map[string]string
}

var (
	digest = fmt.Sprintf("sha256:%064d", 7)
	start  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func newEnvironment(t *testing.T) *environment {
	t.Helper()
	plan, problems := rollout.Policy{Steps: []rollout.Step{{Weight: 50}, {Weight: 100}}, StandbySeconds: 900, Alarms: []string{"errors"}}.Plan()
	require.Empty(t, problems)
	return &environment{
		now: start, plan: plan, weights: rollout.Weights{Blue: 100}, preview: rollout.Green, alarm: rollout.AlarmOK,
		sides: map[rollout.Colour]*side{
			rollout.Blue:  {tasks: 2, least: 1, taskDefinition: "arn:task-definition/shop-blue:1"},
			rollout.Green: {taskDefinition: "arn:task-definition/shop-green:1"},
		},
	}
}

// handler is one that acts on the environment.
func (e *environment) handler() *Handler {
	log := slog.New(slog.NewJSONHandler(&e.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return &Handler{log: log, controller: controller.Controller{
		Environment: "dev", Plan: e.plan,
		Declared: map[rollout.Colour]string{rollout.Blue: "arn:task-definition/shop-blue:1", rollout.Green: "arn:task-definition/shop-green:1"},
		Services: map[rollout.Colour]string{rollout.Blue: "shop-blue", rollout.Green: "shop-green"},
		World:    e, Leases: leases{e}, Pipeline: e, Herald: e, Clock: e, Log: log,
	}}
}

// invoke hands an event in, with d of the environment's time to answer it.
func (e *environment) invoke(t *testing.T, event string, d time.Duration) error {
	t.Helper()
	return e.handler().InvokeUntil(t.Context(), []byte(event), e.now.Add(d))
}

// last is the last thing that the pipeline was told.
func (e *environment) last(t *testing.T) answer {
	t.Helper()
	require.NotEmpty(t, e.answers, e.log.String())
	return e.answers[len(e.answers)-1]
}

func (e *environment) Now() time.Time { return e.now }

func (e *environment) Sleep(ctx context.Context, d time.Duration) error {
	e.now = e.now.Add(d)
	return ctx.Err()
}

func (e *environment) Observe(_ context.Context, look rollout.Look, order controller.Order) rollout.Observation {
	if e.fault != nil {
		panic(e.fault)
	}
	weights, preview := e.weights, e.preview
	o := rollout.Observation{Now: e.now, Weights: &weights, Preview: &preview}
	for c, s := range e.sides {
		*o.Of(c) = rollout.Side{
			Targets: &rollout.Targets{Healthy: s.tasks},
			Service: &rollout.Service{Desired: s.tasks, Running: s.tasks, TaskDefinition: s.taskDefinition, Settled: true},
			Scaling: &rollout.Scaling{Managed: true, Min: s.least, Max: 10, Suspended: s.suspended},
			Metrics: &rollout.Metrics{},
		}
	}
	if look.Release {
		o.Release = &rollout.Release{TaskDefinition: e.sides[look.Candidate].taskDefinition}
		if want := "arn:task-definition/" + order.Digest; o.Release.TaskDefinition != want {
			o.Release.Mismatch = o.Release.TaskDefinition + " is not " + want
		}
	}
	if look.Probes > 0 {
		o.Probes = &rollout.Probed{Sent: look.Probes}
		if e.bad {
			o.Probes.Failed, o.Probes.Example = look.Probes, "GET /: HTTP 500 instead of 200"
		}
	}
	for _, name := range look.Alarms {
		o.Alarms = append(o.Alarms, rollout.Alarm{Name: name, State: e.alarm})
	}
	return o
}

func (e *environment) Apply(_ context.Context, c rollout.Change) error {
	s := e.sides[c.Colour]
	switch c.Kind {
	case rollout.ChangePreview:
		e.preview = c.Colour
	case rollout.ChangeScaling:
		s.least, s.suspended = c.Scaling.Min, c.Scaling.Suspended
	case rollout.ChangeTasks:
		s.tasks = c.Tasks
		if c.TaskDefinition != "" {
			s.taskDefinition = c.TaskDefinition
		}
	case rollout.ChangeWeights:
		e.weights = c.Weights
	}
	return nil
}

func (e *environment) Diagnose(context.Context, rollout.Colour) controller.Diagnosis {
	return controller.Diagnosis{Logs: []string{"cannot open the till"}}
}

func (e *environment) Publish(_ context.Context, event controller.Event) error {
	e.events = append(e.events, event)
	return nil
}

func (e *environment) Continue(_ context.Context, job, token, summary string) error {
	e.answers = append(e.answers, answer{kind: "continued", job: job, text: summary, token: token})
	return nil
}

func (e *environment) Succeed(_ context.Context, job, summary string, outputs map[string]string) error {
	e.answers = append(e.answers, answer{kind: "succeeded", job: job, text: summary, outputs: maps.Clone(outputs)})
	return nil
}

func (e *environment) Fail(_ context.Context, job, message string) error {
	e.answers = append(e.answers, answer{kind: "failed", job: job, text: message})
	return nil
}

type leases struct{ *environment }

func (l leases) Read(context.Context) (controller.Lease, error) {
	if l.lease == nil {
		return controller.Lease{}, controller.ErrNoLease
	}
	return *l.lease, nil
}

func (l leases) Write(_ context.Context, lease controller.Lease) error {
	l.lease = &lease
	return nil
}
