package ecs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAServiceReachesItsCountAndSaysSo(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.groups.warmup = 10 * time.Second
		definition := w.register(t, shape(goodImage))
		w.create(t, service(definition, 3))
		w.await(t, "running", func(sv types.Service) bool { return sv.RunningCount == 3 })
		assert.Equal(t, types.DeploymentRolloutStateInProgress, w.look(t).Deployments[0].RolloutState, "running is not yet healthy")
		sv := w.steady(t)
		assert.Equal(t, "PRIMARY", *sv.Deployments[0].Status)
		assert.Equal(t, definition, *sv.TaskDefinition)
		assert.Len(t, w.groups.inService(), 3)
		assert.Contains(t, messages(sv), "(service blue) has reached a steady state.")
		assert.Contains(t, messages(sv), fmt.Sprintf("(service blue) (deployment %s) deployment completed.", *sv.Deployments[0].Id))
		pass(time.Hour)
		assert.Len(t, messages(w.look(t)), len(messages(sv)), "nothing happens in a steady state")
	})
}

func TestATaskTellsItsLife(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.create(t, service(w.register(t, shape(goodImage)), 1))
		w.steady(t)
		running := w.tasks(t, types.DesiredStatusRunning)
		require.Len(t, running, 1)
		c := running[0].Containers[0]
		assert.Equal(t, "RUNNING", *running[0].LastStatus)
		assert.Equal(t, goodImage, *c.Image)
		assert.Equal(t, "sha256:aaaa", *c.ImageDigest)
		assert.Equal(t, w.groups.inService(), []string{*c.NetworkInterfaces[0].PrivateIpv4Address})
		assert.Nil(t, c.ExitCode)
		assert.NotNil(t, running[0].StartedAt)

		_, err := w.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: new("shop"), Task: running[0].TaskArn, Reason: new("a drill")})
		require.NoError(t, err)
		w.steady(t)
		stopped := w.tasks(t, types.DesiredStatusStopped)
		require.Len(t, stopped, 1)
		assert.Equal(t, "STOPPED", *stopped[0].LastStatus)
		assert.Equal(t, "a drill", *stopped[0].StoppedReason)
		assert.Equal(t, types.TaskStopCodeUserInitiated, stopped[0].StopCode)
		assert.Equal(t, int32(143), *stopped[0].Containers[0].ExitCode)
		assert.Len(t, w.tasks(t, types.DesiredStatusRunning), 1, "the service replaces it")
		pass(2 * time.Hour)
		_, err = w.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: new("shop"), Task: w.tasks(t, types.DesiredStatusRunning)[0].TaskArn})
		require.NoError(t, err)
		w.steady(t)
		assert.Len(t, w.tasks(t, types.DesiredStatusStopped), 1, "a task that ended hours ago is forgotten")
	})
}

func TestACountAloneStartsNoDeployment(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.create(t, service(w.register(t, shape(goodImage)), 2))
		first := *w.steady(t).Deployments[0].Id
		w.update(t, &ecs.UpdateServiceInput{DesiredCount: new(int32(4))})
		sv := w.steady(t)
		assert.Equal(t, int32(4), sv.RunningCount)
		assert.Equal(t, first, *sv.Deployments[0].Id)
		w.update(t, &ecs.UpdateServiceInput{DesiredCount: new(int32(0))})
		sv = w.steady(t)
		assert.Zero(t, sv.RunningCount)
		assert.Equal(t, first, *sv.Deployments[0].Id)
		assert.Empty(t, w.groups.inService())
	})
}

func TestForceNewDeploymentReplacesEveryTask(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.create(t, service(w.register(t, shape(goodImage)), 2))
		w.steady(t)
		before := w.groups.inService()
		w.update(t, &ecs.UpdateServiceInput{ForceNewDeployment: true})
		assert.Len(t, w.look(t).Deployments, 2, "the old one is ACTIVE until its tasks are gone")
		w.steady(t)
		after := w.groups.inService()
		assert.Len(t, after, 2)
		for _, id := range before {
			assert.NotContains(t, after, id)
		}
	})
}

func TestANewRevisionOnAnIdleServiceIsDoneAtOnce(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.create(t, service(w.register(t, shape(goodImage)), 0))
		w.steady(t)
		next := w.register(t, shape(badImage))
		w.update(t, &ecs.UpdateServiceInput{TaskDefinition: &next})
		synctest.Wait()
		sv := w.look(t)
		assert.Equal(t, next, *sv.TaskDefinition)
		assert.Equal(t, types.DeploymentRolloutStateCompleted, sv.Deployments[0].RolloutState)
		assert.Len(t, sv.Deployments, 1)
		assert.Empty(t, w.engine.specs, "nothing was started")
	})
}

