package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/penguinshop/delivery/sandbox/scratch"
)

// runLabel marks everything that a run made in an engine with the ID of the run's scratch folder, so that it can be found
// again when the run itself cannot say any more what it made.
const runLabel = "penguinshop.sandbox.run"

// patience bounds a single engine command that nobody but the engine itself can hold up.
const patience = time.Minute

// cli is docker or podman, driven by its command line. The two share nearly all flags; dialect holds the differences.
type cli struct {
	dialect
	Options
	folder *scratch.Folder

	mu      sync.Mutex
	closed  bool
	started sync.WaitGroup // Starts under way, which Close waits for
	running map[string]*cliContainer
}

// dialect is what differs between docker and podman, and between the machines that they run on.
type dialect struct {
	name string
	// path is the program's.
	path string
	// global are flags that stand before every subcommand.
	global []string
	// plainHTTP lets a command speak to a registry without TLS; docker does so on loopback by itself.
	plainHTTP []string
	// run and build are flags of those subcommands that this machine needs.
	run, build []string
	// remove are the flags that make `rm` end a container at once.
	remove []string
	// labelled is the template by which `ps` prints a container's run.
	labelled string
	// bounds tells whether the engine may bound memory and processors here.
	bounds bool
	// env is added to the environment of the engine's commands.
	env []string
	// hostAlias is the name by which containers reach a listener on the machine's loopback. It is empty where they reach the
	// bridge's own address instead: bridge is the command that prints the bridge's subnet and, where it was given one, its
	// address.
	hostAlias string
	bridge    []string
	// buildsLeave tells whether a killed build leaves working containers behind.
	buildsLeave bool
}

func newCLI(d dialect, o Options, folder *scratch.Folder) (*cli, error) {
	e := &cli{dialect: d, Options: o, folder: folder, running: map[string]*cliContainer{}}
	return e, remember(folder, memory{Engine: d.name, Registry: o.Registry})
}

func (e *cli) Name() string { return e.name }

// command is a command of the engine in a process group of its own: Ctrl-C in a terminal reaches the whole foreground group,
// and would end the engine's commands while the sandbox still needs them to clean up.
func (e *cli) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.path, slices.Concat(e.global, args)...)
	cmd.Env = append(os.Environ(), e.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	return cmd
}

// output runs a command and returns what it printed, or an error with the engine's own words.
func (e *cli) output(ctx context.Context, args ...string) (string, error) {
	cmd := e.command(ctx, args...)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("%s %s: %w", e.name, args[0], ctx.Err())
		}
		return "", fmt.Errorf("%s %s: %w", e.name, args[0], saying(err, problem.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// saying is err in the engine's own words, the last line that it wrote of its own, where it wrote any.
func saying(err error, words string) error {
	lines := strings.Split(strings.TrimSpace(words), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool {
		return strings.TrimSpace(line) == "" || strings.HasPrefix(line, "Run 'docker ")
	})
	if len(lines) == 0 {
		return err
	}
	last := strings.TrimSpace(lines[len(lines)-1])
	for _, prefix := range []string{"Error: ", "docker: ", "Error response from daemon: "} {
		last = strings.TrimPrefix(last, prefix)
	}
	return errors.New(last)
}

// Start pulls spec's image and runs it.
func (e *cli) Start(ctx context.Context, spec Spec) (Container, error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, errors.New("the container engine is closed")
	}
	e.started.Add(1)
	e.mu.Unlock()
	defer e.started.Done()

	if _, err := e.output(ctx, slices.Concat([]string{"pull", "--quiet"}, e.speaks(spec.Image), []string{spec.Image})...); err != nil {
		return nil, &StartError{Code: CannotPull, Err: err}
	}
	// From here on ctx ends nothing half way: an engine that is killed while it makes a container may leave it.
	c, err := e.start(spec)
	if err != nil {
		return nil, &StartError{Code: CannotStart, Err: err}
	}
	e.mu.Lock()
	e.running[c.id] = c
	e.mu.Unlock()
	if ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), c.Stop(ctx, 0))
	}
	return c, nil
}

