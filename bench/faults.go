package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/penguinshop/delivery/sandbox/drill"
	"github.com/penguinshop/delivery/stacks"
)

// faults are the drills whose release reaches users before it is found out.
var faults = []string{"fails-for-users", "slow", "leaks", "dies-in-standby"}

// How fast time runs in the sandbox's parts, and how many users' requests a second there are, where a part says nothing else.
const (
	faultScale = 30
	faultRate  = 100
)

// Faults measures how long bad releases stay with users. The seconds are AWS's, the shift is the drills' own: steps of 10, 50
// and 100 percent that bake for a minute each.
func Faults(ctx context.Context, s Settings, progress func(string)) (figures []Figure, err error) {
	ground, err := drill.Open(ctx, drill.Options{Dir: s.Dir, Program: stacks.Declare, Scale: faultScale, Rate: faultRate, Say: progress})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ground.Close()) }()
	for _, name := range faults {
		d, known := drill.Find(name)
		if !known {
			return figures, fmt.Errorf("there is no drill %q any more", name)
		}
		progress(d.Name + ": " + d.Breaks)
		result, err := ground.Run(ctx, d)
		if err != nil {
			return figures, err
		}
		for _, problem := range result.Problems {
			progress(d.Name + ": " + problem)
		}
		figures = append(figures,
			Figure{Name: "faults/" + name + "/secondsToSafety", Value: result.SecondsToSafety, Unit: "s"},
			Figure{Name: "faults/" + name + "/failed", Value: 100 * float64(result.Failed) / float64(max(1, result.Requests)), Unit: "% of requests"}.AtMost(d.Lost))
		if ground.Spoilt() {
			return figures, fmt.Errorf("the drill %s did not go as promised, so those after it were left out", name)
		}
	}
	return figures, nil
}