func TestARollingUpdateNeverLosesAHealthyTask(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.groups.warmup, w.groups.drain = 15*time.Second, time.Minute
		w.create(t, service(w.register(t, shape(goodImage)), 3))
		w.steady(t)
		next := w.register(t, shape("123456789012.dkr.ecr.eu-central-1.amazonaws.com/penguinshop-dev@sha256:cccc"))
		w.update(t, &ecs.UpdateServiceInput{TaskDefinition: &next})
		w.await(t, "done", func(sv types.Service) bool {
			assert.GreaterOrEqual(t, len(w.groups.inService()), 3)
			assert.LessOrEqual(t, sv.RunningCount+sv.PendingCount, int32(6))
			return sv.Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted
		})
		assert.Empty(t, slices.DeleteFunc(w.engine.running(), func(c *box) bool { return strings.HasSuffix(c.image, "cccc") }),
			"the deployment is complete when the last old task has drained and gone")
		assert.Contains(t, messages(w.look(t)), "(service blue) has begun draining connections on 1 tasks.")
	})
}

func TestADeploymentWithoutRoomToMoveSaysSo(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.create(t, service(w.register(t, shape(goodImage)), 1, func(in *ecs.CreateServiceInput) {
			in.DeploymentConfiguration.MaximumPercent = new(int32(150)) // of one task, rounded down: one
		}))
		w.steady(t)
		w.update(t, &ecs.UpdateServiceInput{ForceNewDeployment: true})
		pass(time.Hour)
		said := strings.Join(messages(w.look(t)), "\n")
		assert.Equal(t, 1, strings.Count(said, "was unable to stop or start tasks during a deployment because of the service deployment configuration"))
		w.update(t, &ecs.UpdateServiceInput{DeploymentConfiguration: &types.DeploymentConfiguration{MaximumPercent: new(int32(200))}})
		w.steady(t)
	})
}

func TestTheBreakerFailsADeploymentWhoseContainersExit(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.groups.warmup = 5 * time.Second
		w.engine.acts("sha256:bbbb", behaviour{exits: time.Second, code: 1})
		w.create(t, service(w.register(t, shape(goodImage)), 2))
		w.steady(t)
		bad := w.register(t, shape(badImage))
		w.update(t, &ecs.UpdateServiceInput{TaskDefinition: &bad})
		sv := w.await(t, "failed", func(sv types.Service) bool {
			return sv.Deployments[0].RolloutState == types.DeploymentRolloutStateFailed
		})
		assert.Equal(t, bad, *sv.TaskDefinition, "without rollback the service keeps the bad revision")
		assert.Contains(t, *sv.Deployments[0].RolloutStateReason, "ECS deployment circuit breaker")
		assert.GreaterOrEqual(t, sv.Deployments[0].FailedTasks, int32(3))
		assert.Len(t, w.groups.inService(), 2, "the old tasks serve on")
		started := len(w.engine.specs)
		pass(time.Hour)
		assert.Len(t, w.engine.specs, started, "nothing more is started")
		for _, task := range w.tasks(t, types.DesiredStatusStopped) {
			assert.Equal(t, types.TaskStopCodeEssentialContainerExited, task.StopCode)
			assert.Equal(t, "Essential container in task exited", *task.StoppedReason)
			assert.Equal(t, int32(1), *task.Containers[0].ExitCode)
		}
		good := w.register(t, shape(goodImage))
		w.update(t, &ecs.UpdateServiceInput{TaskDefinition: &good})
		assert.Equal(t, good, *w.steady(t).TaskDefinition, "a later deployment is not held back")
	})
}

