package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// Status is one environment at one moment. What could not be read is absent, and named in Trouble.
type Status struct {
	Environment string    `json:"environment"`
	Strategy    string    `json:"strategy"`
	URL         string    `json:"url,omitempty"`
	At          time.Time `json:"at"`
	// Live is the colour that has all traffic, empty while it is shared or unknown.
	Live    rollout.Colour   `json:"live,omitempty"`
	Weights *rollout.Weights `json:"weights,omitempty"`
	// Preview is the colour that requests with the preview header reach.
	Preview rollout.Colour `json:"preview,omitempty"`
	// Sides are blue and green, in this order; a rolling environment has one, without a colour.
	Sides   []Side   `json:"sides"`
	Standby *Standby `json:"standby,omitempty"`
	// Sleep is there while the environment sleeps.
	Sleep *Sleep `json:"sleep,omitempty"`
	// Rollout is the delivery that is under way.
	Rollout *Rollout `json:"rollout,omitempty"`
	// Last is how the last shift ended.
	Last *Ending `json:"last,omitempty"`
	// Plan is how the next release's traffic would be moved, in words.
	Plan    string   `json:"plan,omitempty"`
	Trouble []string `json:"trouble,omitempty"`

	seen  rollout.Observation
	lease controller.Lease
}

// Side is one colour of an environment.
type Side struct {
	Colour rollout.Colour `json:"colour,omitempty"`
	// Weight is in percent.
	Weight *int `json:"weight,omitempty"`
	// Commit and Digest are those of the image that the service is set to; Image is its whole reference. An image from elsewhere, such as
	// the placeholder of a new environment, has no commit.
	Commit string `json:"commit,omitempty"`
	Digest string `json:"digest,omitempty"`
	Image  string `json:"image,omitempty"`
	// TaskDefinition is family:revision.
	TaskDefinition string   `json:"taskDefinition,omitempty"`
	Desired        *int     `json:"desired,omitempty"`
	Running        *int     `json:"running,omitempty"`
	Targets        *Targets `json:"targets,omitempty"`
	// MonthlyUSD is what the desired tasks cost a month on Fargate, without traffic and tax.
	MonthlyUSD *float64 `json:"monthlyUsd,omitempty"`
}

// Targets counts a side's targets by their health, as the load balancer sees it.
type Targets struct {
	Healthy   int `json:"healthy"`
	Unhealthy int `json:"unhealthy"`
	Initial   int `json:"initial"`
	Draining  int `json:"draining"`
}

// Standby is the former version that is kept warm, so that the way back is one change of weights.
type Standby struct {
	Colour      rollout.Colour `json:"colour"`
	Until       time.Time      `json:"until"`
	SecondsLeft int            `json:"secondsLeft"`
	Tasks       int            `json:"tasks"`
	// MonthlyUSD is what it would cost to keep it for a month.
	MonthlyUSD *float64 `json:"monthlyUsd,omitempty"`
}

