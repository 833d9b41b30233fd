package components

import (
	"fmt"
	"net/mail"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Notifications is the topic through which people hear of alarms and deliveries.
type Notifications struct {
	pulumi.ResourceState

	// TopicArn resolves with the topic's policy, so that what publishes there may do so.
	TopicArn pulumi.StringOutput
}

// NotificationsArgs are the arguments of NewNotifications.
type NotificationsArgs struct {
	// Emails are who is told. AWS asks each of them for a confirmation first.
	Emails []string
	// AccountID is the account whose alarms and events may publish.
	AccountID string
	// KeyArn is the key that messages rest under, whose policy must let CloudWatch and EventBridge use it; nil means none.
	KeyArn pulumi.StringInput
}

// NewNotifications declares the topic and its subscribers.
func NewNotifications(ctx *pulumi.Context, name string, args *NotificationsArgs, opts ...pulumi.ResourceOption) (*Notifications, error) {
	if args == nil || len(args.Emails) == 0 || args.AccountID == "" {
		return nil, fmt.Errorf("Notifications: Emails and AccountID are needed")
	}
	for _, address := range args.Emails {
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			return nil, fmt.Errorf("Notifications: %q is not an e-mail address", address)
		}
	}
	c := &Notifications{}
	if err := ctx.RegisterComponentResource(typeNotifications, name, c, opts...); err != nil {
		return nil, err
	}
	topic, err := sns.NewTopic(ctx, name+"-topic", &sns.TopicArgs{KmsMasterKeyId: optional(args.KeyArn)}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	document, err := Policy{{
		Services: []string{"cloudwatch.amazonaws.com", "events.amazonaws.com"}, Actions: []string{"sns:Publish"},
		Resources:  []pulumi.StringInput{topic.Arn},
		Conditions: []Condition{Equals("aws:SourceAccount", pulumi.String(args.AccountID))},
	}}.Document()
	if err != nil {
		return nil, err
	}
	policy, err := sns.NewTopicPolicy(ctx, name+"-topic", &sns.TopicPolicyArgs{Arn: topic.Arn, Policy: document}, pulumi.Parent(topic))
	if err != nil {
		return nil, err
	}
	for i, address := range args.Emails {
		if _, err := sns.NewTopicSubscription(ctx, fmt.Sprintf("%s-%d", name, i+1), &sns.TopicSubscriptionArgs{
			Topic: topic.Arn, Protocol: pulumi.String("email"), Endpoint: pulumi.String(address),
		}, pulumi.Parent(topic)); err != nil {
			return nil, err
		}
	}
	c.TopicArn = policy.Arn
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"topicArn": c.TopicArn})
}
