package tests

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/plan"
	"github.com/penguinshop/delivery/stacks"
)

// gitHubConfig names the repository by GitHub's numbers, which turns its part of the program on.
var gitHubConfig = map[string]string{
	"github:owner": "penguinshop",
	"penguinshop:github": `{"ownerId":1234567,"repositoryId":123456789,"stateUrl":"s3://acme-state/shop",
		"secretsKeyArn":"arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
		"reviewers":[{"environment":"prod","teams":[11],"users":[22,33]}]}`,
}

var withGitHub = sync.OnceValues(func() (*graph.Graph, error) {
	project, err := graph.Load(root)
	if err != nil {
		return nil, err
	}
	return project.Run(context.Background(), "shared", stacks.Declare, graph.WithConfig("shared", gitHubConfig))
})

// gitHub is the shared stack with the repository's part on.
func gitHub(t *testing.T) *graph.Graph {
	t.Helper()
	g, err := withGitHub()
	require.NoError(t, err)
	return g
}

func TestNothingAtGitHubIsTouchedUnlessConfigNamesTheRepository(t *testing.T) {
	for _, r := range stack(t, "shared").Resources {
		assert.False(t, strings.HasPrefix(r.Type, "github:"), r.URN)
		assert.NotContains(t, r.URN, "GitHub")
	}
}

func TestTheRepositorysPartHasNoFindingOfItsOwn(t *testing.T) {
	for _, variant := range []*graph.Graph{stack(t, "shared"), gitHub(t)} {
		p, err := plan.Of(variant)
		require.NoError(t, err)
		for _, f := range p.Findings {
			assert.True(t, f.Accepted, "%s: %s", f.Resource, f.Reason)
		}
	}
}

const issuer = "token.actions.githubusercontent.com"

// trusts checks a role's trust policy: one statement, for the repository's tokens of one kind of job.
func trusts(t *testing.T, g *graph.Graph, role, job string) {
	t.Helper()
	d := documents(t, g)["Role "+role]
	require.Len(t, d.Statement, 1, role)
	assert.Equal(t, statement{
		Effect: "Allow", Action: []string{"sts:AssumeRoleWithWebIdentity"},
		Principal: map[string]any{"Federated": []any{"arn:aws:iam::123456789012:oidc-provider/" + issuer}},
		Condition: map[string]map[string][]string{"StringEquals": {
			issuer + ":aud":           {"sts.amazonaws.com"},
			issuer + ":repository_id": {"123456789"},
			issuer + ":sub":           {"repo:penguinshop/delivery:" + job, "repo:penguinshop@1234567/delivery@123456789:" + job},
		}},
	}, d.Statement[0])
}

func TestEachRoleIsForOneKindOfJobOfTheOneRepository(t *testing.T) {
	g := gitHub(t)
	trusts(t, g, "access-preview", "pull_request")
	for _, name := range []string{"dev", "qa", "prod", "shared"} {
		trusts(t, g, "access-up-"+name, "environment:"+name)
	}
	assert.Equal(t, []any{"sts.amazonaws.com"}, one(t, g, "aws:iam/openIdConnectProvider:OpenIdConnectProvider", "access-issuer").Inputs["clientIdLists"])
}

func TestAPreviewMayDoExactlyThis(t *testing.T) {
	d := documents(t, gitHub(t))["RolePolicy access-preview"]
	denied := slices.IndexFunc(d.Statement, func(s statement) bool { return s.Effect == "Deny" })
	require.GreaterOrEqual(t, denied, 0)
	assert.Subset(t, d.Statement[denied].Action, []string{"secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters"})
	d.Statement = slices.Delete(slices.Clone(d.Statement), denied, denied+1)
	assert.Equal(t, []string{
		"ec2:DescribeAvailabilityZones *",
		"kms:Decrypt kms key/01234567-89ab-cdef-0123-456789abcdef",
		"s3:GetBucketLocation s3 acme-state",
		"s3:GetObject s3 acme-state/shop/.pulumi/*",
		"s3:ListBucket s3 acme-state",
	}, lines(d))
	assert.Empty(t, attachments(t, gitHub(t), "access-preview"))
}

func TestBringingAStackUpMayChangeThatStacksRolesOnly(t *testing.T) {
	g := gitHub(t)
	for _, name := range []string{"dev", "qa", "prod", "shared"} {
		for _, line := range lines(documents(t, g)["RolePolicy access-up-"+name]) {
			assert.Regexp(t, `^iam:\w+ iam (role/`+name+`-\*|role/aws-service-role/\*|oidc-provider/`+regexp.QuoteMeta(issuer)+`)`, line)
		}
		assert.Equal(t, []string{"arn:aws:iam::aws:policy/PowerUserAccess"}, attachments(t, g, "access-up-"+name))
	}
	for _, other := range environments {
		for _, r := range stack(t, other).OfType("aws:iam/role:Role") {
			assert.True(t, strings.HasPrefix(r.Outputs["name"].(string), other+"-"), "%s is not named after its stack", r.URN)
		}
	}
}

