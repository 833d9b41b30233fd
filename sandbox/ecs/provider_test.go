package ecs_test

import (
	"context"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
)

const (
	clusterType    = "aws:ecs/cluster:Cluster"
	capacityType   = "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders"
	definitionType = "aws:ecs/taskDefinition:TaskDefinition"
	serviceType    = "aws:ecs/service:Service"
)

type object = map[string]any

// declared is a resource of the dev stack with what the program gives and what AWS computes.
func declared(typ string, inputs, computed object) graph.Resource {
	outputs := maps.Clone(inputs)
	maps.Copy(outputs, computed)
	return graph.Resource{URN: "urn:pulumi:dev::penguinshop::" + typ + "::blue", Type: typ, Name: "blue", Inputs: inputs, Outputs: outputs}
}

func declaredDefinition(containers string) graph.Resource {
	return declared(definitionType, object{
		"family": "penguinshop-dev-blue", "cpu": "256", "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": []any{"FARGATE"},
		"containerDefinitions": containers, "executionRoleArn": "arn:aws:iam::123456789012:role/e", "skipDestroy": true,
		"runtimePlatform": object{"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
	}, object{"arn": "arn:aws:ecs:eu-central-1:123456789012:task-definition/penguinshop-dev-blue:1", "revision": 1})
}

func containers(image string) string {
	return `[{"name":"app","image":"` + image + `","essential":true,"portMappings":[{"containerPort":8080,"hostPort":8080,"protocol":"tcp"}],
		"environment":[{"name":"COLOUR","value":"blue"}],"readonlyRootFilesystem":true,
		"linuxParameters":{"initProcessEnabled":true,"capabilities":{"drop":["ALL"]}},"stopTimeout":30,
		"logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"shop","awslogs-region":"eu-central-1","awslogs-stream-prefix":"blue",
		"mode":"non-blocking","max-buffer-size":"4m"}}}]`
}

func declaredService(change object) graph.Resource {
	inputs := object{
		"cluster": "arn:aws:ecs:eu-central-1:123456789012:cluster/dev", "desiredCount": 2, "launchType": "FARGATE",
		"taskDefinition":           "arn:aws:ecs:eu-central-1:123456789012:task-definition/penguinshop-dev-blue:1",
		"networkConfiguration":     object{"subnets": []any{"subnet-1"}, "securityGroups": []any{"sg-1"}, "assignPublicIp": false},
		"loadBalancers":            []any{object{"targetGroupArn": targetGroup, "containerName": "app", "containerPort": 8080}},
		"deploymentCircuitBreaker": object{"enable": true, "rollback": false}, "deploymentMaximumPercent": 200,
		"deploymentMinimumHealthyPercent": 100, "healthCheckGracePeriodSeconds": 30, "enableExecuteCommand": false, "propagateTags": "SERVICE",
		"tags": object{"team": "shop"},
	}
	maps.Copy(inputs, change)
	return declared(serviceType, inputs, object{"name": "blue"})
}

// declaredWorld has the cluster and the task definition that a service needs.
func declaredWorld(t *testing.T, w *world) map[string]graph.Provider {
	t.Helper()
	providers := w.Providers()
	require.NoError(t, providers[clusterType].Create(t.Context(), declared(clusterType,
		object{"settings": []any{object{"name": "containerInsights", "value": "enabled"}}}, object{"name": "dev", "arn": "arn:aws:ecs:eu-central-1:123456789012:cluster/dev"})))
	require.NoError(t, providers[capacityType].Create(t.Context(), declared(capacityType,
		object{"clusterName": "dev", "capacityProviders": []any{"FARGATE", "FARGATE_SPOT"}}, nil)))
	require.NoError(t, providers[definitionType].Create(t.Context(), declaredDefinition(containers(goodImage))))
	return providers
}

func (w *world) dev(t *testing.T) types.Service {
	t.Helper()
	out, err := w.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: new("dev"), Services: []string{"blue"}})
	require.NoError(t, err)
	require.Len(t, out.Services, 1)
	return out.Services[0]
}

func TestADeclaredEnvironmentRuns(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		providers := declaredWorld(t, w)
		require.NoError(t, providers[serviceType].Create(t.Context(), declaredService(object{"waitForSteadyState": true})))
		sv := w.dev(t)
		assert.Equal(t, int32(2), sv.RunningCount, "waitForSteadyState waits")
		assert.Equal(t, int32(30), *sv.HealthCheckGracePeriodSeconds)
		assert.True(t, w.engine.specs[0].ReadOnly)
		var noted, told bool
		for _, e := range w.journal.Since(0) {
			noted = noted || e.Kind == "note" && e.Environment == "dev" && assert.Contains(t, e.Text, "ContainerDefinitions[0].LinuxParameters")
			told = told || e.Kind == "service" && e.Environment == "dev"
		}
		assert.True(t, noted, "what has no effect is named")
		assert.True(t, told, "the journal knows the environment")

		require.NoError(t, providers[serviceType].Delete(t.Context(), declaredService(nil)))
		assert.Empty(t, w.engine.running(), "a deletion waits for the drain")
		require.NoError(t, providers[definitionType].Delete(t.Context(), declaredDefinition(containers(goodImage))))
		require.NoError(t, providers[capacityType].Delete(t.Context(), declared(capacityType, object{"clusterName": "dev"}, nil)))
		require.NoError(t, providers[clusterType].Delete(t.Context(), declared(clusterType, object{}, object{"name": "dev"})))
	})
}

