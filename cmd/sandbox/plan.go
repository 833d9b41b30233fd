package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/plan"
	"github.com/penguinshop/delivery/stacks"
)

// planFlags are what the command line says.
type planFlags struct {
	dir, stack, format, against, diagram string
	strict                               bool
}

var formats = []string{"tree", "json", "markdown", "costs"}

func planCommand() *cobra.Command {
	var f planFlags
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what `pulumi up` would create, with no credentials and no engine",
		Long: "plan runs the Pulumi program on this machine and shows what it declares: the tree of resources, what is\n" +
			"unsafe and what config accepts, what touches users' traffic, what it costs a month at rest, and, with\n" +
			"--against, what another git revision would have created instead.",
		Example: "  sandbox plan --stack dev\n" +
			"  sandbox plan --stack prod --against main\n" +
			"  sandbox plan --format markdown --against origin/main > comment.md\n" +
			"  sandbox plan --stack shared --diagram shared.svg",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr()) },
	}
	c.Flags().StringVar(&f.stack, "stack", "", "the stack to plan; all of them without it")
	c.Flags().StringVar(&f.format, "format", "tree", "how to show it: "+strings.Join(formats, ", "))
	c.Flags().StringVar(&f.against, "against", "", "a git revision to compare with, such as main")
	c.Flags().StringVar(&f.diagram, "diagram", "", "write the stack's picture to this SVG `file`")
	c.Flags().StringVar(&f.dir, "dir", ".", "the project's `folder`")
	c.Flags().BoolVar(&f.strict, "strict", false, "fail when something is unsafe and not accepted in config")
	return c
}

func (f planFlags) run(ctx context.Context, out, progress io.Writer) error {
	if !slices.Contains(formats, f.format) {
		return fmt.Errorf("--format %q: a right value is %s", f.format, strings.Join(formats, ", "))
	}
	if f.diagram != "" && f.stack == "" {
		return errors.New("--diagram draws one stack: name it with --stack")
	}
	plans, err := f.plans(ctx)
	if err != nil {
		return err
	}
	if f.against != "" {
		fmt.Fprintf(progress, "Building the plan of %s …\n", f.against)
		if plans, err = f.compare(ctx, plans); err != nil {
			return err
		}
	}
	if f.diagram != "" {
		if err := writeDiagram(f.diagram, plans[0]); err != nil {
			return err
		}
	}
	if err := f.write(out, plans); err != nil {
		return err
	}
	if f.strict {
		return unsafe(plans)
	}
	return nil
}

// plans runs the program for the stack that was asked for, or for all.
func (f planFlags) plans(ctx context.Context) ([]*plan.Plan, error) {
	project, err := graph.Load(f.dir)
	if err != nil {
		return nil, err
	}
	var graphs []*graph.Graph
	if f.stack == "" {
		graphs, err = project.RunAll(ctx, stacks.Declare)
	} else {
		var one *graph.Graph
		one, err = project.Run(ctx, f.stack, stacks.Declare)
		graphs = []*graph.Graph{one}
	}
	if err != nil {
		return nil, err
	}
	var plans []*plan.Plan
	var problems []error
	for _, g := range graphs {
		p, err := plan.Of(g)
		problems = append(problems, err)
		plans = append(plans, p)
	}
	return plans, errors.Join(problems...)
}

// compare adds to each plan its difference to the other revision, and a plan without resources for each stack that is gone.
func (f planFlags) compare(ctx context.Context, plans []*plan.Plan) ([]*plan.Plan, error) {
	prior, err := plan.At(ctx, f.dir, f.against)
	if err != nil {
		return nil, err
	}
	before := map[string]*plan.Plan{}
	for _, p := range prior {
		before[p.Stack] = p
		stands := slices.ContainsFunc(plans, func(now *plan.Plan) bool { return now.Stack == p.Stack })
		if f.stack == "" && !stands {
			plans = append(plans, &plan.Plan{Stack: p.Stack, Resources: []graph.Resource{}, Findings: []plan.Finding{}})
		}
	}
	for _, p := range plans {
		p.Compare(before[p.Stack], f.against)
	}
	return plans, nil
}

func (f planFlags) write(out io.Writer, plans []*plan.Plan) error {
	switch f.format {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if f.stack != "" {
			return encoder.Encode(plans[0])
		}
		return encoder.Encode(plans)
	case "markdown":
		_, err := io.WriteString(out, plan.Markdown(plans))
		return err
	case "costs":
		_, err := io.WriteString(out, plan.Profile(plans))
		return err
	default:
		// Colours reach a terminal alone, and none where NO_COLOR is set.
		coloured := colorprofile.NewWriter(out, os.Environ())
		for i, p := range plans {
			if i > 0 {
				fmt.Fprintln(coloured)
			}
			if err := p.WriteTree(coloured); err != nil {
				return err
			}
		}
		return nil
	}
}

func writeDiagram(path string, p *plan.Plan) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("the diagram: %w", err)
	}
	return errors.Join(p.WriteDiagram(file), file.Close())
}

// unsafe is the error of a strict run.
func unsafe(plans []*plan.Plan) error {
	var open []string
	for _, p := range plans {
		if n := p.Open(); n > 0 {
			open = append(open, fmt.Sprintf("%s has %d", p.Stack, n))
		}
	}
	if len(open) == 0 {
		return nil
	}
	return fmt.Errorf("unsafe things that config does not accept: %s", strings.Join(open, ", "))
}
