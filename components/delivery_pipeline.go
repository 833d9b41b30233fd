package components

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/codebuild"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/codeconnections"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/codepipeline"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/contract"
)

// DeliveryPipeline builds every change of the source once and takes it through the environments, one after the other.
type DeliveryPipeline struct {
	pulumi.ResourceState

	PipelineName, PipelineArn    pulumi.StringOutput
	RepositoryName               pulumi.StringOutput
	RepositoryURL, RepositoryArn pulumi.StringOutput
	BucketName                   pulumi.StringOutput
	ConnectionArn                pulumi.StringOutput
	BuildProjectName             pulumi.StringOutput
}

// DeliveryPipelineArgs are the arguments of NewDeliveryPipeline.
type DeliveryPipelineArgs struct {
	Repository Repository
	Source     Source
	Build      Build
	Scan       ScanGate
	// Environments are delivered to in this order. Names are unique, and become stages.
	Environments []DeliveryEnvironment
	// ApprovalMinutes is how long an approval waits, 5 to 86,400 (AWS).
	ApprovalMinutes int
	// DeployMinutes bounds the ECS action, 1 to 60 (AWS).
	DeployMinutes    int
	LogRetentionDays int
	// AccountID and Region are where the pipeline stands. An environment elsewhere has its actions there; one of another
	// account needs a DeployRoleArn, and KeyArn.
	AccountID, Region string
	// ArtifactRegions are the other regions in which environments stand, each once.
	ArtifactRegions []ArtifactRegion
	// KeyArn is the key that artifacts, images and logs rest under; nil means AWS's own keys.
	KeyArn pulumi.StringInput
	// TopicArn is where people hear of approvals and of deliveries that have ended; nil tells nobody.
	TopicArn pulumi.StringInput
}

// Repository is the ECR repository of the images.
type Repository struct {
	// Name is the repository's full name. It is given because each environment's execution role, which exists before the
	// repository does, must name it.
	Name string
	// UntaggedDays is after how many days an image without a tag expires.
	UntaggedDays int
	// Protect makes Pulumi refuse to delete the repository. Without it the images are deleted along.
	Protect bool
}

// Source is where the changes come from.
type Source struct {
	// Repository is "owner/name" at GitHub.
	Repository string
	Branch     string
	// Paths are glob patterns; a push that touches none of them starts nothing.
	Paths []string
}

// Build is how a change becomes an image.
type Build struct {
	// Buildspec is the path of the build's instructions in the source.
	Buildspec string
	// BaseImage is what the Dockerfile builds on.
	BaseImage string
	// Image and ComputeType are CodeBuild's own, for arm64.
	Image, ComputeType string
	// Retry repeats a failed build once by itself.
	Retry bool
	// Minutes bounds a build, 5 to 2,160 (AWS).
	Minutes int
}

// NoScanGate lets every image pass, whatever a scan finds in it.
const NoScanGate = "none"

// ScanGate is which findings of ECR's scan stop a delivery. The buildspec asks the scan and judges it.
type ScanGate struct {
	// FailOn is the least severity that stops a delivery: CRITICAL, HIGH, MEDIUM or LOW; NoScanGate stops none.
	FailOn     string
	Exceptions []ScanException
}

// ScanException is a finding that may stay for a while.
type ScanException struct {
	// ID is the finding's name, such as CVE-2023-45853; Until the last day on which it may stay, as 2026-12-31.
	ID, Until string
}

func (g ScanGate) validate() error {
	if !slices.Contains([]string{NoScanGate, "CRITICAL", "HIGH", "MEDIUM", "LOW"}, g.FailOn) {
		return fmt.Errorf("DeliveryPipeline: Scan.FailOn is %q; it must be CRITICAL, HIGH, MEDIUM, LOW or %s", g.FailOn, NoScanGate)
	}
	if long := len(g.exceptions()); long > mostExceptions {
		return fmt.Errorf("DeliveryPipeline: Scan.Exceptions come to %d characters; %d are allowed", long, mostExceptions)
	}
	return nil
}

