package rollout

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Phase is where a shift stands.
type Phase string

// The phases in their order; aborting can follow each of the others but promoting.
const (
	Checking  Phase = "checking"  // is the world as this shift expects it?
	Starting  Phase = "starting"  // the candidate is being scaled to the live side's size
	Probing   Phase = "probing"   // the candidate is healthy and probed through the preview rule
	Shifting  Phase = "shifting"  // the candidate takes traffic
	Promoting Phase = "promoting" // the candidate has all traffic and passed; its bounds are being put in order
	Aborting  Phase = "aborting"  // the candidate is bad; traffic is on its way back
)

// State is what one tick leaves for the next. It is small: it travels in a continuation token. The world outranks it.
type State struct {
	Candidate Colour
	Phase     Phase
	// Started is when the shift began, Since when the present phase or weight took effect, and Turned when the shift turned to
	// promoting or aborting (0 before); in Unix seconds.
	Started, Since, Turned int64
	// Weight is the candidate's percentage as it was last seen or found written; Writing is what was asked for after that,
	// equal to Weight when nothing is under way.
	Weight, Writing int
	// Size is how many tasks the candidate must have: as many as the live side had.
	Size int
	// Woken is true when the stable side was found asleep, so that the shift waits for it.
	Woken bool
	// TaskDefinition is the revision that was checked and must stay the candidate's.
	TaskDefinition string
	// Targets, Probes, Metrics and Unknowns count verdicts in a row; Strangers counts looks that saw weights nobody here wrote.
	Targets, Probes, Metrics, Unknowns, Strangers int
	// Judged is the end of the newest period that was judged, in Unix seconds.
	Judged int64
	// Usual is the stable side's latest latency at the plan's percentile, in milliseconds; 0 while it is not known.
	Usual int
	// Reason says why a shift is aborting, or what it was promoted on.
	Reason string
	// Run counts the controller's runs of this shift: each continues the one before, so a late one is known by its number.
	Run int
	// Plan is the plan's ID at the last tick.
	Plan string
}

// Begin is the state of a shift that has not looked at the world yet.
func Begin(candidate Colour, plan Plan, now time.Time) State {
	return State{Candidate: candidate, Phase: Checking, Started: now.Unix(), Since: now.Unix(), Plan: plan.ID()}
}

// Return is the state of a shift that is to give all traffic, which candidate has, back to the other colour.
func Return(candidate Colour, plan Plan, now time.Time, reason string) State {
	s := Begin(candidate, plan, now)
	s.Phase, s.Weight, s.Writing, s.Turned = Aborting, 100, 100, s.Started
	s.Reason = shorten(reason, longestReason)
	return s
}

// Abandon turns a shift that nobody waits for any more; one that is promoting or aborting already goes on to its end.
func (s State) Abandon(now time.Time, reason string) State {
	if s.Turned == 0 {
		s.Phase, s.Since, s.Turned = Aborting, now.Unix(), now.Unix()
		s.Reason = shorten(reason, longestReason)
	}
	return s
}

// Resume gives a shift that was cut off on its last stretch the time for it anew.
func (s State) Resume(now time.Time) State {
	if s.Turned > 0 {
		s.Turned = now.Unix()
	}
	return s
}

// Stable is the colour that the traffic came from.
func (s State) Stable() Colour { return s.Candidate.Other() }

// TokenLimit is the longest continuation token that CodePipeline takes, in characters.
const TokenLimit = 2048

// longestReason bounds the only text of a state that grows, so that a token always fits: a character of it can take six in
// JSON.
const longestReason = 160

const tokenVersion = 1

// token is a state as it is written; the names are short and stay as they are, for a new version of the function reads the
// tokens of the one before.
type token struct {
	Version        int    `json:"v"`
	Candidate      Colour `json:"c"`
	Phase          Phase  `json:"ph"`
	Started        int64  `json:"st"`
	Since          int64  `json:"si"`
	Turned         int64  `json:"tu,omitempty"`
	Weight         int    `json:"w"`
	Writing        int    `json:"wr"`
	Size           int    `json:"n"`
	Woken          bool   `json:"wk,omitempty"`
	TaskDefinition string `json:"td,omitempty"`
	Counts         [5]int `json:"k"`
	Judged         int64  `json:"j,omitempty"`
	Usual          int    `json:"u,omitempty"`
	Run            int    `json:"i"`
	Reason         string `json:"r,omitempty"`
	Plan           string `json:"p,omitempty"`
}

// Token writes the state down in at most TokenLimit characters.
func (s State) Token() (string, error) {
	text, err := json.Marshal(token{
		Version: tokenVersion, Candidate: s.Candidate, Phase: s.Phase, Started: s.Started, Since: s.Since, Turned: s.Turned,
		Weight: s.Weight, Writing: s.Writing, Size: s.Size, Woken: s.Woken, TaskDefinition: s.TaskDefinition,
		Counts: [5]int{s.Targets, s.Probes, s.Metrics, s.Unknowns, s.Strangers},
		Judged: s.Judged, Usual: s.Usual, Run: s.Run, Reason: s.Reason, Plan: s.Plan,
	})
	if err != nil {
		return "", err
	}
	if len(text) > TokenLimit {
		return "", fmt.Errorf("the state takes %d characters; a continuation token has at most %d", len(text), TokenLimit)
	}
	return string(text), nil
}

// ParseToken reads what Token wrote, and refuses everything else.
func ParseToken(text string) (State, error) {
	if len(text) > TokenLimit {
		return State{}, fmt.Errorf("a token of %d characters is not ours: the longest has %d", len(text), TokenLimit)
	}
	var t token
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&t); err != nil {
		return State{}, fmt.Errorf("the token is not one of ours: %w", err)
	}
	if decoder.More() {
		return State{}, fmt.Errorf("the token goes on after its end")
	}
	if t.Version != tokenVersion {
		return State{}, fmt.Errorf("the token is of version %d; this function writes and reads version %d", t.Version, tokenVersion)
	}
	known := t.Candidate == Blue || t.Candidate == Green
	switch t.Phase {
	case Checking, Starting, Probing, Shifting, Promoting, Aborting:
	default:
		known = false
	}
	for _, n := range t.Counts {
		known = known && n >= 0 && n < 1<<20
	}
	if !known || t.Weight < 0 || t.Weight > 100 || t.Writing < 0 || t.Writing > 100 || t.Size < 0 || t.Size > 1<<20 ||
		t.Run < 0 || t.Run > 1<<20 ||
		t.Started <= 0 || t.Since <= 0 || t.Judged < 0 || t.Turned < 0 || t.Usual < 0 || t.Usual > 1<<30 ||
		max(t.Started, t.Since, t.Turned, t.Judged) > latest {
		return State{}, fmt.Errorf("the token holds a value out of its range: %s", shorten(text, 200))
	}
	return State{
		Candidate: t.Candidate, Phase: t.Phase, Started: t.Started, Since: t.Since, Turned: t.Turned,
		Weight: t.Weight, Writing: t.Writing, Size: t.Size, Woken: t.Woken, TaskDefinition: t.TaskDefinition,
		Targets: t.Counts[0], Probes: t.Counts[1], Metrics: t.Counts[2], Unknowns: t.Counts[3], Strangers: t.Counts[4],
		Judged: t.Judged, Usual: t.Usual, Run: t.Run, Reason: t.Reason, Plan: t.Plan,
	}, nil
}

// latest is the last moment that a token may name: the year 9999, beyond which times have no RFC 3339 form.
const latest = 253_402_300_799

// shorten cuts a text to at most n characters and marks the cut. It keeps whole characters.
func shorten(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n-1]) + "…"
}
