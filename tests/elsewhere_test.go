package tests

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/stacks"
)

// In these tests the pipeline stands in account 123456789012 and eu-central-1, which is where the graph puts every stack, and
// prod in another account, in eu-west-1.
const (
	otherAccount = "210987654321"
	otherRegion  = "eu-west-1"
	ownRegistry  = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
)

// prodElsewhere are the outputs of prod as its stack has them there.
func prodElsewhere() map[string]any {
	outputs := contract.FakeOutputs("prod", contract.BlueGreen)
	for key, value := range outputs {
		outputs[key] = strings.NewReplacer("123456789012", otherAccount, "eu-central-1", otherRegion).Replace(value.(string))
	}
	outputs[contract.KeyRegistry] = ownRegistry
	outputs[contract.KeyDeployRoleArn] = "arn:aws:iam::" + otherAccount + ":role/prod-deploy-pipeline-1a2b3c4"
	return outputs
}

// sharedWith declares a shared stack with dev beside it and prod as given.
func sharedWith(t *testing.T, prod map[string]any, config map[string]string) (*graph.Graph, error) {
	t.Helper()
	values := map[string]string{
		"role": "shared", "accept": "[]", "customerKey": "true", "environments": `[{"name":"dev"},{"name":"prod"}]`,
		"aws:defaultTags": `{"tags":{"project":"penguinshop"}}`,
	}
	maps.Copy(values, config)
	return project(values).Run(t.Context(), "test", stacks.Declare,
		graph.WithOutputs("organization/penguinshop/dev", contract.FakeOutputs("dev", contract.BlueGreen)),
		graph.WithOutputs("organization/penguinshop/prod", prod))
}

func elsewhere(t *testing.T) *graph.Graph {
	t.Helper()
	g, err := sharedWith(t, prodElsewhere(), nil)
	require.NoError(t, err)
	return g
}

func TestActionsRunWhereTheirEnvironmentIs(t *testing.T) {
	pipeline := one(t, elsewhere(t), "aws:codepipeline/pipeline:Pipeline", "delivery-pipeline")
	for i, s := range pipeline.Inputs["stages"].([]any) {
		for _, a := range s.(map[string]any)["actions"].([]any) {
			action := a.(map[string]any)
			if i == 3 {
				assert.Equal(t, otherRegion, action["region"])
				assert.Equal(t, prodElsewhere()[contract.KeyDeployRoleArn], action["roleArn"])
			} else {
				assert.NotContains(t, action, "region", "%s is the pipeline's own", action["name"])
				assert.NotContains(t, action, "roleArn", "%s is the pipeline's own", action["name"])
			}
		}
	}
}

func TestEachRegionHasAStoreUnderAKeyOfItsOwn(t *testing.T) {
	g := elsewhere(t)
	found := map[string]map[string]any{}
	for _, s := range one(t, g, "aws:codepipeline/pipeline:Pipeline", "delivery-pipeline").Inputs["artifactStores"].([]any) {
		store := s.(map[string]any)
		found[store["region"].(string)] = store
	}
	require.Len(t, found, 2)
	own, other := found["eu-central-1"], found[otherRegion]
	assert.NotEqual(t, own["location"], other["location"])
	assert.Equal(t, one(t, g, "aws:kms/key:Key", "data-key").Outputs["arn"], own["encryptionKey"].(map[string]any)["id"])
	assert.Equal(t, one(t, g, "aws:kms/key:Key", "data-"+otherRegion+"-key").Outputs["arn"], other["encryptionKey"].(map[string]any)["id"])

	provider := one(t, g, "pulumi:providers:aws", "aws-"+otherRegion)
	assert.Equal(t, otherRegion, provider.Inputs["region"])
	assert.Equal(t, map[string]any{"tags": map[string]any{"project": "penguinshop"}}, provider.Inputs["defaultTags"], "what is made there has the stack's tags too")
	for _, r := range g.Resources {
		there := strings.Contains(r.Name, otherRegion) && r.Custom && r.Type != "pulumi:providers:aws"
		if there {
			assert.Contains(t, r.Options.Provider, provider.URN, "%s is made in the region", r.Name)
		}
	}
	single := one(t, stack(t, "shared"), "aws:codepipeline/pipeline:Pipeline", "delivery-pipeline").Inputs["artifactStores"].([]any)
	require.Len(t, single, 1)
	assert.NotContains(t, single[0], "region", "AWS refuses it where there is one store")
}

