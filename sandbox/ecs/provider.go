package ecs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Providers returns what stands behind the resource types that this package imitates.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{
		"aws:ecs/cluster:Cluster":                                   clusterProvider{s},
		"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": capacityProvider{s},
		"aws:ecs/taskDefinition:TaskDefinition":                     definitionProvider{s},
		"aws:ecs/service:Service":                                   serviceProvider{s},
	}
}

type clusterProvider struct{ service *Service }

// declaredCluster is aws:ecs/cluster:Cluster. Its settings (Container Insights) and tags are kept and have no effect.
type declaredCluster struct {
	Name     string            `json:"name"`
	Settings []declaredSetting `json:"settings"`
	Tags     map[string]string `json:"tags"`
}

type declaredSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (p clusterProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredCluster](r)
	if err != nil {
		return err
	}
	if _, err := p.service.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &d.Name, Tags: tagsOf(d.Tags)}); err != nil {
		return err
	}
	return p.apply(d, r)
}

func (p clusterProvider) Update(_ context.Context, _, next graph.Resource) error {
	d, err := graph.Strict[declaredCluster](next)
	if err != nil {
		return err
	}
	return p.apply(d, next)
}

func (p clusterProvider) apply(d declaredCluster, r graph.Resource) error {
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(&d.Name)
	if err != nil {
		return err
	}
	c.environment, c.tags, c.settings = r.Stack(), tagsOf(d.Tags), nil
	for _, setting := range d.Settings {
		c.settings = append(c.settings, types.ClusterSetting{Name: types.ClusterSettingName(setting.Name), Value: new(setting.Value)})
	}
	return nil
}

func (p clusterProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredCluster](r)
	if err != nil {
		return err
	}
	_, err = p.service.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: &d.Name})
	return err
}

type capacityProvider struct{ service *Service }

// declaredCapacity is aws:ecs/clusterCapacityProviders:ClusterCapacityProviders.
type declaredCapacity struct {
	ClusterName       string             `json:"clusterName"`
	CapacityProviders []string           `json:"capacityProviders"`
	Strategies        []declaredStrategy `json:"defaultCapacityProviderStrategies"`
}

type declaredStrategy struct {
	Base             int32  `json:"base"`
	CapacityProvider string `json:"capacityProvider"`
	Weight           int32  `json:"weight"`
}

func strategiesOf(declared []declaredStrategy) []types.CapacityProviderStrategyItem {
	var strategies []types.CapacityProviderStrategyItem
	for _, d := range declared {
		strategies = append(strategies, types.CapacityProviderStrategyItem{Base: d.Base, CapacityProvider: new(d.CapacityProvider), Weight: d.Weight})
	}
	return strategies
}

func (p capacityProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredCapacity](r)
	if err != nil {
		return err
	}
	_, err = p.service.PutClusterCapacityProviders(ctx, &ecs.PutClusterCapacityProvidersInput{
		Cluster: &d.ClusterName, CapacityProviders: d.CapacityProviders, DefaultCapacityProviderStrategy: strategiesOf(d.Strategies),
	})
	return err
}

func (p capacityProvider) Update(ctx context.Context, _, next graph.Resource) error {
	return p.Create(ctx, next)
}

func (p capacityProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredCapacity](r)
	if err != nil {
		return err
	}
	_, err = p.service.PutClusterCapacityProviders(ctx, &ecs.PutClusterCapacityProvidersInput{Cluster: &d.ClusterName})
	return err
}

type definitionProvider struct{ service *Service }

// declaredDefinition is aws:ecs/taskDefinition:TaskDefinition. The container definitions are text in JSON, as AWS spells it.
type declaredDefinition struct {
	ARN                     string            `json:"arn"`
	Family                  string            `json:"family"`
	ContainerDefinitions    string            `json:"containerDefinitions"`
	CPU                     string            `json:"cpu"`
	Memory                  string            `json:"memory"`
	NetworkMode             string            `json:"networkMode"`
	RequiresCompatibilities []string          `json:"requiresCompatibilities"`
	ExecutionRoleARN        *string           `json:"executionRoleArn"`
	TaskRoleARN             *string           `json:"taskRoleArn"`
	RuntimePlatform         *declaredPlatform `json:"runtimePlatform"`
	EphemeralStorage        *declaredStorage  `json:"ephemeralStorage"`
	Volumes                 []declaredVolume  `json:"volumes"`
	SkipDestroy             bool              `json:"skipDestroy"`
	TrackLatest             bool              `json:"trackLatest"`
	Tags                    map[string]string `json:"tags"`
}

