package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/penguinshop/delivery/tests/need"
)

// recorded names the commit that is upgraded from where no tag is older than the commit under test.
const recorded = "testdata/previous"

// previous is the program of an earlier version, built from its own sources.
type previous struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	revision string
	// dir holds the version's files, and program its executable.
	dir, program string
}

// lastVersion builds the program of the newest tag before the commit under test, or of the recorded commit.
func lastVersion(t *testing.T) *previous {
	t.Helper()
	if _, err := git(t, "rev-parse", "--git-dir"); err != nil {
		need.Missing(t, "a git checkout, for the earlier version that it upgrades from")
	}
	p := &previous{revision: olderTag(t), dir: t.TempDir()}
	if p.revision == "" {
		text, err := os.ReadFile(recorded)
		require.NoError(t, err)
		p.revision = strings.TrimSpace(string(text))
	}
	if _, err := git(t, "cat-file", "-e", p.revision+"^{commit}"); err != nil {
		need.Missing(t, "the version to upgrade from, %s, which is not in this clone: fetch its history (git fetch --unshallow --tags)", p.revision)
	}
	archive := filepath.Join(t.TempDir(), "version.tar")
	_, err := git(t, "archive", "--output", archive, p.revision)
	require.NoError(t, err)
	run(t, p.dir, "tar", "-xf", archive)
	p.program = filepath.Join(t.TempDir(), "program")
	run(t, p.dir, "go", "build", "-buildvcs=false", "-o", p.program, ".")
	return p
}

// olderTag is the newest version's tag that the commit under test descends from; empty where there is none.
func olderTag(t *testing.T) string {
	for _, from := range []string{"HEAD", "HEAD^"} {
		tag, err := git(t, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", from)
		if err != nil {
			return ""
		}
		head, err := git(t, "rev-parse", "HEAD")
		require.NoError(t, err)
		tagged, err := git(t, "rev-parse", tag+"^{commit}")
		require.NoError(t, err)
		if tagged != head {
			return tag
		}
	}
	return ""
}

func git(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", project}, arguments...)...).Output()
	return strings.TrimSpace(string(out)), err
}

func run(t *testing.T, dir, name string, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(arguments, " "), out)
}

// up brings a stack of the house up with the earlier version's program and config.
func (p *previous) up(t *testing.T, h *house, stack string) {
	t.Helper()
	h.configure(t, p.dir)
	h.stack(t, stack) // makes it
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	pulumirpc.RegisterLanguageRuntimeServer(server, p)
	go server.Serve(listener) //nolint:errcheck // it ends with Stop; a failure shows as the engine's own
	defer server.Stop()
	var environment []string
	for name, value := range h.env {
		environment = append(environment, name+"="+value)
	}
	stdout, stderr, _, err := h.cli.Run(t.Context(), h.dir, nil, nil, nil, environment,
		"up", "--yes", "--skip-preview", "--stack", "organization/"+h.project.Name+"/"+stack, "--client", listener.Addr().String())
	require.NoError(t, err, "%s\n%s", stdout, stderr)
}

// Run starts the program as Pulumi's own host of Go programs does, but in the version's folder.
func (p *previous) Run(ctx context.Context, r *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	config, err := json.Marshal(r.GetConfig())
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(r.GetConfigSecretKeys())
	if err != nil {
		return nil, err
	}
	if len(r.GetArgs()) == 0 {
		return nil, fmt.Errorf("the engine does not say where it is")
	}
	command := exec.CommandContext(ctx, p.program)
	command.Dir = p.dir
	command.Env = os.Environ()
	for name, value := range map[string]string{
		pulumi.EnvOrganization: r.GetOrganization(), pulumi.EnvProject: r.GetProject(), pulumi.EnvStack: r.GetStack(),
		pulumi.EnvPulumiRootDirectory: p.dir, pulumi.EnvConfig: string(config), pulumi.EnvConfigSecretKeys: string(secrets),
		pulumi.EnvParallel: fmt.Sprint(r.GetParallel()), pulumi.EnvDryRun: fmt.Sprint(r.GetDryRun()),
		pulumi.EnvMonitor: r.GetMonitorAddress(), pulumi.EnvEngine: r.GetArgs()[0],
	} {
		command.Env = append(command.Env, name+"="+value)
	}
	if out, err := command.CombinedOutput(); err != nil {
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program of %s: %v\n%s", p.revision, err, out)}, nil
	}
	return &pulumirpc.RunResponse{}, nil
}

func (p *previous) GetRequiredPlugins(context.Context, *pulumirpc.GetRequiredPluginsRequest) (*pulumirpc.GetRequiredPluginsResponse, error) {
	return &pulumirpc.GetRequiredPluginsResponse{}, nil
}

func (p *previous) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "1.0.0"}, nil
}
