package rollout_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// verdict is that of one source, of a tick that shifts at 10 percent.
func (s *stand) verdict(t *testing.T, source string) rollout.Finding {
	t.Helper()
	for _, f := range s.decide().Findings {
		if f.Source == source {
			return f
		}
	}
	t.Fatalf("%s was not judged", source)
	return rollout.Finding{}
}

func TestOneFailureIsAFailureAndAPassNeedsAll(t *testing.T) {
	of := func(verdicts ...rollout.Verdict) rollout.Verdict {
		var findings []rollout.Finding
		for _, v := range verdicts {
			findings = append(findings, rollout.Finding{Verdict: v})
		}
		return rollout.Overall(findings)
	}
	assert.Equal(t, rollout.Pass, of(rollout.Pass, rollout.Pass))
	assert.Equal(t, rollout.Unknown, of(rollout.Pass, rollout.Unknown, rollout.Pass))
	assert.Equal(t, rollout.Fail, of(rollout.Unknown, rollout.Fail, rollout.Pass))
	assert.Equal(t, rollout.Fail, of(rollout.Pass, rollout.Fail, rollout.Unknown))
}

func TestProbesAreJudgedByWhatTheyProve(t *testing.T) {
	for name, test := range map[string]struct {
		probed rollout.Probed
		want   rollout.Verdict
	}{
		"all well":                        {rollout.Probed{Sent: 5}, rollout.Pass},
		"all failed":                      {rollout.Probed{Sent: 5, Failed: 5}, rollout.Fail},
		"one of one":                      {rollout.Probed{Sent: 1, Failed: 1}, rollout.Fail},
		"one of five may be chance":       {rollout.Probed{Sent: 5, Failed: 1}, rollout.Unknown},
		"four of ten may pass":            {rollout.Probed{Sent: 10, Failed: 4}, rollout.Unknown},
		"half do not":                     {rollout.Probed{Sent: 10, Failed: 5}, rollout.Fail},
		"a tenth of many may be shared":   {rollout.Probed{Sent: 300, Failed: 30}, rollout.Unknown},
		"a third of many is gross":        {rollout.Probed{Sent: 300, Failed: 100}, rollout.Fail},
		"two of three hundred may be":     {rollout.Probed{Sent: 300, Failed: 2}, rollout.Unknown},
		"one of 199 is over the limit":    {rollout.Probed{Sent: 199, Failed: 1}, rollout.Unknown},
		"one of two hundred is within it": {rollout.Probed{Sent: 200, Failed: 1}, rollout.Pass},
		"most did not get there":          {rollout.Probed{Sent: 2, Unsent: 3}, rollout.Unknown},
		"half did not get there":          {rollout.Probed{Sent: 3, Unsent: 3}, rollout.Pass},
		"none got there":                  {rollout.Probed{Unsent: 5}, rollout.Unknown},
		"few got there, and failed":       {rollout.Probed{Sent: 2, Failed: 2, Unsent: 3}, rollout.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			s := at(t, canary(t), rollout.Shifting, 10, 0)
			s.seen.Probes = &test.probed
			f := s.verdict(t, "probes")
			assert.Equal(t, test.want, f.Verdict, f.Text)
		})
	}
}

func TestProbesAreWorthNothingWhenAnotherVersionAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		asked  bool
		probed rollout.Probed
		want   rollout.Verdict
		says   string
	}{
		"the release answered":             {true, rollout.Probed{Sent: 6, Identified: 3}, rollout.Pass, "0 of 6"},
		"nobody was asked who it is":       {false, rollout.Probed{Sent: 6}, rollout.Pass, ""},
		"nobody said who it is":            {true, rollout.Probed{Sent: 6}, rollout.Unknown, "no answer to /version says which version gave it"},
		"once another version answered":    {true, rollout.Probed{Sent: 400, Identified: 199, Astray: "it was blue"}, rollout.Fail, "do not reach the candidate: it was blue"},
		"the rule leads elsewhere":         {false, rollout.Probed{Astray: "it leads to blue"}, rollout.Fail, "it leads to blue"},
		"one failed, and the rest said it": {true, rollout.Probed{Sent: 6, Failed: 1, Identified: 2}, rollout.Unknown, "1 of 6"},
	} {
		t.Run(name, func(t *testing.T) {
			s := at(t, canary(t), rollout.Probing, 0, 0)
			if test.asked {
				s.plan.Probes.Identity = &rollout.Identity{Path: "/version", Field: "digest"}
			}
			s.seen.Probes = &test.probed
			f := s.verdict(t, "probes")
			assert.Equal(t, test.want, f.Verdict, f.Text)
			assert.Contains(t, f.Text, test.says)
		})
	}
}

