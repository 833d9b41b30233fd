// Package container runs the tasks of the sandbox's ECS services: by docker, by podman, or, where there is neither, as plain
// processes from an unpacked image.
package container

import (
	"context"
	"io"
	"net"
	"time"
)

// Engine starts containers and removes every one of them when it is closed. Its methods may be called concurrently.
type Engine interface {
	// Name is "docker", "podman" or "process".
	Name() string
	// InstallCLI writes an executable called docker into dir, for a build's shell to find first on its PATH. It understands
	// docker's build, image inspect, images, login, logout, pull, push, tag, rmi and version.
	InstallCLI(dir string) error
	// BaseImage returns a reference that the Dockerfile's BASE_IMAGE argument can be given: wanted itself where it can be
	// pulled, otherwise a stand-in made of the machine's own packages. note says which, in a sentence, empty for wanted.
	BaseImage(ctx context.Context, wanted string) (ref, note string, err error)
	// Start pulls the image, as Fargate does for every task, runs it and returns when the container runs (not when it is
	// ready). Its errors are a *StartError where the image or the container is to blame.
	Start(ctx context.Context, spec Spec) (Container, error)
	// Listen opens a listener that containers can reach, for the task metadata endpoint, and returns the host (without port)
	// by which they do. It is on loopback or on the engine's own bridge, never on a network that others share.
	Listen(ctx context.Context) (listener net.Listener, host string, err error)
	// Close stops and removes all containers, images and folders that belong to this run; what makes the next run's build
	// fast (base image, layer cache) stays. A second call does nothing.
	Close() error
}

// Spec is one container to run, as an ECS task definition describes it.
type Spec struct {
	// Name is a unique, readable name; the engine may add to it.
	Name string
	// Image is a reference by digest, at the sandbox's registry.
	Image string
	// Port is the port that the process listens on inside. Plain processes share the machine's ports, so that the process
	// engine gives the process another one in its environment's PORT.
	Port int
	Env  map[string]string
	// EntryPoint and Command replace the image's own where they are not empty.
	EntryPoint, Command []string
	// User is uid[:gid], empty for the image's own.
	User string
	// ReadOnly mounts the root file system read-only.
	ReadOnly bool
	// Writable are paths inside that are mounted as empty writable folders.
	Writable []string
	// CPUUnits (1,024 is one processor) and MemoryMiB bound the container; 0 is no bound.
	CPUUnits, MemoryMiB int
}

// Container is one running (or ended) container.
type Container interface {
	ID() string
	// Address is host:port on loopback, where the container's port is reached.
	Address() string
	// Logs writes standard output and error from their beginning and follows them until the container ends or ctx does. It
	// holds the newest MiB for readers that come late.
	Logs(ctx context.Context, to io.Writer) error
	// Done is closed when the container has ended; Exit then tells how.
	Done() <-chan struct{}
	Exit() Exit
	// Stop sends SIGTERM, waits for grace (real time), then kills, and removes the container. When ctx ends it kills at once
	// and still removes.
	Stop(ctx context.Context, grace time.Duration) error
	// Kill ends it at once, as a crash would. Its logs and its exit stay to be read until Stop or the engine's Close.
	Kill(ctx context.Context) error
}

// Exit tells how a container ended.
type Exit struct {
	// Code is the process's exit code, 128 and the signal's number where a signal ended it.
	Code int
	// Reason is a sentence in ECS's manner: "Essential container in task exited", or
	// "OutOfMemoryError: Container killed due to memory usage".
	Reason string
}

const (
	reasonExited      = "Essential container in task exited"
	reasonOutOfMemory = "OutOfMemoryError: Container killed due to memory usage"
	// killed is the exit code of a process that SIGKILL ended.
	killed = 128 + 9
)

// The codes that ECS gives a task that did not start.
const (
	CannotPull  = "CannotPullContainerError"
	CannotStart = "CannotStartContainerError"
)

// StartError says why a container did not start, in ECS's manner.
type StartError struct {
	// Code is CannotPull or CannotStart.
	Code string
	Err  error
}

func (e *StartError) Error() string { return e.Code + ": " + e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }
