package rollout

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The rhythm of a shift.
const (
	// Tick is the time from one look at the world to the next.
	Tick = 5 * time.Second
	// Period is the length of one metric period, the shortest that the load balancer's metrics have.
	Period = time.Minute
	// Lag is how late a complete period may become readable without a reason to wonder.
	Lag = 2 * time.Minute
	// Grace is how long after a step began its first complete period may be missing: until the next full minute, that minute,
	// and the lag.
	Grace = 2*Period + Lag
	// Reserve is the time before the deadline that is kept for the way back.
	Reserve = 2 * time.Minute
	// Hold is how long a gradual abort stays at each weight on its way back.
	Hold = 15 * time.Second
)

var presets = map[string][]Step{
	AllAtOnce: {{100, 300}},
	Canary:    {{1, 120}, {10, 180}, {100, 300}},
	Linear: {{1, 60}, {5, 60}, {10, 60}, {20, 60}, {30, 60}, {40, 60}, {50, 60}, {60, 60}, {80, 60},
		{100, 300}},
}

// Plan is a policy with every default filled in and every value within its range: what will run.
type Plan struct {
	Steps        []Step
	OnFailure    OnFailure
	GradualAbort bool
	Deadline     time.Duration
	Start        time.Duration
	Standby      time.Duration
	Probes       Probes
	Limits       Limits
	Alarms       []string
	// Minimum is the fewest tasks of the side that is live, at least 1. The environment knows it, not the policy.
	Minimum int

	id string
}

// Problem is one thing wrong with a policy.
type Problem struct {
	// Path names the value, such as rollout.steps[2].weight.
	Path string
	// What says what is wrong with it, and Example shows a right one.
	What, Example string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s: %s; for example %s", p.Path, p.What, p.Example)
}

// Plan fills in the defaults and checks every value. Either the plan is good and there are no problems, or all problems are
// told at once and the plan is of no use.
func (p Policy) Plan() (Plan, []Problem) {
	var c checker
	plan := Plan{
		Steps:        p.steps(&c),
		OnFailure:    or(p.OnFailure, Rollback),
		GradualAbort: p.GradualAbort,
		Start:        seconds(c.within("startSeconds", p.StartSeconds, 600, 30, 3600)),
		Standby:      seconds(c.between("standbySeconds", p.StandbySeconds, 0, 604_800, 3600)),
		Probes:       p.Probes.filled(&c),
		Limits:       p.Limits.filled(&c),
		Alarms:       p.Alarms,
		Minimum:      1,
	}
	if plan.OnFailure != Rollback && plan.OnFailure != Freeze {
		c.add("onFailure", fmt.Sprintf("%q is neither rollback nor freeze", p.OnFailure), `"rollback"`)
	}
	if p.GradualAbort && plan.OnFailure == Freeze {
		c.add("gradualAbort", "a frozen shift has no way back to walk", `false, or onFailure: "rollback"`)
	}
	if len(p.Alarms) > 20 {
		c.add("alarms", fmt.Sprintf("%d names are more than 20", len(p.Alarms)), `["checkout-errors"]`)
	}
	for i, name := range p.Alarms {
		if path := fmt.Sprintf("alarms[%d]", i); strings.TrimSpace(name) == "" || len(name) > 255 {
			c.add(path, "an alarm's name has 1 to 255 characters", `"checkout-errors"`)
		} else if slices.Index(p.Alarms, name) < i {
			c.add(path, fmt.Sprintf("%q is named twice", name), "each alarm once")
		}
	}
	if len(c.problems) == 0 {
		shortest := plan.length(0)
		usual := min(max(int(plan.length(Grace+Period).Seconds()), 300), 82_800)
		plan.Deadline = seconds(c.within("deadlineSeconds", p.DeadlineSeconds, usual, 300, 82_800))
		if len(c.problems) == 0 && plan.Deadline < shortest {
			c.add("deadlineSeconds", fmt.Sprintf("the start, the bake times and the way back alone need %d", int(shortest.Seconds())), strconv.Itoa(usual))
		}
		plan.id = plan.fingerprint()
	}
	return plan, c.problems
}

// length is the time that the plan needs when its start is slow and each step that bakes waits for its metrics as given.
func (p Plan) length(metrics time.Duration) time.Duration {
	total := p.Start + p.reserve()
	for _, s := range p.Steps {
		total += seconds(s.BakeSeconds)
		if s.BakeSeconds > 0 {
			total += metrics
		}
	}
	return total
}

// reserve is the time that the way back may take.
func (p Plan) reserve() time.Duration {
	if p.GradualAbort {
		return Reserve + time.Duration(len(p.Steps))*(Hold+Tick)
	}
	return Reserve
}

// ID tells one plan from another; a token carries it, so that a change of the policy during a shift is noticed.
func (p Plan) ID() string { return p.id }

