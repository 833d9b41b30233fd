package source_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/source"
)

// checkout is a git repository of one test.
type checkout struct {
	t    *testing.T
	root string
}

func newCheckout(t *testing.T) checkout {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	c := checkout{t, root}
	c.git("init", "-q", "-b", "main")
	return c
}

func (c checkout) git(args ...string) {
	c.t.Helper()
	command := exec.Command("git", append([]string{"-C", c.root, "-c", "user.name=Ann", "-c", "user.email=ann@example.com"}, args...)...)
	out, err := command.CombinedOutput()
	require.NoError(c.t, err, string(out))
}

func (c checkout) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.root, name)
	require.NoError(c.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(c.t, os.WriteFile(path, []byte(text), 0o600))
}

func (c checkout) commit(message string) {
	c.t.Helper()
	c.git("add", "-A")
	c.git("commit", "-q", "--allow-empty", "-m", message)
}

func (c checkout) open() *source.Repository {
	c.t.Helper()
	r, err := source.Open(c.t.Context(), filepath.Join(c.root, "."))
	require.NoError(c.t, err)
	return r
}

func TestOpenRefusesWhatCannotBeDelivered(t *testing.T) {
	_, err := source.Open(t.Context(), t.TempDir())
	assert.ErrorContains(t, err, "is not in a git checkout")

	empty := newCheckout(t)
	_, err = source.Open(t.Context(), empty.root)
	assert.ErrorContains(t, err, "has no commit yet")

	whole := newCheckout(t)
	whole.commit("one")
	whole.commit("two")
	shallow := filepath.Join(t.TempDir(), "shallow")
	whole.git("clone", "-q", "--depth", "1", "file://"+whole.root, shallow)
	_, err = source.Open(t.Context(), shallow)
	assert.ErrorContains(t, err, "git fetch --unshallow")
}

func TestACommitIsReadWithItsWholeMessage(t *testing.T) {
	c := newCheckout(t)
	c.write("app/index.js", "1")
	c.commit("Open the shop\n\nWith penguins.")
	commit, err := c.open().Head(t.Context(), "main")
	require.NoError(t, err)
	assert.Len(t, commit.ID, 40)
	assert.Equal(t, "Open the shop\n\nWith penguins.", commit.Message)
	assert.WithinDuration(t, time.Now(), commit.Date, time.Minute)
	_, err = c.open().Commit(t.Context(), "nothing")
	assert.ErrorContains(t, err, "reading commit nothing")
}

func TestDirtyNamesChangedAndUntrackedFilesOfThePathOnly(t *testing.T) {
	c := newCheckout(t)
	c.write(".gitignore", "node_modules\n")
	c.write("app/index.js", "1")
	c.write("README.md", "1")
	c.commit("one")
	dirty, err := c.open().Dirty(t.Context(), "app")
	require.NoError(t, err)
	assert.Empty(t, dirty)

	c.write("README.md", "2")
	c.write("app/index.js", "2")
	c.write("app/public/ü new.html", "2")
	c.write("app/node_modules/x.js", "2")
	dirty, err = c.open().Dirty(t.Context(), "app")
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"app/index.js", "app/public/ü new.html"}, dirty)
}

func TestExportWritesTheCommitAndNothingElse(t *testing.T) {
	c := newCheckout(t)
	c.write("app/index.js", "committed")
	c.commit("one")
	c.write("app/index.js", "edited")
	c.write("app/extra.js", "untracked")
	folder := t.TempDir()
	r := c.open()
	head, err := r.Head(t.Context(), "")
	require.NoError(t, err)
	require.NoError(t, r.Export(t.Context(), head.ID, folder))
	text, err := os.ReadFile(filepath.Join(folder, "app", "index.js"))
	require.NoError(t, err)
	assert.Equal(t, "committed", string(text))
	assert.NoFileExists(t, filepath.Join(folder, "app", "extra.js"))
	assert.NoDirExists(t, filepath.Join(folder, ".git"))
	assert.ErrorContains(t, r.Export(t.Context(), "0000000000", folder), "exporting commit 0000000000")
}

func TestACloneHasTheCommitAndItsHistory(t *testing.T) {
	c := newCheckout(t)
	c.write("app/index.js", "first")
	c.commit("one")
	r := c.open()
	first, err := r.Head(t.Context(), "")
	require.NoError(t, err)
	c.write("app/index.js", "second")
	c.commit("two")
	folder := t.TempDir()
	require.NoError(t, r.Clone(t.Context(), first.ID, folder))
	text, err := os.ReadFile(filepath.Join(folder, "app", "index.js"))
	require.NoError(t, err)
	assert.Equal(t, "first", string(text))
	author, err := exec.CommandContext(t.Context(), "git", "-C", folder, "show", "--no-patch", "--format=%an", "HEAD").Output()
	require.NoError(t, err)
	assert.Equal(t, "Ann\n", string(author))
	assert.ErrorContains(t, r.Clone(t.Context(), "0000000000", t.TempDir()), "cloning commit 0000000000")
}

func TestWatchHandsOnEachPushWithItsPaths(t *testing.T) {
	c := newCheckout(t)
	c.write("app/index.js", "1")
	c.commit("one")
	r := c.open()
	head, err := r.Head(t.Context(), "")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	pushes, ended := make(chan codepipeline.Push, 10), make(chan error, 1)
	go func() {
		ended <- r.Watch(ctx, head.ID, "main", 10*time.Millisecond, func(p codepipeline.Push) { pushes <- p })
	}()
	c.write("app/index.js", "2")
	c.write("docs/ä.md", "2")
	c.commit("two")
	select {
	case push := <-pushes:
		assert.Equal(t, "main", push.Branch)
		assert.ElementsMatch(t, []string{"app/index.js", "docs/ä.md"}, push.Paths)
	case <-time.After(20 * time.Second):
		t.Fatal("the commit was not seen")
	}
	cancel()
	assert.ErrorIs(t, <-ended, context.Canceled)
	assert.Empty(t, pushes)
}