func TestThePipelineTakesOnTheOtherAccountsRoleAndMayDoNothingElseThere(t *testing.T) {
	allowed := lines(documents(t, elsewhere(t))["RolePolicy delivery-pipeline"])
	assert.Contains(t, allowed, "sts:AssumeRole iam::"+otherAccount+":role/prod-deploy-pipeline")
	for _, line := range allowed {
		if strings.Contains(line, otherAccount) {
			assert.True(t, strings.HasPrefix(line, "sts:AssumeRole"), line)
		}
	}
	assert.True(t, slices.ContainsFunc(allowed, func(line string) bool { return strings.HasPrefix(line, "ecs:UpdateService") }), "dev is its own")
}

func TestTheOtherAccountsRolesReadExactlyWhatTheyDeploy(t *testing.T) {
	g := elsewhere(t)
	deployRole := prodElsewhere()[contract.KeyDeployRoleArn].(string)
	all := documents(t, g)
	bucket := all["BucketPolicy delivery-artifacts-"+otherRegion].Statement
	require.Len(t, bucket, 2)
	assert.Equal(t, "Deny", bucket[0].Effect, "without TLS")
	assert.Equal(t, []string{"s3:GetObject", "s3:GetObjectVersion"}, bucket[1].Action)
	assert.Equal(t, map[string]any{"AWS": []any{otherAccount}}, bucket[1].Principal)
	assert.Equal(t, map[string]map[string][]string{"ArnEquals": {"aws:PrincipalArn": {deployRole}}}, bucket[1].Condition)
	assert.Len(t, all["BucketPolicy delivery-artifacts"].Statement, 1, "nobody of another account reads in the pipeline's own region")

	key := all["Key data-"+otherRegion+"-key"].Statement
	reader := key[len(key)-1]
	assert.Equal(t, []string{"kms:Decrypt"}, reader.Action)
	assert.Equal(t, map[string]map[string][]string{
		"ArnEquals": {"aws:PrincipalArn": {deployRole}}, "StringEquals": {"kms:ViaService": {"s3." + otherRegion + ".amazonaws.com"}},
	}, reader.Condition)

	pull := all["RepositoryPolicy delivery-images"].Statement
	require.Len(t, pull, 1)
	assert.Equal(t, []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}, pull[0].Action)
	assert.Equal(t, map[string]any{"AWS": []any{otherAccount}}, pull[0].Principal)
	assert.Equal(t, map[string]map[string][]string{
		"ArnEquals": {"aws:PrincipalArn": {prodElsewhere()[contract.KeyExecutionRoleArn].(string)}},
	}, pull[0].Condition)
	assert.Empty(t, stack(t, "shared").OfType("aws:ecr/repositoryPolicy:RepositoryPolicy"), "nobody of another account pulls in the shipped stacks")
}