// fingerprint is a short name of everything that the policy fills in.
func (p Plan) fingerprint() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers, strings and lists of them: nothing here can fail to marshal
	}
	h := fnv.New64a()
	h.Write(text)
	return strconv.FormatUint(h.Sum64(), 36)
}

// next is the first step above the weight; ok is false when there is none.
func (p Plan) next(weight int) (step Step, ok bool) {
	for _, s := range p.Steps {
		if s.Weight > weight {
			return s, true
		}
	}
	return Step{}, false
}

// at is the step that a weight belongs to: its own, or after a change of the plan the last one below it.
func (p Plan) at(weight int) Step {
	at := Step{Weight: weight}
	for _, s := range p.Steps {
		if s.Weight <= weight {
			at = s
		}
	}
	return at
}

// below is the next stop of a gradual abort: the highest step under the weight, or 0.
func (p Plan) below(weight int) int {
	stop := 0
	for _, s := range p.Steps {
		if s.Weight < weight {
			stop = s.Weight
		}
	}
	return stop
}

// String tells the plan to a person who is asked to approve it.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Start the candidate at the live side's size; all targets healthy within %s. ", words(p.Start))
	fmt.Fprintf(&b, "Probe it unseen: %d requests to each of %s, HTTP %d within %d ms",
		p.Probes.Count, strings.Join(p.Probes.Paths, ", "), p.Probes.Status, p.Probes.LatencyMs)
	if identity := p.Probes.Identity; identity != nil {
		fmt.Fprintf(&b, ", and as many to %s, which must name the release's image in %s", identity.Path, identity.Field)
	}
	b.WriteString(". Then ")
	for i, s := range p.Steps {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d %%", s.Weight)
		if s.BakeSeconds > 0 {
			fmt.Fprintf(&b, " for %s", words(seconds(s.BakeSeconds)))
		}
	}
	fmt.Fprintf(&b, ", with %d probes a path every %s. Bad is: over %v %% failed requests", p.Probes.WatchCount, words(Tick), p.Limits.ErrorPercent)
	if p.Limits.LatencyMs > 0 {
		fmt.Fprintf(&b, ", p%v over %d ms", p.Limits.LatencyPercentile, p.Limits.LatencyMs)
	}
	fmt.Fprintf(&b, ", p%v over %v times the stable side's and over %d ms", p.Limits.LatencyPercentile, p.Limits.LatencyRatio, brisk.Milliseconds())
	fmt.Fprintf(&b, ", under %d %% healthy targets", p.Limits.HealthyPercent)
	if len(p.Alarms) > 0 {
		fmt.Fprintf(&b, ", an alarm of %s", strings.Join(p.Alarms, ", "))
	}
	fmt.Fprintf(&b, ", or %d unknown ticks in a row. Then ", p.Limits.Unknowns)
	switch {
	case p.OnFailure == Freeze:
		b.WriteString("freeze the weights for a person to decide")
	case p.GradualAbort:
		b.WriteString("walk back through the steps")
	default:
		b.WriteString("return to the stable side at once")
	}
	fmt.Fprintf(&b, ". Over within %s. ", words(p.Deadline))
	if p.Standby == 0 {
		b.WriteString("The old version is retired at once.")
	} else {
		fmt.Fprintf(&b, "The old version stays warm for %s.", words(p.Standby))
	}
	return b.String()
}

// steps are the policy's own or its preset's.
func (p Policy) steps(c *checker) []Step {
	if p.Preset != "" && len(p.Steps) > 0 {
		c.add("preset", "a preset is a list of steps already; give preset or steps", `preset: "canary" and no steps`)
	}
	if len(p.Steps) == 0 {
		steps, known := presets[or(p.Preset, Canary)]
		if !known {
			c.add("preset", fmt.Sprintf("%q is not a preset; there are allAtOnce, canary and linear", p.Preset), `"canary"`)
		}
		return slices.Clone(steps)
	}
	if len(p.Steps) > 20 {
		c.add("steps", fmt.Sprintf("%d steps are more than 20", len(p.Steps)), `[{"weight": 10, "bakeSeconds": 300}, {"weight": 100, "bakeSeconds": 300}]`)
	}
	last := 0
	for i, s := range p.Steps {
		path := fmt.Sprintf("steps[%d]", i)
		switch {
		case s.Weight < 1 || s.Weight > 100:
			c.add(path+".weight", fmt.Sprintf("%d is not within 1 to 100 percent", s.Weight), strconv.Itoa(min(last+10, 100)))
		case s.Weight <= last:
			c.add(path+".weight", fmt.Sprintf("%d does not rise above the step before it (%d)", s.Weight, last), strconv.Itoa(min(last+10, 100)))
		case i == len(p.Steps)-1 && s.Weight != 100:
			c.add(path+".weight", fmt.Sprintf("the last step must be 100, not %d", s.Weight), "100")
		}
		c.between(path+".bakeSeconds", s.BakeSeconds, 0, 86_400, 300)
		last = max(last, s.Weight)
	}
	return slices.Clone(p.Steps)
}

