package drill

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"
)

// stackFile declares the environment that releases are broken in, and faultFile what can be wrong with one.
var (
	//go:embed stack.yaml
	stackFile []byte
	//go:embed fault.js
	faultFile []byte
)

// environmentName is the stack's and the pipeline's stage.
const environmentName = "drill"

// fault is what is wrong with a release; fault.js does it.
type fault string

const (
	good            fault = "none"
	exitsAtStart    fault = "exits-at-start"
	neverHealthy    fault = "never-healthy"
	failsProbes     fault = "fails-probes"
	failsUsers      fault = "fails-users"
	failsOnePercent fault = "fails-one-percent"
	slow            fault = "slow"
	leaks           fault = "leaks"
	diesWhenTold    fault = "dies-when-told"
)

// faultHeader names the fault in every answer of a release that has one.
const faultHeader = "X-Drill-Fault"

// checkout is a clone of the repository that drills commit to. Its one environment is the drills' own.
type checkout struct{ root string }

// cloneTo makes the checkout of from's current commit in an existing empty folder.
func cloneTo(ctx context.Context, root, from string) (checkout, error) {
	c := checkout{root}
	if err := run(ctx, "git", "clone", "--quiet", "--no-checkout", from, root); err != nil {
		return c, err
	}
	head, err := output(ctx, "git", "-C", from, "rev-parse", "HEAD")
	if err != nil {
		return c, err
	}
	if err := c.git(ctx, "checkout", "--quiet", "-B", "main", head); err != nil {
		return c, err
	}
	return c, c.declare()
}

// declare leaves one environment in the project: the drills'.
func (c checkout) declare() error {
	shared, file, err := c.sharedStack()
	if err != nil {
		return err
	}
	stacks, err := filepath.Glob(filepath.Join(c.root, "Pulumi.*.yaml"))
	if err != nil {
		return err
	}
	for _, stack := range stacks {
		if stack != file {
			if err := os.Remove(stack); err != nil {
				return err
			}
		}
	}
	var own stack
	if err := yaml.Unmarshal(stackFile, &own); err != nil {
		return err
	}
	own.Config["aws:region"] = shared.Config["aws:region"]
	shared.Config["penguinshop:environments"] = []any{map[string]any{"name": environmentName}}
	if err := shared.write(file); err != nil {
		return err
	}
	return own.write(c.stackFile())
}

func (c checkout) stackFile() string {
	return filepath.Join(c.root, "Pulumi."+environmentName+".yaml")
}

// stack is a stack's file.
type stack struct {
	Config map[string]any `yaml:"config"`
}

func (s stack) write(file string) error {
	text, err := yaml.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

func readStack(file string) (s stack, err error) {
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// sharedStack finds the stack that owns the pipeline, by its role.
func (c checkout) sharedStack() (stack, string, error) {
	files, err := filepath.Glob(filepath.Join(c.root, "Pulumi.*.yaml"))
	if err != nil {
		return stack{}, "", err
	}
	for _, file := range files {
		s, err := readStack(file)
		if err != nil {
			return stack{}, "", err
		}
		if s.Config["penguinshop:role"] == "shared" {
			return s, file, nil
		}
	}
	return stack{}, "", fmt.Errorf("no stack of %s has penguinshop:role shared, so there is no pipeline to drill", c.root)
}

// commit makes a release with the fault and returns its commit.
func (c checkout) commit(ctx context.Context, f fault) (string, error) {
	index := filepath.Join(c.root, "app", "index.js")
	text, err := os.ReadFile(index)
	if err != nil {
		return "", err
	}
	const mark = "// (a drill's release ends here)\n"
	if _, own, found := strings.Cut(string(text), mark); found {
		text = []byte(own)
	}
	broken := fmt.Sprintf("import { breakIt } from './src/drill.js';\nbreakIt('%s');\n%s%s", f, mark, text)
	for name, text := range map[string][]byte{index: []byte(broken), filepath.Join(c.root, "app", "src", "drill.js"): faultFile} {
		if err := os.WriteFile(name, text, 0o644); err != nil { // an image's user must be able to read it
			return "", err
		}
	}
	if err := c.git(ctx, "add", "--all"); err != nil {
		return "", err
	}
	if err := c.git(ctx, "-c", "user.name=Drill", "-c", "user.email=drill@localhost", "-c", "commit.gpgsign=false",
		"commit", "--quiet", "--no-verify", "--allow-empty", "-m", "A release with the fault: "+string(f)); err != nil {
		return "", err
	}
	return output(ctx, "git", "-C", c.root, "rev-parse", "HEAD")
}

func (c checkout) git(ctx context.Context, args ...string) error {
	return run(ctx, "git", append([]string{"-C", c.root}, args...)...)
}

func run(ctx context.Context, name string, args ...string) error {
	_, err := output(ctx, name, args...)
	return err
}

// output runs a command and returns what it wrote; an error is what it complained of.
func output(ctx context.Context, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C in the terminal reaches the sandbox alone, which ends it
	var complaint strings.Builder
	c.Stderr = &complaint
	out, err := c.Output()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
