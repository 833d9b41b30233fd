package components

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// logGroup declares a log that forgets after some days. A nil key means CloudWatch's own.
func logGroup(ctx *pulumi.Context, name string, days int, key pulumi.StringInput, parent pulumi.Resource) (*cloudwatch.LogGroup, error) {
	return cloudwatch.NewLogGroup(ctx, name, &cloudwatch.LogGroupArgs{
		RetentionInDays: pulumi.Int(days), KmsKeyId: optional(key),
	}, pulumi.Parent(parent))
}
