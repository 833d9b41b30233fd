package engine

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/stacks"
)

const emulatorAddress = "http://127.0.0.1:4566"

// serviceOf is the service that a type belongs to.
func serviceOf(typ string) string {
	for prefix, service := range endpoints {
		if strings.HasPrefix(typ, prefix) {
			return service
		}
	}
	return ""
}

func TestAnEmulatorIsGivenEveryServiceThatTheProgramUses(t *testing.T) {
	declared, err := graph.Load(project)
	require.NoError(t, err)
	graphs, err := declared.RunAll(t.Context(), stacks.Declare)
	require.NoError(t, err)
	types := slices.Sorted(maps.Keys(arguments))
	for _, g := range graphs {
		for _, r := range g.Resources {
			types = append(types, r.Type)
		}
	}
	config := (&Emulator{URL: emulatorAddress}).Config()
	for _, typ := range types {
		if !strings.HasPrefix(typ, "aws:") {
			continue
		}
		require.NotEmpty(t, serviceOf(typ), "%s: name the service that it belongs to", typ)
		assert.Equal(t, auto.ConfigValue{Value: emulatorAddress}, config["aws:endpoints[0]."+serviceOf(typ)])
	}
}

func TestTheProviderKnowsEveryKeyOfAnEmulatorsConfig(t *testing.T) {
	keys := map[string]bool{}
	provider, endpoint := aws.ProviderArgs{}.ElementType(), aws.ProviderEndpointArgs{}.ElementType()
	for i := range provider.NumField() {
		keys["aws:"+tag(provider.Field(i).Tag.Get("pulumi"))] = true
	}
	for i := range endpoint.NumField() {
		keys["aws:endpoints[0]."+tag(endpoint.Field(i).Tag.Get("pulumi"))] = true
	}
	for key := range (&Emulator{URL: emulatorAddress}).Config() {
		assert.True(t, keys[key], key)
	}
}

func tag(text string) string {
	name, _, _ := strings.Cut(text, ",")
	return name
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	t.Setenv(EndpointVariable, "")
	none, err := NamedEmulator()
	require.NoError(t, err)
	assert.Nil(t, none)
	t.Setenv(EndpointVariable, emulatorAddress+"/")
	named, err := NamedEmulator()
	require.NoError(t, err)
	assert.Equal(t, emulatorAddress, named.URL)
	t.Setenv(EndpointVariable, "localhost:4566")
	_, err = NamedEmulator()
	require.ErrorContains(t, err, "a right value is http://127.0.0.1:4566")
}

func TestAMissingPluginIsNamedWithHowToGetIt(t *testing.T) {
	plugins, err := Plugins(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"aws", "awsx"}, []string{plugins[0].Name, plugins[1].Name})
	home := t.TempDir()
	t.Setenv("PATH", filepath.Join(home, "bin"))
	problems := Missing(plugins, home)
	require.Len(t, problems, 2)
	assert.Contains(t, problems[0], "run `pulumi plugin install resource aws "+plugins[0].Version+"`")

	require.NoError(t, os.MkdirAll(filepath.Join(home, "plugins", "resource-aws-"+plugins[0].Version), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(home, "bin"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(home, "bin", "pulumi-resource-awsx"), nil, 0o700))
	assert.Empty(t, Missing(plugins, home))
}

// TestAHouseOnAnEmulatorLeadsTheEngineThere looks at what the engine itself would be told.
func TestAHouseOnAnEmulatorLeadsTheEngineThere(t *testing.T) {
	home := t.TempDir()
	h := furnish(t, stacks.Declare)
	h.emulate(&Emulator{URL: emulatorAddress}, home)
	stack := h.stack(t, "dev")
	config, err := stack.GetAllConfig(t.Context())
	require.NoError(t, err)
	assert.Contains(t, config["aws:endpoints"].Value, `"ecs":"`+emulatorAddress+`"`)
	assert.Equal(t, "true", config["aws:s3UsePathStyle"].Value)
	assert.NotContains(t, h.env, "PULUMI_DEBUG_PROVIDERS")
	assert.Equal(t, home, h.env["PULUMI_HOME"])
	assert.Nil(t, h.world)

	t.Setenv("PATH", "")
	_, err = stack.Preview(t.Context())
	require.Error(t, err)
	assert.Contains(t, err.Error(), "aws", "the real engine asks for the real plugin")
}
