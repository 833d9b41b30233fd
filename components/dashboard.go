package components

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/shiftfn/record"
)

// Dashboard shows an environment on one page: traffic, errors, latency and healthy targets by colour, and the releases. CloudWatch
// draws only annotations that stand in the page itself, so releases are annotated by what the function writes down: the weight
// of green is a line over the requests while a shift goes on, and the ends of the shifts are a list.
type Dashboard struct {
	pulumi.ResourceState

	Name pulumi.StringOutput
}

// DashboardArgs are the arguments of NewDashboard.
type DashboardArgs struct {
	// DashboardName must be given: dashboards are found by their names, in one list for the account.
	DashboardName, Region string
	LoadBalancerSuffix    pulumi.StringInput
	Blue, Green           pulumi.StringInput
	ClusterName           pulumi.StringInput
	BlueService           pulumi.StringInput
	// GreenService may be nil, with Green.
	GreenService pulumi.StringInput
	// Alarms are the ARNs whose states the page shows on top.
	Alarms pulumi.StringArrayInput
	// Environment is the name that the traffic-shifting function writes down, ShiftLog its log group; nil where there is none.
	Environment string
	ShiftLog    pulumi.StringInput
}

// weightNamespace and weightMetric are the metric that the function's ticks become.
const (
	weightNamespace = "Penguinshop"
	weightMetric    = "GreenWeight"
	weightDimension = "Environment"
)

// The colours of the lines, which are those of the names.
const (
	blueLine  = "#1f77b4"
	greenLine = "#2ca02c"
	// weightLine is neither colour's.
	weightLine = "#9467bd"
)

// panel is one chart: a metric of each side.
type panel struct {
	title, metric, statistic string
	// of names the metric's owner: the target group, or the service.
	ofService bool
}

// The share of the traffic, which is what the weights come to, is the requests' own picture.
var panels = []panel{
	{"Requests by colour (the weights as users meet them)", "RequestCount", "Sum", false},
	{"Answers with 5xx by colour", "HTTPCode_Target_5XX_Count", "Sum", false},
	{"Latency by colour, 95th percentile", "TargetResponseTime", "p95", false},
	{"Healthy targets by colour", "HealthyHostCount", "Minimum", false},
	{"CPU by colour, percent", "CPUUtilization", "Average", true},
	{"Memory by colour, percent", "MemoryUtilization", "Average", true},
}

// NewDashboard declares the page.
func NewDashboard(ctx *pulumi.Context, name string, args *DashboardArgs, opts ...pulumi.ResourceOption) (*Dashboard, error) {
	if args == nil || args.DashboardName == "" || args.Region == "" || args.LoadBalancerSuffix == nil || args.Blue == nil || args.Alarms == nil {
		return nil, fmt.Errorf("Dashboard: DashboardName, Region, LoadBalancerSuffix, Blue and Alarms are needed")
	}
	c := &Dashboard{}
	if err := ctx.RegisterComponentResource(typeDashboard, name, c, opts...); err != nil {
		return nil, err
	}
	none := pulumi.String("")
	greenGroup, greenService := pulumi.StringInput(none), pulumi.StringInput(none)
	if args.Green != nil {
		greenGroup, greenService = args.Green, args.GreenService
	}
	shiftLog := pulumi.StringInput(none)
	if args.ShiftLog != nil {
		shiftLog = args.ShiftLog
		if err := weight(ctx, name, args.ShiftLog, c); err != nil {
			return nil, err
		}
	}
	body := pulumi.All(args.LoadBalancerSuffix, args.Blue, greenGroup, args.ClusterName, args.BlueService, greenService,
		args.Alarms, shiftLog).ApplyT(func(v []any) (string, error) {
		balancer, cluster := v[0].(string), v[3].(string)
		groups, services := []string{v[1].(string), v[2].(string)}, []string{v[4].(string), v[5].(string)}
		widgets := []map[string]any{{
			"type": "alarm", "x": 0, "y": 0, "width": 24, "height": 3,
			"properties": map[string]any{"title": "Health", "alarms": v[6]},
		}}
		for i, p := range panels {
			var lines [][]any
			for side, group := range groups {
				if group == "" {
					continue
				}
				look := map[string]any{"stat": p.statistic, "color": []string{blueLine, greenLine}[side], "label": []string{"blue", "green"}[side]}
				if p.ofService {
					lines = append(lines, []any{"AWS/ECS", p.metric, "ClusterName", cluster, "ServiceName", services[side], look})
				} else {
					lines = append(lines, []any{"AWS/ApplicationELB", p.metric, "LoadBalancer", balancer, "TargetGroup", group, look})
				}
			}
			properties := map[string]any{
				"title": p.title, "metrics": lines, "region": args.Region, "period": 60, "view": "timeSeries",
			}
			if i == 0 && v[7] != "" {
				properties["metrics"] = append(lines, []any{weightNamespace, weightMetric, weightDimension, args.Environment, map[string]any{
					"stat": "Maximum", "yAxis": "right", "color": weightLine, "label": "weight of green while a release goes on, percent",
				}})
				properties["yAxis"] = map[string]any{"right": map[string]any{"min": 0, "max": 100}}
			}
			widgets = append(widgets, map[string]any{
				"type": "metric", "x": 12 * (i % 2), "y": 3 + 6*(i/2), "width": 12, "height": 6,
				"properties": properties,
			})
		}
		if v[7] != "" {
			widgets = append(widgets, map[string]any{
				"type": "log", "x": 0, "y": 3 + 6*((len(panels)+1)/2), "width": 24, "height": 6,
				"properties": map[string]any{
					"title": "Releases, the newest first", "region": args.Region, "view": "table",
					"query": fmt.Sprintf("SOURCE '%s' | filter %s = '%s' | sort @timestamp desc | limit 20 | display @timestamp, %s, %s.release.commit, %s.reason",
						v[7], record.Message, record.Ended, record.Outcome, record.Event, record.Event),
				},
			})
		}
		text, err := json.Marshal(map[string]any{"widgets": widgets})
		return string(text), err
	}).(pulumi.StringOutput)
	page, err := cloudwatch.NewDashboard(ctx, name+"-page", &cloudwatch.DashboardArgs{
		DashboardName: pulumi.String(args.DashboardName), DashboardBody: body,
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	c.Name = page.DashboardName
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"name": c.Name})
}

// weight declares the metric of green's weight, which has values only while a shift goes on.
func weight(ctx *pulumi.Context, name string, shiftLog pulumi.StringInput, parent pulumi.Resource) error {
	_, err := cloudwatch.NewLogMetricFilter(ctx, name+"-weight", &cloudwatch.LogMetricFilterArgs{
		LogGroupName: shiftLog,
		Pattern:      pulumi.Sprintf(`{ $.%s = "%s" }`, record.Message, record.Tick),
		MetricTransformation: &cloudwatch.LogMetricFilterMetricTransformationArgs{
			Namespace: pulumi.String(weightNamespace), Name: pulumi.String(weightMetric), Unit: pulumi.String("Percent"),
			Value:      pulumi.String("$." + record.Green),
			Dimensions: pulumi.StringMap{weightDimension: pulumi.String("$." + record.Environment)},
		},
	}, pulumi.Parent(parent))
	return err
}