func TestProbesSayWhatKeptThemFromArriving(t *testing.T) {
	s := at(t, canary(t), rollout.Shifting, 10, 0)
	s.seen.Probes = &rollout.Probed{Unsent: 5, Example: "GET /: no such host"}
	assert.Equal(t, "none of 5 reached the load balancer: GET /: no such host", s.verdict(t, "probes").Text)
	s.seen.Probes = &rollout.Probed{Sent: 2, Unsent: 5, Example: "GET /: no such host"}
	assert.Equal(t, "5 of 7 did not reach the load balancer: GET /: no such host", s.verdict(t, "probes").Text)
}

func TestTargetsAreJudgedByTheShareThatIsRequired(t *testing.T) {
	for _, test := range []struct {
		size, percent, healthy int
		want                   rollout.Verdict
	}{
		{4, 75, 4, rollout.Pass}, {4, 75, 3, rollout.Pass}, {4, 75, 2, rollout.Fail}, {2, 75, 2, rollout.Pass}, {2, 75, 1, rollout.Fail},
		{3, 50, 2, rollout.Pass}, {3, 50, 1, rollout.Fail}, {1, 1, 1, rollout.Pass}, {1, 1, 0, rollout.Fail}, {200, 1, 2, rollout.Pass}, {200, 1, 1, rollout.Fail},
		{0, 75, 1, rollout.Pass}, {0, 75, 0, rollout.Fail}, {10, 100, 9, rollout.Fail}, {10, 100, 10, rollout.Pass}, {100, 100, 99, rollout.Fail},
	} {
		s := at(t, canary(t), rollout.Shifting, 10, 0)
		s.plan.Limits.HealthyPercent, s.state.Size = test.percent, test.size
		s.seen.Green.Targets.Healthy = test.healthy
		f := s.verdict(t, "targets")
		assert.Equal(t, test.want, f.Verdict, "%d of %d at %d %%: %s", test.healthy, test.size, test.percent, f.Text)
	}
}