type declaredPlatform struct {
	CPUArchitecture       string `json:"cpuArchitecture"`
	OperatingSystemFamily string `json:"operatingSystemFamily"`
}

type declaredStorage struct {
	SizeInGiB int32 `json:"sizeInGib"`
}

type declaredVolume struct {
	Name string `json:"name"`
}

func (d declaredDefinition) input() (*ecs.RegisterTaskDefinitionInput, error) {
	in := &ecs.RegisterTaskDefinitionInput{
		Family: &d.Family, Cpu: &d.CPU, Memory: &d.Memory, NetworkMode: types.NetworkMode(d.NetworkMode), ExecutionRoleArn: d.ExecutionRoleARN,
		TaskRoleArn: d.TaskRoleARN, Tags: tagsOf(d.Tags),
	}
	for _, c := range d.RequiresCompatibilities {
		in.RequiresCompatibilities = append(in.RequiresCompatibilities, types.Compatibility(c))
	}
	for _, v := range d.Volumes {
		in.Volumes = append(in.Volumes, types.Volume{Name: new(v.Name)})
	}
	if p := d.RuntimePlatform; p != nil {
		in.RuntimePlatform = &types.RuntimePlatform{
			CpuArchitecture: types.CPUArchitecture(p.CPUArchitecture), OperatingSystemFamily: types.OSFamily(p.OperatingSystemFamily),
		}
	}
	if e := d.EphemeralStorage; e != nil {
		in.EphemeralStorage = &types.EphemeralStorage{SizeInGiB: e.SizeInGiB}
	}
	decoder := json.NewDecoder(strings.NewReader(d.ContainerDefinitions)) // the SDK's names are AWS's but for their first letter
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in.ContainerDefinitions); err != nil {
		return nil, fmt.Errorf("containerDefinitions: %w", err)
	}
	return in, nil
}

func (p definitionProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredDefinition](r)
	if err != nil {
		return err
	}
	in, err := d.input()
	if err != nil {
		return fmt.Errorf("%s: %w", r.URN, err)
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	number := p.service.next(d.Family)
	if _, text, has := strings.Cut(lastPart(d.ARN), ":"); has { // the program has been told this number already
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return fmt.Errorf("%s: the revision in %q is not a number", r.URN, d.ARN)
		}
		number = int32(n)
	}
	if _, err := p.service.register(in, number, r.Stack()); err != nil {
		return fmt.Errorf("%s: %w", r.URN, err)
	}
	return nil
}

// Replace registers the next revision and lets the prior one go: revisions do not change. It returns what the new one computes.
// Where only tags or the provider's own switches differ there is nothing to register.
func (p definitionProvider) Replace(ctx context.Context, prior, next graph.Resource) (map[string]any, error) {
	was, err := graph.Decode[declaredDefinition](prior)
	if err != nil {
		return nil, err
	}
	d, err := graph.Strict[declaredDefinition](next)
	if err != nil {
		return nil, err
	}
	same := was
	same.ARN, same.Tags, same.SkipDestroy, same.TrackLatest = d.ARN, d.Tags, d.SkipDestroy, d.TrackLatest
	if reflect.DeepEqual(d, same) {
		return map[string]any{"arn": was.ARN}, nil
	}
	in, err := d.input()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", next.URN, err)
	}
	p.service.mu.Lock()
	registered, err := p.service.register(in, p.service.next(d.Family), next.Stack())
	p.service.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", next.URN, err)
	}
	arn := aws.ToString(registered.TaskDefinition.TaskDefinitionArn)
	name := strings.TrimSuffix(arn, ":"+strconv.Itoa(int(registered.TaskDefinition.Revision)))
	return map[string]any{"arn": arn, "arnWithoutRevision": name, "revision": float64(registered.TaskDefinition.Revision)}, p.Delete(ctx, prior)
}

// Update is Replace for a world that keeps the declared ARN.
func (p definitionProvider) Update(ctx context.Context, prior, next graph.Resource) error {
	_, err := p.Replace(ctx, prior, next)
	return err
}

func (p definitionProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredDefinition](r)
	if err != nil || d.SkipDestroy {
		return err
	}
	_, err = p.service.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &d.ARN})
	return err
}

type serviceProvider struct{ service *Service }

