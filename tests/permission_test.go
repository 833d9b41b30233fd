package tests

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/shiftfn/adapter/adaptertest"
)

type call = adaptertest.Call

// allows tells whether a statement allows a call, as IAM judges it.
func (s statement) allows(t *testing.T, c call) bool {
	t.Helper()
	require.Equal(t, "Allow", s.Effect)
	for operator, keys := range s.Condition {
		require.Contains(t, []string{"StringEquals", "ArnEquals"}, operator, "teach the test this operator")
		for key, values := range keys {
			if value, set := c.Context[key]; !set || !slices.ContainsFunc(values, func(pattern string) bool {
				return pattern == value || operator == "ArnEquals" && matches(pattern, value)
			}) {
				return false
			}
		}
	}
	return slices.Contains(s.Action, c.Action) &&
		slices.ContainsFunc(s.Resource, func(pattern string) bool { return matches(pattern, c.Resource) })
}

// matches tells whether a resource is meant by a pattern of IAM's. What IAM knows no resource for is meant by * alone.
func matches(pattern, resource string) bool {
	expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^" + expression + "$").MatchString(resource)
}

// justified holds that a policy allows each of the calls, and has no action on any resource that none of them asks for.
func justified(t *testing.T, d document, calls []call) {
	t.Helper()
	require.NotEmpty(t, d.Statement)
	for _, c := range calls {
		assert.True(t, slices.ContainsFunc(d.Statement, func(s statement) bool { return s.allows(t, c) }), "not allowed, and called: %s", c)
	}
	for _, s := range d.Statement {
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				one := s
				one.Action, one.Resource = []string{action}, []string{resource}
				assert.True(t, slices.ContainsFunc(calls, func(c call) bool { return one.allows(t, c) }), "allowed, and never called: %s on %s", action, resource)
			}
		}
	}
}

// lambdas are what Lambda calls with a function's role: «Sending Lambda function logs to CloudWatch Logs», Lambda's developer
// guide.
func lambdas(t *testing.T, g *graph.Graph) []call {
	stream := one(t, g, "aws:cloudwatch/logGroup:LogGroup", "shift-log").Outputs["arn"].(string) + ":log-stream:2026/03/01/[$LATEST]0123"
	return []call{{Action: "logs:CreateLogStream", Resource: stream}, {Action: "logs:PutLogEvents", Resource: stream}}
}

func TestTheFunctionMayCallWhatItsAdaptersCallAndNothingElse(t *testing.T) {
	for _, name := range []string{"dev", "prod"} {
		t.Run(name, func(t *testing.T) {
			g := stack(t, name)
			justified(t, documents(t, g)["RolePolicy shift-function"], append(onSandbox(t, g), lambdas(t, g)...))
		})
	}
}

// on is one action on several resources, or several on one.
func on(actions []string, resources ...string) (calls []call) {
	for _, action := range actions {
		for _, resource := range resources {
			calls = append(calls, call{Action: action, Resource: resource})
		}
	}
	return calls
}

// artifacts are what reading and writing artifacts in an encrypted bucket takes: «Manage the CodePipeline service role» and
// «Configure server-side encryption for artifacts stored in Amazon S3 for CodePipeline», CodePipeline's user guide.
func artifacts(t *testing.T, g *graph.Graph) []call {
	bucket := one(t, g, "aws:s3/bucketV2:BucketV2", "delivery-artifacts").Outputs["arn"].(string)
	return slices.Concat(
		on([]string{"s3:GetBucketAcl", "s3:GetBucketLocation"}, bucket),
		on([]string{"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"}, bucket+"/penguinshop-shared/source/A1b2C3d.zip"),
		on([]string{"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"}, one(t, g, "aws:kms/key:Key", "data-key").Outputs["arn"].(string)),
	)
}