func TestMetricsAreJudgedByWhatTheyProve(t *testing.T) {
	counts := func(requests, errors float64) rollout.Counts {
		return rollout.Counts{Requests: requests, Errors: errors}
	}
	slow := func(requests float64, ms int) rollout.Counts {
		return rollout.Counts{Requests: requests, Latency: time.Duration(ms) * time.Millisecond}
	}
	for name, test := range map[string]struct {
		counts []rollout.Counts
		want   rollout.Verdict
		says   string
	}{
		"no errors":                                     {[]rollout.Counts{counts(1000, 0)}, rollout.Pass, "0 of 1000 (0.00 %)"},
		"at the limit":                                  {[]rollout.Counts{counts(1000, 5)}, rollout.Pass, ""},
		"over it, but too few to tell":                  {[]rollout.Counts{counts(1000, 6)}, rollout.Unknown, "a verdict needs"},
		"over it, and likely":                           {[]rollout.Counts{counts(1000, 14)}, rollout.Fail, "14 of 1000 (1.40 %)"},
		"too few samples":                               {[]rollout.Counts{counts(49, 0)}, rollout.Unknown, "a verdict needs 50 requests"},
		"just enough samples":                           {[]rollout.Counts{counts(50, 0)}, rollout.Pass, ""},
		"enough samples together":                       {[]rollout.Counts{counts(25, 0), counts(25, 0)}, rollout.Pass, "0 of 50"},
		"a slow drip":                                   {[]rollout.Counts{counts(10000, 66), counts(10000, 66)}, rollout.Fail, "since the step began"},
		"a fault that is over":                          {[]rollout.Counts{counts(1000, 500), counts(1000, 5)}, rollout.Unknown, "good again for 1 min"},
		"a fault that is just over":                     {[]rollout.Counts{counts(1000, 500), counts(1000, 5), counts(49, 0)}, rollout.Pass, "5 of 1049"},
		"a fault that is not quite over":                {[]rollout.Counts{counts(1000, 500), counts(1000, 6)}, rollout.Fail, "506 of 2000"},
		"good for too few requests since":               {[]rollout.Counts{counts(1000, 500), counts(20, 0), counts(20, 0)}, rollout.Unknown, "0 of 40 requests"},
		"a break in the last minute":                    {[]rollout.Counts{counts(1e6, 0), counts(1000, 20)}, rollout.Fail, "in the last minute"},
		"within the latency bound":                      {[]rollout.Counts{slow(1000, 500)}, rollout.Pass, ""},
		"the only request":                              {[]rollout.Counts{counts(1, 1)}, rollout.Fail, "1 of 1 (100.00 %)"},
		"more failures than requests":                   {[]rollout.Counts{counts(100, 150)}, rollout.Fail, ""},
		"over the limit after a fault, all good before": {[]rollout.Counts{counts(1e6, 0), counts(1000, 30), counts(1000, 6)}, rollout.Unknown, "6 of 1000"},
		"over the latency bound":                        {[]rollout.Counts{slow(1000, 501)}, rollout.Fail, "p95 latency 501 ms, limit 500 ms"},
		"slow earlier":                                  {[]rollout.Counts{slow(1000, 900), slow(1000, 100)}, rollout.Pass, ""},
		"over it in too few requests to say":            {[]rollout.Counts{slow(1000, 100), slow(49, 900)}, rollout.Unknown, "of only 49 requests"},
		"over it in just enough":                        {[]rollout.Counts{slow(50, 900)}, rollout.Fail, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := at(t, canary(t), rollout.Shifting, 10, time.Hour)
			s.seen.Green.Metrics = periods(s.seen.Now, test.counts...)
			f := s.verdict(t, "metrics")
			assert.Equal(t, test.want, f.Verdict, f.Text)
			assert.Contains(t, f.Text, test.says)
		})
	}
	t.Run("a fault that is over is awaited, and nobody wonders", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, time.Hour)
		s.seen.Green.Metrics = periods(s.seen.Now, counts(1000, 500), counts(1000, 5))
		assert.Zero(t, s.decide().State.Unknowns)
		s.seen.Green.Metrics = periods(s.seen.Now, counts(1000, 500), counts(49, 0))
		assert.Equal(t, 1, s.decide().State.Unknowns)
		s.seen.Green.Metrics = periods(s.seen.Now, counts(49, 0))
		assert.Equal(t, 1, s.decide().State.Unknowns)
		s.seen.Green.Metrics = periods(s.seen.Now, counts(1000, 6))
		assert.Equal(t, 1, s.decide().State.Unknowns)
	})
	t.Run("no latency is judged where the plan bounds none", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, time.Hour)
		s.plan.Limits.LatencyMs, s.seen.Blue.Metrics = 0, nil
		s.seen.Green.Metrics = periods(s.seen.Now, slow(1000, 90_000))
		assert.Equal(t, rollout.Pass, s.verdict(t, "metrics").Verdict)
	})
	t.Run("old metrics are unknown, and a reason to wonder", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, time.Minute)
		s.seen.Green.Metrics = periods(s.seen.Now.Add(-rollout.Grace), good)
		assert.Equal(t, rollout.Pass, s.verdict(t, "metrics").Verdict)
		s.seen.Now = s.seen.Now.Add(time.Second)
		assert.Equal(t, rollout.Unknown, s.verdict(t, "metrics").Verdict)
		assert.Equal(t, 1, s.decide().State.Unknowns)
	})
	t.Run("a step without a bake time judges none", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 50, 0)
		for _, f := range s.decide().Findings {
			assert.NotEqual(t, "metrics", f.Source)
		}
	})
	t.Run("the newest period that was judged is remembered", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, time.Hour)
		s.seen.Green.Metrics = periods(s.seen.Now, good, good)
		assert.Equal(t, s.seen.Now.Truncate(time.Minute).Unix(), s.decide().State.Judged)
		s.state.Judged = s.seen.Now.Add(time.Hour).Unix()
		assert.Equal(t, s.state.Judged, s.decide().State.Judged)
	})
}

