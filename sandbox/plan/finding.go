package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Finding is one thing about a resource that is unsafe, or that config has accepted.
type Finding struct {
	// Rule is the name of the rule, as config accepts it.
	Rule string `json:"rule"`
	// Resource is the URN.
	Resource string `json:"resource"`
	// Reason says what is unsafe and what would be safe.
	Reason   string `json:"reason"`
	Accepted bool   `json:"accepted"`
	// Because is the reason that config gives for accepting it.
	Because string `json:"because,omitempty"`
}

// Rule is one thing that makes a resource unsafe.
type Rule struct {
	Name string
	// Unsafe says in a sentence what the rule refuses.
	Unsafe string
	find   func(s scope, r graph.Resource) []string
}

// scope is what a rule may look at besides the resource.
type scope struct {
	graph *graph.Graph
	// production is set by the stack's own config: a rule never reads a stack's name.
	production bool
}

// acceptance is one entry of the config key <project>:accept.
type acceptance struct {
	Rule string `json:"rule"`
	// Resource is a name, a URN, or a pattern of either with * (path.Match); empty for every resource.
	Resource string `json:"resource"`
	Reason   string `json:"reason"`
	used     bool
}

// unusedAcceptance is the rule's name for an acceptance that accepts nothing, which config should not keep.
const unusedAcceptance = "unused-acceptance"

// findings applies every rule to every resource, in the order of the rules' names and then of the URNs.
func findings(g *graph.Graph) ([]Finding, error) {
	accepted, err := acceptances(g)
	if err != nil {
		return nil, err
	}
	s := scope{graph: g, production: g.Config[g.Project+":production"] == "true"}
	found := []Finding{}
	for _, rule := range Rules {
		for _, r := range g.Resources {
			if r.Read {
				continue
			}
			for _, reason := range rule.find(s, r) {
				f := Finding{Rule: rule.Name, Resource: r.URN, Reason: rule.Unsafe + ": " + reason}
				for i := range accepted {
					if accepted[i].covers(rule.Name, r) {
						accepted[i].used, f.Accepted, f.Because = true, true, accepted[i].Reason
						break
					}
				}
				found = append(found, f)
			}
		}
	}
	for _, a := range accepted {
		if !a.used {
			found = append(found, Finding{
				Rule: unusedAcceptance, Resource: root(g),
				Reason: fmt.Sprintf("%s:accept names %s of %s, which finds nothing: remove the entry", g.Project, a.Rule, a.target()),
			})
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Resource, b.Resource))
	})
	return found, nil
}

func acceptances(g *graph.Graph) ([]acceptance, error) {
	key := g.Project + ":accept"
	encoded := g.Config[key]
	if encoded == "" {
		return nil, nil
	}
	example := `a right value is [{rule: plain-http, resource: front, reason: "no domain in dev"}]`
	decoder := json.NewDecoder(strings.NewReader(encoded))
	decoder.DisallowUnknownFields()
	var entries []acceptance
	if err := decoder.Decode(&entries); err != nil {
		return nil, fmt.Errorf("stack %s: %s: %w: %s", g.Stack, key, err, example)
	}
	var problems []string
	for i, a := range entries {
		if !slices.ContainsFunc(Rules, func(r Rule) bool { return r.Name == a.Rule }) {
			problems = append(problems, fmt.Sprintf("%s[%d].rule: no rule %q: the rules are %s", key, i, a.Rule, strings.Join(ruleNames(), ", ")))
		}
		if strings.TrimSpace(a.Reason) == "" {
			problems = append(problems, fmt.Sprintf("%s[%d].reason is missing: say why %s is right here", key, i, cmp.Or(a.Rule, "it")))
		}
		if _, err := path.Match(a.Resource, ""); err != nil {
			problems = append(problems, fmt.Sprintf("%s[%d].resource: %q is no pattern: a right value is app-*", key, i, a.Resource))
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("stack %s: %s", g.Stack, strings.Join(problems, "\n"))
	}
	return entries, nil
}

func (a acceptance) covers(rule string, r graph.Resource) bool {
	if a.Rule != rule {
		return false
	}
	if a.Resource == "" {
		return true
	}
	byName, _ := path.Match(a.Resource, r.Name)
	// A URN holds no path: its slashes, in type tokens, are letters like others.
	byURN, _ := path.Match(strings.ReplaceAll(a.Resource, "/", "|"), strings.ReplaceAll(r.URN, "/", "|"))
	return byName || byURN
}

func (a acceptance) target() string { return cmp.Or(a.Resource, "every resource") }

func ruleNames() []string {
	var all []string
	for _, r := range Rules {
		all = append(all, r.Name)
	}
	return all
}

// root is the URN of the stack itself.
func root(g *graph.Graph) string {
	for _, r := range g.Resources {
		if r.Parent == "" {
			return r.URN
		}
	}
	return ""
}
