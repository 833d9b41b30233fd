package rollout_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

func TestAnEmptyPolicyHasAllItsDefaults(t *testing.T) {
	p, problems := rollout.Policy{}.Plan()
	require.Empty(t, problems)
	assert.Equal(t, []rollout.Step{{Weight: 1, BakeSeconds: 120}, {Weight: 10, BakeSeconds: 180}, {Weight: 100, BakeSeconds: 300}}, p.Steps)
	assert.Equal(t, rollout.Rollback, p.OnFailure)
	assert.Equal(t, 10*time.Minute, p.Start)
	assert.Zero(t, p.Standby)
	assert.Equal(t, 1, p.Minimum)
	assert.Equal(t, rollout.Probes{Count: 50, WatchCount: 10, Paths: []string{"/"}, Status: 200, LatencyMs: 2000}, p.Probes)
	assert.Equal(t, rollout.Limits{ErrorPercent: 0.5, LatencyRatio: 3, LatencyPercentile: 95, MinimumSamples: 50, HealthyPercent: 75, Failures: 2, Unknowns: 36}, p.Limits)
	// The start, three bake times with five minutes each for their metrics, and the way back.
	assert.Equal(t, 10*time.Minute+(2+3+5)*time.Minute+3*5*time.Minute+2*time.Minute, p.Deadline)
	assert.NotEmpty(t, p.ID())
}

func TestPresetsAreListsOfSteps(t *testing.T) {
	for preset, want := range map[string]string{
		rollout.AllAtOnce: "100",
		rollout.Canary:    "1 10 100",
		rollout.Linear:    "1 5 10 20 30 40 50 60 80 100",
	} {
		p, problems := rollout.Policy{Preset: preset}.Plan()
		require.Empty(t, problems)
		var weights []string
		for _, s := range p.Steps {
			weights = append(weights, fmt.Sprint(s.Weight))
		}
		assert.Equal(t, want, strings.Join(weights, " "))
	}
	first, _ := rollout.Policy{}.Plan()
	first.Steps[0].Weight = 77
	second, _ := rollout.Policy{}.Plan()
	assert.Equal(t, 1, second.Steps[0].Weight, "one plan's steps are not another's")
}

