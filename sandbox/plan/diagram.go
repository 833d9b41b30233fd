package plan

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
)

// Sizes of the picture, in pixels.
const (
	boxWidth, boxHeight = 190, 44
	columnGap, rowGap   = 70, 16
	laneGap, laneHead   = 22, 28
	margin              = 24
	// inset is where the first column begins: arrows may go around it on the left.
	inset      = margin + columnGap
	headHeight = 64
)

// palette is the colour of each group of services, and its words in the legend.
var palette = []struct{ group, words, fill, line string }{
	{"traffic", "traffic", "#e3f0fb", "#1f6fb2"},
	{"compute", "compute", "#fdebd9", "#c4661f"},
	{"delivery", "delivery", "#e4f3e4", "#2f7d32"},
	{"storage", "storage and keys", "#efe7f8", "#6a41a8"},
	{"watching", "watching", "#fbe4ec", "#b02a5b"},
	{"network", "network", "#e8ebee", "#55606b"},
}

type box struct {
	X, Y, W, H  int
	Title, Kind string
	Fill, Line  string
	Full        string // the URNs, for the pointer
}

type band struct {
	Y, W, H int
	Name    string
}

type arrow struct{ Path string }

type picture struct {
	Width, Height int
	Stack, Note   string
	Lanes         []band
	Boxes         []box
	Arrows        []arrow
	Legend        []box
}

// WriteDiagram writes the stack's picture as SVG: a lane a component, from left to right what requests and deliveries pass
// through, arrows from a resource to what it sends to or uses.
func (p *Plan) WriteDiagram(w io.Writer) error {
	s := p.draw()
	ranks := s.layers()
	rows, height := s.rows(ranks)

	pic := picture{Stack: p.Stack, Height: height + margin}
	columns := 1
	for _, rank := range ranks {
		columns = max(columns, rank+1)
	}
	pic.Width = max(inset+columns*boxWidth+(columns-1)*columnGap+2*margin, 2*margin+len(palette)*130)
	pic.Note = fmt.Sprintf("%d resources; %d that only connect others (roles, policies, rules …) are not drawn", p.creations(), s.left)
	x := func(n int) int { return inset + ranks[n]*(boxWidth+columnGap) }
	for _, lane := range rows.lanes {
		lane.W = pic.Width - 2*margin
		pic.Lanes = append(pic.Lanes, lane)
	}
	for i, n := range s.nodes {
		fill, line := "#ffffff", "#55606b"
		for _, c := range palette {
			if c.group == n.group {
				fill, line = c.fill, c.line
			}
		}
		full := ""
		for _, urn := range n.urns {
			full += urn + "\n"
		}
		pic.Boxes = append(pic.Boxes, box{
			X: x(i), Y: rows.y[i], W: boxWidth, H: boxHeight, Title: fitted(n.title, 24), Kind: fitted(n.kind, 28),
			Fill: fill, Line: line, Full: full,
		})
	}
	for _, e := range s.edges {
		pic.Arrows = append(pic.Arrows, arrow{curve(x(e.from), rows.y[e.from]+boxHeight/2, x(e.to), rows.y[e.to]+boxHeight/2)})
	}
	for i, c := range palette {
		pic.Legend = append(pic.Legend, box{X: margin + i*130, Y: headHeight - 18, W: 12, H: 12, Title: c.words, Fill: c.fill, Line: c.line})
	}
	return svg.Execute(w, pic)
}

// tip is the length of an arrow's head.
const tip = 6

// curve leads from one box to another, given their left edges and middles: out on the right and in on the left where the other
// stands further right, and otherwise around on the left of both, where no box is.
func curve(x1, y1, x2, y2 int) string {
	if x2 <= x1 {
		return fmt.Sprintf("M%d,%d C%d,%d %d,%d %d,%d", x1, y1, x1-columnGap*2/3, y1, x2-columnGap*2/3, y2, x2-tip, y2)
	}
	x1 += boxWidth
	bend := max(columnGap/2, (x2-x1)/3)
	return fmt.Sprintf("M%d,%d C%d,%d %d,%d %d,%d", x1, y1, x1+bend, y1, x2-bend-tip, y2, x2-tip, y2)
}

func fitted(text string, length int) string {
	runes := []rune(text)
	if len(runes) <= length {
		return text
	}
	return string(runes[:length-1]) + "…"
}

// layers gives every node its column: each stands right of all that lead to it, and as near as it can to what it leads to.
func (s sketch) layers() []int {
	forward := acyclic(len(s.nodes), s.edges)
	step := func(e edge) int {
		if s.beside(e) {
			return 0
		}
		return 1
	}
	ranks := make([]int, len(s.nodes))
	for range s.nodes {
		moved := false
		for _, e := range forward {
			if least := ranks[e.from] + step(e); ranks[e.to] < least {
				ranks[e.to], moved = least, true
			}
		}
		if !moved {
			break
		}
	}
	// A node to which nothing leads moves right, next to what it leads to.
	for n := range s.nodes {
		nearest, first := -1, true
		for _, e := range forward {
			if e.to == n {
				first = false
			}
			if at := ranks[e.to] - step(e); e.from == n && (nearest < 0 || at < nearest) {
				nearest = at
			}
		}
		if first && nearest > 0 {
			ranks[n] = nearest
		}
	}
	return ranks
}

// acyclic leaves out the edges that lead back into a way that comes from them.
func acyclic(nodes int, edges []edge) []edge {
	var kept []edge
	state := make([]int, nodes) // 0 not seen, 1 on the way, 2 done
	var visit func(n int)
	visit = func(n int) {
		state[n] = 1
		for _, e := range edges {
			if e.from != n || state[e.to] == 1 {
				continue
			}
			kept = append(kept, e)
			if state[e.to] == 0 {
				visit(e.to)
			}
		}
		state[n] = 2
	}
	for n := range nodes {
		if state[n] == 0 {
			visit(n)
		}
	}
	return kept
}

