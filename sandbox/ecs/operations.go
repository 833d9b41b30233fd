package ecs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

// imitatedSettings are the fields that CreateService and UpdateService share and the sandbox takes. Subnets, security groups and
// tags are kept and have no effect.
var imitatedSettings = []string{
	"Cluster", "TaskDefinition", "DesiredCount", "NetworkConfiguration", "HealthCheckGracePeriodSeconds", "PlatformVersion", "PropagateTags",
	"EnableECSManagedTags", "EnableExecuteCommand", "AvailabilityZoneRebalancing",
	"LoadBalancers.TargetGroupArn", "LoadBalancers.ContainerName", "LoadBalancers.ContainerPort", "CapacityProviderStrategy",
	"DeploymentConfiguration.MaximumPercent", "DeploymentConfiguration.MinimumHealthyPercent", "DeploymentConfiguration.Strategy",
	"DeploymentConfiguration.DeploymentCircuitBreaker.Enable", "DeploymentConfiguration.DeploymentCircuitBreaker.Rollback",
	"DeploymentController.Type",
}

// CreateService adds a service and begins its first deployment.
func (s *Service) CreateService(_ context.Context, in *ecs.CreateServiceInput, _ ...func(*ecs.Options)) (*ecs.CreateServiceOutput, error) {
	imitated := append([]string{"ServiceName", "LaunchType", "SchedulingStrategy", "Tags", "ClientToken"}, imitatedSettings...)
	if refusal := fidelity.Refusal(in, imitated...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.ServiceName)
	switch {
	case !nameOf.MatchString(name):
		return nil, invalid("Invalid service name %q: 1 to 255 letters, digits, - and _ are allowed.", name)
	case in.SchedulingStrategy != "" && in.SchedulingStrategy != types.SchedulingStrategyReplica:
		return nil, invalid("scheduling strategy %q: Fargate has REPLICA", in.SchedulingStrategy)
	case in.LaunchType != "" && in.LaunchType != types.LaunchTypeFargate:
		return nil, invalid("launch type %q: the sandbox imitates FARGATE", in.LaunchType)
	case in.LaunchType != "" && len(in.CapacityProviderStrategy) > 0:
		return nil, invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	}
	if was, there := c.services[name]; there && was.status == statusActive {
		return nil, invalid("Creation of service was not idempotent.")
	} else if there && was.status == statusDraining {
		return nil, invalid("Unable to Start a service that is still Draining.")
	}
	definition, err := s.deployable(in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	now := settings{
		loadBalancers: in.LoadBalancers, network: in.NetworkConfiguration, gracePeriod: in.HealthCheckGracePeriodSeconds,
		launchType: cmp.Or(in.LaunchType, types.LaunchTypeFargate), strategy: in.CapacityProviderStrategy,
		platformVersion: new(cmp.Or(aws.ToString(in.PlatformVersion), "LATEST")), propagateTags: in.PropagateTags,
		managedTags: in.EnableECSManagedTags, executeCommand: in.EnableExecuteCommand, rebalancing: in.AvailabilityZoneRebalancing,
		controller: &types.DeploymentController{Type: types.DeploymentControllerTypeEcs},
	}
	if len(in.CapacityProviderStrategy) > 0 {
		now.launchType = ""
	}
	now.merge(in.DeploymentConfiguration)
	if err := now.check(definition, in.DeploymentController); err != nil {
		return nil, err
	}
	if aws.ToInt32(in.DesiredCount) < 0 {
		return nil, invalid("desiredCount %d: 0 or more is allowed", *in.DesiredCount)
	}
	sv := &replicaService{
		name: name, arn: s.arn("service", c.name+"/"+name), cluster: c, created: s.Clock.Now(), status: statusActive, tags: in.Tags, settings: now,
		desired: aws.ToInt32(in.DesiredCount), wake: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	c.services[name] = sv
	s.deploy(sv, definition)
	s.running.Add(1)
	go s.control(sv)
	return &ecs.CreateServiceOutput{Service: new(sv.describe())}, nil
}

// UpdateService changes what is given. As in ECS, another revision, ForceNewDeployment, and another network, platform version,
// load balancer or capacity provider begin a deployment; a desired count and the deployment's own configuration do not.
func (s *Service) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	if refusal := fidelity.Refusal(in, append([]string{"Service", "ForceNewDeployment"}, imitatedSettings...)...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sv, err := s.active(in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	definition, renew := sv.primary().definition, in.ForceNewDeployment
	if in.TaskDefinition != nil {
		if definition, err = s.deployable(in.TaskDefinition); err != nil {
			return nil, err
		}
		renew = renew || definition != sv.primary().definition
	}
	next := sv.settings
	renew = replace(&next.loadBalancers, in.LoadBalancers, in.LoadBalancers != nil) || renew
	renew = replace(&next.network, in.NetworkConfiguration, in.NetworkConfiguration != nil) || renew
	renew = replace(&next.platformVersion, in.PlatformVersion, in.PlatformVersion != nil) || renew
	if replace(&next.strategy, in.CapacityProviderStrategy, in.CapacityProviderStrategy != nil) {
		next.launchType, renew = "", true
	}
	replace(&next.gracePeriod, in.HealthCheckGracePeriodSeconds, in.HealthCheckGracePeriodSeconds != nil)
	replace(&next.propagateTags, in.PropagateTags, in.PropagateTags != "")
	replace(&next.rebalancing, in.AvailabilityZoneRebalancing, in.AvailabilityZoneRebalancing != "")
	replace(&next.managedTags, aws.ToBool(in.EnableECSManagedTags), in.EnableECSManagedTags != nil)
	replace(&next.executeCommand, aws.ToBool(in.EnableExecuteCommand), in.EnableExecuteCommand != nil)
	next.merge(in.DeploymentConfiguration)
	if err := next.check(definition, in.DeploymentController); err != nil {
		return nil, err
	}
	if in.DesiredCount != nil && *in.DesiredCount < 0 {
		return nil, invalid("desiredCount %d: 0 or more is allowed", *in.DesiredCount)
	}

	sv.settings = next
	if in.DesiredCount != nil && *in.DesiredCount != sv.desired {
		s.tell(sv, "scale", map[string]any{"from": sv.desired, "to": *in.DesiredCount}, "the desired count goes from %d to %d.", sv.desired, *in.DesiredCount)
		sv.desired, sv.steady = *in.DesiredCount, false
	}
	if renew {
		s.deploy(sv, definition)
	}
	sv.poke()
	return &ecs.UpdateServiceOutput{Service: new(sv.describe())}, nil
}

// replace sets a field that was given and tells whether that changed it.
func replace[T any](field *T, value T, given bool) bool {
	if !given || reflect.DeepEqual(*field, value) {
		return false
	}
	*field = value
	return true
}

// The defaults and bounds of a rolling update on Fargate.
const (
	defaultMinimumHealthyPercent = 100
	defaultMaximumPercent        = 200
)

// merge takes over what of a deployment configuration is given.
func (next *settings) merge(given *types.DeploymentConfiguration) {
	if next.deployment.MaximumPercent == nil {
		next.deployment = types.DeploymentConfiguration{
			MaximumPercent: new(int32(defaultMaximumPercent)), MinimumHealthyPercent: new(int32(defaultMinimumHealthyPercent)),
			Strategy: types.DeploymentStrategyRolling,
		}
	}
	if given == nil {
		return
	}
	replace(&next.deployment.MaximumPercent, given.MaximumPercent, given.MaximumPercent != nil)
	replace(&next.deployment.MinimumHealthyPercent, given.MinimumHealthyPercent, given.MinimumHealthyPercent != nil)
	replace(&next.deployment.DeploymentCircuitBreaker, given.DeploymentCircuitBreaker, given.DeploymentCircuitBreaker != nil)
	replace(&next.deployment.Strategy, given.Strategy, given.Strategy != "")
}

// check refuses settings that cannot work with the revision.
func (next *settings) check(definition *revision, controller *types.DeploymentController) error {
	least, most := aws.ToInt32(next.deployment.MinimumHealthyPercent), aws.ToInt32(next.deployment.MaximumPercent)
	switch {
	case controller != nil && controller.Type != types.DeploymentControllerTypeEcs:
		return invalid("deployment controller %q: the sandbox imitates ECS", controller.Type)
	case next.deployment.Strategy != types.DeploymentStrategyRolling:
		return invalid("deployment strategy %q: the sandbox imitates ROLLING", next.deployment.Strategy)
	case least < 0 || least > 100:
		return invalid("minimumHealthyPercent %d: 0 to 100 is allowed", least)
	case most < 100 || most > 200:
		return invalid("maximumPercent %d: 100 to 200 is allowed", most)
	case least == 100 && most == 100:
		return invalid("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.")
	case next.network == nil || next.network.AwsvpcConfiguration == nil || len(next.network.AwsvpcConfiguration.Subnets) == 0:
		return invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	case next.gracePeriod != nil && *next.gracePeriod > 0 && len(next.loadBalancers) == 0:
		return invalid("Health check grace period is only valid for services configured to use load balancers")
	}
	for _, lb := range next.loadBalancers {
		shape := definition.ContainerDefinitions[0]
		switch {
		case aws.ToString(lb.TargetGroupArn) == "":
			return invalid("targetGroupArn is missing in loadBalancers")
		case aws.ToString(lb.ContainerName) != aws.ToString(shape.Name):
			return invalid("The container %s does not exist in the task definition.", aws.ToString(lb.ContainerName))
		case !slices.ContainsFunc(shape.PortMappings, func(p types.PortMapping) bool { return aws.ToInt32(p.ContainerPort) == aws.ToInt32(lb.ContainerPort) }):
			return invalid("The container %s did not have a container port %d defined.", aws.ToString(shape.Name), aws.ToInt32(lb.ContainerPort))
		}
	}
	return nil
}

// deployable finds a revision that a service may be pointed to.
func (s *Service) deployable(named *string) (*revision, error) {
	found, err := s.definition(aws.ToString(named))
	if err != nil {
		return nil, client("%v.", err)
	}
	if found.Status != types.TaskDefinitionStatusActive {
		return nil, client("TaskDefinition is inactive")
	}
	return found, nil
}

// active finds a service of a cluster, by name or ARN, that can be changed.
func (s *Service) active(cluster, named *string) (*replicaService, error) {
	c, err := s.cluster(cluster)
	if err != nil {
		return nil, err
	}
	sv, there := c.services[lastPart(aws.ToString(named))]
	if !there {
		return nil, &types.ServiceNotFoundException{Message: new("Service not found.")}
	}
	if sv.status != statusActive {
		return nil, &types.ServiceNotActiveException{Message: new("Service was not ACTIVE.")}
	}
	return sv, nil
}

// DeleteService drains a service and lets it go: at a desired count of 0, or by Force at any.
func (s *Service) DeleteService(_ context.Context, in *ecs.DeleteServiceInput, _ ...func(*ecs.Options)) (*ecs.DeleteServiceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sv, err := s.active(in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	if sv.desired > 0 && !aws.ToBool(in.Force) {
		return nil, invalid("The service cannot be stopped while it is scaled above 0.")
	}
	sv.desired, sv.status, sv.steady = 0, statusDraining, false
	sv.poke()
	return &ecs.DeleteServiceOutput{Service: new(sv.describe())}, nil
}

// mostDescribed is how many services DescribeServices takes in one call.
const mostDescribed = 10

// DescribeServices tells of up to ten services; those that do not exist are listed as failures.
func (s *Service) DescribeServices(_ context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	if len(in.Services) == 0 {
		return nil, invalid("Services cannot be empty.")
	}
	if len(in.Services) > mostDescribed {
		return nil, invalid("Services cannot exceed %d elements.", mostDescribed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	out := &ecs.DescribeServicesOutput{}
	for _, named := range in.Services {
		sv, there := c.services[lastPart(named)]
		if !there {
			out.Failures = append(out.Failures, types.Failure{Arn: new(s.arn("service", c.name+"/"+lastPart(named))), Reason: new("MISSING")})
			continue
		}
		d := sv.describe()
		if !slices.Contains(in.Include, types.ServiceFieldTags) {
			d.Tags = nil
		}
		out.Services = append(out.Services, d)
	}
	return out, nil
}

// ListServices lists the ARNs of a cluster's services, ten a page unless MaxResults (up to 100) asks for more.
func (s *Service) ListServices(_ context.Context, in *ecs.ListServicesInput, _ ...func(*ecs.Options)) (*ecs.ListServicesOutput, error) {
	if refusal := fidelity.Refusal(in, "Cluster", "LaunchType", "SchedulingStrategy", "MaxResults", "NextToken"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, name := range slices.Sorted(maps.Keys(c.services)) {
		if c.services[name].status != statusInactive {
			arns = append(arns, c.services[name].arn)
		}
	}
	page, next, err := paged(arns, in.MaxResults, 10, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &ecs.ListServicesOutput{ServiceArns: page, NextToken: next}, nil
}

// ListTasks lists the ARNs of a cluster's tasks by their desired status (RUNNING unless STOPPED is asked for), of one service,
// family or starter. Tasks that have ended are known for an hour.
func (s *Service) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	imitated := []string{"Cluster", "ServiceName", "Family", "StartedBy", "DesiredStatus", "LaunchType", "MaxResults", "NextToken"}
	if refusal := fidelity.Refusal(in, imitated...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if in.ServiceName != nil && c.services[lastPart(*in.ServiceName)] == nil {
		return nil, &types.ServiceNotFoundException{Message: new("Service not found.")}
	}
	wanted := string(cmp.Or(in.DesiredStatus, types.DesiredStatusRunning))
	var arns []string
	for _, t := range c.tasks() {
		if t.desired() == wanted && (in.ServiceName == nil || t.service.name == lastPart(*in.ServiceName)) &&
			(in.Family == nil || aws.ToString(t.definition().Family) == *in.Family) && (in.StartedBy == nil || t.deployment.id == *in.StartedBy) {
			arns = append(arns, t.arn)
		}
	}
	page, next, err := paged(arns, in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &ecs.ListTasksOutput{TaskArns: page, NextToken: next}, nil
}

// DescribeTasks tells of up to a hundred tasks, by ARN or identifier; those that are not known are listed as failures.
func (s *Service) DescribeTasks(_ context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	if len(in.Tasks) == 0 {
		return nil, invalid("Tasks cannot be empty.")
	}
	if len(in.Tasks) > 100 {
		return nil, invalid("Tasks cannot exceed 100 elements.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	out := &ecs.DescribeTasksOutput{}
	for _, named := range in.Tasks {
		t := c.task(named)
		if t == nil {
			out.Failures = append(out.Failures, types.Failure{Arn: new(s.arn("task", c.name+"/"+lastPart(named))), Reason: new("MISSING")})
			continue
		}
		d := t.describe(s)
		if !slices.Contains(in.Include, types.TaskFieldTags) {
			d.Tags = nil
		}
		out.Tasks = append(out.Tasks, d)
	}
	return out, nil
}

// StopTask drains and stops a task; its service replaces it.
func (s *Service) StopTask(_ context.Context, in *ecs.StopTaskInput, _ ...func(*ecs.Options)) (*ecs.StopTaskOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	t := c.task(aws.ToString(in.Task))
	if t == nil {
		return nil, invalid("The referenced task was not found.")
	}
	if t.last != taskStopped {
		s.stop(t, cmp.Or(aws.ToString(in.Reason), "Task stopped by user"), types.TaskStopCodeUserInitiated)
		t.service.poke()
	}
	return &ecs.StopTaskOutput{Task: new(t.describe(s))}, nil
}

// KillTask ends a task's container at once, as a crash would: AWS has no such operation, drills do.
func (s *Service) KillTask(ctx context.Context, taskARN string) error {
	s.mu.Lock()
	var found *task
	for _, c := range s.clusters {
		if t := c.task(taskARN); t != nil {
			found = t
		}
	}
	if found == nil || found.container == nil || found.last == taskStopped {
		s.mu.Unlock()
		return invalid("no running container belongs to the task %s", taskARN)
	}
	c := found.container
	s.mu.Unlock()
	return c.Kill(ctx)
}

func (c *cluster) task(named string) *task {
	all := c.tasks()
	if i := slices.IndexFunc(all, func(t *task) bool { return t.id == lastPart(named) }); i >= 0 {
		return all[i]
	}
	return nil
}

// paged returns the page that a token asks for: by default of size items, at most 100.
func paged(items []string, limit *int32, size int, token *string) ([]string, *string, error) {
	if limit != nil {
		if *limit < 1 || *limit > 100 {
			return nil, nil, invalid("maxResults %d: 1 to 100 is allowed", *limit)
		}
		size = int(*limit)
	}
	first := 0
	if token != nil {
		var err error
		if first, err = strconv.Atoi(*token); err != nil || first < 0 || first > len(items) {
			return nil, nil, invalid("Invalid token %q", *token)
		}
	}
	if last := first + size; last < len(items) {
		return items[first:last], new(fmt.Sprint(last)), nil
	}
	return items[first:], nil, nil
}
