package ecr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// door is the registry's port on loopback, which can be closed and opened again.
type door struct {
	handler http.Handler
	address string

	mu     sync.Mutex
	server *http.Server // nil while closed
}

// open listens at the address that the door had before, the first time at a free port.
func (d *door) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.server != nil {
		return nil
	}
	address := d.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("open the registry: %w", err)
	}
	d.address = listener.Addr().String()
	d.server = &http.Server{Handler: d.handler, ReadHeaderTimeout: 10 * time.Second}
	go func(server *http.Server) { _ = server.Serve(listener) }(d.server)
	return nil
}

// close cuts every connection.
func (d *door) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.server == nil {
		return nil
	}
	err := d.server.Close()
	d.server = nil
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the registry: %w", err)
	}
	return nil
}
