package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/penguinshop/delivery/sandbox/drill"
	"github.com/penguinshop/delivery/sandbox/terminal"
	"github.com/penguinshop/delivery/stacks"
)

// drillOptions are the flags of `sandbox drill`.
type drillOptions struct {
	drill.Options
	list, all, verbose bool
	summary            string
}

func drillCommand() *cobra.Command {
	var o drillOptions
	c := &cobra.Command{
		Use:   "drill [NAME...]",
		Short: "Break the delivery on purpose, under load, and judge what becomes of it",
		Long: `Drill raises one environment on this machine with a good release live in it, sends users' requests to it, breaks one thing
and judges the outcome against what is promised. Releases are built from a clone of the checkout: your files and your
history stay as they are. With several drills, each begins where the one before has healed.

It ends with 1 if a drill did not go as promised. Ctrl-C ends it at any moment and leaves nothing behind.`,
		Example: `  sandbox drill --list                                 what can be broken, and what is promised then
  sandbox drill fails-for-users                        one drill
  sandbox drill slow leaks dies-in-standby             several, one after the other
  sandbox drill --all --summary drills.json            all of them, and the outcomes as JSON`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return drillNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, names []string) error {
			if o.list {
				screen := newScreen(c.OutOrStdout(), o.verbose)
				screen.Drills(drill.All())
				return nil
			}
			chosen, err := o.choose(names)
			if err != nil {
				return err
			}
			return runDrills(c.Context(), o, chosen, c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.BoolVar(&o.list, "list", false, "say what can be broken and what is promised then, and end")
	f.BoolVar(&o.all, "all", false, "run every drill, one after the other")
	f.StringVar(&o.summary, "summary", "", "write the outcomes to this file, as JSON")
	f.StringVar(&o.Dir, "dir", ".", "the Pulumi project's folder, in a git checkout; its current commit is what is broken")
	f.Float64Var(&o.Scale, "time-scale", drillScale, fmt.Sprintf("how many times faster than the clock bake times and intervals pass, 1 to %d", highestScale))
	f.StringVar(&o.Engine, "engine", "", "docker, podman or process (default: the first that works)")
	f.IntVar(&o.Rate, "rate", drillRate, fmt.Sprintf("users' requests a second, %d to %d", lowestDrillRate, highestRate))
	f.BoolVarP(&o.verbose, "verbose", "v", false, "show what the deliveries do")
	return c
}

// How fast time runs in drills, and how many users' requests a second there are, where nobody says otherwise.
const (
	drillScale = 30
	drillRate  = 100
)

// lowestDrillRate is how many users' requests a drill needs at least to judge by.
const lowestDrillRate = 50

func drillNames() []string {
	var names []string
	for _, d := range drill.All() {
		names = append(names, d.Name)
	}
	return names
}

// choose checks the flags and returns the drills that they name, or says everything that is wrong.
func (o *drillOptions) choose(names []string) ([]drill.Drill, error) {
	var problems []error
	var chosen []drill.Drill
	for _, name := range names {
		d, known := drill.Find(name)
		if !known {
			problems = append(problems, fmt.Errorf("there is no drill %q: there are %s", name, strings.Join(drillNames(), ", ")))
		}
		chosen = append(chosen, d)
	}
	switch {
	case o.all && len(names) > 0:
		problems = append(problems, errors.New("--all runs every drill: give it or names, not both"))
	case o.all:
		chosen = drill.All()
	case len(names) == 0:
		problems = append(problems, errors.New("which drill? Give a name that --list shows, or --all"))
	}
	problems = append(problems, checkScale(o.Scale), checkRate(o.Rate, lowestDrillRate), checkSummary(o.summary))
	return chosen, errors.Join(problems...)
}

// errDrills tells that not everything went as promised; the table has said what.
var errDrills = errors.New("not every drill went as promised")

// runDrills runs the drills one after the other. After one that did not go as promised the next begins in a new world.
func runDrills(ctx context.Context, o drillOptions, chosen []drill.Drill, out io.Writer) (err error) {
	screen := newScreen(out, o.verbose)
	if err := removeSummary(o.summary); err != nil {
		return err
	}
	o.Program = stacks.Declare
	o.Say = func(sentence string) { screen.Say("%s", sentence) }
	var ground *drill.Ground
	leave := func() error {
		if ground == nil {
			return nil
		}
		err := ground.Close()
		ground = nil
		return err
	}
	defer func() {
		if ctx.Err() != nil {
			screen.Note("ending: this run's containers, processes and folders are being removed")
		}
		err = errors.Join(err, leave())
	}()
	var results []drill.Result
	for _, d := range chosen {
		if ground == nil {
			if ground, err = drill.Open(ctx, o.Options); err != nil {
				return err
			}
			if o.verbose {
				defer screen.Follow(ground.Journal())()
			}
		}
		screen.Title("%s", d.Name)
		screen.Say("%s", d.Breaks)
		result, err := ground.Run(ctx, d)
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			result = drill.Failure(d, err)
		}
		screen.Drilled(result)
		results = append(results, result)
		if ground.Spoilt() {
			if err := leave(); err != nil {
				return err
			}
		}
	}
	screen.DrillTable(results)
	if o.summary != "" {
		text, err := json.MarshalIndent(results, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.summary, append(text, '\n'), 0o644); err != nil {
			return fmt.Errorf("--summary: %w", err)
		}
	}
	for _, result := range results {
		if !result.Passed {
			return errDrills
		}
	}
	return nil
}

// newScreen is the screen that writes to out.
func newScreen(out io.Writer, verbose bool) *terminal.Screen {
	width := 0
	if file, ok := out.(*os.File); ok {
		width, _, _ = term.GetSize(int(file.Fd())) // 0 where it is no terminal
	}
	return terminal.New(terminal.Options{Out: out, Environ: os.Environ(), Width: width, Verbose: verbose})
}
