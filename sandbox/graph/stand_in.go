package graph

import "context"

// StandIn answers for AWS outside a run of the program: another engine's provider asks it what identifier and outputs a
// resource would get. The answers are those that a run itself sees.
type StandIn struct {
	ctx   context.Context
	runs  *runs
	stack string
}

// StandIn returns the stand-in for a stack's account and region.
func (p *Project) StandIn(ctx context.Context, stack string, options ...Option) *StandIn {
	return &StandIn{ctx: ctx, runs: p.newRuns(nil, options), stack: stack}
}

func (s *StandIn) monitor() *monitor {
	values, _ := s.runs.config(s.stack)
	return newMonitor(s.ctx, s.runs, s.stack, values)
}

// Compute returns the identifier and the computed outputs of a resource, which has at least its URN, type, name and inputs.
// known is false for a type that just gets a generic identifier and ARN.
func (s *StandIn) Compute(r Resource) (id string, outputs map[string]any, known bool) {
	return compute(s.monitor().circumstances(&r))
}

// Invoke answers a data source; one that is not in the table is an error that names it.
func (s *StandIn) Invoke(token string, args map[string]any) (map[string]any, error) {
	return s.monitor().invoke(token, args, "")
}

// Construct returns the outputs of a remote component.
func (s *StandIn) Construct(r Resource) (map[string]any, error) {
	outputs, err := s.monitor().construct(&r)
	if err != nil {
		return nil, err
	}
	plain, _ := plainMap(outputs)
	return plain, nil
}
