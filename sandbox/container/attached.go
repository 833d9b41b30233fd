package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// cliContainer is a container whose `run` command is attached to it.
type cliContainer struct {
	engine   *cli
	id, name string
	address  string
	// bounded tells whether the container has a bound on its memory.
	bounded  bool
	attached *exec.Cmd
	log      *tail
	// ended by this process, so that its death is not the kernel's doing.
	killed atomic.Bool
	done   chan struct{}
	exit   Exit
	// problem is why it never ran, where it did not.
	problem error
	remove  sync.Once
	removed error
}

// state is the part of `inspect` that both engines share.
type state struct {
	ID    string `json:"Id"`
	State struct {
		Status    string
		Running   bool
		OOMKilled bool
		ExitCode  int
		Error     string
		StartedAt time.Time
	}
	NetworkSettings struct {
		Ports map[string][]struct{ HostPort string }
	}
}

func (c *cliContainer) inspect() (state, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	text, err := c.engine.output(ctx, "container", "inspect", c.name)
	if err != nil {
		return state{}, err
	}
	var found []state
	if err := json.Unmarshal([]byte(text), &found); err != nil || len(found) != 1 {
		return state{}, fmt.Errorf("%s container inspect: %d containers: %w", c.engine.name, len(found), err)
	}
	return found[0], nil
}

// await waits for the attached command's end, and reads how the container ended.
func (c *cliContainer) await() {
	defer close(c.done)
	defer c.log.close()
	waited := c.attached.Wait()
	s, err := c.inspect()
	if err != nil && c.killed.Load() {
		c.exit = Exit{Code: killed, Reason: reasonExited} // and was removed in the same moment
		return
	}
	if err != nil || s.State.StartedAt.Year() < 2000 {
		// It never ran; the command has said why. Its own error is "exit status 125" at best.
		if waited == nil {
			waited = err
		}
		c.problem = saying(waited, c.log.String())
		c.exit = Exit{Code: c.attached.ProcessState.ExitCode(), Reason: CannotStart + ": " + c.problem.Error()}
		return
	}
	c.exit = Exit{Code: s.State.ExitCode, Reason: reasonExited}
	// Not every conmon reports the kernel's killing, so a SIGKILL that nobody here sent to a bounded container counts as one.
	if s.State.OOMKilled || (c.bounded && s.State.ExitCode == killed && !c.killed.Load()) {
		c.exit.Reason = reasonOutOfMemory
	}
}

// awaitRunning returns when the container runs or has already run to its end, and reads its address.
func (c *cliContainer) awaitRunning(port int) error {
	deadline := time.Now().Add(patience)
	for {
		s, err := c.inspect()
		if err == nil && s.State.Running {
			for _, published := range s.NetworkSettings.Ports[strconv.Itoa(port)+"/tcp"] {
				c.id, c.address = s.ID, net.JoinHostPort("127.0.0.1", published.HostPort)
				return nil
			}
		}
		select {
		case <-c.done:
			if c.problem != nil {
				return errors.Join(c.problem, c.Stop(context.Background(), 0))
			}
			return nil
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("the container does not run after %s", patience), c.Stop(context.Background(), 0))
		}
	}
}

func (c *cliContainer) ID() string            { return c.id }
func (c *cliContainer) Address() string       { return c.address }
func (c *cliContainer) Done() <-chan struct{} { return c.done }

func (c *cliContainer) Exit() Exit {
	<-c.done
	return c.exit
}

func (c *cliContainer) Logs(ctx context.Context, to io.Writer) error { return c.log.follow(ctx, to) }

func (c *cliContainer) Stop(ctx context.Context, grace time.Duration) error {
	if grace > 0 && ctx.Err() == nil {
		if err := c.signal(syscall.SIGTERM); err == nil {
			limit := time.NewTimer(grace)
			defer limit.Stop()
			select {
			case <-c.done:
			case <-limit.C:
			case <-ctx.Done():
			}
		}
	}
	c.remove.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = c.Kill(ctx) // what matters is whether it can be removed
		c.removed = c.engine.removeContainers(ctx, []string{c.name})
		select {
		case <-c.done:
		case <-ctx.Done():
		}
		c.engine.mu.Lock()
		delete(c.engine.running, c.id)
		c.engine.mu.Unlock()
	})
	return c.removed
}

func (c *cliContainer) Kill(ctx context.Context) error {
	c.killed.Store(true)
	if err := c.signal(syscall.SIGKILL); err != nil {
		return err
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// signal sends a signal to the container's first process; to one that has ended it does nothing.
func (c *cliContainer) signal(s syscall.Signal) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := c.engine.output(ctx, "kill", "--signal", strconv.Itoa(int(s)), c.name)
	select {
	case <-c.done: // it ended by itself meanwhile
		return nil
	default:
		return err
	}
}
