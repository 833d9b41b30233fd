// Package record names the structured records in the function's log that others find it by: a metric filter, a page of
// CloudWatch, a person's query.
package record

// The messages (the key msg) of the records.
const (
	// Tick is written at every look at a shift, with the weights that it leaves.
	Tick = "tick"
	// Ended is written once, with the outcome and the whole event.
	Ended = "shift ended"
)

// The keys of a record.
const (
	Message     = "msg"
	Environment = "environment"
	Blue, Green = "blue", "green"
	Outcome     = "outcome"
	Event       = "event"
)