// declaredService is aws:ecs/service:Service.
type declaredService struct {
	Name                  string              `json:"name"`
	Cluster               *string             `json:"cluster"`
	TaskDefinition        *string             `json:"taskDefinition"`
	DesiredCount          *int32              `json:"desiredCount"`
	LaunchType            string              `json:"launchType"`
	Strategies            []declaredStrategy  `json:"capacityProviderStrategies"`
	LoadBalancers         []declaredBalancer  `json:"loadBalancers"`
	Network               *declaredNetwork    `json:"networkConfiguration"`
	CircuitBreaker        *declaredBreaker    `json:"deploymentCircuitBreaker"`
	Controller            *declaredController `json:"deploymentController"`
	MaximumPercent        *int32              `json:"deploymentMaximumPercent"`
	MinimumHealthyPercent *int32              `json:"deploymentMinimumHealthyPercent"`
	GracePeriodSeconds    *int32              `json:"healthCheckGracePeriodSeconds"`
	ManagedTags           bool                `json:"enableEcsManagedTags"`
	ExecuteCommand        bool                `json:"enableExecuteCommand"`
	PropagateTags         string              `json:"propagateTags"`
	PlatformVersion       *string             `json:"platformVersion"`
	SchedulingStrategy    string              `json:"schedulingStrategy"`
	Rebalancing           string              `json:"availabilityZoneRebalancing"`
	ForceNewDeployment    bool                `json:"forceNewDeployment"`
	ForceDelete           bool                `json:"forceDelete"`
	WaitForSteadyState    bool                `json:"waitForSteadyState"`
	Triggers              map[string]string   `json:"triggers"`
	Tags                  map[string]string   `json:"tags"`
}

type declaredBalancer struct {
	TargetGroupARN string `json:"targetGroupArn"`
	ContainerName  string `json:"containerName"`
	ContainerPort  int32  `json:"containerPort"`
}

type declaredNetwork struct {
	Subnets        []string `json:"subnets"`
	SecurityGroups []string `json:"securityGroups"`
	AssignPublicIP bool     `json:"assignPublicIp"`
}

type declaredBreaker struct {
	Enable   bool `json:"enable"`
	Rollback bool `json:"rollback"`
}

type declaredController struct {
	Type string `json:"type"`
}

func (d declaredService) balancers() []types.LoadBalancer {
	balancers := []types.LoadBalancer{}
	for _, b := range d.LoadBalancers {
		balancers = append(balancers, types.LoadBalancer{
			TargetGroupArn: new(b.TargetGroupARN), ContainerName: new(b.ContainerName), ContainerPort: new(b.ContainerPort),
		})
	}
	return balancers
}

func (d declaredService) network() *types.NetworkConfiguration {
	if d.Network == nil {
		return nil
	}
	public := types.AssignPublicIpDisabled
	if d.Network.AssignPublicIP {
		public = types.AssignPublicIpEnabled
	}
	return &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
		Subnets: d.Network.Subnets, SecurityGroups: d.Network.SecurityGroups, AssignPublicIp: public,
	}}
}

func (d declaredService) deployment() *types.DeploymentConfiguration {
	configuration := &types.DeploymentConfiguration{MaximumPercent: d.MaximumPercent, MinimumHealthyPercent: d.MinimumHealthyPercent}
	if d.CircuitBreaker != nil {
		configuration.DeploymentCircuitBreaker = &types.DeploymentCircuitBreaker{Enable: d.CircuitBreaker.Enable, Rollback: d.CircuitBreaker.Rollback}
	}
	return configuration
}

func (d declaredService) controller() *types.DeploymentController {
	if d.Controller == nil {
		return nil
	}
	return &types.DeploymentController{Type: types.DeploymentControllerType(d.Controller.Type)}
}

func (p serviceProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredService](r)
	if err != nil {
		return err
	}
	_, err = p.service.CreateService(ctx, &ecs.CreateServiceInput{
		ServiceName: &d.Name, Cluster: d.Cluster, TaskDefinition: d.TaskDefinition, DesiredCount: d.DesiredCount, LaunchType: types.LaunchType(d.LaunchType),
		CapacityProviderStrategy: strategiesOf(d.Strategies), LoadBalancers: d.balancers(), NetworkConfiguration: d.network(),
		DeploymentConfiguration: d.deployment(), DeploymentController: d.controller(), HealthCheckGracePeriodSeconds: d.GracePeriodSeconds,
		EnableECSManagedTags: d.ManagedTags, EnableExecuteCommand: d.ExecuteCommand, PropagateTags: types.PropagateTags(d.PropagateTags),
		PlatformVersion: d.PlatformVersion, SchedulingStrategy: types.SchedulingStrategy(d.SchedulingStrategy),
		AvailabilityZoneRebalancing: types.AvailabilityZoneRebalancing(d.Rebalancing), Tags: tagsOf(d.Tags),
	})
	if err != nil || !d.WaitForSteadyState {
		return err
	}
	return p.settled(ctx, d)
}