// attachments are the managed policies of a role.
func attachments(t *testing.T, g *graph.Graph, role string) (arns []string) {
	t.Helper()
	name := one(t, g, "aws:iam/role:Role", role).Outputs["name"]
	for _, a := range g.OfType("aws:iam/rolePolicyAttachment:RolePolicyAttachment") {
		if a.Inputs["role"] == name {
			arns = append(arns, a.Inputs["policyArn"].(string))
		}
	}
	return arns
}

func TestAnIdentityProviderThatIsThereIsUsed(t *testing.T) {
	arn := "arn:aws:iam::123456789012:oidc-provider/" + issuer
	g, err := shared(t, map[string]string{
		"github:owner": "penguinshop",
		"github":       `{"ownerId":1234567,"repositoryId":123456789,"stateUrl":"s3://state","oidcProviderArn":"` + arn + `"}`,
	})
	require.NoError(t, err)
	assert.Empty(t, g.OfType("aws:iam/openIdConnectProvider:OpenIdConnectProvider"))
	trusts(t, g, "access-preview", "pull_request")
	assert.Contains(t, lines(documents(t, g)["RolePolicy access-preview"]), "s3:GetObject s3 state/.pulumi/*")
}

func TestAnEnvironmentOfAnotherAccountIsBroughtUpByARoleThatIsThere(t *testing.T) {
	outputs := maps.Clone(stack(t, "dev").Exports)
	outputs[contract.KeyAccountID] = "210987654321"
	elsewhere := func(more string) (*graph.Graph, error) {
		return run(t, map[string]string{
			"role": "shared", "accept": "[]", "environments": `[{"name":"dev"}]`, "customerKey": "true", "github:owner": "penguinshop",
			"github": `{"ownerId":1,"repositoryId":2,"stateUrl":"s3://state"` + more + `}`,
		}, graph.WithOutputs("organization/penguinshop/dev", outputs))
	}
	outputs[contract.KeyRegistry] = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
	outputs[contract.KeyDeployRoleArn] = "arn:aws:iam::210987654321:role/dev-deploy"
	_, err := elsewhere("")
	require.ErrorContains(t, err, "penguinshop:github.upRoles.dev: is missing")
	g, err := elsewhere(`,"upRoles":{"dev":"arn:aws:iam::210987654321:role/dev-up"}`)
	require.NoError(t, err)
	assert.NotContains(t, names(g.OfType("aws:iam/role:Role")), "access-up-dev")
	told := one(t, g, "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable", "repository-dev-UP_ROLE_ARN")
	assert.Equal(t, "arn:aws:iam::210987654321:role/dev-up", told.Inputs["value"])
}

// shared runs a shared stack with one environment.
func shared(t *testing.T, config map[string]string) (*graph.Graph, error) {
	t.Helper()
	values := map[string]string{"role": "shared", "accept": "[]", "environments": `[{"name":"dev"}]`}
	for key, value := range config {
		values[key] = value
	}
	return run(t, values, graph.WithOutputs("organization/penguinshop/dev", stack(t, "dev").Exports))
}

func TestTheProviderSpeaksInTheRepositorysOwnersName(t *testing.T) {
	on := `{"ownerId":1234567,"repositoryId":123456789,"stateUrl":"s3://state"}`
	for owner, config := range map[string]map[string]string{
		"penguinshop": {"github": on},
		"acme":        {"github": on, "github:owner": "penguinshop", "source": `{"repository":"acme/shop"}`},
	} {
		_, err := shared(t, config)
		require.ErrorContains(t, err, "github:owner: is not the owner of penguinshop:source.repository")
		assert.ErrorContains(t, err, "a right value is "+owner)
	}
	_, err := shared(t, map[string]string{"github": on, "github:owner": "penguinshop", "github:token": "github_pat_in_clear"})
	require.ErrorContains(t, err, "github:token: stands in the file for everybody to read")
	assert.NotContains(t, err.Error(), "github_pat_in_clear")
}

// workflow is what matters here of a workflow's file.
type workflow struct {
	On   any
	Jobs map[string]struct {
		Name        string
		Environment string
		Uses        string
		With        map[string]string
	}
}

func readWorkflow(t *testing.T, name string) (workflow, string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".github", "workflows", name))
	require.NoError(t, err)
	var w workflow
	require.NoError(t, yaml.Unmarshal(text, &w))
	return w, string(text)
}

