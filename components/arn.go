package components

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// mapArn makes an ARN of a related resource out of one that AWS gave, so that partition, region and account are never
// written by hand.
func mapArn(arn pulumi.StringInput, change func(string) string) pulumi.StringOutput {
	return arn.ToStringOutput().ApplyT(change).(pulumi.StringOutput)
}

// below appends to an ARN.
func below(arn pulumi.StringInput, suffix string) pulumi.StringOutput {
	return mapArn(arn, func(a string) string { return a + suffix })
}

// serviceArn is the ARN of an ECS service, from its cluster's and its name.
func serviceArn(clusterArn, serviceName pulumi.StringInput) pulumi.StringOutput {
	return pulumi.All(clusterArn, serviceName).ApplyT(func(v []any) string {
		return strings.Replace(v[0].(string), ":cluster/", ":service/", 1) + "/" + v[1].(string)
	}).(pulumi.StringOutput)
}

// tasksArn matches every task of an ECS cluster.
func tasksArn(clusterArn pulumi.StringInput) pulumi.StringOutput {
	return mapArn(clusterArn, func(a string) string { return strings.Replace(a, ":cluster/", ":task/", 1) + "/*" })
}

// revisionsArn matches every revision of a task definition's family, from the ARN of one of them.
func revisionsArn(taskDefinitionArn pulumi.StringInput) pulumi.StringOutput {
	return mapArn(taskDefinitionArn, func(a string) string {
		if at := strings.LastIndex(a, ":"); at >= 0 {
			a = a[:at]
		}
		return a + ":*"
	})
}

// scheduleArn is the ARN of a schedule in an EventBridge Scheduler group.
func scheduleArn(groupArn pulumi.StringInput, name string) pulumi.StringOutput {
	return mapArn(groupArn, func(a string) string {
		return strings.Replace(a, ":schedule-group/", ":schedule/", 1) + "/" + name
	})
}

// sibling is the ARN of another resource of the same account and region: its service and the part after the account.
func sibling(arn pulumi.StringInput, service, rest string) pulumi.StringOutput {
	return mapArn(arn, func(a string) string {
		parts := strings.SplitN(a, ":", 6) // arn:partition:service:region:account:rest
		if len(parts) < 6 {
			return a
		}
		parts[2], parts[5] = service, rest
		return strings.Join(parts, ":")
	})
}

// moved is an ARN with another region and account in it.
func moved(arn pulumi.StringInput, region, account string) pulumi.StringOutput {
	return mapArn(arn, func(a string) string {
		parts := strings.SplitN(a, ":", 6)
		if len(parts) == 6 {
			parts[3], parts[4] = region, account
		}
		return strings.Join(parts, ":")
	})
}
