// Package world composes the sandbox: it raises the services, makes them hold what the Pulumi program declares, and takes
// everything down again.
package world

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/operator"
	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/container"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/source"
)

// preferredPort is the first environment's loopback port where none is asked for, so that a person finds the same address
// after each start.
const preferredPort = 8080

// Options say what is run and how.
type Options struct {
	// Dir is the Pulumi project's folder, in a git checkout.
	Dir string
	// Program is the Pulumi program.
	Program pulumi.RunFunc
	// Engine is docker, podman or process; empty takes the first that works.
	Engine string
	// Scale is how many times faster than the machine's the sandbox's time runs, at least 1.
	Scale float64
	// Sleep lets the environments sleep in the nights of the sandbox's own clock, as their config has it. Without it the schedules
	// are not declared: a fast clock would bring a night in the middle of a delivery.
	Sleep bool
	// Port is the loopback port of the first environment, the next ones follow; one that is in use is an error. 0 takes 8080
	// and those after it, as far as they are free.
	Port int
	// Say is told, in sentences, what Open is doing. It may be nil.
	Say func(string)
}

// account stands for the AWS account in every ARN of the sandbox.
const account = "123456789012"

// World is a sandbox that runs. Its services are those of one AWS account and region.
type World struct {
	Clock      clock.Clock
	Journal    *journal.Journal
	Repository *source.Repository
	Engine     container.Engine

	Services

	// Environments are in the order in which the pipeline delivers to them.
	Environments []Environment
	// Pipeline is the name of the delivery's pipeline, Branch the branch that its source follows, Region the stacks' region.
	Pipeline, Branch, Region string

	dir     string
	project string // its name
	program pulumi.RunFunc
	scale   float64
	sleep   bool
	say     func(string)
	engine  engine
	closers []func() error // the newest is closed first
	close   func() error
}

// Operator is the delivery as an operator's tools see it.
func (w *World) Operator(ctx context.Context) (*operator.Delivery, error) {
	return operator.Find(ctx, operator.Clients{World: w.Clients(), Tagging: w.Tagging, Functions: w.Functions, Images: w.ECR,
		Pipelines: w.Pipelines}, w.Clock.Now, w.project)
}

// Scale is how many times faster than the machine's the world's time runs.
func (w *World) Scale() float64 { return w.scale }

