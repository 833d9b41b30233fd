package dockerfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// beyondWords are the characters by which a shell's line is more than programs with their arguments.
const beyondWords = "|;<>$`(){}*?~!#\n"

// hostCommands splits a RUN into the commands that it runs one after the other, or says why it cannot be run on the machine
// itself.
func hostCommands(run *instructions.RunCommand) (commands [][]string, why string) {
	if len(run.Files) > 0 || len(run.FlagsUsed) > 0 {
		return nil, "without a container engine RUN has no flags and no text of the Dockerfile's own"
	}
	if !run.PrependShell {
		commands = [][]string{run.CmdLine}
	} else {
		text := strings.Join(run.CmdLine, " ")
		if strings.ContainsAny(strings.ReplaceAll(text, "&&", ""), beyondWords+"&") {
			return nil, "without a container engine RUN runs npm and node, one after the other by &&, and nothing of a shell's"
		}
		for part := range strings.SplitSeq(text, "&&") {
			words, err := shell.NewLex('\\').ProcessWords(part, shell.EnvsFromSlice(nil))
			if err != nil {
				return nil, err.Error()
			}
			commands = append(commands, words)
		}
	}
	for _, words := range commands {
		switch {
		case len(words) == 0:
			return nil, "a command is missing beside &&"
		case words[0] != "npm" && words[0] != "node" && words[0] != "true":
			return nil, fmt.Sprintf("without a container engine RUN runs npm and node only, since %s would work on this machine itself", words[0])
		}
		for _, word := range words[1:] {
			_, value, _ := strings.Cut(word, "=")
			if filepath.IsAbs(word) || filepath.IsAbs(value) || slices.Contains(strings.Split(word, "/"), "..") {
				return nil, fmt.Sprintf("without a container engine RUN stays in its working directory: %s lies elsewhere", word)
			}
			if word == "-g" || strings.HasPrefix(word, "--global") || strings.HasPrefix(word, "--location") || strings.HasPrefix(word, "--prefix") {
				return nil, fmt.Sprintf("without a container engine npm would put %s's packages on this machine itself", word)
			}
		}
	}
	return commands, ""
}

// run runs a RUN's commands in the stage's folder; what they change there is a layer.
func (b Build) run(ctx context.Context, c *instructions.RunCommand, s *stage) error {
	commands, why := hostCommands(c)
	if why != "" {
		return errors.New(why)
	}
	key := checksum(append([]string{s.applied, "run", s.config.WorkingDir, strings.Join(c.CmdLine, " ")}, s.env()...)...)
	if hit, err := b.cached(key, s); hit || err != nil {
		return err
	}
	before, err := look(s.root)
	if err != nil {
		return err
	}
	for _, words := range commands {
		program, err := exec.LookPath(words[0])
		if err != nil {
			return fmt.Errorf("%s is not on this machine: install Node.js", words[0])
		}
		if err := b.command(ctx, program, words[1:], s).Run(); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%s: %w", strings.Join(words, " "), err)
		}
	}
	after, err := look(s.root)
	if err != nil {
		return err
	}
	return b.keep(key, s, after.since(before))
}

// command runs in the working directory inside the stage's folder, with the image's variables above the machine's.
func (b Build) command(ctx context.Context, program string, args []string, s *stage) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = filepath.Join(s.root, s.config.WorkingDir)
	cmd.Env = os.Environ()
	for _, pair := range s.env() {
		if !strings.HasPrefix(pair, "PATH=") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Stdout, cmd.Stderr = b.Output, b.Output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}
