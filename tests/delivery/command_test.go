package delivery_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codebuild"
	"github.com/penguinshop/delivery/sandbox/container"
	"github.com/penguinshop/delivery/sandbox/scratch"
)

// TestMain lets the test binary stand in for the programs of a build and of a task, as the sandbox does.
func TestMain(m *testing.M) {
	codebuild.RunTool()
	container.RunTool()
	folder, err := os.MkdirTemp("", "sandbox-commands-")
	if err != nil {
		panic(err)
	}
	commands = folder
	code := m.Run()
	_ = os.RemoveAll(folder) // a leftover here is the test's, and says nothing of the sandbox
	os.Exit(code)
}

// commands is where the commands are built, once.
var commands string

var built = sync.OnceValue(func() error {
	if out, err := exec.Command("go", "build", "-o", commands, "../../cmd/sandbox", "../../cmd/shiftctl").CombinedOutput(); err != nil {
		return errors.New(string(out))
	}
	return nil
})

// process is a sandbox command that runs in a process group of its own, as one in a terminal does.
type process struct {
	*exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
	// before are the runs that had a folder when this one began. What a run that somebody killed left behind is not its own.
	before []string
}

// runs are the runs on this machine that have a folder.
func runs(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(home())
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	var ids []string
	for _, entry := range entries {
		ids = append(ids, entry.Name())
	}
	return ids
}

func home() string {
	return filepath.Join(os.TempDir(), "penguinshop-sandbox-"+strconv.Itoa(os.Getuid()))
}

func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(text)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func start(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	require.NoError(t, built())
	p := &process{Cmd: exec.Command(filepath.Join(commands, "sandbox"), args...), before: runs(t)}
	p.Stdout, p.Stderr = p, p
	p.Env = append(os.Environ(), environ...)
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		if p.ProcessState == nil { // a failed test left it running
			_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
			_ = p.Wait()
		}
	})
	return p
}

// says waits until the command has said the words.
func (p *process) says(t *testing.T, words string, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for !strings.Contains(p.output(), words) {
		require.NoError(t, ctx.Err(), "it has not said %q:\n%s", words, p.output())
		time.Sleep(20 * time.Millisecond)
	}
}

// ended waits for the command's end and returns its exit code.
func (p *process) ended(t *testing.T, within time.Duration) int {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- p.Wait() }()
	select {
	case <-done:
		return p.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("the sandbox has not ended within %s:\n%s", within, p.output())
		return 0
	}
}

// leavesNothing fails when something of a run that has ended is still there: a folder, a container, a process of its group.
func (p *process) leavesNothing(t *testing.T) {
	t.Helper()
	ended := func(run string) bool { return !slices.Contains(p.before, run) && !scratch.Alive(run) }
	for _, run := range runs(t) {
		_, err := os.Stat(filepath.Join(home(), run))
		assert.False(t, ended(run) && !os.IsNotExist(err), "the folder %s of a run that has ended is left", run)
	}
	for _, engine := range []string{"docker", "podman"} {
		listed, err := exec.Command(engine, "ps", "--all", "--filter", "label="+runLabel, "--format", "{{.ID}} {{.Label \""+runLabel+"\"}}").Output()
		if err != nil {
			continue // it is not the engine here
		}
		for line := range strings.Lines(string(listed)) {
			_, run, _ := strings.Cut(strings.TrimSpace(line), " ")
			assert.False(t, ended(run), "the container %s of a run that has ended is left", strings.TrimSpace(line))
		}
	}
	assert.ErrorIs(t, syscall.Kill(-p.Process.Pid, 0), syscall.ESRCH, "a process of the sandbox's group is left")
	for _, at := range regexp.MustCompile(`answers at http://(\S+)`).FindAllStringSubmatch(p.output(), -1) {
		connection, err := net.DialTimeout("tcp", at[1], time.Second)
		if !assert.Error(t, err, "port %s is still open", at[1]) {
			connection.Close()
		}
	}
}

// runLabel is the label of a run's containers; its value names the run.
const runLabel = "penguinshop.sandbox.run"

// configure replaces text in a stack's file and commits nothing: the program reads the files as they lie.
func (c clone) configure(stack, old, replacement string) {
	c.edit("Pulumi."+stack+".yaml", old, replacement)
}

