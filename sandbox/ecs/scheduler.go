package ecs

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// lookEvery is how often a service's scheduler looks at its tasks' health when nothing wakes it.
const lookEvery = 2 * time.Second

// control is one service's scheduler: it looks and acts until the service is gone or ECS is closed.
func (s *Service) control(sv *replicaService) {
	defer s.running.Done()
	look := s.Clock.NewTicker(lookEvery)
	defer look.Stop()
	for {
		if s.schedule(sv) {
			return
		}
		select {
		case <-s.closing.Done():
			return
		case <-sv.wake:
		case <-look.Chan():
		}
	}
}

// schedule brings the service one step nearer to what is wanted, and tells whether it has come to its end.
func (s *Service) schedule(sv *replicaService) (ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended() {
		return true
	}
	s.judge(sv)
	var live []*task
	for _, t := range sv.tasks {
		if !t.told {
			live = append(live, t)
		}
	}
	now := s.Clock.Now()
	do := decide(situation{
		desired: int(sv.desired), tasks: standings(sv, live),
		minimumHealthyPercent: int(aws.ToInt32(sv.settings.deployment.MinimumHealthyPercent)),
		maximumPercent:        int(aws.ToInt32(sv.settings.deployment.MaximumPercent)),
		hold:                  sv.primary().state == types.DeploymentRolloutStateFailed || now.Before(sv.startAfter),
	})
	if len(do.stop) > 0 {
		var names []string
		for _, i := range do.stop {
			s.stop(live[i], stopReason(live[i]), types.TaskStopCodeServiceSchedulerInitiated)
			names = append(names, "(task "+live[i].id+")")
		}
		s.event(sv, "has stopped %d running tasks: %s.", len(names), strings.Join(names, " "))
	}
	if do.start > 0 {
		var names []string
		for range do.start {
			names = append(names, "(task "+s.start(sv).id+")")
		}
		s.event(sv, "has started %d tasks: %s.", len(names), strings.Join(names, " "))
	}
	if do.blocked && !sv.blocked {
		s.event(sv, "was unable to stop or start tasks during a deployment because of the service deployment configuration. "+
			"Update the minimumHealthyPercent or maximumPercent value and try again.")
	}
	sv.blocked = do.blocked
	return s.settle(sv)
}

// judge reads the health of every running task and counts those that have turned bad.
func (s *Service) judge(sv *replicaService) {
	for _, t := range sv.tasks {
		if t.last != taskRunning || t.told {
			continue
		}
		was := t.health
		t.health, t.sick = s.health(sv, t)
		switch {
		case t.health == healthy && was != healthy:
			if t.deployment.streak = 0; t.deployment == sv.primary() {
				sv.failures = 0
			}
		case t.health == unhealthy && was != unhealthy:
			s.event(sv, "(task %s) (port %d) is unhealthy in (target-group %s) due to (reason %s).", t.id, t.port(),
				t.sick.group, t.sick.reason)
			s.fail(sv, t.deployment)
		}
	}
}

// sickness is why a task is unhealthy.
type sickness struct{ group, reason string }

// health is a running task's: that of its worst target, and healthy where the service has no load balancer.
func (s *Service) health(sv *replicaService, t *task) (health, sickness) {
	worst := healthy
	for _, lb := range t.deployment.settings.loadBalancers {
		group := aws.ToString(lb.TargetGroupArn)
		described, err := s.TargetGroups.DescribeTargetHealth(s.closing, &elb.DescribeTargetHealthInput{
			TargetGroupArn: &group, Targets: []elbtypes.TargetDescription{{Id: &t.address, Port: lb.ContainerPort}},
		})
		if err != nil || len(described.TargetHealthDescriptions) == 0 {
			worst = unknown
			continue
		}
		switch state := described.TargetHealthDescriptions[0].TargetHealth; {
		case state.State == elbtypes.TargetHealthStateEnumHealthy:
		case state.State == elbtypes.TargetHealthStateEnumUnhealthy && !s.Clock.Now().Before(s.graceEnds(sv, t)):
			return unhealthy, sickness{group, aws.ToString(state.Description)}
		default:
			worst = unknown
		}
	}
	return worst, sickness{}
}

func standings(sv *replicaService, tasks []*task) []standing {
	all := make([]standing, len(tasks))
	for i, t := range tasks {
		all[i] = standing{primary: t.deployment == sv.primary(), started: t.last == taskRunning, health: t.health}
	}
	return all
}

func stopReason(t *task) string {
	if t.health == unhealthy {
		return "Task failed ELB health checks in (target-group " + t.sick.group + ")"
	}
	if t.deployment.state == types.DeploymentRolloutStateFailed {
		return "Scaling activity initiated by (deployment " + t.deployment.id + "), which failed"
	}
	return "Scaling activity initiated by (deployment " + t.deployment.id + ")"
}

// settle forgets deployments without tasks, completes the one that has got what it wants, and ends a service that is drained.
func (s *Service) settle(sv *replicaService) (ended bool) {
	sv.deployments = slices.DeleteFunc(sv.deployments, func(d *deployment) bool {
		return d != sv.primary() && !slices.ContainsFunc(sv.tasks, func(t *task) bool { return t.deployment == d })
	})
	if sv.status == statusDraining && len(sv.tasks) == 0 {
		sv.status = statusInactive
		close(sv.gone)
		return true
	}
	sound := 0
	for _, t := range sv.tasks {
		if t.last == taskRunning && !t.told && t.health == healthy && t.deployment == sv.primary() {
			sound++
		}
	}
	reached := sound == int(sv.desired) && sound == len(sv.tasks) && sv.primary().state != types.DeploymentRolloutStateFailed
	if reached && !sv.steady {
		s.complete(sv)
		s.event(sv, "has reached a steady state.")
	}
	sv.steady = reached
	return false
}
