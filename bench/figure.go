// Package bench measures what the project promises in numbers.
package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Figure is one measured value.
type Figure struct {
	// Name is a path from the general to the particular, such as function/coldStart.
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	// Unit is what the value counts: ms, MB (10^6 bytes), %, requests and the like.
	Unit string `json:"unit"`
	// Goal is what the value should be; nil where the figure is there to compare with.
	Goal *Goal `json:"-"`
}

// Goal is a bound within which a value is good enough.
type Goal struct {
	Bound float64
	// Least is true where the bound is the lowest good value; otherwise it is the highest.
	Least bool
}

func (g Goal) String() string {
	if g.Least {
		return "≥ " + number(g.Bound)
	}
	return "≤ " + number(g.Bound)
}

// Met tells whether the value reaches its goal; a figure without one does.
func (f Figure) Met() bool {
	switch {
	case f.Goal == nil:
		return true
	case f.Goal.Least:
		return f.Value >= f.Goal.Bound
	}
	return f.Value <= f.Goal.Bound
}

// AtMost is the figure with a goal that it must not exceed.
func (f Figure) AtMost(value float64) Figure {
	f.Goal = &Goal{Bound: value}
	return f
}

// AtLeast is the figure with a goal that it must reach.
func (f Figure) AtLeast(value float64) Figure {
	f.Goal = &Goal{Bound: value, Least: true}
	return f
}

// WriteSummary writes the figures as a JSON list of name, value and unit. The file is replaced whole or left as it was.
func WriteSummary(path string, figures []Figure) error {
	content, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return fmt.Errorf("the figures: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".bench-*.json")
	if err != nil {
		return fmt.Errorf("the summary: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(append(content, '\n'))
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Chmod(file.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("the summary: %w", err)
	}
	return nil
}

// WriteTable shows the figures to a person, each beside its goal.
func WriteTable(out io.Writer, figures []Figure) {
	t := table.NewWriter()
	t.SetOutputMirror(out)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"figure", "value", "unit", "goal", ""})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}, {Number: 4, Align: text.AlignRight}})
	for _, f := range figures {
		goal, met := "", ""
		if f.Goal != nil {
			goal, met = f.Goal.String(), "met"
		}
		if !f.Met() {
			met = "MISSED"
		}
		t.AppendRow(table.Row{f.Name, number(f.Value), f.Unit, goal, met})
	}
	t.Render()
}

// number keeps three digits that count, and every digit before the point.
func number(value float64) string {
	if value == 0 {
		return "0"
	}
	return strconv.FormatFloat(value, 'f', max(0, 2-int(math.Floor(math.Log10(math.Abs(value))))), 64)
}
