package ecs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/container"
	local "github.com/penguinshop/delivery/sandbox/ecs"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/logs"
	"github.com/penguinshop/delivery/sandbox/ssm"
)

// world is one ECS over an engine, target groups, parameters and logs that a test can look into and break. It lives in a
// synctest bubble, where the machine's clock is a manual one.
type world struct {
	*local.Service
	engine  *engine
	groups  *groups
	params  *ssm.Service
	logs    *logs.Service
	journal *journal.Journal
	images  map[string]error // what resolving an image ends with; an image that is not listed is found
}

const (
	targetGroup = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blue/0123456789abcdef"
	goodImage   = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/penguinshop-dev@sha256:aaaa"
	badImage    = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/penguinshop-dev@sha256:bbbb"
)

func newWorld(t testing.TB) *world {
	t.Helper()
	clock := clockwork.NewRealClock()
	w := &world{
		engine: &engine{behaviour: map[string]behaviour{}}, groups: &groups{targets: map[string]*target{}}, images: map[string]error{},
		params: ssm.New(ssm.Options{Region: "eu-central-1", Account: "123456789012", Clock: clock}),
		logs:   logs.New(logs.Options{Region: "eu-central-1", Account: "123456789012", Clock: clock}), journal: journal.New(clock),
	}
	w.Service = local.New(local.Options{
		Region: "eu-central-1", Account: "123456789012", Clock: clock, Journal: w.journal, Engine: w.engine, TargetGroups: w.groups,
		Parameters: w.params, Logs: w.logs, Images: func(_ context.Context, image string) (local.Image, error) {
			if err := w.images[image]; err != nil {
				return local.Image{}, err
			}
			_, digest, _ := strings.Cut(image, "@")
			return local.Image{Reference: "127.0.0.1:5000/penguinshop-dev@" + digest, Digest: digest, ID: "sha256:config-" + digest}, nil
		},
	})
	_, err := w.logs.CreateLogGroup(context.Background(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: new("shop")})
	require.NoError(t, err)
	_, err = w.CreateCluster(context.Background(), &ecs.CreateClusterInput{ClusterName: new("shop")})
	require.NoError(t, err)
	return w
}

// pass lets time pass, and all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// within runs a test in a bubble and closes its world.
func within(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() {
			require.NoError(t, w.Close())
			require.Empty(t, w.engine.running(), "nothing runs after Close")
		}()
		test(t, w)
	})
}

// shape is a task definition with the image, whatever else a test changes in it.
func shape(image string, change ...func(*ecs.RegisterTaskDefinitionInput)) *ecs.RegisterTaskDefinitionInput {
	in := &ecs.RegisterTaskDefinitionInput{
		Family: new("shop-blue"), Cpu: new("256"), Memory: new("512"), NetworkMode: types.NetworkModeAwsvpc,
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: new("app"), Image: &image, PortMappings: []types.PortMapping{{ContainerPort: new(int32(8080))}},
			Environment: []types.KeyValuePair{{Name: new("COLOUR"), Value: new("blue")}}, StopTimeout: new(int32(20)),
			LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
				"awslogs-group": "shop", "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "blue",
			}},
		}},
	}
	for _, c := range change {
		c(in)
	}
	return in
}

func (w *world) register(t testing.TB, in *ecs.RegisterTaskDefinitionInput) string {
	t.Helper()
	out, err := w.RegisterTaskDefinition(context.Background(), in)
	require.NoError(t, err)
	return *out.TaskDefinition.TaskDefinitionArn
}

// service is a service's declaration, whatever else a test changes in it.
func service(definition string, desired int32, change ...func(*ecs.CreateServiceInput)) *ecs.CreateServiceInput {
	in := &ecs.CreateServiceInput{
		ServiceName: new("blue"), Cluster: new("shop"), TaskDefinition: &definition, DesiredCount: &desired, LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}},
		LoadBalancers:        []types.LoadBalancer{{TargetGroupArn: new(targetGroup), ContainerName: new("app"), ContainerPort: new(int32(8080))}},
		DeploymentConfiguration: &types.DeploymentConfiguration{
			DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true}},
		HealthCheckGracePeriodSeconds: new(int32(30)),
	}
	for _, c := range change {
		c(in)
	}
	return in
}

func rollback(in *ecs.CreateServiceInput) {
	in.DeploymentConfiguration.DeploymentCircuitBreaker.Rollback = true
}

