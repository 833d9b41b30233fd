package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/penguinshop/delivery/sandbox/scratch"
)

// probePatience bounds the questions by which Detect finds out whether an engine works.
const probePatience = 10 * time.Second

// openDocker takes docker where its daemon answers: the command alone runs nothing.
func openDocker(ctx context.Context, o Options, folder *scratch.Folder) (*cli, error) {
	path, err := exec.LookPath("docker")
	if err != nil {
		return nil, errors.New("there is no docker command on the PATH")
	}
	config, err := dockerConfig(folder)
	if err != nil {
		return nil, err
	}
	e, err := newCLI(dialect{
		name: Docker, path: path, bounds: true, env: []string{"DOCKER_CONFIG=" + config},
		build:    []string{"--force-rm"}, // the builder before BuildKit keeps the container of an instruction that failed
		labelled: `{{.Label "` + runLabel + `"}}`,
		bridge:   []string{"network", "inspect", "bridge", "--format", "{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}"},
	}, o, folder)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	text, err := e.output(ctx, "info", "--format", "{{json .}}")
	if err != nil {
		return nil, fmt.Errorf("its daemon does not answer: %w", err)
	}
	var info struct {
		OperatingSystem string
		ServerErrors    []string
		SecurityOptions []string
	}
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		return nil, fmt.Errorf("docker info: %w", err)
	}
	if len(info.ServerErrors) > 0 {
		return nil, fmt.Errorf("its daemon does not answer: %s", strings.Join(info.ServerErrors, "; "))
	}
	if runtime.GOOS != "linux" || strings.Contains(info.OperatingSystem, "Docker Desktop") {
		e.hostAlias = "host.docker.internal"
	} else if slices.Contains(info.SecurityOptions, "name=rootless") {
		return nil, errors.New("it runs rootless, where containers cannot reach the sandbox on this machine")
	}
	return e, nil
}

// dockerConfig makes a configuration folder of the run's own that has the user's contexts and plug-ins but neither reads nor
// keeps credentials, so that a build's `docker login` leaves nothing in the user's.
func dockerConfig(folder *scratch.Folder) (string, error) {
	theirs := os.Getenv("DOCKER_CONFIG")
	if theirs == "" {
		if home, err := os.UserHomeDir(); err == nil {
			theirs = filepath.Join(home, ".docker")
		}
	}
	ours := filepath.Join(folder.Path, "docker")
	if err := os.Mkdir(ours, 0o700); err != nil {
		return "", fmt.Errorf("make a docker configuration for this run: %w", err)
	}
	settings := map[string]any{}
	if text, err := os.ReadFile(filepath.Join(theirs, "config.json")); err == nil {
		_ = json.Unmarshal(text, &settings) // docker itself will complain of a broken one
	}
	for _, key := range []string{"auths", "credsStore", "credHelpers"} {
		delete(settings, key)
	}
	text, err := json.Marshal(settings)
	if err == nil {
		err = os.WriteFile(filepath.Join(ours, "config.json"), text, 0o600)
	}
	for _, shared := range []string{"contexts", "cli-plugins", "buildx"} {
		if _, missing := os.Stat(filepath.Join(theirs, shared)); err == nil && missing == nil {
			err = os.Symlink(filepath.Join(theirs, shared), filepath.Join(ours, shared))
		}
	}
	if err != nil {
		return "", fmt.Errorf("make a docker configuration for this run: %w", err)
	}
	return ours, nil
}

