package plan_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/plan"
)

// repository is a git repository with a small program of its own at cmd/sandbox, in three commits: one without a plan, one
// whose plan names the stack old, one whose working tree differs.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) {
		command := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=p", "-c", "user.email=p@example.com"}, args...)...)
		command.Dir = dir
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	put := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	git("init", "-q", "-b", "main")
	put("go.mod", "module example.com/other\n\ngo 1.26\n")
	git("add", ".")
	git("commit", "-qm", "nothing")
	git("tag", "empty")
	put("cmd/sandbox/plan.go", `package main

import "fmt"

func main() { fmt.Println(`+"`"+`[{"stack":"old","resources":[{"urn":"u","type":"t","name":"n","inputs":{"a":1}}],"findings":[],"monthlyCostUsd":3}]`+"`"+`) }
`)
	git("add", ".")
	git("commit", "-qm", "a plan")
	git("tag", "planned")
	put("cmd/sandbox/plan.go", "package main\n\nfunc main() { broken }\n")
	git("add", ".")
	git("commit", "-qm", "broken")
	return dir
}

func TestAnotherRevisionIsPlannedByItsOwnProgram(t *testing.T) {
	dir := repository(t)
	plans, err := plan.At(t.Context(), dir, "planned")
	require.NoError(t, err)
	require.Len(t, plans, 1)
	assert.Equal(t, "old", plans[0].Stack)
	assert.InDelta(t, 3, plans[0].MonthlyCostUSD, 0)
	assert.Equal(t, map[string]any{"a": 1.0}, plans[0].Resources[0].Inputs)
	assertClean(t, dir)
}

func TestARevisionThatCannotBePlannedSaysWhyAndLeavesNothing(t *testing.T) {
	dir := repository(t)
	for revision, want := range map[string]string{
		"nowhere":  `there is no revision "nowhere" here`,
		"--upload": `there is no revision "--upload" here`,
		"empty":    "has no plan to compare with: it is older than this command",
		"main":     "building main: go build: exit status 1: ",
	} {
		_, err := plan.At(t.Context(), dir, revision)
		require.ErrorContains(t, err, want)
		assertClean(t, dir)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := plan.At(ctx, dir, "planned")
	require.Error(t, err)
	assertClean(t, dir)
}

// assertClean tells whether a comparison left a worktree behind.
func assertClean(t *testing.T, dir string) {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "git", "worktree", "list")
	command.Dir = dir
	out, err := command.Output()
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(out), "\n"), string(out))
}
