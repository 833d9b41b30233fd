// Package delivery_test delivers the app on this machine, from a commit to production: with real images, real containers,
// the declared pipeline and the function's own code.
package delivery_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/load"
	"github.com/penguinshop/delivery/sandbox/world"
	"github.com/penguinshop/delivery/stacks"
)

// How fast the sandbox's time runs in these tests, and how many users' requests a second each environment gets.
const (
	scale = 20
	rate  = 100
)

// clone is a checkout of this repository as it lies here, in a repository of its own that a test may commit to.
type clone struct {
	t    testing.TB
	root string
}

func newClone(t testing.TB) clone {
	t.Helper()
	here, err := filepath.Abs("../..")
	require.NoError(t, err)
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	listed, err := exec.Command("git", "-C", here, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	require.NoError(t, err)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(here, name))
		if os.IsNotExist(err) {
			continue // removed, and not yet committed
		}
		require.NoError(t, err)
		info, err := os.Stat(filepath.Join(here, name))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), text, info.Mode().Perm()))
	}
	c := clone{t, root}
	c.git("init", "-q", "-b", "main")
	c.commit("Open the shop")
	return c
}

func (c clone) git(args ...string) string {
	c.t.Helper()
	command := exec.Command("git", append([]string{"-C", c.root, "-c", "user.name=Ann", "-c", "user.email=ann@example.com"}, args...)...)
	out, err := command.CombinedOutput()
	require.NoError(c.t, err, string(out))
	return strings.TrimSpace(string(out))
}

func (c clone) commit(message string) (id string) {
	c.t.Helper()
	c.git("add", "-A")
	c.git("commit", "-q", "-m", message)
	return c.git("rev-parse", "HEAD")
}

// edit replaces text in a file; the text must be there.
func (c clone) edit(name, old, replacement string) {
	c.t.Helper()
	path := filepath.Join(c.root, name)
	text, err := os.ReadFile(path)
	require.NoError(c.t, err)
	require.Contains(c.t, string(text), old)
	require.NoError(c.t, os.WriteFile(path, []byte(strings.Replace(string(text), old, replacement, 1)), 0o644))
}

// rig is a running world under load, whose approvals are given.
type rig struct {
	*world.World
	t    testing.TB
	load *world.Load

	mu   sync.Mutex
	seen []journal.Entry
}

func raise(t testing.TB, c clone) *rig {
	t.Helper()
	w, err := world.Open(t.Context(), world.Options{Dir: c.root, Program: stacks.Declare, Scale: scale, Say: func(s string) { t.Log(s) }})
	require.NoError(t, err)
	r := &rig{World: w, t: t}
	entries, unsubscribe := w.Journal.Subscribe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range entries {
			r.mu.Lock()
			r.seen = append(r.seen, e)
			r.mu.Unlock()
			if e.Kind == "approval" {
				r.approve(ctx)
			}
		}
	}()
	r.load = w.StartLoad(rate, func(environment string, a load.Answer) {
		if a.Failure != "" {
			t.Logf("a user's request failed in %s: %s: %s", environment, a.Path, a.Failure)
		}
	})
	t.Cleanup(func() {
		r.load.Stop()
		cancel()
		unsubscribe()
		<-done
		assert.NoError(t, w.Close())
		if t.Failed() {
			r.dump()
		}
	})
	return r
}

func (r *rig) approve(ctx context.Context) {
	questions, err := r.Questions(ctx)
	if !assert.NoError(r.t, err) {
		return
	}
	for _, q := range questions {
		r.t.Logf("asked to approve %s: %s %s", q.Stage, q.Data, q.URL)
		assert.NoError(r.t, r.Answer(ctx, q, true, "a test approves"))
	}
}

func (r *rig) entries() []journal.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]journal.Entry(nil), r.seen...)
}

func (r *rig) dump() {
	for _, e := range r.entries() {
		r.t.Logf("%s %s/%s %s %s", e.Time.Format("15:04:05"), e.Service, e.Kind, e.Environment, e.Text)
	}
}

// deliver pushes the commit and follows what it starts.
func (r *rig) deliver(c clone, commit string) (world.Summary, error) {
	r.t.Helper()
	before := r.load.Counts()
	paths, err := r.Repository.Changed(r.t.Context(), commit+"~1", commit)
	require.NoError(r.t, err)
	started := r.Pipelines.Push(codepipeline.Push{Branch: r.Branch, Commit: commit, Paths: paths})
	require.Len(r.t, started, 1, "the push of %v starts the pipeline", paths)
	return r.Follow(r.t.Context(), started[r.Pipeline], r.load, before)
}

