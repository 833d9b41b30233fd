package plan

import (
	"fmt"
	"strings"
)

// CommentLimit is the number of characters that GitHub takes in one comment.
const CommentLimit = 65_536

// Marker is the first line of the Markdown, by which a workflow finds the comment that it has to update.
const Marker = "<!-- penguinshop plan -->"

// Markdown writes the plans as one comment of a pull request. It stays under CommentLimit: where the whole is too long, the
// least important parts are left out first, and the text says so.
func Markdown(plans []*Plan) string {
	var text string
	for _, d := range []detail{
		{tree: true, diagram: true, properties: 40, accepted: true},
		{diagram: true, properties: 40, accepted: true},
		{properties: 40, accepted: true},
		{properties: 10},
		{properties: 3},
		{},
		{bare: true},
	} {
		text = d.markdown(plans)
		if len([]rune(text)) < CommentLimit {
			return text
		}
	}
	const end = "\n\n_Cut here: the whole does not fit into a comment._\n"
	runes := []rune(text)[:CommentLimit-len(end)-1]
	cut := string(runes)
	return cut[:strings.LastIndex(cut, "\n")] + end
}

// detail says how much of the plans a comment holds.
type detail struct {
	tree, diagram, accepted bool
	// bare leaves just the changes and what is unsafe.
	bare bool
	// properties is the number of changed properties shown for each resource.
	properties int
}

func (d detail) markdown(plans []*Plan) string {
	var text strings.Builder
	text.WriteString(Marker + "\n## What `pulumi up` would create\n\n")
	text.WriteString("| stack | resources | unsafe | accepted | USD a month at rest |")
	compared := len(plans) > 0 && plans[0].Difference != nil
	if compared {
		fmt.Fprintf(&text, " against `%s` |", plans[0].Difference.Against)
	}
	text.WriteString("\n|---|--:|--:|--:|--:|" + map[bool]string{true: "---|"}[compared] + "\n")
	for _, p := range plans {
		fmt.Fprintf(&text, "| %s | %d | %d | %d | %.2f |", p.Stack, p.creations(), p.Open(), len(p.Findings)-p.Open(), p.MonthlyCostUSD)
		if p.Difference != nil {
			fmt.Fprintf(&text, " %s |", p.Difference.summary())
		}
		text.WriteString("\n")
	}
	for _, p := range plans {
		d.stack(&text, p)
	}
	if !d.tree {
		text.WriteString("\n_Shortened to fit into a comment: `go run ./cmd/sandbox plan` shows the whole._\n")
	}
	return text.String()
}

func (d detail) stack(text *strings.Builder, p *Plan) {
	fmt.Fprintf(text, "\n### %s\n", p.Stack)
	d.difference(text, p)
	d.findings(text, p)
	if d.bare {
		return
	}
	if len(p.Traffic) > 0 {
		var rows strings.Builder
		rows.WriteString("| resource | what it does |\n|---|---|\n")
		for _, t := range p.Traffic {
			fmt.Fprintf(&rows, "| %s | %s |\n", cell(p.name(t.Resource)), cell(t.Does))
		}
		fold(text, "Touches traffic", rows.String())
	}
	var rows strings.Builder
	rows.WriteString("| USD a month | resource | for |\n|--:|---|---|\n")
	for _, c := range p.Costs {
		fmt.Fprintf(&rows, "| %.2f | %s | %s |\n", c.MonthlyUSD, cell(p.name(c.Resource)), cell(c.What))
	}
	rows.WriteString("\n" + strings.Join(p.Assumptions, " ") + "\n")
	fold(text, fmt.Sprintf("Cost: %.2f USD a month at rest", p.MonthlyCostUSD), rows.String())
	if d.diagram {
		fold(text, "Diagram", "```mermaid\n"+p.Mermaid()+"```\n")
	}
	if d.tree {
		var plain strings.Builder
		plain.WriteString("```\n" + stripped(p.resources()) + "\n```\n")
		fold(text, count(p.creations(), "resource"), plain.String())
	}
	for _, note := range p.Notes {
		fmt.Fprintf(text, "\n> %s\n", note)
	}
}

