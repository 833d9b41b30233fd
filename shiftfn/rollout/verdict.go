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
	// certain marks a failure that needs no second look, and expected an unknown that is no reason to wonder yet.
	certain, expected bool
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
		findings = append(findings, judgeMetrics(plan, side.Metrics, time.Unix(s.Since, 0), o.Now))
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

// judgeProbes judges one round. A single failed probe among others may be chance: it keeps the round from passing, no more. One
// that another version answered is no chance: the round says nothing about the candidate.
func judgeProbes(plan Plan, probed *Probed) Finding {
	f := Finding{Source: "probes"}
	if probed == nil {
		f.Text = "none were sent"
		return f
	}
	failed, sent := float64(probed.Failed), float64(probed.Sent)
	switch over := failed*100 > plan.Limits.ErrorPercent*sent; {
	case probed.Astray != "":
		f.Verdict, f.Text = Fail, "the probes do not reach the candidate: "+probed.Astray
	case probed.Sent == 0:
		f.Text = fmt.Sprintf("none of %d reached the load balancer: %s", probed.Unsent, probed.Example)
	case over:
		if failed == sent || failed > 1 && atLeast(failed, sent, likely)*100 > plan.Limits.ErrorPercent {
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

// errorRate judges counted requests against the limit. Between a proven failure and a rate within the limit lies unknown: a
// rate that is over the limit in too few samples to tell. It is gross when it is proven to be ten times the limit (or half way
// to all, where the limit is high): a moment's fault within a minute does not reach that, so nothing needs to be awaited.
func errorRate(plan Plan, failed, total float64) (v Verdict, gross bool) {
	limit := plan.Limits.ErrorPercent / 100
	switch {
	case total > 0 && atLeast(failed, total, certain) > min(10*limit, (1+limit)/2):
		return Fail, true
	case total > 0 && atLeast(failed, total, likely) > limit:
		return Fail, false
	case total < float64(plan.Limits.MinimumSamples) || failed > limit*total:
		return Unknown, false
	}
	return Pass, false
}

// judgeMetrics judges all complete periods of a step together and the newest by itself, so that neither a slow drip nor a
// sudden break hides behind the other. A fault that is over does not fail a step that has recovered; it keeps it from
// passing until the good minutes outweigh it.
func judgeMetrics(plan Plan, metrics *Metrics, since, now time.Time) Finding {
	f := Finding{Source: "metrics"}
	if metrics == nil {
		f.Text = "the metrics could not be read"
		return f
	}
	f.expected = now.Sub(since) <= Grace
	if len(metrics.Periods) == 0 {
		f.Text = fmt.Sprintf("no complete period since the weights took effect %s ago", words(now.Sub(since).Round(time.Second)))
		return f
	}
	newest := metrics.Periods[len(metrics.Periods)-1]
	var all Counts
	for _, p := range metrics.Periods {
		all.Requests += p.Requests
		all.Errors += p.Errors
	}
	late := now.Sub(newest.End) > Grace
	limit := plan.Limits.ErrorPercent
	whole, _ := errorRate(plan, all.Errors, all.Requests)
	last, gross := errorRate(plan, newest.Errors, newest.Requests)
	recovered := newest.Errors*100 <= limit*newest.Requests
	slow := plan.Limits.LatencyMs > 0 && newest.Latency > time.Duration(plan.Limits.LatencyMs)*time.Millisecond
	switch {
	case last == Fail:
		f.Verdict, f.certain = Fail, gross
		f.Text = fmt.Sprintf("%s failed in the last minute, limit %v %%", share(newest.Errors, newest.Requests), limit)
	case whole == Fail && !recovered:
		f.Verdict = Fail
		f.Text = fmt.Sprintf("%s failed since the step began, limit %v %%", share(all.Errors, all.Requests), limit)
	case slow && newest.Requests >= float64(plan.Limits.MinimumSamples):
		f.Verdict = Fail
		f.Text = fmt.Sprintf("p%v latency %d ms, limit %d ms", plan.Limits.LatencyPercentile, newest.Latency.Milliseconds(), plan.Limits.LatencyMs)
	case late:
		f.expected = false
		f.Text = fmt.Sprintf("the newest period ended %s ago", words(now.Sub(newest.End).Round(time.Second)))
	case slow:
		f.Text = fmt.Sprintf("p%v latency %d ms of only %.0f requests, limit %d ms", plan.Limits.LatencyPercentile, newest.Latency.Milliseconds(), newest.Requests, plan.Limits.LatencyMs)
	case whole != Pass:
		f.expected = f.expected || recovered && all.Requests >= float64(plan.Limits.MinimumSamples)
		f.Text = fmt.Sprintf("%.0f of %.0f requests failed since the step began; a verdict needs %d requests and %v %% at most", all.Errors, all.Requests, plan.Limits.MinimumSamples, limit)
	default:
		f.Verdict, f.Text = Pass, fmt.Sprintf("%s failed since the step began", share(all.Errors, all.Requests))
	}
	return f
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
			f.Verdict, f.Text = Unknown, fmt.Sprintf("%s is %s", name, state)
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
		if _, gross := errorRate(plan, newest.Errors, newest.Requests); gross {
			return true, fmt.Sprintf("%s of its requests failed in the last minute", share(newest.Errors, newest.Requests))
		}
	}
	return false, ""
}
