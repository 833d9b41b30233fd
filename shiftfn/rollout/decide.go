package rollout

import (
	"fmt"
	"time"
)

// Outcome is how a shift ended; empty while it goes on.
type Outcome string

// The ends of a shift.
const (
	// Promoted: the candidate has all traffic and passed every check.
	Promoted Outcome = "promoted"
	// RolledBack: the stable side has all traffic, as the listener itself says.
	RolledBack Outcome = "rolledBack"
	// Frozen: the candidate was judged bad, and the policy leaves the weights to a person.
	Frozen Outcome = "frozen"
	// Halted: nothing that the rules may do would make it better. Nothing was changed; a person must act.
	Halted Outcome = "halted"
	// Superseded: another run of the controller holds the lease. Nothing is changed and nobody is told.
	Superseded Outcome = "superseded"
)

// Decision is what one tick resolves.
type Decision struct {
	State   State
	Want    Want
	Outcome Outcome
	// Weights are the listener's as last seen; Stale is true when this tick could not read them.
	Weights Weights
	Stale   bool
	// Reason is one or two sentences for a person: why this is decided, with the numbers.
	Reason   string
	Findings []Finding
	// Note tells of something that happened on the way, such as a changed policy.
	Note string
}

// Headline says how it ended and where traffic is now.
func (d Decision) Headline() string {
	at := d.Weights.String()
	if d.Stale {
		at += " (as last seen; it cannot be read now)"
	}
	switch d.Outcome {
	case Promoted:
		return "live: " + at
	case RolledBack:
		return "rolled back: " + at
	case Frozen:
		return "FROZEN at " + at + ": decide now"
	case Halted:
		return "HALTED at " + at + ": act now"
	}
	return string(d.State.Phase) + ": " + at
}

// Look is what a tick must find out before it can decide.
type Look struct {
	Candidate Colour
	// Release asks for the candidate's task definition to be compared with the expected one.
	Release bool
	// Probes is the number of requests for each path, 0 for none.
	Probes int
	// Since asks for the metrics of the periods that began then or later; zero asks for none.
	Since time.Time
	// Alarms asks for the state of the alarms of these names.
	Alarms []string
}

// Look tells what the next tick needs to see. Weights, targets, services and bounds are always needed.
func (s State) Look(plan Plan) Look {
	look := Look{Candidate: s.Candidate}
	switch s.Phase {
	case Checking:
		look.Release = true
	case Probing:
		look.Probes, look.Alarms, look.Since = plan.Probes.Count, plan.Alarms, time.Unix(s.Since, 0).Add(-Grace)
	case Shifting:
		look.Probes, look.Alarms, look.Since = plan.Probes.WatchCount, plan.Alarms, time.Unix(s.Since, 0)
	case Aborting:
		look.Since = time.Unix(s.Since, 0)
	}
	return look
}

// Decide is one tick: it looks at what is seen and says what should be. It may be called again with the same state, and with
// a state that is behind the world: what is seen outranks what is remembered.
func Decide(plan Plan, s State, o *Observation) Decision {
	t := turn{plan: plan, s: s, o: o, now: o.Now.Unix()}
	if o.Lease == LeaseLost {
		return t.end(Superseded, "another run of the controller has taken this shift over")
	}
	if s.Plan != plan.ID() {
		t.s.Plan, t.note = plan.ID(), "the policy changed during the shift; the new one holds from here on"
	}
	if o.Weights == nil {
		return t.blind()
	}
	if seen := o.Weights.Of(s.Candidate); t.s.Phase != Checking && !t.recognise(seen) {
		return t.stranger(seen)
	}
	switch t.s.Phase {
	case Checking:
		return t.check()
	case Starting:
		return t.start()
	case Probing:
		return t.probe()
	case Shifting:
		return t.shift()
	case Promoting:
		return t.promote()
	default:
		return t.abort()
	}
}

