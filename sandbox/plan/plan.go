// Package plan shows what a stack would create before anything exists: the tree of resources, what is unsafe, what touches
// users' traffic, what it costs a month, a diagram, and the difference to another revision. It reads a graph alone.
package plan

import (
	"fmt"
	"strings"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Plan is what is known of one stack before anything is created. Its JSON form is the plan's interface to other programs.
type Plan struct {
	Stack string `json:"stack"`
	// Resources are sorted by URN, their secrets replaced by graph.Secret.
	Resources []graph.Resource `json:"resources"`
	Findings  []Finding        `json:"findings"`
	// MonthlyCostUSD is the price of the stack at rest: no request, no delivery.
	MonthlyCostUSD float64 `json:"monthlyCostUsd"`
	// Difference is there when another revision was compared with.
	Difference *Difference `json:"difference,omitempty"`

	Costs       []Cost   `json:"-"`
	Assumptions []string `json:"-"`
	Traffic     []Touch  `json:"-"`
	// Notes are what the plan could not know, and the program's own warnings.
	Notes []string `json:"-"`
}

// Of makes the plan of a graph. It fails when the config key <project>:accept is wrong.
func Of(g *graph.Graph) (*Plan, error) {
	findings, err := findings(g)
	if err != nil {
		return nil, err
	}
	p := &Plan{Stack: g.Stack, Findings: findings, Traffic: traffic(g), Notes: g.Notes}
	p.Costs, p.Assumptions = costs(g)
	for _, c := range p.Costs {
		p.MonthlyCostUSD += c.MonthlyUSD
	}
	p.MonthlyCostUSD = cents(p.MonthlyCostUSD)
	for _, r := range g.Resources {
		r.Inputs = r.Masked()
		p.Resources = append(p.Resources, r)
	}
	for _, log := range g.Logs {
		if log.Severity == "warning" {
			p.Notes = append(p.Notes, log.Message)
		}
	}
	return p, nil
}

// accepting says how config accepts an unsafe thing.
func (p *Plan) accepting() string {
	project := ""
	if len(p.Resources) > 0 {
		project = strings.Split(p.Resources[0].URN, "::")[1] + ":"
	}
	return fmt.Sprintf("To accept one, add {rule: …, resource: …, reason: …} to %saccept in Pulumi.%s.yaml.", project, p.Stack)
}

// Open counts the findings that config does not accept.
func (p *Plan) Open() int {
	open := 0
	for _, f := range p.Findings {
		if !f.Accepted {
			open++
		}
	}
	return open
}

// shortType is a type token as people say it: ecs/Service for aws:ecs/service:Service, EcsEnvironment for a component.
func shortType(token string) string {
	parts := strings.Split(token, ":")
	name := parts[len(parts)-1]
	if len(parts) < 3 {
		return token
	}
	module, _, _ := strings.Cut(parts[1], "/")
	switch {
	case parts[0] == "aws":
		return module + "/" + name
	case parts[0] == "pulumi", module == "index", module == "components":
		return name
	default:
		return parts[0] + "/" + name
	}
}
