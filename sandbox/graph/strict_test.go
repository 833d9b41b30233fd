package graph_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
)

type shelf struct {
	ARN   string            `json:"arn"`
	Name  string            `json:"name"`
	Tags  map[string]string `json:"tags"`
	Books []struct {
		Title string `json:"title"`
	} `json:"books"`
}

func declared(inputs map[string]any) graph.Resource {
	outputs := map[string]any{"arn": "arn:aws:shop:::shelf/a"}
	for key, value := range inputs {
		outputs[key] = value
	}
	return graph.Resource{
		URN: "urn:pulumi:dev::penguinshop::shop:index:Shelf::a", Type: "shop:index:Shelf", Inputs: inputs, Outputs: outputs,
	}
}

func TestStrictReadsInputsAndComputedProperties(t *testing.T) {
	read, err := graph.Strict[shelf](declared(map[string]any{
		"name": "a", "tags": map[string]any{"any": "key"}, "books": []any{map[string]any{"title": "Penguins"}}, "gone": nil,
	}))
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:shop:::shelf/a", read.ARN)
	assert.Equal(t, "Penguins", read.Books[0].Title)
}

func TestStrictNamesEveryInputThatItCouldOnlyIgnore(t *testing.T) {
	_, err := graph.Strict[shelf](declared(map[string]any{
		"name": "a", "depth": 3, "books": []any{map[string]any{"title": "A"}, map[string]any{"title": "B", "pages": 9}},
	}))
	assert.ErrorContains(t, err, "the input depth of shop:index:Shelf")
	assert.ErrorContains(t, err, "the input books[1].pages of shop:index:Shelf")
	assert.ErrorContains(t, err, "urn:pulumi:dev::penguinshop::shop:index:Shelf::a")
}

func TestStackIsTheSecondPartOfTheURN(t *testing.T) {
	assert.Equal(t, "dev", declared(nil).Stack())
	assert.Empty(t, graph.Resource{}.Stack())
}
