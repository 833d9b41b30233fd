package elb

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
)

// ErrUnsupported is behind every refusal of something that AWS does and the sandbox does not imitate.
var ErrUnsupported = errors.New("the sandbox does not imitate this")

// ErrPortInUse says that a loopback port that was asked for is taken.
var ErrPortInUse = errors.New("port in use")

// unsupported refuses, with a sentence that says what and what to do instead.
func unsupported(format string, args ...any) error {
	return &refusal{GenericAPIError: smithy.GenericAPIError{
		Code: "OperationNotPermitted", Message: "the sandbox does not imitate " + fmt.Sprintf(format, args...), Fault: smithy.FaultClient,
	}}
}

type refusal struct{ smithy.GenericAPIError }

func (*refusal) Is(target error) bool { return target == ErrUnsupported }

// invalid is what AWS answers to a request whose values break a rule; the SDK has no type for it.
func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{Code: "ValidationError", Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}

func groupNotFound() error {
	return &types.TargetGroupNotFoundException{Message: new("One or more target groups not found")}
}

func listenerNotFound() error {
	return &types.ListenerNotFoundException{Message: new("One or more listeners not found")}
}

func ruleNotFound() error {
	return &types.RuleNotFoundException{Message: new("One or more rules not found")}
}

func loadBalancerNotFound() error {
	return &types.LoadBalancerNotFoundException{Message: new("One or more load balancers not found")}
}

func inUse(format string, args ...any) error {
	return &types.ResourceInUseException{Message: new(fmt.Sprintf(format, args...))}
}

// tagged is the answer to a question about the tags of something that does not exist.
func tagged(arn string) error {
	switch {
	case strings.Contains(arn, ":loadbalancer/"):
		return loadBalancerNotFound()
	case strings.Contains(arn, ":listener/"):
		return listenerNotFound()
	case strings.Contains(arn, ":listener-rule/"):
		return ruleNotFound()
	}
	return groupNotFound()
}
