package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/drill"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/terminal"
	"github.com/penguinshop/delivery/sandbox/world"
)

// desk is where a person watches a running world from: it shows what happens, starts deliveries, takes approvals to the
// person and writes down the outcomes.
type desk struct {
	options runOptions
	world   *world.World
	screen  *terminal.Screen
	// typed are the person's lines; nil where nobody sits at a terminal.
	typed <-chan string

	load *world.Load
	mu   sync.Mutex
	// asking ends the question of an approval that somebody answers elsewhere, by action execution.
	asking map[string]context.CancelFunc
}

// watchEvery is how often the checkout is looked at for a new commit.
const watchEvery = time.Second

func (d *desk) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()

	entries, unsubscribe := d.world.Journal.Subscribe()
	defer unsubscribe()
	d.asking = map[string]context.CancelFunc{}
	for _, e := range d.world.Journal.Since(0) {
		d.screen.Show(e)
	}
	background.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-entries:
				d.screen.Show(e)
				d.approvals(ctx, e, &background)
			}
		}
	})

	door, err := serve(ctx, d.world, drill.Options{Dir: d.options.Dir, Program: d.options.Program, Engine: d.options.Engine,
		Scale: drillScale, Rate: drillRate})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, door.close()) }()
	d.screen.Say("the console is at %s", door.URL)
	for _, e := range d.world.Environments {
		d.screen.Say("%s answers at %s", e.Name, e.Address)
	}
	d.load = d.world.StartLoad(d.options.rate, nil)
	defer d.load.Stop()

	commit, err := d.world.Repository.Head(ctx, "")
	if err != nil {
		return err
	}
	before := d.load.Counts()
	execution, err := d.world.Start(ctx)
	if err != nil {
		return err
	}
	err = d.follow(ctx, execution, before)
	if d.options.once || ctx.Err() != nil {
		return err
	}
	if err != nil {
		d.screen.Note("%s", err)
	}
	d.screen.Say("waiting for the next commit; Ctrl-C ends")
	err = d.world.Repository.Watch(ctx, commit.ID, d.world.Branch, watchEvery, func(push codepipeline.Push) {
		before := d.load.Counts()
		started := d.world.Pipelines.Push(push)
		if len(started) == 0 {
			d.screen.Say("commit %.9s touches nothing that the pipeline's trigger names", push.Commit)
		}
		for _, execution := range started {
			background.Go(func() {
				if err := d.follow(ctx, execution, before); err != nil && ctx.Err() == nil {
					d.screen.Note("%s", err)
				}
			})
		}
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// follow waits for one execution's end, shows its outcome and writes it down.
func (d *desk) follow(ctx context.Context, execution string, before world.Counts) error {
	summary, err := d.world.Follow(ctx, execution, d.load, before)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	failure := (*world.FailedDelivery)(nil)
	if err != nil && !errors.As(err, &failure) {
		return err
	}
	d.screen.Table(summary)
	var lost []error
	for _, e := range summary.Environments {
		if e.Failed > 0 {
			lost = append(lost, fmt.Errorf("%d of %d users' requests to %s failed (%s)", e.Failed, e.Requests, e.Name, d.load.Counts()[e.Name].Worst()))
		}
	}
	if err := errors.Join(append([]error{err}, lost...)...); err != nil || d.options.summary == "" {
		return err
	}
	text, err := json.MarshalIndent(summary, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.options.summary, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("--summary: %w", err)
	}
	return nil
}

// approvals takes a question that the journal tells of to the person, and takes it back when it is answered elsewhere.
func (d *desk) approvals(ctx context.Context, e journal.Entry, background *sync.WaitGroup) {
	id, _ := e.Fields["actionExecution"].(string)
	status, _ := e.Fields["status"].(string)
	if e.Service != "codepipeline" || id == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if withdraw := d.asking[id]; withdraw != nil && status != "InProgress" {
		withdraw()
		delete(d.asking, id)
	}
	if e.Kind != "approval" {
		return
	}
	asking, withdraw := context.WithCancel(ctx)
	d.asking[id] = withdraw
	background.Go(func() {
		if err := d.ask(asking); err != nil && asking.Err() == nil {
			d.screen.Note("%s", err)
		}
	})
}

// ask answers every open question: by itself with --approve, otherwise as the person says.
func (d *desk) ask(ctx context.Context) error {
	questions, err := d.world.Questions(ctx)
	if err != nil {
		return err
	}
	for _, q := range questions {
		d.screen.Question(q)
		approved, words := true, "given by --approve"
		switch {
		case d.options.approve:
		case d.typed == nil:
			d.screen.Note("nobody sits at this terminal: approve with --approve or `shiftctl approve --sandbox`")
			return nil
		default:
			if approved, err = d.screen.Ask(ctx, "Deliver to "+q.Stage+"?", d.typed); err != nil {
				return err
			}
			words = "answered in the terminal"
		}
		if err := d.world.Answer(ctx, q, approved, words); err != nil {
			return err
		}
	}
	return nil
}
