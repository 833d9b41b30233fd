// Command sandbox runs the delivery on this machine, breaks it on purpose, and previews what the Pulumi program declares. None needs an AWS
// account, credentials or the Pulumi engine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/sandbox/codebuild"
	"github.com/penguinshop/delivery/sandbox/container"
)

func main() {
	codebuild.RunTool()
	container.RunTool()
	// Until the process ends, a second Ctrl-C is not the end of it: what runs is being removed then.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := root().ExecuteContext(ctx)
	switch {
	case ctx.Err() != nil:
		if err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "sandbox:", err)
		}
		os.Exit(interrupted)
	case err != nil:
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

// interrupted is the exit code of a command that a signal ended, as shells report Ctrl-C.
const interrupted = 130

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "sandbox",
		Short:         "The delivery on this machine: run it, break it, or see what it would create",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	c.CompletionOptions.HiddenDefaultCmd = true
	c.AddCommand(runCommand(), planCommand(), drillCommand())
	return c
}
