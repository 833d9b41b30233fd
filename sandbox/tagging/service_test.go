package tagging_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/tagging"
)

const (
	function = "arn:aws:lambda:eu-central-1:123456789012:function:dev-shift"
	pipeline = "arn:aws:codepipeline:eu-central-1:123456789012:delivery"
	queue    = "arn:aws:sqs:eu-central-1:123456789012:orders"
)

func resource(name, arn string, tags map[string]any) graph.Resource {
	return graph.Resource{URN: "urn:" + name, Name: name, Custom: true, Outputs: map[string]any{"arn": arn, "tags": tags}}
}

func declared(t *testing.T) *tagging.Service {
	s := tagging.New()
	require.NoError(t, s.Declare(
		&graph.Graph{Stack: "dev", Config: map[string]string{"aws:defaultTags": `{"tags":{"project":"shop","environment":"dev"}}`},
			Resources: []graph.Resource{
				resource("shift", function, nil),
				resource("queue", queue, map[string]any{"environment": "test"}),
				resource("nameless", "", nil),
				resource("an addition to the function", function, nil),
				{URN: "urn:component", Name: "component", Outputs: map[string]any{"arn": "arn:aws:lambda:eu-central-1:1:function:component"}},
			}},
		&graph.Graph{Stack: "shared", Config: map[string]string{"aws:defaultTags": `{"tags":{"project":"shop","environment":"shared"}}`},
			Resources: []graph.Resource{resource("pipeline", pipeline, nil)}},
		&graph.Graph{Stack: "bare", Resources: []graph.Resource{resource("untagged", "arn:aws:sqs:eu-central-1:1:bare", nil)}},
	))
	return s
}

func found(t *testing.T, s *tagging.Service, in api.GetResourcesInput) (arns []string) {
	for {
		out, err := s.GetResources(t.Context(), &in)
		require.NoError(t, err)
		for _, m := range out.ResourceTagMappingList {
			arns = append(arns, *m.ResourceARN)
		}
		if aws.ToString(out.PaginationToken) == "" {
			return arns
		}
		in.PaginationToken = out.PaginationToken
	}
}

func filter(key string, values ...string) types.TagFilter {
	return types.TagFilter{Key: &key, Values: values}
}

func TestResourcesAreFoundByTheirTagsAndTypes(t *testing.T) {
	s := declared(t)
	for name, c := range map[string]struct {
		in   api.GetResourcesInput
		want []string
	}{
		"everything that bears a tag":       {api.GetResourcesInput{}, []string{pipeline, function, queue}},
		"by a tag's value":                  {api.GetResourcesInput{TagFilters: []types.TagFilter{filter("environment", "dev", "shared")}}, []string{pipeline, function}},
		"a resource's own tag outranks":     {api.GetResourcesInput{TagFilters: []types.TagFilter{filter("environment", "test")}}, []string{queue}},
		"by a tag whatever its value":       {api.GetResourcesInput{TagFilters: []types.TagFilter{filter("project"), filter("environment", "dev")}}, []string{function}},
		"by service":                        {api.GetResourcesInput{ResourceTypeFilters: []string{"codepipeline"}}, []string{pipeline}},
		"by service and type":               {api.GetResourcesInput{ResourceTypeFilters: []string{"lambda:function", "sqs:queue"}}, []string{function}},
		"no value of that name":             {api.GetResourcesInput{TagFilters: []types.TagFilter{filter("project", "other")}}, nil},
		"in pages":                          {api.GetResourcesInput{ResourcesPerPage: aws.Int32(1)}, []string{pipeline, function, queue}},
		"whose service has another type":    {api.GetResourcesInput{ResourceTypeFilters: []string{"lambda:layer"}}, nil},
		"a service's name is not a prefix":  {api.GetResourcesInput{ResourceTypeFilters: []string{"lamb"}}, nil},
		"several tags must all be there":    {api.GetResourcesInput{TagFilters: []types.TagFilter{filter("environment", "dev"), filter("team")}}, nil},
		"two tags with one value each work": {api.GetResourcesInput{TagFilters: []types.TagFilter{filter("environment", "shared"), filter("project", "shop")}}, []string{pipeline}},
	} {
		assert.Equal(t, c.want, found(t, s, c.in), name)
	}
}

func TestWhatIsNotImitatedOrWrongIsRefused(t *testing.T) {
	for says, in := range map[string]api.GetResourcesInput{
		"does not imitate ResourceARNList": {ResourceARNList: []string{queue}},
		"ResourcesPerPage is 101":          {ResourcesPerPage: aws.Int32(101)},
		"has no key":                       {TagFilters: []types.TagFilter{{}}},
		"pagination token":                 {PaginationToken: aws.String("x")},
	} {
		_, err := declared(t).GetResources(t.Context(), &in)
		assert.ErrorContains(t, err, says)
	}
}

func TestDeclaringAnewForgetsWhatIsGone(t *testing.T) {
	s := declared(t)
	require.NoError(t, s.Declare())
	assert.Empty(t, found(t, s, api.GetResourcesInput{}))
	assert.ErrorContains(t, s.Declare(&graph.Graph{Stack: "dev", Config: map[string]string{"aws:defaultTags": "x"}}), "stack dev: aws:defaultTags")
}
