// Package ecs is the sandbox's Amazon ECS on Fargate: clusters, task definitions, and services whose scheduler keeps the wanted
// number of tasks, rolls deployments, and stops by the deployment circuit breaker. Tasks are containers of a container.Engine.
package ecs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/container"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// Options are what the services run on.
type Options struct {
	Region, Account string
	Clock           clock.Clock
	Journal         *journal.Journal
	Engine          container.Engine
	Images          Images
	TargetGroups    TargetGroups
	Parameters      Parameters
	Logs            Logs
}

// TargetGroups is the part of Elastic Load Balancing that tasks appear in. A target is named by its task's private address and
// its container's port.
type TargetGroups interface {
	// Register adds a target, which is reached on this machine at address (host:port).
	Register(targetGroupARN, id string, port int, address string) error
	// Deregister takes a target out of service; the channel is closed when it has drained.
	Deregister(targetGroupARN, id string, port int) (<-chan struct{}, error)
	DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error)
}

// Parameters is the part of Systems Manager that secrets come from.
type Parameters interface {
	GetParameters(context.Context, *ssm.GetParametersInput, ...func(*ssm.Options)) (*ssm.GetParametersOutput, error)
}

// Logs is the part of CloudWatch Logs that the awslogs driver uses.
type Logs interface {
	CreateLogStream(context.Context, *cloudwatchlogs.CreateLogStreamInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.CreateLogStreamOutput, error)
	PutLogEvents(context.Context, *cloudwatchlogs.PutLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.PutLogEventsOutput, error)
}

// Service is ECS in one account and region. Its operations have the shape of the SDK's client.
type Service struct {
	Options
	metadata *metadata
	// starts bounds how many containers are started at once.
	starts chan struct{}

	// closing ends with Close; what still runs then is stopped without draining.
	closing context.Context
	close   context.CancelFunc
	running sync.WaitGroup // controllers and tasks

	mu        sync.Mutex
	clusters  map[string]*cluster
	families  map[string]*family
	addresses int
}

// New returns an ECS without clusters. Close ends everything that it runs.
func New(o Options) *Service {
	closing, close := context.WithCancel(context.Background())
	return &Service{
		Options: o, metadata: &metadata{engine: o.Engine, tasks: map[string]*task{}}, starts: make(chan struct{}, 2*runtime.NumCPU()),
		closing: closing, close: close, clusters: map[string]*cluster{}, families: map[string]*family{},
	}
}

// Close stops every task, without draining and with little grace, and every controller, and returns when all have ended.
func (s *Service) Close() error {
	s.close()
	s.running.Wait()
	return s.metadata.close()
}

// ended tells whether Close has begun.
func (s *Service) ended() bool { return s.closing.Err() != nil }

func (s *Service) arn(kind, name string) string {
	return fmt.Sprintf("arn:aws:ecs:%s:%s:%s/%s", s.Region, s.Account, kind, name)
}

// nextAddress returns an unused private address, as a task's network interface has one.
func (s *Service) nextAddress() string {
	s.addresses++
	return fmt.Sprintf("10.0.%d.%d", 128+s.addresses/250%128, 4+s.addresses%250)
}

// lastPart is what follows the last slash of an ARN, or the whole of a plain name.
func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// taskID is an identifier in the form of ECS's task identifiers.
func taskID() string {
	var id [16]byte
	rand.Read(id[:]) //nolint:errcheck // it never fails
	return hex.EncodeToString(id[:])
}

// deploymentID is an identifier in the form of ECS's deployment identifiers.
func deploymentID() string {
	number, err := rand.Int(rand.Reader, big.NewInt(9_000_000_000_000_000_000))
	if err != nil {
		panic(err) // the system's source of randomness is gone
	}
	return fmt.Sprintf("ecs-svc/%019d", number)
}
