package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkpipeline "github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/operator"
	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/wire"
	"github.com/penguinshop/delivery/stacks"
	"github.com/penguinshop/delivery/tests/bare"
)

const (
	images = bare.Account + ".dkr.ecr." + bare.Region + ".amazonaws.com/penguinshop-dev"
	// speed is how many times faster than the machine's the world's clock runs.
	speed = 100
)

// world is the sandbox's services holding what the program declares for dev and shared, and served to shiftctl over HTTP. Images
// are not run: the responder that stands in for what cannot be pulled answers in their place.
type world struct {
	*bare.World
	t        *testing.T
	exports  map[string]map[string]any // by stack
	pipeline string
	commits  int
}

// open raises the world with dev's policy for its releases; without one dev takes them in place.
func open(t *testing.T, policy string) *world {
	w := &world{t: t, exports: map[string]map[string]any{}}
	project, err := graph.Load(filepath.Join("..", ".."))
	require.NoError(t, err)
	// No test may depend on whether it is night.
	own, strategy := []graph.Option{graph.WithoutConfig("dev", "penguinshop:sleep"), graph.WithConfig("dev", map[string]string{"penguinshop:rollout": policy})}, "blueGreen"
	if policy == "" {
		strategy = "rolling"
		own = []graph.Option{graph.WithoutConfig("dev", "penguinshop:sleep", "penguinshop:rollout"), graph.WithConfig("dev", map[string]string{"penguinshop:strategy": strategy})}
	}
	graphs, err := project.RunAll(t.Context(), stacks.Declare, append(own, graph.WithAccount(bare.Account),
		graph.WithConfig("shared", map[string]string{"penguinshop:environments": `[{"name":"dev","approval":true,"strategy":"` + strategy + `"}]`}))...)
	require.NoError(t, err)
	var declared []*graph.Graph
	for _, g := range graphs {
		if g.Stack == "dev" || g.Stack == "shared" {
			declared = append(declared, g)
			w.exports[g.Stack] = g.Exports
		}
	}
	w.pipeline = w.exports["shared"]["pipelineName"].(string)
	w.World = bare.Raise(t, bare.Options{Graphs: declared, Clock: clock.Scaled(speed), Repository: w, Builds: w})
	w.announce()
	w.until("the first side runs", func(s operator.Status) bool {
		side := s.Sides[0]
		return side.Running != nil && *side.Running > 0 && (policy == "" || side.Targets != nil && side.Targets.Healthy > 0)
	})
	return w
}

// announce tells shiftctl of the world as a running sandbox does.
func (w *world) announce() {
	w.t.Setenv("XDG_RUNTIME_DIR", w.t.TempDir())
	w.Session.Scale = speed
	w.Session.Pages = map[string]string{w.exports["dev"]["url"].(string): "http://127.0.0.1:8080"}
	withdraw, err := wire.Announce(w.Session)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, withdraw()) })
}

// Head, Commit, Export and Clone make the world the source's repository: every release is a commit of its own.
func (w *world) Head(ctx context.Context, _ string) (codepipeline.Commit, error) {
	w.commits++
	return w.Commit(ctx, fmt.Sprintf("%040x", w.commits))
}

func (w *world) Commit(_ context.Context, id string) (codepipeline.Commit, error) {
	return codepipeline.Commit{ID: id, Message: "Sell more penguins\n\nBigger ones.", Date: time.Unix(0, 0)}, nil
}

func (w *world) Export(context.Context, string, string) error { return nil }

func (w *world) Clone(context.Context, string, string) error { return nil }

// Build pushes an image under the commit's name and hands its digest on, as the buildspec does.
func (w *world) Build(_ context.Context, b codepipeline.Build) (codepipeline.Built, error) {
	image, err := random.Image(64, 1)
	if err != nil {
		return codepipeline.Built{}, err
	}
	ref, err := name.ParseReference(w.ECR.Host()+"/penguinshop-dev:"+b.Commit, name.Insecure)
	if err != nil {
		return codepipeline.Built{}, err
	}
	if err := remote.Write(ref, image); err != nil {
		return codepipeline.Built{}, err
	}
	digest, err := image.Digest()
	if err != nil {
		return codepipeline.Built{}, err
	}
	uri := images + "@" + digest.String()
	for _, folder := range b.Artifacts {
		if err := os.WriteFile(filepath.Join(folder, "imagedefinitions.json"), []byte(`[{"name":"app","imageUri":"`+uri+`"}]`), 0o600); err != nil {
			return codepipeline.Built{}, err
		}
	}
	return codepipeline.Built{ID: b.Project + ":1", Variables: map[string]string{
		"IMAGE_DIGEST": digest.String(), "IMAGE_URI": uri, "COMMIT": b.Commit, "AUTHOR": "Ann", "TEST_RESULT": "41 of 41 tests passed"}}, nil
}

// release starts the pipeline and returns the execution.
func (w *world) release() string {
	out, err := w.Pipelines.StartPipelineExecution(w.t.Context(), &sdkpipeline.StartPipelineExecutionInput{Name: &w.pipeline})
	require.NoError(w.t, err)
	return aws.ToString(out.PipelineExecutionId)
}

// said is what a command wrote, and its exit code.
type said struct {
	out, err string
	code     int
}

// shiftctl runs the command as main does, with in typed.
func (w *world) shiftctl(in string, args ...string) said {
	w.t.Helper()
	var out, err bytes.Buffer
	c := command()
	c.SetIn(strings.NewReader(in))
	c.SetOut(&out)
	c.SetErr(&err)
	code := execute(w.t.Context(), c, args)
	return said{out.String(), err.String(), code}
}

// sandbox is shiftctl with --sandbox, nothing typed.
func (w *world) sandbox(args ...string) said {
	w.t.Helper()
	return w.shiftctl("", append(args, "--sandbox")...)
}

// status is dev's, as JSON tells it.
func (w *world) status() operator.Status {
	w.t.Helper()
	got := w.sandbox("status", "dev", "--json")
	var all []operator.Status
	require.NoError(w.t, json.Unmarshal([]byte(got.out), &all), "%s%s", got.out, got.err)
	require.Len(w.t, all, 1)
	return all[0]
}

// until waits for a status; one that cannot be read ends the test.
func (w *world) until(what string, wished func(operator.Status) bool) operator.Status {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		s := w.status()
		if wished(s) {
			return s
		}
		if time.Now().After(deadline) {
			text, _ := json.Marshal(s)
			require.FailNow(w.t, "not seen: "+what, string(text))
		}
	}
}

// asked waits for the approval of a release.
func (w *world) asked() {
	w.t.Helper()
	w.until("an approval is asked for", func(s operator.Status) bool { return s.Rollout != nil && s.Rollout.Action == "approve" })
}

// outputs writes a stack's outputs as `pulumi stack output --json` prints them.
func (w *world) outputs(stack string) string {
	text, err := json.Marshal(w.exports[stack])
	require.NoError(w.t, err)
	file := filepath.Join(w.t.TempDir(), stack+".json")
	require.NoError(w.t, os.WriteFile(file, text, 0o600))
	return file
}
