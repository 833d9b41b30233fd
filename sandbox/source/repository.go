// Package source is the git checkout that the sandbox delivers from: its commits stand for what a push brings to GitHub.
package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/penguinshop/delivery/sandbox/codepipeline"
)

// Repository is one git checkout with its whole history.
type Repository struct{ root string }

// Open returns the checkout that dir lies in. It refuses, in a sentence that says what to do, a folder outside a git checkout,
// a repository without a commit and a shallow clone, whose changed paths between commits cannot be told.
func Open(ctx context.Context, dir string) (*Repository, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return nil, errors.New("git is not installed: the sandbox delivers a commit, so install git")
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	r := &Repository{root: absolute}
	top, err := r.git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, fmt.Errorf("%s is not in a git checkout (%w): the sandbox delivers a commit, so clone the repository, or run `git init` and commit", absolute, err)
	}
	r.root = top
	if _, err := r.git(ctx, "rev-parse", "--verify", "HEAD^{commit}"); err != nil {
		return nil, fmt.Errorf("%s has no commit yet: the sandbox delivers a commit, so make one with `git add . && git commit`", top)
	}
	shallow, err := r.git(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return nil, err
	}
	if shallow == "true" {
		return nil, fmt.Errorf("%s is a shallow clone, and which paths a commit changes cannot be told from it: run `git fetch --unshallow`", top)
	}
	return r, nil
}

// Root is the checkout's top folder.
func (r *Repository) Root() string { return r.root }

// Dirty lists the files below the given path (relative to the root, with slashes) that differ from the current commit or are
// not part of it, as git status names them. Ignored files are not listed.
func (r *Repository) Dirty(ctx context.Context, path string) ([]string, error) {
	out, err := r.raw(ctx, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", path)
	if err != nil {
		return nil, err
	}
	var files []string
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if len(entry) > 3 {
			files = append(files, entry[3:])
		}
	}
	return files, nil
}

// Head returns the commit that is checked out. Whatever branch that is, it stands for the branch that the pipeline follows.
func (r *Repository) Head(ctx context.Context, _ string) (codepipeline.Commit, error) {
	return r.Commit(ctx, "HEAD")
}

// Commit returns the commit that the revision names.
func (r *Repository) Commit(ctx context.Context, revision string) (codepipeline.Commit, error) {
	out, err := r.git(ctx, "show", "--no-patch", "--format=%H%x00%aI%x00%B", revision+"^{commit}", "--")
	if err != nil {
		return codepipeline.Commit{}, fmt.Errorf("reading commit %s of %s: %w", revision, r.root, err)
	}
	fields := strings.SplitN(out, "\x00", 3)
	if len(fields) != 3 {
		return codepipeline.Commit{}, fmt.Errorf("reading commit %s of %s: git answered %q", revision, r.root, out)
	}
	date, err := time.Parse(time.RFC3339, fields[1])
	if err != nil {
		return codepipeline.Commit{}, fmt.Errorf("reading commit %s of %s: %w", revision, r.root, err)
	}
	return codepipeline.Commit{ID: fields[0], Date: date, Message: strings.TrimSpace(fields[2])}, nil
}

// Changed lists the files that differ between two commits, relative to the root.
func (r *Repository) Changed(ctx context.Context, from, to string) ([]string, error) {
	out, err := r.raw(ctx, "diff", "--name-only", "--no-renames", "-z", from, to, "--")
	if err != nil {
		return nil, fmt.Errorf("comparing commits %s and %s of %s: %w", from, to, r.root, err)
	}
	if out == "" {
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(out, "\x00"), "\x00"), nil
}

// Export writes the files of a commit, and nothing else of the checkout, into an existing folder.
func (r *Repository) Export(ctx context.Context, commit, folder string) error {
	archive := r.command(ctx, "archive", "--format=tar", commit)
	unpack := exec.CommandContext(ctx, "tar", "-x", "-C", folder)
	detach(unpack)
	var ofGit, ofTar bytes.Buffer
	archive.Stderr, unpack.Stderr = &ofGit, &ofTar
	pipe, err := archive.StdoutPipe()
	if err != nil {
		return err
	}
	unpack.Stdin = pipe
	if err := archive.Start(); err != nil {
		return err
	}
	unpacked := unpack.Run()
	archived := archive.Wait()
	if err := errors.Join(archived, unpacked); err != nil {
		return fmt.Errorf("exporting commit %s of %s: %w: %s", commit, r.root, err, strings.TrimSpace(ofGit.String()+ofTar.String()))
	}
	return nil
}

// Clone makes an existing, empty folder a clone of the checkout that has the commit checked out. It borrows the checkout's
// objects, so that it costs neither time nor room.
func (r *Repository) Clone(ctx context.Context, commit, folder string) error {
	_, err := r.raw(ctx, "clone", "--quiet", "--shared", "--no-checkout", "--template=", "--", r.root, folder)
	if err == nil {
		_, err = r.raw(ctx, "-C", folder, "checkout", "--quiet", "--detach", commit)
	}
	if err != nil {
		return fmt.Errorf("cloning commit %s of %s: %w", commit, r.root, err)
	}
	return nil
}

// Watch looks at the current commit every interval and hands on each push that it sees: the newest commit with what changed
// since the last one. It returns when ctx ends.
func (r *Repository) Watch(ctx context.Context, since, branch string, interval time.Duration, pushed func(codepipeline.Push)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		head, err := r.git(ctx, "rev-parse", "HEAD")
		if ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			return fmt.Errorf("watching %s: %w", r.root, err)
		}
		if head == since {
			continue
		}
		paths, err := r.Changed(ctx, since, head)
		if err != nil {
			return err
		}
		since = head
		pushed(codepipeline.Push{Branch: branch, Commit: head, Paths: paths})
	}
}

func (r *Repository) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "git", append([]string{"-C", r.root, "--no-optional-locks"}, args...)...)
	detach(c)
	return c
}

// detach gives the command a process group of its own, so that Ctrl-C in the terminal reaches the sandbox alone, which then
// ends its commands by their context.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// raw runs git and returns its output as it is; an error is what git said.
func (r *Repository) raw(ctx context.Context, args ...string) (string, error) {
	c := r.command(ctx, args...)
	var out, complaint bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaint
	if err := c.Run(); err != nil {
		if said := strings.TrimSpace(complaint.String()); said != "" {
			return "", errors.New(said)
		}
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return out.String(), nil
}

func (r *Repository) git(ctx context.Context, args ...string) (string, error) {
	out, err := r.raw(ctx, args...)
	return strings.TrimSuffix(out, "\n"), err
}