// turn is one decision in the making.
type turn struct {
	plan     Plan
	s        State
	o        *Observation
	now      int64
	findings []Finding
	note     string
}

func (t *turn) decide(want Want, reason string) Decision {
	d := Decision{State: t.s, Want: want, Reason: reason, Findings: t.findings, Note: t.note}
	if d.Stale = t.o.Weights == nil; d.Stale {
		d.Weights = Split(t.s.Candidate, t.s.Weight)
	} else {
		d.Weights = *t.o.Weights
	}
	return d
}

func (t *turn) end(outcome Outcome, reason string) Decision {
	d := t.decide(Want{}, reason)
	d.Outcome = outcome
	return d
}

// recognise takes up the weights that are seen when they are the last known ones or those that were asked for since, and
// tells whether they are.
func (t *turn) recognise(seen int) bool {
	switch {
	case seen == t.s.Weight:
	case seen == t.s.Writing:
		t.s.Weight, t.s.Since = seen, t.now
		t.forget()
	case seen == 0 && t.s.Phase == Aborting:
		t.s.Weight, t.s.Writing = 0, 0 // whoever did it, it is what aborting is for
	default:
		return false
	}
	t.s.Strangers = 0
	return true
}

// stranger answers weights that nobody here asked for. One look may be late; two in a row are somebody's decision.
func (t *turn) stranger(seen int) Decision {
	if t.s.Strangers++; t.s.Strangers < 2 {
		return t.decide(Want{}, fmt.Sprintf("the candidate has %d %% where %d %% was written; looking again", seen, t.s.Weight))
	}
	return t.end(Halted, fmt.Sprintf("somebody else changed the weights: the candidate has %d %% where this shift wrote %d %%. The shift stops and leaves them as they are", seen, t.s.Weight))
}

// blind answers a tick that cannot read the weights: nothing is written unseen.
func (t *turn) blind() Decision {
	t.s.Unknowns++
	t.findings = []Finding{{Source: "weights", Text: "the listener could not be read"}}
	switch {
	case t.s.Turned > 0 && t.overtime():
		return t.end(Halted, "the listener could not be read any more, so the end of the shift is not confirmed"+t.because())
	case t.s.Turned > 0:
		return t.decide(Want{}, "waiting until the listener can be read"+t.because())
	case t.late():
		return t.fail("the deadline came while the listener could not be read")
	case t.s.Unknowns >= t.plan.Limits.Unknowns:
		return t.fail(fmt.Sprintf("the listener could not be read for %d ticks in a row", t.s.Unknowns))
	}
	return t.decide(Want{}, "waiting until the listener can be read")
}

// late tells whether only the time for the way back is left.
func (t *turn) late() bool {
	return t.now >= t.s.Started+int64((t.plan.Deadline-t.plan.reserve())/time.Second)
}

// overtime tells whether promoting or aborting has used its time up.
func (t *turn) overtime() bool { return t.now >= t.s.Turned+int64(t.plan.reserve()/time.Second) }

// for how long the present phase or weight has been in effect.
func (t *turn) lasted() time.Duration { return time.Duration(t.now-t.s.Since) * time.Second }

func (t *turn) because() string {
	if t.s.Phase != Aborting {
		return ""
	}
	return ". Why it was going back: " + t.s.Reason
}

// forget begins the counting of verdicts anew.
func (t *turn) forget() {
	t.s.Targets, t.s.Probes, t.s.Metrics, t.s.Unknowns, t.s.Judged = 0, 0, 0, 0, 0
}

func (t *turn) enter(phase Phase) {
	t.s.Phase, t.s.Since = phase, t.now
	t.forget()
}

