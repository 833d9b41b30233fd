// Package ssm is the sandbox's AWS Systems Manager Parameter Store.
package ssm

import (
	"fmt"
	"strings"
	"sync"

	"github.com/aws/smithy-go"

	"github.com/penguinshop/delivery/sandbox/clock"
)

// Options say whose parameters these are.
type Options struct {
	Region, Account string
	Clock           clock.Clock
}

// Service holds the parameters of one account and region. Its operations have the shape of the SDK's client.
type Service struct {
	region, account string
	clock           clock.Clock

	mu         sync.Mutex
	parameters map[string]*parameter
}

// New returns an empty parameter store.
func New(o Options) *Service {
	return &Service{region: o.Region, account: o.Account, clock: o.Clock, parameters: map[string]*parameter{}}
}

// arnPrefix is what stands before a parameter's name in its ARN; a name's leading slash is the ARN's.
func (s *Service) arnPrefix() string {
	return fmt.Sprintf("arn:aws:ssm:%s:%s:parameter/", s.region, s.account)
}

func (s *Service) arn(name string) string { return s.arnPrefix() + strings.TrimPrefix(name, "/") }

func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{Code: "ValidationException", Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}
