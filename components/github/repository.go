// Package github holds what a GitHub repository needs to deliver itself. It is a package of its own because it compiles the
// whole of pulumi-github, which programs that only use the components for AWS need not.
package github

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-github/sdk/v6/go/github"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Repository is a repository's share of the delivery: what its workflows are told, the environments that they deploy by, and
// the rules of its main branch. The repository itself is there already.
type Repository struct {
	pulumi.ResourceState

	// RulesetID is the ruleset's number at GitHub.
	RulesetID pulumi.IntOutput
}

// RepositoryArgs are the arguments of NewRepository.
type RepositoryArgs struct {
	// Name is the repository's, without its owner, who is the provider's.
	Name string
	// Branch is the one that is delivered: environments take deployments from it alone, and the rules hold for it.
	Branch string
	// Checks are the names of the jobs that must succeed before a change reaches the branch.
	Checks []string
	// Approvals is how many people must approve a pull request, 0 to 10 (GitHub).
	Approvals int
	// Variables are what all workflows are told.
	Variables map[string]pulumi.StringInput
	// Environments are the environments that workflows deploy by. Names are unique.
	Environments []Environment
}

// Environment is one of the repository's environments.
type Environment struct {
	Name string
	// Variables are what a job of this environment is told.
	Variables map[string]pulumi.StringInput
	// Teams and Users may let a job into the environment, by their numbers at GitHub, six at most together; none lets every
	// job in that comes from the branch.
	Teams, Users []int
}

const (
	typeRepository = "penguinshop:components:GitHubRepository"
	// actionsApp is GitHub Actions' own number: a check of the same name by another app does not count.
	actionsApp = 15368
	// mostReviewers is how many GitHub allows for an environment.
	mostReviewers = 6
)

func (a *RepositoryArgs) validate() error {
	if a == nil || a.Name == "" || a.Branch == "" || len(a.Checks) == 0 {
		return fmt.Errorf("github.Repository: Name, Branch and Checks are needed")
	}
	seen := map[string]bool{}
	for _, e := range a.Environments {
		if e.Name == "" || seen[e.Name] {
			return fmt.Errorf("github.Repository: each environment needs a name of its own, and %q is not one", e.Name)
		}
		seen[e.Name] = true
		if n := len(e.Teams) + len(e.Users); n > mostReviewers {
			return fmt.Errorf("github.Repository: environment %s has %d reviewers; GitHub allows %d", e.Name, n, mostReviewers)
		}
	}
	return nil
}

// NewRepository declares the variables, the environments and the ruleset.
func NewRepository(ctx *pulumi.Context, name string, args *RepositoryArgs, opts ...pulumi.ResourceOption) (*Repository, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	c := &Repository{}
	if err := ctx.RegisterComponentResource(typeRepository, name, c, opts...); err != nil {
		return nil, err
	}
	for _, variable := range slices.Sorted(maps.Keys(args.Variables)) {
		if _, err := github.NewActionsVariable(ctx, name+"-"+variable, &github.ActionsVariableArgs{
			Repository: pulumi.String(args.Name), VariableName: pulumi.String(variable), Value: args.Variables[variable],
		}, pulumi.Parent(c)); err != nil {
			return nil, err
		}
	}
	for _, e := range args.Environments {
		if err := c.environment(ctx, name+"-"+e.Name, args, e); err != nil {
			return nil, err
		}
	}
	if err := c.rules(ctx, name, args); err != nil {
		return nil, err
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"rulesetId": c.RulesetID})
}

func (c *Repository) environment(ctx *pulumi.Context, name string, args *RepositoryArgs, e Environment) error {
	declared := &github.RepositoryEnvironmentArgs{
		Repository: pulumi.String(args.Name), Environment: pulumi.String(e.Name),
		// Whoever administers the repository may change the rule, and that is seen; nobody passes it by.
		CanAdminsBypass: pulumi.Bool(false),
		DeploymentBranchPolicy: &github.RepositoryEnvironmentDeploymentBranchPolicyArgs{
			CustomBranchPolicies: pulumi.Bool(true), ProtectedBranches: pulumi.Bool(false),
		},
	}
	if len(e.Teams)+len(e.Users) > 0 {
		declared.Reviewers = github.RepositoryEnvironmentReviewerArray{&github.RepositoryEnvironmentReviewerArgs{
			Teams: pulumi.ToIntArray(e.Teams), Users: pulumi.ToIntArray(e.Users),
		}}
	}
	environment, err := github.NewRepositoryEnvironment(ctx, name, declared, pulumi.Parent(c))
	if err != nil {
		return err
	}
	if _, err := github.NewRepositoryEnvironmentDeploymentPolicy(ctx, name, &github.RepositoryEnvironmentDeploymentPolicyArgs{
		Repository: pulumi.String(args.Name), Environment: environment.Environment, BranchPattern: pulumi.String(args.Branch),
	}, pulumi.Parent(environment)); err != nil {
		return err
	}
	for _, variable := range slices.Sorted(maps.Keys(e.Variables)) {
		if _, err := github.NewActionsEnvironmentVariable(ctx, name+"-"+variable, &github.ActionsEnvironmentVariableArgs{
			Repository: pulumi.String(args.Name), Environment: environment.Environment, VariableName: pulumi.String(variable),
			Value: e.Variables[variable],
		}, pulumi.Parent(environment)); err != nil {
			return err
		}
	}
	return nil
}

// rules declares what a change must have passed before it reaches the branch.
func (c *Repository) rules(ctx *pulumi.Context, name string, args *RepositoryArgs) error {
	var checks github.RepositoryRulesetRulesRequiredStatusChecksRequiredCheckArray
	for _, check := range args.Checks {
		checks = append(checks, &github.RepositoryRulesetRulesRequiredStatusChecksRequiredCheckArgs{
			Context: pulumi.String(check), IntegrationId: pulumi.Int(actionsApp),
		})
	}
	ruleset, err := github.NewRepositoryRuleset(ctx, name+"-rules", &github.RepositoryRulesetArgs{
		Repository: pulumi.String(args.Name), Target: pulumi.String("branch"), Enforcement: pulumi.String("active"),
		Conditions: &github.RepositoryRulesetConditionsArgs{RefName: &github.RepositoryRulesetConditionsRefNameArgs{
			Includes: pulumi.ToStringArray([]string{"refs/heads/" + args.Branch}), Excludes: pulumi.StringArray{},
		}},
		Rules: &github.RepositoryRulesetRulesArgs{
			Deletion: pulumi.Bool(true), NonFastForward: pulumi.Bool(true),
			PullRequest: &github.RepositoryRulesetRulesPullRequestArgs{
				RequiredApprovingReviewCount: pulumi.Int(args.Approvals), DismissStaleReviewsOnPush: pulumi.Bool(true),
			},
			RequiredStatusChecks: &github.RepositoryRulesetRulesRequiredStatusChecksArgs{
				// Two changes that are right each by itself may be wrong together.
				RequiredChecks: checks, StrictRequiredStatusChecksPolicy: pulumi.Bool(true),
			},
		},
	}, pulumi.Parent(c))
	if err != nil {
		return err
	}
	c.RulesetID = ruleset.RulesetId
	return nil
}
