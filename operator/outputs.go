package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Outputs are a stack's, as `pulumi stack output --json` prints them: those of an environment, or those of the shared stack, which
// name the pipeline.
type Outputs struct {
	Environment       string `json:"environment"`
	Region            string `json:"region"`
	Strategy          string `json:"strategy"`
	URL               string `json:"url"`
	ClusterName       string `json:"clusterName"`
	BlueServiceName   string `json:"blueServiceName"`
	ShiftFunctionName string `json:"shiftFunctionName"`
	PipelineName      string `json:"pipelineName"`
}

// ParseOutputs reads outputs and says everything that is missing of them.
func ParseOutputs(text []byte) (Outputs, error) {
	var o Outputs
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("not a JSON object of a stack's outputs, as `pulumi stack output --json` prints it: %w", err)
	}
	if o.PipelineName != "" {
		return o, nil
	}
	var problems []error
	need := func(key, value string) {
		if value == "" {
			problems = append(problems, fmt.Errorf("no output %s", key))
		}
	}
	need("environment (or pipelineName, of the shared stack)", o.Environment)
	switch o.Strategy {
	case BlueGreen:
		need("shiftFunctionName", o.ShiftFunctionName)
	case Rolling:
		need("clusterName", o.ClusterName)
		need("blueServiceName", o.BlueServiceName)
	default:
		problems = append(problems, fmt.Errorf("output strategy is %q, neither %s nor %s", o.Strategy, BlueGreen, Rolling))
	}
	return o, errors.Join(problems...)
}

// FromOutputs makes a delivery of the stacks whose outputs are given, without looking for tags.
func FromOutputs(ctx context.Context, c Clients, now func() time.Time, outputs ...Outputs) (*Delivery, error) {
	d := &Delivery{Clients: c, Now: now}
	for _, o := range outputs {
		switch {
		case o.PipelineName != "":
			d.Pipeline = o.PipelineName
		case o.Strategy == Rolling:
			d.Environments = append(d.Environments, rolling(o.Environment, o.ClusterName, o.BlueServiceName, o.URL))
		default:
			e, err := d.shifted(ctx, o.Environment, []string{o.ShiftFunctionName})
			if err != nil {
				return nil, err
			}
			if e == nil {
				return nil, fmt.Errorf("%s is not a function that shifts traffic: its settings are not there", o.ShiftFunctionName)
			}
			d.Environments = append(d.Environments, *e)
		}
	}
	if len(d.Environments) == 0 {
		return nil, &NotFoundError{"the outputs are of no environment: add those of one, as `pulumi stack output --json --stack dev` prints them"}
	}
	return d, d.order(ctx)
}
