package components

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// GitHubAccess is what a repository's workflows may do in an AWS account, without a key that could be stolen: they show a
// token that GitHub signed, and get a role for the length of one job.
type GitHubAccess struct {
	pulumi.ResourceState

	// PreviewRoleArn is for pull requests: it reads the stacks' state, and changes nothing.
	PreviewRoleArn pulumi.StringOutput
	// UpRoleArns is for each GitHub environment: it brings the stack of that name up.
	UpRoleArns map[string]pulumi.StringOutput
}

// GitHubAccessArgs are the arguments of NewGitHubAccess.
type GitHubAccessArgs struct {
	// Repository is "owner/name".
	Repository string
	// OwnerID and RepositoryID are GitHub's own numbers of the two, which outlive a change of their names and are never given
	// to anybody else.
	OwnerID, RepositoryID int
	// Stacks are the stacks that workflows bring up, each by the GitHub environment of the same name. The names of a stack's
	// roles begin with the stack's name, as Pulumi's autonaming does it for this project.
	Stacks []string
	// StateURL is where Pulumi keeps the stacks' state: s3://bucket or s3://bucket/folder.
	StateURL string
	// SecretsKeyArn is the KMS key that the state's secrets are encrypted with; empty where it is not KMS that does it.
	SecretsKeyArn string
	// ProviderArn is GitHub's identity provider in the account, of which there can be one only; empty declares it.
	ProviderArn string
	// AccountID is the account that the roles lie in; Partition is "aws" outside China and GovCloud.
	AccountID, Partition string
}

const (
	// gitHubIssuer signs the tokens of GitHub's workflows.
	gitHubIssuer = "token.actions.githubusercontent.com"
	// stsAudience is whom aws-actions/configure-aws-credentials has the token made out to.
	stsAudience = "sts.amazonaws.com"
)

func (a *GitHubAccessArgs) validate() error {
	if a == nil || a.OwnerID <= 0 || a.RepositoryID <= 0 || a.AccountID == "" || a.Partition == "" {
		return fmt.Errorf("GitHubAccess: OwnerID, RepositoryID, AccountID and Partition are needed")
	}
	if owner, name, ok := strings.Cut(a.Repository, "/"); !ok || owner == "" || name == "" {
		return fmt.Errorf("GitHubAccess: Repository is %q, it must be owner/name", a.Repository)
	}
	_, _, err := stateFolder(a.StateURL)
	return err
}

// stateFolder takes the address of a state in S3 apart.
func stateFolder(address string) (bucket, folder string, err error) {
	at, err := url.Parse(address)
	if err != nil || at.Scheme != "s3" || at.Host == "" {
		return "", "", fmt.Errorf("GitHubAccess: StateURL is %q, it must be s3://bucket or s3://bucket/folder", address)
	}
	return at.Host, strings.Trim(at.Path, "/"), nil
}

// NewGitHubAccess declares the identity provider, unless it is there, and the roles.
func NewGitHubAccess(ctx *pulumi.Context, name string, args *GitHubAccessArgs, opts ...pulumi.ResourceOption) (*GitHubAccess, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	c := &GitHubAccess{UpRoleArns: map[string]pulumi.StringOutput{}}
	if err := ctx.RegisterComponentResource(typeGitHubAccess, name, c, opts...); err != nil {
		return nil, err
	}
	var issuer pulumi.StringInput = pulumi.String(args.ProviderArn)
	if args.ProviderArn == "" {
		// Without thumbprints: AWS holds GitHub's certificate to its own list of authorities.
		provider, err := iam.NewOpenIdConnectProvider(ctx, name+"-issuer", &iam.OpenIdConnectProviderArgs{
			Url: pulumi.String("https://" + gitHubIssuer), ClientIdLists: pulumi.ToStringArray([]string{stsAudience}),
		}, pulumi.Parent(c))
		if err != nil {
			return nil, err
		}
		issuer = provider.Arn
	}
	preview, err := role(ctx, name+"-preview", "What a pull request's preview may do", args.trust(issuer, "pull_request"),
		args.previewPolicy(), c)
	if err != nil {
		return nil, err
	}
	c.PreviewRoleArn = preview.Arn
	outputs := pulumi.Map{"previewRoleArn": c.PreviewRoleArn}
	for _, stack := range args.Stacks {
		up, err := role(ctx, name+"-up-"+stack, "What bringing "+stack+" up may do", args.trust(issuer, "environment:"+stack),
			args.upPolicy(stack), c)
		if err != nil {
			return nil, err
		}
		if _, err := iam.NewRolePolicyAttachment(ctx, name+"-up-"+stack, &iam.RolePolicyAttachmentArgs{
			Role: up.Name, PolicyArn: pulumi.String("arn:" + args.Partition + ":iam::aws:policy/PowerUserAccess"),
		}, pulumi.Parent(up)); err != nil {
			return nil, err
		}
		c.UpRoleArns[stack] = up.Arn
		outputs["upRoleArn-"+stack] = up.Arn
	}
	return c, ctx.RegisterResourceOutputs(c, outputs)
}

