package codebuild_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codebuild"
	"github.com/penguinshop/delivery/sandbox/journal"
)

const printEnvironment = "version: 0.2\nenv: {variables: {A: buildspec, B: buildspec, C: buildspec, D: buildspec}}\nphases: {build: {commands: [env]}}"

// environment is what a build's env printed.
func environment(w *world) map[string]string {
	found := map[string]string{}
	for _, line := range w.printed() {
		name, value, _ := strings.Cut(line, "=")
		found[name] = value
	}
	return found
}

func TestAVariableOfTheActionOutranksTheProjectsAndThatTheBuildspecs(t *testing.T) {
	w := newWorld(t, printEnvironment, variables(map[string]string{"B": "project", "C": "project", "D": "project"}),
		configured(func(c *codebuild.Config) {
			c.StandIn = func(_ context.Context, name, declared string) (string, error) {
				if name == "D" {
					return "instead of the " + declared, nil
				}
				return declared, nil
			}
		}))
	w.in.Environment = map[string]string{"C": "action", "D": "action's"}
	w.mustBuild()
	env := environment(w)
	assert.Equal(t, []string{"buildspec", "project", "action", "instead of the action's"}, []string{env["A"], env["B"], env["C"], env["D"]})
}

func TestABuildWhoseStandInsFailDoesNotBegin(t *testing.T) {
	w := newWorld(t, printEnvironment, configured(func(c *codebuild.Config) {
		c.StandIn = func(_ context.Context, name, _ string) (string, error) {
			return "", errors.New("no stand-in for " + name)
		}
	}))
	_, err := w.build()
	assert.ErrorContains(t, err, "variable A: no stand-in for A")
	assert.ErrorContains(t, err, "variable D: no stand-in for D")
	assert.Empty(t, w.log())
}

func TestABuildIsToldWhatCodeBuildTells(t *testing.T) {
	w := newWorld(t, printEnvironment)
	w.in.Sources["config"] = t.TempDir()
	first := w.mustBuild()
	env := environment(w)
	assert.Equal(t, "c0ffee", env["CODEBUILD_RESOLVED_SOURCE_VERSION"])
	assert.Equal(t, "codepipeline/penguinshop", env["CODEBUILD_INITIATOR"])
	assert.Equal(t, first.ID, env["CODEBUILD_BUILD_ID"])
	assert.Equal(t, "arn:aws:codebuild:eu-central-1:123456789012:build/"+first.ID, env["CODEBUILD_BUILD_ARN"])
	assert.Equal(t, "1", env["CODEBUILD_BUILD_NUMBER"])
	assert.Equal(t, "eu-central-1", env["AWS_REGION"])
	assert.Equal(t, "eu-central-1", env["AWS_DEFAULT_REGION"])
	assert.Equal(t, env["PWD"], env["CODEBUILD_SRC_DIR"])
	assert.NotEmpty(t, env["CODEBUILD_SRC_DIR_config"])
	second := w.mustBuild()
	assert.NotEqual(t, first.ID, second.ID)
	assert.Equal(t, "2", environment(w)["CODEBUILD_BUILD_NUMBER"])
}

func TestABuildSeesNothingOfThePersonsEnvironmentButTheWayToRegistries(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hidden")
	t.Setenv("GITHUB_TOKEN", "hidden")
	t.Setenv("npm_config_fetch_retries", "4")
	t.Setenv("NODE_EXTRA_CA_CERTS", "/certificates.pem")
	w := newWorld(t, printEnvironment)
	w.mustBuild()
	env := environment(w)
	assert.NotContains(t, w.log(), "hidden")
	assert.Equal(t, "4", env["npm_config_fetch_retries"])
	assert.Equal(t, "/certificates.pem", env["NODE_EXTRA_CA_CERTS"])
	person, err := os.UserHomeDir()
	require.NoError(t, err)
	assert.NotEqual(t, person, env["HOME"])
}

func TestABuildWorksOnACopyOfItsSource(t *testing.T) {
	w := newWorld(t, "version: 0.2\nphases: {build: {commands: ['echo changed > page.html', './run.sh']}}")
	w.write("page.html", "original")
	w.write("run.sh", "#!/bin/sh\necho \"page is $(cat page.html)\"\n")
	require.NoError(t, os.Chmod(w.source+"/run.sh", 0o755))
	w.mustBuild()
	assert.Equal(t, []string{"page is changed"}, w.printed())
	assert.Equal(t, "original", files(t, w.source)["page.html"])
}

