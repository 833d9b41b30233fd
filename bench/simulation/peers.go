package simulation

// The peers are modelled from their public documentation. Where it leaves something to the user, the model takes what is best
// for the peer, and says so. None of them sends users to tasks that never became healthy.

// alarm is a CloudWatch alarm on the candidate's target group: over one percent of failed requests in two of the last three
// minutes.
type alarm struct{ clients bool }

// rings tells whether the alarm is in ALARM by the minutes that can be read, none of them older than begin.
func (a alarm) rings(w *world) bool {
	breaching := 0
	for minute := w.readable() - 3; minute < w.readable(); minute++ {
		c := w.candidate[minute]
		if c == nil || c.requests == 0 {
			continue
		}
		failed := c.errors
		if a.clients {
			failed += c.clientErrors
		}
		if failed > 0.01*c.requests {
			breaching++
		}
	}
	return breaching >= 2
}

// twoSteps shows the candidate to a share of users, then to all, and goes back when its alarm rings.
type twoSteps struct {
	percent       int
	first, second float64 // seconds that the alarm is watched in each step
	alarm         alarm
}

// CodeDeploy is CodeDeployDefault.ECSCanary10Percent5Minutes.
//
// Source: AWS CodeDeploy user guide, "Working with deployment configurations in CodeDeploy"
// (docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html: 10 percent, the rest five minutes later), and
// "Redeploy and roll back a deployment with CodeDeploy" (an alarm that the user attaches stops and rolls back). By default there is no alarm
// and nothing would go back; the model has the alarm that ECS Express Mode ships, on 5xx answers only, and an original task set
// that is kept for the hour that the console proposes, watched all the time. Hooks are the user's own code, so there are none.
func CodeDeploy() Policy {
	return Policy{Name: "CodeDeploy Canary10Percent5Minutes", Peer: true,
		run: twoSteps{percent: 10, first: 300, second: noticed}.run}
}

// ExpressMode is the default of an ECS Express Mode service.
//
// Source: Amazon ECS developer guide, "Updating an Amazon ECS Express Mode service"
// (docs.aws.amazon.com/AmazonECS/latest/developerguide/express-service-update-full.html): 5 % of traffic, three minutes of bake
// time, all traffic, three minutes more; back when 4xx and 5xx together are over 1 % for 2 datapoints within 3 minutes. The
// guide does not say on which target group the alarm looks; the model takes the new one's, where a fault shows best.
func ExpressMode() Policy {
	return Policy{Name: "ECS Express Mode", Peer: true,
		run: twoSteps{percent: 5, first: 180, second: 180, alarm: alarm{clients: true}}.run}
}

func (p twoSteps) run(w *world) (promoted bool) {
	if w.exits {
		return false
	}
	w.pass(w.now + startSeconds)
	for _, s := range []struct {
		percent int
		seconds float64
	}{{p.percent, p.first}, {100, p.second}} {
		w.shift(s.percent)
		for end := w.now + s.seconds; w.now < end; {
			w.pass(min(end, w.now+step))
			if p.alarm.rings(w) {
				w.shift(0)
				return false
			}
		}
	}
	return true
}

// flagger raises the weight by a step at every interval whose checks pass, and goes back after too many that failed.
type flagger struct {
	interval               float64
	threshold, top, rise   int
	errorShare, p99Seconds float64
}

// Flagger is its documented canary analysis.
//
// Source: Flagger documentation, "Deployment Strategies" (docs.flagger.app/usage/deployment-strategies), "Metrics Analysis"
// (docs.flagger.app/usage/metrics) and the tutorial "Istio Canary Deployments"
// (docs.flagger.app/tutorials/istio-progressive-delivery): interval 1m, threshold 5, maxWeight 50, stepWeight 10, request-success-rate at least 99 %, request-duration (p99) at most
// 500 ms. Failed checks add up, and the weight stands still at each. When the last step passes, the primary gets the new
// version and all traffic, and the analysis is over. Webhooks are the user's own, so there are none.
func Flagger() Policy {
	return Policy{Name: "Flagger", Peer: true,
		run: flagger{interval: 60, threshold: 5, top: 50, rise: 10, errorShare: 0.01, p99Seconds: 0.5}.run}
}

func (f flagger) run(w *world) (promoted bool) {
	if w.exits {
		return false
	}
	w.pass(w.now + startSeconds)
	w.shift(f.rise)
	for failed := 0; ; {
		w.window = counts{}
		w.pass(w.now + f.interval)
		bad := w.window.errors > f.errorShare*w.window.requests || quantile(w.median, 2.326) > f.p99Seconds
		switch {
		case bad:
			if failed++; failed >= f.threshold {
				w.shift(0)
				return false
			}
		case w.weight >= f.top:
			w.shift(100)
			return true
		default:
			w.shift(min(w.weight+f.rise, f.top))
		}
	}
}
