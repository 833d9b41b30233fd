package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Call is the event with which a schedule, or a person, asks the function to put its environment to sleep or to wake it.
type Call struct {
	// Command is CommandSleep or CommandWake.
	Command string `json:"command"`
	// Scheduled is the moment that a schedule calls for; a person's call has none.
	Scheduled time.Time `json:"scheduled,omitzero"`
}

// The commands of a call.
const (
	CommandSleep = "sleep"
	CommandWake  = "wake"
)

// ParseCall reads a call, and refuses what is not one.
func ParseCall(text []byte) (Call, error) {
	var c Call
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return Call{}, fmt.Errorf("the call cannot be read: %w", err)
	}
	if c.Command != CommandSleep && c.Command != CommandWake {
		return Call{}, fmt.Errorf("the command is %q, neither %s nor %s", c.Command, CommandSleep, CommandWake)
	}
	if decoder.More() {
		return Call{}, errors.New("the call goes on after its end")
	}
	return c, nil
}

// ScheduledCall is a schedule's input that makes the call; EventBridge Scheduler fills the moment in.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
func ScheduledCall(command string) string {
	return fmt.Sprintf(`{"command":%q,"scheduled":"<aws.scheduler.scheduled-time>"}`, command)
}
