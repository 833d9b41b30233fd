// Package container runs the tasks of the sandbox's ECS services: by docker, by podman, or, where there is neither, as plain
// processes from an unpacked image.
package container

import (
	"context"
	"io"
	"net"
	"time"
)

// Engine starts containers and removes every one of them when it is closed.
type Engine interface {
	// Name is "docker", "podman" or "process".
	Name() string
	// InstallCLI writes an executable called docker into dir, for a build's shell to find first on its PATH.
	InstallCLI(dir string) error
	// BaseImage returns a reference that the Dockerfile's BASE_IMAGE argument can be given: wanted itself where it can be
	// pulled, otherwise a stand-in made of the machine's own packages. note says which, in a sentence, empty for wanted.
	BaseImage(ctx context.Context, wanted string) (ref, note string, err error)
	// Start runs the image and returns when the container runs (not when it is ready).
	Start(ctx context.Context, spec Spec) (Container, error)
	// Listen opens a listener that containers can reach, for the task metadata endpoint, and returns the host (without port)
	// by which they do.
	Listen(ctx context.Context) (listener net.Listener, host string, err error)
	// Close stops and removes all containers, networks, images and folders that belong to this run.
	Close() error
}

// Spec is one container to run, as an ECS task definition describes it.
type Spec struct {
	// Name is a unique, readable name; the engine may add to it.
	Name string
	// Image is a reference by digest, at the sandbox's registry.
	Image string
	// Port is the port that the process listens on inside.
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
	// Logs follows standard output and error until the container ends or ctx does.
	Logs(ctx context.Context, to io.Writer) error
	// Done is closed when the container has ended; Exit then tells how.
	Done() <-chan struct{}
	Exit() Exit
	// Stop sends SIGTERM, waits for grace (real time), then kills, and removes the container.
	Stop(ctx context.Context, grace time.Duration) error
	// Kill ends it at once, as a crash would.
	Kill(ctx context.Context) error
}

// Exit tells how a container ended.
type Exit struct {
	Code int
	// Reason is a sentence in ECS's manner, such as "Essential container in task exited" or "OutOfMemoryError".
	Reason string
}
