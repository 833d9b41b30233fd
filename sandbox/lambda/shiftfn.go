package lambda

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/shiftfn/handler"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// shiftfn is the one program that the sandbox links in: it starts as the function's main does, from its environment variable.
func shiftfn(c clock.Clock) Program {
	return func(ctx context.Context, i Invocation) error {
		s, err := settings.Parse(i.Variables[settings.Variable])
		if err != nil {
			return err
		}
		log := slog.New(slog.NewJSONHandler(&lines{write: i.Log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
		h, err := handler.New(s, i.Clients, handlerClock{c}, log)
		if err != nil {
			return err
		}
		return h.InvokeUntil(ctx, i.Event, i.End)
	}
}

type handlerClock struct{ clock.Clock }

func (c handlerClock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.After(d):
		return nil
	}
}

// lines cuts what is written to it into lines.
type lines struct {
	mu    sync.Mutex
	rest  []byte
	write func(line string)
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		l.write(string(line))
		l.rest = rest
	}
}
