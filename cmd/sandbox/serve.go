package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/penguinshop/delivery/sandbox/console"
	"github.com/penguinshop/delivery/sandbox/drill"
	"github.com/penguinshop/delivery/sandbox/wire"
	"github.com/penguinshop/delivery/sandbox/world"
)

// consolePort is where the console is looked for first.
const consolePort = 8700

// served is the world's door on loopback: the console for a browser, and the services' API for the operator's tools.
type served struct {
	// URL is the console's.
	URL string
	// close ends it and waits for it.
	close func() error
}

// serve opens the console and the previews, and announces the sandbox to shiftctl. drills are the options of the drills that
// somebody starts in the console.
func serve(ctx context.Context, w *world.World, drills drill.Options) (_ *served, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	var problem error
	var mu sync.Mutex
	s := &served{}
	closing := []func() error{}
	s.close = func() error {
		cancel()
		background.Wait()
		for _, c := range closing {
			problem = errors.Join(problem, c())
		}
		return problem
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	p, err := newPanel(ctx, w)
	if err != nil {
		return nil, err
	}
	p.drills = &practice{options: drills, journal: w.Journal, context: ctx, background: &background}
	background.Go(func() { p.watch(ctx) })
	open := func(port int, handler http.Handler) (net.Listener, error) {
		listener, err := console.Listen(port)
		if err != nil {
			return nil, err
		}
		background.Go(func() {
			if err := console.Serve(ctx, listener, handler); err != nil {
				mu.Lock()
				defer mu.Unlock()
				problem = errors.Join(problem, err)
			}
		})
		return listener, nil
	}
	for _, e := range w.Environments {
		if e.PreviewHeaderName == "" {
			continue
		}
		listener, err := open(0, console.Preview(p, e.Name))
		if err != nil {
			return nil, err
		}
		p.previews[e.Name] = "http://" + listener.Addr().String()
	}
	pages := map[string]string{}
	for _, e := range w.Environments {
		pages[e.URL] = e.Address
	}
	token := rand.Text()
	listener, err := open(consolePort, console.Handler(p, console.Options{Charts: console.ChartsIn(w.Repository.Root()),
		Extra: map[string]http.Handler{"POST /aws/": wire.Handler(token, w.API())}}))
	if err != nil {
		return nil, err
	}
	s.URL = "http://" + listener.Addr().String()
	withdraw, err := wire.Announce(wire.Session{Address: listener.Addr().String(), Token: token, PID: os.Getpid(), Region: w.Region,
		Directory: w.Repository.Root(), Started: time.Now(), Pages: pages, Clock: w.Clock.Now(), Scale: w.Scale()})
	if err != nil {
		return nil, err
	}
	closing = append(closing, withdraw)
	return s, nil
}
