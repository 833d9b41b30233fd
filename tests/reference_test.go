package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
	"github.com/penguinshop/delivery/stacks"
)

func reference(t *testing.T) []stacks.Row {
	t.Helper()
	rows, err := stacks.Reference(os.DirFS(root))
	require.NoError(t, err)
	return rows
}

func TestEveryConfigKeyHasAMeaningAndARightExample(t *testing.T) {
	rows := reference(t)
	assert.Greater(t, len(rows), 60)
	for _, row := range rows {
		t.Run(row.Key, func(t *testing.T) {
			assert.NotEmpty(t, row.Meaning)
			assert.NotEmpty(t, row.Type)
			require.NotEmpty(t, row.Example)
			config := map[string]string{}
			if row.Role == "shared" {
				config = map[string]string{"role": "shared", "accept": "[]", "environments": `[{"name":"dev"}]`}
			}
			key, nested, deep := strings.Cut(row.Key, ".")
			value := row.Example
			if deep {
				value = wrapped(t, nested, row)
			}
			if list, ok := strings.CutSuffix(key, "[]"); ok {
				key, value = list, "["+value+"]"
			}
			config[key] = value
			_, err := run(t, config)
			if err == nil {
				return
			}
			// Another key may have to change with it; this one must be of the right type and in its range.
			for _, unfit := range []string{"penguinshop:" + row.Key + ": is " + row.Example + ", which", "which is not a", "not within", "is not a key"} {
				assert.NotContains(t, err.Error(), unfit)
			}
		})
	}
}

// wrapped puts an example into the objects and lists that its key lies in.
func wrapped(t *testing.T, path string, row stacks.Row) string {
	t.Helper()
	value := row.Example
	if row.Type == "string" {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		value = string(text)
	}
	parts := strings.Split(path, ".")
	for i := len(parts) - 1; i >= 0; i-- {
		if name, ok := strings.CutSuffix(parts[i], "[]"); ok {
			value = fmt.Sprintf(`{%q:[%s]}`, name, value)
			continue
		}
		value = fmt.Sprintf(`{%q:%s}`, parts[i], value)
	}
	return value
}

func TestTheProjectsSchemaIsTheReferences(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "Pulumi.yaml"))
	require.NoError(t, err)
	var project struct {
		Config map[string]map[string]any `yaml:"config"`
	}
	require.NoError(t, yaml.Unmarshal(text, &project))
	want := map[string]map[string]any{"pulumi:autonaming": {"value": map[string]any{"pattern": "${stack}-${name}-${hex(7)}"}}}
	for _, row := range reference(t) {
		if strings.Contains(row.Key, ".") {
			continue
		}
		entry := map[string]any{"type": row.Type, "description": row.Meaning}
		switch {
		case strings.HasPrefix(row.Type, "list of "):
			entry["type"], entry["items"], entry["default"] = "array", map[string]any{"type": strings.TrimPrefix(row.Type, "list of ")}, []any{}
		case row.Type == "object":
			entry["default"] = map[string]any{}
		case row.Required:
		default:
			var value any = row.Default
			if row.Type != "string" {
				require.NoError(t, yaml.Unmarshal([]byte(row.Default), &value))
			}
			entry["default"] = value
		}
		want[row.Key] = entry
	}
	assert.Equal(t, want, project.Config)
}

func policyOf(t *testing.T, g *graph.Graph) rollout.Policy {
	t.Helper()
	function := one(t, g, "aws:lambda/function:Function", "shift-function")
	variables := function.Inputs["environment"].(map[string]any)["variables"].(map[string]any)
	var told settings.Settings
	require.NoError(t, json.Unmarshal([]byte(variables[settings.Variable].(string)), &told))
	return told.Policy
}

func TestTheReferencesDefaultsOfTheRolloutAreThePlansOwn(t *testing.T) {
	g, err := run(t, nil)
	require.NoError(t, err)
	configured, problems := policyOf(t, g).Plan()
	require.Empty(t, problems)
	own, problems := rollout.Policy{}.Plan()
	require.Empty(t, problems)
	assert.Equal(t, own, configured)
}

func TestTheShippedShiftsTakeTheTimeThatTheirRiskIsWorth(t *testing.T) {
	for name, minutes := range map[string][2]int{"dev": {1, 2}, "qa": {3, 5}, "prod": {10, 15}} {
		plan, problems := policyOf(t, stack(t, name)).Plan()
		require.Empty(t, problems)
		total := 0
		for _, step := range plan.Steps {
			total += step.BakeSeconds
			assert.GreaterOrEqual(t, step.BakeSeconds, 120, "a step must see two metric periods of a minute each")
		}
		assert.GreaterOrEqual(t, total, 60*minutes[0], name)
		assert.LessOrEqual(t, total, 60*minutes[1], name)
		assert.NotZero(t, plan.Standby, "the old version stays warm for a while")
	}
}

func TestTheFunctionIsToldWhatItMoves(t *testing.T) {
	g := stack(t, "qa")
	function := one(t, g, "aws:lambda/function:Function", "shift-function")
	variables := function.Inputs["environment"].(map[string]any)["variables"].(map[string]any)
	told, err := settings.Parse(variables[settings.Variable].(string))
	require.NoError(t, err, "the function itself must accept what it is told")
	told.Policy = rollout.Policy{}
	export := func(key string) string { return g.Exports[key].(string) }
	side := func(colour string) settings.Side {
		return settings.Side{
			Service: export(colour + "ServiceName"), TargetGroup: export(colour + "TargetGroupArn"),
			TaskDefinition: export(colour + "TaskDefinitionArn"),
		}
	}
	assert.Equal(t, settings.Settings{
		Environment: "qa", Cluster: export("clusterName"), Container: "app",
		LoadBalancer: export("loadBalancerArn"), Listener: export("listenerArn"), PreviewRule: export("previewRuleArn"),
		URL: export("url"), PreviewHeader: "X-Penguinshop-Preview", PreviewParameter: export("previewParameterName"),
		LogGroup: export("logGroupName"), Function: function.Outputs["arn"].(string),
		MinimumTasks:  2,
		Sleep:         &rollout.Hours{From: "22:00", Until: "06:00", Days: []string{"MON", "TUE", "WED", "THU", "FRI"}, Timezone: "Europe/Berlin"},
		ScheduleGroup: one(t, g, "aws:scheduler/scheduleGroup:ScheduleGroup", "shift-schedules").Outputs["name"].(string),
		ScheduleRole:  one(t, g, "aws:iam/role:Role", "shift-scheduler").Outputs["arn"].(string),
		Blue:          side("blue"), Green: side("green"),
	}, told)
}
