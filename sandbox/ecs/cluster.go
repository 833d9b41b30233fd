package ecs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

type cluster struct {
	name, arn string
	// environment is the stack that declared the cluster, for the journal; empty for a cluster made by a call.
	environment string
	settings    []types.ClusterSetting
	providers   []string
	strategy    []types.CapacityProviderStrategyItem
	tags        []types.Tag
	services    map[string]*replicaService
	// stopped are the newest tasks that have ended, oldest first.
	stopped []*task
}

// defaultCluster is the cluster of a request that names none.
const defaultCluster = "default"

// CreateCluster adds an empty cluster; one that exists already is returned as it is.
func (s *Service) CreateCluster(_ context.Context, in *ecs.CreateClusterInput, _ ...func(*ecs.Options)) (*ecs.CreateClusterOutput, error) {
	if refusal := fidelity.Refusal(in, "ClusterName", "Settings", "CapacityProviders", "DefaultCapacityProviderStrategy", "Tags"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	name := cmp.Or(aws.ToString(in.ClusterName), defaultCluster)
	if !nameOf.MatchString(name) {
		return nil, invalid("Invalid cluster name %q: 1 to 255 letters, digits, - and _ are allowed.", name)
	}
	if err := checkProviders(in.CapacityProviders); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, there := s.clusters[name]
	if !there {
		c = &cluster{
			name: name, arn: s.arn("cluster", name), settings: in.Settings, providers: in.CapacityProviders, strategy: in.DefaultCapacityProviderStrategy,
			tags: in.Tags, services: map[string]*replicaService{},
		}
		s.clusters[name] = c
	}
	return &ecs.CreateClusterOutput{Cluster: new(c.describe())}, nil
}

// DeleteCluster removes a cluster without active services and tasks.
func (s *Service) DeleteCluster(_ context.Context, in *ecs.DeleteClusterInput, _ ...func(*ecs.Options)) (*ecs.DeleteClusterOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	d := c.describe()
	if d.ActiveServicesCount > 0 {
		return nil, &types.ClusterContainsServicesException{Message: new("The Cluster cannot be deleted while Services are active.")}
	}
	if d.RunningTasksCount+d.PendingTasksCount > 0 {
		return nil, &types.ClusterContainsTasksException{Message: new("The Cluster cannot be deleted while Tasks are active.")}
	}
	delete(s.clusters, c.name)
	d.Status = new("INACTIVE")
	return &ecs.DeleteClusterOutput{Cluster: &d}, nil
}

// DescribeClusters tells of the named clusters; those that do not exist are listed as failures.
func (s *Service) DescribeClusters(_ context.Context, in *ecs.DescribeClustersInput, _ ...func(*ecs.Options)) (*ecs.DescribeClustersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := in.Clusters
	if len(names) == 0 {
		names = []string{defaultCluster}
	}
	out := &ecs.DescribeClustersOutput{}
	for _, name := range names {
		if c, there := s.clusters[lastPart(name)]; there {
			out.Clusters = append(out.Clusters, c.describe())
			continue
		}
		out.Failures = append(out.Failures, types.Failure{Arn: new(s.arn("cluster", lastPart(name))), Reason: new("MISSING")})
	}
	return out, nil
}

// PutClusterCapacityProviders sets where a cluster's tasks run. The sandbox has one place for FARGATE and FARGATE_SPOT alike.
func (s *Service) PutClusterCapacityProviders(_ context.Context, in *ecs.PutClusterCapacityProvidersInput, _ ...func(*ecs.Options)) (*ecs.PutClusterCapacityProvidersOutput, error) {
	if err := checkProviders(in.CapacityProviders); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	c.providers, c.strategy = in.CapacityProviders, in.DefaultCapacityProviderStrategy
	return &ecs.PutClusterCapacityProvidersOutput{Cluster: new(c.describe())}, nil
}

func checkProviders(names []string) error {
	for _, name := range names {
		if name != "FARGATE" && name != "FARGATE_SPOT" {
			return invalid("capacity provider %q: the sandbox imitates FARGATE and FARGATE_SPOT", name)
		}
	}
	return nil
}

func (c *cluster) describe() types.Cluster {
	d := types.Cluster{
		ClusterArn: &c.arn, ClusterName: &c.name, Status: new("ACTIVE"), Settings: c.settings, Tags: c.tags,
		CapacityProviders: c.providers, DefaultCapacityProviderStrategy: c.strategy,
	}
	for _, sv := range c.services {
		if sv.status == statusActive {
			d.ActiveServicesCount++
		}
		running, pending := sv.counts(nil)
		d.RunningTasksCount += running
		d.PendingTasksCount += pending
	}
	return d
}

// tasks returns the cluster's tasks: those of its services, by service, and those that have ended.
func (c *cluster) tasks() []*task {
	var all []*task
	for _, name := range slices.Sorted(maps.Keys(c.services)) {
		all = append(all, c.services[name].tasks...)
	}
	return append(all, c.stopped...)
}

// cluster finds a cluster by name or ARN; nil is the default one.
func (s *Service) cluster(named *string) (*cluster, error) {
	if c, there := s.clusters[lastPart(cmp.Or(aws.ToString(named), defaultCluster))]; there {
		return c, nil
	}
	return nil, &types.ClusterNotFoundException{Message: new("Cluster not found.")}
}

func invalid(format string, args ...any) error {
	return &types.InvalidParameterException{Message: new(fmt.Sprintf(format, args...))}
}

func client(format string, args ...any) error {
	return &types.ClientException{Message: new(fmt.Sprintf(format, args...))}
}
