package standin

import (
	"context"
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Service stands behind a resource type: what the engine makes, changes or deletes happens there as well.
type Service interface {
	// Create returns the computed properties that only the service can tell, such as a revision's number; nil for none.
	Create(ctx context.Context, r graph.Resource) (computed map[string]any, err error)
	// Update applies what differs between prior and next.
	Update(ctx context.Context, prior, next graph.Resource) error
	Delete(ctx context.Context, r graph.Resource) error
}

// asDeclared is a resource as the sandbox's services read it; properties are its inputs and what was computed for it.
func asDeclared(urn resource.URN, id string, inputs, properties resource.PropertyMap) graph.Resource {
	outputs := bare(properties).Mappable()
	plain := bare(inputs).Mappable()
	maps.Copy(outputs, plain)
	return graph.Resource{
		URN: string(urn), Type: string(urn.Type()), Name: urn.Name(), ID: id, Custom: true, Inputs: plain, Outputs: outputs,
	}
}