// check compares the world with what the shift was asked to do, before anything is changed.
func (t *turn) check() Decision {
	stable := t.o.Of(t.s.Stable()).Service
	if t.o.Lease != LeaseMine || t.o.Release == nil || stable == nil {
		if t.s.Unknowns++; t.s.Unknowns >= t.plan.Limits.Unknowns || t.late() {
			t.s.Weight, t.s.Writing = 0, 0
			return t.end(Halted, "the services, the task definition or the lease could not be read; nothing was changed")
		}
		return t.decide(Want{}, "waiting until the services, the task definition and the lease can be read")
	}
	seen := t.o.Weights.Of(t.s.Candidate)
	t.s.Weight, t.s.Writing = seen, seen
	t.s.TaskDefinition = t.o.Release.TaskDefinition
	mismatch := t.o.Release.Mismatch
	switch {
	case seen != 0 && seen != 100:
		return t.end(Halted, "traffic is shared out already: an earlier shift was left half way, or a person moved it. Put all of it on one side (shiftctl rollback), then release again")
	case seen == 100 && mismatch != "":
		return t.end(Halted, fmt.Sprintf("%s was to be the candidate, and has all traffic already, with something else: %s", t.s.Candidate, mismatch))
	case seen == 100:
		t.s.Reason = "this release was live already"
		t.turnTo(Promoting)
		return t.promote()
	case mismatch != "":
		return t.fail(mismatch)
	}
	t.s.Size = max(stable.Desired, t.plan.Minimum, 1)
	t.enter(Starting)
	return t.start()
}

// forward is what holds as long as the shift goes on: the preview rule shows the candidate, neither side may shrink, and the
// candidate may have no minimum before it is live.
func (t *turn) forward() Want {
	want := Want{Preview: t.s.Candidate}
	want.Of(t.s.Candidate).Scaling = &ScalingWant{Min: 0, Suspended: true}
	want.Of(t.s.Stable()).Scaling = &ScalingWant{Min: t.plan.Minimum, Suspended: true}
	return want
}

// start scales the candidate up and waits until every target is healthy. A stable side that was put to sleep after the release
// was prepared is woken and waited for as well: there must be something to go back to.
func (t *turn) start() Decision {
	candidate := t.o.Of(t.s.Candidate)
	if stable := t.o.Of(t.s.Stable()).Service; stable != nil {
		t.s.Size = max(t.s.Size, stable.Desired)
		t.s.Woken = t.s.Woken || stable.Desired == 0
	}
	want := t.forward()
	want.Of(t.s.Candidate).AtLeast = t.s.Size
	want.Of(t.s.Stable()).AtLeast = t.plan.Minimum
	deployment := judgeDeployment(t.s, candidate.Service)
	t.findings = []Finding{deployment}
	if deployment.Verdict == Fail {
		return t.fail(deployment.Text)
	}
	reason := want.Missing(t.o)
	if reason == "" {
		switch service, targets := candidate.Service, candidate.Targets; {
		case targets == nil:
			reason = "the targets' health could not be read"
		case targets.Healthy < t.s.Size || service.Running < t.s.Size || !service.Settled:
			reason = fmt.Sprintf("%d of %d tasks run, %d targets healthy", service.Running, t.s.Size, targets.Healthy)
		case t.s.Woken && waking(t.plan, t.s.Stable(), t.o) != "":
			reason = waking(t.plan, t.s.Stable(), t.o)
		default:
			t.enter(Probing)
			return t.decide(want, fmt.Sprintf("all %d targets of %s are healthy; probing", t.s.Size, t.s.Candidate))
		}
	}
	if t.lasted() >= t.plan.Start || t.late() {
		return t.fail(fmt.Sprintf("%s was not ready within %s: %s", t.s.Candidate, words(min(t.lasted(), t.plan.Start)), reason))
	}
	return t.decide(want, "starting "+string(t.s.Candidate)+": "+reason)
}

// probe asks the candidate through the preview rule, before any user does.
func (t *turn) probe() Decision {
	candidate := t.o.Of(t.s.Candidate)
	t.compare()
	t.findings = []Finding{
		judgeDeployment(t.s, candidate.Service),
		judgeTargets(t.plan, t.s, candidate.Targets),
		judgeProbes(t.plan, t.o.Probes),
	}
	if len(t.plan.Alarms) > 0 {
		t.findings = append(t.findings, judgeAlarms(t.plan, t.o.Alarms))
	}
	return t.advance(0)
}

