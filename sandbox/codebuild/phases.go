package codebuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// run is one build under way.
type run struct {
	spec   *buildspec
	source string
	shell  *shell
	// log takes a line. It is safe for concurrent use, because a process that a command left running prints when it likes.
	log func(line string)
}

func (r *run) say(format string, args ...any) { r.log("[Container] " + fmt.Sprintf(format, args...)) }

// build runs all phases and returns the exported variables.
func (r *run) build(ctx context.Context) (map[string]string, error) {
	if err := r.phases(ctx); err != nil {
		return nil, err
	}
	variables, err := r.exported(ctx)
	r.shell.stop()
	return variables, err
}

// phases runs the phases that CodeBuild would. The error joins what failed, in order.
func (r *run) phases(ctx context.Context) error {
	var failures []error
	for _, name := range phaseNames {
		phase, declared := r.spec.phases[name]
		if !declared {
			continue
		}
		failure, err := r.phase(ctx, strings.ToUpper(name), phase)
		if err != nil {
			return errors.Join(append(failures, err)...)
		}
		if failure == nil {
			continue
		}
		failures = append(failures, failure)
		if !continues(name, phase.onFailure) {
			break
		}
		if _, err := r.shell.run(ctx, "export CODEBUILD_BUILD_SUCCEEDING=0"); err != nil {
			return errors.Join(append(failures, err)...)
		}
	}
	return errors.Join(failures...)
}

// continues tells whether the phases after a failed one run: as its on-failure says, otherwise as CodeBuild's documented
// transitions do, where only a failed build phase is followed by another (post_build).
func continues(name, onFailure string) bool {
	switch onFailure {
	case "ABORT":
		return false
	case "CONTINUE":
		return true
	default:
		return name == "build"
	}
}

// phase runs the commands of a phase up to the first that fails, and then those of its finally block, all the same. The
// failure is the first command's that failed; err is set when the build itself cannot go on.
func (r *run) phase(ctx context.Context, name string, ph phase) (failure *Failure, err error) {
	r.say("Entering phase %s", name)
	for _, block := range [][]string{ph.commands, ph.finally} {
		for _, command := range block {
			r.say("Running command %s", firstLine(command))
			status, err := r.shell.run(ctx, command)
			if err != nil {
				r.say("Phase complete: %s State: STOPPED", name)
				return nil, fmt.Errorf("phase %s, in command %q: %w", name, firstLine(command), err)
			}
			if status == 0 {
				continue
			}
			r.say("Command did not exit successfully %s exit status %d", firstLine(command), status)
			if failure == nil {
				failure = &Failure{Phase: name, Command: command, Status: status}
			}
			break
		}
	}
	if failure != nil {
		r.say("Phase complete: %s State: FAILED", name)
		return failure, nil
	}
	r.say("Phase complete: %s State: SUCCEEDED", name)
	return nil, nil
}

// exported reads the exported variables from the shell's environment. A variable that was never exported there is absent.
func (r *run) exported(ctx context.Context) (map[string]string, error) {
	variables := map[string]string{}
	for i, name := range r.spec.exported {
		file := filepath.Join(r.shell.state, fmt.Sprintf("exported-%d", i))
		status, err := r.shell.run(ctx, fmt.Sprintf("printenv %s > %s", name, quote(file)))
		if err != nil {
			return nil, err
		}
		if status != 0 {
			r.say("Note: exported variable %s is not in the build's environment: it has to be set by export", name)
			continue
		}
		value, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		variables[name] = string(bytes.TrimSuffix(value, []byte("\n")))
	}
	return variables, nil
}

// upload collects each output artifact into its folder.
func (r *run) upload(outputs map[string]artifact, folders map[string]string) error {
	r.say("Entering phase UPLOAD_ARTIFACTS")
	var problems []error
	for name, declared := range outputs {
		count, err := declared.collect(r.source, folders[name])
		if err != nil {
			problems = append(problems, fmt.Errorf("phase UPLOAD_ARTIFACTS: artifact %s: %w", name, err))
			continue
		}
		r.say("Found %d file(s) for artifact %s", count, name)
	}
	if err := errors.Join(problems...); err != nil {
		r.say("Phase complete: UPLOAD_ARTIFACTS State: FAILED")
		return err
	}
	r.say("Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED")
	return nil
}

func firstLine(command string) string {
	first, rest, _ := strings.Cut(strings.TrimSpace(command), "\n")
	if rest != "" {
		first += " …"
	}
	return first
}