// The calls are those of the permissions that AWS's pages ask for, each with the page's title in CodePipeline's user guide.
func TestThePipelineMayCallWhatItsActionsNeedAndNothingElse(t *testing.T) {
	g := stack(t, "shared")
	text := func(typ, name, output string) string { return one(t, g, typ, name).Outputs[output].(string) }
	bucket := text("aws:s3/bucketV2:BucketV2", "delivery-artifacts", "arn")
	connection := text("aws:codeconnections/connection:Connection", "delivery-source", "arn")
	// «Manage the CodePipeline service role»
	calls := slices.Concat(artifacts(t, g), on([]string{"s3:GetBucketVersioning"}, bucket), on([]string{"s3:PutObjectAcl"}, bucket+"/penguinshop-shared/source/A1b2C3d.zip"))
	// «CodeStarSourceConnection for Bitbucket Cloud, GitHub, …»: the action's prefix is that of the connection's ARN
	for _, service := range []string{"codeconnections", "codestar-connections"} {
		calls = append(calls, on([]string{service + ":UseConnection"}, strings.Replace(connection, ":codeconnections:", ":"+service+":", 1))...)
	}
	// «AWS CodeBuild build and test action reference»
	calls = append(calls, on([]string{"codebuild:BatchGetBuilds", "codebuild:StartBuild"}, text("aws:codebuild/project:Project", "delivery-build", "arn"))...)
	for _, name := range environments {
		e := stack(t, name)
		for _, colour := range []string{"blue", "green"} {
			service := one(t, e, "aws:ecs/service:Service", "app-"+colour).ID
			next := one(t, e, "aws:ecs/taskDefinition:TaskDefinition", "app-"+colour).Outputs["arnWithoutRevision"].(string) + ":7"
			// «Amazon Elastic Container Service deploy action reference»
			calls = append(calls, on([]string{"ecs:DescribeServices", "ecs:UpdateService"}, service)...)
			calls = append(calls, on([]string{"ecs:RegisterTaskDefinition"}, next)...)
			calls = append(calls, call{Action: "ecs:TagResource", Resource: next, Context: map[string]string{"ecs:CreateAction": "RegisterTaskDefinition"}})
		}
		for _, role := range []string{"app-task", "app-execution"} {
			arn := one(t, e, "aws:iam/role:Role", role).Outputs["arn"].(string)
			for _, service := range []string{"ecs.amazonaws.com", "ecs-tasks.amazonaws.com"} {
				calls = append(calls, call{Action: "iam:PassRole", Resource: arn, Context: map[string]string{"iam:PassedToService": service}})
			}
		}
		// «AWS Lambda invoke action reference»
		calls = append(calls, on([]string{"lambda:InvokeFunction"}, one(t, e, "aws:lambda/function:Function", "shift-function").Outputs["arn"].(string))...)
	}
	calls = append(calls, on([]string{"ecs:DescribeTaskDefinition"}, "*")...)
	for _, topic := range g.OfType("aws:sns/topic:Topic") {
		// «Manual approval action reference»
		calls = append(calls, on([]string{"sns:Publish"}, topic.Outputs["arn"].(string))...)
	}
	justified(t, documents(t, g)["RolePolicy delivery-pipeline"], calls)
}

func TestABuildMayCallWhatItsCommandsNeedAndNothingElse(t *testing.T) {
	g := stack(t, "shared")
	group := one(t, g, "aws:cloudwatch/logGroup:LogGroup", "delivery-build").Outputs["arn"].(string)
	repository := one(t, g, "aws:ecr/repository:Repository", "delivery-images").Outputs["arn"].(string)
	calls := slices.Concat(
		artifacts(t, g),
		// «Allow CodeBuild to interact with other AWS services», CodeBuild's user guide
		on([]string{"logs:CreateLogStream", "logs:PutLogEvents"}, group, group+":log-stream:0b1c"),
		// «IAM permissions for pushing an image to an Amazon ECR private repository», ECR's user guide
		on([]string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload",
			"ecr:PutImage", "ecr:UploadLayerPart"}, repository),
	)
	// «Tutorial: Use full clone with a GitHub pipeline source», CodePipeline's user guide
	connection := one(t, g, "aws:codeconnections/connection:Connection", "delivery-source").Outputs["arn"].(string)
	for _, service := range []string{"codeconnections", "codestar-connections"} {
		calls = append(calls, call{
			Action: service + ":UseConnection", Resource: strings.Replace(connection, ":codeconnections:", ":"+service+":", 1),
			Context: map[string]string{service + ":FullRepositoryId": "penguinshop/delivery"},
		})
	}
	commands := ""
	for _, file := range []string{"buildspec.yml", "build/scan.js", "build/sbom.js"} {
		text, err := os.ReadFile(filepath.Join(root, "app", file))
		require.NoError(t, err)
		commands += string(text)
	}
	for command, needed := range map[string][]call{
		"get-login-password":           on([]string{"ecr:GetAuthorizationToken"}, "*"),
		"describe-image-scan-findings": on([]string{"ecr:DescribeImageScanFindings"}, repository),
		"describe-images":              on([]string{"ecr:DescribeImages"}, repository),
		// what taking layers over from an image takes: «Allow CodeBuild to interact with other AWS services», CodeBuild's user guide
		"--cache-from": on([]string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}, repository),
	} {
		if strings.Contains(commands, command) {
			calls = append(calls, needed...)
		}
	}
	justified(t, documents(t, g)["RolePolicy delivery-build"], calls)
}

