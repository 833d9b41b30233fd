package controller_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

var (
	histories = flag.Int("histories", usualHistories, "how many generated histories the controller is put through")
	seed      = flag.Uint64("seed", 0, "the seed of the histories, 0 for one of the clock's")
	only      = flag.Uint64("history", 0, "run just the history of this number, with its log, 0 for all")
)

// Every history is one random release in a random world: plans, behaviours of both versions, failing and throttled calls,
// runs that are cut off between any two calls, invocations that come late or twice, a person who moves the weights, a second
// release, alarms, nights that fall and end at any moment. What must hold in each of them is written down in the functions below.
func TestEveryHistoryEndsWellUnderFaultsAndCrashes(t *testing.T) {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	if *only != 0 {
		if err := tell(s, *only, slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
			t.Fatal(err)
		}
		return
	}
	n := *histories
	if testing.Short() {
		n = min(n, 2000)
	}
	t.Logf("%d histories of seed %d", n, s)
	var next, failures atomic.Int64
	outcomes := map[string]int{}
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			mine := map[string]int{}
			for failures.Load() < 5 {
				i := next.Add(1)
				if i > int64(n) {
					break
				}
				h := newHistory(s, uint64(i), slog.New(slog.DiscardHandler))
				if err := h.tell(); err != nil {
					failures.Add(1)
					t.Errorf("%v\nsee it happen: go test ./shiftfn/controller -run Histor -seed %d -history %d", err, s, i)
				}
				mine[h.outcome()]++
			}
			mu.Lock()
			defer mu.Unlock()
			for outcome, count := range mine {
				outcomes[outcome] += count
			}
		})
	}
	workers.Wait()
	t.Logf("how they ended: %v", outcomes)
	if n >= 10_000 {
		for _, outcome := range []rollout.Outcome{rollout.Promoted, rollout.RolledBack, rollout.Frozen, rollout.Halted} {
			if outcomes[string(outcome)] < n/500 {
				t.Errorf("only %d histories ended %s: the generator does not reach what it should", outcomes[string(outcome)], outcome)
			}
		}
	}
}

func tell(seed, number uint64, log *slog.Logger) error { return newHistory(seed, number, log).tell() }

// history is one generated release and what came of it.
type history struct {
	world  *world
	random *rand.Rand
	// timeless is true when nothing in it depends on when it happens, so that a run that is cut off must end like one that is not.
	timeless bool
	person   bool
	// nights is true when the environment is put to sleep or woken in the middle of it.
	nights bool
	broken []string
	ends   []controller.Event
	ended  time.Time
	seed   uint64
	number uint64
}

func newHistory(seed, number uint64, log *slog.Logger) *history {
	h := &history{random: rand.New(rand.NewPCG(seed, number)), seed: seed, number: number}
	h.world = newWorld(h.random, h.somePlan())
	h.world.log = log
	h.world.moved, h.world.heard, h.world.succeeded, h.world.changed = h.movedTraffic, h.heard, h.succeeded, h.restChanged
	return h
}

func (h *history) broke(format string, args ...any) {
	h.broken = append(h.broken, fmt.Sprintf("%s after the start: ", h.world.now.Sub(start))+fmt.Sprintf(format, args...))
}

func (h *history) outcome() string {
	if len(h.ends) == 0 {
		return "none"
	}
	return string(h.ends[0].Outcome)
}

func (h *history) one(in int) bool { return h.random.IntN(in) == 0 }

// somePlan is a random policy's plan.
func (h *history) somePlan() rollout.Plan {
	p := rollout.Policy{StartSeconds: 30 + h.random.IntN(300), StandbySeconds: h.random.IntN(2) * (60 + h.random.IntN(3600))}
	for w := 0; w < 100; {
		w = min(100, w+1+h.random.IntN(70))
		p.Steps = append(p.Steps, rollout.Step{Weight: w, BakeSeconds: h.random.IntN(3) * h.random.IntN(150)})
		if len(p.Steps) == 19 {
			w = 100
			p.Steps[18].Weight = 100
		}
	}
	if h.one(5) {
		p.OnFailure = rollout.Freeze
	} else {
		p.GradualAbort = h.one(4)
	}
	if h.one(3) {
		p.Alarms = []string{"errors"}
	}
	p.Limits = rollout.Limits{Failures: 1 + h.random.IntN(3), Unknowns: 2 + h.random.IntN(20), MinimumSamples: 1 + h.random.IntN(100)}
	p.Limits.LatencyMs = h.random.IntN(2) * 500
	if h.one(2) {
		p.Probes.Identity = &rollout.Identity{Path: "/version"}
	}
	plan, problems := p.Plan()
	if len(problems) > 0 {
		panic(fmt.Sprint("the generator's policy is bad: ", problems))
	}
	plan.Minimum = 1 + h.random.IntN(3)
	return plan
}

