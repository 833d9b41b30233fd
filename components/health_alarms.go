package components

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// HealthAlarms watches a load balancer and each of its sides. An alarm of the side that takes the traffic makes shiftfn roll
// back while the former version is still warm.
type HealthAlarms struct {
	pulumi.ResourceState

	// Arns are the single alarms' ARNs.
	Arns pulumi.StringArrayOutput
	// HealthArn is the alarm that goes off when any of them does: what people are told about, once for one fault.
	HealthArn pulumi.StringOutput
}

// HealthAlarmsArgs are the arguments of NewHealthAlarms.
type HealthAlarmsArgs struct {
	// LoadBalancerSuffix, and each side's target group suffix, are the names in CloudWatch's dimensions. Green may be nil.
	LoadBalancerSuffix pulumi.StringInput
	Blue, Green        pulumi.StringInput
	// ErrorsPerMinute is how many 5xx answers a minute are one too many.
	ErrorsPerMinute int
	// LatencyMs bounds the answer time that 99 of 100 requests keep; 0 watches none.
	LatencyMs int
	// Name begins the composite alarm's name, which AWS wants to be told: "<Name>-health".
	Name string
	// TopicArn is where the composite alarm tells people; nil tells nobody.
	TopicArn pulumi.StringInput
	// Sleeps is true for an environment that has no tasks at night: that no target is there is no fault then.
	Sleeps bool
}

// alarm is one row of the table of alarms. A row of the load balancer is declared once, one of a side for each colour.
type alarm struct {
	role, metric, description string
	ofSide                    bool
	statistic, percentile     string
	threshold                 float64
	// without is a metric that is taken off the first one, empty for none.
	without string
	// periods of 60 seconds are looked at, breaching of them must be bad.
	periods, breaching int
}

func alarms(args *HealthAlarmsArgs) []alarm {
	errors := float64(args.ErrorsPerMinute)
	table := []alarm{
		{role: "errors", metric: "HTTPCode_Target_5XX_Count", ofSide: true, statistic: "Sum", threshold: errors, periods: 3, breaching: 2,
			description: "The %s side answers with 5xx: roll back, then read its log"},
		{role: "unhealthy", metric: "UnHealthyHostCount", ofSide: true, statistic: "Maximum", threshold: 0, periods: 3, breaching: 3,
			description: "The %s side has unhealthy targets: look at its stopped tasks and its log"},
		{role: "no-answer", metric: "HTTPCode_ELB_5XX_Count", statistic: "Sum", threshold: errors, periods: 3, breaching: 2,
			description: "The load balancer itself answers with 5xx: no healthy target, or none that answers in time"},
	}
	if args.Sleeps {
		// A group without a target is answered for with 503; what targets do wrong, it is 502 or 504.
		balancer := &table[len(table)-1]
		balancer.without, balancer.description = "HTTPCode_ELB_503_Count",
			"The load balancer itself answers with 5xx: no target answers, or none in time"
	}
	if args.LatencyMs > 0 {
		table = append(table, alarm{role: "latency", metric: "TargetResponseTime", ofSide: true, percentile: "p99",
			threshold: float64(args.LatencyMs) / 1000, periods: 5, breaching: 3, description: "The %s side is slow: look at its load and its dependencies"})
	}
	return table
}

// NewHealthAlarms declares the alarms.
func NewHealthAlarms(ctx *pulumi.Context, name string, args *HealthAlarmsArgs, opts ...pulumi.ResourceOption) (*HealthAlarms, error) {
	if args == nil || args.LoadBalancerSuffix == nil || args.Blue == nil {
		return nil, fmt.Errorf("HealthAlarms: LoadBalancerSuffix and Blue are needed")
	}
	if args.Name == "" {
		return nil, fmt.Errorf("HealthAlarms: Name is needed")
	}
	c := &HealthAlarms{}
	if err := ctx.RegisterComponentResource(typeHealthAlarms, name, c, opts...); err != nil {
		return nil, err
	}
	sides := []struct {
		colour rollout.Colour
		suffix pulumi.StringInput
	}{{rollout.Blue, args.Blue}, {rollout.Green, args.Green}}
	var arns pulumi.StringArray
	var names []any
	for _, row := range alarms(args) {
		if !row.ofSide {
			one, err := c.alarm(ctx, name+"-"+row.role, row, row.description, pulumi.StringMap{"LoadBalancer": args.LoadBalancerSuffix})
			if err != nil {
				return nil, err
			}
			arns, names = append(arns, one.Arn), append(names, one.Name)
			continue
		}
		for _, side := range sides {
			if side.suffix == nil {
				continue
			}
			one, err := c.alarm(ctx, fmt.Sprintf("%s-%s-%s", name, side.colour, row.role), row, fmt.Sprintf(row.description, side.colour),
				pulumi.StringMap{"LoadBalancer": args.LoadBalancerSuffix, "TargetGroup": side.suffix})
			if err != nil {
				return nil, err
			}
			arns, names = append(arns, one.Arn), append(names, one.Name)
		}
	}
	c.Arns = arns.ToStringArrayOutput()
	if err := c.health(ctx, name, args, names); err != nil {
		return nil, err
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"arns": c.Arns, "healthArn": c.HealthArn})
}

