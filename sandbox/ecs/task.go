package ecs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/container"
)

// The states of a task's life, in their order.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
const (
	taskProvisioning   = "PROVISIONING"
	taskPending        = "PENDING"
	taskActivating     = "ACTIVATING"
	taskRunning        = "RUNNING"
	taskDeactivating   = "DEACTIVATING"
	taskStopping       = "STOPPING"
	taskDeprovisioning = "DEPROVISIONING"
	taskStopped        = "STOPPED"
)

// task is one task of a service. Service.mu guards what changes in it.
type task struct {
	id, arn, address string
	service          *replicaService
	deployment       *deployment

	last   string
	health health
	sick   sickness
	// told is true from the moment that somebody stopped the task; ctx ends with it.
	told   bool
	ctx    context.Context
	cancel context.CancelFunc

	created, pullStarted, pullStopped, started, stopping, executionStopped, stopped time.Time
	stopCode                                                                        types.TaskStopCode
	stopReason                                                                      string

	image     Image
	container container.Container
	exit      *container.Exit
}

func (t *task) definition() *types.TaskDefinition { return &t.deployment.definition.TaskDefinition }

// shape is the task's one container, as declared.
func (t *task) shape() types.ContainerDefinition { return t.definition().ContainerDefinitions[0] }

// port is the container's declared port, 0 where it has none.
func (t *task) port() int32 {
	if ports := t.shape().PortMappings; len(ports) > 0 {
		return aws.ToInt32(ports[0].ContainerPort)
	}
	return 0
}

// desired is the status that the scheduler wants.
func (t *task) desired() string {
	if t.told || t.last == taskStopped {
		return taskStopped
	}
	return taskRunning
}

// start adds a task of the PRIMARY deployment and runs it. The caller holds mu.
func (s *Service) start(sv *replicaService) *task {
	t := &task{id: taskID(), address: s.nextAddress(), service: sv, deployment: sv.primary(), last: taskProvisioning, created: s.Clock.Now()}
	t.arn = s.arn("task", sv.cluster.name+"/"+t.id)
	t.ctx, t.cancel = context.WithCancel(s.closing)
	sv.tasks = append(sv.tasks, t)
	s.running.Add(1)
	go s.run(t)
	return t
}

// stop tells a task to end. The caller holds mu.
func (s *Service) stop(t *task, reason string, code types.TaskStopCode) {
	if t.told {
		return
	}
	t.told, t.stopReason, t.stopCode, t.stopping = true, reason, code, s.Clock.Now()
	t.service.steady = false
	t.cancel()
}

// run is a task's whole life.
func (s *Service) run(t *task) {
	defer s.running.Done()
	defer t.cancel()
	running, err := s.launch(t)
	if err == nil {
		err = s.serve(t, running.Container)
		<-running.logged
	}
	s.end(t, err)
}

// serve brings a task with a running container into its target groups, and returns when the container is gone.
func (s *Service) serve(t *task, c container.Container) error {
	var failed error
	if t.ctx.Err() == nil {
		failed = s.activate(t, c)
	}
	if failed == nil {
		select {
		case <-c.Done():
		case <-t.ctx.Done():
		}
	}
	alive := true
	select {
	case <-c.Done():
		alive = false
	default:
	}
	s.advance(t, taskDeactivating)
	s.deactivate(t, c, alive)
	s.advance(t, taskStopping)
	if err := c.Stop(context.WithoutCancel(t.ctx), s.grace(t)); err != nil {
		failed = errors.Join(failed, fmt.Errorf("stopping the container: %w", err))
	}
	exit := c.Exit()
	s.mu.Lock()
	defer s.mu.Unlock()
	t.exit, t.executionStopped = &exit, s.Clock.Now()
	if !alive && !t.told {
		t.stopCode, t.stopReason = types.TaskStopCodeEssentialContainerExited, "Essential container in task exited"
	}
	return failed
}