// placement is where each node and lane stands, from above.
type placement struct {
	y     []int
	lanes []band
}

// rows stacks the nodes of each lane's columns, those with neighbours of like height next to each other, and returns the
// picture's height.
func (s sketch) rows(ranks []int) (placement, int) {
	place := placement{y: make([]int, len(s.nodes))}
	var height int
	// The second time, a node knows the heights of what it leads to as well.
	for range 2 {
		place.lanes, height = nil, headHeight
		for _, lane := range s.orderedLanes(ranks) {
			height = s.stack(lane, ranks, &place, height) + laneGap
		}
	}
	return place, height
}

// stack places one lane's nodes below y and returns where the lane ends.
func (s sketch) stack(lane string, ranks []int, place *placement, y int) int {
	columns := map[int][]int{}
	for i, n := range s.nodes {
		if n.lane == lane {
			columns[ranks[i]] = append(columns[ranks[i]], i)
		}
	}
	tallest := 0
	for _, column := range columns {
		tallest = max(tallest, len(column))
	}
	for _, rank := range slices.Sorted(maps.Keys(columns)) {
		column := columns[rank]
		slices.SortStableFunc(column, func(a, b int) int {
			return cmp.Or(cmp.Compare(s.pull(a, place.y), s.pull(b, place.y)),
				cmp.Compare(s.nodes[a].kind+s.nodes[a].title, s.nodes[b].kind+s.nodes[b].title))
		})
		offset := (tallest - len(column)) * (boxHeight + rowGap) / 2
		for i, n := range column {
			place.y[n] = y + laneHead + offset + i*(boxHeight+rowGap)
		}
	}
	height := laneHead + tallest*(boxHeight+rowGap)
	place.lanes = append(place.lanes, band{Y: y, H: height, Name: lane})
	return y + height
}

// pull is the mean height of what leads to a node, or else of what it leads to, as far as that has its place.
func (s sketch) pull(n int, y []int) int {
	mean := func(neighbour func(edge) (int, bool)) int {
		sum, count := 0, 0
		for _, e := range s.edges {
			if other, ok := neighbour(e); ok && y[other] > 0 {
				sum, count = sum+y[other], count+1
			}
		}
		if count == 0 {
			return 0
		}
		return sum / count
	}
	if from := mean(func(e edge) (int, bool) { return e.from, e.to == n }); from > 0 {
		return from
	}
	return mean(func(e edge) (int, bool) { return e.to, e.from == n })
}

// orderedLanes puts the lanes that requests or deliveries enter first.
func (s sketch) orderedLanes(ranks []int) []string {
	weight := func(lane string) float64 {
		sum, count := 0.0, 0.0
		for i, n := range s.nodes {
			if n.lane != lane {
				continue
			}
			at := float64(ranks[i])
			switch n.group { // these stand below
			case "watching", "storage":
				at += float64(len(s.nodes))
			case "network":
				at += 2 * float64(len(s.nodes))
			}
			sum, count = sum+at, count+1
		}
		return sum / count
	}
	lanes := slices.Clone(s.lanes)
	slices.SortStableFunc(lanes, func(a, b string) int { return cmp.Or(cmp.Compare(weight(a), weight(b)), cmp.Compare(a, b)) })
	return lanes
}

var svg = template.Must(template.New("svg").Parse(`<svg xmlns="http://www.w3.org/2000/svg" width="{{.Width}}" height="{{.Height}}" viewBox="0 0 {{.Width}} {{.Height}}" role="img" aria-label="The resources of the stack {{.Stack}}" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif">
<defs><marker id="tip" viewBox="0 0 8 8" refX="2" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#7a8794"/></marker></defs>
<rect width="{{.Width}}" height="{{.Height}}" fill="#ffffff"/>
<text x="24" y="32" font-size="20" font-weight="600" fill="#1d2730">{{.Stack}}</text>
<text x="{{.Width}}" dx="-24" y="32" font-size="12" text-anchor="end" fill="#55606b">{{.Note}}</text>
{{range .Legend}}<rect x="{{.X}}" y="{{.Y}}" width="{{.W}}" height="{{.H}}" rx="3" fill="{{.Fill}}" stroke="{{.Line}}"/><text x="{{.X}}" y="{{.Y}}" dx="18" dy="10" font-size="11" fill="#55606b">{{.Title}}</text>
{{end}}{{range .Lanes}}<rect x="24" y="{{.Y}}" width="{{.W}}" height="{{.H}}" rx="8" fill="#f7f9fb" stroke="#d9e0e6"/>
{{end}}{{range .Arrows}}<path d="{{.Path}}" fill="none" stroke="#7a8794" stroke-width="1.3" marker-end="url(#tip)"/>
{{end}}{{range .Lanes}}<text x="36" y="{{.Y}}" dy="19" font-size="13" font-weight="600" fill="#3a4650" stroke="#f7f9fb" stroke-width="5" paint-order="stroke">{{.Name}}</text>
{{end}}{{range .Boxes}}<g><title>{{.Full}}</title><rect x="{{.X}}" y="{{.Y}}" width="{{.W}}" height="{{.H}}" rx="6" fill="{{.Fill}}" stroke="{{.Line}}"/><text x="{{.X}}" y="{{.Y}}" dx="10" dy="18" font-size="13" font-weight="600" fill="#1d2730">{{.Title}}</text><text x="{{.X}}" y="{{.Y}}" dx="10" dy="35" font-size="11" fill="#55606b">{{.Kind}}</text></g>
{{end}}</svg>
`))
