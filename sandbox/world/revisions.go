package world

import (
	"context"
	"fmt"
	"maps"

	"github.com/penguinshop/delivery/sandbox/ecs"
	"github.com/penguinshop/delivery/sandbox/graph"
)

// revisions stands behind task definitions: a changed one is a new revision, whose number nobody knows before ECS gives it.
type revisions struct {
	graph.Provider
	service *ecs.Service
}

// Replace registers the next revision and lets the prior one go.
func (p revisions) Replace(ctx context.Context, prior, next graph.Resource) (map[string]any, error) {
	definition, err := graph.Decode[struct {
		Family             string `json:"family"`
		ARNWithoutRevision string `json:"arnWithoutRevision"`
	}](next)
	if err != nil {
		return nil, err
	}
	number := p.service.NextRevision(definition.Family)
	outputs := map[string]any{"arn": fmt.Sprintf("%s:%d", definition.ARNWithoutRevision, number), "revision": float64(number)}
	next.Outputs = maps.Clone(next.Outputs)
	maps.Copy(next.Outputs, outputs)
	return outputs, p.Update(ctx, prior, next)
}
