package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// sketch is a stack reduced to what a picture can show: the resources that do something, in the lane of their component, and
// who uses whom. Roles, policies, security groups and the like are left out, and what they connect is connected directly.
type sketch struct {
	lanes []string
	nodes []node
	edges []edge
	// left counts the resources that the picture leaves out.
	left int
}

type node struct {
	id    string // of this sketch, fit for Mermaid
	title string
	kind  string // what the title says in AWS's words
	group string // one of palette
	lane  string
	urns  []string
}

// edge leads from a node to the one that it uses or sends to, both by index.
type edge struct{ from, to int }

// beside tells whether an edge's ends may stand in one column: who watches or steers another lane stands below what it
// watches, and a listener's rule below the listener.
func (s sketch) beside(e edge) bool {
	from, to := s.nodes[e.from], s.nodes[e.to]
	steers := from.group == "watching" || from.kind == "lambda/Function"
	return steers && from.lane != to.lane || from.kind == "lb/Listener" && to.kind == "lb/ListenerRule"
}

// drawn are the types that a picture shows, with their group.
var drawn = map[string]string{
	"awsx:ec2:Vpc":                                       "network",
	"aws:ec2/vpc:Vpc":                                    "network",
	"aws:lb/loadBalancer:LoadBalancer":                   "traffic",
	"aws:lb/listener:Listener":                           "traffic",
	"aws:lb/listenerRule:ListenerRule":                   "traffic",
	"aws:lb/targetGroup:TargetGroup":                     "traffic",
	"aws:route53/record:Record":                          "traffic",
	"aws:acm/certificate:Certificate":                    "traffic",
	"aws:ecs/cluster:Cluster":                            "compute",
	"aws:ecs/service:Service":                            "compute",
	"aws:ecs/taskDefinition:TaskDefinition":              "compute",
	"aws:appautoscaling/target:Target":                   "compute",
	"aws:lambda/function:Function":                       "compute",
	"aws:codepipeline/pipeline:Pipeline":                 "delivery",
	"aws:codebuild/project:Project":                      "delivery",
	"aws:ecr/repository:Repository":                      "delivery",
	"aws:codestarconnections/connection:Connection":      "delivery",
	"aws:codeconnections/connection:Connection":          "delivery",
	referenceType:                                        "delivery",
	"aws:s3/bucket:Bucket":                               "storage",
	"aws:s3/bucketV2:BucketV2":                           "storage",
	"aws:ssm/parameter:Parameter":                        "storage",
	"aws:secretsmanager/secret:Secret":                   "storage",
	"aws:cloudwatch/logGroup:LogGroup":                   "storage",
	"aws:kms/key:Key":                                    "storage",
	"aws:cloudwatch/metricAlarm:MetricAlarm":             "watching",
	"aws:cloudwatch/compositeAlarm:CompositeAlarm":       "watching",
	"aws:cloudwatch/dashboard:Dashboard":                 "watching",
	"aws:cloudwatch/eventRule:EventRule":                 "watching",
	"aws:sns/topic:Topic":                                "watching",
	"aws:scheduler/schedule:Schedule":                    "watching",
	"aws:scheduler/scheduleGroup:ScheduleGroup":          "watching",
	"aws:appautoscaling/scheduledAction:ScheduledAction": "watching",
}

const referenceType = "pulumi:pulumi:StackReference"

// downstream are the pairs in which what is depended on sends to what depends on it: requests flow that way, and so does the
// arrow. Everywhere else the arrow leads from a resource to what it uses.
var downstream = map[[2]string]bool{
	{"aws:lb/loadBalancer:LoadBalancer", "aws:lb/listener:Listener"}: true,
	{"aws:lb/listener:Listener", "aws:lb/listenerRule:ListenerRule"}: true,
	{"aws:lb/targetGroup:TargetGroup", "aws:ecs/service:Service"}:    true,
	{"aws:lb/listener:Listener", "aws:ecs/service:Service"}:          true,
	{"aws:sns/topic:Topic", "aws:lambda/function:Function"}:          true,
}

// meant are, for types that are told of much that carries requests, those among it that they are drawn to use.
var meant = map[string][]string{
	"lambda/Function":       {"aws:lb/listener:Listener", "aws:lb/listenerRule:ListenerRule"},
	"appautoscaling/Target": {"aws:ecs/service:Service"},
}

// gathered is the number of resources of one type in one lane from which a picture shows them as one.
const gathered = 3