// activate registers the task with its service's target groups and makes it RUNNING.
func (s *Service) activate(t *task, c container.Container) error {
	s.advance(t, taskActivating)
	for _, lb := range t.deployment.settings.loadBalancers {
		group := aws.ToString(lb.TargetGroupArn)
		if err := s.TargetGroups.Register(group, t.address, int(aws.ToInt32(lb.ContainerPort)), c.Address()); err != nil {
			return &startFailure{fmt.Sprintf("failed to register targets in (target-group %s) with (error %v)", group, err)}
		}
		s.note(t, "registered 1 targets in (target-group %s)", group)
	}
	s.advance(t, taskRunning)
	return nil
}

// deactivate takes the task out of its target groups. A live container goes on serving what has begun, until its targets have
// drained or the sandbox closes.
func (s *Service) deactivate(t *task, c container.Container, alive bool) {
	var draining []<-chan struct{}
	for _, lb := range t.deployment.settings.loadBalancers {
		group := aws.ToString(lb.TargetGroupArn)
		drained, err := s.TargetGroups.Deregister(group, t.address, int(aws.ToInt32(lb.ContainerPort)))
		if err != nil {
			s.note(t, "failed to deregister targets in (target-group %s) with (error %v)", group, err)
			continue
		}
		s.note(t, "deregistered 1 targets in (target-group %s)", group)
		draining = append(draining, drained)
	}
	if !alive || len(draining) == 0 {
		return
	}
	s.note(t, "has begun draining connections on 1 tasks.")
	for _, drained := range draining {
		select {
		case <-drained:
		case <-c.Done():
			return
		case <-s.closing.Done():
			return
		}
	}
}

// defaultStopTimeout is what ECS waits between SIGTERM and SIGKILL where the container declares nothing.
const defaultStopTimeout = 30 * time.Second

// leastGrace is what a process gets of the machine's own time however fast the sandbox's runs, and leastGraceAtClose when the
// sandbox ends.
const (
	leastGrace        = 3 * time.Second
	leastGraceAtClose = time.Second
)

// grace is a task's stop timeout in real time.
func (s *Service) grace(t *task) time.Duration {
	if s.ended() {
		return leastGraceAtClose
	}
	timeout := defaultStopTimeout
	if declared := t.shape().StopTimeout; declared != nil {
		timeout = time.Duration(*declared) * time.Second
	}
	return max(leastGrace, clock.Real(s.Clock, timeout))
}

// advance makes a state the task's last one and wakes its scheduler.
func (s *Service) advance(t *task, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.last = to
	switch now := s.Clock.Now(); to {
	case taskRunning:
		t.started = now
	case taskDeactivating, taskStopping:
		if t.stopping.IsZero() {
			t.stopping = now
		}
	}
	t.service.poke()
}

// note adds an event to the task's service.
func (s *Service) note(t *task, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event(t.service, format, args...)
}

// keptStopped and keptStoppedFor bound the ended tasks that ListTasks and DescribeTasks still know; AWS keeps them about an hour.
const (
	keptStopped    = 500
	keptStoppedFor = time.Hour
)

