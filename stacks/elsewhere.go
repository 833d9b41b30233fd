package stacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/components"
	"github.com/penguinshop/delivery/contract"
)

var (
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
	regionName = regexp.MustCompile(`^[a-z]{2}(?:-[a-z]+)+-[0-9]$`)
	// rolePattern is IAM's own pattern of a role's name, with *; it begins with what tells one role from others.
	rolePattern = regexp.MustCompile(`^[\w+=,.@-]{4}[\w+=,.@*-]{0,60}$`)
)

func checkTools(t *Tools, p *problems) {
	if t == nil {
		return
	}
	if t.AccountID != "" && !accountID.MatchString(t.AccountID) {
		p.add("tools.accountId", fmt.Sprintf("is %q, which is not an account's twelve digits", t.AccountID), "210987654321, in quotes")
	}
	if t.Region != "" && !regionName.MatchString(t.Region) {
		p.add("tools.region", fmt.Sprintf("is %q, which is not a region's name", t.Region), "eu-central-1")
	}
	if !rolePattern.MatchString(t.PipelineRole) {
		p.add("tools.pipelineRole", fmt.Sprintf("is %q, which is not a role's name, or the beginning of one and *", t.PipelineRole),
			"shared-delivery-pipeline-*")
	}
}

// registry is the host of an account's images in a region.
func (h home) registry(account, region string) string {
	return fmt.Sprintf("%s.dkr.ecr.%s.%s", account, region, h.dnsSuffix)
}

// deployAccess lets the pipeline in, where it is of another account, and tells the pipeline how.
func deployAccess(ctx *pulumi.Context, c Config, h home, outputs *contract.Environment) error {
	if c.Tools == nil {
		return nil
	}
	outputs.Registry = h.registry(c.Tools.AccountID, c.Tools.Region)
	if c.Tools.AccountID == h.account {
		return nil
	}
	access, err := components.NewDeployAccess(ctx, deployComponent, &components.DeployAccessArgs{
		AccountID: c.Tools.AccountID, Partition: h.partition, PipelineRole: c.Tools.PipelineRole, Environment: *outputs,
	})
	if err != nil {
		return err
	}
	outputs.DeployRoleArn = access.RoleArn
	return nil
}

// unreachable says why a pipeline cannot deliver to an environment of another account or region. at is where config names it.
func (h home) unreachable(c Config, at, stack string, e contract.Environment) []Problem {
	var problems []Problem
	pulls, own := e.Registry, h.registry(h.account, h.region)
	if pulls == "" {
		pulls = h.registry(e.AccountID, e.Region)
	}
	if pulls != own {
		problems = append(problems, Problem{
			Path: at, What: fmt.Sprintf("stands in account %s and region %s, and its tasks may pull from %s alone, but the images lie in %s: "+
				"set tools in the config of the stack %s, and bring that up", e.AccountID, e.Region, pulls, own, stack),
			Example: fmt.Sprintf("{accountId: %q, region: %s}", h.account, h.region),
		})
	}
	if e.AccountID != h.account && !c.CustomerKey {
		problems = append(problems, Problem{
			Path: at, What: fmt.Sprintf("stands in account %s, which cannot read artifacts under AWS's own key: set customerKey in this stack", e.AccountID),
			Example: "true",
		})
	}
	return problems
}

// keyReaders are the roles that deliver to environments of other accounts in a region.
func (h home) keyReaders(environments []components.DeliveryEnvironment, region string) []components.KeyReader {
	var readers []components.KeyReader
	for _, e := range environments {
		if e.Outputs.AccountID != h.account && e.Outputs.Region == region {
			readers = append(readers, components.KeyReader{AccountID: e.Outputs.AccountID, RoleArn: e.Outputs.DeployRoleArn})
		}
	}
	return readers
}

// artifactRegions are the environments' regions beside the stack's own, each with a provider, and a key where the config wants
// one.
func (h home) artifactRegions(
	ctx *pulumi.Context, c Config, environments []components.DeliveryEnvironment,
) ([]components.ArtifactRegion, error) {
	var all []components.ArtifactRegion
	for _, e := range environments {
		region := e.Outputs.Region
		if region == h.region || slices.ContainsFunc(all, func(r components.ArtifactRegion) bool { return r.Name == region }) {
			continue
		}
		provider, err := providerFor(ctx, region)
		if err != nil {
			return nil, err
		}
		there := home{partition: h.partition, region: region, account: h.account}
		key, err := there.dataKey(ctx, c, keyComponent+"-"+region, h.keyReaders(environments, region), pulumi.Provider(provider))
		if err != nil {
			return nil, err
		}
		all = append(all, components.ArtifactRegion{Name: region, Provider: provider, KeyArn: key})
	}
	return all, nil
}

// providerFor is the stack's AWS provider for another region. One that is made does not take over the stack's config by itself.
func providerFor(ctx *pulumi.Context, region string) (*aws.Provider, error) {
	args := &aws.ProviderArgs{Region: pulumi.String(region)}
	if profile, given := ctx.GetConfig("aws:profile"); given {
		args.Profile = pulumi.String(profile)
	}
	if text, given := ctx.GetConfig("aws:defaultTags"); given {
		var tags struct {
			Tags map[string]string `json:"tags"`
		}
		if err := json.Unmarshal([]byte(text), &tags); err != nil {
			return nil, errors.New("aws:defaultTags is not {tags: {name: value}}")
		}
		args.DefaultTags = &aws.ProviderDefaultTagsArgs{Tags: pulumi.ToStringMap(tags.Tags)}
	}
	return aws.NewProvider(ctx, "aws-"+region, args)
}