func TestACandidateIsMeasuredByTheStableSidesSameMinutes(t *testing.T) {
	counts := func(requests, errors float64) rollout.Counts {
		return rollout.Counts{Requests: requests, Errors: errors}
	}
	for name, test := range map[string]struct {
		green, blue []rollout.Counts
		want        rollout.Verdict
		says        string
	}{
		"a fault of both is neither's":        {[]rollout.Counts{counts(1000, 50)}, []rollout.Counts{counts(9000, 450)}, rollout.Unknown, "a fault of both"},
		"green is proven to be worse":         {[]rollout.Counts{counts(1000, 100)}, []rollout.Counts{counts(9000, 450)}, rollout.Fail, "450 of 9000 (5.00 %) of the stable side's"},
		"green passes while blue fails":       {[]rollout.Counts{counts(1000, 0)}, []rollout.Counts{counts(9000, 450)}, rollout.Unknown, "a fault of both"},
		"blue proves nothing by a few":        {[]rollout.Counts{counts(1000, 50)}, []rollout.Counts{counts(20, 1)}, rollout.Fail, ""},
		"blue is well":                        {[]rollout.Counts{counts(1000, 14)}, []rollout.Counts{counts(9000, 0)}, rollout.Fail, "limit 0.5 %"},
		"blue's own errors are no one's":      {[]rollout.Counts{counts(10000, 76)}, []rollout.Counts{counts(90000, 360)}, rollout.Unknown, "a verdict needs"},
		"blue is likely to fail as well":      {[]rollout.Counts{counts(1000, 14)}, []rollout.Counts{counts(1000, 14)}, rollout.Unknown, "a fault of both"},
		"a likely fault of both is over":      {[]rollout.Counts{counts(1000, 14), counts(1000, 6)}, []rollout.Counts{counts(1000, 14), counts(1000, 0)}, rollout.Unknown, "6 of 1000 requests"},
		"what blue drips is not green's":      {[]rollout.Counts{counts(10000, 96), counts(10000, 96)}, []rollout.Counts{counts(10000, 45), counts(10000, 45)}, rollout.Unknown, "192 of 20000"},
		"blue's one error is told":            {[]rollout.Counts{counts(1000, 50)}, []rollout.Counts{counts(9000, 1)}, rollout.Fail, "50 of 1000 (5.00 %) failed in the last minute, limit 0.5 %, 1 of 9000 (0.01 %) of the stable side's"},
		"blue failed at another time":         {[]rollout.Counts{counts(1000, 0), counts(1000, 50)}, []rollout.Counts{counts(9000, 450), counts(9000, 0)}, rollout.Fail, ""},
		"a fault of both is over":             {[]rollout.Counts{counts(1000, 50), counts(1000, 0)}, []rollout.Counts{counts(9000, 450), counts(9000, 0)}, rollout.Pass, "0 of 1000"},
		"a fault of both is no drip":          {[]rollout.Counts{counts(1000, 50), counts(1000, 6)}, []rollout.Counts{counts(9000, 450), counts(9000, 0)}, rollout.Unknown, "6 of 1000"},
		"green's own fault goes on with both": {[]rollout.Counts{counts(1000, 100), counts(1000, 50)}, []rollout.Counts{counts(9000, 0), counts(9000, 450)}, rollout.Unknown, "a fault of both"},
	} {
		t.Run(name, func(t *testing.T) {
			s := at(t, canary(t), rollout.Shifting, 10, time.Hour)
			s.seen.Green.Metrics, s.seen.Blue.Metrics = periods(s.seen.Now, test.green...), periods(s.seen.Now, test.blue...)
			f := s.verdict(t, "metrics")
			assert.Equal(t, test.want, f.Verdict, f.Text)
			assert.Contains(t, f.Text, test.says)
			if test.want == rollout.Unknown && test.says == "a fault of both" {
				assert.Zero(t, s.decide().State.Unknowns, "nobody wonders")
			}
		})
	}
	t.Run("what is gross is measured by the stable side, too", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, time.Hour)
		s.seen.Green.Metrics, s.seen.Blue.Metrics = periods(s.seen.Now, counts(1000, 250)), periods(s.seen.Now, counts(9000, 900))
		assert.Equal(t, rollout.Fail, s.verdict(t, "metrics").Verdict)
		goesOn(t, s.decide(), rollout.Shifting)
		s.seen.Blue.Metrics = periods(s.seen.Now, counts(9000, 0))
		assert.Equal(t, "250 of 1000 (25.00 %) failed in the last minute, limit 0.5 %", s.verdict(t, "metrics").Text, "a stable side without a failure is not worth a word")
		assert.Equal(t, rollout.Aborting, s.decide().State.Phase)
	})
	t.Run("the step that is seen bakes anew, not the one that was asked for", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, time.Hour)
		s.state.Writing = 50 // which has no bake time
		s.seen.Green.Metrics = periods(s.seen.Now, counts(1000, 50), counts(1000, 0))
		assert.Contains(t, s.verdict(t, "metrics").Text, "bakes anew")
	})
	t.Run("a fault of both that nobody reports on any more is a reason to wonder", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, time.Hour)
		s.seen.Green.Metrics, s.seen.Blue.Metrics = periods(s.seen.Now, counts(1000, 50)), periods(s.seen.Now, counts(9000, 450))
		s.seen.Now = s.seen.Now.Add(rollout.Grace)
		assert.Zero(t, s.decide().State.Unknowns)
		s.seen.Now = s.seen.Now.Add(time.Second)
		assert.Equal(t, 1, s.decide().State.Unknowns)
	})
	t.Run("minutes alone are those in which the stable side had too few requests", func(t *testing.T) {
		for requests, rows := range map[float64]int{49: 4, 50: 2} {
			s := at(t, canary(t), rollout.Shifting, 10, time.Hour)
			s.seen.Green.Metrics, s.seen.Blue.Metrics = periods(s.seen.Now, counts(1000, 50)), periods(s.seen.Now, counts(requests, 0))
			s.state.Metrics = rows - 2
			goesOn(t, s.decide(), rollout.Shifting)
			s.state.Metrics = rows - 1
			assert.Equal(t, rollout.Aborting, s.decide().State.Phase)
		}
	})
}

