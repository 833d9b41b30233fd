package engine

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/plan"
	"github.com/penguinshop/delivery/tests/engine/standin"
	"github.com/penguinshop/delivery/tests/need"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

// project is the folder of the program under test.
const project = "../.."

// house is one backend with its stacks, and the world that the stand-in providers keep.
type house struct {
	dir string
	// world is nil on an emulator.
	world    *standin.World
	emulator *Emulator
	project  *graph.Project
	program  pulumi.RunFunc
	env      map[string]string
	cli      auto.PulumiCommand
}

// build lays an empty backend and world for the project's own stacks. The world is the test's own, so a test that needs it
// is passed over on an emulator.
func build(t testing.TB, program pulumi.RunFunc) *house {
	t.Helper()
	return buildOn(t, nil, program)
}

// buildOn is build with services behind some of AWS's types.
func buildOn(t testing.TB, services map[string]standin.Service, program pulumi.RunFunc) *house {
	t.Helper()
	if os.Getenv(EndpointVariable) != "" {
		need.Missing(t, "the stand-in providers, since it changes the world behind the engine's back: unset %s", EndpointVariable)
	}
	h := furnish(t, program)
	h.world = standin.NewWorld()
	// The providers serve longer than the test's own context, which ends before its clean-ups do.
	serving, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	standing := packages(serving, h.project, plan.Replaces)
	for i := range standing {
		standing[i].Services = services
	}
	attached, err := attach(serving, h.world, standing)
	require.NoError(t, err)
	h.env["PULUMI_DEBUG_PROVIDERS"] = attached
	h.env["PULUMI_HOME"] = filepath.Join(h.dir, "home")
	return h
}

// buildAnywhere is build, or, where the environment names an emulator, a house on it with Pulumi's own plugins.
func buildAnywhere(t testing.TB, program pulumi.RunFunc) *house {
	t.Helper()
	emulator, err := NamedEmulator()
	require.NoError(t, err)
	if emulator == nil {
		return build(t, program)
	}
	home, err := workspace.GetPulumiHomeDir()
	require.NoError(t, err)
	plugins, err := Plugins(t.Context())
	require.NoError(t, err)
	if problems := Missing(plugins, home); len(problems) > 0 {
		t.Fatal(strings.Join(problems, "\n"))
	}
	h := furnish(t, program)
	h.emulate(emulator, home)
	return h
}

// furnish lays an empty backend, with nothing yet that could stand for AWS.
func furnish(t testing.TB, program pulumi.RunFunc) *house {
	t.Helper()
	cli, err := CLI(t.Context())
	require.NoError(t, err)
	declared, err := graph.Load(project)
	require.NoError(t, err)
	h := &house{dir: t.TempDir(), project: declared, program: program, cli: cli}
	h.configure(t, project)
	backend := filepath.Join(h.dir, "state")
	require.NoError(t, os.Mkdir(backend, 0o700))
	h.env = map[string]string{
		"PULUMI_BACKEND_URL": "file://" + backend, "PULUMI_CONFIG_PASSPHRASE": "correct horse battery staple",
		"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true", "NO_COLOR": "1",
	}
	return h
}

// emulate puts the house on an emulator, with the plugins of a Pulumi home.
func (h *house) emulate(emulator *Emulator, home string) {
	h.emulator = emulator
	maps.Copy(h.env, emulator.Environment(home))
}

// saltKey begins the line that the engine adds to a stack's file for its secrets.
const saltKey = "encryptionsalt:"

// configure gives the house the project's file and the stacks' files of a folder. What the engine itself keeps in them stays.
func (h *house) configure(t testing.TB, from string) {
	t.Helper()
	for _, file := range glob(t, filepath.Join(from, "Pulumi*.yaml")) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		to := filepath.Join(h.dir, filepath.Base(file))
		if former, err := os.ReadFile(to); err == nil {
			for line := range strings.Lines(string(former)) {
				if strings.HasPrefix(line, saltKey) {
					text = append([]byte(line), text...)
				}
			}
		}
		require.NoError(t, os.WriteFile(to, text, 0o600))
	}
}

// stack opens a stack of the house, and makes it at the first time.
func (h *house) stack(t testing.TB, name string) *auto.Stack {
	t.Helper()
	stack, err := auto.UpsertStackInlineSource(t.Context(), "organization/"+h.project.Name+"/"+name, h.project.Name, h.program,
		auto.WorkDir(h.dir), auto.EnvVars(h.env), auto.Pulumi(h.cli), auto.SecretsProvider("passphrase"))
	require.NoError(t, err)
	if h.emulator != nil {
		require.NoError(t, stack.SetAllConfigWithOptions(t.Context(), h.emulator.Config(), &auto.ConfigOptions{Path: true}))
	}
	return &stack
}

// recorded are a stack's resources as the engine records them, secrets in clear.
func (h *house) recorded(t *testing.T, stack *auto.Stack) []apitype.ResourceV3 {
	t.Helper()
	var environment []string
	for name, value := range h.env {
		environment = append(environment, name+"="+value)
	}
	text, stderr, _, err := h.cli.Run(t.Context(), h.dir, nil, nil, nil, environment,
		"stack", "export", "--show-secrets", "--stack", stack.Name())
	require.NoError(t, err, stderr)
	var export struct{ Deployment apitype.DeploymentV3 }
	require.NoError(t, json.Unmarshal([]byte(text), &export))
	return export.Deployment.Resources
}

// ofType are a stack's recorded resources of a type.
func (h *house) ofType(t *testing.T, stack *auto.Stack, typ string) []apitype.ResourceV3 {
	t.Helper()
	return slices.DeleteFunc(h.recorded(t, stack), func(r apitype.ResourceV3) bool { return string(r.Type) != typ })
}

// standing is what is left of a stack: in the engine's records, and in the world where the test keeps it.
func (h *house) standing(t *testing.T, stack *auto.Stack, name string) (urns []string) {
	t.Helper()
	for _, r := range h.recorded(t, stack) {
		urns = append(urns, string(r.URN))
	}
	if h.world != nil {
		for _, live := range h.world.OfStack(name) {
			urns = append(urns, "live "+string(live.URN))
		}
	}
	return urns
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, "nothing matches %s", pattern)
	return files
}

// state returns the text of everything that the backend holds.
func (h *house) state(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, filepath.Walk(filepath.Join(h.dir, "state"), func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		text.Write(content)
		return err
	}))
	return text.String()
}
