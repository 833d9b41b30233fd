package engine

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/stacks"
	"github.com/penguinshop/delivery/tests/engine/standin"
)

// TestAnUpgradeOfTheProgramMovesNoTraffic brings every stack up with the version before, puts its environments into the middle of
// a rollout, and brings them up again with today's program.
func TestAnUpgradeOfTheProgramMovesNoTraffic(t *testing.T) {
	before := lastVersion(t)
	h := build(t, stacks.Declare)
	for _, name := range order {
		before.up(t, h, name)
	}
	h.configure(t, project)
	for _, name := range order {
		t.Run(name, func(t *testing.T) {
			var held map[string]resource.PropertyValue
			if len(h.world.OfType(name, "aws:lb/listener:Listener")) > 0 {
				held = drift(t, h.world, name)
			}
			for _, mode := range [][]optup.Option{nil, {optup.Refresh()}} {
				h.world.Calls()
				_, err := h.stack(t, name).Up(t.Context(), mode...)
				require.NoError(t, err, "from %s", before.revision)
				calls := h.world.Calls()
				assert.Empty(t, harm(h.world, name, held, calls), "from %s", before.revision)
				assert.Empty(t, deleted(calls, "Repository", "Pipeline", "Function"), "from %s", before.revision)
			}
		})
	}
}

// deleted are the resources of some kinds that an update deleted.
func deleted(calls []standin.Call, kinds ...string) (names []string) {
	for _, call := range calls {
		for _, kind := range kinds {
			if call.Operation == "delete" && string(call.URN.Type().Name()) == kind {
				names = append(names, kind+" "+call.URN.Name())
			}
		}
	}
	return names
}
