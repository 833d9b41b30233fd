package codebuild

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopGrace is how long a build's processes have to clean up after SIGTERM before they are killed: an image build removes
// its working containers in that time.
const stopGrace = 10 * time.Second

// driver is what a build's shell runs. It sources one command file after another, so that all commands share one shell, as
// in a buildspec of version 0.2: folder, variables and functions stay. Commands never see its descriptors: 3 brings the next
// command's file, 4 takes its exit status, 5 is the log, on which a marker tells that all output before it has arrived. A
// command that ends the shell leaves folder and environment behind in state, for the shell that follows.
const driver = `
codebuild_marker=$1
shift
trap 'export -p > "$0/environment"; pwd > "$0/folder"' EXIT
if [ -f "$0/environment" ]; then . "$0/environment"; cd "$(cat "$0/folder")"; fi
exec 5>&1
while IFS= read -r codebuild_command <&3; do
  . "$codebuild_command" 3<&- 4>&- 5>&- </dev/null
  codebuild_status=$?
  printf '%s' "$codebuild_marker" >&5
  printf '%s\n' "$codebuild_status" >&4
done
`

// shell runs a build's commands one by one.
type shell struct {
	program string
	folder  string
	environ []string
	// state is a folder of the shell's own, outside the source.
	state  string
	log    func(line string)
	marker string
	// written counts the command files in state.
	written int
	running *process
}

// process is one running shell; a new one takes over when a command ends it.
type process struct {
	cmd      *exec.Cmd
	commands *os.File
	statuses *os.File
	output   *output
	// exited is closed when the shell has ended; exit then says how.
	exited chan struct{}
	exit   error
}

func newShell(program, folder, state string, environ []string, log func(line string)) *shell {
	if program == "" {
		program = "sh"
	}
	return &shell{program: program, folder: folder, state: state, environ: environ, log: log, marker: "\x1e" + rand.Text() + "\x1e"}
}

// start begins a shell in a process group of its own, so that whatever a command leaves running can be ended with it.
func (s *shell) start() (*process, error) {
	var ends []*os.File
	pipe := func() (out, in *os.File) {
		out, in, err := os.Pipe()
		if err == nil {
			ends = append(ends, out, in)
		}
		return out, in
	}
	commandsOut, commandsIn := pipe()
	statusesOut, statusesIn := pipe()
	logOut, logIn := pipe()
	closeAll := func(files ...*os.File) {
		for _, f := range files {
			_ = f.Close()
		}
	}
	if len(ends) < 6 {
		closeAll(ends...)
		return nil, errors.New("too many open files")
	}
	p := &process{commands: commandsIn, statuses: statusesOut, exited: make(chan struct{})}
	p.cmd = exec.Command(s.program, "-c", driver, s.state, s.marker)
	p.cmd.Dir, p.cmd.Env = s.folder, s.environ
	p.cmd.Stdout, p.cmd.Stderr = logIn, logIn
	p.cmd.ExtraFiles = []*os.File{commandsOut, statusesIn}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		closeAll(ends...)
		return nil, err
	}
	closeAll(commandsOut, statusesIn, logIn)
	p.output = follow(logOut, s.marker, s.log)
	go func() {
		defer close(p.exited)
		p.exit = p.cmd.Wait()
	}()
	return p, nil
}

// run runs one command to its end and returns its exit status. A command that ends the shell, such as exit 3, has the status
// that the shell ended with; the next command then runs in a new shell with its folder and environment. When ctx ends, so do
// all processes of the build, and the error is ctx's cause.
func (s *shell) run(ctx context.Context, command string) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if s.running == nil {
		p, err := s.start()
		if err != nil {
			return 0, fmt.Errorf("cannot start the build's shell: %w", err)
		}
		s.running = p
	}
	s.written++
	file := filepath.Join(s.state, fmt.Sprintf("command-%d", s.written))
	if err := os.WriteFile(file, []byte(command+"\n"), 0o600); err != nil {
		return 0, err
	}
	p := s.running
	if _, err := p.commands.WriteString(file + "\n"); err != nil {
		return 0, err
	}
	answered := make(chan int, 1)
	go func() {
		defer close(answered)
		if status, err := readStatus(p.statuses); err == nil {
			answered <- status
		}
	}()
	select {
	case status, ok := <-answered:
		if ok {
			p.output.awaitMarker()
			return status, nil
		}
	case <-ctx.Done():
		s.stop()
		return 0, context.Cause(ctx)
	}
	// No status: the command has ended the shell, or has replaced it by exec and still runs.
	select {
	case <-p.exited:
		s.stop()
		return exitStatus(p.exit)
	case <-ctx.Done():
		s.stop()
		return 0, context.Cause(ctx)
	}
}

func exitStatus(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// stop ends the shell and everything that its commands have left running, and returns when the last output is logged.
func (s *shell) stop() {
	p := s.running
	if p == nil {
		return
	}
	s.running = nil
	group := p.cmd.Process.Pid
	_ = syscall.Kill(-group, syscall.SIGTERM)
	kill := time.AfterFunc(stopGrace, func() { _ = syscall.Kill(-group, syscall.SIGKILL) })
	// A process that has left the group may hold the log open; it must not hold up the build.
	abandon := time.AfterFunc(stopGrace+time.Second, func() { _ = p.output.from.Close() })
	<-p.exited
	p.output.awaitEnd()
	kill.Stop()
	abandon.Stop()
	_ = p.commands.Close()
	_ = p.statuses.Close()
}

// readStatus reads one line that holds an exit status; an error says that the shell will send none.
func readStatus(r io.Reader) (int, error) {
	var line []byte
	for one := make([]byte, 1); ; line = append(line, one[0]) {
		if _, err := io.ReadFull(r, one); err != nil {
			return 0, err
		}
		if one[0] == '\n' {
			return strconv.Atoi(string(line))
		}
	}
}

// output copies what a shell prints to the log, a whole line at a time, and watches for the marker.
type output struct {
	from    *os.File
	markers chan struct{}
	done    chan struct{}
}

func follow(from *os.File, marker string, log func(line string)) *output {
	o := &output{from: from, markers: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(o.done)
		defer from.Close()
		line := func(text []byte) { log(strings.TrimSuffix(string(text), "\r")) }
		var pending []byte
		for buffer := make([]byte, 32<<10); ; {
			n, err := from.Read(buffer)
			pending = append(pending, buffer[:n]...)
			for {
				end, at := bytes.IndexByte(pending, '\n'), bytes.Index(pending, []byte(marker))
				switch {
				case at >= 0 && (end < 0 || at < end):
					if at > 0 {
						line(pending[:at])
					}
					pending = pending[at+len(marker):]
					o.markers <- struct{}{}
					continue
				case end >= 0:
					line(pending[:end])
					pending = pending[end+1:]
					continue
				}
				break
			}
			if err != nil {
				if len(pending) > 0 {
					line(pending)
				}
				return
			}
		}
	}()
	return o
}

// awaitMarker returns when everything that was printed before the marker is logged.
func (o *output) awaitMarker() {
	select {
	case <-o.markers:
	case <-o.done:
	}
}

// awaitEnd returns when nobody can print any more.
func (o *output) awaitEnd() {
	for {
		select {
		case <-o.markers:
		case <-o.done:
			return
		}
	}
}

// quote makes a text one word of a shell command.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
