package components

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/codepipeline"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/contract"
)

// The names by which the pipeline's parts refer to each other.
const (
	SourceStage  = "Source"
	SourceAction = "source"
	BuildStage   = "Build"

	sourceNamespace, buildNamespace = "Source", "Build"
	sourceArtifact, imageArtifact   = "source", "image"
	imageDefinitions                = "imagedefinitions.json"
)

// stages are Source, Build, and one for each environment.
func stages(args *DeliveryPipelineArgs, connection, project pulumi.StringInput) codepipeline.PipelineStageArray {
	build := stage(BuildStage, &codepipeline.PipelineStageActionArgs{
		Name: pulumi.String("build"), Category: pulumi.String("Build"), Owner: pulumi.String("AWS"),
		Provider: pulumi.String("CodeBuild"), Version: pulumi.String("1"),
		Namespace:       pulumi.String(buildNamespace),
		InputArtifacts:  pulumi.ToStringArray([]string{sourceArtifact}),
		OutputArtifacts: pulumi.ToStringArray([]string{imageArtifact}),
		Configuration:   pulumi.StringMap{"ProjectName": project},
	})
	if args.Build.Retry {
		// A build depends on registries that fail now and then, and repeating it changes nothing. A shift is never repeated
		// unasked: the world has moved on since it failed.
		build.OnFailure = &codepipeline.PipelineStageOnFailureArgs{
			Result: pulumi.String("RETRY"),
			RetryConfiguration: &codepipeline.PipelineStageOnFailureRetryConfigurationArgs{
				RetryMode: pulumi.String("FAILED_ACTIONS"),
			},
		}
	}
	all := codepipeline.PipelineStageArray{
		stage(SourceStage, &codepipeline.PipelineStageActionArgs{
			Name: pulumi.String(SourceAction), Category: pulumi.String("Source"), Owner: pulumi.String("AWS"),
			Provider: pulumi.String("CodeStarSourceConnection"), Version: pulumi.String("1"),
			Namespace:       pulumi.String(sourceNamespace),
			OutputArtifacts: pulumi.ToStringArray([]string{sourceArtifact}),
			Configuration: pulumi.StringMap{
				"ConnectionArn":    connection,
				"FullRepositoryId": pulumi.String(args.Source.Repository),
				"BranchName":       pulumi.String(args.Source.Branch),
				// The trigger, which knows paths, starts the pipeline; the action itself would start it on every push.
				"DetectChanges": pulumi.String("false"),
				// A clone, because the action itself does not tell who wrote the commit. Only CodeBuild can read it.
				"OutputArtifactFormat": pulumi.String("CODEBUILD_CLONE_REF"),
			},
		}),
		build,
	}
	for i, e := range args.Environments {
		var actions []*codepipeline.PipelineStageActionArgs
		if e.Approval {
			actions = append(actions, approve(args, i))
		}
		for _, a := range delivery(args, e) {
			if e.Outputs.Region != args.Region {
				a.Region = pulumi.String(e.Outputs.Region)
			}
			if args.foreign(e) {
				a.RoleArn = e.Outputs.DeployRoleArn.ToStringOutput().ToStringPtrOutput()
			}
			actions = append(actions, a)
		}
		all = append(all, stage(e.Name, actions...))
	}
	return all
}

// delivery are the actions that take a release to an environment.
func delivery(args *DeliveryPipelineArgs, e DeliveryEnvironment) []*codepipeline.PipelineStageActionArgs {
	if e.Outputs.Strategy == contract.Rolling {
		return []*codepipeline.PipelineStageActionArgs{deploy(e, e.Outputs.BlueServiceName, args.DeployMinutes)}
	}
	idle := pulumi.String(variableOf(prepareNamespace(e), "ServiceName"))
	return []*codepipeline.PipelineStageActionArgs{prepare(e), deploy(e, idle, args.DeployMinutes), shift(e)}
}

// stage puts actions one after the other.
func stage(name string, actions ...*codepipeline.PipelineStageActionArgs) *codepipeline.PipelineStageArgs {
	s := &codepipeline.PipelineStageArgs{Name: pulumi.String(name)}
	var list codepipeline.PipelineStageActionArray
	for i, a := range actions {
		a.RunOrder = pulumi.Int(i + 1)
		list = append(list, a)
	}
	s.Actions = list
	return s
}

// variableOf is how an action's configuration names another action's output variable.
func variableOf(namespace, variable string) string { return "#{" + namespace + "." + variable + "}" }

func prepareNamespace(e DeliveryEnvironment) string { return e.Name + "-prepare" }

// approvalCharacters is how long an approval's text may be before its variables have values. AWS allows 1,000 characters
// with them; commit, author, date, digest and test result need 150 more than their names.
const approvalCharacters = 850