// Open raises the world: the services, what the stacks declare, and every environment answering. An error leaves nothing
// behind; otherwise Close takes all down.
func Open(ctx context.Context, o Options) (_ *World, err error) {
	if o.Say == nil {
		o.Say = func(string) {}
	}
	w := &World{program: o.Program, scale: o.Scale, sleep: o.Sleep, say: o.Say, Clock: clock.Scaled(o.Scale)}
	w.close = sync.OnceValue(w.shut)
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	w.Journal = journal.New(w.Clock)
	graphs, err := w.declare(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	if err := w.checkout(ctx, o.Dir); err != nil {
		return nil, err
	}
	if err := w.raise(ctx, o, graphs); err != nil {
		return nil, err
	}
	o.Say(fmt.Sprintf("raising what %d stacks declare", len(graphs)))
	if _, err := w.apply(ctx, graphs); err != nil {
		return nil, err
	}
	if err := w.answering(ctx); err != nil {
		return nil, err
	}
	return w, nil
}

// Up reads the stacks' files and runs the program anew, and applies what differs, as `pulumi up` does.
func (w *World) Up(ctx context.Context) (Changes, error) {
	_, graphs, err := w.read(ctx, w.dir)
	if err != nil {
		return Changes{}, err
	}
	return w.apply(ctx, graphs)
}

// read runs the program for all stacks of a project.
func (w *World) read(ctx context.Context, dir string) (*graph.Project, []*graph.Graph, error) {
	project, err := graph.Load(dir)
	if err != nil {
		return nil, nil, err
	}
	options := []graph.Option{graph.WithAccount(account)}
	for _, stack := range project.Stacks() {
		if !w.sleep {
			options = append(options, graph.WithoutConfig(stack, project.Name+":sleep"))
		}
	}
	graphs, err := project.RunAll(ctx, w.program, options...)
	return project, graphs, err
}

func (w *World) apply(ctx context.Context, graphs []*graph.Graph) (Changes, error) {
	changes, err := w.engine.up(ctx, graphs...)
	if err != nil {
		return changes, err
	}
	return changes, w.Tagging.Declare(graphs...)
}

// Close takes everything down, the newest first, and goes on where something cannot be closed. A second call does nothing.
func (w *World) Close() error { return w.close() }

func (w *World) shut() error {
	var problems []error
	for _, closer := range slices.Backward(w.closers) {
		problems = append(problems, closer())
	}
	return errors.Join(problems...)
}

// onClose notes how something is taken down.
func (w *World) onClose(what string, closer func() error) {
	w.closers = append(w.closers, func() error {
		if err := closer(); err != nil {
			return fmt.Errorf("closing %s: %w", what, err)
		}
		return nil
	})
}

// declare runs the program for all stacks and reads what matters of them.
func (w *World) declare(ctx context.Context, dir string) ([]*graph.Graph, error) {
	project, graphs, err := w.read(ctx, dir)
	if err != nil {
		return nil, err
	}
	w.dir, w.project = dir, project.Name
	var environments []Environment
	var stages []string
	for _, g := range graphs {
		if e, yes := environmentOf(g); yes {
			environments = append(environments, e)
		}
		if region := g.Config["aws:region"]; w.Region == "" {
			w.Region = region
		} else if region != w.Region {
			return nil, fmt.Errorf("stack %s is in %s and another one in %s: the sandbox stands for one region", g.Stack, region, w.Region)
		}
		for _, r := range g.OfType("aws:codepipeline/pipeline:Pipeline") {
			if w.Pipeline != "" {
				return nil, fmt.Errorf("%s: there is another pipeline, %s, and the sandbox delivers by one", r.URN, w.Pipeline)
			}
			if stages, err = w.readPipeline(r); err != nil {
				return nil, err
			}
		}
	}
	if w.Pipeline == "" {
		return nil, fmt.Errorf("no stack of %s declares a pipeline", dir)
	}
	for _, stage := range stages {
		if i := slices.IndexFunc(environments, func(e Environment) bool { return e.Name == stage }); i >= 0 {
			w.Environments = append(w.Environments, environments[i])
		}
	}
	// The environments are raised in the pipeline's order, so that their ports follow it.
	rank := func(g *graph.Graph) int {
		i := slices.IndexFunc(w.Environments, func(e Environment) bool { return e.Name == g.Exports[contract.KeyEnvironment] })
		if i < 0 {
			return len(w.Environments)
		}
		return i
	}
	slices.SortStableFunc(graphs, func(a, b *graph.Graph) int { return rank(a) - rank(b) })
	if len(w.Environments) == 0 {
		return nil, fmt.Errorf("pipeline %s delivers to no environment: none of its stages (%s) bears the name of one", w.Pipeline, strings.Join(stages, ", "))
	}
	return graphs, nil
}

func (w *World) readPipeline(r graph.Resource) (stages []string, err error) {
	declared, err := graph.Decode[struct {
		Name   string `json:"name"`
		Stages []struct {
			Name    string `json:"name"`
			Actions []struct {
				Configuration map[string]string `json:"configuration"`
			} `json:"actions"`
		} `json:"stages"`
	}](r)
	if err != nil {
		return nil, err
	}
	w.Pipeline = declared.Name
	for _, st := range declared.Stages {
		stages = append(stages, st.Name)
		for _, a := range st.Actions {
			if branch := a.Configuration["BranchName"]; branch != "" {
				w.Branch = branch
			}
		}
	}
	return stages, nil
}

// checkout opens the git checkout and refuses one whose app differs from its commit: what a person sees in the files would
// not be what is delivered.
func (w *World) checkout(ctx context.Context, dir string) error {
	repository, err := source.Open(ctx, dir)
	if err != nil {
		return err
	}
	w.Repository = repository
	dirty, err := repository.Dirty(ctx, "app")
	if err != nil {
		return err
	}
	if len(dirty) > 0 {
		const shown = 5
		more := ""
		if len(dirty) > shown {
			dirty, more = dirty[:shown], ", …"
		}
		return fmt.Errorf("%s differs from the commit that is checked out (%s%s), and the commit is what is delivered: commit the changes, or put them aside with `git stash -u`",
			filepath.Join(repository.Root(), "app"), strings.Join(dirty, ", "), more)
	}
	return nil
}