func TestEveryBadValueIsToldWithItsPathAndAnExample(t *testing.T) {
	whole := []rollout.Step{{Weight: 100}}
	for path, bad := range map[string][]rollout.Policy{
		"rollout.preset":                   {{Preset: "blueGreen"}, {Preset: "canary", Steps: whole}},
		"rollout.steps":                    {{Steps: rising(21)}},
		"rollout.steps[0].weight":          {{Steps: []rollout.Step{{Weight: 0}, {Weight: 100}}}, {Steps: []rollout.Step{{Weight: 101}}}, {Steps: []rollout.Step{{Weight: -1}, {Weight: 100}}}, {Steps: []rollout.Step{{Weight: 99}}}},
		"rollout.steps[1].weight":          {{Steps: []rollout.Step{{Weight: 50}, {Weight: 50}, {Weight: 100}}}, {Steps: []rollout.Step{{Weight: 50}, {Weight: 40}, {Weight: 100}}}},
		"rollout.steps[0].bakeSeconds":     {{Steps: []rollout.Step{{Weight: 100, BakeSeconds: -1}}}, {Steps: []rollout.Step{{Weight: 100, BakeSeconds: 86_401}}}},
		"rollout.onFailure":                {{OnFailure: "panic"}},
		"rollout.gradualAbort":             {{OnFailure: rollout.Freeze, GradualAbort: true}},
		"rollout.deadlineSeconds":          {{DeadlineSeconds: 299}, {DeadlineSeconds: 82_801}, {DeadlineSeconds: -5}, {Steps: []rollout.Step{{Weight: 100, BakeSeconds: 300}}, DeadlineSeconds: 1019}, {Steps: []rollout.Step{{Weight: 100, BakeSeconds: 86_400}}}},
		"rollout.startSeconds":             {{StartSeconds: 29}, {StartSeconds: 3601}},
		"rollout.standbySeconds":           {{StandbySeconds: -1}, {StandbySeconds: 604_801}},
		"rollout.probes.count":             {{Probes: rollout.Probes{Count: 1001}}, {Probes: rollout.Probes{Count: -1}}, {Probes: rollout.Probes{Count: 1000, Paths: []string{"/a", "/b", "/c"}}}, {Probes: rollout.Probes{Count: 1000, Paths: []string{"/a", "/b"}, Identity: &rollout.Identity{Path: "/v"}}}},
		"rollout.probes.watchCount":        {{Probes: rollout.Probes{WatchCount: 101}}},
		"rollout.probes.paths":             {{Probes: rollout.Probes{Count: 1, Paths: strings.Split(strings.Repeat("/ ", 20)+"/", " ")}}},
		"rollout.probes.paths[1]":          {{Probes: rollout.Probes{Paths: []string{"/", "readyz"}}}, {Probes: rollout.Probes{Paths: []string{"/", ""}}}, {Probes: rollout.Probes{Paths: []string{"/", "//host/"}}}, {Probes: rollout.Probes{Paths: []string{"/", "/a b"}}}, {Probes: rollout.Probes{Paths: []string{"/", "/a\x00"}}}, {Probes: rollout.Probes{Paths: []string{"/", "/#a"}}}, {Probes: rollout.Probes{Paths: []string{"/", "/\xff"}}}},
		"rollout.probes.identity.path":     {{Probes: rollout.Probes{Identity: &rollout.Identity{}}}, {Probes: rollout.Probes{Identity: &rollout.Identity{Path: "version"}}}},
		"rollout.probes.identity.field":    {{Probes: rollout.Probes{Identity: &rollout.Identity{Path: "/v", Field: strings.Repeat("x", 65)}}}, {Probes: rollout.Probes{Identity: &rollout.Identity{Path: "/v", Field: "a\nb"}}}},
		"rollout.probes.status":            {{Probes: rollout.Probes{Status: 199}}, {Probes: rollout.Probes{Status: 600}}},
		"rollout.probes.latencyMs":         {{Probes: rollout.Probes{LatencyMs: 30_001}}, {Probes: rollout.Probes{LatencyMs: -1}}},
		"rollout.limits.errorPercent":      {{Limits: rollout.Limits{ErrorPercent: 0.009}}, {Limits: rollout.Limits{ErrorPercent: 50.1}}},
		"rollout.limits.latencyMs":         {{Limits: rollout.Limits{LatencyMs: -1}}, {Limits: rollout.Limits{LatencyMs: 60_001}}},
		"rollout.limits.latencyPercentile": {{Limits: rollout.Limits{LatencyPercentile: 49.9}}, {Limits: rollout.Limits{LatencyPercentile: 99.95}}},
		"rollout.limits.minimumSamples":    {{Limits: rollout.Limits{MinimumSamples: -1}}, {Limits: rollout.Limits{MinimumSamples: 1_000_001}}},
		"rollout.limits.healthyPercent":    {{Limits: rollout.Limits{HealthyPercent: 101}}, {Limits: rollout.Limits{HealthyPercent: -1}}},
		"rollout.limits.failures":          {{Limits: rollout.Limits{Failures: 21}}, {Limits: rollout.Limits{Failures: -1}}},
		"rollout.limits.unknowns":          {{Limits: rollout.Limits{Unknowns: 721}}, {Limits: rollout.Limits{Unknowns: -1}}},
		"rollout.alarms":                   {{Alarms: strings.Split("a b c d e f g h i j k l m n o p q r s t u", " ")}},
		"rollout.alarms[1]":                {{Alarms: []string{"a", "a"}}, {Alarms: []string{"a", " "}}, {Alarms: []string{"a", strings.Repeat("x", 256)}}},
	} {
		for _, policy := range bad {
			_, problems := policy.Plan()
			if assert.Len(t, problems, 1, "%s: %+v", path, policy) {
				assert.Equal(t, path, problems[0].Path)
				assert.NotEmpty(t, problems[0].What)
				assert.NotEmpty(t, problems[0].Example)
				assert.True(t, strings.HasPrefix(problems[0].String(), path+": "), problems[0].String())
			}
		}
	}
}

func rising(n int) (steps []rollout.Step) {
	for i := range n {
		steps = append(steps, rollout.Step{Weight: i + 1})
	}
	steps[n-1].Weight = 100
	return steps
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	_, problems := rollout.Policy{OnFailure: "panic", StartSeconds: 1, Limits: rollout.Limits{Failures: 99}, Probes: rollout.Probes{Status: 7}}.Plan()
	assert.Len(t, problems, 4)
}

func TestTheEndsOfEveryRangeAreGood(t *testing.T) {
	for _, policy := range []rollout.Policy{
		{Steps: rising(20), StartSeconds: 30, StandbySeconds: 604_800, DeadlineSeconds: 300},
		{Steps: []rollout.Step{{Weight: 1}, {Weight: 100, BakeSeconds: 70_000}}, StartSeconds: 3600, DeadlineSeconds: 82_800},
		{Steps: []rollout.Step{{Weight: 100, BakeSeconds: 300}}, DeadlineSeconds: 1020},
		{Probes: rollout.Probes{Count: 1, WatchCount: 1, Status: 200, LatencyMs: 1, Paths: strings.Split(strings.Repeat("/ ", 19)+"/", " ")}},
		{Probes: rollout.Probes{Count: 1000, WatchCount: 100, Status: 599, LatencyMs: 30_000, Paths: []string{"/a?b=c", "/%20"}}},
		{Probes: rollout.Probes{Count: 1000, Identity: &rollout.Identity{Path: "/version", Field: strings.Repeat("x", 64)}}},
		{Limits: rollout.Limits{ErrorPercent: 0.01, LatencyMs: 60_000, LatencyPercentile: 50, MinimumSamples: 1, HealthyPercent: 1, Failures: 1, Unknowns: 1}},
		{Limits: rollout.Limits{ErrorPercent: 50, LatencyMs: 1, LatencyPercentile: 99.9, MinimumSamples: 1_000_000, HealthyPercent: 100, Failures: 20, Unknowns: 720}},
		{Alarms: strings.Split("a b c d e f g h i j k l m n o p q r s t", " ")},
		{Alarms: []string{strings.Repeat("x", 255)}},
		{GradualAbort: true, OnFailure: rollout.Rollback},
	} {
		_, problems := policy.Plan()
		assert.Empty(t, problems, "%+v", policy)
	}
}

