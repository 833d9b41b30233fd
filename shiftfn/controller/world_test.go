package controller_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// world is one environment with its pipeline and its scheduler, run on a clock that only moves when everybody waits. It is
// everything that the controller's ports reach, so that no two of them can disagree.
type world struct {
	now    time.Time
	random *rand.Rand
	plan   rollout.Plan
	log    *slog.Logger

	weights   rollout.Weights
	preview   rollout.Colour
	sides     [2]side
	declared  map[rollout.Colour]string
	unmanaged bool // no autoscaling is declared
	lease     *controller.Lease
	rest      *controller.Lease // of the calls to sleep and to wake
	jobs      map[string]*job
	events    []controller.Event
	alarm     rollout.AlarmState
	// misled is true while the preview header leads to the users' side, though the rule looks well. Proven are the versions whose
	// probes have said who they are.
	misled    bool
	proven    map[string]bool
	heard     func(controller.Event)
	moved     func(by string, from, to rollout.Weights)
	succeeded func(job string)
	changed   func(rollout.Change) // by a call to sleep or to wake

	// faults are how the calls fail; quiet switches all of them off.
	faults faults
	quiet  bool

	todo     []appointment
	sequence int
	running  int
}

// side is one colour: its service, its targets and how its version behaves.
type side struct {
	desired, min, max int
	suspended         bool
	taskDefinition    string
	// scaled is when the count was raised last; tasks run and are healthy behaviour.start later.
	scaled    time.Time
	behaviour behaviour
}

// behaviour is how a version does.
type behaviour struct {
	// start is the time that its tasks take; never when it is negative.
	start time.Duration
	// gaveUp is ECS's reason for giving the deployment up, after start.
	gaveUp string
	// sick is when its targets turn unhealthy, for how long, and how often again; zero for never.
	sick time.Time
	ill  time.Duration
	// errors is the share of requests that fail from bad on, 0 to 1, for users and, where probed is true, for probes.
	bad     time.Time
	errors  float64
	probed  bool
	latency time.Duration
}

// faults are shares of the calls, 0 to 1.
type faults struct {
	// blind calls answer nothing; lost writes fail with no effect, and mute ones fail though they had it.
	blind, lost, mute float64
	// outages are times in which a kind of call fails for everybody.
	outages map[string][2]time.Time
	// crash is the share of runs that end at a random call; double that of invocations that come twice; late is the longest
	// delay of an invocation.
	crash, double float64
	late          time.Duration
}

type job struct {
	asked          time.Time
	answered, gone bool
	// missed is true when an answer came after the pipeline had stopped waiting.
	missed  bool
	failed  string
	outputs map[string]string
	order   controller.Order
	prepare bool
}

type appointment struct {
	at       time.Time
	sequence int
	do       func()
}

var start = time.Date(2026, 3, 1, 12, 0, 7, 0, time.UTC)

func newWorld(random *rand.Rand, plan rollout.Plan) *world {
	w := &world{
		now: start, random: random, plan: plan, log: slog.New(slog.DiscardHandler),
		weights: rollout.Weights{Blue: 100}, preview: rollout.Blue, jobs: map[string]*job{}, alarm: rollout.AlarmOK, proven: map[string]bool{},
		declared: map[rollout.Colour]string{rollout.Blue: "arn:task-definition/shop-blue:1", rollout.Green: "arn:task-definition/shop-green:1"},
		moved:    func(string, rollout.Weights, rollout.Weights) {},
		heard:    func(controller.Event) {},
	}
	w.succeeded = func(string) {}
	w.changed = func(rollout.Change) {}
	*w.side(rollout.Blue) = side{desired: 2, min: plan.Minimum, max: 10, taskDefinition: "arn:task-definition/shop-blue:1"}
	*w.side(rollout.Green) = side{desired: 0, min: 0, max: 10, taskDefinition: "arn:task-definition/shop-green:1"}
	return w
}

// minimum is the autoscaling minimum of the side that is live.
func (w *world) minimum() int {
	if w.unmanaged {
		return 0
	}
	return w.plan.Minimum
}

func (w *world) side(c rollout.Colour) *side {
	if c == rollout.Blue {
		return &w.sides[0]
	}
	return &w.sides[1]
}