// exceptions are as the buildspec reads them.
func (g ScanGate) exceptions() string {
	var list []string
	for _, e := range g.Exceptions {
		list = append(list, e.ID+":"+e.Until)
	}
	return strings.Join(list, ",")
}

// mostExceptions is how many characters the exceptions may have: CodeBuild allows 5,500 for all variables of a build.
const mostExceptions = 4500

// DeliveryEnvironment is one stage's target.
type DeliveryEnvironment struct {
	Name string
	// Approval makes the stage wait for a person.
	Approval bool
	Outputs  contract.Environment
}

// artifactDays is how long a delivery's artifacts are kept. The longest approval that AWS allows is 60 days.
const artifactDays = 90

func (a *DeliveryPipelineArgs) validate() error {
	switch {
	case a == nil || a.Repository.Name == "" || a.Source.Repository == "":
		return fmt.Errorf("DeliveryPipeline: Repository.Name and Source.Repository are needed")
	case a.AccountID == "" || a.Region == "":
		return fmt.Errorf("DeliveryPipeline: AccountID and Region are needed")
	case len(a.Environments) == 0:
		return fmt.Errorf("DeliveryPipeline: Environments is empty; a pipeline delivers to one environment at least")
	}
	seen := map[string]bool{}
	for _, e := range a.Environments {
		if seen[e.Name] {
			return fmt.Errorf("DeliveryPipeline: two environments have the name %q", e.Name)
		}
		seen[e.Name] = true
		if err := a.reaches(e); err != nil {
			return err
		}
	}
	return a.Scan.validate()
}

// foreign tells whether an environment stands in another account.
func (a *DeliveryPipelineArgs) foreign(e DeliveryEnvironment) bool {
	return e.Outputs.AccountID != a.AccountID
}

func (a *DeliveryPipelineArgs) reaches(e DeliveryEnvironment) error {
	there := slices.ContainsFunc(a.ArtifactRegions, func(r ArtifactRegion) bool { return r.Name == e.Outputs.Region })
	switch {
	case a.foreign(e) && (e.Outputs.DeployRoleArn == nil || a.KeyArn == nil):
		return fmt.Errorf("DeliveryPipeline: the environment %s of account %s needs a DeployRoleArn, and the pipeline a KeyArn",
			e.Name, e.Outputs.AccountID)
	case e.Outputs.Region != a.Region && !there:
		return fmt.Errorf("DeliveryPipeline: ArtifactRegions lacks %s, where the environment %s stands", e.Outputs.Region, e.Name)
	}
	return nil
}

