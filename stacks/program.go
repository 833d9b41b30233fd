// Package stacks is what the project's stacks are made of: their config, and how the components are put together for each
// role. Nothing in it depends on a stack's name.
package stacks

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/shiftfn/bundle"
)

// Archive gives the traffic-shifting function's zip to a program that runs in dir.
type Archive func(ctx context.Context, dir string) (pulumi.Archive, error)

// Program is the project's program: it builds the traffic-shifting function and declares the stack that its config
// describes. `pulumi up` runs it.
func Program(ctx *pulumi.Context) error { return With(Built)(ctx) }

// Declare is Program for those who only want to see what it declares: a preview without an engine, the sandbox (which runs
// the function's code in its own process), tests. It builds nothing: the function's archive is a stand-in that changes when
// the function's sources do.
func Declare(ctx *pulumi.Context) error { return With(Described)(ctx) }

// With is the program with another source of the function's zip.
func With(archive Archive) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		c, err := read(ctx)
		if err != nil {
			return err
		}
		if c.Role == roleShared {
			return shared(ctx, c)
		}
		return environment(ctx, c, archive)
	}
}

// Built builds the zip, or takes it from the user's cache.
func Built(ctx context.Context, dir string) (pulumi.Archive, error) {
	path, err := bundle.Zip(ctx, dir)
	if err != nil {
		return nil, err
	}
	return pulumi.NewFileArchive(path), nil
}

// Described stands in for the zip by a text that names the sources.
func Described(_ context.Context, dir string) (pulumi.Archive, error) {
	sources := "of another module"
	if folder := filepath.Join(dir, "shiftfn"); exists(folder) {
		fingerprint, err := bundle.Fingerprint(folder)
		if err != nil {
			return nil, fmt.Errorf("the traffic-shifting function's sources: %w", err)
		}
		sources = fingerprint
	}
	return pulumi.NewAssetArchive(map[string]any{"bootstrap": pulumi.NewStringAsset("shiftfn " + sources)}), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
