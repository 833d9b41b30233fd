package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/tree"
	"github.com/charmbracelet/x/ansi"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// columns is the width that the tree fits into.
const columns = 80

var (
	strong = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	good   = lipgloss.NewStyle().Foreground(lipgloss.Green)
	bad    = lipgloss.NewStyle().Foreground(lipgloss.Red)
	warm   = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
)

// WriteTree writes the plan for people, at most 80 columns wide. Colours are ANSI sequences; a writer that is no terminal has
// to strip them (colorprofile.NewWriter does).
func (p *Plan) WriteTree(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s  %s\n", strong.Render(p.Stack), faint.Render(p.summary()))
	text.WriteString(p.resources() + "\n")
	p.writeFindings(&text)
	p.writeTraffic(&text)
	p.writeCosts(&text)
	p.writeDifference(&text)
	for _, note := range p.Notes {
		paragraph(&text, warm, "note: ", "      ", note)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// summary is the plan in one line.
func (p *Plan) summary() string {
	findings := fmt.Sprintf("%s, %d accepted", count(p.Open(), "unsafe thing"), len(p.Findings)-p.Open())
	return fmt.Sprintf("%s · %s · %.2f USD a month at rest", count(p.creations(), "resource"), findings, p.MonthlyCostUSD)
}

// creations counts what the first `pulumi up` would create, as it counts it: components too, but not what is only read.
func (p *Plan) creations() int {
	n := 0
	for _, r := range p.Resources {
		if !r.Read {
			n++
		}
	}
	return n
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// trunk is what stands before a resource for each of its parents.
const trunk = "|  "

func connector(children tree.Children, i int) string {
	if i == children.Length()-1 {
		return "└─ "
	}
	return "├─ "
}

func indent(children tree.Children, i int) string {
	if i == children.Length()-1 {
		return "   "
	}
	return "│  "
}

func (p *Plan) resources() string {
	children := map[string][]graph.Resource{}
	for _, r := range p.Resources {
		children[r.Parent] = append(children[r.Parent], r)
	}
	var branch func(r graph.Resource, depth int) *tree.Tree
	branch = func(r graph.Resource, depth int) *tree.Tree {
		t := tree.Root(p.line(r, columns-len(trunk)*depth)).Enumerator(connector).Indenter(indent).EnumeratorStyle(faint).IndenterStyle(faint)
		below := children[r.URN]
		slices.SortStableFunc(below, func(a, b graph.Resource) int {
			if a.Custom != b.Custom { // components last: their own children follow them
				return map[bool]int{true: -1, false: 1}[a.Custom]
			}
			return strings.Compare(shortType(a.Type)+a.Name, shortType(b.Type)+b.Name)
		})
		for _, child := range below {
			t.Child(branch(child, depth+1))
		}
		return t
	}
	var roots []string
	for _, r := range children[""] {
		roots = append(roots, branch(r, 0).String())
	}
	return strings.Join(roots, "\n")
}

// line is one resource of the tree: type, name and what is special about it.
func (p *Plan) line(r graph.Resource, width int) string {
	text := shortType(r.Type) + " " + strong.Render(r.Name)
	var marks []string
	if r.Read {
		marks = append(marks, "read")
	}
	if r.Protect {
		marks = append(marks, "protected")
	}
	if len(r.IgnoreChanges) > 0 {
		marks = append(marks, "ignores "+strings.Join(r.IgnoreChanges, ", "))
	}
	if len(marks) > 0 {
		text += faint.Render("  " + strings.Join(marks, "; "))
	}
	for _, f := range p.Findings {
		if f.Resource == r.URN && !f.Accepted && r.Parent != "" {
			text = bad.Render("! ") + text
			break
		}
	}
	return ansi.Truncate(text, width, "…")
}

func (p *Plan) writeFindings(text *strings.Builder) {
	if len(p.Findings) == 0 {
		text.WriteString("\n" + good.Render("Nothing unsafe") + "\n")
		return
	}
	text.WriteString("\n" + strong.Render("Unsafe") + "\n")
	for _, f := range p.Findings {
		mark, reason, style := bad.Render("!"), f.Reason, lipgloss.NewStyle()
		if f.Accepted {
			mark, reason, style = good.Render("✓"), "accepted: "+f.Because, faint
		}
		fmt.Fprintf(text, "%s %s  %s\n", mark, f.Rule, faint.Render(ansi.Truncate(p.name(f.Resource), columns-4-len(f.Rule), "…")))
		paragraph(text, style, "    ", "    ", reason)
	}
	if p.Open() > 0 {
		paragraph(text, faint, "  ", "  ", p.accepting())
	}
}

func (p *Plan) writeTraffic(text *strings.Builder) {
	if len(p.Traffic) == 0 {
		return
	}
	text.WriteString("\n" + strong.Render("Touches traffic") + "\n")
	for _, t := range p.Traffic {
		paragraph(text, lipgloss.NewStyle(), "  ", "      ", p.name(t.Resource)+": "+t.Does)
	}
}

func (p *Plan) writeCosts(text *strings.Builder) {
	text.WriteString("\n" + strong.Render("Cost a month at rest") + "\n")
	for _, c := range p.Costs {
		fmt.Fprintf(text, "  %9.2f  %s\n", c.MonthlyUSD, ansi.Truncate(p.name(c.Resource)+": "+c.What, columns-13, "…"))
	}
	fmt.Fprintf(text, "  %s  USD in all\n", strong.Render(fmt.Sprintf("%9.2f", p.MonthlyCostUSD)))
	for _, a := range p.Assumptions {
		paragraph(text, faint, "  ", "  ", a)
	}
}

var signs = map[Action]string{Add: "+", Alter: "~", Replace: "±", Remove: "-"}

func (p *Plan) writeDifference(text *strings.Builder) {
	d := p.Difference
	if d == nil {
		return
	}
	text.WriteString("\n" + strong.Render(ansi.Truncate("Difference to "+d.Against, columns, "…")) + "\n")
	paragraph(text, lipgloss.NewStyle(), "  ", "  ", d.summary())
	style := map[Action]lipgloss.Style{Add: good, Alter: warm, Replace: bad, Remove: bad}
	for _, c := range d.Changes {
		line := ansi.Truncate(fmt.Sprintf("%s %s  %s %s", signs[c.Action], c.Action, shortType(c.Type), c.Name), columns-2, "…")
		text.WriteString("  " + style[c.Action].Render(line) + "\n")
		for _, property := range c.Properties {
			paragraph(text, lipgloss.NewStyle(), "      ", "        ", property.String())
		}
		if c.Because != "" {
			paragraph(text, lipgloss.NewStyle(), "      ", "      ", "because "+p.name(c.Because)+" is replaced")
		}
		if c.Traffic != "" {
			paragraph(text, bad, "      ", "      ", "traffic: "+c.Traffic)
		}
	}
}

// summary is the difference in one line.
func (d *Difference) summary() string {
	if len(d.Changes) == 0 {
		return "no change"
	}
	counts := map[Action]int{}
	for _, c := range d.Changes {
		counts[c.Action]++
	}
	var parts []string
	for _, action := range []struct {
		action Action
		done   string
	}{{Add, "added"}, {Alter, "changed"}, {Replace, "replaced"}, {Remove, "removed"}} {
		if n := counts[action.action]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, action.done))
		}
	}
	traffic := "running traffic is not affected"
	if d.TrafficAffected {
		traffic = "RUNNING TRAFFIC IS AFFECTED"
	}
	return fmt.Sprintf("%s; %+.2f USD a month; %s", strings.Join(parts, ", "), d.MonthlyCostUSD, traffic)
}

// String is the change of one property in words.
func (p Property) String() string {
	text := fmt.Sprintf("%s: %s → %s", p.Path, brief(p.Before), brief(p.After))
	if p.Replaces {
		text += " (forces replacement)"
	}
	return text
}

// name is a resource in words, by its URN.
func (p *Plan) name(urn string) string { return shortType(typeOf(urn)) + " " + nameOf(urn) }

// typeOf is the type at the end of a URN's chain of types.
func typeOf(urn string) string {
	parts := strings.SplitN(urn, "::", 4)
	if len(parts) < 4 {
		return urn
	}
	return parts[2][strings.LastIndex(parts[2], "$")+1:]
}

func nameOf(urn string) string {
	parts := strings.SplitN(urn, "::", 4)
	return parts[len(parts)-1]
}

// paragraph writes text in lines of at most 80 columns, the first and the others behind an indent of their own.
func paragraph(to *strings.Builder, style lipgloss.Style, first, others, text string) {
	indent := first
	for line := range strings.SplitSeq(ansi.Wrap(text, columns-len(others), ""), "\n") {
		to.WriteString(indent + style.Render(strings.TrimRight(line, " ")) + "\n")
		indent = others
	}
}
