// Package scheduler is the sandbox's Amazon EventBridge Scheduler: schedule groups, and schedules that invoke a target once, at
// a rate or by a calendar.
package scheduler

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/target"
)

// Options say whose schedules these are and what they invoke.
type Options struct {
	Region, Account string
	Clock           clock.Clock
	Journal         *journal.Journal
	// Invoke hands a schedule's input to its target; source is the schedule's ARN.
	Invoke target.Invoke
}

// Service holds the schedules of one account and region and invokes their targets. Its operations have the shape of the SDK's
// client.
type Service struct {
	Options
	wake    chan struct{}
	closing context.Context
	close   context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	groups map[string]*group
}

// New returns a scheduler with the default group. Close ends it.
func New(o Options) *Service {
	closing, close := context.WithCancel(context.Background())
	s := &Service{Options: o, wake: make(chan struct{}, 1), closing: closing, close: close, groups: map[string]*group{}}
	s.groups[defaultGroup] = s.newGroup(defaultGroup)
	s.running.Add(1)
	go s.run()
	return s
}

// Close ends the deliveries that are being tried and returns when none is left.
func (s *Service) Close() error {
	s.close()
	s.running.Wait()
	return nil
}

func (s *Service) arn(kind, name string) string {
	return fmt.Sprintf("arn:aws:scheduler:%s:%s:%s/%s", s.Region, s.Account, kind, name)
}

func invalid(format string, args ...any) error {
	return &types.ValidationException{Message: new(fmt.Sprintf(format, args...))}
}

func missing(what, name string) error {
	return &types.ResourceNotFoundException{Message: new(fmt.Sprintf("%s %s does not exist.", what, name))}
}

func taken(what, name string) error {
	return &types.ConflictException{Message: new(fmt.Sprintf("%s %s already exists.", what, name))}
}
