package tests

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/plan"
)

func TestNoShippedStackHasAFindingThatItsConfigDoesNotAccept(t *testing.T) {
	for _, name := range append(environments, "shared") {
		p, err := plan.Of(stack(t, name))
		require.NoError(t, err)
		for _, f := range p.Findings {
			assert.True(t, f.Accepted, "%s: %s of %s: %s", name, f.Rule, f.Resource, f.Reason)
		}
	}
}
