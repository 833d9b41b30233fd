package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// engine makes the world be what the graphs declare, as the Pulumi engine does with AWS: it creates, updates and deletes
// through the services' providers, in the order of the dependencies, and remembers what stands.
type engine struct {
	providers map[string]graph.Provider // by type

	mu       sync.Mutex
	standing []graph.Resource  // in the order of their creation
	renamed  map[string]string // what the program says now, to what stands for it
}

// Changes are what one Up did, by URN and in its order.
type Changes struct {
	Created, Updated, Deleted []string
	Same                      int
}

// Replacer is a provider whose resource is not changed but made anew, with other computed outputs: a task definition's next
// revision. The outputs that it returns stand in for the declared ones wherever another resource names them.
type Replacer interface {
	Replace(ctx context.Context, prior, next graph.Resource) (outputs map[string]any, err error)
}

// up makes the stacks of the graphs stand as declared. It stops at the first resource that fails; what stands then is
// remembered, so that a second up goes on from there.
func (e *engine) up(ctx context.Context, graphs ...*graph.Graph) (Changes, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var changes Changes
	if err := e.known(graphs); err != nil {
		return changes, err
	}
	stacks := map[string]bool{}
	wanted := map[string]bool{}
	for _, g := range graphs {
		stacks[g.Stack] = true
		for _, declared := range g.Ordered() {
			wanted[declared.URN] = true
			if e.providers[declared.Type] == nil || declared.Read {
				continue
			}
			if err := ctx.Err(); err != nil {
				return changes, err
			}
			if err := e.put(ctx, e.rename(declared), &changes); err != nil {
				return changes, err
			}
		}
	}
	for i := len(e.standing) - 1; i >= 0; i-- {
		r := e.standing[i]
		if !stacks[r.Stack()] || wanted[r.URN] {
			continue
		}
		if r.Protect {
			return changes, fmt.Errorf("%s is no longer declared, but it is protected: take protect off first", r.URN)
		}
		if err := e.providers[r.Type].Delete(ctx, r); err != nil {
			return changes, fmt.Errorf("deleting %s: %w", r.URN, err)
		}
		e.standing = slices.Delete(e.standing, i, i+1)
		changes.Deleted = append(changes.Deleted, r.URN)
	}
	return changes, nil
}

// put creates or updates one resource.
func (e *engine) put(ctx context.Context, next graph.Resource, changes *Changes) error {
	provider := e.providers[next.Type]
	at := slices.IndexFunc(e.standing, func(r graph.Resource) bool { return r.URN == next.URN })
	if at < 0 {
		if err := provider.Create(ctx, next); err != nil {
			return fmt.Errorf("creating %s: %w", next.URN, err)
		}
		e.standing = append(e.standing, next)
		changes.Created = append(changes.Created, next.URN)
		return nil
	}
	prior := e.standing[at]
	declared := next
	next, err := ignoring(prior, next)
	if err != nil {
		return err
	}
	e.keepSecrets(declared, next)
	if resource.NewPropertyMapFromMap(prior.Inputs).DeepEquals(resource.NewPropertyMapFromMap(next.Inputs)) {
		changes.Same++
		return nil
	}
	if replacer, ok := provider.(Replacer); ok {
		outputs, err := replacer.Replace(ctx, prior, next)
		if err != nil {
			return fmt.Errorf("replacing %s: %w", next.URN, err)
		}
		for key, value := range outputs {
			was, is := fmt.Sprint(prior.Outputs[key]), fmt.Sprint(value)
			if was != is && strings.HasPrefix(was, "arn:") {
				e.note(was, is)
			}
		}
		next.Outputs = maps.Clone(next.Outputs)
		maps.Copy(next.Outputs, outputs)
	} else if err := provider.Update(ctx, prior, next); err != nil {
		return fmt.Errorf("updating %s: %w", next.URN, err)
	}
	e.standing[at] = next
	changes.Updated = append(changes.Updated, next.URN)
	return nil
}

// note remembers that a text of the program, which computes an ARN the same way each time, stands for another one now.
func (e *engine) note(was, is string) {
	if e.renamed == nil {
		e.renamed = map[string]string{}
	}
	for declared, current := range e.renamed {
		if current == was {
			e.renamed[declared] = is
			return
		}
	}
	e.renamed[was] = is
}

// keepSecrets remembers that a secret which the program makes anew in each run, and ignores once it stands, is the standing one
// for every resource that is made from it.
func (e *engine) keepSecrets(declared, kept graph.Resource) {
	for _, property := range declared.Secrets {
		is, _ := kept.Inputs[property].(string)
		was, _ := declared.Inputs[property].(string)
		if was != is && was != "" && is != "" {
			e.note(was, is)
		}
	}
}

// rename puts the current ARNs in the place of the declared ones in what the resource was made from.
func (e *engine) rename(r graph.Resource) graph.Resource {
	if len(e.renamed) == 0 {
		return r
	}
	var pairs []string
	for _, declared := range slices.Sorted(maps.Keys(e.renamed)) {
		pairs = append(pairs, declared, e.renamed[declared])
	}
	replace := strings.NewReplacer(pairs...)
	r.Inputs, _ = renamed(r.Inputs, replace).(map[string]any)
	r.Outputs, _ = renamed(r.Outputs, replace).(map[string]any)
	return r
}

func renamed(value any, replace *strings.Replacer) any {
	switch value := value.(type) {
	case string:
		return replace.Replace(value)
	case map[string]any:
		copied := make(map[string]any, len(value))
		for key, element := range value {
			copied[key] = renamed(element, replace)
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for i, element := range value {
			copied[i] = renamed(element, replace)
		}
		return copied
	}
	return value
}

// ignoring returns next with prior's values at the paths that the program ignores, as the engine hands it to a provider.
func ignoring(prior, next graph.Resource) (graph.Resource, error) {
	if len(next.IgnoreChanges) == 0 {
		return next, nil
	}
	for _, properties := range []struct {
		prior map[string]any
		next  *map[string]any
	}{{prior.Inputs, &next.Inputs}, {prior.Outputs, &next.Outputs}} {
		from := resource.NewObjectProperty(resource.NewPropertyMapFromMap(properties.prior))
		into := resource.NewObjectProperty(resource.NewPropertyMapFromMap(*properties.next))
		for _, text := range next.IgnoreChanges {
			path, err := resource.ParsePropertyPath(text)
			if err != nil {
				return next, fmt.Errorf("%s ignores changes of %q, which is no property path: %w", next.URN, text, err)
			}
			if value, there := path.Get(from); there {
				path.Set(into, value)
			} else {
				path.Delete(into)
			}
		}
		*properties.next, _ = into.Mappable().(map[string]any)
	}
	return next, nil
}

// known refuses what neither a service stands behind nor the table of passed-over types names.
func (e *engine) known(graphs []*graph.Graph) error {
	unknown := map[string][]string{}
	for _, g := range graphs {
		for _, r := range g.Resources {
			if !r.Custom || r.Read || e.providers[r.Type] != nil {
				continue
			}
			if _, passed := passedOver(r.Type); !passed {
				unknown[r.Type] = append(unknown[r.Type], r.URN)
			}
		}
	}
	var problems []error
	for _, typ := range slices.Sorted(maps.Keys(unknown)) {
		problems = append(problems, fmt.Errorf("the sandbox does not imitate %s: %s", typ, strings.Join(unknown[typ], ", ")))
	}
	return errors.Join(problems...)
}
