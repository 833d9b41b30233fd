package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// used is what a command and everything that it started took.
type used struct {
	wall, cpu time.Duration
	memory    float64 // of the largest process, in MB; never less than this process has, which each begins as a copy of
	output    []byte
}

// run runs a command in a folder and waits for it. When ctx ends it interrupts the command with everything that it started, and
// kills what is left of them after ten seconds.
func run(ctx context.Context, dir string, environment []string, name string, arguments ...string) (used, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir, command.Env = dir, append(os.Environ(), environment...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGINT) }
	command.WaitDelay = 10 * time.Second
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	began := time.Now()
	err := command.Run()
	u := used{wall: time.Since(began), output: out.Bytes()}
	if state := command.ProcessState; state != nil {
		u.cpu = state.UserTime() + state.SystemTime()
		unit := 1024.0
		if runtime.GOOS == "darwin" {
			unit = 1
		}
		if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
			u.memory = float64(usage.Maxrss) * unit / 1e6
		}
	}
	switch {
	case ctx.Err() != nil:
		if command.Process != nil {
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // most often nobody is left
		}
		return u, ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return u, &Absent{name + " is not here", "install it, and see that it is on PATH"}
	case err != nil:
		return u, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(arguments, " "), err, tail(append(out.Bytes(), problems.Bytes()...)))
	}
	return u, nil
}

// tail is the end of a command's output.
func tail(text []byte) string {
	const most = 2000
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-most):])
}
