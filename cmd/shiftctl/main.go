// Command shiftctl is the operator's tool: it looks at the environments of a delivery, moves their traffic back, answers approvals and
// reads the history, in AWS or in a running sandbox.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/operator"
)

// The exit codes, which the help tells.
const (
	exitFailed     = 1
	exitUsage      = 2
	exitRefused    = 3
	exitRolledBack = 4
	exitPerson     = 5
)

const exitCodes = `Exit codes:
  0  done; nothing is wrong
  1  something could not be read or written
  2  the command line is wrong
  3  refused, or answered with no: nothing was changed
  4  the release did not go live: it was rolled back, failed, or was not approved
  5  a person is needed: the shift was halted or frozen, or traffic is not where it was sent`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code := execute(ctx, command(), os.Args[1:])
	stop()
	os.Exit(code)
}

// execute runs the command and tells its error on stderr.
func execute(ctx context.Context, c *cobra.Command, args []string) int {
	c.SetArgs(args)
	err := c.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if text := explain(ctx, err); text != "" {
		fmt.Fprintln(c.ErrOrStderr(), "shiftctl: "+text)
	}
	return exitCode(err)
}

// endedError is an end that the command has told already.
type endedError struct{ code int }

func (e endedError) Error() string { return "" }

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func explain(ctx context.Context, err error) string {
	usage, ended := usageError{}, endedError{}
	switch {
	case errors.As(err, &ended):
		return ""
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return "interrupted"
	case errors.As(err, &usage):
		return err.Error() + "\nSee `shiftctl --help`."
	}
	return operator.Explain(err)
}

func exitCode(err error) int {
	var (
		usage   usageError
		ended   endedError
		refused *operator.RefusedError
		moved   *operator.MovedError
	)
	switch {
	case errors.As(err, &ended):
		return ended.code
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refused):
		return exitRefused
	case errors.As(err, &moved):
		return exitPerson
	}
	return exitFailed
}

func command() *cobra.Command {
	o := &options{}
	c := &cobra.Command{
		Use:   "shiftctl",
		Short: "Operate the delivery: look, watch, roll back, approve, read the history, sleep and wake",
		Long: `Shiftctl shows and moves what the delivery runs. It finds the environments by
their tags (project, environment) in the account and region of your credentials,
or by the stacks' outputs; with --sandbox it looks at the sandbox that runs on
this machine.

It reads, and writes two things only: rollback changes a listener's weights
once, approve answers an approval. Sleep and wake call the environment's own
function.

` + exitCodes,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := c.PersistentFlags()
	f.BoolVar(&o.sandbox, "sandbox", false, "look at the sandbox that runs on this machine, the newest one, instead of AWS")
	f.StringVar(&o.region, "region", "", "AWS region (default: that of your AWS configuration, or of the outputs)")
	f.StringVar(&o.profile, "profile", "", "AWS profile (default: AWS_PROFILE)")
	f.StringVar(&o.project, "project", "penguinshop", "the value of the tag project by which the delivery is found")
	f.StringArrayVar(&o.outputs, "outputs", nil, "`FILE` with a stack's outputs, as pulumi stack output --json prints them, instead of tags; one for each stack, the shared one too")
	f.BoolVar(&o.json, "json", false, "print JSON")
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.Args = usage(cobra.NoArgs)
	for _, verb := range []*cobra.Command{statusCommand(o), watchCommand(o), rollbackCommand(o), approveCommand(o), historyCommand(o),
		sleepCommand(o), wakeCommand(o)} {
		verb.Long += "\n\n" + exitCodes
		verb.Args = usage(verb.Args)
		c.AddCommand(verb)
	}
	return c
}

// usage makes wrong arguments a mistake on the command line.
func usage(args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if err := args(c, given); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// named is the environment that the arguments name, empty for all.
func named(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
