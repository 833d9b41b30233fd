package controller

import (
	"context"
	"log/slog"
	"strings"

	"github.com/penguinshop/delivery/shiftfn/record"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// The limits of CodePipeline's texts, in characters.
const (
	failureLimit = 5000
	summaryLimit = 2048
)

// Diagnosis is what was seen at the moment a candidate failed. Secrets are struck out of it.
type Diagnosis struct {
	// Targets are the targets that were not healthy, each with its reason.
	Targets []string `json:"targets,omitempty"`
	// Tasks are the candidate's tasks that stopped last, each with its reason.
	Tasks []string `json:"tasks,omitempty"`
	// Logs are the last lines of the candidate's log, oldest first.
	Logs []string `json:"logs,omitempty"`
	// Trouble names what could not be read.
	Trouble []string `json:"trouble,omitempty"`
}

// appendTo adds the diagnosis to a message: the short and telling parts first, for what is too long is cut off at the end.
func (d Diagnosis) appendTo(message string) string {
	var b strings.Builder
	b.WriteString(message)
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"Targets", d.Targets}, {"Stopped tasks", d.Tasks}, {"Last log lines", d.Logs}, {"Could not be read", d.Trouble},
	} {
		if len(part.lines) > 0 {
			b.WriteString("\n" + part.title + ":\n  " + strings.Join(part.lines, "\n  "))
		}
	}
	return b.String()
}

// EventKind is the detail type of an event.
type EventKind string

// What the function tells on the event bus, under the source penguinshop.shiftfn.
const (
	EventEnded   EventKind = "Shift Ended"
	EventRetired EventKind = "Standby Retired"
	EventAlarm   EventKind = "Alarm Outside Standby"
	EventAsleep  EventKind = "Environment Asleep"
	EventAwake   EventKind = "Environment Awake"
)

// Event is one thing that happened, for whoever subscribes. It holds no secret.
type Event struct {
	Kind        EventKind         `json:"-"`
	Environment string            `json:"environment"`
	Outcome     rollout.Outcome   `json:"outcome,omitempty"`
	Weights     *rollout.Weights  `json:"weights,omitempty"`
	Order       Order             `json:"release"`
	Reason      string            `json:"reason"`
	Findings    []rollout.Finding `json:"findings,omitempty"`
	Diagnosis   *Diagnosis        `json:"diagnosis,omitempty"`
}

func (c *Controller) publish(ctx context.Context, e Event) error {
	e.Environment = c.Environment
	return c.Herald.Publish(ctx, e)
}

func endEvent(h *hold, d rollout.Decision) Event {
	return Event{Kind: EventEnded, Outcome: d.Outcome, Weights: &d.Weights, Order: h.lease.Order,
		Reason: d.Headline() + ". " + d.Reason, Findings: d.Findings, Diagnosis: h.lease.Diagnosis}
}

// record writes the end of a shift into the function's own log, as a structured record.
func (c *Controller) record(h *hold, d rollout.Decision, message string) {
	level := slog.LevelInfo
	if d.Outcome != rollout.Promoted {
		level = slog.LevelError
	}
	c.Log.Log(context.Background(), level, record.Ended, record.Outcome, d.Outcome, record.Event, endEvent(h, d), "message", message)
}

// shorten cuts a text to n characters and marks the cut.
func shorten(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n-1]) + "…"
}
