package components

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Dashboard shows an environment on one page: traffic, errors, latency and healthy targets by colour.
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
}

// The colours of the lines, which are those of the names.
const (
	blueLine  = "#1f77b4"
	greenLine = "#2ca02c"
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
	body := pulumi.All(args.LoadBalancerSuffix, args.Blue, greenGroup, args.ClusterName, args.BlueService, greenService,
		args.Alarms).ApplyT(func(v []any) (string, error) {
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
			widgets = append(widgets, map[string]any{
				"type": "metric", "x": 12 * (i % 2), "y": 3 + 6*(i/2), "width": 12, "height": 6,
				"properties": map[string]any{"title": p.title, "metrics": lines, "region": args.Region, "period": 60, "view": "timeSeries"},
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
