package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/operator"
)

func historyCommand(o *options) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:   "history [ENVIRONMENT]",
		Short: "Show the last deliveries, how each ended, and who approved it",
		Long: `History lists the last deliveries to each environment, or to the one that is
named, the newest first: commit, image, outcome, how long it took, and who
answered the approval. The pipeline remembers them for twelve months.`,
		Example: "  shiftctl history\n  shiftctl history prod -n 20 --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if limit < 1 || limit > 100 {
				return usageError{fmt.Errorf("--limit %d: it goes from 1 to 100", limit)}
			}
			d, err := o.delivery(c.Context(), named(args))
			if err != nil {
				return err
			}
			entries, err := d.History(c.Context(), limit)
			if err != nil {
				return err
			}
			if o.json {
				if entries == nil {
					entries = []operator.Entry{}
				}
				return writeJSON(c.OutOrStdout(), entries)
			}
			if len(entries) == 0 {
				fmt.Fprintln(c.ErrOrStderr(), "shiftctl: no delivery has reached an environment yet")
				return nil
			}
			pageOf(c.OutOrStdout()).history(entries)
			return nil
		},
	}
	c.Flags().IntVarP(&limit, "limit", "n", 10, "how many deliveries of each environment, 1 to 100")
	return c
}

func (p page) history(entries []operator.Entry) {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder, t.Style().Options.SeparateColumns = false, false
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"environment", "began", "commit", "image", "outcome", "took", "by"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 1, WidthMax: 14}, {Number: 6, Align: text.AlignRight}, {Number: 7, WidthMax: 12}})
	previous := ""
	for _, e := range entries {
		name := ""
		if e.Environment != previous {
			if previous != "" {
				t.AppendSeparator()
			}
			name = p.bold(e.Environment)
		}
		previous = e.Environment
		t.AppendRow(table.Row{name, e.Started.Local().Format("01-02 15:04"), commit(e.Commit), digest(e.Digest), p.outcome(e.Outcome),
			lasting(time.Duration(e.Seconds) * time.Second), approver(e.Approval)})
	}
	fmt.Fprintln(p.out, t.Render())
}

// approver is the name at the end of a principal's ARN.
func approver(a *operator.Approver) string {
	switch {
	case a == nil:
		return ""
	case a.By == "":
		return "a person"
	}
	return a.By[strings.LastIndexAny(a.By, "/:")+1:]
}
