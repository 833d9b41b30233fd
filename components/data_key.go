package components

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// DataKey is the key that a stack's data rests under: its logs, and what its pipeline hands on. AWS rotates it every year.
type DataKey struct {
	pulumi.ResourceState

	// Arn resolves with the key's policy, so that what uses it may do so.
	Arn pulumi.StringOutput
}

// DataKeyArgs are the arguments of NewDataKey.
type DataKeyArgs struct {
	// Description says whose key it is.
	Description string
	// AccountID and Region are where the key and the log groups that use it lie; Partition is "aws" outside China and GovCloud.
	AccountID, Region, Partition string
	// Readers are roles of other accounts that may read what rests in S3 under the key.
	Readers []KeyReader
}

// KeyReader is a role of another account.
type KeyReader struct {
	AccountID string
	RoleArn   pulumi.StringInput
}

// keyWaitingDays is how long a deleted key can be taken back, the most that AWS allows: without it the logs are gone.
const keyWaitingDays = 30

// NewDataKey declares the key. The account's own policies decide who else may use it.
func NewDataKey(ctx *pulumi.Context, name string, args *DataKeyArgs, opts ...pulumi.ResourceOption) (*DataKey, error) {
	if args == nil || args.AccountID == "" || args.Region == "" || args.Partition == "" {
		return nil, fmt.Errorf("DataKey: AccountID, Region and Partition are needed")
	}
	this := []pulumi.StringInput{pulumi.String("*")}
	policy := Policy{
		{
			Accounts: []string{args.AccountID}, Actions: []string{"kms:*"}, Resources: this,
			Reason: "in a key's own policy this means the key and without it nobody could administer it",
		},
		{
			Services:  []string{"logs." + args.Region + ".amazonaws.com"},
			Actions:   []string{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"},
			Resources: this,
			Conditions: []Condition{{"ArnLike", "kms:EncryptionContext:aws:logs:arn", []pulumi.StringInput{
				pulumi.Sprintf("arn:%s:logs:%s:%s:log-group:*", args.Partition, args.Region, args.AccountID),
			}}},
			Reason: "in a key's own policy this means the key",
		},
		{
			Services:   []string{"cloudwatch.amazonaws.com", "events.amazonaws.com"},
			Actions:    []string{"kms:Decrypt", "kms:GenerateDataKey*"},
			Resources:  this,
			Conditions: []Condition{Equals("aws:SourceAccount", pulumi.String(args.AccountID))},
			Reason:     "in a key's own policy this means the key which notifications rest under as well",
		},
	}
	for _, r := range args.Readers {
		policy = append(policy, Statement{
			Accounts: []string{r.AccountID}, Actions: []string{"kms:Decrypt"}, Resources: this,
			Conditions: []Condition{ofRole(r.RoleArn), Equals("kms:ViaService", pulumi.String("s3."+args.Region+".amazonaws.com"))},
			Reason:     "in a key's own policy this means the key",
		})
	}
	document, err := policy.Document()
	if err != nil {
		return nil, err
	}
	c := &DataKey{}
	if err := ctx.RegisterComponentResource(typeDataKey, name, c, opts...); err != nil {
		return nil, err
	}
	key, err := kms.NewKey(ctx, name+"-key", &kms.KeyArgs{
		Description:          pulumi.String(args.Description),
		EnableKeyRotation:    pulumi.Bool(true),
		DeletionWindowInDays: pulumi.Int(keyWaitingDays),
		Policy:               document,
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	c.Arn = key.Arn
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"arn": c.Arn})
}

// useKey lets a role read and write what rests under a key; none where there is no key.
func useKey(key pulumi.StringInput) Policy {
	if key == nil {
		return nil
	}
	return Policy{{
		Actions:   []string{"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
		Resources: []pulumi.StringInput{key},
	}}
}

// optional is an input that may be nil, as the resources' own arguments want it.
func optional(text pulumi.StringInput) pulumi.StringPtrInput {
	if text == nil {
		return nil
	}
	return text.ToStringOutput().ToStringPtrOutput()
}
