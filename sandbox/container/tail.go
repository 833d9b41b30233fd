package container

import (
	"context"
	"io"
	"sync"
)

// tailSize is how many bytes of a container's output are held for readers that come late.
const tailSize = 1 << 20

// tail holds the newest bytes of a stream that others follow. Writing to it never waits for a reader.
type tail struct {
	mu      sync.Mutex
	bytes   []byte
	dropped int // bytes that stood before the held ones
	closed  bool
	changed chan struct{} // closed and replaced at every change
}

func newTail() *tail { return &tail{changed: make(chan struct{})} }

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes = append(t.bytes, p...)
	if over := len(t.bytes) - tailSize; over > tailSize {
		// Cutting a whole size at a time keeps the copying linear in what is written.
		t.bytes = append([]byte(nil), t.bytes[over:]...)
		t.dropped += over
	}
	t.tell()
	return len(p), nil
}

func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.tell()
}

func (t *tail) tell() {
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.bytes)
}

// follow writes what is held and what comes, until the stream is closed or ctx ends. A reader that falls behind by more
// than is held loses what was between.
func (t *tail) follow(ctx context.Context, to io.Writer) error {
	for at := 0; ; {
		t.mu.Lock()
		at = max(at, t.dropped)
		next := append([]byte(nil), t.bytes[at-t.dropped:]...)
		closed, changed := t.closed, t.changed
		t.mu.Unlock()
		if len(next) > 0 {
			if _, err := to.Write(next); err != nil {
				return err
			}
			at += len(next)
			continue
		}
		if closed {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
