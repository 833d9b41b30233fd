package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// Lease is the environment's one record outside the load balancer and ECS. It is kept as the input of a schedule, which makes
// it also an alarm clock: at Due the function is woken with the lease as its event.
//
// While a shift runs, the lease says who runs it, and wakes a new run when the running one was cut off: at Due, and again
// every five minutes until the lease has changed. After a promotion it says until when the old version stays warm, and wakes,
// once, the run that retires it. A wake-up whose lease is no longer the kept one was overtaken and does nothing; so a schedule
// that is late or doubled is harmless.
type Lease struct {
	Version int       `json:"version"`
	Kind    LeaseKind `json:"kind"`
	// Due is when the schedule wakes the function; the schedule of an Ended lease is switched off.
	Due time.Time `json:"due"`
	// Order is the release that the lease is about.
	Order Order `json:"order"`
	// Job is the pipeline's job that waits for an answer, empty when none does.
	Job string `json:"job,omitempty"`
	// Answered are the jobs that were begun last: a second delivery of one of them is ignored.
	Answered []string `json:"answered,omitempty"`

	// Owner is the run that may act, empty when the next one may take over. Run is its number in the shift. Token is its state.
	Owner string `json:"owner,omitempty"`
	Run   int    `json:"run,omitempty"`
	Token string `json:"token,omitempty"`
	// Diagnosis is what was seen when the shift turned.
	Diagnosis *Diagnosis `json:"diagnosis,omitempty"`

	// Live, Since and TaskDefinition belong to a standby: the promoted colour, the time of its promotion, and the revision of
	// the old version that the other colour keeps warm. Of a sleep or a waking, Since is when it was asked for.
	Live           rollout.Colour `json:"live,omitempty"`
	Since          time.Time      `json:"since,omitzero"`
	TaskDefinition string         `json:"taskDefinition,omitempty"`
}

// LeaseKind tells what a lease is for.
type LeaseKind string

// A lease of a running shift, of a warm standby, or of nothing any more; and, kept beside them, of a call that puts the
// environment to sleep or wakes it.
const (
	LeaseShift   LeaseKind = "shift"
	LeaseStandby LeaseKind = "standby"
	LeaseEnded   LeaseKind = "ended"
	LeaseSleep   LeaseKind = "sleep"
	LeaseWake    LeaseKind = "wake"
)

// Repeats tells whether the lease's schedule calls every five minutes from Due on, until the lease has changed, and not just
// once: the run that is called may be cut off as well.
func (l Lease) Repeats() bool { return l.Kind == LeaseShift || l.rests() }

// rests tells whether the lease is of a call that puts the environment to sleep or wakes it.
func (l Lease) rests() bool { return l.Kind == LeaseSleep || l.Kind == LeaseWake }

// Order is what a release is about.
type Order struct {
	Candidate rollout.Colour `json:"candidate"`
	// Digest is the image's, sha256:…; Commit is for the reports alone.
	Digest string `json:"digest"`
	Commit string `json:"commit,omitempty"`
}

// ErrNoLease tells that the environment has never had a lease.
var ErrNoLease = errors.New("no lease")

const leaseVersion = 1

// ParseLease reads a lease from a schedule's input or an event, and refuses what is not one.
func ParseLease(text []byte) (Lease, error) {
	var l Lease
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return Lease{}, fmt.Errorf("the schedule's input is not a lease: %w", err)
	}
	switch {
	case decoder.More():
		return Lease{}, errors.New("the lease goes on after its end")
	case l.Version != leaseVersion:
		return Lease{}, fmt.Errorf("the lease is of version %d; this function writes and reads version %d", l.Version, leaseVersion)
	case !slices.Contains([]LeaseKind{LeaseShift, LeaseStandby, LeaseEnded, LeaseSleep, LeaseWake}, l.Kind):
		return Lease{}, fmt.Errorf("the lease is of the unknown kind %q", l.Kind)
	case l.Kind == LeaseStandby && l.Live != rollout.Blue && l.Live != rollout.Green:
		return Lease{}, fmt.Errorf("the standby's live colour %q is neither blue nor green", l.Live)
	case l.Kind == LeaseShift:
		if _, err := rollout.ParseToken(l.Token); err != nil {
			return Lease{}, err
		}
	}
	return l, nil
}

// String is the lease as JSON.
func (l Lease) String() string {
	l.Version = leaseVersion
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // strings, numbers and times of this era: nothing here can fail to marshal
	}
	return string(text)
}

// same tells whether a wake-up's lease is still the kept one.
func (l Lease) same(kept Lease) bool {
	return l.Kind == kept.Kind && l.Job == kept.Job && l.Run == kept.Run && l.Owner == kept.Owner && l.Due.Equal(kept.Due)
}

// overdue tells whether a shift's run must be gone by now.
func (l Lease) overdue(now time.Time) bool { return !now.Before(l.Due) }

// answered returns the list of begun jobs with one more; it keeps the last eight.
func (l Lease) answered(job string) []string {
	list := append(slices.Clone(l.Answered), job)
	return list[max(0, len(list)-8):]
}

// knows tells whether a job was begun before.
func (l Lease) knows(job string) bool { return slices.Contains(l.Answered, job) }
