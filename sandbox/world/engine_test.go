package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// cloud is one service of a test: it notes what is asked of it, holds what stands, and fails where told.
type cloud struct {
	asked []string
	holds map[string]graph.Resource
	fails string
}

func newCloud() *cloud { return &cloud{holds: map[string]graph.Resource{}} }

func (c *cloud) ask(verb string, r graph.Resource) error {
	c.asked = append(c.asked, verb+" "+r.Name)
	if c.fails == verb+" "+r.Name {
		return errors.New("the cloud is cross")
	}
	return nil
}

func (c *cloud) Create(_ context.Context, r graph.Resource) error {
	if err := c.ask("create", r); err != nil {
		return err
	}
	c.holds[r.Name] = r
	return nil
}

func (c *cloud) Update(_ context.Context, _, next graph.Resource) error {
	c.holds[next.Name] = next
	return c.ask("update", next)
}

func (c *cloud) Delete(_ context.Context, r graph.Resource) error {
	delete(c.holds, r.Name)
	return c.ask("delete", r)
}

// revised is a service whose resources get a new ARN with each change.
type revised struct{ *cloud }

func (c revised) Replace(_ context.Context, _, next graph.Resource) (map[string]any, error) {
	err := c.ask("replace", next)
	c.holds[next.Name] = next
	return map[string]any{"arn": fmt.Sprintf("arn:%s:%d", next.Name, len(c.asked))}, err
}

func declared(typ, name string, inputs map[string]any, dependencies ...string) graph.Resource {
	r := graph.Resource{URN: "urn:pulumi:dev::shop::" + typ + "::" + name, Type: typ, Name: name, Custom: true,
		Inputs: inputs, Outputs: maps.Clone(inputs)}
	if r.Outputs == nil {
		r.Outputs = map[string]any{}
	}
	r.Outputs["arn"] = "arn:" + name + ":1"
	for _, d := range dependencies {
		r.Dependencies = append(r.Dependencies, "urn:pulumi:dev::shop::"+typ+"::"+d)
	}
	return r
}

func stackOf(resources ...graph.Resource) *graph.Graph {
	return &graph.Graph{Stack: "dev", Resources: resources}
}

type inputs = map[string]any

func TestUpCreatesInTheOrderOfTheDependenciesAndDeletesBackwards(t *testing.T) {
	c := newCloud()
	e := &engine{providers: map[string]graph.Provider{"t": c}}
	changes, err := e.up(t.Context(), stackOf(declared("t", "a", nil, "b"), declared("t", "b", nil, "c"), declared("t", "c", nil)))
	require.NoError(t, err)
	assert.Len(t, changes.Created, 3)
	changes, err = e.up(t.Context(), stackOf())
	require.NoError(t, err)
	assert.Len(t, changes.Deleted, 3)
	assert.Equal(t, []string{"create c", "create b", "create a", "delete a", "delete b", "delete c"}, c.asked)
}

func TestASecondUpDoesWhatDiffersOnly(t *testing.T) {
	c := newCloud()
	e := &engine{providers: map[string]graph.Provider{"t": c}}
	_, err := e.up(t.Context(), stackOf(declared("t", "a", inputs{"x": 1}), declared("t", "b", inputs{"x": 1}), declared("t", "gone", nil)))
	require.NoError(t, err)
	c.asked = nil
	changes, err := e.up(t.Context(), stackOf(declared("t", "a", inputs{"x": 1}), declared("t", "b", inputs{"x": 2}), declared("t", "new", nil)))
	require.NoError(t, err)
	assert.Equal(t, []string{"update b", "create new", "delete gone"}, c.asked)
	assert.Equal(t, 1, changes.Same)
}

func TestIgnoredPropertiesAreNeverWrittenBack(t *testing.T) {
	c := newCloud()
	e := &engine{providers: map[string]graph.Provider{"t": c}}
	listener := func(weight, port int) graph.Resource {
		r := declared("t", "listener", inputs{"port": port, "defaultActions": []any{inputs{"weight": weight}}})
		r.IgnoreChanges = []string{"defaultActions"}
		return r
	}
	_, err := e.up(t.Context(), stackOf(listener(100, 80)))
	require.NoError(t, err)
	changes, err := e.up(t.Context(), stackOf(listener(50, 80)))
	require.NoError(t, err)
	assert.Equal(t, 1, changes.Same, "only an ignored property differs")
	_, err = e.up(t.Context(), stackOf(listener(50, 81)))
	require.NoError(t, err)
	assert.EqualValues(t, 81, c.holds["listener"].Inputs["port"])
	assert.EqualValues(t, 100, c.holds["listener"].Inputs["defaultActions"].([]any)[0].(inputs)["weight"])
	assert.EqualValues(t, 100, c.holds["listener"].Outputs["defaultActions"].([]any)[0].(inputs)["weight"])
}

