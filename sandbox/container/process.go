package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/penguinshop/delivery/sandbox/container/dockerfile"
	"github.com/penguinshop/delivery/sandbox/scratch"
)

// process runs an image's program on the machine itself, from a folder that the image's files are unpacked in. Nothing
// keeps it from the rest of the machine but its user; its memory is bounded, its processors are not.
type process struct {
	Options
	folder *scratch.Folder

	mu      sync.Mutex
	closed  bool
	started sync.WaitGroup
	running map[string]*hostProcess
}

func openProcess(o Options, folder *scratch.Folder) (*process, error) {
	// The program's user, who is not root, must get to its files.
	if err := os.Chmod(folder.Path, 0o711); err != nil {
		return nil, err
	}
	e := &process{Options: o, folder: folder, running: map[string]*hostProcess{}}
	return e, remember(folder, memory{Engine: Process, Registry: o.Registry})
}

func (e *process) Name() string { return Process }

// hostBase is the repository of the base image that means this machine's own programs.
const hostBase = "localhost/penguinshop-host:node-"

// BaseImage is always this machine's own Node: a process has no other file system to find one in.
func (e *process) BaseImage(ctx context.Context, wanted string) (ref, note string, err error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return "", "", errors.New("plain processes need this machine's own Node, and there is no node on the PATH: install Node.js")
	}
	out, err := exec.CommandContext(ctx, node, "--version").Output()
	if err != nil {
		return "", "", fmt.Errorf("ask this machine's node for its version: %w", err)
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
	return hostBase + version, fmt.Sprintf("without a container engine the app runs as plain processes, on this machine's own Node %s "+
		"instead of the base image %s", version, wanted), nil
}

func (e *process) Listen(ctx context.Context) (net.Listener, string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	return listener, "127.0.0.1", err
}

func (e *process) Start(ctx context.Context, spec Spec) (Container, error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, errors.New("the container engine is closed")
	}
	e.started.Add(1)
	e.mu.Unlock()
	defer e.started.Done()

	root, err := os.MkdirTemp(e.folder.Path, "task-"+spec.Name+"-")
	if err != nil {
		return nil, err
	}
	config, err := e.unpack(ctx, spec, root)
	if err != nil {
		return nil, errors.Join(&StartError{Code: CannotPull, Err: err}, scratch.RemoveAll(root))
	}
	p, err := e.run(spec, config, root)
	if err != nil {
		return nil, errors.Join(&StartError{Code: CannotStart, Err: err}, scratch.RemoveAll(root))
	}
	if ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), p.Stop(ctx, 0))
	}
	return p, nil
}

// unpack pulls the image and lays its files out.
func (e *process) unpack(ctx context.Context, spec Spec, root string) (v1.Config, error) {
	ref, err := name.ParseReference(spec.Image)
	if err != nil {
		return v1.Config{}, err
	}
	image, err := remote.Image(ref, remote.WithContext(ctx))
	if err != nil {
		return v1.Config{}, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return v1.Config{}, err
	}
	layers, err := image.Layers()
	if err != nil {
		return v1.Config{}, err
	}
	for _, layer := range layers {
		if err := dockerfile.Unpack(layer, root); err != nil {
			return v1.Config{}, err
		}
	}
	return file.Config, os.Chmod(root, 0o755)
}

// run starts the image's program in its folder.
func (e *process) run(spec Spec, config v1.Config, root string) (*hostProcess, error) {
	words := slices.Concat(config.Entrypoint, config.Cmd)
	switch {
	case len(spec.EntryPoint) > 0:
		words = slices.Concat(spec.EntryPoint, spec.Command)
	case len(spec.Command) > 0:
		words = slices.Concat(config.Entrypoint, spec.Command)
	}
	if len(words) == 0 {
		return nil, errors.New("the image says no command, and neither does the task definition")
	}
	// A path in the image is a path in the folder.
	inside := func(path string) string { return filepath.Join(root, filepath.Clean("/"+path)) }
	for i, word := range words {
		if _, err := os.Lstat(inside(word)); filepath.IsAbs(word) && err == nil {
			words[i] = inside(word)
		}
	}
	program, err := exec.LookPath(words[0])
	if err != nil {
		return nil, fmt.Errorf("%s is neither in the image nor on this machine", words[0])
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, words[1:]...)
	cmd.Dir = inside(config.WorkingDir)
	if err := os.MkdirAll(cmd.Dir, 0o755); err != nil {
		return nil, err
	}
	for _, pair := range config.Env {
		if !strings.HasPrefix(pair, "PATH=") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(spec.Env)) {
		cmd.Env = append(cmd.Env, key+"="+spec.Env[key])
	}
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "HOME="+root, "HOST=127.0.0.1", fmt.Sprintf("PORT=%d", port))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	user := spec.User
	if user == "" {
		user = config.User
	}
	if cmd.SysProcAttr.Credential, err = credential(user, program); err != nil {
		return nil, err
	}
	if err := own(root, cmd.SysProcAttr.Credential, spec.ReadOnly); err != nil {
		return nil, err
	}
	for _, path := range spec.Writable {
		if err := emptyFolder(inside(path)); err != nil {
			return nil, err
		}
	}
	p := &hostProcess{
		engine: e, name: spec.Name, root: root, address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), cmd: cmd,
		log: newTail(), done: make(chan struct{}),
	}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	// Children of the program that outlive it and hold its output must not hold up its end.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.id = fmt.Sprintf("%s-%d", spec.Name, cmd.Process.Pid)
	e.mu.Lock()
	e.running[p.id] = p
	e.mu.Unlock()
	note := noteProcess(e.folder, cmd.Process.Pid)
	go p.await()
	if spec.MemoryMiB > 0 {
		go p.bound(int64(spec.MemoryMiB) << 20)
	}
	if note != nil {
		return nil, errors.Join(note, p.Stop(context.Background(), 0))
	}
	return p, nil
}

