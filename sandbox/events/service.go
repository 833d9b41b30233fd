// Package events is the sandbox's Amazon EventBridge: buses, rules with patterns or schedules, and their targets. It keeps the
// events that were put, for whoever wants to know what happened.
package events

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/target"
)

// Options say whose events these are and where rules send them.
type Options struct {
	Region, Account string
	Clock           clock.Clock
	Journal         *journal.Journal
	// Invoke hands an event to a rule's target; source is the rule's ARN.
	Invoke target.Invoke
}

// Service holds the buses of one account and region. Its operations have the shape of the SDK's client.
type Service struct {
	Options
	wake    chan struct{}
	closing context.Context
	close   context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex
	buses map[string]*bus
	kept  []Event
}

// New returns an EventBridge with the default bus. Close ends it.
func New(o Options) *Service {
	closing, close := context.WithCancel(context.Background())
	s := &Service{Options: o, wake: make(chan struct{}, 1), closing: closing, close: close, buses: map[string]*bus{}}
	s.buses[defaultBus] = &bus{name: defaultBus, arn: s.arn("event-bus/" + defaultBus), rules: map[string]*rule{}}
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

// Events returns the newest events of all buses, oldest first; at most 10,000 are kept.
func (s *Service) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.kept)
}

func (s *Service) arn(resource string) string {
	return fmt.Sprintf("arn:aws:events:%s:%s:%s", s.Region, s.Account, resource)
}

func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{Code: "ValidationException", Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}

func missing(what, name string) error {
	return &types.ResourceNotFoundException{Message: new(fmt.Sprintf("%s %s does not exist.", what, name))}
}
