package world

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/stacks"
)

func TestEnvironmentsSleepWhereItIsAskedForAlone(t *testing.T) {
	for asked, schedules := range map[bool]int{false: 0, true: 4} { // a falling asleep and a waking of dev and of qa
		w := &World{program: stacks.Declare, sleep: asked}
		_, graphs, err := w.read(t.Context(), "../..")
		require.NoError(t, err)
		found := 0
		for _, g := range graphs {
			found += len(g.OfType("aws:scheduler/schedule:Schedule"))
		}
		assert.Equal(t, schedules, found)
	}
}
