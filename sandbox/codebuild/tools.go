package codebuild

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/penguinshop/delivery/sandbox/wire"
)

// The names of the variables by which a build's aws finds out that it is one, and how it reaches the sandbox's services.
const (
	toolVariable    = "SANDBOX_TOOL"
	addressVariable = "SANDBOX_ADDRESS"
	tokenVariable   = "SANDBOX_TOKEN"
)

// RunTool runs this process as the aws command of a build, if that is what it was started as, and does not return then. A
// program that has a Service calls it first of all, because the builds start that very program again under the name of aws.
func RunTool() {
	if os.Getenv(toolVariable) == "aws" {
		session := wire.Session{Address: os.Getenv(addressVariable), Token: os.Getenv(tokenVariable)}
		cli := awsCLI{session: session, stdout: os.Stdout, stderr: os.Stderr}
		os.Exit(cli.run(os.Args[1:]))
	}
}

// openRegistry opens the registry's operations to one build's aws, on loopback, until close is called.
func (s *Service) openRegistry() (session wire.Session, close func() error, err error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return wire.Session{}, nil, fmt.Errorf("open the registry to a build's aws: %w", err)
	}
	session = wire.Session{Address: listener.Addr().String(), Token: rand.Text()}
	services := map[string]any{}
	if s.config.Registry != nil {
		services[ecr.ServiceID] = s.config.Registry
	}
	server := &http.Server{Handler: wire.Handler(session.Token, services), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return session, server.Close, nil
}

// installTools writes the stand-ins that come first on a build's PATH.
func (s *Service) installTools(dir string, privileged bool, session wire.Session) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to run it as a build's aws: %w", err)
	}
	aws := fmt.Sprintf("#!/bin/sh\n%s=aws %s=%s %s=%s exec %s \"$@\"\n",
		toolVariable, addressVariable, session.Address, tokenVariable, session.Token, quote(self))
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