func TestAnEnvironmentLetsThePipelineOfAnotherAccountIn(t *testing.T) {
	g := declared(t, map[string]string{"tools": `{"accountId":"` + otherAccount + `","region":"` + otherRegion + `"}`})
	all := documents(t, g)
	trust := all["Role deploy-pipeline"].Statement
	require.Len(t, trust, 1)
	assert.Equal(t, map[string]any{"AWS": []any{otherAccount}}, trust[0].Principal)
	assert.Equal(t, map[string]map[string][]string{"ArnLike": {
		"aws:PrincipalArn": {"arn:aws:iam::" + otherAccount + ":role/shared-delivery-pipeline-*"},
	}}, trust[0].Condition)
	role := one(t, g, "aws:iam/role:Role", "deploy-pipeline").Outputs["arn"]
	assert.Equal(t, role, g.Exports[contract.KeyDeployRoleArn])
	assert.Equal(t, otherAccount+".dkr.ecr."+otherRegion+".amazonaws.com", g.Exports[contract.KeyRegistry])

	want := []string{
		"ecs:DescribeTaskDefinition *",
		"iam:PassRole iam role/app-execution if iam:PassedToService StringEquals ecs-tasks.amazonaws.com|ecs.amazonaws.com",
		"iam:PassRole iam role/app-task if iam:PassedToService StringEquals ecs-tasks.amazonaws.com|ecs.amazonaws.com",
		"kms:Decrypt kms:eu-central-1:" + otherAccount + ":key/*",
		"lambda:InvokeFunction lambda function:penguinshop-test-shift",
		"s3:GetObject s3 */* if aws:ResourceAccount StringEquals " + otherAccount,
		"s3:GetObjectVersion s3 */* if aws:ResourceAccount StringEquals " + otherAccount,
	}
	for _, colour := range []string{"blue", "green"} {
		service, family := " ecs service/app-cluster/app-"+colour, " ecs task-definition/penguinshop-test-"+colour+":*"
		want = append(want, "ecs:DescribeServices"+service, "ecs:UpdateService"+service, "ecs:RegisterTaskDefinition"+family,
			"ecs:TagResource"+family+" if ecs:CreateAction StringEquals RegisterTaskDefinition")
	}
	slices.Sort(want)
	assert.Equal(t, want, lines(all["RolePolicy deploy-pipeline"]))

	pulls := lines(all["RolePolicy app-execution"])
	assert.True(t, slices.ContainsFunc(pulls, func(line string) bool {
		return strings.HasPrefix(line, "ecr:BatchGetImage ") && strings.Contains(line, otherRegion+":"+otherAccount+":repository/penguinshop-dev")
	}), "%v", pulls)
}

func TestAnEnvironmentOfThePipelinesAccountInAnotherRegionNeedsNoRole(t *testing.T) {
	g := declared(t, map[string]string{"tools": `{"accountId":"123456789012","region":"` + otherRegion + `"}`})
	assert.NotContains(t, g.Exports, contract.KeyDeployRoleArn)
	assert.Equal(t, "123456789012.dkr.ecr."+otherRegion+".amazonaws.com", g.Exports[contract.KeyRegistry])
}

func TestWhatKeepsAPipelineFromAnEnvironmentElsewhereIsToldAtOnce(t *testing.T) {
	prod := prodElsewhere()
	delete(prod, contract.KeyRegistry)
	_, err := sharedWith(t, prod, map[string]string{"customerKey": "false"})
	require.Error(t, err)
	assert.Contains(t, err.Error(), "the config of stack test has 2 problems:")
	assert.Contains(t, err.Error(), "penguinshop:environments[1]: stands in account "+otherAccount+" and region "+otherRegion+
		", and its tasks may pull from "+otherAccount+".dkr.ecr."+otherRegion+".amazonaws.com alone, but the images lie in "+ownRegistry+
		": set tools in the config of the stack organization/penguinshop/prod")
	assert.Contains(t, err.Error(), `{accountId: "123456789012", region: eu-central-1}`)
	assert.Contains(t, err.Error(), "cannot read artifacts under AWS's own key: set customerKey")

	prod = contract.FakeOutputs("prod", contract.BlueGreen)
	prod[contract.KeyRegistry] = otherAccount + ".dkr.ecr.eu-central-1.amazonaws.com"
	_, err = sharedWith(t, prod, nil)
	assert.ErrorContains(t, err, "may pull from "+otherAccount+".dkr.ecr.eu-central-1.amazonaws.com alone", "it is told of another pipeline")
}
