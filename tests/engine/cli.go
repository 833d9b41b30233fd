// Package engine proves the program on the real Pulumi engine: the CLI built from its pinned module, the Automation API with
// the program inline, a file backend in a temporary folder, and stand-in providers in the test's own process.
package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
)

// module is the CLI's own; go.mod pins its version.
const module = "github.com/pulumi/pulumi/pkg/v3"

// CLI returns the Pulumi CLI of the version that go.mod pins, built where it is not in the user's cache yet (minutes when
// Go's build cache is cold, seconds when it is warm). The version is linked in, since the Automation API refuses a CLI that
// cannot tell its own.
func CLI(ctx context.Context) (auto.PulumiCommand, error) {
	version, err := pinned(ctx, module)
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("finding the user's cache folder for the Pulumi CLI: %w", err)
	}
	root := filepath.Join(cache, "penguinshop", "pulumi-"+version)
	binary := filepath.Join(root, "bin", "pulumi")
	if _, err := os.Stat(binary); err != nil {
		// Built under another name first: a build that is interrupted leaves no half binary to be found.
		partial := fmt.Sprintf("%s.%d", binary, os.Getpid())
		defer os.Remove(partial)
		build := exec.CommandContext(ctx, "go", "build", "-o", partial,
			"-ldflags", "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version="+version, module+"/cmd/pulumi")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building the Pulumi CLI %s: %w\n%s", version, err, out)
		}
		if err := os.Rename(partial, binary); err != nil {
			return nil, fmt.Errorf("keeping the Pulumi CLI: %w", err)
		}
	}
	command, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root})
	if err != nil {
		return nil, fmt.Errorf("starting the Pulumi CLI %s: %w", version, err)
	}
	return command, nil
}

// pinned is the version of a module that this module's go.mod selects.
func pinned(ctx context.Context, module string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("asking Go for the version of %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}
