package codebuild_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codebuild"
	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/container"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// The builds of these tests start this test binary as their aws.
func TestMain(m *testing.M) {
	codebuild.RunTool()
	container.RunTool()
	os.Exit(m.Run())
}

type object = map[string]any

// world is a service with one declared project, and a source folder for it.
type world struct {
	t       *testing.T
	service *codebuild.Service
	journal *journal.Journal
	source  string
	outputs map[string]string
	in      codepipeline.Build
}

type option func(*codebuild.Config, object)

func with(key string, value any) option {
	return func(_ *codebuild.Config, inputs object) { inputs[key] = value }
}

func configured(change func(*codebuild.Config)) option {
	return func(config *codebuild.Config, _ object) { change(config) }
}

func variables(all map[string]string) option {
	return func(_ *codebuild.Config, inputs object) {
		var list []any
		for _, name := range slices.Sorted(maps.Keys(all)) {
			list = append(list, object{"name": name, "value": all[name]})
		}
		inputs["environment"].(object)["environmentVariables"] = list
	}
}

func declared(inputs object) graph.Resource {
	outputs := maps.Clone(inputs)
	outputs["arn"] = "arn:aws:codebuild:eu-central-1:123456789012:project/shop"
	return graph.Resource{
		URN: "urn:pulumi:shared::penguinshop::aws:codebuild/project:Project::build", Type: codebuild.ProjectType, Name: "build",
		Inputs: inputs, Outputs: outputs,
	}
}

func projectInputs(buildspec string) object {
	return object{
		"name": "shop", "buildTimeout": 20, "serviceRole": "arn:aws:iam::123456789012:role/build",
		"source":    object{"type": "CODEPIPELINE", "buildspec": buildspec},
		"artifacts": object{"type": "CODEPIPELINE"},
		"environment": object{"type": "ARM_CONTAINER", "computeType": "BUILD_GENERAL1_SMALL", "privilegedMode": false,
			"image": "aws/codebuild/amazonlinux-aarch64-standard:3.0"},
	}
}

// newWorld declares a project whose buildspec stands in the source as buildspec.yml. All temporary folders of its builds are
// made in one folder that has to be empty in the end.
func newWorld(t *testing.T, buildspec string, options ...option) *world {
	t.Helper()
	temp := t.TempDir()
	t.Cleanup(func() {
		left, err := os.ReadDir(temp)
		require.NoError(t, err)
		assert.Empty(t, left, "a build left something behind")
	})
	w := &world{t: t, source: t.TempDir(), journal: journal.New(clockwork.NewFakeClock()), outputs: map[string]string{}}
	w.write("buildspec.yml", buildspec)
	config, inputs := codebuild.Config{Journal: w.journal, Folder: temp, Region: "eu-central-1"}, projectInputs("buildspec.yml")
	for _, change := range options {
		change(&config, inputs)
	}
	w.service = codebuild.New(config)
	require.NoError(t, w.service.Providers()[codebuild.ProjectType].Create(t.Context(), declared(inputs)))
	w.in = codepipeline.Build{
		Project: "shop", Primary: "source", Sources: map[string]string{"source": w.source}, Artifacts: map[string]string{},
		Environment: map[string]string{}, Commit: "c0ffee", Initiator: "codepipeline/penguinshop",
	}
	return w
}

func (w *world) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.source, name)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(w.t, os.WriteFile(path, []byte(text), 0o644))
}

// output adds an output artifact to the build and returns its folder.
func (w *world) output(name string) string {
	folder := w.t.TempDir()
	w.in.Outputs = append(w.in.Outputs, name)
	w.in.Artifacts[name] = folder
	return folder
}

func (w *world) build() (codepipeline.Built, error) {
	w.t.Helper()
	return w.service.Build(w.t.Context(), w.in)
}

func (w *world) mustBuild() codepipeline.Built {
	w.t.Helper()
	built, err := w.build()
	require.NoError(w.t, err, w.log())
	return built
}

func (w *world) log() string {
	var lines []string
	for _, entry := range w.journal.Since(0) {
		lines = append(lines, entry.Text)
	}
	return strings.Join(lines, "\n")
}

// printed are the lines of the log that the commands wrote.
func (w *world) printed() []string {
	var lines []string
	for line := range strings.SplitSeq(w.log(), "\n") {
		if line != "" && !strings.HasPrefix(line, "[Container]") {
			lines = append(lines, line)
		}
	}
	return lines
}

// files lists a folder's files with their contents.
func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		relative, _ := filepath.Rel(folder, path)
		found[relative] = string(text)
		return err
	}))
	return found
}
