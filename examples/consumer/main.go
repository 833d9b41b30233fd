// The program of another team, which lives beside an environment that it does not own: the support team sends users of
// /help to its handbook, and hears of errors in the service's log. All that it knows of the environment are the outputs that the
// contract promises.
package main

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"

	"github.com/penguinshop/delivery/contract"
)

func main() { pulumi.Run(support) }

const (
	// rulePriority leaves the first ones to the environment's own rules, which must win.
	rulePriority = 100
	namespace    = "Support"
)

func support(ctx *pulumi.Context) error {
	own := config.New(ctx, "")
	environment, err := contract.Read(ctx, own.Require("environment"))
	if err != nil {
		return err
	}
	if _, err := lb.NewListenerRule(ctx, "help", &lb.ListenerRuleArgs{
		ListenerArn: environment.ListenerArn,
		Priority:    pulumi.Int(rulePriority),
		Conditions: lb.ListenerRuleConditionArray{&lb.ListenerRuleConditionArgs{
			PathPattern: &lb.ListenerRuleConditionPathPatternArgs{Values: pulumi.ToStringArray([]string{"/help", "/help/*"})},
		}},
		Actions: lb.ListenerRuleActionArray{&lb.ListenerRuleActionArgs{
			Type: pulumi.String("redirect"),
			Redirect: &lb.ListenerRuleActionRedirectArgs{
				Host: pulumi.String(own.Require("handbook")), Protocol: pulumi.String("HTTPS"), Port: pulumi.String("443"),
				StatusCode: pulumi.String("HTTP_302"),
			},
		}},
	}); err != nil {
		return err
	}
	errors := pulumi.Sprintf("Errors-%s", environment.Environment)
	if _, err := cloudwatch.NewLogMetricFilter(ctx, "errors", &cloudwatch.LogMetricFilterArgs{
		LogGroupName: environment.LogGroupName,
		Pattern:      pulumi.String(`{ $.level = "error" }`),
		MetricTransformation: &cloudwatch.LogMetricFilterMetricTransformationArgs{
			Namespace: pulumi.String(namespace), Name: errors, Value: pulumi.String("1"), DefaultValue: pulumi.String("0"),
		},
	}); err != nil {
		return err
	}
	alarm, err := cloudwatch.NewMetricAlarm(ctx, "errors", &cloudwatch.MetricAlarmArgs{
		AlarmDescription:   pulumi.Sprintf("%s logs errors: look at %s", environment.Environment, environment.LogGroupName),
		Namespace:          pulumi.String(namespace),
		MetricName:         errors,
		Statistic:          pulumi.String("Sum"),
		ComparisonOperator: pulumi.String("GreaterThanThreshold"),
		Threshold:          pulumi.Float64(0),
		Period:             pulumi.Int(60),
		EvaluationPeriods:  pulumi.Int(1),
		TreatMissingData:   pulumi.String("notBreaching"),
	})
	if err != nil {
		return fmt.Errorf("the alarm on the service's log: %w", err)
	}
	ctx.Export("helpUrl", pulumi.Sprintf("%s/help", environment.URL))
	ctx.Export("alarmArn", alarm.Arn)
	return nil
}
