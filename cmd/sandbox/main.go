// Command sandbox runs the delivery on this machine and previews what the Pulumi program declares. Neither needs an AWS
// account, credentials or the Pulumi engine.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/sandbox/codebuild"
)

func main() {
	codebuild.RunTool()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "sandbox",
		Short:         "The delivery on this machine: run it, or see what it would create",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	c.CompletionOptions.HiddenDefaultCmd = true
	c.AddCommand(planCommand())
	return c
}
