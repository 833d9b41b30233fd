package adapter

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// services reads both ECS services.
func (w *World) services(ctx context.Context) (map[rollout.Colour]*rollout.Service, error) {
	out, err := w.Clients.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: aws.String(w.Settings.Cluster), Services: []string{w.Settings.Blue.Service, w.Settings.Green.Service},
	})
	if err != nil {
		return nil, err
	}
	services := map[rollout.Colour]*rollout.Service{}
	for _, c := range colours {
		for _, s := range out.Services {
			if aws.ToString(s.ServiceName) == w.side(c).Service {
				services[c] = seen(s)
			}
		}
		if services[c] == nil {
			return nil, fmt.Errorf("the cluster %s has no service %s", w.Settings.Cluster, w.side(c).Service)
		}
	}
	return services, nil
}

func seen(s types.Service) *rollout.Service {
	service := rollout.Service{
		Desired: int(s.DesiredCount), Running: int(s.RunningCount), TaskDefinition: aws.ToString(s.TaskDefinition), Settled: len(s.Deployments) <= 1,
	}
	for _, d := range s.Deployments {
		if aws.ToString(d.Status) == "PRIMARY" && d.RolloutState == types.DeploymentRolloutStateFailed {
			service.Failed = or(redact(aws.ToString(d.RolloutStateReason)), "its rollout state is FAILED")
		}
	}
	return &service
}

// setTasks scales a side. Growing is a new deployment, for a changed count alone starts none and nothing would guard it.
func (w *World) setTasks(ctx context.Context, change rollout.Change) error {
	in := ecs.UpdateServiceInput{
		Cluster: aws.String(w.Settings.Cluster), Service: aws.String(w.side(change.Colour).Service), DesiredCount: aws.Int32(int32(change.Tasks)),
		ForceNewDeployment: change.Grow,
	}
	if change.TaskDefinition != "" {
		in.TaskDefinition = aws.String(change.TaskDefinition)
	}
	_, err := w.Clients.ECS.UpdateService(ctx, &in)
	return err
}

// release compares the candidate's task definition with what was ordered: the image by its digest, everything else by the
// revision that the infrastructure declared.
func (w *World) release(ctx context.Context, c rollout.Colour, arn, digest string) (*rollout.Release, error) {
	got, err := w.taskDefinition(ctx, arn)
	if err != nil {
		return nil, err
	}
	want, err := w.taskDefinition(ctx, w.side(c).TaskDefinition)
	if err != nil {
		return nil, err
	}
	r := &rollout.Release{TaskDefinition: arn}
	name := arn[strings.LastIndexByte(arn, '/')+1:]
	if image := w.image(got); !strings.HasSuffix(image, "@"+digest) {
		r.Mismatch = fmt.Sprintf("%s runs the image %s, and not %s", name, image, digest)
		return r, nil
	}
	if paths := differences("", w.shape(want), w.shape(got)); len(paths) > 0 {
		r.Mismatch = fmt.Sprintf("%s differs from the declared %s in %s", name, w.side(c).TaskDefinition[strings.LastIndexByte(w.side(c).TaskDefinition, '/')+1:], strings.Join(paths, ", "))
	}
	return r, nil
}

func (w *World) taskDefinition(ctx context.Context, arn string) (*types.TaskDefinition, error) {
	out, err := w.Clients.ECS.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(arn)})
	if err != nil {
		return nil, err
	}
	if out.TaskDefinition == nil {
		return nil, fmt.Errorf("there is no task definition %s", arn)
	}
	return out.TaskDefinition, nil
}

// image is the image of the application's container.
func (w *World) image(t *types.TaskDefinition) string {
	for _, c := range t.ContainerDefinitions {
		if aws.ToString(c.Name) == w.Settings.Container {
			return aws.ToString(c.Image)
		}
	}
	return fmt.Sprintf("of no container %s", w.Settings.Container)
}

// shape is everything of a task definition that the infrastructure owns, as plain values: not the image, and not what AWS
// adds at every registration.
func (w *World) shape(t *types.TaskDefinition) any {
	shape := *t
	shape.TaskDefinitionArn, shape.Revision, shape.Status = nil, 0, ""
	shape.RegisteredAt, shape.RegisteredBy, shape.DeregisteredAt = nil, nil, nil
	shape.RequiresAttributes, shape.Compatibilities = nil, nil
	shape.ContainerDefinitions = slices.Clone(t.ContainerDefinitions)
	for i := range shape.ContainerDefinitions {
		if aws.ToString(shape.ContainerDefinitions[i].Name) == w.Settings.Container {
			shape.ContainerDefinitions[i].Image = nil
		}
	}
	var plain any
	text, err := json.Marshal(shape)
	if err == nil {
		err = json.Unmarshal(text, &plain)
	}
	if err != nil {
		panic(err) // strings, numbers, lists and maps of them: nothing here can fail to marshal
	}
	return plain
}

