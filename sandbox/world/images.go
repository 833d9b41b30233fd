package world

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/penguinshop/delivery/sandbox/ecr"
	"github.com/penguinshop/delivery/sandbox/ecs"
)

// images finds what a task definition names in the sandbox's registry, as Fargate does when it pulls.
type images struct{ registry *ecr.Service }

func (i images) find(ctx context.Context, image string) (ecs.Image, error) {
	ref, err := name.ParseReference(i.registry.Local(image), name.Insecure)
	if err != nil {
		return ecs.Image{}, fmt.Errorf("%q is not an image's name: %w", image, err)
	}
	if ref.Context().RegistryStr() != i.registry.Host() {
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
