package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

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
	{"aws:sns/topic:Topic", "aws:lambda/function:Function"}:          true,
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
		if i, ok := together[key]; ok && count[key] >= gathered {
			s.nodes[i].urns = append(s.nodes[i].urns, r.URN)
			shownAs[r.URN] = i
			continue
		}
		i := len(s.nodes)
		n := node{id: fmt.Sprintf("n%d", i), title: r.Name, kind: shortType(r.Type), group: drawn[r.Type], lane: key[0], urns: []string{r.URN}}
		if count[key] >= gathered {
			n.title = fmt.Sprintf("%d of them", count[key])
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
		if !ok || s.nodes[from].urns[0] != r.URN && !slices.Contains(s.nodes[from].urns, r.URN) {
			continue
		}
		for _, to := range uses(r, byURN, shownAs) {
			e := edge{from, to}
			if downstream[[2]string{byURN[s.nodes[to].urns[0]].Type, r.Type}] {
				e = edge{to, from}
			}
			if e.from != e.to {
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
