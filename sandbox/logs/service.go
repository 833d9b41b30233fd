// Package logs is the sandbox's Amazon CloudWatch Logs: groups, streams and the events in them, read by time, by stream and by
// filter pattern.
package logs

import (
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/penguinshop/delivery/sandbox/clock"
)

// Options say whose log groups these are.
type Options struct {
	Region, Account string
	Clock           clock.Clock
	// Metrics takes what the declared metric filters find; nil keeps none of it.
	Metrics Metrics
}

// Service holds the log groups of one account and region. Its operations have the shape of the SDK's client.
type Service struct {
	region, account string
	clock           clock.Clock
	metrics         Metrics

	mu     sync.Mutex
	groups map[string]*group
	// received numbers the events of all streams, so that two of one moment keep their order.
	received int64
}

// New returns a service without log groups.
func New(o Options) *Service {
	return &Service{region: o.Region, account: o.Account, clock: o.Clock, metrics: o.Metrics, groups: map[string]*group{}}
}

func (s *Service) now() int64 { return s.clock.Now().UnixMilli() }

func (s *Service) groupARN(name string) string {
	return fmt.Sprintf("arn:aws:logs:%s:%s:log-group:%s", s.region, s.account, name)
}

func (s *Service) missing(what, name string) error {
	return &types.ResourceNotFoundException{Message: new(fmt.Sprintf("The specified log %s does not exist: %s", what, name))}
}

func invalid(format string, args ...any) error {
	return &types.InvalidParameterException{Message: new(fmt.Sprintf(format, args...))}
}

func exists(what string) error {
	return &types.ResourceAlreadyExistsException{Message: new(fmt.Sprintf("The specified log %s already exists", what))}
}

const day = 24 * time.Hour