// NewDeliveryPipeline declares the pipeline. After the first `up` its connection waits for a person, who finishes the
// handshake with GitHub in AWS's console.
func NewDeliveryPipeline(
	ctx *pulumi.Context, name string, args *DeliveryPipelineArgs, opts ...pulumi.ResourceOption,
) (*DeliveryPipeline, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	c := &DeliveryPipeline{}
	if err := ctx.RegisterComponentResource(typeDeliveryPipeline, name, c, opts...); err != nil {
		return nil, err
	}
	repository, err := c.repository(ctx, name, args)
	if err != nil {
		return nil, err
	}
	stores, err := c.stores(ctx, name, args)
	if err != nil {
		return nil, err
	}
	bucket := stores[0].bucket
	c.BucketName = bucket.Name
	connection, err := codeconnections.NewConnection(ctx, name+"-source", &codeconnections.ConnectionArgs{
		ProviderType: pulumi.String("GitHub"),
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	c.ConnectionArn = connection.Arn
	project, err := c.build(ctx, name, args, repository, bucket, connection)
	if err != nil {
		return nil, err
	}
	own, err := role(ctx, name+"-pipeline", "What the pipeline may do", Statement{
		Services: []string{"codepipeline.amazonaws.com"},
	}, pipelinePolicy(args, stores, connection.Arn, project.Arn), c)
	if err != nil {
		return nil, err
	}
	pipeline, err := codepipeline.NewPipeline(ctx, name+"-pipeline", &codepipeline.PipelineArgs{
		RoleArn:      own.Arn,
		PipelineType: pulumi.String("V2"),
		// A newer commit overtakes one that still waits in front of a stage; each stage has one delivery at a time.
		ExecutionMode:  pulumi.String("SUPERSEDED"),
		ArtifactStores: declared(stores),
		Triggers: codepipeline.PipelineTriggerArray{&codepipeline.PipelineTriggerArgs{
			ProviderType: pulumi.String("CodeStarSourceConnection"),
			GitConfiguration: &codepipeline.PipelineTriggerGitConfigurationArgs{
				SourceActionName: pulumi.String(SourceAction),
				Pushes: codepipeline.PipelineTriggerGitConfigurationPushArray{&codepipeline.PipelineTriggerGitConfigurationPushArgs{
					Branches: &codepipeline.PipelineTriggerGitConfigurationPushBranchesArgs{
						Includes: pulumi.ToStringArray([]string{args.Source.Branch}),
					},
					FilePaths: &codepipeline.PipelineTriggerGitConfigurationPushFilePathsArgs{
						Includes: pulumi.ToStringArray(args.Source.Paths),
					},
				}},
			},
		}},
		Stages: stages(args, connection.Arn, project.Name),
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	c.PipelineName, c.PipelineArn = pipeline.Name, pipeline.Arn
	if err := c.notices(ctx, name, args); err != nil {
		return nil, err
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{
		"pipelineName": c.PipelineName, "pipelineArn": c.PipelineArn,
		"repositoryName": c.RepositoryName, "repositoryUrl": c.RepositoryURL, "repositoryArn": c.RepositoryArn,
		"bucketName": c.BucketName, "connectionArn": c.ConnectionArn, "buildProjectName": c.BuildProjectName,
	})
}

// repository declares where the images lie. A tag names one image for ever, and no tagged image expires: every image that is
// live or on standby anywhere carries its commit's tag.
func (c *DeliveryPipeline) repository(ctx *pulumi.Context, name string, args *DeliveryPipelineArgs) (*ecr.Repository, error) {
	encryption := &ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("AES256")}
	if args.KeyArn != nil {
		// Whoever pulls needs no permission for the key: ECR reads with a grant that it gives itself.
		encryption = &ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("KMS"), KmsKey: args.KeyArn}
	}
	repository, err := ecr.NewRepository(ctx, name+"-images", &ecr.RepositoryArgs{
		Name:                       pulumi.String(args.Repository.Name),
		ImageTagMutability:         pulumi.String("IMMUTABLE"),
		ImageScanningConfiguration: &ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
		EncryptionConfigurations:   ecr.RepositoryEncryptionConfigurationArray{encryption},
		ForceDelete:                pulumi.Bool(!args.Repository.Protect),
		// Every environment runs images from here, so one wrong command must not delete it. AWS encrypts a repository for good as
		// it was made: one that stands keeps its way, since another one would mean another repository.
	}, pulumi.Parent(c), pulumi.Protect(args.Repository.Protect), pulumi.IgnoreChanges([]string{"encryptionConfigurations"}))
	if err != nil {
		return nil, err
	}
	_, err = ecr.NewLifecyclePolicy(ctx, name+"-images", &ecr.LifecyclePolicyArgs{
		Repository: repository.Name,
		Policy: pulumi.String(fmt.Sprintf(`{"rules":[{"rulePriority":1,"description":"What no tag names any more",`+
			`"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":%d},`+
			`"action":{"type":"expire"}}]}`, args.Repository.UntaggedDays)),
	}, pulumi.Parent(repository))
	if err != nil {
		return nil, err
	}
	c.RepositoryName, c.RepositoryURL, c.RepositoryArn = repository.Name, repository.RepositoryUrl, repository.Arn
	return repository, c.pullers(ctx, name, args, repository)
}

// pullers lets the environments of other accounts start what lies in the repository.
func (c *DeliveryPipeline) pullers(ctx *pulumi.Context, name string, args *DeliveryPipelineArgs, repository *ecr.Repository) error {
	var policy Policy
	for _, e := range args.Environments {
		if args.foreign(e) {
			policy = append(policy, Statement{
				Accounts: []string{e.Outputs.AccountID}, Actions: pullActions, Conditions: []Condition{ofRole(e.Outputs.ExecutionRoleArn)},
			})
		}
	}
	if len(policy) == 0 {
		return nil
	}
	document, err := policy.Document()
	if err != nil {
		return err
	}
	_, err = ecr.NewRepositoryPolicy(ctx, name+"-images", &ecr.RepositoryPolicyArgs{
		Repository: repository.Name, Policy: document,
	}, pulumi.Parent(repository))
	return err
}

// pullActions are what starting an image takes.
var pullActions = []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}

// build declares the project that tests the change and builds its image. Building an image by docker needs the privileged
// mode; the build's role is what bounds it.
func (c *DeliveryPipeline) build(
	ctx *pulumi.Context, name string, args *DeliveryPipelineArgs, repository *ecr.Repository, bucket *closedBucket,
	connection *codeconnections.Connection,
) (*codebuild.Project, error) {
	logs, err := logGroup(ctx, name+"-build", args.LogRetentionDays, args.KeyArn, c)
	if err != nil {
		return nil, err
	}
	own, err := role(ctx, name+"-build", "What a build may do", Statement{
		Services: []string{"codebuild.amazonaws.com"},
	}, buildPolicy(args, bucket.Arn, connection.Arn, repository.Arn, logs.Arn), c)
	if err != nil {
		return nil, err
	}
	variables := codebuild.ProjectEnvironmentEnvironmentVariableArray{
		plain("REPOSITORY_URI", repository.RepositoryUrl),
		plain("BASE_IMAGE", pulumi.String(args.Build.BaseImage)),
		plain("SCAN_FAIL_ON", pulumi.String(args.Scan.FailOn)),
	}
	if excepted := args.Scan.exceptions(); excepted != "" {
		variables = append(variables, plain("SCAN_EXCEPTIONS", pulumi.String(excepted)))
	}
	project, err := codebuild.NewProject(ctx, name+"-build", &codebuild.ProjectArgs{
		Description:   pulumi.String("Tests the app, builds its image once and hands on its digest"),
		ServiceRole:   own.Arn,
		BuildTimeout:  pulumi.Int(args.Build.Minutes),
		EncryptionKey: optional(args.KeyArn),
		Source:        &codebuild.ProjectSourceArgs{Type: pulumi.String("CODEPIPELINE"), Buildspec: pulumi.String(args.Build.Buildspec)},
		Artifacts:     &codebuild.ProjectArtifactsArgs{Type: pulumi.String("CODEPIPELINE")},
		Environment: &codebuild.ProjectEnvironmentArgs{
			Type:                 pulumi.String("ARM_CONTAINER"),
			Image:                pulumi.String(args.Build.Image),
			ComputeType:          pulumi.String(args.Build.ComputeType),
			PrivilegedMode:       pulumi.Bool(true),
			EnvironmentVariables: variables,
		},
		LogsConfig: &codebuild.ProjectLogsConfigArgs{CloudwatchLogs: &codebuild.ProjectLogsConfigCloudwatchLogsArgs{
			GroupName: logs.Name, Status: pulumi.String("ENABLED"),
		}},
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	c.BuildProjectName = project.Name
	return project, nil
}

func plain(name string, value pulumi.StringInput) *codebuild.ProjectEnvironmentEnvironmentVariableArgs {
	return &codebuild.ProjectEnvironmentEnvironmentVariableArgs{
		Name: pulumi.String(name), Value: value, Type: pulumi.String("PLAINTEXT"),
	}
}