func (w *world) create(t testing.TB, in *ecs.CreateServiceInput) {
	t.Helper()
	_, err := w.CreateService(context.Background(), in)
	require.NoError(t, err)
}

func (w *world) update(t testing.TB, in *ecs.UpdateServiceInput) {
	t.Helper()
	in.Service, in.Cluster = new("blue"), new("shop")
	_, err := w.UpdateService(context.Background(), in)
	require.NoError(t, err)
}

func (w *world) look(t testing.TB) types.Service {
	t.Helper()
	out, err := w.DescribeServices(context.Background(), &ecs.DescribeServicesInput{Cluster: new("shop"), Services: []string{"blue"}})
	require.NoError(t, err)
	require.Len(t, out.Services, 1)
	return out.Services[0]
}

// await lets time pass until the service is as wanted.
func (w *world) await(t testing.TB, what string, wanted func(types.Service) bool) types.Service {
	t.Helper()
	for range 3600 {
		synctest.Wait()
		if sv := w.look(t); wanted(sv) {
			return sv
		}
		pass(time.Second)
	}
	sv := w.look(t)
	require.Fail(t, "an hour passes without it", "%s: %d of %d tasks, %s, %s", what, sv.RunningCount, sv.DesiredCount,
		sv.Deployments[0].RolloutState, strings.Join(messages(sv), "\n"))
	return sv
}

func (w *world) steady(t testing.TB) types.Service {
	t.Helper()
	return w.await(t, "steady", func(sv types.Service) bool {
		return len(sv.Deployments) == 1 && sv.Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted && sv.RunningCount == sv.DesiredCount &&
			len(sv.Events) > 0 && strings.Contains(*sv.Events[0].Message, "steady state")
	})
}

func messages(sv types.Service) []string {
	var all []string
	for _, e := range sv.Events {
		all = append(all, *e.Message)
	}
	return all
}

func (w *world) tasks(t testing.TB, status types.DesiredStatus) []types.Task {
	t.Helper()
	list, err := w.ListTasks(context.Background(), &ecs.ListTasksInput{Cluster: new("shop"), ServiceName: new("blue"), DesiredStatus: status})
	require.NoError(t, err)
	if len(list.TaskArns) == 0 {
		return nil
	}
	out, err := w.DescribeTasks(context.Background(), &ecs.DescribeTasksInput{Cluster: new("shop"), Tasks: list.TaskArns})
	require.NoError(t, err)
	return out.Tasks
}

// behaviour is how the containers of an image act.
type behaviour struct {
	startFails error
	// exits is after how long a container ends by itself, with code; 0 is never.
	exits time.Duration
	code  int
	// ignoresTerm lets it run until it is killed.
	ignoresTerm bool
	startTakes  time.Duration
}

// engine runs containers that are nothing but a state.
type engine struct {
	mu         sync.Mutex
	behaviour  map[string]behaviour // by the digest that an image ends in
	containers []*box
	specs      []container.Spec
}

func (e *engine) Name() string { return "fake" }

func (e *engine) InstallCLI(string) error { return nil }

func (e *engine) BaseImage(_ context.Context, wanted string) (string, string, error) {
	return wanted, "", nil
}

func (e *engine) Close() error { return nil }

func (e *engine) Listen(context.Context) (net.Listener, string, error) {
	return &deaf{done: make(chan struct{})}, "10.88.0.1", nil
}

func (e *engine) Start(ctx context.Context, spec container.Spec) (container.Container, error) {
	e.mu.Lock()
	_, digest, _ := strings.Cut(spec.Image, "@")
	acts := e.behaviour[digest]
	e.specs = append(e.specs, spec)
	id := fmt.Sprintf("%064d", len(e.specs))
	e.mu.Unlock()
	if acts.startTakes > 0 {
		select {
		case <-time.After(acts.startTakes):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if acts.startFails != nil {
		return nil, acts.startFails
	}
	c := &box{id: id, acts: acts, done: make(chan struct{}), image: spec.Image}
	if acts.exits > 0 {
		time.AfterFunc(acts.exits, func() { c.end(container.Exit{Code: acts.code, Reason: "Essential container in task exited"}) })
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.containers = append(e.containers, c)
	return c, nil
}

// acts makes the containers of an image act in a way.
func (e *engine) acts(digest string, how behaviour) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.behaviour[digest] = how
}

// running are the containers that have not ended or were not removed.
func (e *engine) running() []*box {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.containers), func(c *box) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.removed
	})
}