// end makes a task STOPPED, counts it where it was not told to stop, and lets its scheduler replace it.
func (s *Service) end(t *task, err error) {
	s.metadata.forget(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Clock.Now()
	t.last, t.stopped = taskStopped, now
	if t.stopping.IsZero() {
		t.stopping = now
	}
	if err != nil && !t.told {
		t.stopCode, t.stopReason = types.TaskStopCodeTaskFailedToStart, err.Error()
	}
	sv := t.service
	sv.tasks = slices.DeleteFunc(sv.tasks, func(other *task) bool { return other == t })
	c := sv.cluster
	c.stopped = slices.DeleteFunc(append(c.stopped, t), func(old *task) bool { return now.Sub(old.stopped) > keptStoppedFor })
	c.stopped = c.stopped[max(0, len(c.stopped)-keptStopped):]
	if s.ended() {
		return
	}
	s.tell(sv, "task", t.fields(), "(task %s) has stopped: %s%s.", t.id, t.stopReason, t.exitText())
	if !t.told {
		s.fail(sv, t.deployment)
	}
	sv.poke()
}

func (t *task) exitText() string {
	if t.exit == nil {
		return ""
	}
	return fmt.Sprintf(" (exit code %d)", t.exit.Code)
}

// fields are a task's facts for the journal.
func (t *task) fields() map[string]any {
	fields := map[string]any{
		"task": t.id, "taskDefinition": aws.ToString(t.definition().TaskDefinitionArn), "status": t.last, "address": t.address,
		"image": aws.ToString(t.shape().Image),
	}
	if t.exit != nil {
		fields["exitCode"] = t.exit.Code
	}
	if t.stopCode != "" {
		fields["stopCode"] = string(t.stopCode)
	}
	return fields
}

func (t *task) describe(s *Service) types.Task {
	group := "service:" + t.service.name
	d := types.Task{
		TaskArn: &t.arn, ClusterArn: &t.service.cluster.arn, TaskDefinitionArn: t.definition().TaskDefinitionArn, Group: &group,
		StartedBy: &t.deployment.id, LaunchType: types.LaunchTypeFargate, LastStatus: new(t.last), DesiredStatus: new(t.desired()),
		Cpu: t.definition().Cpu, Memory: t.definition().Memory, AvailabilityZone: new(s.Region + "a"), Connectivity: types.ConnectivityConnected,
		CreatedAt: moment(t.created), PullStartedAt: moment(t.pullStarted), PullStoppedAt: moment(t.pullStopped), StartedAt: moment(t.started),
		StoppingAt: moment(t.stopping), ExecutionStoppedAt: moment(t.executionStopped), StoppedAt: moment(t.stopped),
		StopCode: t.stopCode, HealthStatus: types.HealthStatusUnknown, PlatformFamily: new("Linux"), Tags: t.service.tags,
		PlatformVersion: t.deployment.settings.platformVersion, EnableExecuteCommand: t.deployment.settings.executeCommand,
		Attachments: []types.Attachment{{Type: new("ElasticNetworkInterface"), Status: new("ATTACHED"), Details: []types.KeyValuePair{
			{Name: new("privateIPv4Address"), Value: &t.address},
		}}},
	}
	if t.stopReason != "" {
		d.StoppedReason = new(t.stopReason)
	}
	shape := t.shape()
	c := types.Container{
		Name: shape.Name, Image: shape.Image, TaskArn: &t.arn, ContainerArn: new(t.containerARN(s)), LastStatus: new(t.containerStatus()),
		HealthStatus: types.HealthStatusUnknown, Cpu: new(fmt.Sprint(shape.Cpu)),
		NetworkInterfaces: []types.NetworkInterface{{PrivateIpv4Address: &t.address}},
	}
	if t.image.Digest != "" {
		c.ImageDigest = new(t.image.Digest)
	}
	if t.container != nil {
		c.RuntimeId = new(t.container.ID())
	}
	if t.exit != nil {
		c.ExitCode = new(int32(t.exit.Code))
		if t.exit.Reason != "" && t.exit.Reason != t.stopReason {
			c.Reason = new(t.exit.Reason)
		}
	} else if t.stopCode == types.TaskStopCodeTaskFailedToStart {
		c.Reason = new(t.stopReason)
	}
	d.Containers = []types.Container{c}
	return d
}

func (t *task) containerARN(s *Service) string {
	return s.arn("container", t.service.cluster.name+"/"+t.id+"/"+aws.ToString(t.shape().Name))
}

// containerStatus is the container's own state, of which there are three.
func (t *task) containerStatus() string {
	switch {
	case t.last == taskStopped || t.exit != nil:
		return taskStopped
	case t.container != nil:
		return taskRunning
	default:
		return taskPending
	}
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
