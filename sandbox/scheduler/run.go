package scheduler

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/google/uuid"

	"github.com/penguinshop/delivery/sandbox/target"
)

// plan sets when the schedule happens next after a moment. A one-time schedule that is late is due at once.
func (d *schedule) plan(after time.Time, late bool) {
	d.due, d.nominal = time.Time{}, time.Time{}
	beginning := d.created
	if d.StartDate != nil {
		beginning = *d.StartDate
	}
	if from := beginning.Add(-1); !d.expression.Once() && after.Before(from) {
		after = from
	}
	next := d.expression.Next(after, beginning)
	if late && next.IsZero() {
		next = d.expression.at
	}
	if next.IsZero() || !d.expression.Once() && d.EndDate != nil && next.After(*d.EndDate) {
		return
	}
	d.nominal, d.due = next, next
	if d.Window.Mode == types.FlexibleTimeWindowModeFlexible {
		d.due = next.Add(rand.N(time.Duration(*d.Window.MaximumWindowInMinutes) * time.Minute))
	}
}

// poke makes the run look again at what is due.
func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run invokes each schedule's target when it is due.
func (s *Service) run() {
	defer s.running.Done()
	for {
		wait, any := s.invokeDue()
		if !any {
			wait = time.Hour // there is nothing to wait for but a change
		}
		due := s.Clock.NewTimer(wait)
		select {
		case <-s.closing.Done():
			due.Stop()
			return
		case <-s.wake:
			due.Stop()
		case <-due.Chan():
		}
	}
}

// invokeDue begins what is due and returns how long the next one is away.
func (s *Service) invokeDue() (wait time.Duration, any bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Clock.Now()
	for _, g := range s.groups {
		for _, d := range g.schedules {
			if d.State != types.ScheduleStateEnabled || d.due.IsZero() {
				continue
			}
			if !d.due.After(now) {
				s.begin(d)
				d.plan(d.nominal, false)
				if d.due.IsZero() && d.After == types.ActionAfterCompletionDelete {
					delete(g.schedules, d.name)
				}
			}
			if until := d.due.Sub(now); !d.due.IsZero() && (!any || until < wait) {
				wait, any = until, true
			}
		}
	}
	return wait, any
}

// begin delivers one invocation. The caller holds mu.
func (s *Service) begin(d *schedule) {
	policy := d.Target.RetryPolicy
	retry := target.Defaults
	if policy.MaximumRetryAttempts != nil {
		retry.Attempts = *policy.MaximumRetryAttempts
	}
	if policy.MaximumEventAgeInSeconds != nil {
		retry.Age = time.Duration(*policy.MaximumEventAgeInSeconds) * time.Second
	}
	input, arn := s.input(d), aws.ToString(d.Target.Arn)
	s.tell(d, "invoke", "schedule %s invokes %s.", d.name, arn)
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		if err := retry.Deliver(s.closing, s.Clock, s.Invoke, d.arn, arn, input); err != nil && s.closing.Err() == nil {
			s.tell(d, "failure", "schedule %s could not invoke %s and gives up: %v.", d.name, arn, err)
		}
	}()
}

// input is what the target is given: the declared input with AWS's context attributes filled in, or, without one, the event
// that AWS sends.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
func (s *Service) input(d *schedule) []byte {
	id := uuid.NewString()
	if declared := aws.ToString(d.Target.Input); declared != "" {
		return []byte(strings.NewReplacer(
			"<aws.scheduler.schedule-arn>", d.arn, "<aws.scheduler.scheduled-time>", d.nominal.UTC().Format(time.RFC3339),
			"<aws.scheduler.execution-id>", id,
		).Replace(declared))
	}
	event, err := json.Marshal(map[string]any{
		"version": "0", "id": id, "detail-type": "Scheduled Event", "source": "aws.scheduler", "account": s.Account, "region": s.Region,
		"time": d.nominal.UTC().Format(time.RFC3339), "resources": []string{d.arn}, "detail": "{}",
	})
	if err != nil {
		panic(err) // text marshals
	}
	return event
}
