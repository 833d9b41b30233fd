// Command bench measures the project against its promises. It needs no AWS account and no credentials.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root().ExecuteContext(ctx)
	switch {
	case ctx.Err() != nil:
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// flags are what the command line says.
type flags struct {
	dir, summary string
	releases     int
	seed         uint64
}

// section is one group of figures that are measured together.
type section struct {
	name    string
	measure func(context.Context, flags, func(string)) ([]bench.Figure, error)
}

var sections = []section{
	{"simulation", func(ctx context.Context, f flags, progress func(string)) ([]bench.Figure, error) {
		return bench.Releases(ctx, f.releases, f.seed, progress)
	}},
	{"function", func(ctx context.Context, f flags, progress func(string)) ([]bench.Figure, error) {
		return bench.Function(ctx, f.dir, progress)
	}},
	{"decision", func(_ context.Context, _ flags, progress func(string)) ([]bench.Figure, error) {
		progress("decision: one tick")
		return bench.Decision()
	}},
}

func names() []string {
	var all []string
	for _, s := range sections {
		all = append(all, s.name)
	}
	return all
}

func root() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:   "bench [section ...]",
		Short: "Measure the project against its promises",
		Long: "bench measures what the project promises in numbers, shows each figure beside its goal, and writes them to a file.\n" +
			"A missed goal is shown, and is no error. The sections are " + strings.Join(names(), ", ") + "; without one, all run.",
		Example:       "  bench --summary bench.json\n  bench simulation --releases 2000 --seed 7",
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(c *cobra.Command, wanted []string) error { return f.run(c, wanted) },
	}
	c.CompletionOptions.HiddenDefaultCmd = true
	c.Flags().StringVar(&f.dir, "dir", ".", "the project's `folder`")
	c.Flags().StringVar(&f.summary, "summary", "", "write the figures to this JSON `file`")
	c.Flags().IntVar(&f.releases, "releases", 10_000, "how many releases each policy is offered")
	c.Flags().Uint64Var(&f.seed, "seed", 1, "the seed that the releases are drawn from")
	return c
}

func (f flags) run(c *cobra.Command, wanted []string) error {
	var problems []error
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			problems = append(problems, fmt.Errorf("%q is no section; there are %s", name, strings.Join(names(), ", ")))
		}
	}
	if f.releases < 1 {
		problems = append(problems, fmt.Errorf("--releases %d: a right value is 10000", f.releases))
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	progress := func(line string) { fmt.Fprintln(c.ErrOrStderr(), line) }
	figures := []bench.Figure{}
	for _, s := range sections {
		if len(wanted) > 0 && !slices.Contains(wanted, s.name) {
			continue
		}
		more, err := s.measure(c.Context(), f, progress)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		figures = append(figures, more...)
	}
	bench.WriteTable(c.OutOrStdout(), figures)
	if f.summary == "" {
		return nil
	}
	return bench.WriteSummary(f.summary, figures)
}
