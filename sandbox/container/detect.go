package container

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/penguinshop/delivery/sandbox/scratch"
)

// The engines by name, the preferred one first.
const (
	Docker  = "docker"
	Podman  = "podman"
	Process = "process"
)

// Names are the engines' names in the order in which Detect tries them.
func Names() []string { return []string{Docker, Podman, Process} }

// Options say which engine to take and what it works with.
type Options struct {
	// Engine forces an engine by its name; empty takes the first of Names that works here.
	Engine string
	// Registry is host:port of the sandbox's own registry on loopback. Images of it are spoken for without TLS and are
	// removed with the run.
	Registry string
	// Progress is told, in sentences, of work that takes a while. It may be nil.
	Progress func(string)
}

// Detect returns the engine to run on, and clears away what killed earlier runs left of theirs. The notes say, in a sentence
// each, why an engine that is preferred was passed over. A forced engine that does not work here is an error that says what
// is missing.
func Detect(ctx context.Context, o Options) (Engine, []string, error) {
	if o.Engine != "" && !slices.Contains(Names(), o.Engine) {
		return nil, nil, fmt.Errorf("there is no container engine %q: take one of %s", o.Engine, strings.Join(Names(), ", "))
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	dead, err := scratch.Dead()
	if err != nil {
		return nil, nil, err
	}
	folder, err := scratch.New()
	if err != nil {
		return nil, nil, err
	}
	engine, notes, err := choose(ctx, o, folder)
	if err == nil {
		err = sweep(ctx, engine, dead)
	}
	if err != nil {
		return nil, notes, errors.Join(err, folder.Close())
	}
	return engine, notes, nil
}

// sweeper is an engine that can remove what a dead run left of that engine's.
type sweeper interface {
	Engine
	sweep(ctx context.Context, dead []*scratch.Folder) error
}

func choose(ctx context.Context, o Options, folder *scratch.Folder) (sweeper, []string, error) {
	var notes []string
	for _, name := range Names() {
		if o.Engine != "" && o.Engine != name {
			continue
		}
		engine, err := open(ctx, name, o, folder)
		switch {
		case err == nil:
			return engine, notes, nil
		case ctx.Err() != nil:
			return nil, notes, ctx.Err()
		case o.Engine != "":
			return nil, nil, fmt.Errorf("the container engine %s does not work here: %w", name, err)
		}
		notes = append(notes, fmt.Sprintf("%s is not used: %v", name, err))
	}
	return nil, notes, errors.New("no container engine works here: " + strings.Join(notes, "; "))
}

func open(ctx context.Context, name string, o Options, folder *scratch.Folder) (sweeper, error) {
	switch name {
	case Docker:
		return openDocker(ctx, o, folder)
	case Podman:
		return openPodman(ctx, o, folder)
	default:
		return openProcess(o, folder)
	}
}

// sweep lets the chosen engine and the process engine, whose leftovers need no engine to remove, clear away dead runs.
func sweep(ctx context.Context, chosen sweeper, dead []*scratch.Folder) error {
	err := endProcesses(dead)
	if sweepErr := chosen.sweep(ctx, dead); sweepErr != nil {
		err = errors.Join(err, fmt.Errorf("clear away what an earlier run left: %w", sweepErr))
	}
	for _, folder := range dead {
		err = errors.Join(err, folder.Close())
	}
	return err
}
