package stacks

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/components"
	"github.com/penguinshop/delivery/components/github"
)

const (
	accessComponent     = "access"
	repositoryComponent = "repository"
)

// checks are the jobs of .github/workflows/pull-request.yml, by the names that GitHub gives their results.
var checks = []string{"plan", "preview", "test"}

// gitHub declares what the repository's workflows may do in AWS, and what the repository knows of it.
func gitHub(ctx *pulumi.Context, c Config, home home, environments []components.DeliveryEnvironment) error {
	if c.GitHub == nil {
		return nil
	}
	owner, name, _ := strings.Cut(c.Source.Repository, "/")
	// The provider takes its owner from its own config only. Its token is best left to the environment variable GITHUB_TOKEN,
	// which reaches no state.
	if given, _ := ctx.GetConfig("github:owner"); given != owner {
		return &ConfigError{Stack: ctx.Stack(), Problems: []Problem{{
			Path:    "github:owner",
			What:    "is not the owner of " + ctx.Project() + ":source.repository, in whose name Pulumi speaks to GitHub",
			Example: owner,
		}}}
	}
	if _, given := ctx.GetConfig("github:token"); given && !ctx.IsConfigSecret("github:token") {
		return &ConfigError{Stack: ctx.Stack(), Problems: []Problem{{
			Path: "github:token", What: "stands in the file for everybody to read: revoke it, and set GITHUB_TOKEN or use `pulumi config set --secret`",
		}}}
	}
	var stacks, ours []string
	var problems []Problem
	for i, e := range environments {
		stack := c.Environments[i].stackName()
		if e.Outputs.AccountID != home.account && c.GitHub.UpRoles[stack] == "" {
			problems = append(problems, Problem{
				Path: ctx.Project() + ":github.upRoles." + stack,
				What: fmt.Sprintf("is missing: the environment stands in account %s, where this stack can make no role for `pulumi up`",
					e.Outputs.AccountID),
				Example: fmt.Sprintf("arn:%s:iam::%s:role/%s-up", home.partition, e.Outputs.AccountID, stack),
			})
		}
		stacks = append(stacks, stack)
	}
	if len(problems) > 0 {
		return &ConfigError{Stack: ctx.Stack(), Problems: problems}
	}
	stacks = append(stacks, ctx.Stack())
	for _, stack := range stacks {
		if c.GitHub.UpRoles[stack] == "" {
			ours = append(ours, stack)
		}
	}
	access, err := components.NewGitHubAccess(ctx, accessComponent, &components.GitHubAccessArgs{
		Repository: c.Source.Repository, OwnerID: c.GitHub.OwnerID, RepositoryID: c.GitHub.RepositoryID, Stacks: ours,
		StateURL: c.GitHub.StateURL, SecretsKeyArn: c.GitHub.SecretsKeyArn, ProviderArn: c.GitHub.ProviderArn,
		AccountID: home.account, Partition: home.partition,
	})
	if err != nil {
		return err
	}
	args := &github.RepositoryArgs{
		Name: name, Branch: c.Source.Branch, Checks: checks, Approvals: c.GitHub.Approvals,
		Variables: map[string]pulumi.StringInput{
			"AWS_REGION":         pulumi.String(home.region),
			"PREVIEW_ROLE_ARN":   access.PreviewRoleArn,
			"PULUMI_BACKEND_URL": pulumi.String(c.GitHub.StateURL),
		},
	}
	for _, stack := range stacks {
		var role pulumi.StringInput = pulumi.String(c.GitHub.UpRoles[stack])
		if made, ok := access.UpRoleArns[stack]; ok {
			role = made
		}
		environment := github.Environment{Name: stack, Variables: map[string]pulumi.StringInput{"UP_ROLE_ARN": role}}
		for _, r := range c.GitHub.Reviewers {
			if r.Environment == stack {
				environment.Teams, environment.Users = r.Teams, r.Users
			}
		}
		args.Environments = append(args.Environments, environment)
	}
	_, err = github.NewRepository(ctx, repositoryComponent, args)
	return err
}

// stackName is the name of the environment's stack without organization and project.
func (t Target) stackName() string {
	if t.Stack == "" {
		return t.Name
	}
	return t.Stack[strings.LastIndex(t.Stack, "/")+1:]
}