// someBehaviour is a good version in half of the cases.
func (h *history) someBehaviour() behaviour {
	b := behaviour{start: time.Duration(h.random.IntN(60)) * time.Second}
	later := start.Add(time.Duration(h.random.IntN(1500)) * time.Second)
	if h.one(2) {
		return b
	}
	switch h.random.IntN(7) {
	case 0:
		b.start = -1
	case 1:
		b.gaveUp = "deployment circuit breaker: tasks failed to start"
	case 2:
		b.sick, h.timeless = later, false
	case 3:
		b.sick, b.ill, h.timeless = later, time.Duration(1+h.random.IntN(120))*time.Second, false
	case 4:
		b.bad, b.errors, b.probed, h.timeless = later, h.random.Float64(), h.one(2), false
	case 5:
		b.bad, b.errors, b.probed = start, 0.1+h.random.Float64()*0.9, h.one(2)
	case 6:
		b.latency = time.Duration(h.random.IntN(2000)) * time.Millisecond
	}
	return b
}

func (h *history) someFaults() faults {
	f := faults{outages: map[string][2]time.Time{}}
	if h.one(3) {
		f.blind = h.random.Float64() * 0.2
		f.lost, f.mute = h.random.Float64()*0.2, h.random.Float64()*0.2
		h.timeless = false
	}
	if h.one(3) {
		for _, kind := range []string{"listener", "rule", "targets", "services", "scaling", "metrics", "probes", "alarms", "lease", "pipeline",
			"events", "weights", "tasks", "preview"} {
			if h.one(4) {
				from := start.Add(time.Duration(h.random.IntN(1200)) * time.Second)
				f.outages[kind] = [2]time.Time{from, from.Add(time.Duration(h.random.IntN(900)) * time.Second)}
				h.timeless = false
			}
		}
	}
	if h.one(2) {
		f.crash = h.random.Float64()
	}
	if h.one(3) {
		f.double = h.random.Float64()
	}
	if h.one(4) {
		f.late = time.Duration(h.random.IntN(180)) * time.Second
	}
	return f
}

const digest = "sha256:1"

// tell runs the history and returns what was broken in it.
func (h *history) tell() error {
	w := h.world
	h.timeless = true
	w.side(rollout.Blue).desired = max(w.plan.Minimum, 1+h.random.IntN(5))
	w.side(rollout.Blue).scaled = start.Add(-time.Hour)
	if w.unmanaged = h.seed%8 == h.number%8; w.unmanaged {
		w.side(rollout.Blue).min = 0
	}
	if h.one(8) {
		w.side(rollout.Blue).behaviour.sick, h.timeless = start.Add(time.Duration(h.random.IntN(1500))*time.Second), false
	}
	w.deploy(rollout.Green, digest, h.someBehaviour())
	w.faults = h.someFaults()
	order := controller.Order{Candidate: rollout.Green, Digest: digest}
	w.start("shift-1", false, order)
	h.disturb()
	w.run(start.Add(100 * time.Hour))
	h.mustHaveEnded()
	if h.timeless && !h.person && (w.faults.crash > 0 || h.nights) && len(h.broken) == 0 {
		h.mustEndAsUndisturbed()
	}
	h.mustSleepAndWake()
	h.mustStartAnew()
	if len(h.broken) > 0 {
		return fmt.Errorf("history %d of seed %d: %s", h.number, h.seed, strings.Join(h.broken, "; "))
	}
	return nil
}