func TestADelivery(t *testing.T) {
	c := newClone(t)
	r := raise(t, c)
	first := c.git("rev-parse", "HEAD")
	var good world.Summary

	t.Run("takes a commit through every environment and loses no request", func(t *testing.T) {
		before := r.load.Counts()
		execution, err := r.Start(t.Context())
		require.NoError(t, err)
		good, err = r.Follow(t.Context(), execution, r.load, before)
		require.NoError(t, err)
		assert.Equal(t, first, good.Commit)
		assert.Regexp(t, "^sha256:[0-9a-f]{64}$", good.Image)
		require.Len(t, good.Environments, 3)
		for i, name := range []string{"dev", "qa", "prod"} {
			e := good.Environments[i]
			assert.Equal(t, name, e.Name)
			assert.Equal(t, first, e.Version, name)
			assert.Equal(t, "green", e.Live, name)
			assert.Equal(t, world.Weights{Green: 100}, e.Weights, name)
			assert.Zero(t, e.Failed, name)
			assert.Positive(t, e.ShiftSeconds, name)
			// The load runs in real time, whatever the machine is busy with; a fifth may be late.
			assert.Greater(t, float64(e.Requests), 0.8*rate*good.Seconds, name)
		}
		text, err := json.Marshal(good)
		require.NoError(t, err)
		t.Logf("%s", text)
	})

	t.Run("is undisturbed by an infrastructure update, and the next release has the new shape", func(t *testing.T) {
		require.NotEmpty(t, good.Environments)
		same, err := r.Up(t.Context())
		require.NoError(t, err)
		assert.Empty(t, append(append(same.Created, same.Updated...), same.Deleted...), "a second up changes nothing")
		c.configure("dev", "memoryMiB: 512", "memoryMiB: 1024")
		changed, err := r.Up(t.Context())
		require.NoError(t, err)
		assert.NotEmpty(t, changed.Updated)
		for i, e := range r.Environments {
			weights, err := r.Weights(t.Context(), e)
			require.NoError(t, err)
			assert.Equal(t, good.Environments[i].Weights, weights, e.Name)
			digest, err := r.Digest(t.Context(), e, "green")
			require.NoError(t, err)
			assert.Equal(t, good.Image, digest, e.Name)
		}
	})

	t.Run("of a release that fails its probes gives it no user and says so", func(t *testing.T) {
		require.NotEmpty(t, good.Environments, "there is nothing to fall back to")
		c.edit("app/src/shop.js", "shop.use(helmet(", `shop.use((request, response, next) => {
    // Broken where it runs as a task only, so that the app's own tests pass.
    if (process.env.ECS_CONTAINER_METADATA_URI_V4 && !request.path.endsWith('z')) {
      response.status(500).end();
      return;
    }
    next();
  });
  shop.use(helmet(`)
		broken := c.commit("Break the shop")
		from := r.Clock.Now()
		failed, err := r.deliver(c, broken)
		var failure *world.FailedDelivery
		require.ErrorAs(t, err, &failure)
		assert.Contains(t, failure.Message, "dev/shift")
		assert.Contains(t, failure.Message, "green 100", "the message says where the traffic is")
		for _, e := range failed.Environments {
			assert.Equal(t, first, e.Version, e.Name)
			assert.Equal(t, world.Weights{Green: 100}, e.Weights, e.Name)
			assert.Zero(t, e.Failed, e.Name)
		}
		for _, e := range r.entries() {
			if e.Service == "world" && e.Kind == "weights" && e.Time.After(from) {
				assert.Zero(t, e.Fields["blue"], "the broken release is blue, and no user may reach it")
			}
		}
		c.git("revert", "--no-edit", "HEAD")
	})

	t.Run("of a changed page shows it everywhere", func(t *testing.T) {
		require.NotEmpty(t, good.Environments)
		c.edit("app/public/index.html", "</main>", "<p>Fresh fish today</p></main>")
		changed := c.commit("Offer fresh fish")
		again, err := r.deliver(c, changed)
		require.NoError(t, err)
		assert.NotEqual(t, good.Image, again.Image)
		for _, e := range again.Environments {
			assert.Equal(t, changed, e.Version, e.Name)
			assert.Equal(t, "blue", e.Live, e.Name)
			assert.Zero(t, e.Failed, e.Name)
		}
		for _, e := range r.Environments {
			page, err := r.Client.Get(e.URL + "/")
			require.NoError(t, err)
			text, err := io.ReadAll(page.Body)
			require.NoError(t, err)
			require.NoError(t, page.Body.Close())
			assert.Contains(t, string(text), "Fresh fish today", e.Name)
		}
		dev := r.Environments[0]
		services, err := r.ECS.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: &dev.ClusterName, Services: []string{dev.BlueServiceName}})
		require.NoError(t, err)
		running, err := r.ECS.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: services.Services[0].TaskDefinition})
		require.NoError(t, err)
		assert.Equal(t, "1024", *running.TaskDefinition.Memory, "the size that the update before declared")
	})
}
