package components

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// artifactBucket is the bucket through which the pipeline's actions hand on their artifacts. Its outputs resolve when the
// bucket is closed to the public and to plain HTTP, not when it merely exists.
type artifactBucket struct {
	Arn, Bucket pulumi.StringOutput
}

// artifactDays is how long a delivery's artifacts are kept. The longest approval that AWS allows is 60 days.
const artifactDays = 90

// bucket declares it: encrypted, versioned (CodePipeline needs that), private, over TLS only. It may be deleted with what is
// in it, because every artifact can be made again from its commit.
func (c *DeliveryPipeline) bucket(ctx *pulumi.Context, name string, key pulumi.StringInput) (*artifactBucket, error) {
	bucket, err := s3.NewBucketV2(ctx, name+"-artifacts", &s3.BucketV2Args{ForceDestroy: pulumi.Bool(true)}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	inside := pulumi.Parent(bucket)
	versions, err := s3.NewBucketVersioningV2(ctx, name+"-artifacts", &s3.BucketVersioningV2Args{
		Bucket:                  bucket.Bucket,
		VersioningConfiguration: &s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, inside)
	if err != nil {
		return nil, err
	}
	if _, err = s3.NewBucketServerSideEncryptionConfigurationV2(ctx, name+"-artifacts", &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: bucket.Bucket,
		Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{&s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			BucketKeyEnabled: pulumi.Bool(true),
			ApplyServerSideEncryptionByDefault: &s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
				SseAlgorithm: pulumi.String("aws:kms"), KmsMasterKeyId: optional(key),
			},
		}},
	}, inside); err != nil {
		return nil, err
	}
	if _, err = s3.NewBucketLifecycleConfigurationV2(ctx, name+"-artifacts", &s3.BucketLifecycleConfigurationV2Args{
		Bucket: bucket.Bucket,
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{&s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("expire"), Status: pulumi.String("Enabled"),
			Filter:                      &s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")},
			Expiration:                  &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(artifactDays)},
			NoncurrentVersionExpiration: &s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{NoncurrentDays: pulumi.Int(7)},
			AbortIncompleteMultipartUpload: &s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(1),
			},
		}},
	}, inside, pulumi.DependsOn([]pulumi.Resource{versions})); err != nil {
		return nil, err
	}
	private, err := s3.NewBucketPublicAccessBlock(ctx, name+"-artifacts", &s3.BucketPublicAccessBlockArgs{
		Bucket:          bucket.Bucket,
		BlockPublicAcls: pulumi.Bool(true), BlockPublicPolicy: pulumi.Bool(true),
		IgnorePublicAcls: pulumi.Bool(true), RestrictPublicBuckets: pulumi.Bool(true),
	}, inside)
	if err != nil {
		return nil, err
	}
	document, err := Policy{{
		Deny: true, Everybody: true, Actions: []string{"s3:*"},
		Resources:  []pulumi.StringInput{bucket.Arn, below(bucket.Arn, "/*")},
		Conditions: []Condition{{"Bool", "aws:SecureTransport", []pulumi.StringInput{pulumi.String("false")}}},
	}}.Document()
	if err != nil {
		return nil, err
	}
	policy, err := s3.NewBucketPolicy(ctx, name+"-artifacts", &s3.BucketPolicyArgs{Bucket: bucket.Bucket, Policy: document},
		inside, pulumi.DependsOn([]pulumi.Resource{private}))
	if err != nil {
		return nil, err
	}
	closed := func(output pulumi.StringOutput) pulumi.StringOutput {
		return pulumi.All(output, versions.ID(), policy.ID()).ApplyT(func(v []any) string { return v[0].(string) }).(pulumi.StringOutput)
	}
	c.BucketName = bucket.Bucket
	return &artifactBucket{Arn: closed(bucket.Arn), Bucket: closed(bucket.Bucket)}, nil
}