// unscoped are the actions that are allowed on *, because AWS has no narrower permission for them. «Service Authorization
// Reference» lists for each service which resources an action can be narrowed to; its pages are titled «Actions, resources, and
// condition keys for …».
var unscoped = map[string]string{
	"elasticloadbalancing:DescribeListeners":          "no resource type: … Elastic Load Balancing V2",
	"elasticloadbalancing:DescribeRules":              "no resource type: … Elastic Load Balancing V2",
	"elasticloadbalancing:DescribeTargetHealth":       "no resource type: … Elastic Load Balancing V2",
	"ecs:DescribeTaskDefinition":                      "no resource type: … Amazon Elastic Container Service",
	"ecs:ListTasks":                                   "container instances alone, which Fargate has none of; narrowed by the key ecs:cluster: … Amazon Elastic Container Service",
	"application-autoscaling:DescribeScalableTargets": "no resource type: … AWS Application Auto Scaling",
	"cloudwatch:GetMetricData":                        "no resource type: … Amazon CloudWatch",
	"cloudwatch:DescribeAlarms":                       "of composite alarms nothing is told to a permission that is narrower than *: CloudWatch API Reference, «DescribeAlarms»",
	"codepipeline:PutJobSuccessResult":                "no resource type: … AWS CodePipeline",
	"codepipeline:PutJobFailureResult":                "no resource type: … AWS CodePipeline",
	"ecr:GetAuthorizationToken":                       "no resource type: … Amazon Elastic Container Registry",
}

// unnamed are the actions whose resource ends in a part that is made up at run time, so that only what is before it can be named.
var unnamed = map[string]string{
	"ecs:DescribeTasks":          "ECS makes up a task's ID",
	"ecs:RegisterTaskDefinition": "ECS counts the revisions of a family",
	"ecs:TagResource":            "ECS counts the revisions of a family",
	"logs:DescribeLogStreams":    "the network names the log streams of its flow logs",
	"logs:FilterLogEvents":       "the log streams of tasks are named after their IDs",
	"logs:CreateLogStream":       "Lambda, CodeBuild and ECS name the log streams",
	"logs:PutLogEvents":          "Lambda, CodeBuild and ECS name the log streams",
	"s3:GetObject":               "CodePipeline names the artifacts",
	"s3:GetObjectVersion":        "CodePipeline names the artifacts",
	"s3:PutObject":               "CodePipeline names the artifacts",
	"s3:PutObjectAcl":            "CodePipeline names the artifacts",
}

func TestAResourceIsOpenOnlyWhereAWSKnowsNoNarrowerOne(t *testing.T) {
	graphs, err := shipped()
	require.NoError(t, err)
	used := map[string]bool{}
	for _, g := range graphs {
		for name, d := range documents(t, g) {
			if !strings.HasPrefix(name, "RolePolicy ") {
				continue
			}
			for _, s := range d.Statement {
				for _, action := range s.Action {
					assert.NotContains(t, action, "*", "%s of %s", name, g.Stack)
					for _, resource := range s.Resource {
						fixed, open := strings.CutSuffix(resource, "*")
						switch {
						case resource == "*":
							assert.Contains(t, unscoped, action, "%s of %s", name, g.Stack)
						case open:
							assert.Contains(t, unnamed, action, "%s of %s: %s", name, g.Stack, resource)
						}
						if open {
							used[action] = true
						}
						assert.NotContains(t, fixed, "*", "%s of %s: %s", name, g.Stack, action)
					}
				}
			}
		}
	}
	want := slices.Sorted(maps.Keys(unscoped))
	want = slices.Sorted(slices.Values(append(want, slices.Collect(maps.Keys(unnamed))...)))
	assert.Equal(t, want, slices.Sorted(maps.Keys(used)), "a wildcard that no policy has any more is not excused")
}
