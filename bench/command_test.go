package bench

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestACommandIsMeasuredWithWhatItStarts(t *testing.T) {
	u, err := run(t.Context(), t.TempDir(), []string{"WORD=said"}, "sh", "-c", "sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done'; echo $WORD")
	require.NoError(t, err)
	assert.Equal(t, "said\n", string(u.output))
	assert.Positive(t, u.wall)
	assert.Positive(t, u.cpu)
	assert.Greater(t, u.memory, 0.1)
}

func TestACommandThatFailsSaysWhatItWroteLast(t *testing.T) {
	_, err := run(t.Context(), t.TempDir(), nil, "sh", "-c", "echo out; echo problem >&2; exit 3")
	assert.ErrorContains(t, err, "out\nproblem")
	exit := new(exec.ExitError)
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 3, exit.ExitCode())
}

func TestACommandThatIsNotHereIsAbsent(t *testing.T) {
	_, err := run(t.Context(), t.TempDir(), nil, "no-such-command-anywhere")
	absent := new(Absent)
	require.ErrorAs(t, err, &absent)
	assert.Contains(t, absent.Error(), "no-such-command-anywhere is not here")
}

func TestAnInterruptionReachesWhatACommandStarted(t *testing.T) {
	dir := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		// The inner shell tells that it runs, and that it was interrupted.
		_, err := run(ctx, dir, nil, "sh", "-c", `trap : INT; sh -c 'trap "touch interrupted; exit" INT; touch running; while :; do sleep 0.01; done'; true`)
		ended <- err
	}()
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	require.Eventually(t, func() bool { return there("running") }, time.Minute, time.Millisecond)
	interrupt()
	err := <-ended
	assert.True(t, errors.Is(err, context.Canceled), err)
	assert.True(t, there("interrupted"))
}

func TestTheHeaviestImportsComeFirst(t *testing.T) {
	figures, err := heaviest([]byte(`[
		{"Mode":"build","Package":"fmt","CmdUser":1000000000,"CmdSys":500000000},
		{"Mode":"link","Package":"example.com/main","CmdUser":9000000000},
		{"Mode":"build","Package":"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2","CmdUser":40000000000,"CmdSys":2000000000},
		{"Mode":"build","Package":"os","CmdUser":1}]`), 2)
	require.NoError(t, err)
	assert.Equal(t, []Figure{
		{Name: "program/coldBuild/import/pulumi/pulumi-aws/aws/ec2", Value: 42, Unit: "s of processor time"},
		{Name: "program/coldBuild/import/fmt", Value: 1.5, Unit: "s of processor time"},
	}, figures)
	_, err = heaviest([]byte("no JSON"), 2)
	assert.Error(t, err)
}

func TestABenchmarksNamedMetricsAreFigures(t *testing.T) {
	figures, err := metrics("goos: linux\nBenchmarkStacks-2   \t       5\t85548383565 ns/op\t         3.210 dev/preview:s\t 49.00 dev/resources:resources\nPASS\n")
	require.NoError(t, err)
	assert.Equal(t, []Figure{{Name: "engine/dev/preview", Value: 3.21, Unit: "s"}, {Name: "engine/dev/resources", Value: 49, Unit: "resources"}}, figures)
	_, err = metrics("PASS\n")
	assert.ErrorContains(t, err, "reported nothing")
}
