package plan_test

import (
	"encoding/json"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func mustJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestThePlansJSONHasItsKeysAndNoSecret(t *testing.T) {
	p := planOf(t, nil, declared{typ: paramType, name: "token", inputs: object{"type": "SecureString", "value": pulumi.ToSecret("hush")}})
	text := mustJSON(p)
	assert.NotContains(t, text, "hush")

	var read map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &read))
	assert.ElementsMatch(t, []string{"stack", "resources", "findings", "monthlyCostUsd"}, keys(read))
	assert.Equal(t, []any{}, read["findings"])
	resource := read["resources"].([]any)[0].(map[string]any)
	assert.ElementsMatch(t, []string{"urn", "type", "name", "parent", "inputs", "dependencies", "ignoreChanges", "protect"}, keys(resource))
	assert.Equal(t, "[secret]", resource["inputs"].(map[string]any)["value"])
	assert.Equal(t, []any{}, resource["dependencies"])
}

func keys(object map[string]any) []string {
	var all []string
	for key := range object {
		all = append(all, key)
	}
	return all
}