func TestANestedIgnoreKeepsItsPathOnly(t *testing.T) {
	c := newCloud()
	e := &engine{providers: map[string]graph.Provider{"t": c}}
	resource := func(image string, size int) graph.Resource {
		r := declared("t", "r", inputs{"spec": inputs{"image": image, "size": size}})
		r.IgnoreChanges = []string{"spec.image"}
		return r
	}
	_, err := e.up(t.Context(), stackOf(resource("one", 1)))
	require.NoError(t, err)
	_, err = e.up(t.Context(), stackOf(resource("two", 2)))
	require.NoError(t, err)
	assert.Equal(t, "one", c.holds["r"].Inputs["spec"].(inputs)["image"])
	assert.EqualValues(t, 2, c.holds["r"].Inputs["spec"].(inputs)["size"])
}

func TestAReplacedResourceIsNamedByItsNewARN(t *testing.T) {
	c := newCloud()
	e := &engine{providers: map[string]graph.Provider{"def": revised{c}, "t": c}}
	program := func(size int) *graph.Graph {
		return stackOf(declared("def", "task", inputs{"size": size}), declared("t", "user", inputs{"settings": `{"task":"arn:task:1"}`}))
	}
	for size := range 3 {
		_, err := e.up(t.Context(), program(size))
		require.NoError(t, err)
	}
	// Asked: create task, create user, replace task (its arn ends in 3), update user, replace task (5), update user.
	assert.Equal(t, `{"task":"arn:task:5"}`, c.holds["user"].Inputs["settings"])
	changes, err := e.up(t.Context(), program(2))
	require.NoError(t, err)
	assert.Equal(t, 2, changes.Same)
}

func TestASecretThatIsMadeOnceStaysTheSameForAllThatUseIt(t *testing.T) {
	c := newCloud()
	e := &engine{providers: map[string]graph.Provider{"t": c}}
	program := func(random string) *graph.Graph {
		parameter := declared("t", "parameter", inputs{"value": random})
		parameter.IgnoreChanges, parameter.Secrets = []string{"value"}, []string{"value"}
		return stackOf(parameter, declared("t", "rule", inputs{"header": random}, "parameter"))
	}
	_, err := e.up(t.Context(), program("first"))
	require.NoError(t, err)
	for _, random := range []string{"second", "third"} {
		changes, err := e.up(t.Context(), program(random))
		require.NoError(t, err)
		assert.Equal(t, 2, changes.Same, random)
	}
	assert.Equal(t, "first", c.holds["rule"].Inputs["header"])
}

func TestWhatNobodyImitatesIsNamedBeforeAnythingIsMade(t *testing.T) {
	c := newCloud()
	e := &engine{providers: map[string]graph.Provider{"t": c}}
	_, err := e.up(t.Context(), stackOf(declared("t", "a", nil), declared("aws:wafv2/webAcl:WebAcl", "firewall", nil),
		declared("aws:iam/role:Role", "role", nil)))
	assert.ErrorContains(t, err, "does not imitate aws:wafv2/webAcl:WebAcl: urn:pulumi:dev::shop::aws:wafv2/webAcl:WebAcl::firewall")
	assert.NotContains(t, err.Error(), "iam")
	assert.Empty(t, c.asked)
}

func TestAFailureInTheMiddleIsGoneOnFrom(t *testing.T) {
	c := newCloud()
	c.fails = "create b"
	e := &engine{providers: map[string]graph.Provider{"t": c}}
	program := stackOf(declared("t", "a", nil), declared("t", "b", nil, "a"), declared("t", "c", nil, "b"))
	_, err := e.up(t.Context(), program)
	assert.ErrorContains(t, err, "creating urn:pulumi:dev::shop::t::b: the cloud is cross")
	c.fails = ""
	changes, err := e.up(t.Context(), program)
	require.NoError(t, err)
	assert.Len(t, changes.Created, 2)
}

func TestAProtectedResourceIsNotDeleted(t *testing.T) {
	e := &engine{providers: map[string]graph.Provider{"t": newCloud()}}
	kept := declared("t", "kept", nil)
	kept.Protect = true
	_, err := e.up(t.Context(), stackOf(kept))
	require.NoError(t, err)
	_, err = e.up(t.Context(), stackOf())
	assert.ErrorContains(t, err, "protected")
}