func TestTheBreakerRollsBackToTheLastCompletedDeployment(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.groups.warmup = 5 * time.Second
		good := w.register(t, shape(goodImage))
		w.create(t, service(good, 2, rollback))
		last := *w.steady(t).Deployments[0].Id
		var ill []string
		w.groups.sicken(func(id string) bool { return slices.Contains(ill, id) })
		bad := w.register(t, shape(badImage))
		old := w.groups.inService()
		w.update(t, &ecs.UpdateServiceInput{TaskDefinition: &bad})
		sv := w.await(t, "rolled back", func(sv types.Service) bool {
			if *sv.TaskDefinition == bad {
				fresh := slices.DeleteFunc(w.groups.inService(), func(id string) bool { return slices.Contains(old, id) })
				w.groups.set(func() { ill = fresh })
			}
			return *sv.TaskDefinition == good
		})
		assert.Contains(t, messages(sv), "(service blue) rolling back to deployment "+last+".")
		assert.Contains(t, strings.Join(messages(sv), "\n"), "is unhealthy in (target-group "+targetGroup+") due to (reason Health checks failed with these codes: [500])")
		sv = w.steady(t)
		assert.Equal(t, good, *sv.TaskDefinition)
		assert.Len(t, w.groups.inService(), 2)
	})
}

func TestTheBreakerHasNowhereToRollBackToOnTheFirstDeployment(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.images[badImage] = errors.New("manifest unknown")
		w.create(t, service(w.register(t, shape(badImage)), 1, rollback))
		sv := w.await(t, "failed", func(sv types.Service) bool {
			return sv.Deployments[0].RolloutState == types.DeploymentRolloutStateFailed
		})
		assert.Len(t, sv.Deployments, 1)
		assert.Equal(t, int32(3), sv.Deployments[0].FailedTasks, "the threshold is at least three")
		task := w.tasks(t, types.DesiredStatusStopped)[0]
		assert.Equal(t, types.TaskStopCodeTaskFailedToStart, task.StopCode)
		assert.Contains(t, *task.StoppedReason, "CannotPullContainerError")
		assert.Contains(t, *task.StoppedReason, "manifest unknown")
	})
}

func TestWithoutTheBreakerTheSchedulerTriesOnSlowerAndSlower(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.engine.acts("sha256:bbbb", behaviour{startFails: errors.New("no space left")})
		w.create(t, service(w.register(t, shape(badImage)), 1, func(in *ecs.CreateServiceInput) { in.DeploymentConfiguration = nil }))
		pass(time.Hour)
		tries := len(w.engine.specs)
		assert.Greater(t, tries, 5)
		assert.Less(t, tries, 15)
		sv := w.look(t)
		assert.Equal(t, types.DeploymentRolloutStateInProgress, sv.Deployments[0].RolloutState)
		assert.Contains(t, strings.Join(messages(sv), "\n"), "is unable to consistently start tasks successfully")
		w.engine.acts("sha256:bbbb", behaviour{})
		w.steady(t)
	})
}

func TestATaskThatDiesOrIsKilledIsReplaced(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.create(t, service(w.register(t, shape(goodImage)), 2))
		w.steady(t)
		victim := *w.tasks(t, types.DesiredStatusRunning)[0].TaskArn
		require.NoError(t, w.KillTask(t.Context(), victim))
		sv := w.steady(t)
		assert.Equal(t, int32(2), sv.RunningCount)
		assert.Len(t, w.groups.inService(), 2)
		assert.Equal(t, int32(137), *w.tasks(t, types.DesiredStatusStopped)[0].Containers[0].ExitCode)
		assert.Error(t, w.KillTask(t.Context(), victim), "it has ended")
		assert.Error(t, w.KillTask(t.Context(), "arn:aws:ecs:eu-central-1:123456789012:task/shop/none"))
	})
}

func TestAnUnhealthyTaskIsReplacedAfterTheGracePeriodOnly(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.create(t, service(w.register(t, shape(goodImage)), 2, func(in *ecs.CreateServiceInput) { in.HealthCheckGracePeriodSeconds = new(int32(300)) }))
		w.steady(t)
		ill := w.groups.inService()[0]
		w.groups.sicken(func(id string) bool { return id == ill })
		pass(4 * time.Minute)
		assert.Contains(t, w.groups.inService(), ill, "the grace period has not ended")
		pass(2 * time.Minute)
		w.steady(t)
		assert.NotContains(t, w.groups.inService(), ill)
		assert.Len(t, w.groups.inService(), 2)
		assert.Contains(t, *w.tasks(t, types.DesiredStatusStopped)[0].StoppedReason, "Task failed ELB health checks in (target-group "+targetGroup+")")
	})
}

