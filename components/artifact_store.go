package components

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/codepipeline"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ArtifactRegion is a region other than the pipeline's own in which actions run. CodePipeline copies there what they read.
type ArtifactRegion struct {
	Name string
	// Provider makes resources of the pipeline's account in the region.
	Provider pulumi.ProviderResource
	// KeyArn is a key in the region; nil means AWS's own, which no other account can use.
	KeyArn pulumi.StringInput
}

// store is where the pipeline leaves artifacts in one region.
type store struct {
	bucket *closedBucket
	key    pulumi.StringInput
	region string
}

// stores declares a bucket in the pipeline's own region and in each other one, in this order.
func (c *DeliveryPipeline) stores(ctx *pulumi.Context, name string, args *DeliveryPipelineArgs) ([]*store, error) {
	own := store{key: args.KeyArn, region: args.Region}
	all := []*store{&own}
	var err error
	if own.bucket, err = newClosedBucket(ctx, name+"-artifacts", args.artifacts(args.Region, args.KeyArn), c); err != nil {
		return nil, err
	}
	for _, r := range args.ArtifactRegions {
		s := store{key: r.KeyArn, region: r.Name}
		bucket := args.artifacts(r.Name, r.KeyArn)
		bucket.provider = r.Provider
		if s.bucket, err = newClosedBucket(ctx, name+"-artifacts-"+r.Name, bucket, c); err != nil {
			return nil, err
		}
		all = append(all, &s)
	}
	return all, nil
}

// artifacts are the arguments of a region's bucket, which lets the roles read that deploy in other accounts.
func (a *DeliveryPipelineArgs) artifacts(region string, key pulumi.StringInput) closedBucketArgs {
	return closedBucketArgs{key: key, kms: true, versioned: true, days: artifactDays, allow: func(bucket pulumi.StringInput) Policy {
		var policy Policy
		for _, e := range a.Environments {
			if a.foreign(e) && e.Outputs.Region == region {
				policy = append(policy, Statement{
					Accounts: []string{e.Outputs.AccountID}, Actions: []string{"s3:GetObject", "s3:GetObjectVersion"},
					Resources:  []pulumi.StringInput{below(bucket, "/*")},
					Conditions: []Condition{ofRole(e.Outputs.DeployRoleArn)},
					Reason:     "CodePipeline names the artifacts within its own bucket",
				})
			}
		}
		return policy
	}}
}

// declared is the pipeline's argument. A store's region is only named where there are several.
func declared(stores []*store) codepipeline.PipelineArtifactStoreArray {
	var list codepipeline.PipelineArtifactStoreArray
	for _, s := range stores {
		one := &codepipeline.PipelineArtifactStoreArgs{Type: pulumi.String("S3"), Location: s.bucket.Name}
		if s.key != nil {
			one.EncryptionKey = &codepipeline.PipelineArtifactStoreEncryptionKeyArgs{Id: s.key, Type: pulumi.String("KMS")}
		}
		if len(stores) > 1 {
			one.Region = pulumi.String(s.region)
		}
		list = append(list, one)
	}
	return list
}

// ofRole is the condition that a role acts. It holds for a role that was deleted and made again too, other than a principal
// by its ARN.
func ofRole(arns ...pulumi.StringInput) Condition {
	return Condition{Operator: "ArnEquals", Key: "aws:PrincipalArn", Values: arns}
}