// Rollout is a delivery that is under way in an environment.
type Rollout struct {
	// Action is the pipeline's action that runs: approve, prepare, deploy or shift; empty when the function acts by itself.
	Action string `json:"action,omitempty"`
	// Phase, Candidate, Percent, Step and Steps are of the shift, from its start on: what the candidate has of the traffic, and which step
	// of the plan that is, counted from 1 (0: it has no traffic yet).
	Phase     rollout.Phase  `json:"phase,omitempty"`
	Candidate rollout.Colour `json:"candidate,omitempty"`
	Percent   int            `json:"percent"`
	Step      int            `json:"step,omitempty"`
	Steps     int            `json:"steps,omitempty"`
	Commit    string         `json:"commit,omitempty"`
	Digest    string         `json:"digest,omitempty"`
	Started   time.Time      `json:"started,omitzero"`
	// Verdict is that of the function's last look: pass, fail or unknown. Reason says why, with the numbers.
	Verdict string `json:"verdict,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Overdue tells that the run that should act has not been heard of.
	Overdue bool `json:"overdue,omitempty"`
}

// Look reads the present state of every environment.
func (d *Delivery) Look(ctx context.Context) []Status {
	pipeline, trouble := d.pipeline(ctx)
	all := make([]Status, len(d.Environments))
	var readings sync.WaitGroup
	for i, e := range d.Environments {
		readings.Go(func() {
			s := d.look(ctx, e, pipeline)
			if trouble != nil {
				s.miss("pipeline", trouble)
			}
			slices.Sort(s.Trouble)
			all[i] = s
		})
	}
	readings.Wait()
	return all
}

func (s *Status) miss(what string, err error) { s.Trouble = append(s.Trouble, what+": "+Explain(err)) }

func (d *Delivery) look(ctx context.Context, e Environment, pipeline pipelineState) Status {
	s := Status{Environment: e.Name, Strategy: e.Strategy, URL: e.Settings.URL, At: d.Now()}
	services := d.services(ctx, e, &s)
	if e.Strategy == Rolling {
		s.Sides = []Side{d.side(ctx, e, "", services[e.Settings.Blue.Service], &s)}
		s.Rollout, s.Last = pipeline.rollout(e), pipeline.ending(e)
		return s
	}
	s.Plan = e.plan.String()
	s.seen = d.world(e).Observe(ctx, rollout.Look{}, controller.Order{})
	s.Trouble = append(s.Trouble, s.seen.Trouble...)
	if s.Weights = s.seen.Weights; s.Weights != nil {
		s.Live, _ = s.Weights.Live()
	}
	if s.seen.Preview != nil {
		s.Preview = *s.seen.Preview
	}
	for _, c := range []rollout.Colour{rollout.Blue, rollout.Green} {
		name := e.Settings.Blue.Service
		if c == rollout.Green {
			name = e.Settings.Green.Service
		}
		s.Sides = append(s.Sides, d.side(ctx, e, c, services[name], &s))
	}
	lease, err := d.leases(e).Read(ctx)
	if err != nil && !errors.Is(err, controller.ErrNoLease) {
		s.miss("lease", err)
	}
	s.lease = lease
	s.Rollout = pipeline.rollout(e)
	if lease.Kind == controller.LeaseShift {
		if s.Rollout == nil {
			s.Rollout = &Rollout{}
		}
		d.shift(ctx, e, &s)
	}
	s.standby()
	s.sleep(e)
	s.Last = d.ending(ctx, e, &s, pipeline)
	return s
}

// services reads an environment's ECS services, by name.
func (d *Delivery) services(ctx context.Context, e Environment, s *Status) map[string]ecstypes.Service {
	names := []string{e.Settings.Blue.Service}
	if e.Strategy != Rolling {
		names = append(names, e.Settings.Green.Service)
	}
	out, err := d.Clients.World.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(e.Settings.Cluster), Services: names})
	if err != nil {
		s.miss("services", err)
		return nil
	}
	found := map[string]ecstypes.Service{}
	for _, service := range out.Services {
		found[aws.ToString(service.ServiceName)] = service
	}
	for _, name := range names {
		if _, there := found[name]; !there {
			s.miss("services", fmt.Errorf("the cluster %s has no service %s", e.Settings.Cluster, name))
		}
	}
	return found
}

// side puts together what is known of one colour.
func (d *Delivery) side(ctx context.Context, e Environment, c rollout.Colour, service ecstypes.Service, s *Status) Side {
	side := Side{Colour: c}
	if c != "" {
		if s.Weights != nil {
			weight := s.Weights.Of(c)
			side.Weight = &weight
		}
		if t := s.seen.Of(c).Targets; t != nil {
			side.Targets = &Targets{t.Healthy, t.Unhealthy, t.Initial, t.Draining}
		}
	}
	if service.ServiceName == nil {
		return side
	}
	desired, running := int(service.DesiredCount), int(service.RunningCount)
	side.Desired, side.Running = &desired, &running
	v, err := d.version(ctx, e, aws.ToString(service.TaskDefinition))
	if err != nil {
		s.miss(or("version of "+string(c), c == "", "version"), err)
	}
	side.Commit, side.Digest, side.Image, side.TaskDefinition = v.commit, v.digest, v.image, lastPart(aws.ToString(service.TaskDefinition))
	if v.taskMonthUSD > 0 {
		cost := v.monthly(desired, service.CapacityProviderStrategy)
		side.MonthlyUSD = &cost
	}
	return side
}

// Side is the colour's side.
func (s *Status) Side(c rollout.Colour) Side {
	for _, side := range s.Sides {
		if side.Colour == c {
			return side
		}
	}
	return Side{Colour: c}
}

// shift fills in what the lease and the function's log tell of the shift that runs.
func (d *Delivery) shift(ctx context.Context, e Environment, s *Status) {
	r := s.Rollout
	r.Candidate, r.Digest, r.Commit = s.lease.Order.Candidate, s.lease.Order.Digest, s.lease.Order.Commit
	r.Overdue = s.At.After(s.lease.Due)
	r.Steps = len(e.plan.Steps)
	if state, err := rollout.ParseToken(s.lease.Token); err != nil {
		s.miss("lease", err)
	} else {
		r.Phase, r.Candidate, r.Percent, r.Started, r.Reason = state.Phase, state.Candidate, state.Weight, time.Unix(state.Started, 0).UTC(), state.Reason
	}
	tick, err := d.lastTick(ctx, e, s.At)
	if err != nil {
		s.miss("log "+e.LogGroup, err)
	}
	if tick != nil {
		r.Phase, r.Verdict, r.Reason = tick.Phase, tick.Verdict, tick.Reason
	}
	if s.Weights != nil {
		r.Percent = s.Weights.Of(r.Candidate)
	}
	r.Step = slices.IndexFunc(e.plan.Steps, func(step rollout.Step) bool { return step.Weight == r.Percent }) + 1
}

// standby tells of the former version, while its lease holds and the traffic is still where it was promoted to.
func (s *Status) standby() {
	if s.lease.Kind != controller.LeaseStandby || s.Live != s.lease.Live {
		return
	}
	old := s.Side(s.lease.Live.Other())
	if old.Desired == nil || *old.Desired == 0 {
		return
	}
	s.Standby = &Standby{Colour: old.Colour, Until: s.lease.Due, SecondsLeft: max(0, int(s.lease.Due.Sub(s.At).Seconds())),
		Tasks: *old.Desired, MonthlyUSD: old.MonthlyUSD}
}