func (d detail) difference(text *strings.Builder, p *Plan) {
	if p.Difference == nil {
		return
	}
	fmt.Fprintf(text, "\n**Against `%s`: %s**\n\n", p.Difference.Against, p.Difference.summary())
	for _, c := range p.Difference.Changes {
		fmt.Fprintf(text, "- `%s` **%s** %s", signs[c.Action], c.Action, cell(shortType(c.Type)+" "+c.Name))
		if c.Because != "" {
			fmt.Fprintf(text, ", because %s is replaced", cell(p.name(c.Because)))
		}
		if c.Traffic != "" {
			fmt.Fprintf(text, " — ⚠️ traffic: %s", cell(c.Traffic))
		}
		text.WriteString("\n")
		for i, property := range c.Properties {
			if i == d.properties {
				if !d.bare {
					fmt.Fprintf(text, "  - … and %d more\n", len(c.Properties)-i)
				}
				break
			}
			fmt.Fprintf(text, "  - `%s`\n", strings.ReplaceAll(property.String(), "`", "'"))
		}
	}
}

func (d detail) findings(text *strings.Builder, p *Plan) {
	if p.Open() > 0 {
		text.WriteString("\n| unsafe | resource | why |\n|---|---|---|\n")
		for _, f := range p.Findings {
			if !f.Accepted {
				fmt.Fprintf(text, "| %s | %s | %s |\n", f.Rule, cell(p.name(f.Resource)), cell(f.Reason))
			}
		}
		text.WriteString("\n" + cell(p.accepting()) + "\n")
	}
	if accepted := len(p.Findings) - p.Open(); accepted > 0 && d.accepted {
		var rows strings.Builder
		rows.WriteString("| rule | resource | accepted because |\n|---|---|---|\n")
		for _, f := range p.Findings {
			if f.Accepted {
				fmt.Fprintf(&rows, "| %s | %s | %s |\n", f.Rule, cell(p.name(f.Resource)), cell(f.Because))
			}
		}
		fold(text, fmt.Sprintf("%d accepted in config", accepted), rows.String())
	}
}

// fold puts text behind a line that opens it.
func fold(text *strings.Builder, title, body string) {
	fmt.Fprintf(text, "\n<details><summary>%s</summary>\n\n%s\n</details>\n", title, body)
}

// cell makes text fit for a table or a list.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;", ">", "&gt;", "*", "\\*", "_", "\\_").Replace(text)
}

// Mermaid is the stack's picture as a Mermaid flow chart, which GitHub draws by itself.
func (p *Plan) Mermaid() string {
	s := p.draw()
	var text strings.Builder
	text.WriteString("flowchart LR\n")
	for i, lane := range s.lanes {
		fmt.Fprintf(&text, "  subgraph l%d[\"%s\"]\n", i, quoted(lane))
		for _, n := range s.nodes {
			if n.lane == lane {
				fmt.Fprintf(&text, "    %s[\"%s<br/><small>%s</small>\"]:::%s\n", n.id, quoted(n.title), quoted(n.kind), n.group)
			}
		}
		text.WriteString("  end\n")
	}
	for _, e := range s.edges {
		fmt.Fprintf(&text, "  %s --> %s\n", s.nodes[e.from].id, s.nodes[e.to].id)
	}
	for _, c := range palette {
		fmt.Fprintf(&text, "  classDef %s fill:%s,stroke:%s,color:#1d2730\n", c.group, c.fill, c.line)
	}
	return text.String()
}

func quoted(text string) string {
	return strings.NewReplacer(`"`, "#quot;", "<", "#lt;", ">", "#gt;").Replace(text)
}
