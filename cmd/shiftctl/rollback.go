package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/operator"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

func rollbackCommand(o *options) *cobra.Command {
	var yes bool
	var to string
	c := &cobra.Command{
		Use:   "rollback ENVIRONMENT",
		Short: "Give all traffic back to the version before the last release",
		Long: `Rollback shows what it will do, asks, changes the listener's weights once, and
reads back that traffic is there. It refuses when the other side has no healthy
target or too few for the traffic, and when all traffic is there already.

A shift that runs sees that a person has moved the traffic: shiftfn stops,
leaves the weights alone, and fails the pipeline's action with HALTED. Nothing
else is changed: no task is started or stopped. The next release puts both sides
in order.`,
		Example: "  shiftctl rollback prod\n  shiftctl rollback prod --yes\n  shiftctl rollback qa --to green",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if to != "" && to != string(rollout.Blue) && to != string(rollout.Green) {
				return usageError{fmt.Errorf("--to %s: it is blue or green", to)}
			}
			d, err := o.delivery(c.Context(), "")
			if err != nil {
				return err
			}
			m, err := d.Rollback(c.Context(), args[0], rollout.Colour(to))
			if err != nil {
				return err
			}
			pageOf(c.ErrOrStderr()).move(m)
			if !yes {
				if err := confirm(c, fmt.Sprintf("Move all traffic of %s to %s?", m.Environment, m.To), "--yes"); err != nil {
					return err
				}
			}
			now, err := d.Do(c.Context(), m)
			if err != nil {
				return err
			}
			if o.json {
				return writeJSON(c.OutOrStdout(), struct {
					operator.Move
					Weights rollout.Weights `json:"weights"`
				}{m, now})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: traffic is at %s, as the listener says\n", m.Environment, now)
			return err
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.Flags().StringVar(&to, "to", "", "the side that gets the traffic, blue or green (default: that of the version before the last release)")
	return c
}

// move shows what a rollback will do.
func (p page) move(m operator.Move) {
	fmt.Fprintln(p.out, p.bold("Roll back "+m.Environment))
	p.line("traffic", fmt.Sprintf("%s → %s", m.Before, m.After))
	p.line("from", sideWords(m.Leaves))
	p.line("to", sideWords(m.Takes))
	for _, consequence := range m.Consequences {
		p.line("note", consequence)
	}
}

func sideWords(s operator.Side) string {
	words := fmt.Sprintf("%s, %s", s.Colour, version(s))
	if s.Digest != "" {
		words += ", image " + digest(s.Digest)
	}
	words += fmt.Sprintf(", %s of %s tasks", count(s.Running), count(s.Desired))
	if s.Targets != nil {
		words += fmt.Sprintf(", %d healthy", s.Targets.Healthy)
	}
	return words
}
