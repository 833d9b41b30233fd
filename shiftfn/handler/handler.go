// Package handler is the function's front: it tells the events apart (a pipeline's job, a lease's schedule, a call to sleep or
// wake, an alarm) and runs what each asks for.
package handler

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// Clock is the function's time. The rules never read it: it is passed to them as a value.
type Clock = controller.Clock

// Handler answers the events of one environment. It is safe for concurrent invocations.
type Handler struct {
	controller controller.Controller
	log        *slog.Logger
}

// New returns the handler of the environment that the settings describe. It calls nothing. Settings that settings.Parse
// accepts hold a good policy; a bad one is a mistake of the caller's and is told as an error.
func New(s settings.Settings, c adapter.Clients, clock Clock, log *slog.Logger) (*Handler, error) {
	plan, problems := s.Policy.Plan()
	if len(problems) > 0 {
		return nil, fmt.Errorf("the rollout policy: %v", problems)
	}
	plan.Minimum = max(1, s.MinimumTasks)
	nights, problems := s.Nights()
	if len(problems) > 0 {
		return nil, fmt.Errorf("the hours of sleep: %v", problems)
	}
	return &Handler{log: log, controller: controller.Controller{
		Environment: s.Environment,
		Plan:        plan,
		Declared:    map[rollout.Colour]string{rollout.Blue: s.Blue.TaskDefinition, rollout.Green: s.Green.TaskDefinition},
		Services:    map[rollout.Colour]string{rollout.Blue: s.Blue.Service, rollout.Green: s.Green.Service},
		World:       &adapter.World{Settings: s, Clients: c, Plan: plan, Now: clock.Now, Log: log},
		Nights:      nights,
		Leases:      &adapter.Leases{Settings: s, Scheduler: c.Scheduler, Schedule: settings.Schedule, Now: clock.Now, Log: log},
		Rests:       &adapter.Leases{Settings: s, Scheduler: c.Scheduler, Schedule: settings.RestSchedule, Now: clock.Now, Log: log},
		Pipeline:    adapter.Jobs{CodePipeline: c.CodePipeline},
		Herald:      adapter.Herald{EventBridge: c.EventBridge},
		Clock:       clock,
		Log:         log,
	}}, nil
}

// Invoke answers one event within the context's deadline, as Lambda calls it.
func (h *Handler) Invoke(ctx context.Context, event json.RawMessage) error {
	end, bounded := ctx.Deadline()
	if !bounded {
		end = h.controller.Clock.Now().Add(15 * time.Minute)
	}
	return h.InvokeUntil(ctx, event, end)
}

// InvokeUntil answers one event and leaves before end, a moment of the handler's own clock (which a local world may run
// faster than the machine's). A job that needs longer is answered with a continuation token.
//
// The error is for the operator of the function alone: what the pipeline has to know, it is told by the job's answer. The
// event is never logged, for a job's holds credentials.
func (h *Handler) InvokeUntil(ctx context.Context, text json.RawMessage, end time.Time) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the run was cut off by a fault of its own, and the schedule continues the shift: %v", p)
			h.log.Error("panic", "fault", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	run := controller.Run{ID: rand.Text(), End: end}
	if l, ok := lambdacontext.FromContext(ctx); ok && l.AwsRequestID != "" {
		run.ID = l.AwsRequestID
	}
	e, err := parseEvent(text)
	switch {
	case err != nil:
		return err
	case e.lease != nil:
		return h.controller.Wake(ctx, run, *e.lease)
	case e.call != nil && e.call.Command == settings.CommandSleep:
		return h.controller.Sleep(ctx, run, e.call.Scheduled)
	case e.call != nil:
		return h.controller.Rouse(ctx, run, e.call.Scheduled)
	case e.alarm != "":
		return h.controller.Guard(ctx, run, e.alarm)
	case e.job.refusal != "":
		return h.controller.Refuse(ctx, run, e.job.id, e.job.refusal)
	case e.job.command == commandPrepare:
		return h.controller.Prepare(ctx, run, e.job.id, e.job.token)
	default:
		return h.controller.Shift(ctx, run, e.job.id, e.job.order, e.job.token)
	}
}
