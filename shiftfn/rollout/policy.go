// Package rollout holds the rules by which traffic moves from one version to the next: pure values in, pure decisions out.
// It knows no AWS, no clock and no network.
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
	Weight int `json:"weight"`
	// BakeSeconds is how long that share is watched before the next step, 0 to 86,400.
	BakeSeconds int `json:"bakeSeconds"`
}

// OnFailure says what happens to the traffic when the candidate is judged bad.
type OnFailure string

// Rollback sends all traffic back to the stable side; Freeze leaves it where it is, for a person to decide.
const (
	Rollback OnFailure = "rollback"
	Freeze   OnFailure = "freeze"
)

// Policy is how an environment wants its releases to be shifted, as its config says it. Zero values take the defaults that
// Expand documents.
type Policy struct {
	// Preset is allAtOnce, canary or linear; it fills Steps. Give one of the two.
	Preset string `json:"preset,omitempty"`
	// Steps is the list of weights with their bake times, rising, the last 100.
	Steps []Step `json:"steps,omitempty"`
	// OnFailure is rollback (default) or freeze.
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// GradualAbort walks the weights back through the steps instead of returning at once.
	GradualAbort bool `json:"gradualAbort,omitempty"`
	// DeadlineSeconds bounds the whole shift, from the first tick to its end.
	DeadlineSeconds int `json:"deadlineSeconds,omitempty"`
	// StartSeconds bounds the time that the candidate may take until all its targets are healthy.
	StartSeconds int `json:"startSeconds,omitempty"`
	// StandbySeconds is how long the old version stays warm after promotion; 0 retires it at once.
	StandbySeconds int `json:"standbySeconds,omitempty"`
	// Probes are requests through the preview rule before any user's request reaches the candidate.
	Probes Probes `json:"probes,omitzero"`
	// Limits are the bounds of the verdicts while the candidate takes users' traffic.
	Limits Limits `json:"limits,omitzero"`
	// Alarms are names of CloudWatch alarms that must not be in state ALARM.
	Alarms []string `json:"alarms,omitempty"`
}

// Probes describes the pre-traffic check.
type Probes struct {
	// Count is the number of requests for each path.
	Count int `json:"count,omitempty"`
	// Paths are what is requested, each beginning with a slash.
	Paths []string `json:"paths,omitempty"`
	// Status is the expected HTTP status.
	Status int `json:"status,omitempty"`
	// LatencyMs is the longest that one answer may take.
	LatencyMs int `json:"latencyMs,omitempty"`
}

// Limits bounds what a candidate may do under users' traffic.
type Limits struct {
	// ErrorPercent is the highest share of 5xx answers (and failed connections) in percent.
	ErrorPercent float64 `json:"errorPercent,omitempty"`
	// LatencyMs is the highest latency at the percentile; 0 judges no latency.
	LatencyMs int `json:"latencyMs,omitempty"`
	// LatencyPercentile is 50 to 99.9.
	LatencyPercentile float64 `json:"latencyPercentile,omitempty"`
	// MinimumSamples is how many requests a verdict needs; fewer are unknown, never a pass.
	MinimumSamples int `json:"minimumSamples,omitempty"`
	// Failures is how many failed verdicts in a row are one too many.
	Failures int `json:"failures,omitempty"`
	// Unknowns is how many unknown verdicts in a row are one too many.
	Unknowns int `json:"unknowns,omitempty"`
}