func TestATaskDrainsBeforeItIsTold(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.groups.drain = 2 * time.Minute
		w.create(t, service(w.register(t, shape(goodImage)), 1))
		w.steady(t)
		w.update(t, &ecs.UpdateServiceInput{DesiredCount: new(int32(0))})
		pass(time.Minute)
		assert.Equal(t, "DEACTIVATING", *w.tasks(t, types.DesiredStatusStopped)[0].LastStatus)
		assert.Len(t, w.engine.running(), 1, "it finishes what it began")
		pass(2 * time.Minute)
		assert.Empty(t, w.engine.running())
		assert.Equal(t, 20*time.Second, w.engine.containers[0].grace, "the declared stop timeout")
	})
}

func TestAContainerThatIgnoresTermIsKilled(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.engine.acts("sha256:aaaa", behaviour{ignoresTerm: true})
		w.create(t, service(w.register(t, shape(goodImage)), 1))
		w.steady(t)
		w.update(t, &ecs.UpdateServiceInput{DesiredCount: new(int32(0))})
		w.steady(t)
		assert.Equal(t, int32(137), *w.tasks(t, types.DesiredStatusStopped)[0].Containers[0].ExitCode)
	})
}

func TestATaskThatIsToldWhileItStartsNeverServes(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.engine.acts("sha256:aaaa", behaviour{startTakes: time.Minute})
		w.create(t, service(w.register(t, shape(goodImage)), 1))
		pass(10 * time.Second)
		assert.Equal(t, int32(1), w.look(t).PendingCount)
		w.update(t, &ecs.UpdateServiceInput{DesiredCount: new(int32(0))})
		sv := w.steady(t)
		assert.Zero(t, w.groups.wasTried)
		assert.Zero(t, sv.Deployments[0].FailedTasks, "being told is no failure")
	})
}

func TestWhatAContainerIsGiven(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		_, err := w.params.PutParameter(t.Context(), &ssm.PutParameterInput{Name: new("/shop/key"), Value: new("s3cret"), Type: ssmtypes.ParameterTypeSecureString})
		require.NoError(t, err)
		w.create(t, service(w.register(t, shape(goodImage, func(in *ecs.RegisterTaskDefinitionInput) {
			c := &in.ContainerDefinitions[0]
			c.Secrets = []types.Secret{{Name: new("KEY"), ValueFrom: new("arn:aws:ssm:eu-central-1:123456789012:parameter/shop/key")}}
			c.ReadonlyRootFilesystem, c.User, c.Command = new(true), new("1000:1000"), []string{"node", "index.js"}
			in.Volumes = []types.Volume{{Name: new("tmp")}}
			c.MountPoints = []types.MountPoint{{SourceVolume: new("tmp"), ContainerPath: new("/tmp")}}
		})), 1))
		w.steady(t)
		spec := w.engine.specs[0]
		assert.Equal(t, "127.0.0.1:5000/penguinshop-dev@sha256:aaaa", spec.Image)
		assert.Equal(t, 8080, spec.Port)
		assert.Equal(t, "blue", spec.Env["COLOUR"])
		assert.Equal(t, "s3cret", spec.Env["KEY"])
		assert.Equal(t, "eu-central-1", spec.Env["AWS_REGION"])
		assert.Contains(t, spec.Env["ECS_CONTAINER_METADATA_URI_V4"], "http://10.88.0.1:4711/v4/")
		assert.True(t, spec.ReadOnly)
		assert.Equal(t, []string{"/tmp"}, spec.Writable)
		assert.Equal(t, "1000:1000", spec.User)
		assert.Equal(t, []string{"node", "index.js"}, spec.Command)
		assert.Equal(t, 256, spec.CPUUnits)
		assert.Equal(t, 512, spec.MemoryMiB)
		for _, e := range w.journal.Since(0) {
			assert.NotContains(t, e.Text+fmt.Sprint(e.Fields), "s3cret")
		}
	})
}

func TestAMissingSecretKeepsATaskFromStarting(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.create(t, service(w.register(t, shape(goodImage, func(in *ecs.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].Secrets = []types.Secret{{Name: new("KEY"), ValueFrom: new("/none")}}
		})), 1))
		w.await(t, "failed", func(sv types.Service) bool {
			return sv.Deployments[0].RolloutState == types.DeploymentRolloutStateFailed
		})
		assert.Contains(t, *w.tasks(t, types.DesiredStatusStopped)[0].StoppedReason, "ResourceInitializationError: unable to pull secrets")
		assert.Empty(t, w.engine.specs)
	})
}