func (e *cli) start(spec Spec) (*cliContainer, error) {
	name := fmt.Sprintf("penguinshop-%s-%s", e.folder.ID, spec.Name)
	args, err := e.runArgs(name, spec)
	if err != nil {
		return nil, err
	}
	c := &cliContainer{engine: e, id: name, name: name, bounded: e.bounds && spec.MemoryMiB > 0, log: newTail(), done: make(chan struct{})}
	c.attached = e.command(context.Background(), args...)
	c.attached.Dir = e.folder.Path // podman writes the file "oom" there when a container has used up its memory
	c.attached.Stdout, c.attached.Stderr = c.log, c.log
	if err := c.attached.Start(); err != nil {
		return nil, err
	}
	go c.await()
	return c, c.awaitRunning(spec.Port)
}

// runArgs is the command that runs spec in the foreground: the command's output is the container's, its end is the
// container's end. The process in the container has no more rights than it needs, as on Fargate or with less.
func (e *cli) runArgs(name string, spec Spec) ([]string, error) {
	args := []string{
		"run", "--name", name, "--label", runLabel + "=" + e.folder.ID, "--pull", "never", "--sig-proxy=false",
		"--log-driver", "none", "--cap-drop", "all", "--security-opt", "no-new-privileges",
		"--publish", fmt.Sprintf("127.0.0.1::%d", spec.Port),
	}
	args = append(args, e.run...)
	if spec.ReadOnly {
		args = append(args, "--read-only")
	}
	for _, path := range spec.Writable {
		args = append(args, "--tmpfs", path+":rw,nosuid,nodev,mode=1777")
	}
	if spec.User != "" {
		args = append(args, "--user", spec.User)
	}
	if e.bounds && spec.CPUUnits > 0 {
		args = append(args, "--cpus", strconv.FormatFloat(float64(spec.CPUUnits)/1024, 'f', 3, 64))
	}
	if e.bounds && spec.MemoryMiB > 0 {
		bound := fmt.Sprintf("%dm", spec.MemoryMiB)
		args = append(args, "--memory", bound, "--memory-swap", bound)
	}
	env, err := e.envArgs(name, spec.Env)
	if err != nil {
		return nil, err
	}
	args = append(args, env...)
	command := spec.Command
	if len(spec.EntryPoint) > 0 {
		args = append(args, "--entrypoint", spec.EntryPoint[0])
		command = slices.Concat(spec.EntryPoint[1:], command)
	}
	return append(append(args, spec.Image), command...), nil
}

// envArgs hands the environment on in a file that only this user can read: a command line can be read by every user of the
// machine, and the values may hold secrets. Values of more than one line, which the file's format has no place for, go the
// other way.
func (e *cli) envArgs(name string, env map[string]string) ([]string, error) {
	var file strings.Builder
	var args []string
	for _, key := range slices.Sorted(maps.Keys(env)) {
		if strings.ContainsAny(env[key], "\r\n") {
			args = append(args, "--env", key+"="+env[key])
			continue
		}
		fmt.Fprintf(&file, "%s=%s\n", key, env[key])
	}
	path := filepath.Join(e.folder.Path, name+".env")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		return nil, fmt.Errorf("write the container's environment: %w", err)
	}
	return append(args, "--env-file", path), nil
}

// speaks are the flags by which a command reaches ref's registry.
func (e *cli) speaks(ref string) []string {
	if e.Registry != "" && strings.HasPrefix(ref, e.Registry+"/") {
		return e.plainHTTP
	}
	return nil
}

