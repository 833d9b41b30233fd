package console

import (
	"context"
	"time"

	"github.com/penguinshop/delivery/sandbox/journal"
)

// World is what the console shows and drives: a running sandbox.
type World interface {
	// State returns the present moment. It is called several times a second and must be cheap.
	State(ctx context.Context) (State, error)
	// Journal is the stream of what happens.
	Journal() *journal.Journal
	// Answer approves or rejects the waiting approval that has the token; an answered or unknown one is an error.
	Answer(ctx context.Context, a Answer) error
	// Rollback sends an environment's traffic back to the side that stands by, or says why it cannot.
	Rollback(ctx context.Context, environment string) error
	// Drill starts the named drill in a world of its own, beside this one; one runs at a time.
	Drill(ctx context.Context, name string) error
	// Preview returns the request header that reaches an environment's candidate at its URL.
	Preview(ctx context.Context, environment string) (url, header, value string, err error)
	// Log returns the last lines that an action of the current execution wrote.
	Log(ctx context.Context, stage, action string) (string, error)
}

// Answer is a person's word on an approval.
type Answer struct {
	Stage    string `json:"stage"`
	Action   string `json:"action"`
	Token    string `json:"token"`
	Approved bool   `json:"approved"`
	// Comment is kept with the execution; it may be empty.
	Comment string `json:"comment"`
}

// State is the whole sandbox at one moment.
type State struct {
	// Now is the sandbox's time, Scale how many times faster than the machine's it runs.
	Now   time.Time `json:"now"`
	Scale float64   `json:"scale"`
	// Runtime is docker, podman or process.
	Runtime      string        `json:"runtime"`
	Pipeline     Pipeline      `json:"pipeline"`
	Environments []Environment `json:"environments"`
	Drills       []Drill       `json:"drills"`
}

// Pipeline is the latest execution, as CodePipeline would tell it.
type Pipeline struct {
	Name      string  `json:"name"`
	Execution string  `json:"execution"`
	Status    string  `json:"status"`
	Commit    string  `json:"commit"`
	Message   string  `json:"message"`
	Author    string  `json:"author"`
	Digest    string  `json:"digest"`
	Stages    []Stage `json:"stages"`
}

// Stage is one stage and its actions in the order in which they run.
type Stage struct {
	Name    string   `json:"name"`
	Status  string   `json:"status"`
	Actions []Action `json:"actions"`
}

// Action is one action. Status is "", InProgress, Succeeded, Failed or Abandoned.
type Action struct {
	Name     string `json:"name"`
	Provider string `json:"provider"`
	Status   string `json:"status"`
	// Seconds is how long it has run or ran, in the sandbox's time.
	Seconds float64 `json:"seconds"`
	// Summary is the action's own last word, such as where the traffic is or why it failed.
	Summary string `json:"summary"`
	// Token is set while the action waits for a person's answer; Question is what the person is asked.
	Token    string `json:"token,omitempty"`
	Question string `json:"question,omitempty"`
}

// Environment is one environment with its two sides.
type Environment struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// Preview is where the candidate can be looked at while it takes no traffic; empty where there is none.
	Preview string `json:"preview"`
	// Live is the colour that has most of the traffic.
	Live string `json:"live"`
	// Step says in words what the running shift does, empty when none runs; Verdict is its last verdict.
	Step    string `json:"step"`
	Verdict string `json:"verdict"`
	// Standby is when the side that stands by is retired; zero when none stands by.
	Standby time.Time `json:"standby,omitzero"`
	Blue    Side      `json:"blue"`
	Green   Side      `json:"green"`
	// Samples are the last minutes, oldest first, one a second of the machine's time.
	Samples []Sample `json:"samples"`
}

// Side is one colour of an environment.
type Side struct {
	Weight int `json:"weight"`
	// Commit and Digest are empty for the placeholder.
	Commit  string   `json:"commit"`
	Digest  string   `json:"digest"`
	Running int      `json:"running"`
	Desired int      `json:"desired"`
	Targets []Target `json:"targets"`
}

// Target is one registered target, in the load balancer's own words.
type Target struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Reason string `json:"reason"`
}

// Sample is one second of an environment's traffic.
type Sample struct {
	// Unix is the second on the machine's clock.
	Unix  int64  `json:"unix"`
	Blue  Counts `json:"blue"`
	Green Counts `json:"green"`
}

// Counts is one second of one colour.
type Counts struct {
	Weight   int `json:"weight"`
	Requests int `json:"requests"`
	Errors   int `json:"errors"`
	// P50 and P99 are latencies in milliseconds.
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Drill is one thing that can be broken on purpose.
type Drill struct {
	Name string `json:"name"`
	// Breaks says what is broken, Promise what a user sees of it.
	Breaks  string `json:"breaks"`
	Promise string `json:"promise"`
	Running bool   `json:"running"`
	// Outcome is a sentence, empty until the drill has run once; Passed tells whether all went as promised.
	Outcome string `json:"outcome"`
	Passed  bool   `json:"passed"`
}
