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
	"github.com/penguinshop/delivery/sandbox/codebuild"
	"github.com/penguinshop/delivery/sandbox/container"
)

func main() {
	codebuild.RunTool() // the sandbox's builds call this program as docker and aws
	container.RunTool()
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

func root() *cobra.Command {
	var (
		s       bench.Settings
		summary string
	)
	c := &cobra.Command{
		Use:   "bench [part ...]",
		Short: "Measure the project against its promises",
		Long: "bench measures what the project promises in numbers, shows each figure beside its goal, and writes them to a file.\n" +
			"A missed goal is shown, and is no error. What this machine lacks is named, and the rest is measured.\n\n" +
			"Parts, all of which run when none is named:\n" + abouts(),
		Example:       "  bench --summary bench.json\n  bench simulation --releases 2000 --seed 7",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, wanted []string) error {
			parts, err := chosen(wanted)
			if s.Releases < 1 {
				err = errors.Join(err, fmt.Errorf("--releases %d: a right value is 10000", s.Releases))
			}
			if err != nil {
				return err
			}
			return run(c, parts, s, summary)
		},
	}
	c.CompletionOptions.HiddenDefaultCmd = true
	c.Flags().StringVar(&s.Dir, "dir", ".", "the project's `folder`")
	c.Flags().StringVar(&summary, "summary", "", "write the figures to this JSON `file`")
	c.Flags().IntVar(&s.Releases, "releases", 10_000, "how many releases each policy is offered")
	c.Flags().Uint64Var(&s.Seed, "seed", 1, "the seed that the releases are drawn from")
	return c
}

func abouts() string {
	var b strings.Builder
	for _, p := range bench.Parts {
		fmt.Fprintf(&b, "  %-12s%s\n", p.Name, p.About)
	}
	return strings.TrimRight(b.String(), "\n")
}

// chosen are the parts of these names, in their own order; all without names.
func chosen(names []string) ([]bench.Part, error) {
	if len(names) == 0 {
		return bench.Parts, nil
	}
	var parts []bench.Part
	var known []string
	for _, p := range bench.Parts {
		known = append(known, p.Name)
		if slices.Contains(names, p.Name) {
			parts = append(parts, p)
		}
	}
	var problems []error
	for _, name := range names {
		if !slices.Contains(known, name) {
			problems = append(problems, fmt.Errorf("%q is no part; there are %s", name, strings.Join(known, ", ")))
		}
	}
	return parts, errors.Join(problems...)
}

// run shows and writes whatever could be measured, and returns what failed.
func run(c *cobra.Command, parts []bench.Part, s bench.Settings, summary string) error {
	figures, skipped, err := bench.Measure(c.Context(), parts, s, func(line string) { fmt.Fprintln(c.ErrOrStderr(), line) })
	if c.Context().Err() != nil {
		return err
	}
	bench.WriteTable(c.OutOrStdout(), figures)
	for _, p := range skipped {
		fmt.Fprintf(c.ErrOrStderr(), "bench: %s is not measured whole: %s\n", p.Part, p.Absent)
	}
	if summary != "" {
		err = errors.Join(err, bench.WriteSummary(summary, figures))
	}
	return err
}
