package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/stacks"
)

// action is an action of a pipeline, all of it.
type action struct {
	Name, Category, Owner, Provider, Version string
	RunOrder                                 float64
	Namespace                                string
	InputArtifacts, OutputArtifacts          []string
	Configuration                            map[string]string
	TimeoutInMinutes                         float64
}

type stage struct {
	Name    string
	Actions []action
}

// stagesOf reads the pipeline's stages; a property that action does not know fails the test.
func stagesOf(t *testing.T, g *graph.Graph) []stage {
	t.Helper()
	text, err := json.Marshal(one(t, g, "aws:codepipeline/pipeline:Pipeline", "delivery-pipeline").Inputs["stages"])
	require.NoError(t, err)
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	var found []stage
	require.NoError(t, decoder.Decode(&found))
	return found
}

func TestThePipelineIsExactlyThis(t *testing.T) {
	g := stack(t, "shared")
	outputs := func(environment, key string) string { return stack(t, environment).Exports[key].(string) }
	connection := one(t, g, "aws:codeconnections/connection:Connection", "delivery-source").Outputs["arn"].(string)
	project := one(t, g, "aws:codebuild/project:Project", "delivery-build").Outputs["name"].(string)

	want := []stage{
		{Name: "Source", Actions: []action{{
			Name: "source", Category: "Source", Owner: "AWS", Provider: "CodeStarSourceConnection", Version: "1", RunOrder: 1,
			Namespace: "Source", OutputArtifacts: []string{"source"},
			Configuration: map[string]string{
				"ConnectionArn": connection, "FullRepositoryId": "penguinshop/delivery", "BranchName": "main",
				"DetectChanges": "false", "OutputArtifactFormat": "CODEBUILD_CLONE_REF",
			},
		}}},
		{Name: "Build", Actions: []action{{
			Name: "build", Category: "Build", Owner: "AWS", Provider: "CodeBuild", Version: "1", RunOrder: 1,
			Namespace: "Build", InputArtifacts: []string{"source"}, OutputArtifacts: []string{"image"},
			Configuration: map[string]string{"ProjectName": project},
		}}},
	}
	for _, environment := range environments {
		order := float64(0)
		next := func(a action) action {
			order++
			a.RunOrder, a.Owner, a.Version = order, "AWS", "1"
			return a
		}
		function := outputs(environment, contract.KeyShiftFunctionName)
		var actions []action
		if environment == "prod" {
			url := outputs("qa", contract.KeyURL)
			actions = append(actions, next(action{
				Name: "approve", Category: "Approval", Provider: "Manual", TimeoutInMinutes: 4320,
				Configuration: map[string]string{
					"ExternalEntityLink": url,
					"CustomData": "Release to prod\ncommit #{Source.CommitId}\nby #{Build.AUTHOR}, #{Source.AuthorDate}\nimage #{Build.IMAGE_DIGEST}\n" +
						"tests #{Build.TEST_RESULT}\nlook at it in qa: " + url + "\n" + outputs("prod", contract.KeyShiftPlan),
				},
			}))
		}
		actions = append(actions,
			next(action{
				Name: "prepare", Category: "Invoke", Provider: "Lambda", Namespace: environment + "-prepare",
				Configuration: map[string]string{"FunctionName": function, "UserParameters": `{"command":"prepare"}`},
			}),
			next(action{
				Name: "deploy", Category: "Deploy", Provider: "ECS", InputArtifacts: []string{"image"},
				Configuration: map[string]string{
					"ClusterName": outputs(environment, contract.KeyClusterName), "ServiceName": "#{" + environment + "-prepare.ServiceName}",
					"FileName": "imagedefinitions.json", "DeploymentTimeout": "20",
				},
			}),
			next(action{
				Name: "shift", Category: "Invoke", Provider: "Lambda",
				Configuration: map[string]string{"FunctionName": function, "UserParameters": `{"command":"shift",` +
					`"digest":"#{Build.IMAGE_DIGEST}","commit":"#{Source.CommitId}","candidate":"#{` + environment + `-prepare.CandidateColour}"}`},
			}),
		)
		want = append(want, stage{Name: environment, Actions: actions})
	}
	assert.Equal(t, want, stagesOf(t, g))
}

