package codepipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Services is the part of ECS that a deploy action uses.
type Services interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
	DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error)
	RegisterTaskDefinition(context.Context, *ecs.RegisterTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.RegisterTaskDefinitionOutput, error)
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
}

// deployAction clones the task definition that the service uses now with the images of the input artifact's file, points the
// service to the clone, and waits until the service has settled (user guide, ECS action reference).
type deployAction struct{ service *Service }

const (
	// maxDeployment is the longest DeploymentTimeout, and the default, in minutes.
	maxDeployment = 60
	// pollEvery is how often the service is looked at.
	pollEvery = 5 * time.Second
)

func (deployAction) check(a action) []string {
	found := append(counts{1, 1, 0, 0}.check(a), keys(a, []string{"ClusterName", "ServiceName"}, "FileName", "DeploymentTimeout")...)
	if text := a.Configuration["DeploymentTimeout"]; text != "" {
		if n, err := strconv.Atoi(text); err != nil || n < 1 || n > maxDeployment {
			found = append(found, fmt.Sprintf("configuration.DeploymentTimeout: %q is not within 1 to %d minutes", text, maxDeployment))
		}
	}
	return found
}

func (d deployAction) run(ctx context.Context, r *actionRun) (outcome, error) {
	cluster, name := r.configuration["ClusterName"], r.configuration["ServiceName"]
	images, err := imagesOf(r)
	if err != nil {
		return outcome{}, err
	}
	service, err := d.describe(ctx, cluster, name)
	if err != nil {
		return outcome{}, err
	}
	clone, err := d.clone(ctx, aws.ToString(service.TaskDefinition), images)
	if err != nil {
		return outcome{}, err
	}
	updated, err := d.service.config.Services.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: aws.String(cluster), Service: aws.String(name), TaskDefinition: aws.String(clone)})
	if err != nil {
		return outcome{}, err
	}
	deployment := primary(updated.Service)
	d.service.mu.Lock()
	r.external = aws.ToString(deployment.Id)
	d.service.mu.Unlock()

	minutes := maxDeployment
	if text := r.configuration["DeploymentTimeout"]; text != "" {
		if minutes, err = strconv.Atoi(text); err != nil {
			return outcome{}, &failure{"ConfigurationError", "DeploymentTimeout: " + err.Error()}
		}
	}
	return d.settle(ctx, cluster, name, clone, d.service.config.Clock.Now().Add(time.Duration(minutes)*time.Minute))
}

// settle waits until the service runs the clone and nothing else. CodePipeline does not look at the deployment's state, so a
// deployment that fails without a rollback is waited for until the timeout, as in AWS.
func (d deployAction) settle(ctx context.Context, cluster, name, clone string, deadline time.Time) (outcome, error) {
	for {
		service, err := d.describe(ctx, cluster, name)
		if err != nil {
			return outcome{}, err
		}
		now := primary(service)
		switch {
		case aws.ToString(service.TaskDefinition) != clone:
			return outcome{}, fmt.Errorf("service %s was deployed anew while it settled: it uses %s, and not %s: %s", name,
				aws.ToString(service.TaskDefinition), clone, lastEvent(service))
		case len(service.Deployments) == 1 && now.RunningCount == service.DesiredCount && service.RunningCount == service.DesiredCount:
			if service.DesiredCount == 0 {
				return outcome{summary: fmt.Sprintf("%s takes %s; no task is asked for yet", name, lastSegment(clone))}, nil
			}
			return outcome{summary: fmt.Sprintf("%s runs %s, %d tasks", name, lastSegment(clone), service.RunningCount)}, nil
		case d.service.config.Clock.Now().After(deadline):
			return outcome{}, fmt.Errorf("service %s did not settle in time: %d of %d tasks run, rollout %s: %s", name, now.RunningCount,
				service.DesiredCount, now.RolloutState, lastEvent(service))
		}
		select {
		case <-ctx.Done():
			return outcome{}, ctx.Err()
		case <-d.service.config.Clock.After(pollEvery):
		}
	}
}

func (d deployAction) describe(ctx context.Context, cluster, name string) (*types.Service, error) {
	found, err := d.service.config.Services.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: []string{name}})
	if err != nil {
		return nil, err
	}
	if len(found.Services) == 0 {
		return nil, &failure{"ConfigurationError", fmt.Sprintf("cluster %s has no service %q", cluster, name)}
	}
	return &found.Services[0], nil
}

// clone registers a revision that differs from the given one in the images only.
func (d deployAction) clone(ctx context.Context, revision string, images map[string]string) (string, error) {
	described, err := d.service.config.Services.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: aws.String(revision), Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}})
	if err != nil {
		return "", err
	}
	from := described.TaskDefinition
	containers := append([]types.ContainerDefinition(nil), from.ContainerDefinitions...)
	for name, image := range images {
		known := false
		for i := range containers {
			if aws.ToString(containers[i].Name) == name {
				containers[i].Image, known = aws.String(image), true
			}
		}
		if !known {
			return "", &failure{"ConfigurationError", fmt.Sprintf("%s has no container named %q", revision, name)}
		}
	}
	registered, err := d.service.config.Services.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		ContainerDefinitions: containers, Family: from.Family, Cpu: from.Cpu, Memory: from.Memory, NetworkMode: from.NetworkMode,
		ExecutionRoleArn: from.ExecutionRoleArn, TaskRoleArn: from.TaskRoleArn, Volumes: from.Volumes,
		RequiresCompatibilities: from.RequiresCompatibilities, RuntimePlatform: from.RuntimePlatform, EphemeralStorage: from.EphemeralStorage,
		PlacementConstraints: from.PlacementConstraints, ProxyConfiguration: from.ProxyConfiguration, PidMode: from.PidMode,
		IpcMode: from.IpcMode, EnableFaultInjection: from.EnableFaultInjection,
		Tags: described.Tags,
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(registered.TaskDefinition.TaskDefinitionArn), nil
}

// imagesOf reads the image definitions file of the input artifact: container names and image URIs.
func imagesOf(r *actionRun) (map[string]string, error) {
	file := r.configuration["FileName"]
	if file == "" {
		file = "imagedefinitions.json"
	}
	text, err := os.ReadFile(filepath.Join(r.inputs[0].folder, filepath.Clean("/"+file)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, &failure{"ConfigurationError", fmt.Sprintf("artifact %s has no file %s", r.inputs[0].name, file)}
	} else if err != nil {
		return nil, err
	}
	var list []struct{ Name, ImageURI string }
	if err := json.Unmarshal(text, &list); err != nil || len(list) == 0 {
		return nil, &failure{"ConfigurationError", fmt.Sprintf(`%s in artifact %s is not a list like [{"name":"app","imageUri":"…"}]`, file, r.inputs[0].name)}
	}
	images := map[string]string{}
	for _, image := range list {
		if image.Name == "" || image.ImageURI == "" {
			return nil, &failure{"ConfigurationError", fmt.Sprintf("%s in artifact %s has an entry without name or imageUri", file, r.inputs[0].name)}
		}
		images[image.Name] = image.ImageURI
	}
	return images, nil
}

func primary(service *types.Service) types.Deployment {
	for _, deployment := range service.Deployments {
		if aws.ToString(deployment.Status) == "PRIMARY" {
			return deployment
		}
	}
	return types.Deployment{}
}

func lastEvent(service *types.Service) string {
	if len(service.Events) == 0 {
		return "the service tells no event"
	}
	return aws.ToString(service.Events[0].Message)
}

func lastSegment(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
