package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/penguinshop/delivery/sandbox/console"
	"github.com/penguinshop/delivery/sandbox/drill"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// practice runs the drills that somebody starts in the console, one at a time, each in a world of its own: what is live in the
// running world stays as it is.
type practice struct {
	options drill.Options
	// journal takes what a drill does, for the console's list of events.
	journal    *journal.Journal
	context    context.Context
	background *sync.WaitGroup

	mu       sync.Mutex
	running  string
	outcomes map[string]drill.Result
}

// start begins a drill, or says why not.
func (p *practice) start(name string) error {
	d, known := drill.Find(name)
	if !known {
		return fmt.Errorf("there is no drill %q", name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != "" {
		return fmt.Errorf("the drill %s is running: one runs at a time", p.running)
	}
	p.running = name
	p.background.Go(func() {
		result := p.run(d)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.running = ""
		if p.outcomes == nil {
			p.outcomes = map[string]drill.Result{}
		}
		p.outcomes[name] = result
		p.tell(d, outcome(result))
	})
	return nil
}

func (p *practice) run(d drill.Drill) drill.Result {
	options := p.options
	options.Say = func(sentence string) { p.tell(d, sentence) }
	ground, err := drill.Open(p.context, options)
	if err != nil {
		return drill.Failure(d, err)
	}
	result, err := ground.Run(p.context, d)
	if err = errors.Join(err, ground.Close()); err != nil {
		return drill.Failure(d, err)
	}
	return result
}

func (p *practice) tell(d drill.Drill, sentence string) {
	p.journal.Add(journal.Entry{Service: "drill", Kind: "drill", Text: d.Name + ": " + sentence})
}

// list are all drills with how they stand.
func (p *practice) list() []console.Drill {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []console.Drill
	for _, d := range drill.All() {
		one := console.Drill{Name: d.Name, Breaks: d.Breaks, Promise: d.Promise, Running: p.running == d.Name}
		if result, ran := p.outcomes[d.Name]; ran {
			one.Outcome, one.Passed = outcome(result), result.Passed
		}
		all = append(all, one)
	}
	return all
}

// outcome is a result in one sentence.
func outcome(r drill.Result) string {
	sentence := fmt.Sprintf("%s; %d of %d requests failed", r.Outcome, r.Failed, r.Requests)
	return strings.Join(append([]string{sentence}, r.Problems...), "; ")
}