func TestAPushThatTouchesTheAppStartsThePipeline(t *testing.T) {
	pipeline := one(t, stack(t, "shared"), "aws:codepipeline/pipeline:Pipeline", "delivery-pipeline")
	assert.Equal(t, "V2", pipeline.Inputs["pipelineType"])
	assert.Equal(t, "SUPERSEDED", pipeline.Inputs["executionMode"], "a newer commit overtakes a waiting one")
	assert.Equal(t, []any{map[string]any{
		"providerType": "CodeStarSourceConnection",
		"gitConfiguration": map[string]any{
			"sourceActionName": "source",
			"pushes": []any{map[string]any{
				"branches":  map[string]any{"includes": []any{"main"}},
				"filePaths": map[string]any{"includes": []any{"app/**"}},
			}},
		},
	}}, pipeline.Inputs["triggers"])
}

func TestARollingEnvironmentHasTheECSActionAlone(t *testing.T) {
	p := graph.New("penguinshop", map[string]map[string]string{
		"one": {"aws:region": "eu-central-1", "role": "env", "strategy": "rolling",
			"accept": `[{"rule":"plain-http","reason":"a test speaks no TLS"}]`},
		"shared": {"aws:region": "eu-central-1", "role": "shared", "environments": `[{"name":"one","strategy":"rolling","approval":true}]`},
	})
	graphs, err := p.RunAll(t.Context(), stacks.Declare)
	require.NoError(t, err)
	environment, shared := graphs[0], graphs[1]
	assert.Empty(t, environment.OfType("aws:lambda/function:Function"))
	assert.Len(t, environment.OfType("aws:ecs/service:Service"), 1)
	assert.Len(t, environment.OfType("aws:lb/targetGroup:TargetGroup"), 1)
	assert.Empty(t, environment.OfType("aws:lb/listenerRule:ListenerRule"))
	assert.Empty(t, environment.OfType("aws:ssm/parameter:Parameter"))

	found := stagesOf(t, shared)
	require.Len(t, found, 3)
	require.Len(t, found[2].Actions, 2)
	assert.Equal(t, "approve", found[2].Actions[0].Name)
	assert.NotContains(t, found[2].Actions[0].Configuration, "ExternalEntityLink", "no environment comes before it")
	deploy := found[2].Actions[1]
	assert.Equal(t, "ECS", deploy.Provider)
	assert.Equal(t, environment.Exports[contract.KeyBlueServiceName], deploy.Configuration["ServiceName"])
}

func TestWhatTheFunctionAndTheApproverAreToldKeepsAWSsLimits(t *testing.T) {
	// The values that the variables have at most: a commit, a date, a digest, a sentence of the build.
	filled := strings.NewReplacer(
		"#{Source.CommitId}", strings.Repeat("c", 40), "#{Source.AuthorDate}", "2026-01-01T00:00:00Z",
		"#{Build.IMAGE_DIGEST}", "sha256:"+strings.Repeat("d", 64), "#{Build.TEST_RESULT}", strings.Repeat("t", 40),
		"#{Build.AUTHOR}", strings.Repeat("a", 60),
	)
	for _, s := range stagesOf(t, stack(t, "shared")) {
		for _, a := range s.Actions {
			for _, key := range []string{"UserParameters", "CustomData"} {
				assert.LessOrEqual(t, len(filled.Replace(a.Configuration[key])), 1000, "%s of %s in %s", key, a.Name, s.Name)
			}
		}
	}
	for _, environment := range environments {
		function := one(t, stack(t, environment), "aws:lambda/function:Function", "shift-function")
		variables := function.Inputs["environment"].(map[string]any)["variables"].(map[string]any)
		total := 0
		for name, value := range variables {
			total += len(name) + len(value.(string))
		}
		assert.Less(t, total, 4096, "Lambda's limit for all variables of a function together")
		t.Logf("%s: %d bytes of variables", environment, total)
	}
}

