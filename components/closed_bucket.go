package components

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// closedBucket is an encrypted bucket that nobody reaches without TLS or from the public. Its outputs resolve when that is so,
// not when the bucket merely exists.
type closedBucket struct {
	Arn, Name pulumi.StringOutput
}

type closedBucketArgs struct {
	// key encrypts what is in it; nil with kms means AWS's own key for S3.
	key pulumi.StringInput
	// kms is off for load balancers, which write with S3's own keys only.
	kms bool
	// versioned keeps overwritten objects for a week, as CodePipeline needs it.
	versioned bool
	// days is how long an object is kept.
	days int
	// allow are further statements of the bucket's policy.
	allow func(bucketArn pulumi.StringInput) Policy
	// provider makes the bucket where it is not the program's own; nil is that one.
	provider pulumi.ProviderResource
}

// newClosedBucket declares it. It may be deleted with what is in it: both users of it keep only what can be made again or has
// had its time.
func newClosedBucket(ctx *pulumi.Context, name string, args closedBucketArgs, parent pulumi.Resource) (*closedBucket, error) {
	by := pulumi.Composite()
	if args.provider != nil {
		by = pulumi.Provider(args.provider)
	}
	bucket, err := s3.NewBucketV2(ctx, name, &s3.BucketV2Args{ForceDestroy: pulumi.Bool(true)}, pulumi.Parent(parent), by)
	if err != nil {
		return nil, err
	}
	inside := pulumi.Composite(pulumi.Parent(bucket), by)
	var ready []pulumi.Resource
	if args.versioned {
		versions, err := s3.NewBucketVersioningV2(ctx, name, &s3.BucketVersioningV2Args{
			Bucket:                  bucket.Bucket,
			VersioningConfiguration: &s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
		}, inside)
		if err != nil {
			return nil, err
		}
		ready = append(ready, versions)
	}
	rule := &s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
		ApplyServerSideEncryptionByDefault: &s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
			SseAlgorithm: pulumi.String("AES256"),
		},
	}
	if args.kms {
		rule.BucketKeyEnabled = pulumi.Bool(true)
		rule.ApplyServerSideEncryptionByDefault = &s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
			SseAlgorithm: pulumi.String("aws:kms"), KmsMasterKeyId: optional(args.key),
		}
	}
	if _, err := s3.NewBucketServerSideEncryptionConfigurationV2(ctx, name, &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: bucket.Bucket, Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{rule},
	}, inside); err != nil {
		return nil, err
	}
	if _, err := s3.NewBucketLifecycleConfigurationV2(ctx, name, &s3.BucketLifecycleConfigurationV2Args{
		Bucket: bucket.Bucket,
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{&s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("expire"), Status: pulumi.String("Enabled"),
			Filter:                      &s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")},
			Expiration:                  &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(args.days)},
			NoncurrentVersionExpiration: &s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{NoncurrentDays: pulumi.Int(7)},
			AbortIncompleteMultipartUpload: &s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(1),
			},
		}},
	}, inside, pulumi.DependsOn(ready)); err != nil {
		return nil, err
	}
	private, err := s3.NewBucketPublicAccessBlock(ctx, name, &s3.BucketPublicAccessBlockArgs{
		Bucket:          bucket.Bucket,
		BlockPublicAcls: pulumi.Bool(true), BlockPublicPolicy: pulumi.Bool(true),
		IgnorePublicAcls: pulumi.Bool(true), RestrictPublicBuckets: pulumi.Bool(true),
	}, inside)
	if err != nil {
		return nil, err
	}
	statements := Policy{{
		Deny: true, Everybody: true, Actions: []string{"s3:*"},
		Resources:  []pulumi.StringInput{bucket.Arn, below(bucket.Arn, "/*")},
		Conditions: []Condition{{"Bool", "aws:SecureTransport", []pulumi.StringInput{pulumi.String("false")}}},
	}}
	if args.allow != nil {
		statements = append(statements, args.allow(bucket.Arn)...)
	}
	document, err := statements.Document()
	if err != nil {
		return nil, err
	}
	policy, err := s3.NewBucketPolicy(ctx, name, &s3.BucketPolicyArgs{Bucket: bucket.Bucket, Policy: document},
		inside, pulumi.DependsOn([]pulumi.Resource{private}))
	if err != nil {
		return nil, err
	}
	wait := []any{policy.ID()}
	for _, r := range ready {
		wait = append(wait, r.URN())
	}
	closed := func(output pulumi.StringOutput) pulumi.StringOutput {
		return pulumi.All(append([]any{output}, wait...)...).ApplyT(func(v []any) string { return v[0].(string) }).(pulumi.StringOutput)
	}
	return &closedBucket{Arn: closed(bucket.Arn), Name: closed(bucket.Bucket)}, nil
}