// disturb lets others act on the world: a person, a second release, an alarm, somebody who stops the pipeline.
func (h *history) disturb() {
	w := h.world
	sometime := func() time.Time { return start.Add(time.Duration(h.random.IntN(2400)) * time.Second) }
	if h.one(6) {
		h.person, h.timeless = true, false
		w.at(sometime(), func() { w.move("person", rollout.Split(rollout.Green, h.random.IntN(5)*25)) })
	}
	if h.one(6) {
		h.timeless = false
		w.at(sometime(), func() {
			w.start("prepare-2", true, controller.Order{})
			w.at(w.now.Add(time.Minute), func() {
				w.start("shift-2", false, controller.Order{Candidate: rollout.Green, Digest: digest})
			})
		})
	}
	if h.one(6) {
		h.timeless = false
		w.at(sometime(), func() {
			w.alarm = rollout.AlarmRinging
			w.invoke(func(c *controller.Controller, run controller.Run) error {
				return c.Guard(context.Background(), run, "errors")
			}, false)
		})
	}
	if h.one(10) {
		h.timeless = false
		w.at(sometime(), func() { w.jobs["shift-1"].gone = true })
	}
	if h.one(6) {
		h.timeless = false
		if h.one(2) {
			w.misled = true
		} else {
			w.at(sometime(), func() { w.misled = true })
		}
		w.at(sometime(), func() { w.misled = false })
	}
	if h.one(3) {
		h.nights = true
		w.side(rollout.Blue).behaviour.start = time.Duration(h.random.IntN(200)) * time.Second
		for range 1 + h.random.IntN(4) {
			kind := controller.LeaseSleep
			if h.one(3) {
				kind = controller.LeaseWake
			}
			// Many fall into the first moments, in which a release begins.
			at := start.Add(w.within([]time.Duration{30 * time.Second, 40 * time.Minute}[h.random.IntN(2)]))
			w.at(at, func() { w.call(kind, h.one(3)) })
			if w.chance(w.faults.double) {
				w.at(at.Add(w.within(time.Minute)), func() { w.call(kind, h.one(3)) })
			}
		}
	}
}

// restChanged holds that a call to sleep or to wake leaves the traffic alone.
func (h *history) restChanged(c rollout.Change) {
	if c.Kind != rollout.ChangeScaling && c.Kind != rollout.ChangeTasks {
		h.broke("a night changed %s", c)
	}
}

// movedTraffic holds what must be true of every single move of traffic.
func (h *history) movedTraffic(by string, from, to rollout.Weights) {
	if by != "shiftfn" {
		return
	}
	w := h.world
	for _, c := range []rollout.Colour{rollout.Blue, rollout.Green} {
		allowed := to.Of(c) == 0 || to.Of(c) == 100
		for _, s := range w.plan.Steps {
			allowed = allowed || to.Of(c) == s.Weight || to.Of(c) == 100-s.Weight
		}
		if !allowed {
			h.broke("%s got %d %%, which is no step of the plan", c, to.Of(c))
		}
		if from.Of(c) == 0 && to.Of(c) > 0 && w.side(c).healthy(w.now) == 0 {
			h.broke("%s got traffic without a healthy target", c)
		}
		// The version that stood there at the beginning may take traffic back; each that was delivered must have answered first.
		delivered := w.side(c).taskDefinition != w.declared[c]
		if from.Of(c) == 0 && to.Of(c) > 0 && delivered && w.plan.Probes.Identity != nil && !w.proven[w.side(c).taskDefinition] && !h.person {
			h.broke("%s got traffic, and no probe has reached %s for certain", c, w.side(c).taskDefinition)
		}
	}
}

// heard holds what must be true of every end that is told.
func (h *history) heard(e controller.Event) {
	if e.Kind != controller.EventEnded {
		return
	}
	h.ends = append(h.ends, e)
	h.ended = h.world.now
	candidate := e.Order.Candidate
	switch e.Outcome {
	case rollout.Promoted:
		if e.Weights.Of(candidate) != 100 || !h.person && h.world.weights != *e.Weights {
			h.broke("promoted, as seen at %s, at %s", e.Weights, h.world.weights)
		}
	case rollout.RolledBack:
		if e.Weights.Of(candidate) != 0 || !h.person && h.world.weights != *e.Weights {
			h.broke("rolled back, as seen at %s, at %s", e.Weights, h.world.weights)
		}
	case rollout.Frozen, rollout.Halted:
	default:
		h.broke("ended as %q", e.Outcome)
	}
}