// freePort is one that nothing listens on at the moment.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// nobody is the user without rights, where an image names its user by a name that this machine does not know.
const nobody = 65534

// credential is whom the program runs as: the image's user where this process may choose, and never root. Where only this
// user gets to the program, it is this user.
func credential(user, program string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	name, group, _ := strings.Cut(user, ":")
	uid, err := strconv.ParseUint(name, 10, 32)
	if known := map[string]uint64{"node": 1000}[name]; known != 0 {
		uid, err = known, nil
	}
	if err != nil || uid == 0 {
		uid = nobody
	}
	gid, err := strconv.ParseUint(group, 10, 32)
	if err != nil || gid == 0 {
		gid = uid
	}
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		return nil, err
	}
	for at := real; at != "/"; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return nil, err
		}
		if info.Mode()&0o001 == 0 {
			return nil, nil
		}
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// own gives the image's files to the program's user, or, where the root file system is read-only, takes the right to write
// from everybody.
func own(root string, to *syscall.Credential, readOnly bool) error {
	return filepath.WalkDir(root, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.Type()&os.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if readOnly {
			return os.Chmod(name, info.Mode().Perm()&^0o222)
		}
		if to != nil {
			return os.Chown(name, int(to.Uid), int(to.Gid))
		}
		return nil
	})
}

func emptyFolder(path string) error {
	parent := filepath.Dir(path)
	if info, err := os.Stat(parent); err == nil && info.Mode().Perm()&0o200 == 0 {
		if err := os.Chmod(parent, info.Mode().Perm()|0o200); err != nil {
			return err
		}
		defer func() { _ = os.Chmod(parent, info.Mode().Perm()) }()
	}
	if err := scratch.RemoveAll(path); err != nil {
		return err
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	return os.Chmod(path, 0o777|os.ModeSticky)
}

func (e *process) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.started.Wait()
	e.mu.Lock()
	running := slices.Collect(maps.Values(e.running))
	e.mu.Unlock()
	var problems error
	for _, p := range running {
		problems = errors.Join(problems, p.Stop(context.Background(), 0))
	}
	return errors.Join(problems, e.folder.Close())
}

// sweep has nothing to do: the processes of dead runs are ended whichever engine is chosen.
func (e *process) sweep(context.Context, []*scratch.Folder) error { return nil }

// hostProcess is one running (or ended) program.
type hostProcess struct {
	engine         *process
	id, name, root string
	address        string
	cmd            *exec.Cmd
	log            *tail
	outOfMemory    atomic.Bool
	done           chan struct{}
	exit           Exit
	remove         sync.Once
	removed        error
}

func (p *hostProcess) await() {
	defer close(p.done)
	defer p.log.close()
	_ = p.cmd.Wait()
	p.signal(syscall.SIGKILL) // what it started and left
	status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	p.exit = Exit{Code: status.ExitStatus(), Reason: reasonExited}
	if status.Signaled() {
		p.exit.Code = 128 + int(status.Signal())
	}
	if p.outOfMemory.Load() {
		p.exit.Reason = reasonOutOfMemory
	}
}

// signal reaches the program and all that it started.
func (p *hostProcess) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// bound ends the program when it holds more memory than it may, as the kernel ends a container.
func (p *hostProcess) bound(most int64) {
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-look.C:
			if held, known := residentBytes(p.cmd.Process.Pid); known && held > most {
				p.outOfMemory.Store(true)
				p.signal(syscall.SIGKILL)
				return
			}
		}
	}
}

func (p *hostProcess) ID() string            { return p.id }
func (p *hostProcess) Address() string       { return p.address }
func (p *hostProcess) Done() <-chan struct{} { return p.done }

func (p *hostProcess) Exit() Exit {
	<-p.done
	return p.exit
}

func (p *hostProcess) Logs(ctx context.Context, to io.Writer) error { return p.log.follow(ctx, to) }

func (p *hostProcess) Stop(ctx context.Context, grace time.Duration) error {
	if grace > 0 && ctx.Err() == nil {
		// To the program alone, as in a container: it decides what becomes of what it started.
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		limit := time.NewTimer(grace)
		defer limit.Stop()
		select {
		case <-p.done:
		case <-limit.C:
		case <-ctx.Done():
		}
	}
	p.remove.Do(func() {
		p.signal(syscall.SIGKILL)
		<-p.done
		p.engine.mu.Lock()
		delete(p.engine.running, p.id)
		p.engine.mu.Unlock()
		p.removed = errors.Join(forgetProcess(p.engine.folder, p.cmd.Process.Pid), scratch.RemoveAll(p.root))
	})
	return p.removed
}

func (p *hostProcess) Kill(ctx context.Context) error {
	p.signal(syscall.SIGKILL)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
