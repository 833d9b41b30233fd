package rollout

import (
	"fmt"
	"time"
)

// Weights is how a listener shares its traffic out, in percent; the two sum to 100.
type Weights struct {
	Blue  int `json:"blue"`
	Green int `json:"green"`
}

// Split gives candidate the percentage and the other colour the rest.
func Split(candidate Colour, percent int) Weights {
	if candidate == Blue {
		return Weights{Blue: percent, Green: 100 - percent}
	}
	return Weights{Blue: 100 - percent, Green: percent}
}

// Of is the colour's percentage.
func (w Weights) Of(c Colour) int {
	if c == Blue {
		return w.Blue
	}
	return w.Green
}

// Live is the colour that has all traffic; ok is false when the traffic is shared.
func (w Weights) Live() (live Colour, ok bool) {
	switch {
	case w.Green == 0 && w.Blue > 0:
		return Blue, true
	case w.Blue == 0 && w.Green > 0:
		return Green, true
	}
	return "", false
}

func (w Weights) String() string { return fmt.Sprintf("blue %d, green %d", w.Blue, w.Green) }

// Observation is what one look at the world saw. What could not be seen, or was not looked at, is nil: unknown is a value of
// its own and never zero.
type Observation struct {
	Now     time.Time
	Lease   Ownership
	Weights *Weights
	// Preview is the colour that the preview rule leads to.
	Preview *Colour
	Blue    Side
	Green   Side
	Release *Release
	Probes  *Probed
	Alarms  []Alarm
	// Trouble names what could not be seen and why, for the reports.
	Trouble []string
}

// Of is the colour's side.
func (o *Observation) Of(c Colour) *Side {
	if c == Blue {
		return &o.Blue
	}
	return &o.Green
}

// Ownership tells whether this run of the controller is the one that may act.
type Ownership int

// The lease may be unreadable, ours, or somebody else's.
const (
	LeaseUnknown Ownership = iota
	LeaseMine
	LeaseLost
)

// Side is one colour as it is seen.
type Side struct {
	Targets *Targets
	Service *Service
	Scaling *Scaling
	// Metrics are of the complete periods that began after the present weights took effect.
	Metrics *Metrics
}

// Targets counts a target group's targets by their health.
type Targets struct{ Healthy, Unhealthy, Initial, Draining int }

// Service is an ECS service's running state.
type Service struct {
	Desired, Running int
	// TaskDefinition is the ARN of the revision that the service uses.
	TaskDefinition string
	// Settled is true when one deployment alone is left, so that every running task is of that revision.
	Settled bool
	// Failed is ECS's reason when the deployment's rollout state is FAILED, otherwise empty.
	Failed string
}

// Scaling is a service's scalable target.
type Scaling struct {
	// Managed is false where no autoscaling is declared; the other fields then mean nothing.
	Managed   bool
	Min, Max  int
	Suspended bool // no scale-in and no scheduled change
}

// Release tells whether the candidate's service is set to what this release is about.
type Release struct {
	// TaskDefinition is the revision that was compared.
	TaskDefinition string
	// Mismatch says what differs from the expected image and shape; empty when nothing does.
	Mismatch string
}

// Probed is the outcome of one round of probes.
type Probed struct {
	// Sent counts the requests that got an answer or ran out of time; Failed are those among them with another status, a late
	// or no answer.
	Sent, Failed int
	// Unsent counts the requests that never reached the load balancer: they say nothing about the candidate.
	Unsent int
	// Example describes one failed or unsent request.
	Example string
	// Identified counts the answers that proved to be the candidate's, where the plan asks for that.
	Identified int
	// Astray says why the probes do not reach the candidate, or who answered in its place; empty when nothing speaks for that.
	Astray string
}

// Metrics are the load balancer's counts for one target group.
type Metrics struct{ Periods []Counts }

// Counts are those of one complete period.
type Counts struct {
	End              time.Time
	Requests, Errors float64
	// Latency at the plan's percentile; 0 when no request was measured.
	Latency time.Duration
}

// Alarm is the state of one CloudWatch alarm.
type Alarm struct {
	Name  string
	State AlarmState
}

// AlarmState is CloudWatch's, and missing where no alarm of that name exists.
type AlarmState string

// The states of an alarm.
const (
	AlarmOK           AlarmState = "OK"
	AlarmRinging      AlarmState = "ALARM"
	AlarmInsufficient AlarmState = "INSUFFICIENT_DATA"
	AlarmMissing      AlarmState = "missing"
)
