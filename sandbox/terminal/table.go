package terminal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/penguinshop/delivery/sandbox/world"
)

// Table ends a delivery: what is live where, an environment a row.
func (s *Screen) Table(d world.Summary) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := table.NewWriter()
	t.SetStyle(table.StyleRounded)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"environment", "live", "blue/green", "version", "requests", "failed", "shift"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 5, Align: text.AlignRight}, {Number: 6, Align: text.AlignRight}, {Number: 7, Align: text.AlignRight}})
	for _, e := range d.Environments {
		failed := good.Render("0")
		if e.Failed > 0 {
			failed = bad.Render(fmt.Sprint(e.Failed))
		}
		t.AppendRow(table.Row{e.Name, e.Live, fmt.Sprintf("%d/%d", e.Weights.Blue, e.Weights.Green), cmp.Or(short(e.Version), "–"), e.Requests, failed,
			fmt.Sprintf("%.1f s", e.ShiftSeconds)})
	}
	lines := []string{"", t.Render()}
	if slices.ContainsFunc(d.Environments, func(e world.EnvironmentSummary) bool { return e.Version != d.Commit }) {
		lines = append(lines, fmt.Sprintf("commit %s did not get through; the pipeline ended after %.0f s, on %s", short(d.Commit), d.Seconds, d.Runtime))
	} else {
		lines = append(lines, fmt.Sprintf("commit %s is everywhere, %.0f s after the pipeline's start, on %s", short(d.Commit), d.Seconds, d.Runtime), d.Image)
	}
	for _, e := range d.Environments {
		lines = append(lines, fmt.Sprintf("%-8s %s", e.Name, e.URL))
	}
	_, _ = fmt.Fprintln(s.out, strings.Join(lines, "\n")) // a terminal that is gone has no reader
}

// short is a commit as people say it.
func short(commit string) string {
	if len(commit) == 40 {
		return commit[:9]
	}
	return commit
}
