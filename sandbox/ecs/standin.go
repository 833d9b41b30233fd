package ecs

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/penguinshop/delivery/sandbox/container"
)

// responder stands in for a container whose image cannot be had: it answers every path with 200, so that health checks pass.
type responder struct {
	image    string
	listener net.Listener
	server   *http.Server
	done     chan struct{}
	end      func(container.Exit)
	exit     container.Exit
}

// standIn starts a responder on loopback.
func standIn(image string) (container.Container, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("a stand-in for %s: %w", image, err)
	}
	r := &responder{image: image, listener: listener, done: make(chan struct{})}
	var once sync.Once
	r.end = func(exit container.Exit) {
		once.Do(func() {
			r.exit = exit
			close(r.done)
		})
	}
	r.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "The sandbox answers in place of %s.\n", image)
	})}
	go r.server.Serve(listener) //nolint:errcheck // it ends with the server
	return r, nil
}

func (r *responder) ID() string            { return "stand-in:" + r.listener.Addr().String() }
func (r *responder) Address() string       { return r.listener.Addr().String() }
func (r *responder) Done() <-chan struct{} { return r.done }
func (r *responder) Exit() container.Exit  { return r.exit }

func (r *responder) Logs(ctx context.Context, to io.Writer) error {
	if _, err := fmt.Fprintf(to, "the sandbox answers in place of %s\n", r.image); err != nil {
		return err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
	}
	return nil
}

// Stop finishes the requests that have begun within grace.
func (r *responder) Stop(ctx context.Context, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil {
		r.server.Close() //nolint:errcheck // it is being given up
	}
	r.end(container.Exit{Code: 0, Reason: "stopped"})
	return nil
}

func (r *responder) Kill(context.Context) error {
	err := r.server.Close()
	r.end(container.Exit{Code: 137, Reason: "killed"})
	return err
}
