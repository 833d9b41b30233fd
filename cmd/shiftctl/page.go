package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"github.com/penguinshop/delivery/operator"
)

// page is where a verb writes for people: how large it is, and whether it takes colours.
type page struct {
	out           io.Writer
	terminal      bool
	width, height int
	colours       bool
}

// narrow is the width that every table fits into, and that of what is no terminal.
const narrow = 80

func pageOf(out io.Writer) page {
	p := page{out: out, width: narrow}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.terminal = true
		if width, height, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			p.width, p.height = width, height
		}
		p.colours = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return p
}

func (p page) paint(colour text.Color, words string) string {
	if !p.colours || words == "" {
		return words
	}
	return "\x1b[" + fmt.Sprint(int(colour)) + "m" + words + "\x1b[0m"
}

func (p page) good(words string) string  { return p.paint(text.FgGreen, words) }
func (p page) bad(words string) string   { return p.paint(text.FgRed, words) }
func (p page) faint(words string) string { return p.paint(text.Faint, words) }
func (p page) bold(words string) string  { return p.paint(text.Bold, words) }

// line writes one labelled sentence, wrapped and indented below its label.
func (p page) line(label, sentence string) {
	const indent = 10
	width := max(40, min(p.width, 120)-indent)
	for i, row := range strings.Split(text.WrapSoft(sentence, width), "\n") {
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(p.out, "%s%s\n", p.faint(text.Pad(label, indent, ' ')), strings.TrimRight(row, " "))
	}
}

func writeJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// commit is a commit as people say it.
func commit(id string) string {
	if len(id) > 9 {
		return id[:9]
	}
	return id
}

// digest is enough of a digest to tell it from others.
func digest(full string) string {
	hex, found := strings.CutPrefix(full, "sha256:")
	if !found || len(hex) < 12 {
		return full
	}
	return hex[:12]
}

// version is what a side runs, in a few characters.
func version(s operator.Side) string {
	switch {
	case s.Commit != "":
		return commit(s.Commit)
	case s.Image != "":
		return "no commit"
	}
	return "?"
}

// lasting is a duration as people say it.
func lasting(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d m %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d m", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

// moment is a time of the person's own zone.
func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// count is a number that may not be known.
func count(n *int) string {
	if n == nil {
		return "?"
	}
	return fmt.Sprint(*n)
}
