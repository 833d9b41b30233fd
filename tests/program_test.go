// Package tests judges what the program declares, over all of the project's stacks, without an engine.
package tests

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/stacks"
)

const root = ".."

var environments = []string{"dev", "qa", "prod"}

// shipped are the graphs of the four stacks as they are shipped, run once.
var shipped = sync.OnceValues(func() (map[string]*graph.Graph, error) {
	project, err := graph.Load(root)
	if err != nil {
		return nil, err
	}
	all, err := project.RunAll(context.Background(), stacks.Declare)
	graphs := map[string]*graph.Graph{}
	for _, g := range all {
		graphs[g.Stack] = g
	}
	return graphs, err
})

func stack(t *testing.T, name string) *graph.Graph {
	t.Helper()
	graphs, err := shipped()
	require.NoError(t, err)
	require.Contains(t, graphs, name)
	return graphs[name]
}

// eachStack runs a check on each shipped stack, and on variants that the shipped ones do not have.
func eachStack(t *testing.T, check func(t *testing.T, g *graph.Graph)) {
	graphs, err := shipped()
	require.NoError(t, err)
	require.Len(t, graphs, 4)
	for name, g := range graphs {
		t.Run(name, func(t *testing.T) { check(t, g) })
	}
	t.Run("rolling", func(t *testing.T) { check(t, rolling(t)) })
	t.Run("https", func(t *testing.T) { check(t, https(t)) })
	t.Run("github", func(t *testing.T) { check(t, gitHub(t)) })
}

// run declares an environment with further config.
func run(t *testing.T, config map[string]string, options ...graph.Option) (*graph.Graph, error) {
	t.Helper()
	return project(config).Run(t.Context(), "test", stacks.Declare, options...)
}

// project has the one stack "test", an environment unless the config says otherwise.
func project(config map[string]string) *graph.Project {
	values := map[string]string{
		"aws:region": "eu-central-1", "role": "env",
		"accept": `[{"rule":"plain-http","reason":"a test speaks no TLS"}]`,
	}
	for key, value := range config {
		values[key] = value
	}
	return graph.New("penguinshop", map[string]map[string]string{"test": values})
}

func rolling(t *testing.T) *graph.Graph {
	t.Helper()
	g, err := run(t, map[string]string{"strategy": "rolling"})
	require.NoError(t, err)
	return g
}

func https(t *testing.T) *graph.Graph {
	t.Helper()
	g, err := run(t, map[string]string{
		"accept": "[]",
		"https":  `{"domain":"shop.example.com","certificateArn":"` + certificate + `"}`,
	})
	require.NoError(t, err)
	return g
}

const certificate = "arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"

// one is the only resource of a type and name.
func one(t *testing.T, g *graph.Graph, typ, name string) graph.Resource {
	t.Helper()
	var found []graph.Resource
	var names []string
	for _, r := range g.OfType(typ) {
		names = append(names, r.Name)
		if r.Name == name {
			found = append(found, r)
		}
	}
	require.Len(t, found, 1, "%s has of %s: %s", g.Stack, typ, strings.Join(names, ", "))
	return found[0]
}

// parsed reads an input that is JSON text.
func parsed(t *testing.T, r graph.Resource, property string) any {
	t.Helper()
	text, ok := r.Inputs[property].(string)
	require.True(t, ok, "%s.%s is a %T", r.Name, property, r.Inputs[property])
	var value any
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	return value
}

func ownComponent(typ string) bool { return strings.HasPrefix(typ, "penguinshop:components:") }

func TestEveryResourceStandsUnderItsComponent(t *testing.T) {
	eachStack(t, func(t *testing.T, g *graph.Graph) {
		components := 0
		for _, r := range g.Resources {
			switch {
			case r.Type == "pulumi:pulumi:Stack", r.Read:
				continue
			case ownComponent(r.Type):
				components++
				parent, _ := g.Find(r.Parent)
				assert.Equal(t, "pulumi:pulumi:Stack", parent.Type, "%s is parented to the stack", r.Name)
				continue
			case r.Type == "awsx:ec2:Vpc":
				continue
			}
			assert.True(t, descends(g, r), "%s has no component above it", r.URN)
		}
		assert.NotZero(t, components)
	})
}

// descends tells whether a component of this project, or awsx's VPC, stands above a resource.
func descends(g *graph.Graph, r graph.Resource) bool {
	for r.Parent != "" {
		parent, found := g.Find(r.Parent)
		if !found {
			return false
		}
		if ownComponent(parent.Type) || parent.Type == "awsx:ec2:Vpc" {
			return true
		}
		r = parent
	}
	return false
}

func TestEveryChildIsNamedAfterItsComponent(t *testing.T) {
	eachStack(t, func(t *testing.T, g *graph.Graph) {
		for _, component := range g.Resources {
			if !ownComponent(component.Type) {
				continue
			}
			for _, r := range g.Resources {
				if r.Parent == component.URN {
					assert.True(t, strings.HasPrefix(r.Name, component.Name+"-"), "%s stands under %s", r.Name, component.Name)
					assert.NotContains(t, r.Name, g.Stack+"-", "the URN says the stack already")
				}
			}
		}
	})
}