// Update sends what differs and nothing else, as the real provider does.
func (p serviceProvider) Update(ctx context.Context, prior, next graph.Resource) error {
	was, err := graph.Decode[declaredService](prior)
	if err != nil {
		return err
	}
	d, err := graph.Strict[declaredService](next)
	if err != nil {
		return err
	}
	in := &ecs.UpdateServiceInput{Service: &d.Name, Cluster: d.Cluster}
	blank := *in
	if differ(was.TaskDefinition, d.TaskDefinition) {
		in.TaskDefinition = d.TaskDefinition
	}
	if differ(was.DesiredCount, d.DesiredCount) {
		in.DesiredCount = new(aws.ToInt32(d.DesiredCount))
	}
	if differ(was.Strategies, d.Strategies) {
		in.CapacityProviderStrategy = strategiesOf(d.Strategies)
	}
	if differ(was.LoadBalancers, d.LoadBalancers) {
		in.LoadBalancers = d.balancers()
	}
	if differ(was.Network, d.Network) {
		in.NetworkConfiguration = d.network()
	}
	if differ(was.deployment(), d.deployment()) {
		in.DeploymentConfiguration = d.deployment()
	}
	if differ(was.GracePeriodSeconds, d.GracePeriodSeconds) {
		in.HealthCheckGracePeriodSeconds = new(aws.ToInt32(d.GracePeriodSeconds))
	}
	if was.ManagedTags != d.ManagedTags {
		in.EnableECSManagedTags = &d.ManagedTags
	}
	if was.ExecuteCommand != d.ExecuteCommand {
		in.EnableExecuteCommand = &d.ExecuteCommand
	}
	if was.PropagateTags != d.PropagateTags {
		in.PropagateTags = types.PropagateTags(d.PropagateTags)
	}
	if differ(was.PlatformVersion, d.PlatformVersion) {
		in.PlatformVersion = d.PlatformVersion
	}
	if was.Rebalancing != d.Rebalancing {
		in.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancing(d.Rebalancing)
	}
	// As in the provider, forceNewDeployment acts together with another change, a change of the triggers included.
	if differ(*in, blank) || !maps.Equal(was.Triggers, d.Triggers) {
		in.ForceNewDeployment = d.ForceNewDeployment
	}
	if !differ(*in, blank) {
		return nil
	}
	if _, err := p.service.UpdateService(ctx, in); err != nil || !d.WaitForSteadyState {
		return err
	}
	return p.settled(ctx, d)
}

func differ[T any](a, b T) bool { return !reflect.DeepEqual(a, b) }

// settled waits for the steady state, and ends early where the deployment has failed.
func (p serviceProvider) settled(ctx context.Context, d declaredService) error {
	s := p.service
	look := s.Clock.NewTicker(lookEvery)
	defer look.Stop()
	for {
		s.mu.Lock()
		sv, err := s.active(d.Cluster, &d.Name)
		steady := err == nil && sv.steady
		var reason string
		if err == nil && sv.primary().state == types.DeploymentRolloutStateFailed {
			reason = sv.primary().reason
		}
		s.mu.Unlock()
		switch {
		case err != nil:
			return err
		case steady:
			return nil
		case reason != "":
			return fmt.Errorf("service %s does not reach a steady state: %s", d.Name, reason)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("service %s has not reached a steady state: %w", d.Name, context.Cause(ctx))
		case <-look.Chan():
		}
	}
}

// Delete drains the service and returns when it is gone, as the provider does.
func (p serviceProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredService](r)
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	sv, err := p.service.active(d.Cluster, &d.Name)
	p.service.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := p.service.DeleteService(ctx, &ecs.DeleteServiceInput{Service: &d.Name, Cluster: d.Cluster, Force: new(true)}); err != nil {
		return err
	}
	select {
	case <-sv.gone:
		return nil
	case <-p.service.closing.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("service %s is still draining: %w", d.Name, context.Cause(ctx))
	}
}

func tagsOf(declared map[string]string) []types.Tag {
	var tags []types.Tag
	for _, key := range slices.Sorted(maps.Keys(declared)) {
		tags = append(tags, types.Tag{Key: new(key), Value: new(declared[key])})
	}
	return tags
}