func TestBadInputEndsWithOneClearMessage(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, taken.Close()) }) // parallel subtests outlive a deferred call
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	empty := t.TempDir()
	git, err := exec.LookPath("git")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(git, filepath.Join(empty, "git")))

	for name, c := range map[string]struct {
		prepare func(c clone)
		// command is run where it is empty.
		command string
		args    []string
		environ []string
		says    []string
	}{
		"a flag that is out of its range": {
			args: []string{"--time-scale", "0", "--rate", "0", "--port", "70000", "--summary", "/no/such/folder/x.json"},
			says: []string{"--time-scale 0: it must be 1 to", "--rate 0: it must be 1 to", "--port 70000", "--summary /no/such/folder/x.json"},
		},
		"a folder without a project": {
			args: []string{"--dir", empty}, says: []string{"no Pulumi.yaml in " + empty},
		},
		"an unknown config key and a missing one": {
			prepare: func(c clone) { c.configure("dev", "penguinshop:logRetentionDays: 7", "penguinshop:colour: red") },
			says:    []string{"penguinshop:colour", "dev"},
		},
		"a size that Fargate does not have": {
			prepare: func(c clone) { c.configure("dev", "memoryMiB: 512", "memoryMiB: 513") },
			says:    []string{"penguinshop:service", "513"},
		},
		"a step's weight out of range": {
			prepare: func(c clone) { c.configure("dev", "weight: 100", "weight: 101") },
			says:    []string{"penguinshop:rollout", "101"},
		},
		"two environments of one name": {
			prepare: func(c clone) { c.configure("shared", "- name: qa", "- name: dev") },
			says:    []string{"penguinshop:environments", "dev"},
		},
		"an environment that has not been brought up": {
			prepare: func(c clone) { require.NoError(c.t, os.Remove(filepath.Join(c.root, "Pulumi.qa.yaml"))) },
			says:    []string{"qa"},
		},
		"a folder that is no checkout": {
			prepare: func(c clone) { require.NoError(c.t, os.RemoveAll(filepath.Join(c.root, ".git"))) },
			says:    []string{"is not in a git checkout", "git init"},
		},
		"a changed app": {
			prepare: func(c clone) {
				require.NoError(c.t, os.WriteFile(filepath.Join(c.root, "app", "public", "fish.html"), []byte("fish"), 0o600))
			},
			says: []string{"differs from the commit", "app/public/fish.html", "git stash -u"},
		},
		"a shallow clone": {
			prepare: func(c clone) {
				c.git("commit", "-q", "--allow-empty", "-m", "second")
				whole := filepath.Join(c.root, ".git")
				c.git("clone", "-q", "--bare", "--depth", "1", "file://"+c.root, filepath.Join(c.root, "shallow"))
				require.NoError(c.t, os.RemoveAll(whole))
				require.NoError(c.t, os.Rename(filepath.Join(c.root, "shallow"), whole))
				c.git("config", "core.bare", "false")
				c.git("reset", "-q")
			},
			says: []string{"is a shallow clone", "git fetch --unshallow"},
		},
		"an engine that is not there": {
			args: []string{"--engine", "podman"}, environ: []string{"PATH=" + empty}, says: []string{"the container engine podman does not work here"},
		},
		"an engine of no such name": {
			args: []string{"--engine", "lorry"}, says: []string{`no container engine "lorry"`, "docker, podman, process"},
		},
		"a drill of no such name": {
			command: "drill", args: []string{"no-such-drill", "--rate", "1"},
			says: []string{`there is no drill "no-such-drill"`, "task-killed", "--rate 1: it must be 50 to"},
		},
		"all drills and a drill": {
			command: "drill", args: []string{"--all", "slow"}, says: []string{"--all runs every drill"},
		},
		"no drill": {
			command: "drill", says: []string{"--list"},
		},
		"a port in use": {
			args: []string{"--port", port}, says: []string{port, "in use"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkout := newClone(t)
			if c.prepare != nil {
				c.prepare(checkout)
			}
			args := []string{"run", "--dir", checkout.root, "--once", "--approve", "--time-scale", "50"}
			if c.command != "" {
				args = []string{c.command, "--dir", checkout.root}
			}
			p := start(t, c.environ, append(args, c.args...)...)
			assert.Equal(t, 1, p.ended(t, time.Minute), p.output())
			for _, want := range c.says {
				assert.Contains(t, p.output(), want)
			}
			assert.Equal(t, 1, strings.Count(p.output(), "sandbox: "), p.output())
			assert.NotContains(t, p.output(), "goroutine ")
			p.leavesNothing(t)
		})
	}
}

