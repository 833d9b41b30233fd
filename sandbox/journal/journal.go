// Package journal is the sandbox's one stream of what happened: every part writes to it, and the terminal, the console and
// the tests read from it. Nothing decides by it.
package journal

import (
	"slices"
	"sync"
	"time"

	"github.com/penguinshop/delivery/sandbox/clock"
)

// Entry is one thing that happened, in words that a person can read.
type Entry struct {
	// Sequence counts entries from 1 without gaps.
	Sequence int `json:"sequence"`
	// Time is the sandbox's time, which runs faster than the machine's when a time scale is set.
	Time time.Time `json:"time"`
	// Service is the part that speaks: "codepipeline", "codebuild", "ecs", "elb", "shiftfn", "world", …
	Service string `json:"service"`
	// Environment is the environment's name, empty where the entry belongs to none.
	Environment string `json:"environment,omitempty"`
	// Kind names the sort of event for readers that filter or draw: "stage", "action", "weights", "health", "task", "log", …
	Kind string `json:"kind"`
	// Text is one sentence for a person. It never holds a secret.
	Text string `json:"text"`
	// Fields are the sentence's facts for machines; values marshal to JSON.
	Fields map[string]any `json:"fields,omitempty"`
}

// kept is how many entries a journal holds for readers that arrive late; older ones are dropped.
const kept = 10_000

// Journal keeps the newest entries and hands each new one to its subscribers. Its zero value is not usable: see New.
type Journal struct {
	clock   clock.Clock
	mu      sync.Mutex
	next    int
	entries []Entry
	readers map[chan Entry]struct{}
}

// New returns an empty journal that stamps its entries with clock.
func New(clock clock.Clock) *Journal {
	return &Journal{clock: clock, readers: map[chan Entry]struct{}{}}
}

// Add stamps, keeps and hands on an entry. It never blocks: a subscriber whose buffer is full loses the entry and can find
// it again by Since.
func (j *Journal) Add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.next++
	e.Sequence, e.Time = j.next, j.clock.Now()
	if j.entries = append(j.entries, e); len(j.entries) > kept {
		j.entries = slices.Delete(j.entries, 0, len(j.entries)-kept)
	}
	for reader := range j.readers {
		select {
		case reader <- e:
		default:
		}
	}
}

// Since returns the kept entries whose sequence is above the given one; Since(0) returns all that are kept.
func (j *Journal) Since(sequence int) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	first, _ := slices.BinarySearchFunc(j.entries, sequence+1, func(e Entry, s int) int { return e.Sequence - s })
	return slices.Clone(j.entries[first:])
}

// Subscribe returns a channel of the entries added from now on, and a function that ends the subscription and closes it.
func (j *Journal) Subscribe() (<-chan Entry, func()) {
	reader := make(chan Entry, 1024)
	j.mu.Lock()
	j.readers[reader] = struct{}{}
	j.mu.Unlock()
	return reader, sync.OnceFunc(func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.readers, reader)
		close(reader)
	})
}
