package stacks

import (
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
func gitHub(ctx *pulumi.Context, c Config, home home) error {
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
	var stacks []string
	for _, t := range c.Environments {
		stacks = append(stacks, t.stackName())
	}
	stacks = append(stacks, ctx.Stack())
	access, err := components.NewGitHubAccess(ctx, accessComponent, &components.GitHubAccessArgs{
		Repository: c.Source.Repository, OwnerID: c.GitHub.OwnerID, RepositoryID: c.GitHub.RepositoryID, Stacks: stacks,
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
		environment := github.Environment{
			Name: stack, Variables: map[string]pulumi.StringInput{"UP_ROLE_ARN": access.UpRoleArns[stack]},
		}
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
