package ecs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/penguinshop/delivery/sandbox/container"
)

// startFailure is why a task did not start, in ECS's manner.
type startFailure struct{ reason string }

func (f *startFailure) Error() string { return f.reason }

// launched is a running container whose log is being followed until logged is closed.
type launched struct {
	container.Container
	logged <-chan struct{}
}

// launch fetches what a task needs and starts its container.
func (s *Service) launch(t *task) (launched, error) {
	select {
	case s.starts <- struct{}{}:
		defer func() { <-s.starts }()
	case <-t.ctx.Done():
		return launched{}, t.ctx.Err()
	}
	s.advance(t, taskPending)
	env, err := s.environment(t)
	if err != nil {
		return launched{}, err
	}
	log, err := s.openLog(t)
	if err != nil {
		return launched{}, err
	}
	c, err := s.startContainer(t, env)
	if err != nil {
		return launched{}, err
	}
	s.mu.Lock()
	t.container = c
	s.mu.Unlock()
	logged := make(chan struct{})
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		defer close(logged)
		err := c.Logs(context.WithoutCancel(t.ctx), log)
		if err = errors.Join(err, log.Close()); err != nil && !s.ended() {
			s.note(t, "(task %s) the container's log could not be kept: %v.", t.id, err)
		}
	}()
	return launched{c, logged}, nil
}

// environment is what the container finds: its declared variables, its secrets, and what Fargate adds.
func (s *Service) environment(t *task) (map[string]string, error) {
	endpoint, err := s.metadata.serve(t, s)
	if err != nil {
		return nil, &startFailure{fmt.Sprintf("ResourceInitializationError: the task metadata endpoint could not be opened: %v", err)}
	}
	env := map[string]string{
		"ECS_CONTAINER_METADATA_URI_V4": endpoint, "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE", "AWS_REGION": s.Region, "AWS_DEFAULT_REGION": s.Region,
	}
	shape := t.shape()
	for _, variable := range shape.Environment {
		env[aws.ToString(variable.Name)] = aws.ToString(variable.Value)
	}
	wanted := map[string]string{}
	for _, secret := range shape.Secrets {
		wanted[aws.ToString(secret.Name)] = aws.ToString(secret.ValueFrom)
	}
	secrets, err := s.secrets(t.ctx, wanted)
	if err != nil {
		return nil, err
	}
	maps.Copy(env, secrets)
	return env, nil
}

// secrets reads the parameters that variables take their values from.
func (s *Service) secrets(ctx context.Context, wanted map[string]string) (map[string]string, error) {
	values := map[string]string{}
	for name, from := range wanted {
		out, err := s.Parameters.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{from}, WithDecryption: new(true)})
		if err == nil && len(out.InvalidParameters) > 0 {
			err = fmt.Errorf("invalid parameters: %s", strings.Join(out.InvalidParameters, ", "))
		}
		if err != nil {
			return nil, &startFailure{fmt.Sprintf("ResourceInitializationError: unable to pull secrets or registry auth: "+
				"execution resource retrieval failed: unable to retrieve secrets from ssm: %v", err)}
		}
		values[name] = aws.ToString(out.Parameters[0].Value)
	}
	return values, nil
}

// startContainer finds the image and starts it, or a stand-in where the image is of a registry that the sandbox has not.
func (s *Service) startContainer(t *task, env map[string]string) (container.Container, error) {
	s.mu.Lock()
	t.pullStarted = s.Clock.Now()
	s.mu.Unlock()
	shape := t.shape()
	declared := aws.ToString(shape.Image)
	image, err := s.Images(t.ctx, declared)
	s.mu.Lock()
	t.pullStopped, t.image = s.Clock.Now(), image
	s.mu.Unlock()
	if errors.Is(err, ErrForeign) {
		s.note(t, "(task %s) %s is not in the sandbox's registry: a responder that answers every path stands in for it.", t.id, declared)
		return standIn(declared)
	}
	if err != nil {
		return nil, s.unlessTold(t, fmt.Sprintf("CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref %s: %v", declared, err))
	}
	spec := container.Spec{
		Name: aws.ToString(t.definition().Family) + "-" + t.id[:8], Image: image.Reference, Port: int(t.port()), Env: env,
		EntryPoint: shape.EntryPoint, Command: shape.Command, User: aws.ToString(shape.User), ReadOnly: aws.ToBool(shape.ReadonlyRootFilesystem),
		CPUUnits: int(shape.Cpu), MemoryMiB: int(aws.ToInt32(shape.Memory)),
	}
	spec.CPUUnits = cmp.Or(spec.CPUUnits, number(t.definition().Cpu))
	spec.MemoryMiB = cmp.Or(spec.MemoryMiB, number(t.definition().Memory))
	for _, mount := range shape.MountPoints {
		spec.Writable = append(spec.Writable, aws.ToString(mount.ContainerPath))
	}
	c, err := s.Engine.Start(t.ctx, spec)
	if err != nil {
		return nil, s.unlessTold(t, fmt.Sprintf("CannotStartContainerError: %v", err))
	}
	return c, nil
}

// unlessTold is a failure to start, or, for a task that was told to stop meanwhile, just that.
func (s *Service) unlessTold(t *task, reason string) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	return &startFailure{reason}
}

// number reads a size that checkDefinition has found to be one.
func number(size *string) int {
	n, _ := strconv.Atoi(aws.ToString(size))
	return n
}