func TestEachLineOfABuildIsOneEntryOfTheJournal(t *testing.T) {
	w := newWorld(t, "version: 0.2\nphases: {build: {commands: ['echo out; echo err >&2']}}")
	built := w.mustBuild()
	var lines []string
	for _, entry := range w.journal.Since(0) {
		assert.Equal(t, "codebuild", entry.Service)
		assert.Equal(t, "log", entry.Kind)
		assert.Equal(t, built.ID, entry.Fields["build"])
		lines = append(lines, entry.Text)
	}
	assert.Contains(t, lines, "out")
	assert.Contains(t, lines, "err")
}

// awaitLine returns the rest of the first entry that begins with prefix.
func awaitLine(t *testing.T, entries <-chan journal.Entry, prefix string) string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case entry := <-entries:
			if rest, ok := strings.CutPrefix(entry.Text, prefix); ok {
				return rest
			}
		case <-deadline:
			require.FailNow(t, "no line begins with "+prefix)
		}
	}
}

func gone(t *testing.T, pid string) {
	t.Helper()
	number, err := strconv.Atoi(pid)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return errors.Is(syscall.Kill(number, 0), syscall.ESRCH) }, 5*time.Second, 10*time.Millisecond,
		"process %s still runs", pid)
}

func TestACancelledBuildLeavesNoProcess(t *testing.T) {
	w := newWorld(t, `
version: 0.2
phases:
  build:
    commands:
      - |
        sleep 1000 &
        echo "pid $!"
        wait
    finally: [echo never]
`)
	entries, unsubscribe := w.journal.Subscribe()
	defer unsubscribe()
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := w.service.Build(ctx, w.in)
		failed <- err
	}()
	pid := awaitLine(t, entries, "pid ")
	closing := errors.New("the sandbox is closing")
	cancel(closing)
	err := <-failed
	require.ErrorIs(t, err, closing)
	assert.ErrorContains(t, err, "phase BUILD")
	assert.NotContains(t, w.printed(), "never")
	gone(t, pid)
}

func TestABuildThatRunsTooLongIsEnded(t *testing.T) {
	w := newWorld(t, "version: 0.2\nphases: {build: {commands: ['echo \"pid $$\"; exec sleep 1000']}}")
	w.service.SetTimeout("shop", 300*time.Millisecond)
	_, err := w.build()
	require.ErrorIs(t, err, codebuild.ErrTimedOut)
	assert.ErrorContains(t, err, "buildTimeout")
	gone(t, strings.TrimPrefix(w.printed()[0], "pid "))
}

func TestWhatACommandLeftRunningEndsWithTheBuild(t *testing.T) {
	w := newWorld(t, "version: 0.2\nphases: {build: {commands: ['sleep 1000 & echo \"pid $!\"', 'kill -0 %1 || true', 'echo done']}}")
	w.mustBuild()
	assert.Contains(t, w.printed(), "done")
	gone(t, strings.TrimPrefix(w.printed()[0], "pid "))
}

func TestTwoBuildsOfOneProjectRunAtOnce(t *testing.T) {
	w := newWorld(t, "version: 0.2\nenv: {exported-variables: [WHO]}\nphases: {build: {commands: ['export WHO=$CODEBUILD_RESOLVED_SOURCE_VERSION']}}")
	results := make(chan string, 2)
	for _, commit := range []string{"one", "two"} {
		in := w.in
		in.Commit = commit
		go func() {
			built, err := w.service.Build(t.Context(), in)
			results <- commit + "=" + built.Variables["WHO"]
			assert.NoError(t, err)
		}()
	}
	assert.ElementsMatch(t, []string{"one=one", "two=two"}, []string{<-results, <-results})
}

func TestAnUnknownProjectIsNamedWithTheDeclaredOnes(t *testing.T) {
	w := newWorld(t, printEnvironment)
	w.in.Project = "shoop"
	_, err := w.build()
	assert.EqualError(t, err, `there is no CodeBuild project "shoop"; declared are: shop`)
}
