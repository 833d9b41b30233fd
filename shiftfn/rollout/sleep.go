package rollout

import "fmt"

// Rest is what one look resolves about putting an environment to sleep, or waking it.
type Rest struct {
	Want Want
	// Refusal says why it stays as it is, empty where it may change.
	Refusal string
	// Waiting says what is not as it should be yet; empty when all is.
	Waiting string
}

// Sleep puts both sides to zero. It never touches weights: the live side stays the live one, and answers again when its tasks
// are back. The former version goes as well, warm or not: it would be the only one to run.
func Sleep(o *Observation) Rest {
	if o.Weights == nil {
		return Rest{Waiting: "the listener could not be read"}
	}
	if _, whole := o.Weights.Live(); !whole {
		return Rest{Refusal: fmt.Sprintf("traffic is at %s, so a person has to decide, and finds both versions running", o.Weights)}
	}
	var want Want
	for _, c := range [...]Colour{Blue, Green} {
		*want.Of(c) = SideWant{Idle: true, Scaling: &ScalingWant{}}
	}
	return Rest{Want: want, Waiting: want.Missing(o)}
}

// Wake gives the side that has the traffic its declared minimum back; a side without traffic is left as it is. Where both
// have traffic, both must be there.
func Wake(plan Plan, o *Observation) Rest {
	if o.Weights == nil {
		return Rest{Waiting: "the listener could not be read"}
	}
	var want Want
	for _, c := range [...]Colour{Blue, Green} {
		if o.Weights.Of(c) > 0 {
			*want.Of(c) = SideWant{AtLeast: plan.Minimum, Scaling: &ScalingWant{Min: plan.Minimum}}
		}
	}
	return Rest{Want: want, Waiting: want.Missing(o)}
}

// Asleep tells whether the side that has all traffic was put to zero tasks. No rollout leaves it so.
func Asleep(o *Observation) bool {
	if o.Weights == nil {
		return false
	}
	live, whole := o.Weights.Live()
	return whole && o.Of(live).Service != nil && o.Of(live).Service.Desired == 0
}

// waking says what a side that was woken still lacks before traffic could rely on it; empty when nothing.
func waking(plan Plan, side Colour, o *Observation) string {
	switch t := o.Of(side).Targets; {
	case t == nil:
		return fmt.Sprintf("%s is waking, and its targets' health could not be read", side)
	case t.Healthy < plan.Minimum:
		return fmt.Sprintf("%s is waking: %d of %d targets are healthy", side, t.Healthy, plan.Minimum)
	}
	return ""
}
