// Package appautoscaling is the sandbox's Application Auto Scaling for ECS services: the bounds of a service's count, target
// tracking by requests, and scheduled changes of the bounds.
package appautoscaling

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// Options say whose scalable targets these are, what is scaled and by what it is measured.
type Options struct {
	Region, Account string
	Clock           clock.Clock
	Journal         *journal.Journal
	ECS             ECS
	Metrics         Metrics
}

// ECS is the part of ECS that scaling acts on.
type ECS interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
}

// Metrics is the part of CloudWatch that target tracking reads.
type Metrics interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// Service holds the scalable targets of one account and region. Its operations have the shape of the SDK's client.
type Service struct {
	Options
	wake    chan struct{}
	closing context.Context
	close   context.CancelFunc
	running sync.WaitGroup

	mu         sync.Mutex
	targets    map[string]*scalable // by resource id
	activities []types.ScalingActivity
}

// New returns a service without targets. Close ends it.
func New(o Options) *Service {
	closing, close := context.WithCancel(context.Background())
	s := &Service{Options: o, wake: make(chan struct{}, 1), closing: closing, close: close, targets: map[string]*scalable{}}
	s.running.Add(1)
	go s.run()
	return s
}

// Close ends the evaluation of the policies.
func (s *Service) Close() error {
	s.close()
	s.running.Wait()
	return nil
}

// run evaluates the policies at every full minute, and the scheduled actions when they are due.
func (s *Service) run() {
	defer s.running.Done()
	tracked := s.Clock.Now().Truncate(period)
	for {
		now := s.Clock.Now()
		if minute := now.Truncate(period); minute.After(tracked) {
			tracked = minute
			s.track(minute)
		}
		s.runDue(now)
		next := tracked.Add(period)
		if due := s.nextDue(); !due.IsZero() && due.Before(next) {
			next = due
		}
		timer := s.Clock.NewTimer(s.Clock.Until(next))
		select {
		case <-s.closing.Done():
			timer.Stop()
			return
		case <-s.wake:
			timer.Stop()
		case <-timer.Chan():
		}
	}
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func invalid(format string, args ...any) error {
	return &types.ValidationException{Message: new(fmt.Sprintf(format, args...))}
}

func missing(format string, args ...any) error {
	return &types.ObjectNotFoundException{Message: new(fmt.Sprintf(format, args...))}
}

// period is that of the metrics that target tracking reads.
const period = time.Minute