// approve asks a person, and shows what the answer depends on. The plan comes last, where a long one may be cut.
func approve(args *DeliveryPipelineArgs, index int) *codepipeline.PipelineStageActionArgs {
	e := args.Environments[index]
	text := pulumi.Sprintf("Release to %s\ncommit %s\nby %s, %s\nimage %s\ntests %s", e.Name,
		variableOf(sourceNamespace, "CommitId"), variableOf(buildNamespace, "AUTHOR"), variableOf(sourceNamespace, "AuthorDate"),
		variableOf(buildNamespace, "IMAGE_DIGEST"), variableOf(buildNamespace, "TEST_RESULT"))
	configuration := pulumi.StringMap{}
	if index > 0 {
		before := args.Environments[index-1]
		text = pulumi.Sprintf("%s\nlook at it in %s: %s", text, before.Name, before.Outputs.URL)
		configuration["ExternalEntityLink"] = before.Outputs.URL
	}
	if e.Outputs.Strategy == contract.BlueGreen {
		text = pulumi.Sprintf("%s\n%s", text, e.Outputs.ShiftPlan)
	}
	if args.TopicArn != nil {
		configuration["NotificationArn"] = args.TopicArn
	}
	configuration["CustomData"] = text.ApplyT(func(t string) string { return shorten(t, approvalCharacters) }).(pulumi.StringOutput)
	return &codepipeline.PipelineStageActionArgs{
		Name: pulumi.String("approve"), Category: pulumi.String("Approval"), Owner: pulumi.String("AWS"),
		Provider: pulumi.String("Manual"), Version: pulumi.String("1"),
		Configuration:    configuration,
		TimeoutInMinutes: pulumi.Int(args.ApprovalMinutes),
	}
}

// shorten cuts a text that is too long between two of its words.
func shorten(text string, most int) string {
	const mark = " …"
	if len(text) <= most {
		return text
	}
	cut := text[:most-len(mark)]
	if at := strings.LastIndexByte(cut, ' '); at > 0 {
		cut = cut[:at]
	}
	return cut + mark
}

// prepare points the idle side at the declared shape and says which side that is.
func prepare(e DeliveryEnvironment) *codepipeline.PipelineStageActionArgs {
	return invoke(e, "prepare", prepareNamespace(e), userParameters{Command: "prepare"})
}

// shift moves the traffic to the release.
func shift(e DeliveryEnvironment) *codepipeline.PipelineStageActionArgs {
	return invoke(e, "shift", "", userParameters{
		Command:   "shift",
		Digest:    variableOf(buildNamespace, "IMAGE_DIGEST"),
		Commit:    variableOf(sourceNamespace, "CommitId"),
		Candidate: variableOf(prepareNamespace(e), "CandidateColour"),
	})
}

// userParameters are what the function is told, at most 1,000 characters (AWS).
type userParameters struct {
	Command   string `json:"command"`
	Digest    string `json:"digest,omitempty"`
	Commit    string `json:"commit,omitempty"`
	Candidate string `json:"candidate,omitempty"`
}

func invoke(e DeliveryEnvironment, name, namespace string, parameters userParameters) *codepipeline.PipelineStageActionArgs {
	text, err := json.Marshal(parameters)
	if err != nil {
		panic(fmt.Sprintf("DeliveryPipeline: four texts have no JSON: %v", err))
	}
	action := &codepipeline.PipelineStageActionArgs{
		Name: pulumi.String(name), Category: pulumi.String("Invoke"), Owner: pulumi.String("AWS"),
		Provider: pulumi.String("Lambda"), Version: pulumi.String("1"),
		Configuration: pulumi.StringMap{
			"FunctionName": e.Outputs.ShiftFunctionName, "UserParameters": pulumi.String(string(text)),
		},
	}
	if namespace != "" {
		action.Namespace = pulumi.String(namespace)
	}
	return action
}

// deploy puts the image into the service's task definition.
func deploy(e DeliveryEnvironment, service pulumi.StringInput, minutes int) *codepipeline.PipelineStageActionArgs {
	return &codepipeline.PipelineStageActionArgs{
		Name: pulumi.String("deploy"), Category: pulumi.String("Deploy"), Owner: pulumi.String("AWS"),
		Provider: pulumi.String("ECS"), Version: pulumi.String("1"),
		InputArtifacts: pulumi.ToStringArray([]string{imageArtifact}),
		Configuration: pulumi.StringMap{
			"ClusterName": e.Outputs.ClusterName, "ServiceName": service, "FileName": pulumi.String(imageDefinitions),
			"DeploymentTimeout": pulumi.Sprintf("%d", minutes),
		},
	}
}