// chance is true in a share of the cases, unless all is quiet.
func (w *world) chance(share float64) bool {
	return !w.quiet && share > 0 && w.random.Float64() < share
}

// within is a random duration below d.
func (w *world) within(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(w.random.Int64N(int64(d)))
}

// at makes an appointment.
func (w *world) at(at time.Time, do func()) {
	if at.Before(w.now) {
		at = w.now
	}
	w.sequence++
	w.todo = append(w.todo, appointment{at, w.sequence, do})
}

// run keeps all appointments until there are none left, or until the limit.
func (w *world) run(limit time.Time) {
	for len(w.todo) > 0 {
		first := 0
		for i, a := range w.todo {
			if a.at.Before(w.todo[first].at) || a.at.Equal(w.todo[first].at) && a.sequence < w.todo[first].sequence {
				first = i
			}
		}
		next := w.todo[first]
		if next.at.After(limit) {
			return
		}
		w.todo[first] = w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		w.now = next.at
		next.do()
	}
}

// lambda is how long one invocation may take.
const lambda = 600 * time.Second

// invoke runs one invocation of the function beside all others: it is interrupted at every wait, and at every call where
// interleaved is true. It may be cut off at a random call; at its time's end it is.
func (w *world) invoke(do func(c *controller.Controller, run controller.Run) error, interleaved bool) {
	w.begin(do, &invocation{world: w, interleaved: interleaved, crashAt: -1})
}

// call invokes the function to put the environment to sleep, or to wake it, as a person does.
func (w *world) call(kind controller.LeaseKind, interleaved bool) {
	w.begin(func(c *controller.Controller, run controller.Run) error {
		if kind == controller.LeaseSleep {
			return c.Sleep(context.Background(), run, time.Time{})
		}
		return c.Rouse(context.Background(), run, time.Time{})
	}, &invocation{world: w, interleaved: interleaved, resting: true, crashAt: -1})
}

func (w *world) begin(do func(c *controller.Controller, run controller.Run) error, v *invocation) {
	w.running++
	end := w.now.Add(lambda)
	if w.chance(w.faults.crash) {
		v.crashAt = w.random.IntN(60)
	}
	id := fmt.Sprint("run-", w.running)
	c := v.controller()
	resume, stop := iter.Pull(func(yield func(time.Duration) bool) {
		defer func() {
			if p := recover(); p != nil && p != errCut {
				panic(p)
			}
		}()
		v.yield = yield
		if err := do(c, controller.Run{ID: id, End: end}); err != nil {
			w.log.Error("the run returned an error", "run", id, "error", err)
		}
	})
	var step func()
	step = func() {
		if w.now.After(end) {
			stop()
			return
		}
		if wait, more := resume(); more {
			w.at(w.now.Add(wait), step)
		}
	}
	step()
}

// invocation is one run's view of the world: its ports.
type invocation struct {
	world       *world
	yield       func(time.Duration) bool
	interleaved bool
	// resting is true for a call that puts the environment to sleep or wakes it.
	resting bool
	calls   int
	crashAt int
}

var (
	errCut     = errors.New("the run was cut off")
	errService = errors.New("ThrottlingException: Rate exceeded")
)

func (v *invocation) controller() *controller.Controller {
	return &controller.Controller{
		Environment: "dev", Plan: v.world.plan, Declared: v.world.declared,
		Services: map[rollout.Colour]string{rollout.Blue: "shop-blue", rollout.Green: "shop-green"},
		World:    v, Leases: leases{v, &v.world.lease}, Rests: leases{v, &v.world.rest}, Pipeline: pipeline{v}, Herald: v, Clock: v, Log: v.world.log,
	}
}

// call stands before every call: other runs may come between, and the run may be cut off here.
func (v *invocation) call(kind string) error {
	if v.interleaved && !v.yield(0) {
		panic(errCut)
	}
	v.calls++
	if v.calls == v.crashAt {
		v.world.log.Warn("cut off before", "call", kind)
		panic(errCut)
	}
	if v.world.out(kind) {
		return errService
	}
	return nil
}