func TestALongPlanIsCutForTheApproval(t *testing.T) {
	long := contract.FakeOutputs("one", contract.BlueGreen)
	long[contract.KeyShiftPlan] = strings.Repeat("very ", 400) + "long"
	g, err := project(map[string]string{"role": "shared", "accept": "[]", "environments": `[{"name":"one","approval":true}]`}).
		Run(t.Context(), "test", stacks.Declare, graph.WithOutputs("organization/penguinshop/one", long))
	require.NoError(t, err)
	shown := stagesOf(t, g)[2].Actions[0].Configuration["CustomData"]
	assert.LessOrEqual(t, len(shown), 850)
	assert.Contains(t, shown, "very")
	assert.True(t, strings.HasSuffix(shown, "…"), "the cut is visible")
}

func TestTheBuildKnowsWhereToPushAndWhatToBuildOn(t *testing.T) {
	g := stack(t, "shared")
	project := one(t, g, "aws:codebuild/project:Project", "delivery-build")
	assert.Equal(t, map[string]any{"type": "CODEPIPELINE", "buildspec": "app/buildspec.yml"}, project.Inputs["source"])
	environment := project.Inputs["environment"].(map[string]any)
	assert.Equal(t, "ARM_CONTAINER", environment["type"])
	assert.Equal(t, []any{
		map[string]any{"name": "REPOSITORY_URI", "type": "PLAINTEXT", "value": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/penguinshop-dev"},
		map[string]any{"name": "BASE_IMAGE", "type": "PLAINTEXT", "value": "public.ecr.aws/docker/library/node:24-slim"},
		map[string]any{"name": "SCAN_FAIL_ON", "type": "PLAINTEXT", "value": "CRITICAL"},
	}, environment["environmentVariables"])
}

func TestTheBuildIsToldWhichFindingsStopADelivery(t *testing.T) {
	declared := func(scan string) (told map[string]any, policy []string) {
		g, err := project(map[string]string{"role": "shared", "accept": "[]", "environments": `[{"name":"one"}]`, "scan": scan}).
			Run(t.Context(), "test", stacks.Declare, graph.WithOutputs("organization/penguinshop/one", contract.FakeOutputs("one", contract.BlueGreen)))
		require.NoError(t, err)
		told = map[string]any{}
		for _, v := range one(t, g, "aws:codebuild/project:Project", "delivery-build").Inputs["environment"].(map[string]any)["environmentVariables"].([]any) {
			told[v.(map[string]any)["name"].(string)] = v.(map[string]any)["value"]
		}
		return told, lines(documents(t, g)["RolePolicy delivery-build"])
	}
	const mayAsk = "ecr:DescribeImageScanFindings ecr repository/penguinshop-dev"
	told, policy := declared(`{"failOn":"HIGH","exceptions":[{"id":"CVE-2026-1","reason":"not used here","until":"2026-12-31"},` +
		`{"id":"CVE-2026-2","reason":"not used here","until":"2027-06-30"}]}`)
	assert.Equal(t, "HIGH", told["SCAN_FAIL_ON"])
	assert.Equal(t, "CVE-2026-1:2026-12-31,CVE-2026-2:2027-06-30", told["SCAN_EXCEPTIONS"])
	assert.Contains(t, policy, mayAsk)
	told, policy = declared(`{"failOn":"none"}`)
	assert.Equal(t, "none", told["SCAN_FAIL_ON"])
	assert.NotContains(t, told, "SCAN_EXCEPTIONS")
	assert.NotContains(t, policy, mayAsk, "it is not asked")
}

func TestImagesRestUnderTheStacksKeyAndNoTaggedOneEverExpires(t *testing.T) {
	g := stack(t, "shared")
	repository := one(t, g, "aws:ecr/repository:Repository", "delivery-images")
	assert.Equal(t, "penguinshop-dev", repository.Inputs["name"])
	assert.Equal(t, "IMMUTABLE", repository.Inputs["imageTagMutability"])
	assert.True(t, repository.Protect)
	key := one(t, g, "aws:kms/key:Key", "data-key").Outputs["arn"]
	assert.Equal(t, []any{map[string]any{"encryptionType": "KMS", "kmsKey": key}}, repository.Inputs["encryptionConfigurations"])
	policy := parsed(t, one(t, g, "aws:ecr/lifecyclePolicy:LifecyclePolicy", "delivery-images"), "policy").(map[string]any)
	for _, rule := range policy["rules"].([]any) {
		selection := rule.(map[string]any)["selection"].(map[string]any)
		assert.Equal(t, "untagged", selection["tagStatus"], "a live or standby image carries its commit's tag")
	}
}
