package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
)

type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid, Effect      string
	Principal        any
	Action, Resource []string
	Condition        map[string]map[string][]string
}

// documents are all IAM documents of a stack, by the resource that holds each.
func documents(t *testing.T, g *graph.Graph) map[string]document {
	t.Helper()
	found := map[string]document{}
	for typ, property := range map[string]string{
		"aws:iam/rolePolicy:RolePolicy": "policy", "aws:iam/role:Role": "assumeRolePolicy",
		"aws:s3/bucketPolicy:BucketPolicy": "policy", "aws:kms/key:Key": "policy",
		"aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
	} {
		for _, r := range g.OfType(typ) {
			var d document
			decoder := json.NewDecoder(strings.NewReader(r.Inputs[property].(string)))
			decoder.DisallowUnknownFields()
			require.NoError(t, decoder.Decode(&d), r.URN)
			found[strings.Split(typ, ":")[2]+" "+r.Name] = d
		}
	}
	return found
}

// suffix is what autonaming and AWS add to names.
var suffix = regexp.MustCompile(`-[0-9a-f]{7}\b|(?:/[0-9a-f]{16})+\b|[0-9a-f]{34}\b`)

// lines are what a policy allows, a line each action and resource, in words that a person checks: the account's and region's
// parts of the ARNs, and the random part of names, are left out.
func lines(d document) []string {
	var all []string
	short := strings.NewReplacer("arn:aws:", "", ":eu-central-1:123456789012:", " ", "::123456789012:", " ", ":::", " ")
	for _, s := range d.Statement {
		condition := ""
		for operator, keys := range s.Condition {
			for _, key := range slices.Sorted(maps.Keys(keys)) {
				condition += fmt.Sprintf(" if %s %s %s", key, operator, short.Replace(strings.Join(keys[key], "|")))
			}
		}
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				all = append(all, strings.TrimSpace(action+" "+suffix.ReplaceAllString(short.Replace(resource), "")+suffix.ReplaceAllString(condition, "")))
			}
		}
	}
	slices.Sort(all)
	return all
}

func TestTheFunctionMayDoExactlyThis(t *testing.T) {
	const conditions = " if application-autoscaling:scalable-dimension StringEquals ecs:service:DesiredCount" +
		" if application-autoscaling:service-namespace StringEquals ecs"
	want := []string{
		"application-autoscaling:DescribeScalableTargets *",
		"application-autoscaling:RegisterScalableTarget application-autoscaling scalable-target/" + conditions,
		"application-autoscaling:RegisterScalableTarget application-autoscaling scalable-target/" + conditions,
		"cloudwatch:DescribeAlarms *",
		"cloudwatch:GetMetricData *",
		"codepipeline:PutJobFailureResult *",
		"codepipeline:PutJobSuccessResult *",
		"ecs:DescribeServices ecs service/dev-app-cluster/dev-app-blue",
		"ecs:DescribeServices ecs service/dev-app-cluster/dev-app-green",
		"ecs:DescribeTaskDefinition *",
		"ecs:DescribeTasks ecs task/dev-app-cluster/*",
		"ecs:ListTasks * if ecs:cluster ArnEquals ecs cluster/dev-app-cluster",
		"ecs:UpdateService ecs service/dev-app-cluster/dev-app-blue",
		"ecs:UpdateService ecs service/dev-app-cluster/dev-app-green",
		"elasticloadbalancing:DescribeListeners *",
		"elasticloadbalancing:DescribeRules *",
		"elasticloadbalancing:DescribeTargetHealth *",
		"elasticloadbalancing:ModifyListener elasticloadbalancing listener/app/dev-web-alb",
		"elasticloadbalancing:ModifyRule elasticloadbalancing listener-rule/app/dev-web-alb",
		"events:PutEvents events event-bus/default",
		"iam:PassRole iam role/dev-shift-scheduler if iam:PassedToService StringEquals scheduler.amazonaws.com",
		"logs:CreateLogStream logs log-group:dev-shift-log:log-stream:*",
		"logs:FilterLogEvents logs log-group:dev-app-log:*",
		"logs:PutLogEvents logs log-group:dev-shift-log:log-stream:*",
		"scheduler:CreateSchedule scheduler schedule/dev-shift-schedules/rest",
		"scheduler:CreateSchedule scheduler schedule/dev-shift-schedules/rollout",
		"scheduler:GetSchedule scheduler schedule/dev-shift-schedules/rest",
		"scheduler:GetSchedule scheduler schedule/dev-shift-schedules/rollout",
		"scheduler:UpdateSchedule scheduler schedule/dev-shift-schedules/rest",
		"scheduler:UpdateSchedule scheduler schedule/dev-shift-schedules/rollout",
		"ssm:GetParameter ssm parameter/dev-web-preview",
	}
	assert.Equal(t, want, lines(documents(t, stack(t, "dev"))["RolePolicy shift-function"]))
}