func TestTheLogGoesWhereItIsDeclared(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.create(t, service(w.register(t, shape(goodImage)), 1))
		w.steady(t)
		w.update(t, &ecs.UpdateServiceInput{DesiredCount: new(int32(0))})
		w.steady(t)
		out, err := w.logs.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: new("shop")})
		require.NoError(t, err)
		require.Len(t, out.Events, 2)
		id := (*w.tasks(t, types.DesiredStatusStopped)[0].TaskArn)[len("arn:aws:ecs:eu-central-1:123456789012:task/shop/"):]
		assert.Equal(t, "blue/app/"+id, *out.Events[0].LogStreamName)
		assert.Equal(t, "listening", *out.Events[0].Message)
		assert.Equal(t, "no newline yet", *out.Events[1].Message)
	})
}

func TestAMissingLogGroupKeepsATaskFromStarting(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		_, err := w.logs.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: new("shop")})
		require.NoError(t, err)
		w.create(t, service(w.register(t, shape(goodImage)), 1))
		w.await(t, "failed", func(sv types.Service) bool {
			return sv.Deployments[0].RolloutState == types.DeploymentRolloutStateFailed
		})
		assert.Contains(t, *w.tasks(t, types.DesiredStatusStopped)[0].StoppedReason, "failed to validate logger args")
	})
}

func TestATargetGroupThatRefusesKeepsATaskFromServing(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.groups.refuses = errors.New("TargetGroupNotFound")
		w.create(t, service(w.register(t, shape(goodImage)), 1))
		w.await(t, "failed", func(sv types.Service) bool {
			return sv.Deployments[0].RolloutState == types.DeploymentRolloutStateFailed
		})
		assert.Contains(t, *w.tasks(t, types.DesiredStatusStopped)[0].StoppedReason, "failed to register targets in (target-group")
		assert.Empty(t, w.engine.running())
	})
}

func TestADeletedServiceDrainsAndIsInactive(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		w.create(t, service(w.register(t, shape(goodImage)), 2))
		w.steady(t)
		_, err := w.DeleteService(t.Context(), &ecs.DeleteServiceInput{Cluster: new("shop"), Service: new("blue")})
		assert.ErrorAs(t, err, new(*types.InvalidParameterException), "it is scaled above 0")
		_, err = w.DeleteCluster(t.Context(), &ecs.DeleteClusterInput{Cluster: new("shop")})
		assert.ErrorAs(t, err, new(*types.ClusterContainsServicesException))
		_, err = w.DeleteService(t.Context(), &ecs.DeleteServiceInput{Cluster: new("shop"), Service: new("blue"), Force: new(true)})
		require.NoError(t, err)
		w.await(t, "gone", func(sv types.Service) bool { return *sv.Status == "INACTIVE" })
		assert.Empty(t, w.engine.running())
		_, err = w.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: new("shop"), Service: new("blue"), DesiredCount: new(int32(1))})
		assert.ErrorAs(t, err, new(*types.ServiceNotActiveException))
		list, err := w.ListServices(t.Context(), &ecs.ListServicesInput{Cluster: new("shop")})
		require.NoError(t, err)
		assert.Empty(t, list.ServiceArns)
		_, err = w.DeleteCluster(t.Context(), &ecs.DeleteClusterInput{Cluster: new("shop")})
		assert.NoError(t, err)
	})
}

