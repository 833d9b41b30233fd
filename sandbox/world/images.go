package world

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/penguinshop/delivery/sandbox/ecr"
	"github.com/penguinshop/delivery/sandbox/ecs"
)

// images finds what a task definition names in the sandbox's registry, as Fargate does when it pulls.
type images struct {
	registry *ecr.Service
	note     func(string)
	told     sync.Map // images of other registries that were told of
}

func (i *images) find(ctx context.Context, image string) (ecs.Image, error) {
	ref, err := name.ParseReference(i.registry.Local(image), name.Insecure)
	if err != nil {
		return ecs.Image{}, fmt.Errorf("%q is not an image's name: %w", image, err)
	}
	if ref.Context().RegistryStr() != i.registry.Host() {
		if _, told := i.told.LoadOrStore(image, true); !told {
			i.note(image + " cannot be had here: a responder that answers every path stands in for it")
		}
		return ecs.Image{}, fmt.Errorf("%w: %s", ecs.ErrForeign, image)
	}
	found, err := remote.Get(ref, remote.WithContext(ctx))
	if err != nil {
		return ecs.Image{}, fmt.Errorf("pulling %s: %w", image, err)
	}
	pulled, err := found.Image()
	if err != nil {
		return ecs.Image{}, fmt.Errorf("pulling %s: %w", image, err)
	}
	configuration, err := pulled.ConfigName()
	if err != nil {
		return ecs.Image{}, fmt.Errorf("pulling %s: %w", image, err)
	}
	return ecs.Image{Reference: ref.Context().Digest(found.Digest.String()).Name(), Digest: found.Digest.String(), ID: configuration.String()}, nil
}

// deployments is ECS as the pipeline's deploy action calls it. A build names what it has pushed by the registry's address on
// this machine, and AWS's tools know images by the repository's URI, so that is what a task definition gets.
type deployments struct {
	*ecs.Service
	registry *ecr.Service
}

func (d deployments) RegisterTaskDefinition(ctx context.Context, in *api.RegisterTaskDefinitionInput, options ...func(*api.Options)) (*api.RegisterTaskDefinitionOutput, error) {
	declared := *in
	declared.ContainerDefinitions = slices.Clone(in.ContainerDefinitions)
	for i := range declared.ContainerDefinitions {
		image := d.registry.Declared(aws.ToString(declared.ContainerDefinitions[i].Image))
		declared.ContainerDefinitions[i].Image = &image
	}
	return d.Service.RegisterTaskDefinition(ctx, &declared, options...)
}
