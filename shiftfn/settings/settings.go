// Package settings is what the function is told about its environment. TrafficShift writes it into the Lambda's environment
// variables, the function reads it back; both by the names here.
package settings

import "github.com/penguinshop/delivery/shiftfn/rollout"

// Variable is the one environment variable of the Lambda; its value is Settings as JSON (AWS allows 4 KB for all
// variables of a function together).
const Variable = "SHIFTFN_SETTINGS"

// The names of the schedules that the function makes within its environment's own group: of the rollouts, and of the calls that
// put the environment to sleep or wake it. The input of a schedule's target is the lease.
const (
	Schedule     = "rollout"
	RestSchedule = "rest"
)

// Side is what exists once for each colour.
type Side struct {
	// Service is the ECS service's name.
	Service string `json:"service"`
	// TargetGroup is the target group's ARN.
	TargetGroup string `json:"targetGroup"`
	// TaskDefinition is the ARN of the revision that Pulumi declared last: the shape that the next release must have.
	TaskDefinition string `json:"taskDefinition"`
}

// Settings names the AWS objects of one environment and the policy of its releases. It holds no secret.
type Settings struct {
	Environment  string `json:"environment"`
	Cluster      string `json:"cluster"`
	Container    string `json:"container"`
	LoadBalancer string `json:"loadBalancer"` // ARN
	Listener     string `json:"listener"`     // ARN
	PreviewRule  string `json:"previewRule"`  // ARN
	// URL is where the load balancer answers, with scheme and without a path.
	URL string `json:"url"`
	// PreviewHeader is the header whose secret value, kept in the SSM parameter PreviewParameter, selects the candidate.
	PreviewHeader    string `json:"previewHeader"`
	PreviewParameter string `json:"previewParameter"`
	LogGroup         string `json:"logGroup"`
	// Function is the function's own ARN, the target of the schedules that it makes in ScheduleGroup with ScheduleRole.
	Function      string `json:"function"`
	ScheduleGroup string `json:"scheduleGroup"`
	ScheduleRole  string `json:"scheduleRole"`
	// MinimumTasks is the fewest tasks of the side that is live, as declared: its autoscaling minimum, which shiftfn restores
	// after a shift (the idle side's is 0), or the desired count where no autoscaling is declared. At least 1.
	MinimumTasks int            `json:"minimumTasks"`
	Blue         Side           `json:"blue"`
	Green        Side           `json:"green"`
	Policy       rollout.Policy `json:"policy"`
	// Sleep is when the environment sleeps, nil where it never does. The schedules that do it are declared beside the function.
	Sleep *rollout.Hours `json:"sleep,omitempty"`
}

// Nights are the hours of sleep, checked; nil where the environment never sleeps.
func (s Settings) Nights() (*rollout.Nights, []rollout.Problem) {
	if s.Sleep == nil {
		return nil, nil
	}
	n, problems := s.Sleep.Nights()
	return &n, problems
}