func TestACandidateMayNotBeManyTimesSlowerThanTheStableSide(t *testing.T) {
	for name, test := range map[string]struct {
		usual, limit, latency int
		ratio                 float64
		requests              float64
		want                  rollout.Verdict
		says                  string
	}{
		"three times as slow":                       {200, 0, 600, 3, 1000, rollout.Pass, ""},
		"slower than that":                          {200, 0, 601, 3, 1000, rollout.Fail, "p95 latency 601 ms, limit 600 ms"},
		"quick all the same":                        {10, 0, 500, 3, 1000, rollout.Pass, ""},
		"not so quick":                              {10, 0, 501, 3, 1000, rollout.Fail, "limit 500 ms"},
		"a stable side of one millisecond":          {1, 0, 501, 3, 1000, rollout.Fail, "limit 500 ms"},
		"another ratio":                             {400, 0, 601, 1.5, 1000, rollout.Fail, "limit 600 ms"},
		"the plan's own limit is lower":             {200, 300, 301, 3, 1000, rollout.Fail, "limit 300 ms"},
		"the plan's own limit is higher":            {200, 5000, 601, 3, 1000, rollout.Fail, "limit 600 ms"},
		"the stable side's latency is not known":    {0, 0, 60_000, 3, 1000, rollout.Pass, ""},
		"too few requests to say":                   {200, 0, 601, 3, 49, rollout.Unknown, "of only 49 requests"},
		"just enough requests, and long enough ago": {200, 0, 601, 3, 50, rollout.Fail, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := at(t, canary(t), rollout.Shifting, 100, time.Hour)
			s.plan.Limits.LatencyMs, s.plan.Limits.LatencyRatio, s.state.Usual = test.limit, test.ratio, test.usual
			s.seen.Blue.Metrics = &rollout.Metrics{} // all traffic is green's
			s.seen.Green.Metrics = periods(s.seen.Now, rollout.Counts{Requests: test.requests, Latency: time.Duration(test.latency) * time.Millisecond})
			f := s.verdict(t, "metrics")
			assert.Equal(t, test.want, f.Verdict, f.Text)
			assert.Contains(t, f.Text, test.says)
		})
	}
}