// most is how many requests one round of probes may send in all, so that a round ends well within a tick's patience.
const most = 2000

func (p Probes) filled(c *checker) Probes {
	p.Count = c.within("probes.count", p.Count, 50, 1, 1000)
	p.WatchCount = c.within("probes.watchCount", p.WatchCount, 10, 1, 100)
	p.Status = c.within("probes.status", p.Status, 200, 200, 599)
	p.LatencyMs = c.within("probes.latencyMs", p.LatencyMs, 2000, 1, 30_000)
	if len(p.Paths) == 0 {
		p.Paths = []string{"/"}
	}
	if len(p.Paths) > 20 {
		c.add("probes.paths", fmt.Sprintf("%d paths are more than 20", len(p.Paths)), `["/", "/readyz"]`)
	}
	for i, path := range p.Paths {
		c.path(fmt.Sprintf("probes.paths[%d]", i), path, `"/readyz"`)
	}
	paths := len(p.Paths)
	if p.Identity != nil {
		identity := *p.Identity
		identity.Field = or(identity.Field, "digest")
		c.path("probes.identity.path", identity.Path, `"/version"`)
		if len(identity.Field) > 64 || strings.ContainsFunc(identity.Field, unicode.IsControl) {
			c.add("probes.identity.field", fmt.Sprintf("%q is not the name of a field: 1 to 64 characters", identity.Field), `"digest"`)
		}
		p.Identity = &identity
		paths++
	}
	if total := p.Count * paths; total > most {
		c.add("probes.count", fmt.Sprintf("%d requests for each of %d paths are more than %d in all", p.Count, paths, most), strconv.Itoa(max(1, most/paths)))
	}
	return p
}

// path checks the path of a request.
func (c *checker) path(at, path, example string) {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, notInPath) {
		c.add(at, fmt.Sprintf("%q is not a path: it begins with one slash and has no spaces, # or control characters", path), example)
	}
}

func notInPath(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == '#' || r == unicode.ReplacementChar
}

func (l Limits) filled(c *checker) Limits {
	l.ErrorPercent = or(l.ErrorPercent, 0.5)
	if !(l.ErrorPercent >= 0.01 && l.ErrorPercent <= 50) {
		c.add("limits.errorPercent", fmt.Sprintf("%v is not within 0.01 to 50", l.ErrorPercent), "0.5")
	}
	c.between("limits.latencyMs", l.LatencyMs, 0, 60_000, 500)
	l.LatencyPercentile = or(l.LatencyPercentile, 95)
	if !(l.LatencyPercentile >= 50 && l.LatencyPercentile <= 99.9) {
		c.add("limits.latencyPercentile", fmt.Sprintf("%v is not within 50 to 99.9", l.LatencyPercentile), "95")
	}
	l.LatencyRatio = or(l.LatencyRatio, 3)
	if !(l.LatencyRatio >= 1.1 && l.LatencyRatio <= 100) {
		c.add("limits.latencyRatio", fmt.Sprintf("%v is not within 1.1 to 100", l.LatencyRatio), "3")
	}
	l.MinimumSamples = c.within("limits.minimumSamples", l.MinimumSamples, 50, 1, 1_000_000)
	l.HealthyPercent = c.within("limits.healthyPercent", l.HealthyPercent, 75, 1, 100)
	l.Failures = c.within("limits.failures", l.Failures, 2, 1, 20)
	l.Unknowns = c.within("limits.unknowns", l.Unknowns, 36, 1, 720)
	return l
}

// checker gathers problems under the path of the rollout's config.
type checker struct{ problems []Problem }

func (c *checker) add(path, what, example string) {
	c.problems = append(c.problems, Problem{"rollout." + path, what, example})
}

// within fills a zero in and checks the range.
func (c *checker) within(path string, value, byDefault, low, high int) int {
	return c.between(path, or(value, byDefault), low, high, byDefault)
}

func (c *checker) between(path string, value, low, high, example int) int {
	if value < low || value > high {
		c.add(path, fmt.Sprintf("%d is not within %d to %d", value, low, high), strconv.Itoa(example))
	}
	return value
}

func or[T comparable](value, byDefault T) T {
	var zero T
	if value == zero {
		return byDefault
	}
	return value
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// words writes a duration as a person would: 90 s, 5 min, 2 h.
func words(d time.Duration) string {
	switch {
	case d%time.Hour == 0 && d > 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0 && d > 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	default:
		return fmt.Sprintf("%d s", d/time.Second)
	}
}
