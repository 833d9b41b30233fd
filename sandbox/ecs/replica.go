package ecs

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/journal"
)

const (
	statusActive   = "ACTIVE"
	statusDraining = "DRAINING"
	statusInactive = "INACTIVE"
)

// replicaService is an ECS service with the scheduling strategy REPLICA. Service.mu guards it.
type replicaService struct {
	name, arn string
	cluster   *cluster
	created   time.Time
	status    string
	tags      []types.Tag
	settings  settings
	desired   int32
	// deployments are the PRIMARY one and, behind it, the older ones that still have tasks.
	deployments []*deployment
	// completed is the last deployment that completed, where a rollback leads to.
	completed *deployment
	// tasks are those that have not ended, oldest first.
	tasks  []*task
	events []types.ServiceEvent
	// steady is true from the event that says so until something changes; blocked likewise.
	steady, blocked bool
	// failures in a row hold the scheduler back until startAfter.
	failures   int
	startAfter time.Time
	// wake makes the controller look at once; gone is closed when the service is INACTIVE.
	wake chan struct{}
	gone chan struct{}
}

// settings are a service's parameters; a deployment keeps those that it began with.
type settings struct {
	loadBalancers   []types.LoadBalancer
	network         *types.NetworkConfiguration
	deployment      types.DeploymentConfiguration
	gracePeriod     *int32
	launchType      types.LaunchType
	strategy        []types.CapacityProviderStrategyItem
	platformVersion *string
	propagateTags   types.PropagateTags
	managedTags     bool
	executeCommand  bool
	rebalancing     types.AvailabilityZoneRebalancing
	controller      *types.DeploymentController
}

func (sv *replicaService) primary() *deployment { return sv.deployments[0] }

func (sv *replicaService) breaker() types.DeploymentCircuitBreaker {
	if b := sv.settings.deployment.DeploymentCircuitBreaker; b != nil {
		return *b
	}
	return types.DeploymentCircuitBreaker{}
}

// counts are the service's tasks that are RUNNING and those on their way to it, of one deployment or, for nil, of all.
func (sv *replicaService) counts(of *deployment) (running, pending int32) {
	for _, t := range sv.tasks {
		if of != nil && t.deployment != of {
			continue
		}
		switch t.last {
		case taskRunning:
			running++
		case taskProvisioning, taskPending, taskActivating:
			pending++
		}
	}
	return running, pending
}

// poke makes the controller look at the service now.
func (sv *replicaService) poke() {
	select {
	case sv.wake <- struct{}{}:
	default:
	}
}

// keptEvents is how many events DescribeServices tells.
const keptEvents = 100

// event adds a line to the service's events, in AWS's words, and to the journal.
func (s *Service) event(sv *replicaService, format string, args ...any) {
	message := fmt.Sprintf("(service %s) ", sv.name) + fmt.Sprintf(format, args...)
	sv.events = append([]types.ServiceEvent{{Id: new(taskID()), CreatedAt: new(s.Clock.Now()), Message: &message}}, sv.events...)
	sv.events = sv.events[:min(len(sv.events), keptEvents)]
	s.tell(sv, "service", nil, format, args...)
}

// tell writes to the journal on behalf of a service.
func (s *Service) tell(sv *replicaService, kind string, fields map[string]any, format string, args ...any) {
	all := map[string]any{"service": sv.name, "cluster": sv.cluster.name}
	for key, value := range fields {
		all[key] = value
	}
	s.Journal.Add(journal.Entry{
		Service: "ecs", Environment: sv.cluster.environment, Kind: kind, Fields: all,
		Text: fmt.Sprintf("(service %s) ", sv.name) + fmt.Sprintf(format, args...),
	})
}

func (sv *replicaService) describe() types.Service {
	d := types.Service{
		ServiceName: &sv.name, ServiceArn: &sv.arn, ClusterArn: &sv.cluster.arn, Status: new(sv.status), CreatedAt: &sv.created, Tags: sv.tags,
		DesiredCount: sv.desired, Events: append([]types.ServiceEvent(nil), sv.events...), SchedulingStrategy: types.SchedulingStrategyReplica,
		TaskDefinition: sv.primary().definition.TaskDefinitionArn, LoadBalancers: sv.settings.loadBalancers,
		NetworkConfiguration: sv.settings.network, HealthCheckGracePeriodSeconds: sv.settings.gracePeriod, LaunchType: sv.settings.launchType,
		CapacityProviderStrategy: sv.settings.strategy, PlatformVersion: sv.settings.platformVersion, PlatformFamily: new("Linux"),
		PropagateTags: sv.settings.propagateTags, EnableECSManagedTags: sv.settings.managedTags, EnableExecuteCommand: sv.settings.executeCommand,
		AvailabilityZoneRebalancing: sv.settings.rebalancing, DeploymentController: sv.settings.controller,
	}
	configuration := sv.settings.deployment
	configuration.DeploymentCircuitBreaker = new(sv.breaker())
	d.DeploymentConfiguration = &configuration
	d.RunningCount, d.PendingCount = sv.counts(nil)
	for _, deployment := range sv.deployments {
		d.Deployments = append(d.Deployments, deployment.describe(sv))
	}
	return d
}

// leastStart is what a process gets to start in, of the machine's own time, however fast the sandbox's runs; a grace period
// that is declared shorter counts as declared.
const leastStart = 10 * time.Second

// graceEnds is when a task's failing health checks begin to count.
func (s *Service) graceEnds(sv *replicaService, t *task) time.Time {
	declared := time.Duration(aws.ToInt32(sv.settings.gracePeriod)) * time.Second
	return t.started.Add(max(declared, clock.Lasting(s.Clock, min(declared, leastStart))))
}