// Listen listens where containers reach this process and others do not.
func (e *cli) Listen(ctx context.Context) (net.Listener, string, error) {
	if e.hostAlias != "" {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		return listener, e.hostAlias, err
	}
	printed, err := e.output(ctx, e.bridge...)
	if err != nil {
		return nil, "", fmt.Errorf("find the address of %s's bridge: %w", e.name, err)
	}
	subnet, gateway, _ := strings.Cut(printed, " ")
	if net.ParseIP(gateway) == nil {
		block, err := netip.ParsePrefix(subnet)
		if err != nil {
			return nil, "", fmt.Errorf("find the address of %s's bridge: %w", e.name, err)
		}
		gateway = block.Masked().Addr().Next().String()
	}
	// The engine may bring the bridge up with the first container only.
	listener, err := (&net.ListenConfig{Control: bindBeforeUp}).Listen(ctx, "tcp", net.JoinHostPort(gateway, "0"))
	return listener, gateway, err
}

// Close removes what this run made.
func (e *cli) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.started.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := os.Stat(e.folder.Path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	e.mu.Lock()
	running := slices.Collect(maps.Values(e.running))
	e.mu.Unlock()
	for _, c := range running {
		c.killed.Store(true)
	}
	err := e.clear(ctx, e.folder, e.Registry)
	for _, c := range running {
		select {
		case <-c.done:
		case <-ctx.Done():
		}
	}
	return errors.Join(err, e.folder.Close())
}

// sweep clears away what the dead runs made, and the containers of runs whose folders are gone as well.
func (e *cli) sweep(ctx context.Context, dead []*scratch.Folder) error {
	var problems error
	for _, folder := range dead {
		if left := recall(folder); left.Engine == e.name {
			// A living run may have got the port of the dead one's registry, and then the images are its own.
			if inUse(left.Registry, dead) {
				left.Registry = ""
			}
			problems = errors.Join(problems, e.clear(ctx, folder, left.Registry))
		}
	}
	list, err := e.output(ctx, "ps", "--all", "--filter", "label="+runLabel, "--format", "{{.ID}} "+e.labelled)
	if err != nil {
		return errors.Join(problems, err)
	}
	var orphans []string
	for line := range strings.Lines(list) {
		if id, run, found := strings.Cut(strings.TrimSpace(line), " "); found && !scratch.Alive(run) {
			orphans = append(orphans, id)
		}
	}
	return errors.Join(problems, e.removeContainers(ctx, orphans))
}

// clear removes the containers and unfinished builds of the run that the folder belongs to, and the registry's images.
func (e *cli) clear(ctx context.Context, folder *scratch.Folder, registry string) error {
	list, err := e.output(ctx, "ps", "--all", "--quiet", "--no-trunc", "--filter", "label="+runLabel+"="+folder.ID)
	if err != nil {
		return err
	}
	err = e.removeContainers(ctx, strings.Fields(list))
	if e.buildsLeave {
		err = errors.Join(err, e.clearBuilds(ctx, folder))
	}
	if registry != "" {
		err = errors.Join(err, e.clearImages(ctx, registry))
	}
	return err
}

func (e *cli) removeContainers(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := e.output(ctx, slices.Concat([]string{"rm", "--force", "--volumes"}, e.remove, ids)...)
	return err
}

// memory is what a run's folder tells the one who clears up after it.
type memory struct {
	Engine   string `json:"engine"`
	Registry string `json:"registry"`
}

const memoryName = "engine.json"

func remember(folder *scratch.Folder, m memory) error {
	text, err := json.Marshal(m)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder.Path, memoryName), text, 0o600)
	}
	return err
}

// inUse tells whether a run that is not dead has the registry.
func inUse(registry string, dead []*scratch.Folder) bool {
	living, err := scratch.Living(dead)
	return err != nil || slices.ContainsFunc(living, func(folder *scratch.Folder) bool { return recall(folder).Registry == registry })
}

// recall is empty for a folder of a run that had not chosen its engine yet.
func recall(folder *scratch.Folder) memory {
	var m memory
	if text, err := os.ReadFile(filepath.Join(folder.Path, memoryName)); err == nil {
		_ = json.Unmarshal(text, &m)
	}
	return m
}