func TestWaitingForASteadyStateEndsWithTheBreaker(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.engine.acts("sha256:aaaa", behaviour{exits: time.Second, code: 1})
		w.groups.warmup = 10 * time.Second
		err := declaredWorld(t, w)[serviceType].Create(t.Context(), declaredService(object{"waitForSteadyState": true}))
		assert.ErrorContains(t, err, "service blue does not reach a steady state: ECS deployment circuit breaker")
	})
}

func TestAnUpdateOfAServiceSendsWhatDiffersOnly(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		providers := declaredWorld(t, w)
		require.NoError(t, providers[serviceType].Create(t.Context(), declaredService(nil)))
		pass(time.Minute)
		first := *w.dev(t).Deployments[0].Id

		// The pipeline has deployed another revision, and the function has scaled.
		next := w.register(t, shape(goodImage, func(in *ecs.RegisterTaskDefinitionInput) { in.Family = new("penguinshop-dev-blue") }))
		_, err := w.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: new("dev"), Service: new("blue"), TaskDefinition: &next, DesiredCount: new(int32(3))})
		require.NoError(t, err)
		pass(5 * time.Minute)
		deployed := w.dev(t)
		require.NotEqual(t, first, *deployed.Deployments[0].Id)

		require.NoError(t, providers[serviceType].Update(t.Context(), declaredService(nil), declaredService(nil)))
		require.NoError(t, providers[serviceType].Update(t.Context(), declaredService(nil),
			declaredService(object{"healthCheckGracePeriodSeconds": 60, "deploymentMaximumPercent": 150, "tags": object{"team": "core"}})))
		synctest.Wait()
		sv := w.dev(t)
		assert.Equal(t, *deployed.Deployments[0].Id, *sv.Deployments[0].Id, "no deployment has begun")
		assert.Equal(t, next, *sv.TaskDefinition)
		assert.Equal(t, int32(3), sv.DesiredCount)
		assert.Equal(t, int32(60), *sv.HealthCheckGracePeriodSeconds)
		assert.Equal(t, int32(150), *sv.DeploymentConfiguration.MaximumPercent)

		require.NoError(t, providers[serviceType].Update(t.Context(), declaredService(nil),
			declaredService(object{"networkConfiguration": object{"subnets": []any{"subnet-2"}}})))
		assert.NotEqual(t, *deployed.Deployments[0].Id, *w.dev(t).Deployments[0].Id, "another network is another deployment")
	})
}

func TestForceNewDeploymentActsWithAnotherChange(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		providers := declaredWorld(t, w)
		forced := object{"forceNewDeployment": true, "triggers": object{"at": "1"}}
		require.NoError(t, providers[serviceType].Create(t.Context(), declaredService(forced)))
		first := *w.dev(t).Deployments[0].Id
		require.NoError(t, providers[serviceType].Update(t.Context(), declaredService(forced), declaredService(forced)))
		assert.Equal(t, first, *w.dev(t).Deployments[0].Id)
		require.NoError(t, providers[serviceType].Update(t.Context(), declaredService(forced),
			declaredService(object{"forceNewDeployment": true, "triggers": object{"at": "2"}})))
		assert.NotEqual(t, first, *w.dev(t).Deployments[0].Id)
	})
}

func TestAChangedTaskDefinitionIsTheNextRevision(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		definitions := declaredWorld(t, w)[definitionType].(interface {
			graph.Provider
			Replace(ctx context.Context, prior, next graph.Resource) (map[string]any, error)
		})
		w.register(t, shape(goodImage, func(in *ecs.RegisterTaskDefinitionInput) { in.Family = new("penguinshop-dev-blue") })) // the pipeline's
		outputs, err := definitions.Replace(t.Context(), declaredDefinition(containers(goodImage)), declaredDefinition(containers(badImage)))
		require.NoError(t, err)
		assert.Equal(t, "arn:aws:ecs:eu-central-1:123456789012:task-definition/penguinshop-dev-blue:3", outputs["arn"])
		assert.Equal(t, "arn:aws:ecs:eu-central-1:123456789012:task-definition/penguinshop-dev-blue", outputs["arnWithoutRevision"])
		found, err := w.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: new(outputs["arn"].(string))})
		require.NoError(t, err)
		assert.Equal(t, badImage, aws.ToString(found.TaskDefinition.ContainerDefinitions[0].Image))

		tagged := declaredDefinition(containers(goodImage))
		tagged.Inputs["tags"], tagged.Outputs["tags"] = object{"team": "core"}, object{"team": "core"}
		outputs, err = definitions.Replace(t.Context(), declaredDefinition(containers(goodImage)), tagged)
		require.NoError(t, err)
		assert.Equal(t, "arn:aws:ecs:eu-central-1:123456789012:task-definition/penguinshop-dev-blue:1", outputs["arn"], "tags alone make no revision")
	})
}

func TestDeclarationsThatAreRefusedNameTheInput(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		providers := declaredWorld(t, w)
		err := providers[serviceType].Create(t.Context(), declaredService(object{"serviceConnectConfiguration": object{"enabled": true}, "alarms": object{}}))
		assert.ErrorContains(t, err, "the input serviceConnectConfiguration of aws:ecs/service:Service")
		assert.ErrorContains(t, err, "the input alarms of aws:ecs/service:Service")
		second := declaredDefinition(`[{"name":"app","imge":"x"}]`)
		second.Outputs["arn"] = "arn:aws:ecs:eu-central-1:123456789012:task-definition/penguinshop-dev-blue:2"
		assert.ErrorContains(t, providers[definitionType].Create(t.Context(), second), `containerDefinitions: json: unknown field "imge"`)
	})
}
