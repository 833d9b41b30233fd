package bench

import (
	"context"
	"errors"
	"fmt"
)

// Settings are what a person may choose for all parts.
type Settings struct {
	// Dir is the project's folder.
	Dir string
	// Releases is how many releases the simulation offers to each policy, and Seed what they are drawn from.
	Releases int
	Seed     uint64
}

// Part is one group of figures that are measured together.
type Part struct {
	// Name is the word that asks for the part, and the first one of its figures' names.
	Name string
	// About says in a few words what it measures.
	About string
	// Measure tells its progress in lines, ends soon after its context does, and leaves nothing behind. What it lacks on this
	// machine it says by Absent; the figures that it has without that still count.
	Measure func(ctx context.Context, s Settings, progress func(string)) ([]Figure, error)
}

// Parts are all of them, in the order in which they run.
var Parts = []Part{
	{"simulation", "releases under this controller's presets and under its peers", Releases},
	{"function", "the Lambda function's cold start, memory and zip", Function},
	{"decision", "one tick of the rules", Decision},
	{"demo", "the time from commit to prod, and what the sandbox takes of this machine", Demo},
	{"delivery", "a delivery at 1,000 requests a second, and the load balancer beside nginx", Delivery},
	{"faults", "the time from a fault to the last user that met it", Faults},
	{"engine", "preview and up of the stacks on the real Pulumi engine", Engine},
	{"program", "the Pulumi program's build, imports, size and start", Program},
}

// Absent is the error of a part that lacks something on this machine.
type Absent struct {
	// What is missing, and what to do about it.
	What, Remedy string
}

func (a *Absent) Error() string { return fmt.Sprintf("%s; %s", a.What, a.Remedy) }

// Skipped is a part that was not measured, or not whole.
type Skipped struct {
	Part   string
	Absent *Absent
}

// Measure runs parts one after the other. A part that lacks something is skipped; one that fails does not keep the others from
// running, and its error comes with the figures of the rest. When ctx ends, nothing is returned but its error.
func Measure(ctx context.Context, parts []Part, s Settings, progress func(string)) ([]Figure, []Skipped, error) {
	figures := []Figure{}
	var skipped []Skipped
	var failures []error
	for _, p := range parts {
		more, err := p.Measure(ctx, s, func(line string) { progress(p.Name + ": " + line) })
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		figures = append(figures, more...)
		var absent *Absent
		switch {
		case errors.As(err, &absent):
			skipped = append(skipped, Skipped{p.Name, absent})
		case err != nil:
			failures = append(failures, fmt.Errorf("%s: %w", p.Name, err))
		}
	}
	return figures, skipped, errors.Join(failures...)
}
