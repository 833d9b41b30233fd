package scratch_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/scratch"
)

// TestMain lets the test binary stand for another run, one that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("SCRATCH_TEST_RUN") == "" {
		os.Exit(m.Run())
	}
	f, err := scratch.New()
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString(f.ID + "\n")
	select {}
}

func TestAKilledRunsFolderIsFoundAndALivingOnesIsNot(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	mine, err := scratch.New()
	require.NoError(t, err)
	defer mine.Close()

	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "SCRATCH_TEST_RUN=1")
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	line := bufio.NewScanner(out)
	require.True(t, line.Scan())
	id := line.Text()

	assert.True(t, scratch.Alive(mine.ID))
	assert.True(t, scratch.Alive(id))
	dead, err := scratch.Dead()
	require.NoError(t, err)
	assert.Empty(t, dead)

	require.NoError(t, other.Process.Kill())
	_ = other.Wait()
	assert.False(t, scratch.Alive(id))
	dead, err = scratch.Dead()
	require.NoError(t, err)
	require.Len(t, dead, 1)
	assert.Equal(t, id, dead[0].ID)
	living, err := scratch.Living(dead)
	require.NoError(t, err)
	require.Len(t, living, 1)
	assert.Equal(t, mine.Path, living[0].Path)

	again, err := scratch.Dead()
	require.NoError(t, err)
	assert.Empty(t, again, "a folder that was taken over is not dead any more")
	require.NoError(t, dead[0].Close())
	assert.NoDirExists(t, dead[0].Path)
}

func TestCloseRemovesEvenReadOnlyFoldersAndCanBeCalledTwice(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f, err := scratch.New()
	require.NoError(t, err)
	inside := filepath.Join(f.Path, "a", "b")
	require.NoError(t, os.MkdirAll(inside, 0o755))
	require.NoError(t, os.Chmod(filepath.Join(f.Path, "a"), 0o500))
	require.NoError(t, f.Close())
	assert.NoDirExists(t, f.Path)
	require.NoError(t, f.Close())
}

func TestAFolderThatOthersCanWriteToIsRefused(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f, err := scratch.New()
	require.NoError(t, err)
	require.NoError(t, f.Close())
	home := filepath.Dir(f.Path)
	require.NoError(t, os.Chmod(home, 0o777))
	_, err = scratch.New()
	require.ErrorContains(t, err, home+" is not a folder that you alone can write to")
}