// shift watches the candidate under users' traffic.
func (t *turn) shift() Decision {
	t.compare()
	t.findings = judge(t.plan, t.s, t.o)
	return t.advance(seconds(t.plan.at(t.s.Weight).BakeSeconds))
}

// compare remembers the stable side's latency, which the candidate's is measured by, also when it has all traffic.
func (t *turn) compare() {
	if ms, ok := usual(t.plan, t.o.Of(t.s.Stable()).Metrics); ok {
		t.s.Usual = ms
	}
}

// advance counts the findings and goes one step on when they pass and the bake time is over.
func (t *turn) advance(bake time.Duration) Decision {
	if t.o.Lease != LeaseMine {
		t.findings = append(t.findings, Finding{Source: "lease", Text: "the lease could not be read"})
	}
	want := t.forward()
	switch fatal := t.count(); {
	case fatal != "":
		return t.fail(fatal)
	case t.late():
		return t.fail("the deadline left time for the way back only")
	}
	verdict := Overall(t.findings)
	next, more := t.plan.next(t.s.Weight)
	switch {
	case verdict != Pass:
		return t.decide(want, t.at()+first(t.findings, verdict).String())
	case t.lasted() < bake:
		return t.decide(want, fmt.Sprintf("%spassing, %s of %s", t.at(), words(t.lasted()), words(bake)))
	case !more:
		t.s.Reason = "passed at 100 %"
		t.turnTo(Promoting)
		return t.promote()
	}
	t.s.Phase, t.s.Writing = Shifting, next.Weight
	weights := Split(t.s.Candidate, next.Weight)
	want.Weights = &weights
	return t.decide(want, fmt.Sprintf("%spassed; on to %d %%", t.at(), next.Weight))
}

// at names the place that a sentence speaks of.
func (t *turn) at() string { return fmt.Sprintf("%s at %d %%: ", t.s.Candidate, t.s.Weight) }

func first(findings []Finding, v Verdict) Finding {
	for _, f := range findings {
		if f.Verdict == v {
			return f
		}
	}
	return Finding{}
}

// count adds the findings to the rows of verdicts, and returns why that is one too many, or nothing.
func (t *turn) count() (fatal string) {
	wondering := ""
	for _, f := range t.findings {
		row := t.row(f.Source)
		switch {
		case f.Verdict == Fail && f.certain:
			return f.Text
		case f.Verdict == Unknown && !f.expected:
			wondering = f.Text
		case row == nil:
		case f.Verdict == Fail:
			*row++
		case f.Verdict == Pass:
			*row = 0
		}
		patience := t.plan.Limits.Failures
		if f.alone {
			patience *= 2
		}
		if row != nil && *row >= patience {
			return fmt.Sprintf("%s, %d times in a row", f.Text, *row)
		}
	}
	if metrics := t.o.Of(t.s.Candidate).Metrics; metrics != nil && len(metrics.Periods) > 0 {
		t.s.Judged = max(t.s.Judged, metrics.Periods[len(metrics.Periods)-1].End.Unix())
	}
	if wondering == "" {
		t.s.Unknowns = 0
	} else if t.s.Unknowns++; t.s.Unknowns >= t.plan.Limits.Unknowns {
		return fmt.Sprintf("unknown for %d ticks in a row: %s", t.s.Unknowns, wondering)
	}
	return ""
}

// row is the count of a source's failures in a row; nil where nothing is to be counted: a source whose failures are certain,
// or metrics that brought nothing new since they were last judged.
func (t *turn) row(source string) *int {
	switch source {
	case "targets":
		return &t.s.Targets
	case "probes":
		return &t.s.Probes
	case "metrics":
		metrics := t.o.Of(t.s.Candidate).Metrics
		if metrics != nil && len(metrics.Periods) > 0 && metrics.Periods[len(metrics.Periods)-1].End.Unix() > t.s.Judged {
			return &t.s.Metrics
		}
	}
	return nil
}

