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
	// Inputs are plain JSON values; a secret's value stands in clear here and its path in Secrets.
	Inputs map[string]any `json:"inputs"`
	// Dependencies are the URNs that the resource was registered to depend on, sorted.
	Dependencies  []string `json:"dependencies"`
	IgnoreChanges []string `json:"ignoreChanges"`
	Protect       bool     `json:"protect"`

	// Custom is false for components.
	Custom bool `json:"-"`
	// ID is the physical identifier that the stand-in provider gave.
	ID string `json:"-"`
	// Outputs are the inputs and the computed properties (arn, dnsName, …) that the program saw.
	Outputs map[string]any `json:"-"`
	// Secrets are the top-level inputs that hold a secret, sorted.
	Secrets []string `json:"-"`
	// Registered are the outputs that a component registered; nil when it never did.
	Registered map[string]any `json:"-"`
}

// Graph is what one stack's program declared.
type Graph struct {
	Stack     string         `json:"stack"`
	Resources []Resource     `json:"resources"`
	Exports   map[string]any `json:"-"`
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
