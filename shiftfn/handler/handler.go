// Package handler is the function's front: it tells the events apart (a pipeline's job, the schedule's wake-up, an alarm),
// runs what each asks for and answers the pipeline.
package handler

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// Clock is the function's time. Rules never read it: it is passed to them as a value.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns the context's error when that ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

// Handler answers the events of one environment. It is safe for concurrent invocations.
type Handler struct {
	settings settings.Settings
	clients  adapter.Clients
	clock    Clock
	log      *slog.Logger
}

// New returns the handler of the environment that the settings describe. It calls nothing.
func New(s settings.Settings, c adapter.Clients, clock Clock, log *slog.Logger) *Handler {
	return &Handler{settings: s, clients: c, clock: clock, log: log}
}

// Invoke answers one event within the context's deadline, as Lambda calls it.
func (h *Handler) Invoke(ctx context.Context, event json.RawMessage) error {
	end, bounded := ctx.Deadline()
	if !bounded {
		end = h.clock.Now().Add(15 * time.Minute)
	}
	return h.InvokeUntil(ctx, event, end)
}

// InvokeUntil answers one event and leaves before end, a moment of the handler's own clock (which a local world may run
// faster than the machine's). A job that needs longer is answered with a continuation token.
//
// The error is for the operator of the function alone: what the pipeline has to know, it is told by the job's answer.
func (h *Handler) InvokeUntil(ctx context.Context, event json.RawMessage, end time.Time) error {
	return errors.New("the event is neither a CodePipeline job, a wake-up nor an alarm")
}
