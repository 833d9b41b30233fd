package components

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/scheduler"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/shiftfn/settings"
)

// nights puts the environment to sleep and wakes it by the clock. The schedules call the function, for it alone knows which
// colour is live: at the wake-up that one must come back, whichever it is by then.
func (c *TrafficShift) nights(
	ctx *pulumi.Context, name string, args *TrafficShiftArgs, group *scheduler.ScheduleGroup, caller *iam.Role, function *lambda.Function,
) error {
	if args.Sleep == nil {
		return nil
	}
	nights, _ := args.Sleep.Nights() // validate has refused wrong ones
	sleep, wake := nights.Crons()
	for _, call := range []struct{ command, at, does string }{
		{settings.CommandSleep, sleep, "Puts %s to zero tasks for the night"},
		{settings.CommandWake, wake, "Gives the live side of %s its tasks back"},
	} {
		_, err := scheduler.NewSchedule(ctx, name+"-"+call.command, &scheduler.ScheduleArgs{
			GroupName:                  group.Name,
			Description:                pulumi.String(fmt.Sprintf(call.does, args.Environment)),
			ScheduleExpression:         pulumi.String(call.at),
			ScheduleExpressionTimezone: pulumi.String(nights.Zone()),
			FlexibleTimeWindow:         &scheduler.ScheduleFlexibleTimeWindowArgs{Mode: pulumi.String("OFF")},
			Target: &scheduler.ScheduleTargetArgs{
				Arn: function.Arn, RoleArn: caller.Arn, Input: pulumi.String(settings.ScheduledCall(call.command)),
				RetryPolicy: &scheduler.ScheduleTargetRetryPolicyArgs{
					MaximumEventAgeInSeconds: pulumi.Int(eventSeconds), MaximumRetryAttempts: pulumi.Int(10),
				},
			},
		}, pulumi.Parent(group))
		if err != nil {
			return err
		}
	}
	return nil
}
