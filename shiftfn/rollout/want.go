package rollout

import "fmt"

// Want is how the world should look after a tick. What it does not name is left as it is.
type Want struct {
	// Weights, nil to leave them.
	Weights *Weights
	// Preview is the colour that the preview rule should lead to, empty to leave it.
	Preview     Colour
	Blue, Green SideWant
}

// SideWant is how one side should look.
type SideWant struct {
	// AtLeast is the number of tasks to scale up to, 0 to leave them; Idle wants none at all.
	AtLeast int
	Idle    bool
	// TaskDefinition is the revision that an idle side is to be given, empty to leave it.
	TaskDefinition string
	// Scaling, nil to leave it. Where no autoscaling is declared it asks for nothing.
	Scaling *ScalingWant
}

// ScalingWant is a scalable target's lower bound, and whether the service may not shrink.
type ScalingWant struct {
	Min       int
	Suspended bool
}

// Of is what is wanted of one colour.
func (w *Want) Of(c Colour) *SideWant {
	if c == Blue {
		return &w.Blue
	}
	return &w.Green
}

// ChangeKind tells changes apart.
type ChangeKind string

// The four things that a shift changes.
const (
	ChangePreview ChangeKind = "preview"
	ChangeScaling ChangeKind = "scaling"
	ChangeTasks   ChangeKind = "tasks"
	ChangeWeights ChangeKind = "weights"
)

// Change is one call that brings the world nearer to what is wanted.
type Change struct {
	Kind ChangeKind
	// Colour is the side that changes, or the preview rule's new target.
	Colour Colour
	// Weights are the new ones of ChangeWeights, and Before what they replace.
	Weights, Before Weights
	// Tasks is the new desired count of ChangeTasks; more tasks than before are a new deployment, which ECS then guards.
	Tasks int
	Grow  bool
	// TaskDefinition is the revision that goes with ChangeTasks, empty for the one that the service has.
	TaskDefinition string
	// Scaling are the new bounds of ChangeScaling.
	Scaling ScalingWant
}

func (c Change) String() string {
	switch c.Kind {
	case ChangePreview:
		return "preview rule → " + string(c.Colour)
	case ChangeScaling:
		if c.Scaling.Suspended {
			return fmt.Sprintf("%s: at least %d tasks, scale-in suspended", c.Colour, c.Scaling.Min)
		}
		return fmt.Sprintf("%s: at least %d tasks, scale-in allowed", c.Colour, c.Scaling.Min)
	case ChangeTasks:
		if c.TaskDefinition != "" {
			return fmt.Sprintf("%s: %d tasks of %s", c.Colour, c.Tasks, revision(c.TaskDefinition))
		}
		return fmt.Sprintf("%s: %d tasks", c.Colour, c.Tasks)
	default:
		return fmt.Sprintf("weights: %s → %s", c.Before, c.Weights)
	}
}

// Changes are the calls that lead from what is seen to what is wanted, in the order in which they are safe: bounds before
// counts (a minimum would raise the count again), weights last. What was not seen is not changed: the next tick tries again.
func (w Want) Changes(o *Observation) []Change {
	var changes []Change
	if w.Preview != "" && o.Preview != nil && *o.Preview != w.Preview {
		changes = append(changes, Change{Kind: ChangePreview, Colour: w.Preview})
	}
	for _, c := range [...]Colour{Blue, Green} {
		want, seen := w.Of(c).Scaling, o.Of(c).Scaling
		if want != nil && seen != nil && !want.met(seen) {
			changes = append(changes, Change{Kind: ChangeScaling, Colour: c, Scaling: *want})
		}
	}
	for _, c := range [...]Colour{Blue, Green} {
		want, seen := w.Of(c), o.Of(c).Service
		switch {
		case seen == nil:
		case want.Idle && (seen.Desired > 0 || want.TaskDefinition != "" && want.TaskDefinition != seen.TaskDefinition):
			changes = append(changes, Change{Kind: ChangeTasks, Colour: c, TaskDefinition: want.TaskDefinition})
		case seen.Desired < want.AtLeast:
			changes = append(changes, Change{Kind: ChangeTasks, Colour: c, Tasks: want.AtLeast, Grow: true})
		}
	}
	if w.Weights != nil && o.Weights != nil && *o.Weights != *w.Weights {
		changes = append(changes, Change{Kind: ChangeWeights, Weights: *w.Weights, Before: *o.Weights})
	}
	return changes
}

func (w ScalingWant) met(seen *Scaling) bool {
	return !seen.Managed || seen.Min == w.Min && seen.Suspended == w.Suspended
}

// Missing names what is wanted and not yet seen to be so; empty when all is.
func (w Want) Missing(o *Observation) string {
	if w.Preview != "" && o.Preview == nil {
		return "the preview rule could not be read"
	}
	for _, c := range [...]Colour{Blue, Green} {
		if w.Of(c).Scaling != nil && o.Of(c).Scaling == nil {
			return fmt.Sprintf("the autoscaling of %s could not be read", c)
		}
		if want := w.Of(c); (want.Idle || want.AtLeast > 0) && o.Of(c).Service == nil {
			return fmt.Sprintf("the service of %s could not be read", c)
		}
	}
	if w.Weights != nil && o.Weights == nil {
		return "the weights could not be read"
	}
	if changes := w.Changes(o); len(changes) > 0 {
		return "not done yet: " + changes[0].String()
	}
	return ""
}