func TestThePipelineMayDoExactlyThis(t *testing.T) {
	want := []string{
		"codebuild:BatchGetBuilds codebuild project/shared-delivery-build",
		"codebuild:StartBuild codebuild project/shared-delivery-build",
		"ecs:DescribeTaskDefinition *",
		"s3:GetBucketAcl s3 shared-delivery-artifacts",
		"s3:GetBucketLocation s3 shared-delivery-artifacts",
		"s3:GetBucketVersioning s3 shared-delivery-artifacts",
		"s3:GetObject s3 shared-delivery-artifacts/*",
		"s3:GetObjectVersion s3 shared-delivery-artifacts/*",
		"s3:PutObject s3 shared-delivery-artifacts/*",
		"s3:PutObjectAcl s3 shared-delivery-artifacts/*",
	}
	for _, e := range environments {
		want = append(want, "lambda:InvokeFunction lambda function:penguinshop-"+e+"-shift")
		for _, role := range []string{"task", "execution"} {
			want = append(want, "iam:PassRole iam role/"+e+"-app-"+role+" if iam:PassedToService StringEquals ecs-tasks.amazonaws.com|ecs.amazonaws.com")
		}
		for _, colour := range []string{"blue", "green"} {
			family := "ecs task-definition/penguinshop-" + e + "-" + colour + ":*"
			want = append(want,
				"ecs:DescribeServices ecs service/"+e+"-app-cluster/"+e+"-app-"+colour,
				"ecs:UpdateService ecs service/"+e+"-app-cluster/"+e+"-app-"+colour,
				"ecs:RegisterTaskDefinition "+family,
				"ecs:TagResource "+family+" if ecs:CreateAction StringEquals RegisterTaskDefinition",
			)
		}
	}
	var connection []string
	got := slices.DeleteFunc(lines(documents(t, stack(t, "shared"))["RolePolicy delivery-pipeline"]), func(line string) bool {
		other := strings.Contains(line, "UseConnection") || strings.HasPrefix(line, "kms:")
		if other {
			connection = append(connection, line)
		}
		return other
	})
	slices.Sort(want)
	assert.Equal(t, want, got)
	arn := one(t, stack(t, "shared"), "aws:codeconnections/connection:Connection", "delivery-source").ID
	id := arn[strings.LastIndex(arn, "/"):]
	for _, service := range []string{"codeconnections", "codestar-connections"} {
		assert.Contains(t, connection, service+":UseConnection "+service+" connection"+id, "the action's prefix must match the ARN's")
	}
	key := one(t, stack(t, "shared"), "aws:kms/key:Key", "data-key").ID
	for _, action := range []string{"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"} {
		assert.Contains(t, connection, action+" kms key/"+key)
	}
}

func TestABuildMayDoExactlyThis(t *testing.T) {
	key := one(t, stack(t, "shared"), "aws:kms/key:Key", "data-key").ID
	repository := " ecr repository/penguinshop-dev"
	want := []string{
		"ecr:BatchCheckLayerAvailability" + repository, "ecr:BatchGetImage" + repository, "ecr:CompleteLayerUpload" + repository,
		"ecr:DescribeImageScanFindings" + repository, "ecr:DescribeImages" + repository, "ecr:GetAuthorizationToken *", "ecr:GetDownloadUrlForLayer" + repository,
		"ecr:InitiateLayerUpload" + repository, "ecr:PutImage" + repository, "ecr:UploadLayerPart" + repository,
		"kms:Decrypt kms key/" + key, "kms:DescribeKey kms key/" + key, "kms:GenerateDataKey kms key/" + key,
		"logs:CreateLogStream logs log-group:shared-delivery-build", "logs:CreateLogStream logs log-group:shared-delivery-build:log-stream:*",
		"logs:PutLogEvents logs log-group:shared-delivery-build", "logs:PutLogEvents logs log-group:shared-delivery-build:log-stream:*",
		"s3:GetBucketAcl s3 shared-delivery-artifacts", "s3:GetBucketLocation s3 shared-delivery-artifacts",
		"s3:GetObject s3 shared-delivery-artifacts/*", "s3:GetObjectVersion s3 shared-delivery-artifacts/*", "s3:PutObject s3 shared-delivery-artifacts/*",
	}
	connection := one(t, stack(t, "shared"), "aws:codeconnections/connection:Connection", "delivery-source").ID
	id := connection[strings.LastIndex(connection, "/"):]
	for _, service := range []string{"codeconnections", "codestar-connections"} {
		want = append(want, service+":UseConnection "+service+" connection"+id+" if "+service+":FullRepositoryId StringEquals penguinshop/delivery")
	}
	slices.Sort(want)
	assert.Equal(t, want, lines(documents(t, stack(t, "shared"))["RolePolicy delivery-build"]))
}

