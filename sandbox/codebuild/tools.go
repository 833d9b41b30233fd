package codebuild

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The names of the variables by which a build's aws finds out that it is one, and whom it answers for.
const (
	toolVariable     = "SANDBOX_TOOL"
	registryVariable = "SANDBOX_REGISTRY"
)

// RunTool runs this process as the aws command of a build, if that is what it was started as, and does not return then. A
// program that has a Service calls it first of all, because the builds start that very program again under the name of aws.
func RunTool() {
	if os.Getenv(toolVariable) == "aws" {
		cli := awsCLI{registry: os.Getenv(registryVariable), stdout: os.Stdout, stderr: os.Stderr}
		os.Exit(cli.run(os.Args[1:]))
	}
}

// installTools writes the stand-ins that come first on a build's PATH.
func (s *Service) installTools(dir string, privileged bool) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to run it as a build's aws: %w", err)
	}
	aws := fmt.Sprintf("#!/bin/sh\n%s=aws %s=%s exec %s \"$@\"\n", toolVariable, registryVariable, quote(s.config.Registry), quote(self))
	if err := writeProgram(dir, "aws", aws); err != nil {
		return err
	}
	switch {
	case !privileged:
		// CodeBuild's own containers have no Docker daemon either unless they are privileged.
		return writeProgram(dir, "docker", "#!/bin/sh\n"+
			"echo 'Cannot connect to the Docker daemon: set environment.privilegedMode of the CodeBuild project' >&2\nexit 1\n")
	case s.config.InstallDocker == nil:
		return errors.New("the project builds with docker (privilegedMode), but there is no container engine to do so")
	default:
		return s.config.InstallDocker(dir)
	}
}

func writeProgram(dir, name, text string) error {
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700)
}
