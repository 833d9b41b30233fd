package codepipeline_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// fleet is one ECS service with its task definition's revisions.
type fleet struct {
	mu        sync.Mutex
	revisions []ecstypes.TaskDefinition
	service   ecstypes.Service
	// settles is how long a deployment takes until its tasks run; 0 is forever.
	settles time.Duration
	// rollsBack makes the circuit breaker return to the revision before.
	rollsBack bool
}

func newFleet() *fleet {
	return &fleet{settles: time.Minute, revisions: []ecstypes.TaskDefinition{{TaskDefinitionArn: aws.String("app:1"), Family: aws.String("app"),
		Cpu: aws.String("256"), ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("app"), Image: aws.String("old")},
			{Name: aws.String("sidecar"), Image: aws.String("sidecar")}}}},
		service: ecstypes.Service{TaskDefinition: aws.String("app:1"), DesiredCount: 2, RunningCount: 2,
			Deployments: []ecstypes.Deployment{{Status: aws.String("PRIMARY"), RunningCount: 2}}}}
}

func (f *fleet) DescribeServices(_ context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if in.Services[0] != "green" {
		return &ecs.DescribeServicesOutput{}, nil
	}
	s := f.service
	s.Deployments = slices.Clone(s.Deployments)
	return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{s}}, nil
}

func (f *fleet) DescribeTaskDefinition(_ context.Context, in *ecs.DescribeTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.revisions {
		if *r.TaskDefinitionArn == *in.TaskDefinition {
			return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &r, Tags: []ecstypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}, nil
		}
	}
	return nil, fmt.Errorf("no %s", *in.TaskDefinition)
}

func (f *fleet) RegisterTaskDefinition(_ context.Context, in *ecs.RegisterTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.RegisterTaskDefinitionOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := ecstypes.TaskDefinition{TaskDefinitionArn: aws.String(fmt.Sprintf("app:%d", len(f.revisions)+1)), Family: in.Family, Cpu: in.Cpu,
		ContainerDefinitions: in.ContainerDefinitions}
	f.revisions = append(f.revisions, r)
	return &ecs.RegisterTaskDefinitionOutput{TaskDefinition: &r}, nil
}

func (f *fleet) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.service.TaskDefinition
	f.service.TaskDefinition = in.TaskDefinition
	f.service.Deployments = []ecstypes.Deployment{{Status: aws.String("PRIMARY")}, {Status: aws.String("ACTIVE"), RunningCount: 2}}
	if f.settles > 0 {
		time.AfterFunc(f.settles, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.service.Deployments = []ecstypes.Deployment{{Status: aws.String("PRIMARY"), RunningCount: 2}}
			if f.rollsBack {
				f.service.TaskDefinition = before
				f.service.Events = []ecstypes.ServiceEvent{{Message: aws.String("rolling back to app:1")}}
			}
		})
	}
	return &ecs.UpdateServiceOutput{Service: &f.service}, nil
}

func deployTo(service string, more object) graph.Resource {
	configuration := object{"ClusterName": "c", "ServiceName": service}
	for key, value := range more {
		configuration[key] = value
	}
	return pipeline(source(), build(), stage("dev", act("deploy", "Deploy/ECS", object{"inputArtifacts": []any{"image"}, "configuration": configuration})))
}

// deployed runs the pipeline once over the fleet.
func deployed(t *testing.T, p graph.Resource, f *fleet, check func(ended *types.PipelineExecution, took time.Duration)) {
	synctest.Test(t, func(t *testing.T) {
		clock := clockwork.NewRealClock()
		w := &world{head: "c1"}
		w.Service = codepipeline.New(codepipeline.Config{Clock: clock, Journal: journal.New(clock), Region: "eu-central-1",
			Folder: filepath.Join(t.TempDir(), "artifacts"), Repository: w, Builds: w, Functions: w, Services: f})
		defer func() { assert.NoError(t, w.Close()) }()
		require.NoError(t, w.Providers()["aws:codeconnections/connection:Connection"].Create(t.Context(), graph.Resource{Outputs: object{"arn": connection}}))
		require.NoError(t, w.Providers()["aws:codepipeline/pipeline:Pipeline"].Create(t.Context(), p))
		began := time.Now()
		ended := w.wait(t, w.start(t))
		check(ended, time.Since(began))
	})
}

func TestADeployActionClonesTheServicesOwnRevisionWithTheBuiltImage(t *testing.T) {
	f := newFleet()
	deployed(t, deployTo("green", nil), f, func(ended *types.PipelineExecution, took time.Duration) {
		assert.Equal(t, types.PipelineExecutionStatusSucceeded, ended.Status)
		assert.GreaterOrEqual(t, took, time.Minute)
		require.Len(t, f.revisions, 2)
		assert.Equal(t, "repo@c1", *f.revisions[1].ContainerDefinitions[0].Image)
		assert.Equal(t, "sidecar", *f.revisions[1].ContainerDefinitions[1].Image)
		assert.Equal(t, "256", *f.revisions[1].Cpu)
		assert.Equal(t, "old", *f.revisions[0].ContainerDefinitions[0].Image, "the old revision is as it was")
	})
}

func TestADeployActionFails(t *testing.T) {
	t.Run("when the service returns to its old revision", func(t *testing.T) {
		f := newFleet()
		f.rollsBack = true
		deployed(t, deployTo("green", nil), f, func(ended *types.PipelineExecution, _ time.Duration) {
			assert.Equal(t, types.PipelineExecutionStatusFailed, ended.Status)
			assert.Contains(t, *ended.StatusSummary, "rolling back to app:1")
		})
	})
	t.Run("when the service does not settle within the declared time", func(t *testing.T) {
		f := newFleet()
		f.settles = 0
		deployed(t, deployTo("green", object{"DeploymentTimeout": "15"}), f, func(ended *types.PipelineExecution, took time.Duration) {
			assert.Contains(t, *ended.StatusSummary, "did not settle in time: 0 of 2 tasks run")
			assert.InDelta(t, 15, took.Minutes(), 0.2)
		})
	})
	t.Run("when there is no such service or file", func(t *testing.T) {
		deployed(t, deployTo("red", nil), newFleet(), func(ended *types.PipelineExecution, _ time.Duration) {
			assert.Contains(t, *ended.StatusSummary, `cluster c has no service "red"`)
		})
		deployed(t, deployTo("green", object{"FileName": "../images.json"}), newFleet(), func(ended *types.PipelineExecution, _ time.Duration) {
			assert.Contains(t, *ended.StatusSummary, "artifact image has no file ../images.json")
		})
	})
}
