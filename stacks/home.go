package stacks

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/components"
)

// home is the part of AWS that a stack stands in, with what everything in the stack shares.
type home struct {
	partition, dnsSuffix, region, account string
	// key is what data rests under; nil means AWS's own keys.
	key pulumi.StringInput
	// topic is where people are told; nil where there is nobody to tell.
	topic pulumi.StringInput
}

// settle asks the provider where the stack stands, and declares the key and the topic that the config wants.
func settle(ctx *pulumi.Context, c Config) (home, error) {
	h, err := locate(ctx)
	if err != nil {
		return home{}, err
	}
	return h, h.furnish(ctx, c, nil)
}

// furnish declares the key, which the readers may use as well, and the topic.
func (h *home) furnish(ctx *pulumi.Context, c Config, readers []components.KeyReader) (err error) {
	if h.key, err = h.dataKey(ctx, c, keyComponent, readers); err != nil {
		return err
	}
	h.topic, err = h.notifications(ctx, c)
	return err
}

// locate asks the provider where it works.
func locate(ctx *pulumi.Context) (home, error) {
	region, err := aws.GetRegion(ctx, nil)
	if err != nil {
		return home{}, fmt.Errorf("the AWS region: %w", err)
	}
	account, err := aws.GetCallerIdentity(ctx, nil)
	if err != nil {
		return home{}, fmt.Errorf("the AWS account: %w", err)
	}
	partition, err := aws.GetPartition(ctx, nil)
	if err != nil {
		return home{}, fmt.Errorf("the AWS partition: %w", err)
	}
	return home{partition: partition.Partition, dnsSuffix: partition.DnsSuffix, region: region.Name, account: account.AccountId}, nil
}

const (
	keyComponent           = "data"
	notificationsComponent = "news"
)

// dataKey declares the stack's own key where the config wants one; nil otherwise.
func (h home) dataKey(
	ctx *pulumi.Context, c Config, name string, readers []components.KeyReader, opts ...pulumi.ResourceOption,
) (pulumi.StringInput, error) {
	if !c.CustomerKey {
		return nil, nil
	}
	key, err := components.NewDataKey(ctx, name, &components.DataKeyArgs{
		Description: "Logs and artifacts of " + ctx.Project() + " " + ctx.Stack(),
		AccountID:   h.account, Region: h.region, Partition: h.partition,
		Readers: readers,
	}, opts...)
	if err != nil {
		return nil, err
	}
	return key.Arn, nil
}

// notifications declares the topic through which people are told; nil where there is nobody to tell.
func (h home) notifications(ctx *pulumi.Context, c Config) (pulumi.StringInput, error) {
	if len(c.Notifications.Emails) == 0 {
		return nil, nil
	}
	topic, err := components.NewNotifications(ctx, notificationsComponent, &components.NotificationsArgs{
		Emails: c.Notifications.Emails, AccountID: h.account, KeyArn: h.key,
	})
	if err != nil {
		return nil, err
	}
	return topic.TopicArn, nil
}
