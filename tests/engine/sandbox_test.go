package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	pipelineapi "github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	ecsapi "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/container"
	"github.com/penguinshop/delivery/sandbox/ecs"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/tests/bare"
	"github.com/penguinshop/delivery/tests/engine/standin"
)

// sandbox is the sandbox's own services behind the real engine's provider: load balancer, ECS, pipeline and the real function.
// Only builds and containers are stood in for: a build hands on a digest, and a container tells what it was started with.
type sandbox struct {
	*bare.World
	services map[string]standin.Service

	mu     sync.Mutex
	commit string
}

// faster is how many times faster than the machine's the sandbox's time runs. Even then nothing in a delivery has less than
// half a minute of the machine's.
const faster = 20

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	s := &sandbox{services: map[string]standin.Service{}}
	s.World = bare.Raise(t, bare.Options{Clock: clock.Scaled(faster), Engine: mirrors{}, Images: imageOf, Repository: s, Builds: s})
	for typ, provider := range s.Providers() {
		s.services[typ] = provided{provider}
	}
	definitions := "aws:ecs/taskDefinition:TaskDefinition"
	s.services[definitions] = revisions{s.services[definitions], s.ECS}
	return s
}

// provided is a sandbox's provider, which computes nothing that the stand-in does not know.
type provided struct{ graph.Provider }

func (p provided) Create(ctx context.Context, r graph.Resource) (map[string]any, error) {
	return nil, p.Provider.Create(ctx, r)
}

// revisions lets ECS number the task definitions, since the pipeline registers some as well.
type revisions struct {
	standin.Service
	ecs *ecs.Service
}

func (r revisions) Create(ctx context.Context, declared graph.Resource) (map[string]any, error) {
	declared.Outputs = maps.Clone(declared.Outputs)
	declared.Outputs["arn"] = declared.Outputs["arnWithoutRevision"]
	if _, err := r.Service.Create(ctx, declared); err != nil {
		return nil, err
	}
	newest, err := r.ecs.DescribeTaskDefinition(ctx, &ecsapi.DescribeTaskDefinitionInput{TaskDefinition: aws.String(fmt.Sprint(declared.Outputs["family"]))})
	if err != nil {
		return nil, err
	}
	return map[string]any{"arn": *newest.TaskDefinition.TaskDefinitionArn, "revision": float64(newest.TaskDefinition.Revision)}, nil
}

// imageOf finds the images of the repository; the placeholder is the sandbox's own.
func imageOf(_ context.Context, image string) (ecs.Image, error) {
	_, digest, built := strings.Cut(image, "@")
	if !built {
		return ecs.Image{}, fmt.Errorf("%w: %s", ecs.ErrForeign, image)
	}
	return ecs.Image{Reference: image, Digest: digest}, nil
}

// digestOf is the digest of what a commit builds to.
func digestOf(commit string) string { return "sha256:" + strings.Repeat(commit, 64/len(commit)) }

func imageOfCommit(commit string) string {
	return "123456789012.dkr.ecr.eu-central-1.amazonaws.com/penguinshop-dev@" + digestOf(commit)
}

func (s *sandbox) Head(ctx context.Context, _ string) (codepipeline.Commit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Commit(ctx, s.commit)
}

func (s *sandbox) Commit(_ context.Context, id string) (codepipeline.Commit, error) {
	return codepipeline.Commit{ID: id, Message: "Change the shop", Date: time.Unix(0, 0)}, nil
}

func (s *sandbox) Export(context.Context, string, string) error { return nil }

func (s *sandbox) Clone(context.Context, string, string) error { return nil }

// Build hands on an image by its digest, as the buildspec does.
func (s *sandbox) Build(_ context.Context, b codepipeline.Build) (codepipeline.Built, error) {
	file := filepath.Join(b.Artifacts[b.Outputs[0]], "imagedefinitions.json")
	text := fmt.Sprintf(`[{"name":"app","imageUri":%q}]`, imageOfCommit(b.Commit))
	return codepipeline.Built{ID: b.Project + ":1", Variables: map[string]string{
		"IMAGE_DIGEST": digestOf(b.Commit), "IMAGE_URI": imageOfCommit(b.Commit), "COMMIT": b.Commit, "AUTHOR": "Pen Guin", "TEST_RESULT": "passed",
	}}, os.WriteFile(file, []byte(text), 0o600)
}

// deliver takes a commit through the pipeline.
func (s *sandbox) deliver(t *testing.T, pipeline, commit string) {
	t.Helper()
	s.mu.Lock()
	s.commit = commit
	s.mu.Unlock()
	started, err := s.Pipelines.StartPipelineExecution(t.Context(), &pipelineapi.StartPipelineExecutionInput{Name: &pipeline})
	require.NoError(t, err)
	ended, err := s.Pipelines.Wait(t.Context(), pipeline, *started.PipelineExecutionId)
	require.NoError(t, err)
	require.Equal(t, types.PipelineExecutionStatusSucceeded, ended.Status, aws.ToString(ended.StatusSummary))
}

// answer asks the environment as a user does, and returns what the container that answers was started with.
func (s *sandbox) answer(t *testing.T, url string) container.Spec {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/", nil)
	require.NoError(t, err)
	response, err := s.ELB.Client().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var spec container.Spec
	require.NoError(t, json.NewDecoder(response.Body).Decode(&spec))
	return spec
}

// mirrors is an engine whose containers answer every request with what they were started with.
type mirrors struct{}

func (mirrors) Name() string            { return "mirrors" }
func (mirrors) InstallCLI(string) error { return nil }
func (mirrors) Close() error            { return nil }

func (mirrors) BaseImage(_ context.Context, wanted string) (ref, note string, err error) {
	return wanted, "", nil
}

func (mirrors) Listen(ctx context.Context) (net.Listener, string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	return listener, "127.0.0.1", err
}

func (mirrors) Start(ctx context.Context, spec container.Spec) (container.Container, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &mirror{name: spec.Name, address: listener.Addr().String(), done: make(chan struct{}), server: &http.Server{
		ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) }),
	}}
	go m.server.Serve(listener) //nolint:errcheck // it ends with the server
	return m, nil
}

type mirror struct {
	name, address string
	server        *http.Server
	done          chan struct{}
	ended         sync.Once
}

func (m *mirror) ID() string            { return m.name }
func (m *mirror) Address() string       { return m.address }
func (m *mirror) Done() <-chan struct{} { return m.done }
func (m *mirror) Exit() container.Exit  { return container.Exit{Reason: "stopped"} }

func (m *mirror) Logs(ctx context.Context, _ io.Writer) error {
	select {
	case <-m.done:
	case <-ctx.Done():
	}
	return nil
}

func (m *mirror) Stop(ctx context.Context, _ time.Duration) error { return m.Kill(ctx) }

func (m *mirror) Kill(context.Context) error {
	err := m.server.Close()
	m.ended.Do(func() { close(m.done) })
	return err
}