func (w *world) out(kind string) bool {
	if w.quiet {
		return false
	}
	if o, planned := w.faults.outages[kind]; planned && !w.now.Before(o[0]) && w.now.Before(o[1]) {
		return true
	}
	return w.chance(w.faults.blind)
}

// write makes a change, or does not, or does it and the answer is lost; and the run may be cut off after it.
func (v *invocation) write(kind string, effect func() error) error {
	if err := v.call(kind); err != nil {
		return err
	}
	if v.world.chance(v.world.faults.lost) {
		return errService
	}
	if err := effect(); err != nil {
		return err
	}
	v.calls++
	if v.calls == v.crashAt {
		v.world.log.Warn("cut off after", "call", kind)
		panic(errCut)
	}
	if v.world.chance(v.world.faults.mute) {
		return errService
	}
	return nil
}

// Now and Sleep make the run's clock the world's.
func (v *invocation) Now() time.Time { return v.world.now }

func (v *invocation) Sleep(_ context.Context, d time.Duration) error {
	if !v.yield(d) {
		panic(errCut)
	}
	return nil
}

// ready is how many of a side's tasks run.
func (s *side) ready(now time.Time) int {
	b := s.behaviour
	if b.start < 0 || b.gaveUp != "" || now.Before(s.scaled.Add(b.start)) {
		return 0
	}
	return s.desired
}

// healthy is how many of a side's targets are healthy.
func (s *side) healthy(now time.Time) int {
	b := s.behaviour
	if !b.sick.IsZero() && !now.Before(b.sick) && (b.ill == 0 || now.Sub(b.sick)/b.ill%2 == 0) {
		return 0
	}
	return s.ready(now)
}

// Observe sees the world, or parts of it.
func (v *invocation) Observe(_ context.Context, look rollout.Look, order controller.Order) rollout.Observation {
	w := v.world
	o := rollout.Observation{Now: w.now}
	if v.call("listener") == nil {
		weights := w.weights
		o.Weights = &weights
	}
	if !w.out("rule") {
		preview := w.preview
		o.Preview = &preview
	}
	for _, c := range []rollout.Colour{rollout.Blue, rollout.Green} {
		s, seen := w.side(c), o.Of(c)
		if !w.out("targets") {
			healthy := s.healthy(w.now)
			seen.Targets = &rollout.Targets{Healthy: healthy, Unhealthy: s.ready(w.now) - healthy, Initial: s.desired - s.ready(w.now)}
		}
		if !w.out("services") {
			seen.Service = &rollout.Service{Desired: s.desired, Running: s.ready(w.now), TaskDefinition: s.taskDefinition, Settled: true}
			if s.behaviour.gaveUp != "" && s.desired > 0 && !w.now.Before(s.scaled.Add(s.behaviour.start)) {
				seen.Service.Failed = s.behaviour.gaveUp
			}
		}
		if !w.out("scaling") {
			seen.Scaling = &rollout.Scaling{Managed: !w.unmanaged, Min: s.min, Max: s.max, Suspended: s.suspended}
		}
		if !look.Since.IsZero() && !w.out("metrics") {
			seen.Metrics = w.metrics(c, look.Since)
		}
	}
	if candidate := o.Of(look.Candidate).Service; look.Release && candidate != nil {
		o.Release = &rollout.Release{TaskDefinition: candidate.TaskDefinition}
		if want := "arn:task-definition/" + order.Digest; candidate.TaskDefinition != want {
			o.Release.Mismatch = candidate.TaskDefinition + " is not " + want
		}
	}
	if look.Probes > 0 && !w.out("probes") {
		o.Probes = w.probe(look.Probes*len(w.plan.Probes.Paths), look.Candidate, "arn:task-definition/"+order.Digest)
	}
	if !w.out("alarms") {
		for _, name := range look.Alarms {
			o.Alarms = append(o.Alarms, rollout.Alarm{Name: name, State: w.alarm})
		}
	}
	return o
}

// usual is how many requests a second the users send.
const usual = 100

