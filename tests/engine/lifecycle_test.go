package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/penguinshop/delivery/stacks"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// order is the order in which the stacks are brought up.
var order = []string{"dev", "qa", "prod", "shared"}

func TestEveryStackLivesItsWholeLife(t *testing.T) {
	h := buildAnywhere(t, stacks.Declare)
	t.Run("shared says which stack to bring up first", func(t *testing.T) {
		_, err := h.stack(t, "shared").Preview(t.Context())
		require.Error(t, err)
		assert.Contains(t, err.Error(), "organization/penguinshop/dev")
		assert.Contains(t, err.Error(), "run `pulumi up --stack dev` first")
	})
	if h.world != nil { // GitHub has no emulator
		require.NoError(t, h.stack(t, "shared").SetAllConfigWithOptions(t.Context(), auto.ConfigMap{
			"github:owner":                    {Value: "penguinshop"},
			"github:token":                    {Value: "github_pat_of_nobody", Secret: true},
			"penguinshop:github.ownerId":      {Value: "1234567"},
			"penguinshop:github.repositoryId": {Value: "123456789"},
			"penguinshop:github.stateUrl":     {Value: "s3://acme-state"},
		}, &auto.ConfigOptions{Path: true}))
	}
	for _, name := range order {
		t.Run(name+" comes up", func(t *testing.T) {
			stack := h.stack(t, name)
			preview, err := stack.Preview(t.Context())
			require.NoError(t, err)
			assert.Positive(t, preview.ChangeSummary["create"])

			up, err := stack.Up(t.Context())
			require.NoError(t, err)
			assert.Equal(t, preview.ChangeSummary["create"], (*up.Summary.ResourceChanges)["create"], "up does what preview said")

			again, err := stack.Up(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{"same"}, operations(again.Summary), "a second up changes nothing")

			refreshed, err := stack.Refresh(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{"same"}, operations(refreshed.Summary), "a refresh changes nothing")
		})
	}
	t.Run("state holds no secret in clear", func(t *testing.T) {
		state := h.state(t)
		require.Contains(t, state, "aws:ssm/parameter:Parameter")
		if h.world != nil {
			require.Contains(t, state, "github:index/repositoryRuleset:RepositoryRuleset")
			assert.NotContains(t, state, "github_pat_of_nobody")
		}
		for _, name := range order[:3] {
			parameters := h.ofType(t, h.stack(t, name), "aws:ssm/parameter:Parameter")
			require.NotEmpty(t, parameters)
			for _, parameter := range parameters {
				value := plaintext(t, parameter.Inputs["value"])
				require.NotEmpty(t, value)
				assert.NotContains(t, state, value, "the preview header's value stands in the state of %s", name)
			}
		}
	})
	t.Run("a config change updates in place", func(t *testing.T) {
		for _, name := range order {
			stack := h.stack(t, name)
			require.NoError(t, stack.SetConfig(t.Context(), "penguinshop:logRetentionDays", auto.ConfigValue{Value: "60"}))
			up, err := stack.Up(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{"same", "update"}, operations(up.Summary), name)
			groups := h.ofType(t, stack, "aws:cloudwatch/logGroup:LogGroup")
			require.NotEmpty(t, groups)
			for _, group := range groups {
				assert.EqualValues(t, 60, group.Outputs["retentionInDays"], group.URN)
			}
		}
	})
	t.Run("an environment that is replaced underneath is followed", func(t *testing.T) {
		stack := h.stack(t, "dev")
		before, err := stack.Outputs(t.Context())
		require.NoError(t, err)
		h.release(t, stack)
		_, err = stack.Destroy(t.Context())
		require.NoError(t, err)
		assert.Empty(t, h.standing(t, stack, "dev"), "destroy leaves nothing")
		_, err = h.stack(t, "shared").Preview(t.Context())
		require.ErrorContains(t, err, "run `pulumi up --stack dev` first")

		require.NoError(t, stack.RemoveConfig(t.Context(), "penguinshop:unprotected"))
		up, err := stack.Up(t.Context())
		require.NoError(t, err)
		require.NotEqual(t, before["clusterName"].Value, up.Outputs["clusterName"].Value)
		shared, err := h.stack(t, "shared").Up(t.Context())
		require.NoError(t, err)
		assert.Contains(t, operations(shared.Summary), "update")
		pipelines := h.ofType(t, h.stack(t, "shared"), "aws:codepipeline/pipeline:Pipeline")
		require.Len(t, pipelines, 1)
		assert.Contains(t, fmt.Sprint(pipelines[0].Outputs["stages"]), up.Outputs["clusterName"].Value)
	})
	t.Run("destroy refuses what is protected, then leaves nothing", func(t *testing.T) {
		for i := range order {
			name := order[len(order)-1-i]
			stack := h.stack(t, name)
			_, err := stack.Destroy(t.Context())
			require.ErrorContains(t, err, "protect", "what carries traffic or holds the images is not destroyed by the way")
			if name == "shared" {
				assert.NotEmpty(t, h.ofType(t, stack, "aws:ecr/repository:Repository"))
			} else {
				assert.NotEmpty(t, h.ofType(t, stack, "aws:lb/loadBalancer:LoadBalancer"))
			}
			h.release(t, stack)
			_, err = stack.Destroy(t.Context())
			require.NoError(t, err, name)
			assert.Empty(t, h.standing(t, stack, name), "destroy of %s leaves nothing", name)
		}
	})
}

// release takes a stack's protections off, as the README tells those who tear an environment down.
func (h *house) release(t *testing.T, stack *auto.Stack) {
	t.Helper()
	require.NoError(t, stack.SetConfig(t.Context(), "penguinshop:unprotected", auto.ConfigValue{Value: "the stack is torn down"}))
	_, err := stack.Up(t.Context(), optup.Message("take the protections off"))
	require.NoError(t, err)
}

// operations are the kinds of step that an update took, sorted.
func operations(summary auto.UpdateSummary) []string {
	var kinds []string
	for kind, n := range *summary.ResourceChanges {
		if n > 0 {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// plaintext is a recorded secret's value.
func plaintext(t *testing.T, secret any) (value string) {
	t.Helper()
	fields, ok := secret.(map[string]any)
	require.True(t, ok, "%v is not recorded as a secret", secret)
	text, ok := fields["plaintext"].(string)
	require.True(t, ok)
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	return value
}
