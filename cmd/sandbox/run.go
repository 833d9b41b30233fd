package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/penguinshop/delivery/sandbox/terminal"
	"github.com/penguinshop/delivery/sandbox/world"
	"github.com/penguinshop/delivery/stacks"
)

// runOptions are the flags of `sandbox run`.
type runOptions struct {
	world.Options
	once, approve, verbose bool
	rate                   int
	summary                string
}

// The bounds of the flags. A scale beyond the highest leaves a process less time between two moments than it needs.
const (
	highestScale = 200
	highestRate  = 2_000
)

func runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run",
		Short: "Deliver the checked-out commit of app/ through dev, qa and prod, on this machine",
		Long: `Run raises what the Pulumi program declares on this machine and delivers the checked-out commit through the declared
pipeline: build, tests, image, and each environment in turn, its traffic moved by shiftfn as in AWS. No AWS account, no
credentials and no Pulumi engine are needed. A steady load of users' requests runs against every environment meanwhile.

Without --once it goes on serving, and delivers each new commit that touches the paths of the pipeline's trigger. Ctrl-C
ends it at any moment and leaves nothing behind: no container, process, port or temporary folder.`,
		Example: `  sandbox run                                          serve, and deliver every new commit that touches app/
  sandbox run --once --approve --time-scale 20         deliver once, twenty times as fast, and end
  sandbox run --once --approve --summary demo.json     deliver once and write the outcome as JSON`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return run(c.Context(), o, c.InOrStdin(), c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", ".", "the Pulumi project's folder, in a git checkout")
	f.BoolVar(&o.once, "once", false, "deliver the current commit and end")
	f.BoolVar(&o.approve, "approve", false, "give every approval that the pipeline asks for")
	f.Float64Var(&o.Scale, "time-scale", 1, fmt.Sprintf("how many times faster than the clock bake times and intervals pass, 1 to %d", highestScale))
	f.BoolVar(&o.Sleep, "sleep", false, "let environments sleep in the nights of the sandbox's clock, as their config has it")
	f.StringVar(&o.summary, "summary", "", "write the outcome of each delivery that succeeds to this file, as JSON")
	f.StringVar(&o.Engine, "engine", "", "docker, podman or process (default: the first that works)")
	f.IntVar(&o.rate, "rate", 100, fmt.Sprintf("users' requests a second to each environment, 1 to %d", highestRate))
	f.IntVar(&o.Port, "port", 0, "loopback port of the first environment, the others follow (default: 8080, or the next free ones)")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "show the logs of builds and functions as well")
	return c
}

func (o *runOptions) check() error {
	problems := []error{checkScale(o.Scale), checkRate(o.rate, 1)}
	if o.Port < 0 || o.Port > 65_535 {
		problems = append(problems, fmt.Errorf("--port %d: it must be 1 to 65535, such as 8080", o.Port))
	}
	return errors.Join(append(problems, checkSummary(o.summary))...)
}

func checkScale(scale float64) error {
	if scale < 1 || scale > highestScale {
		return fmt.Errorf("--time-scale %g: it must be 1 to %d, such as 20", scale, highestScale)
	}
	return nil
}

func checkRate(rate, lowest int) error {
	if rate < lowest || rate > highestRate {
		return fmt.Errorf("--rate %d: it must be %d to %d requests a second, such as 100", rate, lowest, highestRate)
	}
	return nil
}

func checkSummary(file string) error {
	if file == "" {
		return nil
	}
	if folder, err := os.Stat(filepath.Dir(file)); err != nil || !folder.IsDir() {
		return fmt.Errorf("--summary %s: there is no folder %s", file, filepath.Dir(file))
	}
	return nil
}

// removeSummary removes an older outcome, which must not pass for this run's.
func removeSummary(file string) error {
	if file == "" {
		return nil
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("--summary: %w", err)
	}
	return nil
}

// run raises the world, delivers, and takes everything down again, whatever happens.
func run(ctx context.Context, o runOptions, in io.Reader, out io.Writer) (err error) {
	terminals := false
	if file, ok := in.(*os.File); ok {
		terminals = term.IsTerminal(int(file.Fd()))
	}
	screen := newScreen(out, o.verbose)
	if err := removeSummary(o.summary); err != nil {
		return err
	}
	o.Program = stacks.Declare
	o.Say = func(sentence string) { screen.Say("%s", sentence) }
	w, err := world.Open(ctx, o.Options)
	if err != nil {
		return err
	}
	d := &desk{options: o, world: w, screen: screen}
	if terminals {
		d.typed = terminal.Answers(in)
	}
	defer func() {
		if ctx.Err() != nil {
			screen.Note("ending: this run's containers, processes and folders are being removed")
		}
		err = errors.Join(err, w.Close())
	}()
	return d.run(ctx)
}
