package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Difference is what changes from another revision's plan of the same stack to this one's.
type Difference struct {
	// Against is the revision, as it was asked for.
	Against string   `json:"against"`
	Changes []Change `json:"changes"`
	// TrafficAffected is true when a change reaches users' requests.
	TrafficAffected bool `json:"trafficAffected"`
	// MonthlyCostUSD is what the stack costs more (or less) a month.
	MonthlyCostUSD float64 `json:"monthlyCostUsd"`
}

// Action is what happens to a resource.
type Action string

// The actions, as `pulumi preview` names them in effect.
const (
	Add     Action = "add"
	Alter   Action = "change"
	Replace Action = "replace"
	Remove  Action = "remove"
)

// Change is what happens to one resource.
type Change struct {
	Action     Action     `json:"action"`
	URN        string     `json:"urn"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Properties []Property `json:"properties,omitempty"`
	// Traffic says what the change does to users' requests; empty when they cannot notice it.
	Traffic string `json:"traffic,omitempty"`
	// Because names the replaced resource that draws this one along.
	Because string `json:"because,omitempty"`
}

// Property is one input that differs. Before or After is nil where the property is not there.
type Property struct {
	Path   string `json:"path"`
	Before any    `json:"before"`
	After  any    `json:"after"`
	// Replaces is true when AWS cannot change the property in place.
	Replaces bool `json:"replaces,omitempty"`
}

// Compare finds what changes from a prior plan of the stack to p. A nil prior means that the stack was not there.
func (p *Plan) Compare(prior *Plan, against string) {
	d := &Difference{Against: against, Changes: []Change{}}
	before, stood := map[string]graph.Resource{}, map[string]bool{}
	if prior != nil {
		for _, r := range prior.Resources {
			before[r.URN], stood[r.URN] = r, true
		}
		d.MonthlyCostUSD = prior.MonthlyCostUSD
	}
	d.MonthlyCostUSD = cents(p.MonthlyCostUSD - d.MonthlyCostUSD)
	for _, r := range p.Resources {
		old, was := before[r.URN]
		for _, alias := range r.Options.Aliases {
			if !was {
				old, was = before[alias]
			}
		}
		if !was {
			d.Changes = append(d.Changes, Change{Action: Add, URN: r.URN, Type: r.Type, Name: r.Name, Traffic: diverts(r, stood)})
			continue
		}
		delete(before, old.URN)
		if c, changed := altered(old, r); changed {
			d.Changes = append(d.Changes, c)
		}
	}
	for _, old := range before {
		d.Changes = append(d.Changes, Change{Action: Remove, URN: old.URN, Type: old.Type, Name: old.Name})
	}
	d.draw(p.Resources)
	for i := range d.Changes {
		if d.Changes[i].Action != Add {
			d.Changes[i].Traffic = effect(d.Changes[i])
		}
		d.TrafficAffected = d.TrafficAffected || d.Changes[i].Traffic != ""
	}
	order := []Action{Remove, Replace, Alter, Add}
	slices.SortFunc(d.Changes, func(a, b Change) int {
		return cmp.Or(slices.Index(order, a.Action)-slices.Index(order, b.Action), cmp.Compare(a.URN, b.URN))
	})
	p.Difference = d
}

// altered compares a resource's inputs, without those that the program ignores.
func altered(old, r graph.Resource) (Change, bool) {
	c := Change{Action: Alter, URN: r.URN, Type: r.Type, Name: r.Name}
	compare("", old.Inputs, r.Inputs, &c.Properties)
	c.Properties = slices.DeleteFunc(c.Properties, func(p Property) bool {
		return slices.ContainsFunc(r.IgnoreChanges, func(ignored string) bool { return within(p.Path, ignored) })
	})
	if old.Protect != r.Protect {
		c.Properties = append(c.Properties, Property{Path: "protect", Before: old.Protect, After: r.Protect})
	}
	if !slices.Equal(old.IgnoreChanges, r.IgnoreChanges) {
		c.Properties = append(c.Properties, Property{Path: "ignoreChanges", Before: old.IgnoreChanges, After: r.IgnoreChanges})
	}
	for i := range c.Properties {
		p := &c.Properties[i]
		if p.Replaces = replaces(r, p.Path); p.Replaces {
			c.Action = Replace
		}
	}
	return c, len(c.Properties) > 0
}

// within tells whether a path is a property or lies below it.
func within(path, property string) bool {
	return path == property || strings.HasPrefix(path, property+".") || strings.HasPrefix(path, property+"[")
}

// draw follows replacements: what was made from a replaced resource's identifier gets a new value, and is replaced itself
// where that value cannot change in place.
func (d *Difference) draw(resources []graph.Resource) {
	at := map[string]int{}
	var queue []string
	for i, c := range d.Changes {
		at[c.URN] = i
		if c.Action == Replace {
			queue = append(queue, c.URN)
		}
	}
	for len(queue) > 0 {
		replaced := queue[0]
		queue = queue[1:]
		for _, r := range resources {
			for _, property := range slices.Sorted(maps.Keys(r.PropertyDependencies)) {
				ignored := slices.ContainsFunc(r.IgnoreChanges, func(i string) bool { return within(property, i) })
				if ignored || !slices.Contains(r.PropertyDependencies[property], replaced) {
					continue
				}
				i, ok := at[r.URN]
				if !ok {
					i = len(d.Changes)
					at[r.URN] = i
					d.Changes = append(d.Changes, Change{Action: Alter, URN: r.URN, Type: r.Type, Name: r.Name, Because: replaced})
				}
				c := &d.Changes[i]
				if c.Action == Add {
					continue
				}
				forces := replaces(r, property)
				if !slices.ContainsFunc(c.Properties, func(p Property) bool { return within(p.Path, property) }) {
					c.Properties = append(c.Properties, Property{
						Path: property, Before: shown(r.Inputs[property]), After: graph.Unknown, Replaces: forces})
				}
				if forces && c.Action == Alter {
					c.Action, c.Because = Replace, replaced
					queue = append(queue, r.URN)
				}
			}
		}
	}
}

func shown(value any) any {
	if value == nil {
		return graph.Unknown
	}
	return value
}

// compare collects the paths at which two values differ. Text that holds JSON is compared as what it holds.
func compare(path string, before, after any, into *[]Property) {
	before, after = opened(before), opened(after)
	if reflect.DeepEqual(before, after) {
		return
	}
	if b, ok := before.(map[string]any); ok {
		if a, ok := after.(map[string]any); ok {
			keys := slices.Collect(maps.Keys(b))
			for key := range a {
				if _, both := b[key]; !both {
					keys = append(keys, key)
				}
			}
			slices.Sort(keys)
			for _, key := range keys {
				step := key
				if path != "" {
					step = path + "." + key
				}
				compare(step, b[key], a[key], into)
			}
			return
		}
	}
	if b, ok := before.([]any); ok {
		if a, ok := after.([]any); ok {
			for i := range max(len(a), len(b)) {
				var was, is any
				if i < len(b) {
					was = b[i]
				}
				if i < len(a) {
					is = a[i]
				}
				compare(fmt.Sprintf("%s[%d]", path, i), was, is, into)
			}
			return
		}
	}
	*into = append(*into, Property{Path: path, Before: before, After: after})
}

// opened decodes text that is a JSON object or array.
func opened(value any) any {
	encoded, ok := value.(string)
	if !ok || !strings.HasPrefix(encoded, "{") && !strings.HasPrefix(encoded, "[") {
		return value
	}
	var decoded any
	if json.Unmarshal([]byte(encoded), &decoded) != nil {
		return value
	}
	return decoded
}
