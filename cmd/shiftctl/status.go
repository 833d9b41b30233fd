package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/operator"
	"github.com/penguinshop/delivery/prices"
)

func statusCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status [ENVIRONMENT]",
		Short: "Show where traffic is, what runs, and what is under way",
		Long: `Status shows each environment, or the one that is named: the share of the
traffic that each colour has, the version that it runs, its running tasks of
those that are wanted, its healthy targets; how long the former version stays
warm and what that costs a month; the step of a shift that runs; and how the
last one ended.`,
		Example: "  shiftctl status\n  shiftctl status prod --json\n  shiftctl status --sandbox",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := o.delivery(c.Context(), named(args))
			if err != nil {
				return err
			}
			all := d.Look(c.Context())
			if o.json {
				err = writeJSON(c.OutOrStdout(), all)
			} else {
				pageOf(c.OutOrStdout()).status(all)
			}
			if err != nil {
				return err
			}
			return told(c, all)
		},
	}
}

// told writes what could not be read to stderr.
func told(c *cobra.Command, all []operator.Status) error {
	missed := false
	for _, s := range all {
		for _, trouble := range s.Trouble {
			fmt.Fprintf(c.ErrOrStderr(), "shiftctl: %s: %s\n", s.Environment, trouble)
			missed = true
		}
	}
	if missed {
		return endedError{exitFailed}
	}
	return nil
}

// status writes the table of all sides, and below it what is to be said of each environment.
func (p page) status(all []operator.Status) {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder, t.Style().Options.SeparateColumns = false, false
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"environment", "side", "traffic", "commit", "image", "tasks", "healthy"})
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 1, WidthMax: 14}, {Number: 3, Align: text.AlignRight}, {Number: 6, Align: text.AlignRight}, {Number: 7, Align: text.AlignRight}})
	for i, s := range all {
		if i > 0 {
			t.AppendSeparator()
		}
		for n, side := range s.Sides {
			name := ""
			if n == 0 {
				name = p.bold(s.Environment)
			}
			t.AppendRow(p.row(name, side, s.Sleep != nil))
		}
	}
	fmt.Fprintln(p.out, t.Render())
	for _, s := range all {
		fmt.Fprintf(p.out, "\n%s  %s\n", p.bold(s.Environment), s.URL)
		p.notes(s)
	}
}

func (p page) row(name string, side operator.Side, asleep bool) table.Row {
	colour := string(side.Colour)
	traffic := "?"
	switch {
	case colour == "":
		colour, traffic = "rolling", "100 %"
	case side.Weight != nil:
		traffic = fmt.Sprintf("%d %%", *side.Weight)
	}
	healthy := "?"
	switch t := side.Targets; {
	case side.Colour == "":
		healthy = ""
	case t != nil:
		healthy = fmt.Sprint(t.Healthy)
		if side.Weight != nil && *side.Weight > 0 && t.Healthy == 0 && !asleep {
			healthy = p.bad(healthy)
		} else if t.Healthy > 0 {
			healthy = p.good(healthy)
		}
		for _, more := range []struct {
			n    int
			what string
		}{{t.Unhealthy, "ill"}, {t.Initial, "new"}, {t.Draining, "going"}} {
			if more.n > 0 {
				healthy += fmt.Sprintf(" +%d %s", more.n, more.what)
			}
		}
	}
	image := digest(side.Digest)
	if image == "" {
		image = side.Image[strings.LastIndexByte(side.Image, '/')+1:]
		image = text.Trim(image, 14)
	}
	return table.Row{name, colour, traffic, version(side), image, count(side.Running) + "/" + count(side.Desired), healthy}
}

// notes are the sentences below the table.
func (p page) notes(s operator.Status) {
	if r := s.Rollout; r != nil {
		p.line("under way", rolloutWords(s))
	}
	if s.Sleep != nil {
		p.line("asleep", "it "+sleepWords(s))
	}
	if b := s.Standby; b != nil {
		cost := ""
		if b.MonthlyUSD != nil {
			cost = fmt.Sprintf("; kept for a month it would cost $%.2f (Fargate in %s, %s)", *b.MonthlyUSD, prices.Read().Region, prices.Read().AsOf)
		}
		p.line("standby", fmt.Sprintf("%s is warm until %s, %s left, %s%s", b.Colour, moment(b.Until), lasting(time.Duration(b.SecondsLeft)*time.Second), tasks(b.Tasks), cost))
	}
	if l := s.Last; l != nil {
		p.line("last", fmt.Sprintf("%s %s: %s", p.outcome(l.Outcome), moment(l.At), firstOf(l.Message)))
	}
	if s.Rollout == nil && s.Last == nil {
		p.line("last", "no release yet")
	}
}

func (p page) outcome(o operator.Outcome) string {
	switch {
	case o.Good():
		return p.good(string(o))
	case o == operator.UnderWay:
		return string(o)
	}
	return p.bad(string(o))
}

func tasks(n int) string {
	if n == 1 {
		return "1 task"
	}
	return fmt.Sprintf("%d tasks", n)
}

// firstOf is a message without the diagnosis that may follow on its next lines.
func firstOf(message string) string {
	line, _, more := strings.Cut(message, "\n")
	if more {
		line += " …"
	}
	return line
}

// rolloutWords says what a rollout is doing.
func rolloutWords(s operator.Status) string {
	r := s.Rollout
	var parts []string
	switch {
	case r.Phase != "" && r.Step > 0:
		parts = append(parts, fmt.Sprintf("%s %s at %d %%, step %d of %d", r.Phase, r.Candidate, r.Percent, r.Step, r.Steps))
	case r.Phase != "":
		parts = append(parts, fmt.Sprintf("%s %s at %d %%", r.Phase, r.Candidate, r.Percent))
	case r.Action == "approve":
		parts = append(parts, "waits for an approval: `shiftctl approve "+s.Environment+"`")
	case r.Action != "":
		parts = append(parts, r.Action+" runs")
	default:
		parts = append(parts, "between two actions")
	}
	if r.Commit != "" {
		parts = append(parts, "commit "+commit(r.Commit))
	}
	if r.Verdict != "" {
		parts = append(parts, r.Verdict)
	}
	text := strings.Join(parts, "; ")
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	if r.Overdue {
		text += ". The run that should act is overdue; the schedule wakes another"
	}
	return text
}
