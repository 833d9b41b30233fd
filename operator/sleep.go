package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// Sleep is an environment without a task, by its schedule or a person's wish; its weights are as they were.
type Sleep struct {
	// Until is when its schedule wakes it, nil where it has none.
	Until *time.Time `json:"until,omitempty"`
}

// sleep tells whether the environment sleeps, and until when.
func (s *Status) sleep(e Environment) {
	if !rollout.Asleep(&s.seen) {
		return
	}
	s.Sleep = &Sleep{}
	nights, problems := e.Settings.Nights()
	if nights == nil || len(problems) > 0 {
		return
	}
	night, change := nights.At(s.At)
	if !night { // a person put it to sleep by day: the next night's end is what wakes it
		_, change = nights.At(change)
	}
	s.Sleep.Until = &change
}

// resting is for how long an environment is looked at after its function was called; waiting for tasks to be healthy is not a
// part of it.
const resting = 90 * time.Second

// Rest has the function put an environment to sleep, or wake it, and waits until the services say so. command is
// settings.CommandSleep or settings.CommandWake. A *RefusedError says why nothing was asked for.
func (d *Delivery) Rest(ctx context.Context, environment, command string) (Status, error) {
	e, err := d.Environment(environment)
	if err != nil {
		return Status{}, err
	}
	s := d.look(ctx, e, pipelineState{})
	switch {
	case e.Strategy == Rolling:
		return s, &RefusedError{fmt.Sprintf("%s takes its releases in place (rolling), so no function puts it to sleep", environment),
			"Change its service's desired count instead."}
	case s.rested(e, command):
		return s, nil
	case s.Weights == nil:
		return s, &RefusedError{fmt.Sprintf("the weights of %s cannot be read (%s)", environment, first(s.Trouble)), "Try again."}
	case s.lease.Kind == controller.LeaseShift:
		return s, &RefusedError{fmt.Sprintf("a shift is under way in %s, which needs both sides awake", environment), "Wait for it: `shiftctl watch " + environment + "`."}
	case command == settings.CommandSleep && s.Live == "":
		return s, &RefusedError{fmt.Sprintf("traffic of %s is at %s, so a person has to decide first, and finds both versions running", environment, s.Weights),
			"Put all of it on one side: `shiftctl rollback " + environment + "`."}
	}
	event, err := json.Marshal(settings.Call{Command: command})
	if err != nil {
		return s, err
	}
	_, err = d.Clients.Functions.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(e.Settings.Function), InvocationType: types.InvocationTypeEvent, Payload: event,
	})
	if err != nil {
		return s, fmt.Errorf("calling the function of %s: %w", environment, err)
	}
	for deadline := time.Now().Add(resting); ; {
		if s = d.look(ctx, e, pipelineState{}); s.rested(e, command) {
			return s, nil
		}
		if time.Now().After(deadline) {
			return s, fmt.Errorf("the function was called (%s), and %s has not followed within %s; why, its log says: %s", command, environment, resting, e.LogGroup)
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// rested tells whether the environment is as a command wants it.
func (s *Status) rested(e Environment, command string) bool {
	r := rollout.Sleep(&s.seen)
	if command == settings.CommandWake {
		r = rollout.Wake(e.plan, &s.seen)
	}
	return r.Refusal == "" && r.Waiting == ""
}