func TestTheDefaultDeadlineStaysWithinItsRange(t *testing.T) {
	p, problems := rollout.Policy{Steps: []rollout.Step{{Weight: 100}}, StartSeconds: 30}.Plan()
	require.Empty(t, problems)
	assert.Equal(t, 5*time.Minute, p.Deadline)
	p, problems = rollout.Policy{Steps: []rollout.Step{{Weight: 100, BakeSeconds: 82_000}}}.Plan()
	require.Empty(t, problems)
	assert.Equal(t, 23*time.Hour, p.Deadline)
	p, problems = rollout.Policy{Steps: []rollout.Step{{Weight: 50}, {Weight: 100}}, GradualAbort: true}.Plan()
	require.Empty(t, problems)
	assert.Equal(t, 10*time.Minute+2*time.Minute+2*20*time.Second, p.Deadline)
}

func TestThePlanIsToldInWords(t *testing.T) {
	p, _ := rollout.Policy{StandbySeconds: 3600, Alarms: []string{"errors"}, Limits: rollout.Limits{LatencyMs: 500}}.Plan()
	assert.Equal(t, "Start the candidate at the live side's size; all targets healthy within 10 min. "+
		"Probe it unseen: 50 requests to each of /, HTTP 200 within 2000 ms. "+
		"Then 1 % for 2 min, 10 % for 3 min, 100 % for 5 min, with 10 probes a path every 5 s. "+
		"Bad is: over 0.5 % failed requests, p95 over 500 ms, p95 over 3 times the stable side's and over 500 ms, under 75 % healthy targets, an alarm of errors, or 36 unknown ticks in a row. "+
		"Then return to the stable side at once. Over within 37 min. The old version stays warm for 1 h.", p.String())
	p, _ = rollout.Policy{Steps: []rollout.Step{{Weight: 100}}, OnFailure: rollout.Freeze, StartSeconds: 90}.Plan()
	assert.Contains(t, p.String(), "within 90 s")
	assert.Contains(t, p.String(), "Then 100 %, with")
	assert.Contains(t, p.String(), "freeze the weights for a person to decide")
	assert.Contains(t, p.String(), "retired at once")
	p, _ = rollout.Policy{GradualAbort: true}.Plan()
	assert.Contains(t, p.String(), "walk back through the steps")
	own := rollout.Identity{Path: "/version"}
	p, _ = rollout.Policy{Probes: rollout.Probes{Identity: &own}}.Plan()
	assert.Contains(t, p.String(), "within 2000 ms, and as many to /version, which must name the release's image in digest. Then")
	assert.Empty(t, own.Field, "a policy stays as it was given")
}

func TestDifferentPlansHaveDifferentNames(t *testing.T) {
	a, _ := rollout.Policy{}.Plan()
	b, _ := rollout.Policy{}.Plan()
	c, _ := rollout.Policy{StandbySeconds: 1}.Plan()
	assert.Equal(t, a.ID(), b.ID())
	assert.NotEqual(t, a.ID(), c.ID())
}

// FuzzPolicy holds that any JSON that is a policy becomes a plan that keeps its promises, or problems that say where.
func FuzzPolicy(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"preset":"canary"}`, `{"steps":[{"weight":10,"bakeSeconds":60},{"weight":100}]}`, `{"onFailure":"freeze","gradualAbort":true}`,
		`{"limits":{"errorPercent":1e308,"latencyPercentile":-0}}`, `{"steps":[{"weight":9223372036854775807,"bakeSeconds":9223372036854775807}]}`,
		`{"deadlineSeconds":9223372036854775807,"startSeconds":9223372036854775807,"standbySeconds":-9223372036854775808}`,
		`{"probes":{"paths":["/` + "\u202e" + `","/a\u0000"],"count":2000}}`, `{"alarms":["","a","a"]}`, `{"probes":{"identity":{"path":"/version","field":"\u0000"}}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var policy rollout.Policy
		if json.Unmarshal([]byte(text), &policy) != nil {
			return
		}
		p, problems := policy.Plan()
		for _, problem := range problems {
			if !strings.HasPrefix(problem.Path, "rollout.") || problem.What == "" || problem.Example == "" {
				t.Errorf("a problem without a place or an example: %+v", problem)
			}
		}
		if len(problems) > 0 {
			return
		}
		last := 0
		for _, s := range p.Steps {
			if s.Weight <= last || s.Weight > 100 || s.BakeSeconds < 0 {
				t.Errorf("bad steps: %v", p.Steps)
			}
			last = s.Weight
		}
		if last != 100 || p.Deadline <= 0 || p.Deadline > 23*time.Hour || p.Probes.Count < 1 || p.Limits.Failures < 1 || p.ID() == "" || p.String() == "" {
			t.Errorf("a bad plan: %+v", p)
		}
	})
}