type box struct {
	id, image string
	acts      behaviour
	done      chan struct{}

	mu      sync.Mutex
	ended   bool
	removed bool
	exit    container.Exit
	grace   time.Duration
}

func (c *box) ID() string            { return c.id }
func (c *box) Address() string       { return "127.0.0.1:" + fmt.Sprint(30000+len(c.id)) }
func (c *box) Done() <-chan struct{} { return c.done }

func (c *box) Exit() container.Exit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exit
}

func (c *box) end(exit container.Exit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.ended, c.exit = true, exit
		close(c.done)
	}
}

func (c *box) Logs(ctx context.Context, to io.Writer) error {
	if _, err := io.WriteString(to, "listening\nno newline yet"); err != nil {
		return err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
	}
	return nil
}

func (c *box) Stop(_ context.Context, grace time.Duration) error {
	if c.acts.ignoresTerm {
		select {
		case <-c.done:
		case <-time.After(grace):
			c.end(container.Exit{Code: 137, Reason: "killed"})
		}
	}
	c.end(container.Exit{Code: 143, Reason: "stopped"})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removed, c.grace = true, grace
	return nil
}

func (c *box) Kill(context.Context) error {
	c.end(container.Exit{Code: 137, Reason: "killed"})
	return nil
}

// deaf is a listener that nobody calls.
type deaf struct {
	once sync.Once
	done chan struct{}
}

func (d *deaf) Accept() (net.Conn, error) {
	<-d.done
	return nil, net.ErrClosed
}

func (d *deaf) Close() error {
	d.once.Do(func() { close(d.done) })
	return nil
}

func (d *deaf) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 88, 0, 1), Port: 4711} }

// groups are target groups whose targets are healthy after warmup unless a test says otherwise.
type groups struct {
	warmup, drain time.Duration
	// ill tells which addresses' health checks fail.
	ill func(id string) bool

	mu       sync.Mutex
	targets  map[string]*target
	refuses  error
	wasTried int
}

type target struct {
	since   time.Time
	drained chan struct{}
}

func (g *groups) Register(group, id string, port int, address string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wasTried++
	if g.refuses != nil {
		return g.refuses
	}
	if group != targetGroup || port != 8080 || !strings.HasPrefix(address, "127.0.0.1:") {
		return errors.New("not as declared")
	}
	g.targets[id] = &target{since: time.Now()}
	return nil
}

func (g *groups) Deregister(_, id string, _ int) (<-chan struct{}, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.targets[id]
	drained := make(chan struct{})
	if at == nil {
		close(drained)
		return drained, nil
	}
	at.drained = drained
	time.AfterFunc(g.drain, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.targets, id)
		close(drained)
	})
	return drained, nil
}

func (g *groups) DescribeTargetHealth(_ context.Context, in *elb.DescribeTargetHealthInput, _ ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := aws.ToString(in.Targets[0].Id)
	health := &elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumUnused}
	if at := g.targets[id]; at != nil {
		switch {
		case at.drained != nil:
			health.State = elbtypes.TargetHealthStateEnumDraining
		case time.Since(at.since) < g.warmup:
			health.State = elbtypes.TargetHealthStateEnumInitial
		case g.ill != nil && g.ill(id):
			health.State, health.Description = elbtypes.TargetHealthStateEnumUnhealthy, new("Health checks failed with these codes: [500]")
		default:
			health.State = elbtypes.TargetHealthStateEnumHealthy
		}
	}
	return &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: []elbtypes.TargetHealthDescription{{TargetHealth: health}}}, nil
}

func (g *groups) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

// sicken makes the health checks of the addresses fail that ill tells.
func (g *groups) sicken(ill func(id string) bool) { g.set(func() { g.ill = ill }) }

// healthy is how many targets are.
func (g *groups) healthy() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for id, at := range g.targets {
		if at.drained == nil && time.Since(at.since) >= g.warmup && (g.ill == nil || !g.ill(id)) {
			n++
		}
	}
	return n
}

// inService are the addresses that take traffic.
func (g *groups) inService() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var ids []string
	for id, at := range g.targets {
		if at.drained == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
