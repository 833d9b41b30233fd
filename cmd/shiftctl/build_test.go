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
