// Package rollout holds the rules by which traffic moves from one version to the next: pure values in, pure decisions out.
// It knows no AWS, no clock and no network.
//
// A Policy (what the config says) becomes a Plan (what will run). At every tick Decide takes the plan, the State that the
// last tick left and an Observation of the world, and says what the world should look like next.
package rollout

// Colour names one of the two sides that a load balancer's traffic is shared between.
type Colour string

// The two colours. Which of them is stable and which is the candidate changes with every release.
const (
	Blue  Colour = "blue"
	Green Colour = "green"
)

// Other returns the opposite colour.
func (c Colour) Other() Colour {
	if c == Blue {
		return Green
	}
	return Blue
}

// Step is one stop on the way to 100 percent.
type Step struct {
	// Weight is the candidate's share of the traffic in percent, 1 to 100.
	Weight int `json:"weight" required:"true" example:"10"`
	// BakeSeconds is how long that share is watched at least before the next step, 0 to 86,400. A step that bakes also waits
	// for metrics that pass; a step of 0 seconds goes on as soon as targets, probes and alarms pass.
	BakeSeconds int `json:"bakeSeconds" default:"0" example:"300"`
}

// OnFailure says what happens to the traffic when the candidate is judged bad.
type OnFailure string

// Rollback sends all traffic back to the stable side; Freeze leaves it where it is, for a person to decide. A candidate that
// fails before it takes any traffic is cleared away under both.
const (
	Rollback OnFailure = "rollback"
	Freeze   OnFailure = "freeze"
)

// The presets: names for a list of steps.
const (
	// AllAtOnce goes from 0 to 100 percent in one step, after the probes, and watches that for five minutes.
	AllAtOnce = "allAtOnce"
	// Canary shows the candidate to few users, then to more, then to all.
	Canary = "canary"
	// Linear rises in ten steps.
	Linear = "linear"
)

// Policy is how an environment wants its releases to be shifted, as its config says it. Zero values take the defaults that
// the fields name. The tags beside json are for the config's reader and reference; Plan is what checks the values.
type Policy struct {
	// Preset is allAtOnce, canary or linear; it fills Steps. Give one of the two; with neither it is canary.
	Preset string `json:"preset,omitempty" oneof:"allAtOnce,canary,linear" example:"canary"`
	// Steps is the list of weights with their bake times, rising, the last 100; 1 to 20 steps.
	Steps []Step `json:"steps,omitempty" example:"[{\"weight\": 10, \"bakeSeconds\": 300}, {\"weight\": 100, \"bakeSeconds\": 300}]"`
	// OnFailure is rollback (default) or freeze.
	OnFailure OnFailure `json:"onFailure,omitempty" oneof:"rollback,freeze" default:"rollback" example:"rollback"`
	// GradualAbort walks the weights back through the steps instead of returning at once. It cannot go with freeze.
	GradualAbort bool `json:"gradualAbort,omitempty" default:"false" example:"true"`
	// DeadlineSeconds bounds the whole shift, from the first tick to its end, the way back included: 300 to 82,800 (a pipeline
	// waits 24 hours at most). The default leaves every step its bake time and five minutes for its metrics.
	DeadlineSeconds int `json:"deadlineSeconds,omitempty" example:"3600"`
	// StartSeconds bounds the time that the candidate may take until all its targets are healthy: 30 to 3,600, default 600.
	StartSeconds int `json:"startSeconds,omitempty" default:"600" example:"600"`
	// StandbySeconds is how long the old version stays warm after promotion, 0 to 604,800 (a week); 0 retires it at once.
	StandbySeconds int `json:"standbySeconds,omitempty" default:"0" example:"3600"`
	// Probes are requests through the preview rule, before any user's request reaches the candidate and while it takes them.
	Probes Probes `json:"probes,omitzero" example:"{\"count\": 20, \"paths\": [\"/\", \"/readyz\"]}"`
	// Limits are the bounds of the verdicts.
	Limits Limits `json:"limits,omitzero" example:"{\"errorPercent\": 0.5, \"latencyMs\": 500}"`
	// Alarms are names of at most 20 CloudWatch alarms. One in state ALARM ends the shift at once; one without data is
	// unknown, so an alarm that is silent when all is well needs treatMissingData = notBreaching.
	Alarms []string `json:"alarms,omitempty" default:"[]" example:"[\"checkout-errors\"]"`
}

