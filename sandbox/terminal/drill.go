package terminal

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/penguinshop/delivery/sandbox/drill"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// Drills says what can be broken and what is promised then.
func (s *Screen) Drills(all []drill.Drill) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const indent = "  "
	for _, d := range all {
		lines := []string{bold.Render(d.Name)}
		for _, sentence := range []string{d.Breaks, d.Promise} {
			for line := range strings.SplitSeq(lipgloss.Wrap(sentence, s.width-len(indent), " "), "\n") {
				lines = append(lines, indent+line)
			}
		}
		_, _ = fmt.Fprintln(s.out, strings.Join(lines, "\n")) // a terminal that is gone has no reader
	}
}

// Drilled says how a drill ended.
func (s *Screen) Drilled(r drill.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mark := good.Render("✓")
	if !r.Passed {
		mark = bad.Render("✗")
	}
	failures := ""
	if r.Failed > 0 {
		failures = ": " + r.Failures
	}
	s.line("", mark, fmt.Sprintf("%s in %.0f s; %d of %d requests failed%s", r.Outcome, r.Took, r.Failed, r.Requests, failures))
	for _, problem := range r.Problems {
		s.line("", bad.Render("✗"), bad.Render(problem))
	}
}

// DrillTable ends a run of drills: one a row.
func (s *Screen) DrillTable(results []drill.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := table.NewWriter()
	t.SetStyle(table.StyleRounded)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"drill", "outcome", "requests", "failed", "met it", "safe in"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, WidthMax: 15}, {Number: 3, Align: text.AlignRight}, {Number: 4, Align: text.AlignRight},
		{Number: 5, Align: text.AlignRight}, {Number: 6, Align: text.AlignRight}})
	passed := 0
	for _, r := range results {
		outcome := good.Render("✓ " + string(r.Outcome))
		if r.Passed {
			passed++
		} else {
			outcome = bad.Render("✗ " + string(r.Outcome))
		}
		t.AppendRow(table.Row{r.Drill, outcome, r.Requests, r.Failed, r.BadVersionRequests, fmt.Sprintf("%.0f s", r.SecondsToSafety)})
	}
	_, _ = fmt.Fprintf(s.out, "\n%s\n%d of %d went as promised. «met it» counts requests that a broken release answered; «safe in» is the time in AWS\nfrom the first request that met a fault to the last.\n",
		t.Render(), passed, len(results)) // as in line
}

// Follow shows what the journal tells from now on, until the returned function is called.
func (s *Screen) Follow(j *journal.Journal) (stop func()) {
	entries, unsubscribe := j.Subscribe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range entries {
			s.Show(e)
		}
	}()
	return func() {
		unsubscribe()
		<-done
	}
}
