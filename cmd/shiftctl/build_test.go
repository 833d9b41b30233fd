package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A cold build must take seconds in an incident: no Pulumi, no provider's SDK (whose ec2 package alone costs 40 CPU-seconds), and of
// AWS's SDK nothing but the clients that are called.
//
// From an empty cache, the standard library with it, the build took 112 s of processor time (95 s user, 16 s system), measured on two
// cores that had other work to do: more than the 30 s that it should take, unless four or more idle cores share it. The SDK's clients
// are most of it, by their size ssm, ecs, lambda, cloudwatchlogs and elasticloadbalancingv2. Two of them are not called here, ssm
// (the largest) and eventbridge: they come with the adapters that shiftctl shares with shiftfn, so that both read weights, health and
// lease the same way. To leave them out, the adapters' package has to be parted.
func TestShiftctlIsBuiltWithoutPulumiAndWithFewPackages(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	packages := strings.Fields(string(out))
	for _, name := range packages {
		assert.NotContains(t, name, "github.com/pulumi/", "shiftctl must not compile %s", name)
		assert.NotEqual(t, "github.com/aws/aws-sdk-go-v2/service/ec2", name)
	}
	assert.Less(t, len(packages), 450)
}
