package ecs

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// deployment is one try to make a service run a revision.
type deployment struct {
	id         string
	definition *revision
	// settings are those of the service when the deployment began.
	settings         settings
	created, updated time.Time
	state            types.DeploymentRolloutState
	reason           string
	// failed are all tasks that failed; streak those since one was last found healthy, which the circuit breaker counts.
	failed, streak int32
	// rollback is true for a deployment that the circuit breaker began: it is not rolled back in turn.
	rollback bool
}

// breaker bounds of the documented failure threshold: half of the desired count, at least 3 and at most 200.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
const (
	leastThreshold = 3
	mostThreshold  = 200
)

func threshold(desired int32) int32 { return min(mostThreshold, max(leastThreshold, (desired+1)/2)) }

// deploy begins a deployment of the revision, which becomes the service's PRIMARY one.
func (s *Service) deploy(sv *replicaService, definition *revision) *deployment {
	now := s.Clock.Now()
	d := &deployment{
		id: deploymentID(), definition: definition, settings: sv.settings, created: now, updated: now,
		state: types.DeploymentRolloutStateInProgress,
	}
	d.reason = fmt.Sprintf("ECS deployment %s in progress.", d.id)
	sv.deployments = append([]*deployment{d}, sv.deployments...)
	sv.steady, sv.failures, sv.startAfter = false, 0, time.Time{}
	s.tell(sv, "deployment", map[string]any{"deployment": d.id, "taskDefinition": aws.ToString(definition.TaskDefinitionArn)},
		"(deployment %s) of %s has begun.", d.id, lastPart(aws.ToString(definition.TaskDefinitionArn)))
	return d
}

// fail counts a task that did not start, ended by itself or was found unhealthy, and trips the circuit breaker at its threshold.
func (s *Service) fail(sv *replicaService, d *deployment) {
	d.failed++
	d.streak++
	sv.steady = false
	if d != sv.primary() {
		return
	}
	sv.failures++
	sv.startAfter = s.Clock.Now().Add(pause(sv.failures))
	if sv.failures == firstPause {
		s.event(sv, "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.")
	}
	breaker := sv.breaker()
	if d.state != types.DeploymentRolloutStateInProgress || !breaker.Enable || d.streak < threshold(sv.desired) {
		return
	}
	d.state, d.updated = types.DeploymentRolloutStateFailed, s.Clock.Now()
	d.reason = "ECS deployment circuit breaker: tasks failed to start."
	s.event(sv, "(deployment %s) deployment failed: tasks failed to start.", d.id)
	if !breaker.Rollback || d.rollback || sv.completed == nil {
		return
	}
	s.event(sv, "rolling back to deployment %s.", sv.completed.id)
	back := s.deploy(sv, sv.completed.definition)
	back.rollback, back.reason = true, fmt.Sprintf("ECS deployment circuit breaker: rolling back to deploymentId %s.", sv.completed.id)
}

// firstPause is how many failures in a row the scheduler takes before it waits between tries, longer each time. AWS documents
// the manner and the longest wait, not the steps.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
const (
	firstPause   = 3
	shortestWait = 30 * time.Second
	longestWait  = 15 * time.Minute
)

func pause(failures int) time.Duration {
	if failures < firstPause {
		return 0
	}
	return min(longestWait, shortestWait<<min(failures-firstPause, 10))
}

// complete ends the PRIMARY deployment well and forgets those that have no task left.
func (s *Service) complete(sv *replicaService) {
	d := sv.primary()
	if d.state == types.DeploymentRolloutStateInProgress {
		d.state, d.updated = types.DeploymentRolloutStateCompleted, s.Clock.Now()
		d.reason = fmt.Sprintf("ECS deployment %s completed.", d.id)
		s.event(sv, "(deployment %s) deployment completed.", d.id)
	}
	if d.state == types.DeploymentRolloutStateCompleted {
		sv.completed = d
	}
}

// describe tells of a deployment. What changes later is copied: the caller reads it without the lock.
func (d *deployment) describe(sv *replicaService) types.Deployment {
	described := types.Deployment{
		Id: &d.id, Status: new("ACTIVE"), TaskDefinition: d.definition.TaskDefinitionArn, CreatedAt: &d.created, UpdatedAt: new(d.updated),
		FailedTasks: d.failed, RolloutState: d.state, RolloutStateReason: new(d.reason), LaunchType: d.settings.launchType,
		CapacityProviderStrategy: d.settings.strategy, NetworkConfiguration: d.settings.network, PlatformVersion: d.settings.platformVersion,
		PlatformFamily: new("Linux"),
	}
	described.RunningCount, described.PendingCount = sv.counts(d)
	described.DesiredCount = described.RunningCount + described.PendingCount
	if d == sv.primary() {
		described.Status, described.DesiredCount = new("PRIMARY"), sv.desired
	}
	return described
}
