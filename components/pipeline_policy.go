package components

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/contract"
)

// objects allows the two ends of every action to pass artifacts on.
func objects(bucket pulumi.StringInput, more ...string) Statement {
	return Statement{
		Actions:   append([]string{"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"}, more...),
		Resources: []pulumi.StringInput{below(bucket, "/*")},
		Reason:    "CodePipeline names the artifacts within its own bucket",
	}
}

// bucketState lets a service see whose the bucket is and where it lies.
func bucketState(bucket pulumi.StringInput, more ...string) Statement {
	return Statement{
		Actions:   append([]string{"s3:GetBucketAcl", "s3:GetBucketLocation"}, more...),
		Resources: []pulumi.StringInput{bucket},
	}
}

// pipelinePolicy allows what the pipeline's own actions do. In an environment of another account that environment's own role
// acts, which the pipeline takes on.
func pipelinePolicy(args *DeliveryPipelineArgs, stores []*store, connection, project pulumi.StringInput) Policy {
	var policy Policy
	for _, s := range stores {
		policy = append(policy, bucketState(s.bucket.Arn, "s3:GetBucketVersioning"), objects(s.bucket.Arn, "s3:PutObjectAcl"))
	}
	policy = append(policy,
		useConnection(connection, "codeconnections"),
		useConnection(connection, "codestar-connections"),
		Statement{
			Actions:   []string{"codebuild:StartBuild", "codebuild:BatchGetBuilds"},
			Resources: []pulumi.StringInput{project},
		},
	)
	var here []contract.Environment
	var foreign []pulumi.StringInput
	for _, e := range args.Environments {
		if args.foreign(e) {
			foreign = append(foreign, e.Outputs.DeployRoleArn)
		} else {
			here = append(here, e.Outputs)
		}
	}
	policy = append(policy, deployPolicy(here)...)
	if len(foreign) > 0 {
		policy = append(policy, Statement{Actions: []string{"sts:AssumeRole"}, Resources: foreign})
	}
	if args.TopicArn != nil {
		policy = append(policy, Statement{Actions: []string{"sns:Publish"}, Resources: []pulumi.StringInput{args.TopicArn}})
	}
	for _, s := range stores {
		policy = append(policy, useKey(s.key)...)
	}
	return policy
}

// deployPolicy allows what the pipeline's actions do in environments; what an environment's function does is that function's
// matter.
func deployPolicy(environments []contract.Environment) Policy {
	if len(environments) == 0 {
		return nil
	}
	var services, definitions, roles, functions []pulumi.StringInput
	for _, o := range environments {
		services = append(services, serviceArn(o.ClusterArn, o.BlueServiceName))
		definitions = append(definitions, revisionsArn(o.BlueTaskDefinitionArn))
		roles = append(roles, o.TaskRoleArn, o.ExecutionRoleArn)
		if o.Strategy == contract.BlueGreen {
			services = append(services, serviceArn(o.ClusterArn, o.GreenServiceName))
			definitions = append(definitions, revisionsArn(o.GreenTaskDefinitionArn))
			functions = append(functions, o.ShiftFunctionArn)
		}
	}
	policy := Policy{
		{
			Actions:   []string{"ecs:DescribeServices", "ecs:UpdateService"},
			Resources: services,
		},
		{
			Actions:   []string{"ecs:DescribeTaskDefinition"},
			Resources: []pulumi.StringInput{pulumi.String("*")},
			Reason:    "ECS describes task definitions without resource level permissions",
		},
		{
			Actions:   []string{"ecs:RegisterTaskDefinition"},
			Resources: definitions,
			Reason:    "every deployment registers the next revision of the environment's own families",
		},
		{
			Actions:    []string{"ecs:TagResource"},
			Resources:  definitions,
			Conditions: []Condition{Equals("ecs:CreateAction", pulumi.String("RegisterTaskDefinition"))},
			Reason:     "a new revision takes the tags of the former one over",
		},
		{
			Actions:    []string{"iam:PassRole"},
			Resources:  roles,
			Conditions: []Condition{Equals("iam:PassedToService", pulumi.String("ecs-tasks.amazonaws.com"), pulumi.String("ecs.amazonaws.com"))},
		},
	}
	if len(functions) > 0 {
		policy = append(policy, Statement{Actions: []string{"lambda:InvokeFunction"}, Resources: functions})
	}
	return policy
}

// useConnection lets a role reach the source. A connection's ARN has the new or the old service name, and the action must have
// the same one.
func useConnection(connection pulumi.StringInput, service string) Statement {
	return Statement{Actions: []string{service + ":UseConnection"}, Resources: []pulumi.StringInput{renamed(connection, service)}}
}

// clone lets a build read the one repository through the connection, which may reach others.
func clone(connection pulumi.StringInput, service, repository string) Statement {
	s := useConnection(connection, service)
	s.Conditions = []Condition{Equals(service+":FullRepositoryId", pulumi.String(repository))}
	return s
}

// buildPolicy allows a build its source, its log, its artifacts and its one repository of images.
func buildPolicy(args *DeliveryPipelineArgs, bucket, connection, repository, logs pulumi.StringInput) Policy {
	images := []string{
		"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
		"ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
	}
	if args.Scan.FailOn != NoScanGate {
		images = append(images, "ecr:DescribeImageScanFindings")
	}
	return append(Policy{
		bucketState(bucket),
		objects(bucket),
		clone(connection, "codeconnections", args.Source.Repository),
		clone(connection, "codestar-connections", args.Source.Repository),
		{
			Actions:   []string{"logs:CreateLogStream", "logs:PutLogEvents"},
			Resources: []pulumi.StringInput{logs, below(logs, ":log-stream:*")},
			Reason:    "CodeBuild names one log stream for each build",
		},
		{
			Actions:   []string{"ecr:GetAuthorizationToken"},
			Resources: []pulumi.StringInput{pulumi.String("*")},
			Reason:    "a registry token is for all repositories",
		},
		{
			Actions:   images,
			Resources: []pulumi.StringInput{repository},
		},
	}, useKey(args.KeyArn)...)
}

// renamed is an ARN with another service in it.
func renamed(arn pulumi.StringInput, service string) pulumi.StringOutput {
	return mapArn(arn, func(a string) string {
		parts := strings.SplitN(a, ":", 4)
		if len(parts) == 4 {
			parts[2] = service
		}
		return strings.Join(parts, ":")
	})
}
