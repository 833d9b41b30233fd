package stacks

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// Rollout is rollout.Policy as the config says it: the same keys. What is absent takes the policy's own default.
type Rollout struct {
	Preset          string   `json:"preset,omitempty" oneof:"allAtOnce,canary,linear" example:"canary" meaning:"A ready list of steps. Give this or steps."`
	Steps           []Step   `json:"steps,omitempty" meaning:"The candidate's shares of the traffic, rising, the last 100."`
	OnFailure       string   `json:"onFailure,omitempty" oneof:"rollback,freeze" example:"rollback" meaning:"What happens to the traffic when the candidate is judged bad: all back to the old version, or left where it is for a person."`
	GradualAbort    bool     `json:"gradualAbort,omitempty" example:"false" meaning:"Whether a rollback walks back through the steps instead of going at once."`
	DeadlineSeconds int      `json:"deadlineSeconds,omitempty" min:"0" max:"86000" example:"3600" meaning:"Seconds that a whole shift may take."`
	StartSeconds    int      `json:"startSeconds,omitempty" min:"0" max:"86000" example:"600" meaning:"Seconds that the candidate may take until all its targets are healthy."`
	StandbySeconds  int      `json:"standbySeconds,omitempty" min:"0" max:"604800" example:"3600" meaning:"Seconds that the old version stays warm after a release, ready to take the traffic back; 0 ends it at once."`
	Probes          *Probes  `json:"probes,omitempty" meaning:"Requests to the candidate before any user reaches it."`
	Limits          *Limits  `json:"limits,omitempty" meaning:"What a candidate may do under users' traffic."`
	Alarms          []string `json:"alarms,omitempty" example:"[\"checkout-errors\"]" meaning:"Names of further CloudWatch alarms that must not be in alarm."`
}

// Step is one share of the traffic.
type Step struct {
	Weight      int `json:"weight" required:"true" min:"1" max:"100" example:"10" meaning:"The candidate's share in percent."`
	BakeSeconds int `json:"bakeSeconds" min:"0" max:"86400" example:"300" meaning:"Seconds that the share is watched before the next step. Metrics come a minute at a time."`
}

// Probes is the check before any user reaches the candidate.
type Probes struct {
	Count     int      `json:"count,omitempty" min:"1" max:"1000" example:"5" meaning:"Requests for each path."`
	Paths     []string `json:"paths,omitempty" example:"[\"/readyz\", \"/\"]" meaning:"What is asked for, each beginning with a slash."`
	Status    int      `json:"status,omitempty" min:"100" max:"599" example:"200" meaning:"The expected status."`
	LatencyMs int      `json:"latencyMs,omitempty" min:"1" max:"60000" example:"1000" meaning:"Milliseconds that one answer may take."`
}

// Limits is what a candidate may do under users' traffic.
type Limits struct {
	ErrorPercent      float64 `json:"errorPercent,omitempty" min:"0" max:"100" example:"1" meaning:"The highest share of 5xx answers in percent."`
	LatencyMs         int     `json:"latencyMs,omitempty" min:"0" max:"60000" example:"800" meaning:"The highest latency at the percentile, in milliseconds; 0 judges none."`
	LatencyPercentile float64 `json:"latencyPercentile,omitempty" min:"50" max:"99.9" example:"99" meaning:"Which percentile of the latency is judged."`
	MinimumSamples    int     `json:"minimumSamples,omitempty" min:"1" max:"1000000" example:"20" meaning:"Requests that a verdict needs; fewer are unknown, never a pass."`
	Failures          int     `json:"failures,omitempty" min:"1" max:"1000" example:"2" meaning:"Failed verdicts in a row that are one too many."`
	Unknowns          int     `json:"unknowns,omitempty" min:"1" max:"1000" example:"5" meaning:"Unknown verdicts in a row that are one too many."`
}

// policy is the same as the function reads it.
func (r Rollout) policy() (rollout.Policy, error) {
	var p rollout.Policy
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	return p, err
}

// words is the plan as a person reads it: "10 % for 5 minutes, then 100 %".
func words(steps []rollout.Step) string {
	var parts []string
	for _, s := range steps {
		part := fmt.Sprintf("%d %%", s.Weight)
		if s.BakeSeconds > 0 {
			part += " for " + duration(s.BakeSeconds)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", then ")
}

func duration(seconds int) string {
	unit, n := "second", seconds
	if seconds%60 == 0 {
		unit, n = "minute", seconds/60
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