// draw reduces a plan to a sketch.
func (p *Plan) draw() sketch {
	var s sketch
	byURN := map[string]graph.Resource{}
	for _, r := range p.Resources {
		byURN[r.URN] = r
	}
	lane := func(r graph.Resource) string {
		for at, ok := byURN[r.Parent]; ok; at, ok = byURN[at.Parent] {
			if !at.Custom && at.Parent != "" && !at.Remote {
				return at.Name
			}
		}
		return p.Stack
	}
	shownAs := map[string]int{} // URN → node
	count := map[[2]string]int{}
	visible := func(r graph.Resource) bool {
		_, ok := drawn[r.Type]
		return ok && !(r.Type == "aws:ec2/vpc:Vpc" && byURN[r.Parent].Remote)
	}
	// Other stacks are shown one by one: their names are what one looks for.
	alone := func(r graph.Resource, key [2]string) bool { return count[key] < gathered || r.Type == referenceType }
	for _, r := range p.Resources {
		if visible(r) {
			count[[2]string{lane(r), r.Type}]++
		} else if r.Parent != "" {
			s.left++
		}
	}
	together := map[[2]string]int{}
	for _, r := range p.Resources {
		if !visible(r) {
			continue
		}
		key := [2]string{lane(r), r.Type}
		if i, ok := together[key]; ok {
			s.nodes[i].urns = append(s.nodes[i].urns, r.URN)
			shownAs[r.URN] = i
			continue
		}
		i := len(s.nodes)
		n := node{id: fmt.Sprintf("n%d", i), title: r.Name, kind: shortType(r.Type), group: drawn[r.Type], lane: key[0], urns: []string{r.URN}}
		if r.Type == referenceType {
			n.title, n.kind = r.Name[strings.LastIndex(r.Name, "/")+1:], "another stack"
		}
		if !alone(r, key) {
			module, name, _ := strings.Cut(n.kind, "/")
			n.title, n.kind = fmt.Sprintf("%d × %s", count[key], name), module
			together[key] = i
		}
		s.nodes = append(s.nodes, n)
		shownAs[r.URN] = i
	}
	// What a remote component made stands for the component.
	for _, r := range p.Resources {
		for at, ok := byURN[r.Parent]; ok; at, ok = byURN[at.Parent] {
			if i, is := shownAs[at.URN]; is && at.Remote {
				if _, own := shownAs[r.URN]; !own {
					shownAs[r.URN] = i
				}
			}
		}
	}
	edges := map[edge]bool{}
	for _, r := range p.Resources {
		from, ok := shownAs[r.URN]
		if !ok { // what hangs on a drawn resource connects it: an event rule's target, a topic's subscription
			from, ok = shownAs[r.Parent]
		}
		if !ok {
			continue
		}
		for _, to := range uses(r, byURN, shownAs) {
			e, typ := edge{from, to}, byURN[s.nodes[to].urns[0]].Type
			if downstream[[2]string{typ, byURN[s.nodes[from].urns[0]].Type}] {
				e = edge{to, from}
			}
			// Everything stands in the network and rests under the key: those arrows would say nothing.
			everywhere := s.nodes[to].group == "network" || s.nodes[from].group == "network" || s.nodes[to].kind == "kms/Key"
			only, some := meant[s.nodes[from].kind]
			told := some && carries(typ) && !slices.Contains(only, typ)
			if e.from != e.to && !everywhere && !told {
				edges[e] = true
			}
		}
	}
	s.edges = reduced(slices.SortedFunc(maps.Keys(edges), func(a, b edge) int { return cmp.Or(a.from-b.from, a.to-b.to) }), len(s.nodes))
	for _, n := range s.nodes {
		if !slices.Contains(s.lanes, n.lane) {
			s.lanes = append(s.lanes, n.lane)
		}
	}
	return s
}

func carries(typ string) bool {
	group := drawn[typ]
	return group == "traffic" || group == "compute"
}

// uses are the nodes that a resource depends on, directly or through resources that the picture leaves out.
func uses(r graph.Resource, byURN map[string]graph.Resource, shownAs map[string]int) []int {
	var found []int
	seen := map[string]bool{}
	var follow func(urn string)
	follow = func(urn string) {
		if seen[urn] {
			return
		}
		seen[urn] = true
		if i, ok := shownAs[urn]; ok {
			found = append(found, i)
			return
		}
		for _, next := range byURN[urn].Dependencies {
			follow(next)
		}
	}
	for _, next := range r.Dependencies {
		follow(next)
	}
	return found
}

// reduced drops an edge where a longer way leads to the same node: the picture says the same with fewer lines.
func reduced(edges []edge, nodes int) []edge {
	next := make([][]int, nodes)
	for _, e := range edges {
		next[e.from] = append(next[e.from], e.to)
	}
	reach := func(from, to int) bool {
		seen := make([]bool, nodes)
		stack := []int{from}
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if at == to {
				return true
			}
			if !seen[at] {
				seen[at] = true
				stack = append(stack, next[at]...)
			}
		}
		return false
	}
	var kept []edge
	for _, e := range edges {
		around := slices.ContainsFunc(next[e.from], func(via int) bool {
			return via != e.to && !reach(via, e.from) && reach(via, e.to)
		})
		if !around {
			kept = append(kept, e)
		}
	}
	return kept
}
