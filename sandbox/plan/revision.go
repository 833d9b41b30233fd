package plan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// At makes the plans of another git revision, by that revision's own program: it is checked out into a temporary folder, its
// own `cmd/sandbox` is built there and asked for its plan as JSON. dir is a folder of the repository. The folder is removed
// whatever happens. A stack that the revision does not have is not in the result.
func At(ctx context.Context, dir, revision string) (plans []*Plan, err error) {
	top, err := git(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, fmt.Errorf("comparing with another revision needs a git repository: %w", err)
	}
	commit, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return nil, fmt.Errorf("there is no revision %q here: a right value is a branch, a tag or a commit, such as main or HEAD~1", revision)
	}
	from, err := git(ctx, dir, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	temporary, err := os.MkdirTemp("", "penguinshop-plan-")
	if err != nil {
		return nil, err
	}
	checkout := filepath.Join(temporary, "tree")
	defer func() {
		// Cleaning up must not end with the caller's context: Ctrl-C is when it matters.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, removed := git(clean, top, "worktree", "remove", "--force", checkout)
		if _, missing := os.Stat(checkout); os.IsNotExist(missing) {
			removed = nil
		}
		err = errors.Join(err, removed, os.RemoveAll(temporary))
	}()
	if _, err := git(ctx, top, "worktree", "add", "--quiet", "--detach", checkout, commit); err != nil {
		return nil, err
	}
	project := filepath.Join(checkout, from)
	if _, err := os.Stat(filepath.Join(project, "cmd", "sandbox", "plan.go")); err != nil {
		return nil, fmt.Errorf("%s (%.12s) has no plan to compare with: it is older than this command", revision, commit)
	}
	binary := filepath.Join(temporary, "sandbox")
	if _, err := run(ctx, project, "go", "build", "-o", binary, "./cmd/sandbox"); err != nil {
		return nil, fmt.Errorf("building %s: %w", revision, err)
	}
	printed, err := run(ctx, project, binary, "plan", "--format", "json")
	if err != nil {
		return nil, fmt.Errorf("the plan of %s: %w", revision, err)
	}
	if err := json.Unmarshal([]byte(printed), &plans); err != nil {
		return nil, fmt.Errorf("the plan of %s is not in the form that this command reads: %w", revision, err)
	}
	return plans, nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	return run(ctx, dir, "git", args...)
}

// run runs a command and returns what it printed; an error carries what the command said.
func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	var printed, said bytes.Buffer
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Stdout, command.Stderr = dir, &printed, &said
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("%s %s: %w: %s", name, args[0], err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSpace(printed.String()), nil
}
