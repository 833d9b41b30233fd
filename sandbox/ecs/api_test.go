package ecs_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/tests/moto"
)

// api is what the SDK's client and the sandbox's service both do.
type api interface {
	CreateCluster(context.Context, *ecs.CreateClusterInput, ...func(*ecs.Options)) (*ecs.CreateClusterOutput, error)
	DescribeClusters(context.Context, *ecs.DescribeClustersInput, ...func(*ecs.Options)) (*ecs.DescribeClustersOutput, error)
	RegisterTaskDefinition(context.Context, *ecs.RegisterTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.RegisterTaskDefinitionOutput, error)
	DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error)
	DeregisterTaskDefinition(context.Context, *ecs.DeregisterTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.DeregisterTaskDefinitionOutput, error)
	CreateService(context.Context, *ecs.CreateServiceInput, ...func(*ecs.Options)) (*ecs.CreateServiceOutput, error)
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
	ListServices(context.Context, *ecs.ListServicesInput, ...func(*ecs.Options)) (*ecs.ListServicesOutput, error)
	DeleteService(context.Context, *ecs.DeleteServiceInput, ...func(*ecs.Options)) (*ecs.DeleteServiceOutput, error)
	DescribeTasks(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error)
	ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
}

// TestTheAPIDoesAsMotoDoes holds the sandbox and moto to the same expectations. Moto starts no task and keeps no deployment, so
// the service stands at a count of nothing; the rest is AWS's documents' and this package's own tests.
func TestTheAPIDoesAsMotoDoes(t *testing.T) {
	t.Run("sandbox", func(t *testing.T) {
		within(t, func(t *testing.T, w *world) {
			servicesLive(t, w, &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}})
		})
	})
	t.Run("moto", func(t *testing.T) {
		config := moto.Config(t)
		servicesLive(t, ecs.NewFromConfig(config), networkOf(t, ec2.NewFromConfig(config)))
	})
}

// networkOf makes a subnet and a security group: moto looks whether a service's are there.
func networkOf(t *testing.T, client *ec2.Client) *types.AwsVpcConfiguration {
	t.Helper()
	vpc, err := client.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: new("10.0.0.0/16")})
	require.NoError(t, err)
	subnet, err := client.CreateSubnet(t.Context(), &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: new("10.0.0.0/24")})
	require.NoError(t, err)
	group, err := client.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{VpcId: vpc.Vpc.VpcId, GroupName: new("tasks"), Description: new("tasks")})
	require.NoError(t, err)
	return &types.AwsVpcConfiguration{Subnets: []string{*subnet.Subnet.SubnetId}, SecurityGroups: []string{*group.GroupId}}
}

func servicesLive(t *testing.T, a api, network *types.AwsVpcConfiguration) {
	ctx, cluster := t.Context(), new("parity")
	made, err := a.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: cluster})
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:ecs:eu-central-1:123456789012:cluster/parity", *made.Cluster.ClusterArn)
	clusters, err := a.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{"parity", "none"}})
	require.NoError(t, err)
	require.Len(t, clusters.Clusters, 1)
	assert.Equal(t, "ACTIVE", *clusters.Clusters[0].Status)
	require.Len(t, clusters.Failures, 1)
	assert.Equal(t, "MISSING", *clusters.Failures[0].Reason)

	var revisions []string
	for _, image := range []string{goodImage, badImage} {
		registered, err := a.RegisterTaskDefinition(ctx, shape(image))
		require.NoError(t, err)
		revisions = append(revisions, *registered.TaskDefinition.TaskDefinitionArn)
	}
	assert.Equal(t, "arn:aws:ecs:eu-central-1:123456789012:task-definition/shop-blue:2", revisions[1])
	latest, err := a.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: new("shop-blue")})
	require.NoError(t, err)
	assert.Equal(t, revisions[1], *latest.TaskDefinition.TaskDefinitionArn)
	assert.Equal(t, badImage, *latest.TaskDefinition.ContainerDefinitions[0].Image)
	first, err := a.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: new("shop-blue:1")})
	require.NoError(t, err)
	assert.Equal(t, goodImage, *first.TaskDefinition.ContainerDefinitions[0].Image)
	assert.Equal(t, "256", aws.ToString(first.TaskDefinition.Cpu))
	_, err = a.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: new("none")})
	assert.ErrorAs(t, err, new(*types.ClientException))

	_, err = a.CreateService(ctx, service(revisions[0], 0, func(in *ecs.CreateServiceInput) {
		in.Cluster, in.NetworkConfiguration.AwsvpcConfiguration = cluster, network
	}))
	require.NoError(t, err)
	look := func() types.Service {
		out, err := a.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: cluster, Services: []string{"blue"}})
		require.NoError(t, err)
		require.Len(t, out.Services, 1)
		return out.Services[0]
	}
	sv := look()
	assert.Equal(t, "arn:aws:ecs:eu-central-1:123456789012:service/parity/blue", *sv.ServiceArn)
	assert.Equal(t, "ACTIVE", *sv.Status)
	assert.Equal(t, revisions[0], *sv.TaskDefinition)
	assert.Equal(t, types.LaunchTypeFargate, sv.LaunchType)
	assert.Equal(t, targetGroup, *sv.LoadBalancers[0].TargetGroupArn)
	require.NotEmpty(t, sv.Deployments)
	assert.Equal(t, "PRIMARY", *sv.Deployments[0].Status)
	assert.Equal(t, revisions[0], *sv.Deployments[0].TaskDefinition)

	_, err = a.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: cluster, Service: new("blue"), TaskDefinition: &revisions[1]})
	require.NoError(t, err)
	assert.Equal(t, revisions[1], *look().TaskDefinition)
	_, err = a.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: cluster, Service: sv.ServiceArn, ForceNewDeployment: true})
	require.NoError(t, err)
	assert.Zero(t, look().DesiredCount, "what is not given stays")
	listed, err := a.ListServices(ctx, &ecs.ListServicesInput{Cluster: cluster})
	require.NoError(t, err)
	assert.Equal(t, []string{*sv.ServiceArn}, listed.ServiceArns)

	gone, err := a.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: cluster, Services: []string{"none"}})
	require.NoError(t, err)
	require.Len(t, gone.Failures, 1)
	assert.Equal(t, "MISSING", *gone.Failures[0].Reason)
	_, err = a.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: cluster, Service: new("none"), DesiredCount: new(int32(1))})
	assert.ErrorAs(t, err, new(*types.ServiceNotFoundException))
	_, err = a.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: new("none"), Services: []string{"blue"}})
	assert.ErrorAs(t, err, new(*types.ClusterNotFoundException))
	_, err = a.ListTasks(ctx, &ecs.ListTasksInput{Cluster: new("none")})
	assert.ErrorAs(t, err, new(*types.ClusterNotFoundException))
	tasks, err := a.ListTasks(ctx, &ecs.ListTasksInput{Cluster: cluster})
	require.NoError(t, err)
	assert.Empty(t, tasks.TaskArns)
	_, err = a.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: cluster, Tasks: []string{}})
	assert.ErrorAs(t, err, new(*types.InvalidParameterException))

	_, err = a.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: cluster, Service: new("blue"), Force: new(true)})
	require.NoError(t, err)
	deregistered, err := a.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &revisions[0]})
	require.NoError(t, err)
	assert.Equal(t, types.TaskDefinitionStatusInactive, deregistered.TaskDefinition.Status)
}