func TestErrorsAreTheSDKs(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		definition := w.register(t, shape(goodImage))
		w.create(t, service(definition, 0))
		_, err := w.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: new("none"), Services: []string{"blue"}})
		assert.ErrorAs(t, err, new(*types.ClusterNotFoundException))
		out, err := w.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: new("shop"), Services: []string{"none"}})
		require.NoError(t, err)
		assert.Equal(t, "MISSING", aws.ToString(out.Failures[0].Reason))
		_, err = w.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: new("shop"), Service: new("none")})
		assert.ErrorAs(t, err, new(*types.ServiceNotFoundException))
		_, err = w.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: new("shop"), Service: new("blue"), TaskDefinition: new("none:1")})
		assert.ErrorAs(t, err, new(*types.ClientException))
		_, err = w.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: new("none")})
		assert.ErrorAs(t, err, new(*types.ClientException))
		_, err = w.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &definition})
		require.NoError(t, err)
		_, err = w.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: new("shop"), Service: new("blue"), TaskDefinition: &definition})
		assert.ErrorAs(t, err, new(*types.ClientException), "an inactive revision")
		_, err = w.ListTasks(ctx, &ecs.ListTasksInput{Cluster: new("shop"), ServiceName: new("none")})
		assert.ErrorAs(t, err, new(*types.ServiceNotFoundException))

		live := w.register(t, shape(goodImage))
		for name, change := range map[string]func(*ecs.CreateServiceInput){
			"a service of that name": func(*ecs.CreateServiceInput) {},
			"a container that is not there": func(in *ecs.CreateServiceInput) {
				in.ServiceName = new("x")
				in.LoadBalancers[0].ContainerName = new("web")
			},
			"a port that is not declared": func(in *ecs.CreateServiceInput) {
				in.ServiceName = new("x")
				in.LoadBalancers[0].ContainerPort = new(int32(80))
			},
			"no network": func(in *ecs.CreateServiceInput) { in.ServiceName = new("x"); in.NetworkConfiguration = nil },
			"a deployment that cannot move": func(in *ecs.CreateServiceInput) {
				in.ServiceName = new("x")
				in.DeploymentConfiguration.MaximumPercent = new(int32(100))
			},
			"grace without a load balancer": func(in *ecs.CreateServiceInput) { in.ServiceName = new("x"); in.LoadBalancers = nil },
			"what the sandbox does not know": func(in *ecs.CreateServiceInput) {
				in.ServiceName = new("x")
				in.ServiceRegistries = []types.ServiceRegistry{{}}
			},
		} {
			_, err := w.CreateService(ctx, service(live, 1, change))
			assert.ErrorAs(t, err, new(*types.InvalidParameterException), name)
		}
	})
}

func TestATaskDefinitionIsRefusedWithAllItsProblems(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		_, err := w.RegisterTaskDefinition(t.Context(), shape("", func(in *ecs.RegisterTaskDefinitionInput) {
			in.Memory, in.NetworkMode = new("513"), types.NetworkModeHost
			c := &in.ContainerDefinitions[0]
			c.HealthCheck, c.StopTimeout = &types.HealthCheck{Command: []string{"CMD", "true"}}, new(int32(121))
			c.MountPoints = []types.MountPoint{{SourceVolume: new("tmp"), ContainerPath: new("/tmp")}}
			c.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-datetime-format": "%Y"}}
		}))
		require.ErrorAs(t, err, new(*types.ClientException))
		for _, problem := range []string{"ContainerDefinitions[0].HealthCheck", "513 memory", "networkMode", "containerDefinitions[0].image", "stopTimeout 121",
			"Unknown volume 'tmp'", "Fargate needs awslogs-group", "does not imitate awslogs-datetime-format"} {
			assert.ErrorContains(t, err, problem)
		}
	})
}

func TestRevisionsCountUpAndDescribeByFamily(t *testing.T) {
	within(t, func(t *testing.T, w *world) {
		assert.Equal(t, int32(1), w.NextRevision("shop-blue"))
		first, second := w.register(t, shape(goodImage)), w.register(t, shape(badImage))
		assert.True(t, strings.HasSuffix(second, "task-definition/shop-blue:2"))
		latest, err := w.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: new("shop-blue")})
		require.NoError(t, err)
		assert.Equal(t, second, *latest.TaskDefinition.TaskDefinitionArn)
		assert.Equal(t, int32(8080), *latest.TaskDefinition.ContainerDefinitions[0].PortMappings[0].HostPort)
		_, err = w.DeregisterTaskDefinition(t.Context(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &second})
		require.NoError(t, err)
		latest, err = w.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: new("shop-blue")})
		require.NoError(t, err)
		assert.Equal(t, first, *latest.TaskDefinition.TaskDefinitionArn)
		assert.Equal(t, int32(3), w.NextRevision("shop-blue"), "numbers are never used twice")
	})
}

func TestCloseEndsWhatDrainsAndStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.groups.drain = time.Hour
		w.create(t, service(w.register(t, shape(goodImage)), 2))
		w.steady(t)
		w.update(t, &ecs.UpdateServiceInput{DesiredCount: new(int32(1))})
		w.engine.acts("sha256:bbbb", behaviour{startTakes: time.Hour})
		bad := w.register(t, shape(badImage))
		w.update(t, &ecs.UpdateServiceInput{TaskDefinition: &bad})
		pass(time.Minute)
		begun := time.Now()
		require.NoError(t, w.Close())
		assert.Less(t, time.Since(begun), time.Minute)
		assert.Empty(t, w.engine.running())
	})
}