// metrics are the periods that began at since or later and are published: up to two minutes late.
func (w *world) metrics(c rollout.Colour, since time.Time) *rollout.Metrics {
	m := &rollout.Metrics{}
	s := w.side(c)
	requests := float64(w.weights.Of(c)) / 100 * usual * 60
	first := since.Add(rollout.Period - 1).Truncate(rollout.Period)
	if oldest := w.now.Add(-10 * rollout.Period).Truncate(rollout.Period); first.Before(oldest) {
		first = oldest
	}
	for at := first; !at.Add(rollout.Period + 45*time.Second).After(w.now); at = at.Add(rollout.Period) {
		if requests == 0 {
			continue
		}
		p := rollout.Counts{End: at.Add(rollout.Period), Requests: requests, Latency: s.behaviour.latency}
		if s.healthy(at) == 0 {
			p.Errors = requests
		} else if b := s.behaviour; b.errors > 0 && !at.Before(b.bad) {
			p.Errors = requests * b.errors
		}
		m.Periods = append(m.Periods, p)
	}
	return m
}

func (w *world) probe(n int, candidate rollout.Colour, version string) *rollout.Probed {
	reached := w.preview
	if reached != candidate {
		return &rollout.Probed{Astray: "the preview rule leads to " + string(reached)}
	}
	if w.misled {
		if reached = rollout.Blue; w.random.IntN(100) < w.weights.Green {
			reached = rollout.Green
		}
	}
	s := w.side(reached)
	p := &rollout.Probed{Sent: n}
	switch b := s.behaviour; {
	case s.healthy(w.now) == 0:
		p.Failed = n
	case b.probed && !w.now.Before(b.bad):
		p.Failed = int(float64(n) * b.errors)
	}
	if p.Failed > 0 {
		p.Example = "HTTP 502 instead of 200"
	}
	switch {
	case w.plan.Probes.Identity == nil || p.Failed == n:
	case s.taskDefinition == version:
		p.Identified = n - p.Failed
		w.proven[version] = true
	default:
		p.Astray = fmt.Sprintf("GET %s was answered by %s", w.plan.Probes.Identity.Path, s.taskDefinition)
	}
	return p
}

// Apply changes the world as AWS would.
func (v *invocation) Apply(_ context.Context, change rollout.Change) error {
	w := v.world
	if v.resting {
		w.changed(change)
	}
	return v.write(string(change.Kind), func() error {
		s := w.side(change.Colour)
		switch change.Kind {
		case rollout.ChangePreview:
			w.preview = change.Colour
		case rollout.ChangeScaling:
			s.min, s.suspended = change.Scaling.Min, change.Scaling.Suspended
			s.scale(min(max(s.desired, s.min), s.max), w.now) // registering snaps the count into the bounds
		case rollout.ChangeTasks:
			if change.TaskDefinition != "" {
				s.taskDefinition = change.TaskDefinition
			}
			s.scale(max(change.Tasks, s.min), w.now) // autoscaling raises a count below its minimum again
		case rollout.ChangeWeights:
			if w.weights != change.Before {
				return fmt.Errorf("the weights are %s by now", w.weights)
			}
			w.move("shiftfn", change.Weights)
		}
		return nil
	})
}

func (s *side) scale(to int, now time.Time) {
	if to > s.desired {
		s.scaled = now
	}
	s.desired = to
}

func (w *world) move(by string, to rollout.Weights) {
	w.log.Info("weights", "by", by, "from", w.weights.String(), "to", to.String())
	w.moved(by, w.weights, to)
	w.weights = to
}

func (v *invocation) Diagnose(context.Context, rollout.Colour) controller.Diagnosis {
	_ = v.call("diagnosis")
	return controller.Diagnosis{Logs: []string{"listening on 8080"}}
}

func (v *invocation) Publish(_ context.Context, e controller.Event) error {
	return v.write("events", func() error {
		v.world.events = append(v.world.events, e)
		v.world.heard(e)
		return nil
	})
}

// leases is the scheduler: one schedule of it, with the lease that it keeps.
type leases struct {
	v    *invocation
	kept **controller.Lease
}

func (l leases) Read(context.Context) (controller.Lease, error) {
	if err := l.v.call("lease"); err != nil {
		return controller.Lease{}, err
	}
	if *l.kept == nil {
		return controller.Lease{}, controller.ErrNoLease
	}
	return **l.kept, nil
}

