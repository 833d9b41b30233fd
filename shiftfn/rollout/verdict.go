package rollout

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Verdict is what evidence says. Unknown is the zero value: what was not judged did not pass.
type Verdict int

// The three verdicts. A candidate that cannot be seen is neither good nor bad.
const (
	Unknown Verdict = iota
	Pass
	Fail
)

func (v Verdict) String() string { return [...]string{"unknown", "pass", "fail"}[v] }

// Finding is the verdict of one kind of evidence, with its numbers.
type Finding struct {
	// Source is deployment, targets, probes, metrics, alarms or lease.
	Source  string  `json:"source"`
	Verdict Verdict `json:"-"`
	// Text tells the numbers to a person.
	Text string `json:"text"`
	// certain marks a failure that needs no second look, alone one that there was no stable side to compare with, and expected
	// an unknown that is no reason to wonder yet.
	certain, alone, expected bool
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s (%s)", f.Source, f.Text, f.Verdict) }

// Overall is the verdict of all findings together: one failure is a failure, and a pass needs all to pass.
func Overall(findings []Finding) Verdict {
	overall := Pass
	for _, f := range findings {
		switch f.Verdict {
		case Fail:
			return Fail
		case Unknown:
			overall = Unknown
		}
	}
	return overall
}

// Confidence in a share that was counted in a sample, as z-scores of Wilson's score interval (one-sided): one time in a
// hundred, and one in three million.
const (
	likely  = 2.33
	certain = 5
)

// atLeast is the lower end of Wilson's score interval: the share of failures, 0 to 1, that a sample proves at least. One
// failed request of five proves little, one of a hundred among ten thousand proves much.
func atLeast(failed, total, z float64) float64 {
	if total <= 0 {
		return 0
	}
	p, zz := min(failed/total, 1), z*z
	return (p + zz/(2*total) - z*math.Sqrt(p*(1-p)/total+zz/(4*total*total))) / (1 + zz/total)
}

// gross is the share of failures that a fault which passes, or which both sides have, does not usually reach, given the share
// that is allowed: a sixth of the rest.
func gross(limit float64) float64 { return limit + (1-limit)/6 }

// share writes failed of total, with the percentage.
func share(failed, total float64) string {
	return fmt.Sprintf("%.0f of %.0f (%.2f %%)", failed, total, 100*failed/total)
}

// judge weighs everything that is seen of a candidate while it takes traffic.
func judge(plan Plan, s State, o *Observation) []Finding {
	side := o.Of(s.Candidate)
	findings := make([]Finding, 0, 5)
	findings = append(findings,
		judgeDeployment(s, side.Service),
		judgeTargets(plan, s, side.Targets),
		judgeProbes(plan, o.Probes))
	if bake := seconds(plan.at(s.Weight).BakeSeconds); bake > 0 {
		findings = append(findings, judgeMetrics(plan, s, o))
	}
	if len(plan.Alarms) > 0 {
		findings = append(findings, judgeAlarms(plan, o.Alarms))
	}
	return findings
}

func judgeDeployment(s State, service *Service) Finding {
	f := Finding{Source: "deployment"}
	switch {
	case service == nil:
		f.Text = "the candidate's service could not be read"
	case service.TaskDefinition != s.TaskDefinition:
		f.Verdict, f.certain = Fail, true
		f.Text = fmt.Sprintf("the service was given %s while %s was being shifted", revision(service.TaskDefinition), revision(s.TaskDefinition))
	case service.Failed != "" && service.Desired >= s.Size:
		f.Verdict, f.certain = Fail, true
		f.Text = "ECS gave the deployment up: " + service.Failed
	default:
		f.Verdict, f.Text = Pass, fmt.Sprintf("%d of %d tasks run", service.Running, service.Desired)
	}
	return f
}

// revision is the readable end of a task definition's ARN: family:revision.
func revision(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// required is how many of the candidate's targets must be healthy: the plan's share of its size, rounded up, at least one.
func required(plan Plan, s State) int {
	return max(1, (s.Size*plan.Limits.HealthyPercent+99)/100)
}

func judgeTargets(plan Plan, s State, targets *Targets) Finding {
	f := Finding{Source: "targets"}
	if targets == nil {
		f.Text = "the targets' health could not be read"
		return f
	}
	f.Text = fmt.Sprintf("%d of %d targets healthy, %d required", targets.Healthy, s.Size, required(plan, s))
	switch {
	case targets.Healthy == 0:
		f.Verdict, f.certain = Fail, true
	case targets.Healthy < required(plan, s):
		f.Verdict = Fail
	default:
		f.Verdict = Pass
	}
	return f
}

// judgeProbes judges one round. Too few are sent to tell a fault that passes, or that the stable side has too, from the
// candidate's own, unless they show it grossly: anything less keeps the round from passing, no more. One that another version
// answered is no chance: the round says nothing about the candidate.
func judgeProbes(plan Plan, probed *Probed) Finding {
	f := Finding{Source: "probes"}
	if probed == nil {
		f.Text = "none were sent"
		return f
	}
	failed, sent := float64(probed.Failed), float64(probed.Sent)
	limit := plan.Limits.ErrorPercent / 100
	switch {
	case probed.Astray != "":
		f.Verdict, f.Text = Fail, "the probes do not reach the candidate: "+probed.Astray
	case probed.Sent == 0:
		f.Text = fmt.Sprintf("none of %d reached the load balancer: %s", probed.Unsent, probed.Example)
	case failed > limit*sent:
		if failed == sent || atLeast(failed, sent, likely) > gross(limit) {
			f.Verdict = Fail
		}
		f.Text = fmt.Sprintf("%s failed, limit %v %%: %s", share(failed, sent), plan.Limits.ErrorPercent, probed.Example)
	case probed.Unsent > probed.Sent:
		f.Text = fmt.Sprintf("%d of %d did not reach the load balancer: %s", probed.Unsent, probed.Sent+probed.Unsent, probed.Example)
	case plan.Probes.Identity != nil && probed.Identified == 0:
		f.Text = fmt.Sprintf("no answer to %s says which version gave it", plan.Probes.Identity.Path)
	default:
		f.Verdict, f.Text = Pass, fmt.Sprintf("%s failed", share(failed, sent))
	}
	return f
}

// errorRate judges counted requests against a share that is allowed. Between a proven failure and a rate within the limit lies
// unknown: a rate that is over the limit in too few samples to tell.
func errorRate(plan Plan, limit, failed, total float64) Verdict {
	switch {
	case atLeast(failed, total, likely) > limit:
		return Fail
	case total < float64(plan.Limits.MinimumSamples) || failed > limit*total:
		return Unknown
	}
	return Pass
}

// isGross tells whether counted requests prove a failure that needs no second look.
func isGross(limit, failed, total float64) bool {
	return atLeast(failed, total, certain) > gross(limit)
}

// at is the side's period that ended then, empty when there is none. Periods come in the order of time.
func (m *Metrics) at(end time.Time) Counts {
	if m != nil {
		for i := len(m.Periods) - 1; i >= 0 && !m.Periods[i].End.Before(end); i-- {
			if m.Periods[i].End.Equal(end) {
				return m.Periods[i]
			}
		}
	}
	return Counts{}
}

func (c *Counts) add(more Counts) {
	c.Requests += more.Requests
	c.Errors += more.Errors
}

// judgeMetrics judges all complete periods of a step together and the newest by itself, so that neither a slow drip nor a
// sudden break hides behind the other. The stable side's same minutes are the yardstick, where it has traffic: what it is
// proven to fail at the same time is not the candidate's, and a minute in which it is over the limit itself proves nothing
// good. After a minute that failed, the step bakes anew.
func judgeMetrics(plan Plan, s State, o *Observation) Finding {
	f := Finding{Source: "metrics"}
	metrics, stable := o.Of(s.Candidate).Metrics, o.Of(s.Stable()).Metrics
	if metrics == nil {
		f.Text = "the metrics could not be read"
		return f
	}
	since := time.Unix(s.Since, 0)
	f.expected = o.Now.Sub(since) <= Grace
	if len(metrics.Periods) == 0 {
		f.Text = fmt.Sprintf("no complete period since the weights took effect %s ago", words(o.Now.Sub(since).Round(time.Second)))
		return f
	}
	limit, enough := plan.Limits.ErrorPercent/100, float64(plan.Limits.MinimumSamples)
	var whole, beside, sound Counts // of the step, of the stable side meanwhile, and since the last minute that failed
	var broken time.Time            // the end of that minute
	for _, p := range metrics.Periods {
		same := stable.at(p.End)
		shared := atLeast(same.Errors, same.Requests, likely)
		failed := errorRate(plan, limit+shared, p.Errors, p.Requests) == Fail
		if shared > limit && !failed {
			continue
		}
		whole.add(p)
		beside.add(same)
		sound.add(p)
		if failed {
			sound, broken = Counts{}, p.End
		}
	}
	newest := metrics.Periods[len(metrics.Periods)-1]
	same := stable.at(newest.End)
	shared := atLeast(same.Errors, same.Requests, likely)
	f.alone = same.Requests < enough
	percent := plan.Limits.ErrorPercent
	bound := plan.slowest(s)
	slow := bound > 0 && newest.Latency > bound
	late := o.Now.Sub(newest.End) > Grace
	baked := broken.IsZero() || newest.End.Sub(broken) >= seconds(plan.at(s.Weight).BakeSeconds)
	switch {
	case broken.Equal(newest.End):
		f.Verdict, f.certain = Fail, isGross(limit+shared, newest.Errors, newest.Requests)
		f.Text = fmt.Sprintf("%s failed in the last minute, limit %v %%", share(newest.Errors, newest.Requests), percent)
		if same.Errors > 0 {
			f.Text += fmt.Sprintf(", %s of the stable side's", share(same.Errors, same.Requests))
		}
	case shared > limit:
		f.expected = !late
		f.Text = fmt.Sprintf("%s failed in the last minute, and %s of the stable side's: a fault of both", share(newest.Errors, newest.Requests), share(same.Errors, same.Requests))
	case newest.Errors > limit*newest.Requests && errorRate(plan, limit+atLeast(beside.Errors, beside.Requests, likely), whole.Errors, whole.Requests) == Fail:
		f.Verdict = Fail
		f.Text = fmt.Sprintf("%s failed since the step began, limit %v %%", share(whole.Errors, whole.Requests), percent)
	case slow && newest.Requests >= enough:
		f.Verdict = Fail
		f.Text = fmt.Sprintf("p%v latency %d ms, limit %d ms", plan.Limits.LatencyPercentile, newest.Latency.Milliseconds(), bound.Milliseconds())
	case late:
		f.expected = false
		f.Text = fmt.Sprintf("the newest period ended %s ago", words(o.Now.Sub(newest.End).Round(time.Second)))
	case slow:
		f.Text = fmt.Sprintf("p%v latency %d ms of only %.0f requests, limit %d ms", plan.Limits.LatencyPercentile, newest.Latency.Milliseconds(), newest.Requests, bound.Milliseconds())
	case errorRate(plan, limit, sound.Errors, sound.Requests) != Pass:
		f.Text = fmt.Sprintf("%.0f of %.0f requests failed; a verdict needs %d requests and %v %% at most", sound.Errors, sound.Requests, plan.Limits.MinimumSamples, percent)
	case !baked:
		f.expected = true
		f.Text = fmt.Sprintf("good again for %s; the step bakes anew", words(newest.End.Sub(broken)))
	default:
		f.Verdict, f.Text = Pass, fmt.Sprintf("%s failed", share(sound.Errors, sound.Requests))
	}
	return f
}

// brisk is a latency that is never called slow for being higher than the stable side's.
const brisk = 500 * time.Millisecond

// slowest is the highest latency that a candidate may have: what the plan says, or a multiple of what the stable side has, or
// had when it last took traffic; 0 when neither is known.
func (p Plan) slowest(s State) time.Duration {
	bound := time.Duration(p.Limits.LatencyMs) * time.Millisecond
	if s.Usual > 0 {
		usual := max(brisk, time.Duration(p.Limits.LatencyRatio*float64(s.Usual))*time.Millisecond)
		if bound == 0 || usual < bound {
			bound = usual
		}
	}
	return bound
}

// usual is the stable side's newest latency in milliseconds; ok is false where too few requests tell it.
func usual(plan Plan, stable *Metrics) (ms int, ok bool) {
	if stable != nil {
		for i := len(stable.Periods) - 1; i >= 0; i-- {
			if p := stable.Periods[i]; p.Latency > 0 && p.Requests >= float64(plan.Limits.MinimumSamples) {
				return int(p.Latency.Milliseconds()), true
			}
		}
	}
	return 0, false
}

func judgeAlarms(plan Plan, alarms []Alarm) Finding {
	f := Finding{Source: "alarms", Verdict: Pass, Text: "quiet"}
	for _, name := range plan.Alarms {
		state := AlarmState("unreadable")
		for _, a := range alarms {
			if a.Name == name {
				state = a.State
			}
		}
		switch state {
		case AlarmOK:
		case AlarmRinging:
			return Finding{Source: "alarms", Verdict: Fail, Text: name + " is in state ALARM", certain: true}
		default:
			f.Verdict, f.Text = Unknown, fmt.Sprintf("the alarm %s is %s", name, state)
		}
	}
	return f
}

// unwell tells whether a side that traffic would go back to is known to be broken: no healthy target, or an error rate that
// leaves no doubt.
func unwell(plan Plan, side *Side) (broken bool, why string) {
	if side.Targets != nil && side.Targets.Healthy == 0 {
		return true, "it has no healthy target"
	}
	if side.Metrics != nil && len(side.Metrics.Periods) > 0 {
		newest := side.Metrics.Periods[len(side.Metrics.Periods)-1]
		if isGross(plan.Limits.ErrorPercent/100, newest.Errors, newest.Requests) {
			return true, fmt.Sprintf("%s of its requests failed in the last minute", share(newest.Errors, newest.Requests))
		}
	}
	return false, ""
}