func (h *history) succeeded(job string) {
	if j := h.world.jobs[job]; !j.prepare && !h.person && h.world.weights.Of(j.order.Candidate) != 100 {
		h.broke("%s succeeded at %s", job, h.world.weights)
	}
}

// mustHaveEnded holds that the shift is over, in time, and that the pipeline was told.
func (h *history) mustHaveEnded() {
	w := h.world
	if w.lease != nil && w.lease.Kind == controller.LeaseShift {
		h.broke("the shift never ended: %s", w.lease)
		return
	}
	j := w.jobs["shift-1"]
	troubled := len(w.faults.outages) > 0 || w.faults.blind > 0 || w.faults.lost > 0 || w.faults.mute > 0
	if len(h.ends) == 0 {
		// Nothing was told only where nothing could be: the first run was cut off before it had the lease, or could not tell.
		if !troubled && w.faults.crash == 0 {
			h.broke("the shift ended without a word")
		}
		return
	}
	if !j.answered && !j.gone && !troubled && w.faults.crash == 0 && w.faults.double == 0 {
		h.broke("the pipeline got no answer")
	}
	// Each cut costs until its run's end and the schedule's next minute; there are few of them.
	allowed := w.plan.Deadline + 2*rollout.Tick + w.faults.late*10
	if w.faults.crash > 0 || w.faults.double > 0 || troubled || h.person || w.jobs["shift-2"] != nil || w.alarm == rollout.AlarmRinging || j.gone {
		allowed += 30 * 10 * time.Minute
	}
	if took := h.ended.Sub(start); took > allowed {
		h.broke("it ended after %s, and the deadline is %s", took, w.plan.Deadline)
	}
}

// mustEndAsUndisturbed tells the same history again with runs that are never cut off, and without nights.
func (h *history) mustEndAsUndisturbed() {
	twin := newHistory(h.seed, h.number, slog.New(slog.DiscardHandler))
	w := twin.world
	w.unmanaged = h.world.unmanaged
	w.side(rollout.Blue).desired = 0
	*w.side(rollout.Blue) = *h.initialBlue()
	w.deploy(rollout.Green, digest, h.world.side(rollout.Green).behaviour)
	w.quiet = true
	w.start("shift-1", false, controller.Order{Candidate: rollout.Green, Digest: digest})
	w.run(start.Add(100 * time.Hour))
	if len(h.ends) == 0 || h.world.jobs["shift-1"].missed {
		return // cut off before it had begun, or so often that the pipeline gave it up
	}
	last := h.ends[len(h.ends)-1]
	for _, e := range append(twin.ends, last) {
		if strings.Contains(e.Reason, "deadline") || strings.Contains(e.Reason, "not ready within") {
			return // being cut off takes time
		}
	}
	if len(twin.ends) != 1 || twin.ends[0].Outcome != last.Outcome || twin.world.weights != h.world.weights {
		h.broke("with crashes or nights it ended %s at %s, without them %s at %s", last.Outcome, h.world.weights, twin.outcome(), twin.world.weights)
		return
	}
	if h.nights {
		return // it may have ended the day asleep
	}
	for _, c := range []rollout.Colour{rollout.Blue, rollout.Green} {
		a, b := *h.world.side(c), *twin.world.side(c)
		if w := h.world; w.lease.Kind == controller.LeaseStandby && w.lease.Live != c {
			continue // the run that was to retire it was cut off at once: the next release clears it away
		}
		if a.desired != b.desired || a.min != b.min || a.suspended != b.suspended {
			h.broke("with crashes %s ended with %d tasks, at least %d, suspended %t; without them with %d, %d, %t", c, a.desired, a.min, a.suspended, b.desired, b.min, b.suspended)
		}
	}
}