func (l leases) Write(_ context.Context, lease controller.Lease) error {
	w := l.v.world
	return l.v.write("lease", func() error {
		kept := lease
		if w.running%16 == 0 { // the form is the same for all; reading it back each time would take most of the time
			var err error
			if kept, err = controller.ParseLease([]byte(lease.String())); err != nil {
				panic(err)
			}
		}
		*l.kept = &kept
		if kept.Kind == controller.LeaseEnded {
			return nil
		}
		due := kept.Due
		if soonest := w.now.Add(time.Minute); due.Before(soonest) {
			due = soonest
		}
		var fire func()
		fire = func() {
			// A schedule that was set to another time since does not fire for the old one.
			if *l.kept != &kept {
				return
			}
			if kept.Repeats() {
				w.at(w.now.Add(5*time.Minute), fire)
			}
			w.wake(kept)
		}
		w.at(due.Add(w.within(time.Minute)+w.within(w.faults.late)), fire)
		return nil
	})
}

// wake fires the schedule, and now and then once more.
func (w *world) wake(lease controller.Lease) {
	call := func() {
		w.invoke(func(c *controller.Controller, run controller.Run) error {
			return c.Wake(context.Background(), run, lease)
		}, false)
	}
	call()
	if w.chance(w.faults.double) {
		w.at(w.now.Add(w.within(3*time.Minute)), call)
	}
}

// pipeline is CodePipeline.
type pipeline struct{ v *invocation }

// waits finds a job that waits for an answer.
func (p pipeline) waits(id string) (*job, error) {
	j := p.v.world.jobs[id]
	if j != nil && !j.answered && p.v.world.now.Sub(j.asked) > 20*time.Minute {
		j.missed, j.gone = true, true
	}
	if j == nil || j.answered || j.gone {
		return nil, controller.ErrJobGone
	}
	return j, nil
}

func (p pipeline) Continue(_ context.Context, id, token, _ string) error {
	w := p.v.world
	return p.v.write("pipeline", func() error {
		j, err := p.waits(id)
		if err != nil {
			return err
		}
		if len(token) > rollout.TokenLimit {
			panic(fmt.Sprintf("a token of %d characters: %s", len(token), token))
		}
		j.asked = w.now
		w.at(w.now.Add(5*time.Second+w.within(30*time.Second)), func() { w.ask(id, token) })
		return nil
	})
}

func (p pipeline) Succeed(_ context.Context, id, _ string, outputs map[string]string) error {
	return p.v.write("pipeline", func() error {
		j, err := p.waits(id)
		if err != nil {
			return err
		}
		j.answered, j.outputs = true, outputs
		p.v.world.succeeded(id)
		return nil
	})
}

func (p pipeline) Fail(_ context.Context, id, message string) error {
	return p.v.write("pipeline", func() error {
		j, err := p.waits(id)
		if err != nil {
			return err
		}
		if n := len([]rune(message)); n > 5000 || n == 0 {
			panic(fmt.Sprintf("a failure message of %d characters", n))
		}
		j.answered, j.failed = true, message
		return nil
	})
}

// start begins a job.
func (w *world) start(id string, prepare bool, order controller.Order) *job {
	j := &job{asked: w.now, prepare: prepare, order: order}
	w.jobs[id] = j
	w.ask(id, "")
	return j
}

// ask invokes the function for a job, late or twice as it may happen.
func (w *world) ask(id, token string) {
	j := w.jobs[id]
	twice := w.chance(w.faults.double)
	call := func() {
		w.invoke(func(c *controller.Controller, run controller.Run) error {
			if j.prepare {
				return c.Prepare(context.Background(), run, id, token)
			}
			return c.Shift(context.Background(), run, id, j.order, token)
		}, twice)
	}
	delay := time.Duration(0)
	if !w.quiet {
		delay = w.within(w.faults.late)
	}
	w.at(w.now.Add(delay), call)
	if twice {
		late := 2 * time.Second
		if w.random.IntN(2) == 0 {
			late = 30 * time.Minute
		}
		w.at(w.now.Add(w.within(late)), call)
	}
}

// deploy is the pipeline's ECS action: a clone of the service's revision with the new image.
func (w *world) deploy(c rollout.Colour, digest string, b behaviour) {
	s := w.side(c)
	s.taskDefinition, s.behaviour = "arn:task-definition/"+digest, b
}