// openPodman takes podman where it really runs a container with a published port: the command may be there without a
// runtime, without the rights that the runtime needs, or on a kernel that its default runtime does not know.
func openPodman(ctx context.Context, o Options, folder *scratch.Folder) (*cli, error) {
	path, err := exec.LookPath("podman")
	if err != nil {
		return nil, errors.New("there is no podman command on the PATH")
	}
	// What a build's `docker login` writes is gone with the run.
	logins := filepath.Join(folder.Path, "auth.json")
	if err := os.WriteFile(logins, []byte("{}"), 0o600); err != nil {
		return nil, fmt.Errorf("make a file for the run's logins: %w", err)
	}
	e, err := newCLI(dialect{
		name: Podman, path: path, bounds: true, buildsLeave: true,
		plainHTTP: []string{"--tls-verify=false"},
		labelled:  `{{index .Labels "` + runLabel + `"}}`,
		remove:    []string{"--time", "0"},
		env:       []string{"REGISTRY_AUTH_FILE=" + logins, "TMPDIR=" + folder.Path},
		bridge:    []string{"network", "inspect", "podman", "--format", "{{with index .Subnets 0}}{{.Subnet}} {{.Gateway}}{{end}}"},
	}, o, folder)
	if err != nil {
		return nil, err
	}
	// Elsewhere podman's containers run in a virtual machine, or on another host, that only answers for itself.
	if runtime.GOOS != "linux" || os.Getenv("CONTAINER_HOST") != "" {
		e.hostAlias, e.buildsLeave = "host.containers.internal", false
		ctx, cancel := context.WithTimeout(ctx, probePatience)
		defer cancel()
		_, err := e.output(ctx, "info", "--format", "{{.Host.Os}}")
		return e, err
	}
	if os.Getuid() != 0 {
		if _, err := exec.LookPath("slirp4netns"); err != nil {
			return nil, errors.New("it runs rootless and needs slirp4netns: install the package slirp4netns")
		}
		e.run, e.hostAlias = []string{"--network", "slirp4netns:allow_host_loopback=true"}, "10.0.2.2"
	}
	e.run = append(e.run, ulimits()...)
	// A build's commands run in a chroot rather than in a runtime: it needs less of the machine, and a build that is killed
	// takes all its processes along.
	e.build = append([]string{"--isolation", "chroot"}, ulimits()...)
	return e, e.probe(ctx)
}

// ulimits are Fargate's limits of open files and processes, or the machine's own where those are lower: an engine's own
// defaults can be above what it may give.
func ulimits() []string {
	var limits []string
	for _, l := range []struct {
		name     string
		resource int
		most     uint64
	}{
		{"nofile", syscall.RLIMIT_NOFILE, 65_535},
		{"nproc", rlimitNproc, mostProcesses()},
	} {
		var own syscall.Rlimit
		if err := syscall.Getrlimit(l.resource, &own); err != nil {
			continue
		}
		limits = append(limits, "--ulimit", fmt.Sprintf("%s=%d:%[2]d", l.name, min(l.most, own.Max)))
	}
	return limits
}

// mostProcesses is the kernel's own bound, to which podman lowers its limit before it starts a container.
func mostProcesses() uint64 {
	most := uint64(32_768)
	if text, err := os.ReadFile("/proc/sys/kernel/pid_max"); err == nil {
		_, _ = fmt.Sscan(string(text), &most)
	}
	return min(most, 32_768)
}

// rlimitNproc is Linux's RLIMIT_NPROC, which the syscall package does not name.
const rlimitNproc = 6

// probe runs the machine's own `true` in a container, with the default runtime first, and keeps what worked.
func (e *cli) probe(ctx context.Context) error {
	root := filepath.Join(e.folder.Path, "probe")
	if err := os.Mkdir(root, 0o700); err != nil {
		return fmt.Errorf("try a container: %w", err)
	}
	defer func() { _ = os.RemoveAll(root) }()
	args := []string{
		"run", "--rm", "--label", runLabel + "=" + e.folder.ID, "--log-driver", "none", "--cap-drop", "all",
		"--publish", "127.0.0.1::1",
	}
	for _, folder := range []string{"/usr", "/bin", "/lib", "/lib64", "/nix"} {
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			args = append(args, "--volume", folder+":"+folder+":ro")
		}
	}
	var problems []error
	for _, bounds := range []bool{true, false} {
		for _, runtime := range []string{"", "runc", "crun"} {
			e.global, e.bounds = nil, bounds
			if runtime != "" {
				if _, err := exec.LookPath(runtime); err != nil {
					continue
				}
				e.global = []string{"--runtime", runtime}
			}
			trial := slices.Concat(args, e.run)
			if bounds {
				trial = append(trial, "--memory", "64m", "--cpus", "0.5")
			}
			attempt, cancel := context.WithTimeout(ctx, probePatience)
			_, err := e.output(attempt, append(trial, "--rootfs", root, "true")...)
			ended := attempt.Err() != nil
			cancel()
			if err == nil {
				return nil
			}
			problems = append(problems, err)
			if ended {
				// It may have started one, and another way of starting would wait as long.
				return errors.Join(fmt.Errorf("it cannot run a container: %w", err), e.clear(context.WithoutCancel(ctx), e.folder, ""))
			}
		}
	}
	return fmt.Errorf("it cannot run a container: %w", problems[0])
}
