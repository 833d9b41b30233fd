package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/operator"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

func sleepCommand(o *options) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "sleep ENVIRONMENT",
		Short: "Put an environment to zero tasks, colours and weights untouched",
		Long: `Sleep asks, and then has the environment's function take all tasks of both sides
away, as the schedule does in the evening. The weights stay: users get 503 until
it is woken by its schedule, by a release or by shiftctl wake. The standby goes
with it and does not come back. It refuses while a shift runs, and where traffic
is shared out.`,
		Example: "  shiftctl sleep dev\n  shiftctl sleep dev --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := o.delivery(c.Context(), args[0])
			if err != nil {
				return err
			}
			if !yes {
				if err := confirm(c, fmt.Sprintf("Take all tasks of %s away? Its users get 503 then.", args[0]), "--yes"); err != nil {
					return err
				}
			}
			s, err := d.Rest(c.Context(), args[0], settings.CommandSleep)
			if err != nil {
				return err
			}
			return o.rested(c, s, sleepWords(s))
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func wakeCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "wake ENVIRONMENT",
		Short: "Give the live side of an environment that sleeps its tasks back",
		Long: `Wake has the environment's function give the side that has the traffic its
declared minimum of tasks back, as the schedule does in the morning. It takes
nothing away and moves no traffic. The next evening puts the environment to
sleep again.`,
		Example: "  shiftctl wake dev && shiftctl status dev",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := o.delivery(c.Context(), args[0])
			if err != nil {
				return err
			}
			s, err := d.Rest(c.Context(), args[0], settings.CommandWake)
			if err != nil {
				return err
			}
			return o.rested(c, s, "is awake: its tasks are starting, and answer within a minute or two")
		},
	}
}

// rested tells how the environment is now.
func (o *options) rested(c *cobra.Command, s operator.Status, words string) error {
	if o.json {
		return writeJSON(c.OutOrStdout(), s)
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "%s %s\n", s.Environment, words)
	return err
}

// sleepWords say until when an environment sleeps.
func sleepWords(s operator.Status) string {
	words := "sleeps"
	if s.Sleep != nil && s.Sleep.Until != nil {
		words += " until " + moment(*s.Sleep.Until)
	}
	return words + "; a release wakes it, and so does `shiftctl wake " + s.Environment + "`"
}
