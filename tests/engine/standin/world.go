// Package standin is a resource provider with no cloud behind it. The real Pulumi engine creates, reads, updates and deletes
// resources in its World, a map in memory; a test looks into that world, changes it behind the engine's back (drift), and
// makes calls fail. It stands in for the aws, awsx and github plugins where they cannot be had.
package standin

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Live is one resource as it is in the world, whatever a state file says of it.
type Live struct {
	ID   string
	URN  resource.URN
	Type string
	// Properties are the inputs and the computed outputs together, without secrets' wrappers.
	Properties resource.PropertyMap
	inputs     []resource.PropertyKey
	born       int
}

// Call is one mutation that the engine asked for.
type Call struct {
	// Operation is create, update or delete.
	Operation string
	URN       resource.URN
	// Changed are the top-level properties that an update sent.
	Changed []string
}

// World holds what exists. It is safe for concurrent use; its zero value is not usable, see NewWorld.
type World struct {
	mu sync.Mutex
	// live is keyed by what Package.identity returns: the revisions of a task definition share one id.
	live      map[string]*Live
	revisions map[string]int
	births    int
	calls     []Call
	fault     func(Call) error
}

// NewWorld returns a world in which nothing exists.
func NewWorld() *World { return &World{live: map[string]*Live{}, revisions: map[string]int{}} }

// Fail makes every call for which fault returns an error fail with it, before it changes anything. A nil fault ends that.
func (w *World) Fail(fault func(Call) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

// Calls returns the mutations since the last time that it was asked, failed ones left out.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

// All returns copies of the live resources, sorted by URN.
func (w *World) All() []Live {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]Live, 0, len(w.live))
	for _, l := range w.live {
		all = append(all, Live{ID: l.ID, URN: l.URN, Type: l.Type, Properties: l.Properties.Copy()})
	}
	slices.SortFunc(all, func(a, b Live) int { return strings.Compare(string(a.URN), string(b.URN)) })
	return all
}

// OfStack returns the live resources of a stack, sorted by URN.
func (w *World) OfStack(stack string) []Live {
	return slices.DeleteFunc(w.All(), func(l Live) bool { return l.URN.Stack().String() != stack })
}

// OfType returns the live resources of a type in a stack, sorted by URN.
func (w *World) OfType(stack, typ string) []Live {
	return slices.DeleteFunc(w.OfStack(stack), func(l Live) bool { return l.Type != typ })
}

// Drift changes a live resource behind the engine's back, as shiftfn, the pipeline, autoscaling or a person does.
func (w *World) Drift(urn resource.URN, change func(properties resource.PropertyMap)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var newest *Live
	for _, l := range w.live {
		if l.URN == urn && (newest == nil || l.born > newest.born) {
			newest = l
		}
	}
	if newest == nil {
		return fmt.Errorf("nothing live has the URN %s", urn)
	}
	before := newest.Properties.Copy()
	change(newest.Properties)
	for key := range newest.Properties {
		if _, had := before[key]; !had {
			newest.inputs = append(newest.inputs, key) // a read tells it as an input from now on
		}
	}
	return nil
}

// begin counts a call, or refuses it with the fault that the test set.
func (w *World) begin(c Call) error {
	if w.fault != nil {
		if err := w.fault(c); err != nil {
			return err
		}
	}
	w.calls = append(w.calls, c)
	return nil
}
