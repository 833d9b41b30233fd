// Package terminal tells a person in the terminal what a running sandbox does: a line for each thing that happened, in plain
// text that can be piped, and at the end a table.
package terminal

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/penguinshop/delivery/sandbox/journal"
)

// Screen writes lines. It colours them where the output is a terminal that takes colour and NO_COLOR is not set, and it
// never moves the cursor, so that a log file reads like the terminal.
type Screen struct {
	mu      sync.Mutex
	out     io.Writer
	width   int
	began   time.Time
	started map[string]time.Time // actions that run, by execution and name
	builds  []string             // the last lines of the running build
	verbose bool
}

// Options say where a screen writes.
type Options struct {
	Out     io.Writer
	Environ []string
	// Width is the terminal's width in columns; 0 takes 80.
	Width int
	// Verbose shows the log of builds and functions as well.
	Verbose bool
}

// narrowest is what the columns need at least.
const narrowest = 60

// New returns a screen whose clock begins now.
func New(o Options) *Screen {
	if o.Width == 0 {
		o.Width = 80
	}
	return &Screen{out: colorprofile.NewWriter(o.Out, o.Environ), width: max(o.Width, narrowest), began: time.Now(),
		started: map[string]time.Time{}, verbose: o.Verbose}
}

var (
	faint  = lipgloss.NewStyle().Faint(true)
	bold   = lipgloss.NewStyle().Bold(true)
	good   = lipgloss.NewStyle().Foreground(lipgloss.Green)
	bad    = lipgloss.NewStyle().Foreground(lipgloss.Red)
	notice = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	blue   = lipgloss.NewStyle().Foreground(lipgloss.BrightBlue)
	green  = lipgloss.NewStyle().Foreground(lipgloss.BrightGreen)
)

// The columns before a line's text: elapsed time and place; a mark follows.
const (
	timeColumn  = 6
	placeColumn = 16
)

// line writes one line in columns: when, where, a mark and the text, which is wrapped below itself.
func (s *Screen) line(place, mark, text string) {
	elapsed := time.Since(s.began)
	head := faint.Render(fmt.Sprintf("%02d:%02d", int(elapsed.Minutes()), int(elapsed.Seconds())%60))
	head += strings.Repeat(" ", timeColumn-5) + " "
	if place != "" || mark != "" {
		head += pad(place, placeColumn) + " " + pad(mark, 1) + " "
	}
	indent := lipgloss.Width(head)
	for i, part := range strings.Split(lipgloss.Wrap(text, s.width-indent, " ,/"), "\n") {
		if i > 0 {
			head = strings.Repeat(" ", indent)
		}
		_, _ = fmt.Fprintln(s.out, strings.TrimRight(head+part, " ")) // a terminal that is gone has no reader
	}
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-lipgloss.Width(text)))
}

// Say writes a sentence of the command's own.
func (s *Screen) Say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line("", "", fmt.Sprintf(format, args...))
}

// Note writes a sentence that a person should not miss.
func (s *Screen) Note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line("", notice.Render("!"), fmt.Sprintf(format, args...))
}

// Title writes a heading.
func (s *Screen) Title(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintln(s.out, bold.Render(fmt.Sprintf(format, args...)))
}

// Show writes what a journal entry tells, if it is of a kind that a person follows.
func (s *Screen) Show(e journal.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Service + "/" + e.Kind {
	case "codepipeline/action":
		s.action(e)
	case "codepipeline/progress":
		s.line(place(e), "·", field(e, "summary"))
	case "codepipeline/execution":
		s.execution(e)
	case "codebuild/log":
		s.build(e)
	case "world/weights":
		s.line(bold.Render(e.Environment), "", weights(e))
	case "drill/drill":
		s.line(bold.Render("drill"), "·", e.Text)
	case "world/note", "lambda/failure":
		s.line(e.Environment, notice.Render("!"), e.Text)
	default:
		if s.verbose {
			s.line(faint.Render(strings.TrimSpace(e.Environment+" "+e.Service)), faint.Render("·"), faint.Render(e.Text))
		}
	}
}

// keptBuildLines is how much of a build's log is shown when the build fails.
const keptBuildLines = 25

func (s *Screen) build(e journal.Entry) {
	if s.verbose {
		s.cut("│ " + e.Text)
		return
	}
	if s.builds = append(s.builds, e.Text); len(s.builds) > keptBuildLines {
		s.builds = slices.Delete(s.builds, 0, len(s.builds)-keptBuildLines)
	}
}

func (s *Screen) action(e journal.Entry) {
	key := field(e, "actionExecution")
	status := field(e, "status")
	if status == "InProgress" {
		s.started[key] = time.Now()
		s.builds = nil
		s.line(place(e), faint.Render("…"), faint.Render(begins[field(e, "provider")]))
		return
	}
	took := faint.Render(fmt.Sprintf("(%.1f s)", time.Since(s.started[key]).Seconds()))
	delete(s.started, key)
	switch status {
	case "Succeeded":
		s.line(place(e), good.Render("✓"), strings.TrimSpace(firstLine(field(e, "summary"))+" "+took))
	default:
		if field(e, "provider") == "CodeBuild" && !s.verbose {
			for _, line := range s.builds {
				s.cut("│ " + line)
			}
		}
		message, diagnosis, _ := strings.Cut(field(e, "message"), "\n")
		s.line(place(e), bad.Render("✗"), bad.Render(message)+" "+took)
		for line := range strings.Lines(diagnosis) {
			s.cut("│ " + strings.TrimRight(line, "\n"))
		}
	}
}

// cut writes one line of detail and cuts off what does not fit.
func (s *Screen) cut(text string) {
	_, _ = fmt.Fprintln(s.out, strings.Repeat(" ", timeColumn+1)+faint.MaxWidth(s.width-timeColumn-1).Render(text)) // as in line
}

// begins says what an action of a provider does while it runs.
var begins = map[string]string{
	"CodeStarSourceConnection": "reading the commit",
	"CodeBuild":                "testing, building and pushing",
	"Lambda":                   "running",
	"ECS":                      "deploying",
	"Manual":                   "waiting for an approval",
}

func (s *Screen) execution(e journal.Entry) {
	switch status := field(e, "status"); status {
	case "Succeeded":
		s.line(bold.Render("pipeline"), good.Render("✓"), "delivered")
	case "Failed":
		s.line(bold.Render("pipeline"), bad.Render("✗"), bad.Render("failed"))
	case "Superseded", "Stopped", "Stopping":
		s.line(bold.Render("pipeline"), notice.Render("!"), e.Text)
	}
}

func place(e journal.Entry) string {
	return bold.Render(field(e, "stage")) + " " + field(e, "action")
}

func field(e journal.Entry, name string) string {
	value, _ := e.Fields[name].(string)
	return value
}

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// barWidth is the width of the bar that shows how the traffic is shared.
const barWidth = 20

func weights(e journal.Entry) string {
	b, _ := e.Fields["blue"].(int)
	g, _ := e.Fields["green"].(int)
	filled := barWidth / 2
	if b+g > 0 {
		filled = b * barWidth / (b + g)
	}
	return blue.Render(fmt.Sprintf("blue %3d ", b)+strings.Repeat("█", filled)) +
		green.Render(strings.Repeat("░", barWidth-filled)+fmt.Sprintf(" %d green", g))
}