// trust accepts the repository's tokens of one kind of job. A token's subject holds the names alone, or for repositories that
// are younger than July 2026 or have opted in, the numbers as well (GitHub, "OpenID Connect reference", immutable subject
// claims); the claim repository_id holds for both that nobody has taken over the name of a repository that is gone.
func (a *GitHubAccessArgs) trust(issuer pulumi.StringInput, job string) Statement {
	owner, repository, _ := strings.Cut(a.Repository, "/")
	return Statement{
		Federated: issuer,
		Conditions: []Condition{
			Equals(gitHubIssuer+":aud", pulumi.String(stsAudience)),
			Equals(gitHubIssuer+":repository_id", pulumi.String(fmt.Sprint(a.RepositoryID))),
			Equals(gitHubIssuer+":sub",
				pulumi.String(fmt.Sprintf("repo:%s/%s:%s", owner, repository, job)),
				pulumi.String(fmt.Sprintf("repo:%s@%d/%s@%d:%s", owner, a.OwnerID, repository, a.RepositoryID, job))),
		},
	}
}

// previewPolicy allows what `pulumi preview` without --refresh asks of AWS: the state, its secrets' key, and the zones of the
// region. A preview takes no lock, so it writes nothing. Whoever may preview a stack sees the secrets in its state; none that
// lie elsewhere.
func (a *GitHubAccessArgs) previewPolicy() Policy {
	bucket, folder, _ := stateFolder(a.StateURL)
	arn := "arn:" + a.Partition + ":s3:::" + bucket
	objects := ".pulumi/*"
	if folder != "" {
		objects = folder + "/" + objects
	}
	policy := Policy{
		{Actions: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resources: []pulumi.StringInput{pulumi.String(arn)}},
		{
			Actions: []string{"s3:GetObject"}, Resources: []pulumi.StringInput{pulumi.String(arn + "/" + objects)},
			Reason: "Pulumi names the files of the state within its own folder",
		},
		{
			Actions: []string{"ec2:DescribeAvailabilityZones"}, Resources: []pulumi.StringInput{pulumi.String("*")},
			Reason: "AWS allows the question for all zones or for none",
		},
		{
			Deny: true,
			Actions: []string{
				"secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue",
				"ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParameters", "ssm:GetParametersByPath",
			},
			Resources: []pulumi.StringInput{pulumi.String("*")},
		},
	}
	if a.SecretsKeyArn != "" {
		policy = append(policy, Statement{
			Actions: []string{"kms:Decrypt"}, Resources: []pulumi.StringInput{pulumi.String(a.SecretsKeyArn)},
		})
	}
	return policy
}

// upPolicy allows the IAM part of bringing a stack up, which AWS's PowerUserAccess leaves out: the stack's own roles, and the
// roles that AWS's services make for themselves. Whoever may give a role its policy can give it any; what bounds this role is
// whom the GitHub environment lets use it.
func (a *GitHubAccessArgs) upPolicy(stack string) Policy {
	iamArn := "arn:" + a.Partition + ":iam::" + a.AccountID + ":"
	return Policy{
		{
			Actions: []string{
				"iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
				"iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
				"iam:ListRolePolicies", "iam:ListRoleTags", "iam:PassRole", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole",
				"iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
			},
			Resources: []pulumi.StringInput{pulumi.String(iamArn + "role/" + stack + "-*")},
			Reason:    "Pulumi names the roles of a stack after it",
		},
		{
			Actions:   []string{"iam:CreateServiceLinkedRole"},
			Resources: []pulumi.StringInput{pulumi.String(iamArn + "role/aws-service-role/*")},
			Conditions: []Condition{Equals("iam:AWSServiceName",
				pulumi.String("ecs.amazonaws.com"), pulumi.String("ecs.application-autoscaling.amazonaws.com"),
				pulumi.String("elasticloadbalancing.amazonaws.com"))},
			Reason: "the services name their own roles",
		},
		{
			Actions: []string{
				"iam:AddClientIDToOpenIDConnectProvider", "iam:CreateOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider",
				"iam:GetOpenIDConnectProvider", "iam:RemoveClientIDFromOpenIDConnectProvider", "iam:TagOpenIDConnectProvider",
				"iam:UntagOpenIDConnectProvider",
			},
			Resources: []pulumi.StringInput{pulumi.String(iamArn + "oidc-provider/" + gitHubIssuer)},
		},
	}
}