func TestATaskMayDoNothingAndIsStartedFromOneRepository(t *testing.T) {
	all := documents(t, stack(t, "dev"))
	assert.NotContains(t, all, "RolePolicy app-task")
	assert.Equal(t, []string{
		"ecr:BatchCheckLayerAvailability ecr repository/penguinshop-dev", "ecr:BatchGetImage ecr repository/penguinshop-dev",
		"ecr:GetAuthorizationToken *", "ecr:GetDownloadUrlForLayer ecr repository/penguinshop-dev",
		"logs:CreateLogStream logs log-group:dev-app-log:log-stream:*", "logs:PutLogEvents logs log-group:dev-app-log:log-stream:*",
	}, lines(all["RolePolicy app-execution"]))
	assert.Equal(t, []string{"lambda:InvokeFunction lambda function:penguinshop-dev-shift"}, lines(all["RolePolicy shift-scheduler"]))
}

func TestEachRoleTrustsOneServiceAndTheSchedulersOnlyItsOwnGroup(t *testing.T) {
	trusted := func(g *graph.Graph) map[string]any {
		found := map[string]any{}
		for name, d := range documents(t, g) {
			if role, ok := strings.CutPrefix(name, "Role "); ok {
				require.Len(t, d.Statement, 1)
				assert.Equal(t, []string{"sts:AssumeRole"}, d.Statement[0].Action)
				found[role] = d.Statement[0].Principal.(map[string]any)["Service"].([]any)[0]
			}
		}
		return found
	}
	assert.Equal(t, map[string]any{
		"app-task": "ecs-tasks.amazonaws.com", "app-execution": "ecs-tasks.amazonaws.com",
		"shift-function": "lambda.amazonaws.com", "shift-scheduler": "scheduler.amazonaws.com",
	}, trusted(stack(t, "dev")))
	assert.Equal(t, map[string]any{
		"delivery-build": "codebuild.amazonaws.com", "delivery-pipeline": "codepipeline.amazonaws.com",
	}, trusted(stack(t, "shared")))
	group := one(t, stack(t, "dev"), "aws:scheduler/scheduleGroup:ScheduleGroup", "shift-schedules").Outputs["arn"].(string)
	assert.Equal(t, map[string]map[string][]string{"StringEquals": {"aws:SourceArn": {group}}},
		documents(t, stack(t, "dev"))["Role shift-scheduler"].Statement[0].Condition)
}

func TestEveryWildcardSaysWhyItIsThere(t *testing.T) {
	eachStack(t, func(t *testing.T, g *graph.Graph) {
		for name, d := range documents(t, g) {
			for _, s := range d.Statement {
				wild := slices.ContainsFunc(append(slices.Clone(s.Action), s.Resource...), func(x string) bool { return strings.Contains(x, "*") })
				if wild && s.Effect == "Allow" {
					assert.Regexp(t, `^Because[A-Za-z0-9]{20,}$`, s.Sid, "%s: %v on %v", name, s.Action, s.Resource)
				}
			}
		}
	})
}

func TestTheArtifactsAreReachedOverTLSAlone(t *testing.T) {
	policy := documents(t, stack(t, "shared"))["BucketPolicy delivery-artifacts"]
	require.Len(t, policy.Statement, 1)
	s := policy.Statement[0]
	assert.Equal(t, "Deny", s.Effect)
	assert.Equal(t, "*", s.Principal)
	assert.Equal(t, []string{"s3:*"}, s.Action)
	assert.Equal(t, map[string]map[string][]string{"Bool": {"aws:SecureTransport": {"false"}}}, s.Condition)
	assert.Len(t, s.Resource, 2, "the bucket and what is in it")
}
