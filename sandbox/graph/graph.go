// Package graph runs the Pulumi program without an engine and without credentials, and holds what it declared: the resources
// of a stack with their inputs, outputs and options. The plan prints it, the sandbox runs it, the tests judge it.
package graph

import (
	"context"
	"encoding/json"
	"fmt"
)

// Resource is one declared resource, as the program registered it.
type Resource struct {
	URN    string `json:"urn"`
	Type   string `json:"type"`
	Name   string `json:"name"`
	Parent string `json:"parent"`
	// Inputs are plain JSON values; a secret's value stands in clear here and its path in Secrets. An asset or archive is an
	// object with one key, "asset" or "archive". A value that a preview cannot know is Unknown.
	Inputs map[string]any `json:"inputs"`
	// Dependencies are the URNs that the resource was registered to depend on, sorted.
	Dependencies  []string `json:"dependencies"`
	IgnoreChanges []string `json:"ignoreChanges"`
	Protect       bool     `json:"protect"`

	// Custom is false for components.
	Custom bool `json:"-"`
	// Remote is true for a component whose children its own provider makes, such as awsx's Vpc.
	Remote bool `json:"-"`
	// Read is true for what exists already and was only looked up: a stack reference, or a resource by its identifier.
	Read bool `json:"-"`
	// ID is the physical identifier that the stand-in provider gave; empty in a preview with unknowns.
	ID string `json:"-"`
	// Outputs are the inputs and the computed properties (arn, dnsName, …) that the program saw.
	Outputs map[string]any `json:"-"`
	// Secrets are the paths of the inputs that are secret (`content`, `variables[0].value`), sorted.
	Secrets []string `json:"-"`
	// Registered are the outputs that a component registered; nil when it never did.
	Registered map[string]any `json:"-"`
	// PropertyDependencies are the URNs that each top-level input was made from, sorted; an input made of plain values is absent.
	PropertyDependencies map[string][]string `json:"-"`
	Options              Options             `json:"-"`
}

// Options are the resource options beyond those that the plan prints.
type Options struct {
	// Provider is the URN of the explicit provider; empty for the default one.
	Provider string
	// Aliases are the URNs that the resource had before.
	Aliases                 []string
	AdditionalSecretOutputs []string
	ReplaceOnChanges        []string
	DeleteBeforeReplace     bool
	RetainOnDelete          bool
	// DeletedWith is the URN of the resource whose deletion takes this one along.
	DeletedWith string
	// CreateTimeout, UpdateTimeout and DeleteTimeout are Go durations in text, such as "10m"; empty for the provider's own.
	CreateTimeout, UpdateTimeout, DeleteTimeout string
	// Import is the identifier of the existing object that the resource takes over.
	Import string
}

// Unknown stands for a value that a preview cannot know.
const Unknown = "[unknown]"

// Secret stands for a secret value wherever resources are shown.
const Secret = "[secret]"

// Masked returns the inputs as they may be shown: each secret replaced by Secret.
func (r Resource) Masked() map[string]any {
	hidden := make(map[string]bool, len(r.Secrets))
	for _, path := range r.Secrets {
		hidden[path] = true
	}
	shown, _ := mask(r.Inputs, "", hidden).(map[string]any)
	return shown
}

// Graph is what one stack's program declared.
type Graph struct {
	Project   string         `json:"-"`
	Stack     string         `json:"stack"`
	Resources []Resource     `json:"resources"` // sorted by URN
	Exports   map[string]any `json:"-"`
	// SecretExports are the names of the exports that are secret, sorted.
	SecretExports []string `json:"-"`
	// References are the stacks whose outputs the program read, sorted.
	References []string `json:"-"`
	// Config is what the program was configured with, in clear text as Pulumi hands it over.
	Config map[string]string `json:"-"`
	// Logs are the program's own messages, in the order in which they arrived.
	Logs []Log `json:"-"`
	// Notes name what this run could not stand in for faithfully, sorted.
	Notes []string `json:"-"`
}

// Log is one message of the program. Severity is debug, info or warning: an error ends the run.
type Log struct {
	Severity, Message, URN string
}

// Ordered returns the resources so that each one follows its parent and its dependencies, and is otherwise in URN order: the
// order in which an engine that does one thing at a time would create them.
func (g *Graph) Ordered() []Resource {
	index := make(map[string]int, len(g.Resources))
	for i, r := range g.Resources {
		index[r.URN] = i
	}
	var ordered []Resource
	seen := make([]bool, len(g.Resources))
	var visit func(urn string)
	visit = func(urn string) {
		i, ok := index[urn]
		if !ok || seen[i] {
			return
		}
		seen[i] = true
		r := g.Resources[i]
		visit(r.Parent)
		visit(r.Options.Provider)
		for _, d := range r.Dependencies {
			visit(d)
		}
		ordered = append(ordered, r)
	}
	for _, r := range g.Resources {
		visit(r.URN)
	}
	return ordered
}

// OfType returns the resources whose type token is typ, in URN order.
func (g *Graph) OfType(typ string) []Resource {
	var found []Resource
	for _, r := range g.Resources {
		if r.Type == typ {
			found = append(found, r)
		}
	}
	return found
}

// Find returns the resource that has the URN.
func (g *Graph) Find(urn string) (Resource, bool) {
	for _, r := range g.Resources {
		if r.URN == urn {
			return r, true
		}
	}
	return Resource{}, false
}

// Decode reads a resource's outputs (inputs and computed properties) into a struct with JSON tags, so that each user of a
// resource names just the properties that it understands.
func Decode[T any](r Resource) (T, error) {
	var into T
	text, err := json.Marshal(r.Outputs)
	if err == nil {
		err = json.Unmarshal(text, &into)
	}
	if err != nil {
		return into, fmt.Errorf("%s: %w", r.URN, err)
	}
	return into, nil
}

// Provider is what stands behind one resource type in the sandbox's world, as a Pulumi provider does behind it in AWS. The
// world calls it in dependency order. Update applies only what differs between prior and next: the real providers send
// nothing else, and next carries prior's values for the properties that the program ignores, so that a field that shiftfn
// or the pipeline owns is never written back.
type Provider interface {
	Create(ctx context.Context, r Resource) error
	Update(ctx context.Context, prior, next Resource) error
	Delete(ctx context.Context, r Resource) error
}