// Probes describes the function's own requests to the candidate.
type Probes struct {
	// Count is the number of requests for each path before the first user's: 1 to 1,000, default 50.
	Count int `json:"count,omitempty" default:"50" example:"50"`
	// WatchCount is the number of requests for each path at every tick (five seconds) while the candidate takes traffic:
	// 1 to 100, default 10. They find in seconds what metrics tell after minutes.
	WatchCount int `json:"watchCount,omitempty" default:"10" example:"10"`
	// Paths are what is requested, each beginning with a slash; at most 20, default "/".
	Paths []string `json:"paths,omitempty" default:"[\"/\"]" example:"[\"/\", \"/readyz\"]"`
	// Status is the expected HTTP status: 200 to 599, default 200.
	Status int `json:"status,omitempty" default:"200" example:"200"`
	// LatencyMs is the longest that one answer may take: 1 to 30,000, default 2,000.
	LatencyMs int `json:"latencyMs,omitempty" default:"2000" example:"2000"`
	// Identity makes the probes prove whom they reach: without it, whatever answers behind the preview rule is taken for the
	// candidate.
	Identity *Identity `json:"identity,omitempty" example:"{\"path\": \"/version\"}"`
}

// Identity is where a version says which image it runs. Nothing is shifted before it has said that it is the release, and a
// shift whose probes are answered by another version fails.
type Identity struct {
	// Path is requested as often as each of the paths, and must be answered with the probes' status and a JSON object.
	Path string `json:"path" required:"true" example:"/version"`
	// Field is the object's field that holds the image's digest (sha256:…), alone or as repository@digest; default digest.
	Field string `json:"field,omitempty" default:"digest" example:"digest"`
}

// Limits bounds what a candidate may do.
type Limits struct {
	// ErrorPercent is the highest share of failed requests (5xx answers and failed connections): 0.01 to 50, default 0.5.
	ErrorPercent float64 `json:"errorPercent,omitempty" default:"0.5" example:"0.5"`
	// LatencyMs is the highest latency at the percentile, up to 60,000; 0 leaves it to the ratio alone.
	LatencyMs int `json:"latencyMs,omitempty" default:"0" example:"500"`
	// LatencyRatio is how many times the stable side's latency at the percentile the candidate's may be, where it is over
	// 500 ms: 1.1 to 100, default 3.
	LatencyRatio float64 `json:"latencyRatio,omitempty" default:"3" example:"2"`
	// LatencyPercentile is 50 to 99.9, default 95.
	LatencyPercentile float64 `json:"latencyPercentile,omitempty" default:"95" example:"99"`
	// MinimumSamples is how many requests a step must have seen before its metrics can pass: 1 to 1,000,000, default 50.
	// Fewer are unknown, never a pass.
	MinimumSamples int `json:"minimumSamples,omitempty" default:"50" example:"50"`
	// HealthyPercent is the lowest share of the candidate's targets that must stay healthy: 1 to 100, default 75.
	HealthyPercent int `json:"healthyPercent,omitempty" default:"75" example:"75"`
	// Failures is how many failed verdicts in a row are one too many: 1 to 20, default 2, and twice as many for metrics when the
	// stable side has no traffic to compare with. Evidence that leaves no doubt (no healthy target, a failed ECS deployment, an
	// alarm, over a sixth of the requests failed) needs no second.
	Failures int `json:"failures,omitempty" default:"2" example:"2"`
	// Unknowns is how many unknown verdicts in a row, one a tick of five seconds, are one too many: 1 to 720, default 36.
	Unknowns int `json:"unknowns,omitempty" default:"36" example:"36"`
}