func TestABrokenAppStopsAtItsBuild(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(c clone)
		says    []string
	}{
		"a Dockerfile that does not build": {
			prepare: func(c clone) {
				c.edit("app/Dockerfile", "RUN npm ci --omit=dev", "RUN npm ci --omit=dev\nRUN no-such-program")
			},
			says: []string{"no-such-program", "Dockerfile does not build"},
		},
		"tests of the app that fail": {
			prepare: func(c clone) {
				require.NoError(c.t, os.WriteFile(filepath.Join(c.root, "app", "test", "broken.test.js"),
					[]byte("import test from 'node:test';\ntest('penguins fly', () => { throw new Error('they do not'); });\n"), 0o600))
			},
			says: []string{"penguins fly", "tests fail"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			checkout := newClone(t)
			c.prepare(checkout)
			checkout.commit("Break the app")
			summary := filepath.Join(t.TempDir(), "demo.json")
			require.NoError(t, os.WriteFile(summary, []byte("an older outcome"), 0o600))
			p := start(t, nil, "run", "--dir", checkout.root, "--once", "--approve", "--time-scale", "50", "--summary", summary)
			assert.Equal(t, 1, p.ended(t, 3*time.Minute), p.output())
			for _, want := range append(c.says, "the delivery failed: Build/build") {
				assert.Contains(t, p.output(), want)
			}
			assert.NoFileExists(t, summary, "an older outcome must not pass for this one's")
			p.leavesNothing(t)
		})
	}
}

func TestCtrlCLeavesNothingBehind(t *testing.T) {
	checkout := newClone(t)
	for name, at := range map[string]string{
		"while it is raised":        "raising what",
		"while it builds":           "Build build      …",
		"while it shifts":           "dev shift        …",
		"while it waits for a word": "prod approve     …",
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, nil, "run", "--dir", checkout.root, "--once", "--time-scale", "50")
			p.says(t, at, 3*time.Minute)
			// A terminal sends the signal to every process of the group, and an impatient person sends it again.
			require.NoError(t, syscall.Kill(-p.Process.Pid, syscall.SIGINT))
			time.Sleep(200 * time.Millisecond)
			_ = syscall.Kill(-p.Process.Pid, syscall.SIGINT) // it may have ended already
			assert.Equal(t, 130, p.ended(t, 30*time.Second), p.output())
			p.leavesNothing(t)
		})
	}
}

func TestCtrlCEndsADrillAndLeavesNothingBehind(t *testing.T) {
	checkout := newClone(t)
	p := start(t, nil, "drill", "slow", "--dir", checkout.root, "--verbose")
	p.says(t, "drill shift", 3*time.Minute)
	require.NoError(t, syscall.Kill(-p.Process.Pid, syscall.SIGINT))
	assert.Equal(t, 130, p.ended(t, 30*time.Second), p.output())
	p.leavesNothing(t)
}

func TestAServingSandboxTakesAnOperatorsApprovalDeliversEachNewCommitAndRunsADrill(t *testing.T) {
	checkout := newClone(t)
	p := start(t, nil, "run", "--dir", checkout.root, "--time-scale", "50")
	p.says(t, "nobody sits at this terminal", 3*time.Minute)
	shiftctl := func(args ...string) string {
		out, err := exec.Command(filepath.Join(commands, "shiftctl"), append(args, "--sandbox")...).CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	assert.Contains(t, shiftctl("status"), "qa")
	shiftctl("approve", "prod", "--yes", "--comment", "a test looked at it")
	p.says(t, "a test looked at it", time.Minute)
	p.says(t, "waiting for the next commit", 3*time.Minute)

	require.NoError(t, os.WriteFile(filepath.Join(checkout.root, "NOTES.md"), []byte("nothing of the app"), 0o600))
	checkout.commit("Write a note")
	p.says(t, "touches nothing that the pipeline's trigger names", time.Minute)
	checkout.edit("app/public/index.html", "</main>", "<p>Fresh fish today</p></main>")
	checkout.commit("Offer fresh fish")
	p.says(t, "Offer fresh fish", time.Minute)

	console := regexp.MustCompile(`the console is at (http://\S+)`).FindStringSubmatch(p.output())
	require.NotNil(t, console, p.output())
	answer, err := http.Post(console[1]+"/api/drills/task-killed", "application/json", nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusNoContent, answer.StatusCode)
	p.says(t, "task-killed: healed", 3*time.Minute)

	require.NoError(t, syscall.Kill(-p.Process.Pid, syscall.SIGINT))
	assert.Equal(t, 130, p.ended(t, 30*time.Second), p.output())
	p.leavesNothing(t)
}
