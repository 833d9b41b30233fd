package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/plan"
	"github.com/penguinshop/delivery/tests/engine/standin"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

// project is the folder of the program under test.
const project = "../.."

// house is one backend with its stacks, and the world that the stand-in providers keep.
type house struct {
	dir     string
	world   *standin.World
	project *graph.Project
	program pulumi.RunFunc
	env     map[string]string
	cli     auto.PulumiCommand
}

// build lays an empty backend and world for the project's own stacks.
func build(t *testing.T, program pulumi.RunFunc) *house {
	t.Helper()
	return buildOn(t, nil, program)
}

// buildOn is build with services behind some of AWS's types.
func buildOn(t *testing.T, services map[string]standin.Service, program pulumi.RunFunc) *house {
	t.Helper()
	cli, err := CLI(t.Context())
	require.NoError(t, err)
	declared, err := graph.Load(project)
	require.NoError(t, err)
	h := &house{dir: t.TempDir(), world: standin.NewWorld(), project: declared, program: program, cli: cli}
	h.configure(t, project)
	backend := filepath.Join(h.dir, "state")
	require.NoError(t, os.Mkdir(backend, 0o700))
	// The providers serve longer than the test's own context, which ends before its clean-ups do.
	serving, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	standing := packages(serving, declared, plan.Replaces)
	for i := range standing {
		standing[i].Services = services
	}
	attached, err := attach(serving, h.world, standing)
	require.NoError(t, err)
	h.env = map[string]string{
		"PULUMI_BACKEND_URL": "file://" + backend, "PULUMI_CONFIG_PASSPHRASE": "correct horse battery staple",
		"PULUMI_DEBUG_PROVIDERS": attached, "PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_HOME": filepath.Join(h.dir, "home"),
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true", "NO_COLOR": "1",
	}
	return h
}

// saltKey begins the line that the engine adds to a stack's file for its secrets.
const saltKey = "encryptionsalt:"

// configure gives the house the project's file and the stacks' files of a folder. What the engine itself keeps in them stays.
func (h *house) configure(t *testing.T, from string) {
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
func (h *house) stack(t *testing.T, name string) *auto.Stack {
	t.Helper()
	stack, err := auto.UpsertStackInlineSource(t.Context(), "organization/"+h.project.Name+"/"+name, h.project.Name, h.program,
		auto.WorkDir(h.dir), auto.EnvVars(h.env), auto.Pulumi(h.cli), auto.SecretsProvider("passphrase"))
	require.NoError(t, err)
	return &stack
}

func glob(t *testing.T, pattern string) []string {
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
