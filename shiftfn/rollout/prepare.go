package rollout

import "fmt"

// Preparation is what one look resolves about the making ready of the idle side.
type Preparation struct {
	Live, Idle Colour
	Want       Want
	// Refusal says why no release can begin, empty when one can.
	Refusal string
	// Waiting says what is not as it should be yet; empty when the idle side is ready.
	Waiting string
	// Asleep is true when the live side was found at zero tasks, and is being woken. Waking says what it still lacks then, so
	// that the release has something to go back to; empty when nothing.
	Asleep bool
	Waking string
}

// Prepare finds the idle side by the listener itself and says how it must look before an image is deployed to it: no tasks,
// the declared revision, no minimum, and the preview rule leading to it. The live side gets its bounds back, which an
// interrupted shift may have left changed, and its tasks, if it sleeps. Weights must have been read.
func Prepare(plan Plan, o *Observation, declared map[Colour]string) Preparation {
	live, whole := o.Weights.Live()
	if !whole {
		return Preparation{Refusal: fmt.Sprintf("traffic is at %s: an earlier shift was left half way, or a person is moving it. "+
			"Put all of it on one side (shiftctl rollback), then release again", o.Weights)}
	}
	idle := live.Other()
	p := Preparation{Live: live, Idle: idle, Want: Want{Preview: idle}, Asleep: Asleep(o), Waking: waking(plan, live, o)}
	*p.Want.Of(idle) = SideWant{Idle: true, TaskDefinition: declared[idle], Scaling: &ScalingWant{}}
	*p.Want.Of(live) = SideWant{AtLeast: plan.Minimum, Scaling: &ScalingWant{Min: plan.Minimum}}
	if p.Waiting = p.Want.Missing(o); p.Waiting == "" {
		if running := o.Of(idle).Service.Running; running > 0 {
			p.Waiting = fmt.Sprintf("%d old tasks of %s are still stopping", running, idle)
		}
	}
	return p
}

// Retirement is what one look resolves about a standby whose time is over.
type Retirement struct {
	Want Want
	// Overtaken says how the world has moved on since the promotion, so that there is nothing to do.
	Overtaken string
	// Waiting is empty when the standby is retired.
	Waiting string
}

// Retire clears the old version away, if it is still the one that was kept warm. Weights and the idle side's service must
// have been read.
func Retire(plan Plan, o *Observation, live Colour, taskDefinition string) Retirement {
	idle := live.Other()
	switch now, whole := o.Weights.Live(); {
	case !whole || now != live:
		return Retirement{Overtaken: "traffic is at " + o.Weights.String()}
	case o.Of(idle).Service.TaskDefinition != taskDefinition:
		return Retirement{Overtaken: fmt.Sprintf("%s holds %s by now", idle, revision(o.Of(idle).Service.TaskDefinition))}
	}
	t := turn{plan: plan}
	r := Retirement{Want: t.idle(idle, live)}
	if Asleep(o) {
		*r.Want.Of(live) = SideWant{}
	}
	r.Waiting = r.Want.Missing(o)
	return r
}
