package ecs

import (
	"context"
	"errors"
)

// Images tells where this machine can have an image that a task definition names (a reference by tag or digest). The error is
// ErrForeign when the image is in a registry that the sandbox does not stand in for; any other error is a failure to pull.
type Images func(ctx context.Context, image string) (Image, error)

// Image is an image that an engine can run.
type Image struct {
	// Reference is by digest, in the sandbox's registry.
	Reference string
	// Digest is the manifest's, "sha256:…".
	Digest string
	// ID is the digest of the image's configuration, "sha256:…"; empty where it is not known.
	ID string
}

// ErrForeign says that an image is in a registry which the sandbox does not stand in for.
var ErrForeign = errors.New("the image is not in the sandbox's registry")