func TestAGrossErrorRateNeedsNoSecondLook(t *testing.T) {
	for _, test := range []struct {
		percent          float64
		requests, errors float64
		gross            bool
	}{
		{0.5, 600, 600, true}, {0.5, 600, 180, true}, {0.5, 600, 130, false}, {0.5, 6000, 1200, true}, {0.5, 6000, 1100, false}, {0.5, 5, 5, false}, {0.5, 10, 10, true},
		{50, 1000, 1000, true}, {50, 1000, 640, false}, {50, 1000, 680, true}, {5, 1000, 260, false}, {5, 1000, 300, true},
	} {
		s := at(t, canary(t), rollout.Shifting, 10, time.Minute)
		s.plan.Limits.ErrorPercent = test.percent
		s.seen.Green.Metrics = periods(s.seen.Now, rollout.Counts{Requests: test.requests, Errors: test.errors})
		assert.Equal(t, test.gross, s.decide().State.Phase == rollout.Aborting, "%v of %v at a limit of %v %%", test.errors, test.requests, test.percent)
	}
}

func TestAlarmsAreJudgedByName(t *testing.T) {
	for name, test := range map[string]struct {
		alarms []rollout.Alarm
		want   rollout.Verdict
	}{
		"quiet":          {[]rollout.Alarm{{Name: "errors", State: rollout.AlarmOK}, {Name: "queue", State: rollout.AlarmOK}}, rollout.Pass},
		"one rings":      {[]rollout.Alarm{{Name: "errors", State: rollout.AlarmInsufficient}, {Name: "queue", State: rollout.AlarmRinging}}, rollout.Fail},
		"one is unsure":  {[]rollout.Alarm{{Name: "errors", State: rollout.AlarmInsufficient}, {Name: "queue", State: rollout.AlarmOK}}, rollout.Unknown},
		"one is missing": {[]rollout.Alarm{{Name: "errors", State: rollout.AlarmOK}, {Name: "queue", State: rollout.AlarmMissing}}, rollout.Unknown},
		"one is unread":  {[]rollout.Alarm{{Name: "errors", State: rollout.AlarmOK}}, rollout.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := at(t, canary(t), rollout.Shifting, 10, 0)
			s.plan.Alarms = []string{"errors", "queue"}
			s.seen.Alarms = test.alarms
			f := s.verdict(t, "alarms")
			assert.Equal(t, test.want, f.Verdict, f.Text)
		})
	}
}

func TestAPolicyWithoutAlarmsJudgesNone(t *testing.T) {
	s := at(t, canary(t), rollout.Shifting, 10, 0)
	s.plan.Alarms = nil
	for _, f := range s.decide().Findings {
		assert.NotEqual(t, "alarms", f.Source)
	}
}

func TestTheDeploymentIsJudgedByItsRolloutState(t *testing.T) {
	s := at(t, canary(t), rollout.Shifting, 10, 0)
	assert.Equal(t, rollout.Pass, s.verdict(t, "deployment").Verdict)
	s.seen.Green.Service.Desired, s.seen.Green.Service.Failed = 3, "of an earlier count"
	assert.Equal(t, rollout.Pass, s.verdict(t, "deployment").Verdict)
	s.seen.Green.Service.Desired = 4
	assert.Equal(t, rollout.Fail, s.verdict(t, "deployment").Verdict)
}

func TestWeights(t *testing.T) {
	assert.Equal(t, rollout.Weights{Blue: 30, Green: 70}, rollout.Split(rollout.Green, 70))
	assert.Equal(t, rollout.Weights{Blue: 70, Green: 30}, rollout.Split(rollout.Blue, 70))
	for w, want := range map[rollout.Weights]rollout.Colour{{Blue: 100}: rollout.Blue, {Green: 100}: rollout.Green, {Blue: 1, Green: 99}: "", {}: ""} {
		live, whole := w.Live()
		assert.Equal(t, want, live)
		assert.Equal(t, want != "", whole)
	}
}
