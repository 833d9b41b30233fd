// Package tagging answers the Resource Groups Tagging API for what the stacks declare: which resources bear which tags. It keeps
// no tags of its own, since nobody changes a resource's tags here but the program.
package tagging

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	api "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
	"github.com/penguinshop/delivery/sandbox/graph"
)

// Service knows the tagged resources of the stacks that were declared last.
type Service struct {
	mu     sync.Mutex
	tagged []tagged // by ARN
}

type tagged struct {
	arn    arn.ARN
	values map[string]string
}

// New returns a service that knows no resource until Declare.
func New() *Service { return &Service{} }

// Declare replaces what is known by the resources of the stacks: each with an ARN, under the provider's default tags and its own.
func (s *Service) Declare(graphs ...*graph.Graph) error {
	known := map[string]tagged{}
	for _, g := range graphs {
		var defaults struct {
			Tags map[string]string `json:"tags"`
		}
		if text := g.Config["aws:defaultTags"]; text != "" {
			if err := json.Unmarshal([]byte(text), &defaults); err != nil {
				return fmt.Errorf("stack %s: aws:defaultTags is not {tags: {name: value}}: %w", g.Stack, err)
			}
		}
		for _, r := range g.Resources {
			declared, err := graph.Decode[struct {
				ARN  any               `json:"arn"`
				Tags map[string]string `json:"tags"`
			}](r)
			text, _ := declared.ARN.(string)
			if text == "" {
				text = r.ID // some providers identify a resource by its ARN, and say it nowhere else
			}
			_, given := r.Inputs["arn"] // then it is another resource's, such as a rule's target
			if err != nil || !r.Custom || r.Read || given || !arn.IsARN(text) {
				continue // without an ARN of its own there is nothing that could be found
			}
			parsed, err := arn.Parse(text)
			if err != nil {
				return fmt.Errorf("%s: %w", r.URN, err)
			}
			// What adds something to a resource may bear its ARN too: there is still one resource.
			values := known[text].values
			if values == nil {
				values = maps.Clone(defaults.Tags)
			}
			if values == nil {
				values = map[string]string{}
			}
			maps.Copy(values, declared.Tags)
			known[text] = tagged{parsed, values}
		}
	}
	all := slices.Collect(maps.Values(known))
	slices.SortFunc(all, func(a, b tagged) int { return cmp.Compare(a.arn.String(), b.arn.String()) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tagged = all
	return nil
}

// mostResources is the largest page, and that of a request that asks for none.
const mostResources = 100

// GetResources lists the resources that bear every given tag, one of its values where it names any, and are of one of the given types
// (service, or service:type). Resources without a tag are not known to the API.
func (s *Service) GetResources(_ context.Context, in *api.GetResourcesInput, _ ...func(*api.Options)) (*api.GetResourcesOutput, error) {
	if refusal := fidelity.Refusal(in, "TagFilters", "ResourceTypeFilters", "PaginationToken", "ResourcesPerPage"); refusal != "" {
		return nil, invalid(refusal)
	}
	size := int(aws.ToInt32(in.ResourcesPerPage))
	if in.ResourcesPerPage == nil {
		size = mostResources
	}
	if size < 1 || size > mostResources {
		return nil, invalid(fmt.Sprintf("ResourcesPerPage is %d: it goes from 1 to %d", size, mostResources))
	}
	for _, f := range in.TagFilters {
		if aws.ToString(f.Key) == "" {
			return nil, invalid("a tag filter has no key")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []types.ResourceTagMapping
	for _, t := range s.tagged {
		if len(t.values) > 0 && t.bears(in.TagFilters) && t.isOf(in.ResourceTypeFilters) {
			found = append(found, t.mapping())
		}
	}
	from := 0
	if token := aws.ToString(in.PaginationToken); token != "" {
		var err error
		if from, err = strconv.Atoi(token); err != nil || from < 0 || from > len(found) {
			return nil, &types.PaginationTokenExpiredException{Message: aws.String("the pagination token is not one that was given out")}
		}
	}
	to := min(len(found), from+size)
	out := &api.GetResourcesOutput{ResourceTagMappingList: found[from:to], PaginationToken: aws.String("")} // AWS ends with an empty one
	if to < len(found) {
		out.PaginationToken = aws.String(strconv.Itoa(to))
	}
	return out, nil
}

func (t tagged) bears(filters []types.TagFilter) bool {
	for _, f := range filters {
		value, there := t.values[*f.Key]
		if !there || len(f.Values) > 0 && !slices.Contains(f.Values, value) {
			return false
		}
	}
	return true
}

// isOf compares with "lambda" or "lambda:function"; the type is what precedes the first separator of an ARN's resource.
func (t tagged) isOf(filters []string) bool {
	typ := ""
	if at := strings.IndexAny(t.arn.Resource, ":/"); at >= 0 {
		typ = t.arn.Resource[:at]
	}
	return len(filters) == 0 || slices.ContainsFunc(filters, func(filter string) bool {
		service, wanted, narrow := strings.Cut(filter, ":")
		return service == t.arn.Service && (!narrow || wanted == typ)
	})
}

func (t tagged) mapping() types.ResourceTagMapping {
	m := types.ResourceTagMapping{ResourceARN: aws.String(t.arn.String())}
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		m.Tags = append(m.Tags, types.Tag{Key: aws.String(key), Value: aws.String(t.values[key])})
	}
	return m
}

func invalid(text string) error { return &types.InvalidParameterException{Message: &text} }