// initialBlue is blue as this history began with it.
func (h *history) initialBlue() *side {
	random := rand.New(rand.NewPCG(h.seed, h.number))
	again := &history{random: random}
	plan := again.somePlan()
	return &side{desired: max(plan.Minimum, 1+random.IntN(5)), min: h.world.minimum(), max: 10, taskDefinition: "arn:task-definition/shop-blue:1", scaled: start.Add(-time.Hour)}
}

// mustSleepAndWake holds that whatever has happened, a night and a morning leave the traffic where it was, with the tasks that
// it needs.
func (h *history) mustSleepAndWake() {
	w := h.world
	w.quiet, w.alarm = true, rollout.AlarmOK
	w.todo = nil
	before := w.weights
	if w.lease != nil && w.lease.Kind == controller.LeaseShift {
		return // it never ended, which is told elsewhere
	}
	live, whole := before.Live()
	w.call(controller.LeaseSleep, false)
	w.run(w.now.Add(time.Hour))
	for _, c := range []rollout.Colour{rollout.Blue, rollout.Green} {
		if s := w.side(c); whole && (s.desired != 0 || s.min != 0 || s.suspended) {
			h.broke("put to sleep, but %s is %+v", c, s)
		}
	}
	w.call(controller.LeaseSleep, false)
	w.run(w.now.Add(10 * time.Hour))
	if h.one(2) {
		return // the next release finds it asleep
	}
	w.call(controller.LeaseWake, false)
	w.run(w.now.Add(time.Hour))
	for _, c := range []rollout.Colour{rollout.Blue, rollout.Green} {
		if s := w.side(c); before.Of(c) > 0 && (s.desired < w.plan.Minimum || s.min != w.minimum() || s.suspended) {
			h.broke("woken, but %s is %+v", c, s)
		} else if whole && c != live && s.desired != 0 {
			h.broke("woken, and %s, which has no traffic, is %+v", c, s)
		}
	}
	if w.weights != before {
		h.broke("a night moved the traffic from %s to %s", before, w.weights)
	}
}

// mustStartAnew holds that whatever has happened, the next release can be made, and repairs what was left.
func (h *history) mustStartAnew() {
	w := h.world
	w.quiet, w.alarm, w.misled = true, rollout.AlarmOK, false
	w.todo = nil
	live, whole := w.weights.Live()
	if !whole {
		live = rollout.Blue
		w.move("person", rollout.Weights{Blue: 100})
	}
	s := w.side(live)
	s.behaviour = behaviour{}
	if asleep := whole && s.desired == 0; !asleep {
		s.scale(max(s.desired, 2), w.now)
	}
	w.now = w.now.Add(time.Hour)
	prepare := w.start("prepare-9", true, controller.Order{})
	w.run(w.now.Add(time.Hour))
	if prepare.outputs["CandidateColour"] != string(live.Other()) {
		h.broke("the next release cannot be prepared: %q", prepare.failed)
		return
	}
	idle := w.side(live.Other())
	if s.desired < w.plan.Minimum {
		h.broke("prepared, but only %d tasks of the live side run", s.desired)
	}
	if idle.desired != 0 || idle.min != 0 || idle.taskDefinition != w.declared[live.Other()] || w.preview != live.Other() || s.suspended || s.min != w.minimum() {
		h.broke("prepared, but idle is %+v, live %+v and the preview at %s", idle, s, w.preview)
	}
	w.deploy(live.Other(), "sha256:9", behaviour{start: 10 * time.Second})
	told := len(h.ends)
	shift := w.start("shift-9", false, controller.Order{Candidate: live.Other(), Digest: "sha256:9"})
	w.run(w.now.Add(24 * time.Hour))
	if !shift.answered || shift.failed != "" || w.weights.Of(live.Other()) != 100 || len(h.ends) != told+1 {
		h.broke("the next release did not go live: %q at %s", shift.failed, w.weights)
	}
	w.run(w.now.Add(1000 * time.Hour))
	old, now := w.side(live), w.side(live.Other())
	if old.desired != 0 || old.min != 0 || old.suspended || now.min != w.minimum() || now.suspended {
		h.broke("after the next release the old side is %+v and the live one %+v", old, now)
	}
}
