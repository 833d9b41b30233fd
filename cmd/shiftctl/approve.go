package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/operator"
)

func approveCommand(o *options) *cobra.Command {
	var yes, reject, list bool
	var comment string
	c := &cobra.Command{
		Use:   "approve [ENVIRONMENT]",
		Short: "Show the release that waits for an approval, and answer it",
		Long: `Approve shows the release that waits: its commit, image digest and test result,
how its traffic will be moved, where it can be looked at, and what it replaces.
Then it asks, and answers the pipeline. --reject answers with no. --list shows
all that waits and answers nothing.`,
		Example: "  shiftctl approve\n  shiftctl approve prod --yes --comment 'tested by Ann'\n  shiftctl approve prod --reject --comment 'wait for the sale to end'\n  shiftctl approve --list --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := o.delivery(c.Context(), named(args))
			if err != nil {
				return err
			}
			waiting, err := d.Approvals(c.Context())
			if err != nil {
				return err
			}
			for i := range waiting {
				waiting[i].LookAt = o.here(waiting[i].LookAt)
			}
			if list {
				return listed(c, o, d, waiting)
			}
			w, err := one(waiting)
			if err != nil {
				return err
			}
			pageOf(c.ErrOrStderr()).approval(w, d.Now())
			verb, done := "Approve", "approved"
			if reject {
				verb, done = "Reject", "rejected"
			}
			if !yes {
				if err := confirm(c, fmt.Sprintf("%s the release of %s to %s?", verb, commit(w.Commit), w.Environment), "--yes"); err != nil {
					return err
				}
			}
			if err := d.Answer(c.Context(), w, !reject, comment); err != nil {
				return err
			}
			if o.json {
				return writeJSON(c.OutOrStdout(), struct {
					operator.Approval
					Answer string `json:"answer"`
				}{w, done})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s %s\n", w.Environment, done, commit(w.Commit))
			return err
		},
	}
	f := c.Flags()
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	f.BoolVar(&reject, "reject", false, "answer with no: the release ends here")
	f.BoolVar(&list, "list", false, "show what waits, and answer nothing")
	f.StringVar(&comment, "comment", "", "what is kept with the answer, up to 512 characters")
	return c
}

// one is the only release that waits.
func one(waiting []operator.Approval) (operator.Approval, error) {
	switch len(waiting) {
	case 0:
		return operator.Approval{}, &operator.RefusedError{What: "no release waits for an approval", Do: "`shiftctl status` shows what is under way."}
	case 1:
		return waiting[0], nil
	}
	var names []string
	for _, w := range waiting {
		names = append(names, w.Environment)
	}
	return operator.Approval{}, &operator.RefusedError{What: "releases to " + strings.Join(names, " and ") + " wait for an approval", Do: "Name the environment."}
}

func listed(c *cobra.Command, o *options, d *operator.Delivery, waiting []operator.Approval) error {
	if o.json {
		if waiting == nil {
			waiting = []operator.Approval{}
		}
		return writeJSON(c.OutOrStdout(), waiting)
	}
	if len(waiting) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "shiftctl: no release waits for an approval")
	}
	for _, w := range waiting {
		pageOf(c.OutOrStdout()).approval(w, d.Now())
	}
	return nil
}

// approval shows a release that waits.
func (p page) approval(w operator.Approval, now time.Time) {
	fmt.Fprintln(p.out, p.bold("Release to "+w.Environment))
	said := w.Commit
	if w.Message != "" {
		said += ": " + w.Message
	}
	if w.Author != "" {
		said += " (" + w.Author + ")"
	}
	p.line("commit", said)
	p.line("image", w.Digest)
	if w.Tests != "" {
		p.line("tests", w.Tests)
	}
	if w.Replaces != "" {
		p.line("replaces", w.Replaces)
	}
	if w.LookAt != "" {
		p.line("look at", w.LookAt)
	}
	if w.Plan != "" {
		p.line("plan", w.Plan)
	}
	p.line("waits", fmt.Sprintf("for %s; until %s", lasting(now.Sub(w.Asked)), moment(w.Until)))
}