// differences are the paths at which two plain values differ. Lists whose members have names are compared by name, for AWS
// keeps no order in them; absent, empty and zero are the same to AWS.
func differences(path string, a, b any) []string {
	am, aIs := a.(map[string]any)
	bm, bIs := b.(map[string]any)
	if aIs && bIs {
		var paths []string
		for _, key := range slices.Sorted(maps.Keys(merged(am, bm))) {
			paths = append(paths, differences(strings.TrimPrefix(path+"."+key, "."), am[key], bm[key])...)
		}
		return paths
	}
	al, aIs := a.([]any)
	bl, bIs := b.([]any)
	if aIs && bIs {
		if an, bn := named(al), named(bl); an != nil && bn != nil {
			return differences(path, an, bn)
		}
		if len(al) == len(bl) {
			var paths []string
			for i := range al {
				paths = append(paths, differences(fmt.Sprintf("%s[%d]", path, i), al[i], bl[i])...)
			}
			return paths
		}
	}
	if empty(a) && empty(b) || reflect.DeepEqual(a, b) {
		return nil
	}
	return []string{path}
}

func merged(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// named turns a list of members with names into a map, nil where it is not such a list.
func named(list []any) any {
	byName := map[string]any{}
	for _, member := range list {
		m, _ := member.(map[string]any)
		name, ok := m["Name"].(string)
		if !ok || byName[name] != nil {
			return nil
		}
		byName[name] = m
	}
	return byName
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, member := range v {
			if !empty(member) {
				return false
			}
		}
		return true
	case string:
		return v == ""
	case float64:
		return v == 0
	case bool:
		return !v
	}
	return false
}

// resource is how Application Auto Scaling names a service.
func (w *World) resource(c rollout.Colour) string {
	return "service/" + w.Settings.Cluster[strings.LastIndexByte(w.Settings.Cluster, '/')+1:] + "/" + w.side(c).Service
}

// scaling reads the bounds of both services; a service without autoscaling has none.
func (w *World) scaling(ctx context.Context) (blue, green *rollout.Scaling, err error) {
	out, err := w.Clients.Scaling.DescribeScalableTargets(ctx, &applicationautoscaling.DescribeScalableTargetsInput{
		ServiceNamespace: scaling.ServiceNamespaceEcs, ScalableDimension: scaling.ScalableDimensionECSServiceDesiredCount,
		ResourceIds: []string{w.resource(rollout.Blue), w.resource(rollout.Green)},
	})
	if err != nil {
		return nil, nil, err
	}
	found := map[string]*rollout.Scaling{}
	for _, t := range out.ScalableTargets {
		s := &rollout.Scaling{Managed: true, Min: int(aws.ToInt32(t.MinCapacity)), Max: int(aws.ToInt32(t.MaxCapacity))}
		if state := t.SuspendedState; state != nil {
			s.Suspended = aws.ToBool(state.DynamicScalingInSuspended) && aws.ToBool(state.ScheduledScalingSuspended)
		}
		found[aws.ToString(t.ResourceId)] = s
	}
	side := func(c rollout.Colour) *rollout.Scaling {
		if s := found[w.resource(c)]; s != nil {
			return s
		}
		return &rollout.Scaling{}
	}
	return side(rollout.Blue), side(rollout.Green), nil
}

// setScaling changes a service's minimum, and whether it may shrink: by its policies or by a schedule. Its maximum and its
// freedom to grow are the infrastructure's.
func (w *World) setScaling(ctx context.Context, c rollout.Colour, want rollout.ScalingWant) error {
	_, err := w.Clients.Scaling.RegisterScalableTarget(ctx, &applicationautoscaling.RegisterScalableTargetInput{
		ServiceNamespace: scaling.ServiceNamespaceEcs, ScalableDimension: scaling.ScalableDimensionECSServiceDesiredCount,
		ResourceId: aws.String(w.resource(c)), MinCapacity: aws.Int32(int32(want.Min)),
		SuspendedState: &scaling.SuspendedState{
			DynamicScalingInSuspended: aws.Bool(want.Suspended), ScheduledScalingSuspended: aws.Bool(want.Suspended),
		},
	})
	return err
}

func or(text, byDefault string) string {
	if text == "" {
		return byDefault
	}
	return text
}