func TestTheBranchAsksForEveryJobOfThePullRequestsWorkflow(t *testing.T) {
	w, _ := readWorkflow(t, "pull-request.yml")
	var jobs []string
	for id, job := range w.Jobs {
		assert.Empty(t, job.Name, "a job with a name reports its check under that name")
		jobs = append(jobs, id)
	}
	rules := one(t, gitHub(t), "github:index/repositoryRuleset:RepositoryRuleset", "repository-rules")
	checks := rules.Inputs["rules"].(map[string]any)["requiredStatusChecks"].(map[string]any)
	var asked []string
	for _, check := range checks["requiredChecks"].([]any) {
		asked = append(asked, check.(map[string]any)["context"].(string))
		assert.Equal(t, float64(15368), check.(map[string]any)["integrationId"], "another app's check of the same name does not count")
	}
	assert.ElementsMatch(t, jobs, asked)
	assert.Equal(t, true, checks["strictRequiredStatusChecksPolicy"])
	assert.Equal(t, "active", rules.Inputs["enforcement"])
	assert.Equal(t, []any{"refs/heads/main"}, rules.Inputs["conditions"].(map[string]any)["refName"].(map[string]any)["includes"])
	assert.Nil(t, rules.Inputs["bypassActors"], "nobody passes the rules by")
}

func TestTheWorkflowsAreToldEveryVariableThatTheyRead(t *testing.T) {
	g := gitHub(t)
	told := map[string]any{}
	for _, v := range g.OfType("github:index/actionsVariable:ActionsVariable") {
		assert.Equal(t, "delivery", v.Inputs["repository"])
		told[v.Inputs["variableName"].(string)] = v.Inputs["value"]
	}
	assert.Equal(t, map[string]any{
		"AWS_REGION": "eu-central-1", "PULUMI_BACKEND_URL": "s3://acme-state/shop",
		"PREVIEW_ROLE_ARN": one(t, g, "aws:iam/role:Role", "access-preview").Outputs["arn"],
	}, told)
	ofEnvironment := map[string]bool{}
	for _, v := range g.OfType("github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable") {
		name := v.Inputs["variableName"].(string)
		ofEnvironment[name] = true
		assert.Equal(t, one(t, g, "aws:iam/role:Role", "access-up-"+v.Inputs["environment"].(string)).Outputs["arn"], v.Inputs["value"])
	}
	for _, name := range []string{"pull-request.yml", "up-stack.yml", "up.yml"} {
		_, text := readWorkflow(t, name)
		for _, read := range regexp.MustCompile(`vars\.(\w+)`).FindAllStringSubmatch(text, -1) {
			_, everywhere := told[read[1]]
			assert.True(t, everywhere || name == "up-stack.yml" && ofEnvironment[read[1]], "%s reads %s, which nobody sets", name, read[1])
		}
	}
}

func TestEveryStackThatIsBroughtUpHasAnEnvironmentThatOnlyMainMayUse(t *testing.T) {
	g := gitHub(t)
	w, _ := readWorkflow(t, "up.yml")
	require.Len(t, g.OfType("github:index/repositoryEnvironment:RepositoryEnvironment"), len(w.Jobs))
	for _, job := range w.Jobs {
		name := job.With["stack"]
		e := one(t, g, "github:index/repositoryEnvironment:RepositoryEnvironment", "repository-"+name)
		assert.Equal(t, name, e.Inputs["environment"])
		assert.Equal(t, false, e.Inputs["canAdminsBypass"])
		assert.Equal(t, map[string]any{"customBranchPolicies": true, "protectedBranches": false}, e.Inputs["deploymentBranchPolicy"])
		branches := one(t, g, "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy", "repository-"+name)
		assert.Equal(t, "main", branches.Inputs["branchPattern"])
		assert.Equal(t, name, branches.Inputs["environment"])
		var reviewers any
		if name == "prod" {
			reviewers = []any{map[string]any{"teams": []any{11.0}, "users": []any{22.0, 33.0}}}
		}
		assert.Equal(t, reviewers, e.Inputs["reviewers"], name)
	}
	up, _ := readWorkflow(t, "up-stack.yml")
	assert.Equal(t, "${{ inputs.stack }}", up.Jobs["up"].Environment)
}

func TestNoOutputTellsOfTheRepositorysAccess(t *testing.T) {
	exports, err := json.Marshal(gitHub(t).Exports)
	require.NoError(t, err)
	assert.Equal(t, slices.Sorted(maps.Keys(stack(t, "shared").Exports)), slices.Sorted(maps.Keys(gitHub(t).Exports)))
	assert.NotContains(t, string(exports), "token")
}