func TestEveryComponentRegistersItsOutputs(t *testing.T) {
	eachStack(t, func(t *testing.T, g *graph.Graph) {
		for _, r := range g.Resources {
			if ownComponent(r.Type) {
				assert.NotEmpty(t, r.Registered, "%s", r.URN)
				for name, value := range r.Registered {
					assert.NotEmpty(t, value, "%s.%s", r.Name, name)
				}
			}
		}
	})
}

func TestEveryNameKeepsAWSsLimit(t *testing.T) {
	limits := map[string]int{
		"aws:lb/loadBalancer:LoadBalancer": 32, "aws:lb/targetGroup:TargetGroup": 32,
		"aws:codeconnections/connection:Connection": 32,
		"aws:iam/role:Role":                         64, "aws:lambda/function:Function": 64,
		"aws:scheduler/scheduleGroup:ScheduleGroup": 64, "aws:cloudwatch/eventRule:EventRule": 64,
		"aws:s3/bucketV2:BucketV2": 63, "aws:codepipeline/pipeline:Pipeline": 100,
	}
	check := func(t *testing.T, g *graph.Graph) {
		for typ, limit := range limits {
			for _, r := range g.OfType(typ) {
				name, _ := r.Outputs["name"].(string)
				if typ == "aws:s3/bucketV2:BucketV2" {
					name, _ = r.Outputs["bucket"].(string)
				}
				assert.NotEmpty(t, name, r.URN)
				assert.LessOrEqual(t, len(name), limit, name)
				assert.False(t, strings.HasPrefix(name, "internal-"), "a load balancer may not be called so")
			}
		}
		for _, r := range g.OfType("aws:ec2/securityGroup:SecurityGroup") {
			name, _ := r.Outputs["name"].(string)
			assert.False(t, strings.HasPrefix(name, "sg-"), "AWS keeps sg- for identifiers")
		}
	}
	eachStack(t, check)
	t.Run("the longest stack name that config allows", func(t *testing.T) {
		longest := strings.Repeat("e", 14)
		project := graph.New("penguinshop", map[string]map[string]string{longest: {
			"aws:region": "eu-central-1", "role": "env", "accept": `[{"rule":"plain-http","reason":"a test speaks no TLS"}]`,
			"pulumi:autonaming": `{"pattern":"${stack}-${name}-${hex(7)}"}`,
		}})
		g, err := project.Run(t.Context(), longest, stacks.Declare)
		require.NoError(t, err)
		check(t, g)
	})
}

func TestOnlyASecretHoldsThePreviewHeadersValue(t *testing.T) {
	g := stack(t, "prod")
	parameter := one(t, g, "aws:ssm/parameter:Parameter", "web-preview")
	assert.Equal(t, "SecureString", parameter.Inputs["type"])
	assert.Equal(t, []string{"value"}, parameter.Secrets)
	value := parameter.Inputs["value"].(string)
	assert.GreaterOrEqual(t, len(value), 20, "too short to be a secret")
	assert.NotContains(t, value, "*")
	assert.NotContains(t, value, "?")

	rule := one(t, g, "aws:lb/listenerRule:ListenerRule", "web-preview")
	condition := rule.Inputs["conditions"].([]any)[0].(map[string]any)["httpHeader"].(map[string]any)
	assert.Equal(t, []any{value}, condition["values"], "the rule asks for what the parameter holds")
	assert.True(t, slices.ContainsFunc(rule.Secrets, func(path string) bool { return strings.HasPrefix(path, "conditions") }))
	assert.Contains(t, rule.Dependencies, parameter.URN)

	for _, r := range g.Resources {
		text, err := json.Marshal(r.Masked())
		require.NoError(t, err)
		assert.NotContains(t, string(text), value, "%s shows it in clear", r.URN)
	}
	exports, err := json.Marshal(g.Exports)
	require.NoError(t, err)
	assert.NotContains(t, string(exports), value)
}

func TestEachRunOffersAnotherSecret(t *testing.T) {
	value := func() any {
		g, err := run(t, nil)
		require.NoError(t, err)
		return one(t, g, "aws:ssm/parameter:Parameter", "web-preview").Inputs["value"]
	}
	assert.NotEqual(t, value(), value())
}

func TestTheFunctionIsNotBuiltToSeeWhatIsDeclared(t *testing.T) {
	t.Setenv("PATH", "")
	g, err := project(nil).Run(t.Context(), "test", stacks.Declare)
	require.NoError(t, err)
	one(t, g, "aws:lambda/function:Function", "shift-function")
}

func TestAMissingGoToolchainIsSaidSo(t *testing.T) {
	t.Setenv("PATH", "")
	_, err := project(nil).Run(t.Context(), "test", stacks.Program)
	require.ErrorContains(t, err, "install Go")
}

func TestTheFirstPreviewOfAnEnvironmentDeclaresTheSameResources(t *testing.T) {
	project, err := graph.Load(root)
	require.NoError(t, err)
	preview, err := project.Run(t.Context(), "prod", stacks.Declare, graph.WithUnknowns())
	require.NoError(t, err)
	urns := func(g *graph.Graph) (list []string) {
		for _, r := range g.Resources {
			list = append(list, r.URN)
		}
		return list
	}
	assert.Equal(t, urns(stack(t, "prod")), urns(preview))
}

var _ pulumi.RunFunc = stacks.Program