func (t *turn) turnTo(phase Phase) {
	t.enter(phase)
	t.s.Turned = t.now
}

// fail turns the shift round, or freezes it where the policy says so and users are on the candidate.
func (t *turn) fail(reason string) Decision {
	t.s.Reason = shorten(reason, longestReason)
	if t.plan.OnFailure == Freeze && max(t.s.Weight, t.s.Writing) > 0 {
		return t.end(Frozen, reason)
	}
	t.turnTo(Aborting)
	if t.o.Weights == nil {
		return t.decide(Want{}, reason+"; going back as soon as the listener can be read")
	}
	return t.abort()
}

// abort gives the traffic back to the stable side, once it is known that this makes nothing worse, and is over when the
// listener shows it and the sides are in order.
func (t *turn) abort() Decision {
	if t.s.Weight == 0 {
		return t.settle(RolledBack, t.idle(t.s.Candidate, t.s.Stable()))
	}
	stable := t.o.Of(t.s.Stable())
	broken, why := unwell(t.plan, stable)
	switch {
	case broken:
		return t.end(Halted, fmt.Sprintf("%s is bad (%s), and traffic cannot go back to %s: %s. Nothing was changed", t.s.Candidate, t.s.Reason, t.s.Stable(), why))
	case t.overtime():
		return t.end(Halted, fmt.Sprintf("the weights did not follow within %s%s", words(t.plan.reserve()), t.because()))
	case stable.Targets == nil && t.s.Weight == 100:
		return t.decide(Want{}, fmt.Sprintf("%s; going back as soon as the health of %s can be read", t.s.Reason, t.s.Stable()))
	case t.plan.GradualAbort && t.s.Writing == t.s.Weight && t.s.Since > t.s.Turned && t.lasted() < Hold:
		return t.decide(Want{}, fmt.Sprintf("%sgoing back by steps: %s", t.at(), t.s.Reason))
	}
	to := 0
	if t.plan.GradualAbort {
		to = t.plan.below(t.s.Weight)
	}
	t.s.Writing = to
	weights := Split(t.s.Candidate, to)
	return t.decide(Want{Weights: &weights}, fmt.Sprintf("%sgoing back to %d %%: %s", t.at(), to, t.s.Reason))
}

// promote puts the bounds in order after the candidate has passed at 100 percent.
func (t *turn) promote() Decision {
	want := t.idle(t.s.Stable(), t.s.Candidate)
	if t.plan.Standby > 0 {
		// Warm: its tasks stay, though nothing asks for them.
		*want.Of(t.s.Stable()) = SideWant{Scaling: &ScalingWant{Min: 0, Suspended: true}}
	}
	return t.settle(Promoted, want)
}

// idle is the order after a shift: one side with its minimum and free to scale, the other with nothing at all.
func (t *turn) idle(idle, live Colour) Want {
	var want Want
	*want.Of(idle) = SideWant{Idle: true, Scaling: &ScalingWant{}}
	want.Of(live).Scaling = &ScalingWant{Min: t.plan.Minimum}
	return want
}

// settle ends the shift when the wanted order is seen. The traffic is where it belongs already, so order that cannot be had
// in time is left to the next shift, and said.
func (t *turn) settle(outcome Outcome, want Want) Decision {
	missing := want.Missing(t.o)
	switch {
	case missing == "":
		return t.end(outcome, t.s.Reason)
	case t.overtime():
		return t.end(outcome, fmt.Sprintf("%s (left to the next release: %s)", t.s.Reason, missing))
	}
	return t.decide(want, fmt.Sprintf("%sputting the services in order: %s", t.at(), missing))
}