// health declares the alarm of the alarms.
func (c *HealthAlarms) health(ctx *pulumi.Context, name string, args *HealthAlarmsArgs, names []any) error {
	composite := &cloudwatch.CompositeAlarmArgs{
		AlarmName: pulumi.String(args.Name + "-health"),
		AlarmDescription: pulumi.String("Something is wrong with " + args.Name + ": the alarms below it say what. `shiftctl status` says where " +
			"traffic is; `shiftctl rollback` returns it to the former version while that is warm"),
		AlarmRule: pulumi.All(names...).ApplyT(func(names []any) string {
			var parts []string
			for _, n := range names {
				parts = append(parts, fmt.Sprintf("ALARM(%q)", n))
			}
			return strings.Join(parts, " OR ")
		}).(pulumi.StringOutput),
	}
	if args.TopicArn != nil {
		composite.AlarmActions = pulumi.StringArray{args.TopicArn}
		composite.OkActions = pulumi.StringArray{args.TopicArn}
	}
	alarm, err := cloudwatch.NewCompositeAlarm(ctx, name+"-health", composite, pulumi.Parent(c))
	if err != nil {
		return err
	}
	c.HealthArn = alarm.Arn
	return nil
}

func (c *HealthAlarms) alarm(
	ctx *pulumi.Context, name string, row alarm, description string, dimensions pulumi.StringMap,
) (*cloudwatch.MetricAlarm, error) {
	const namespace, period = "AWS/ApplicationELB", 60
	args := &cloudwatch.MetricAlarmArgs{
		AlarmDescription:   pulumi.String(description),
		ComparisonOperator: pulumi.String("GreaterThanThreshold"),
		Threshold:          pulumi.Float64(row.threshold),
		EvaluationPeriods:  pulumi.Int(row.periods),
		DatapointsToAlarm:  pulumi.Int(row.breaching),
		// A side without traffic has no data, and that is no fault.
		TreatMissingData: pulumi.String("notBreaching"),
	}
	if row.without != "" {
		one := func(id, metric string) *cloudwatch.MetricAlarmMetricQueryArgs {
			return &cloudwatch.MetricAlarmMetricQueryArgs{Id: pulumi.String(id), Metric: &cloudwatch.MetricAlarmMetricQueryMetricArgs{
				Namespace: pulumi.String(namespace), MetricName: pulumi.String(metric), Dimensions: dimensions,
				Period: pulumi.Int(period), Stat: pulumi.String(row.statistic),
			}}
		}
		args.MetricQueries = cloudwatch.MetricAlarmMetricQueryArray{
			&cloudwatch.MetricAlarmMetricQueryArgs{
				Id: pulumi.String("rest"), Expression: pulumi.String("all - FILL(less, 0)"), ReturnData: pulumi.Bool(true),
				Label: pulumi.String(row.metric + " without " + row.without),
			},
			one("all", row.metric), one("less", row.without),
		}
		return cloudwatch.NewMetricAlarm(ctx, name, args, pulumi.Parent(c))
	}
	args.Namespace, args.MetricName = pulumi.String(namespace), pulumi.String(row.metric)
	args.Dimensions, args.Period = dimensions, pulumi.Int(period)
	if row.percentile != "" {
		args.ExtendedStatistic = pulumi.String(row.percentile)
	} else {
		args.Statistic = pulumi.String(row.statistic)
	}
	return cloudwatch.NewMetricAlarm(ctx, name, args, pulumi.Parent(c))
}
