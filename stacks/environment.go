package stacks

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/components"
	"github.com/penguinshop/delivery/contract"
)

// The components' names in an environment, short because some of AWS's names are.
const (
	networkComponent   = "network"
	endpointsComponent = "endpoints"
	flowComponent      = "connections"
	dashboardComponent = "dashboard"
	albComponent       = "web"
	ecsComponent       = "app"
	alarmsComponent    = "alarms"
	shiftComponent     = "shift"
	deployComponent    = "deploy"
)

const (
	// containerName and containerPort are the app's; its image definitions name the container.
	containerName = "app"
	containerPort = 8080
	// stopSeconds lets the app, which gives itself 25 seconds, finish and log before ECS kills it.
	stopSeconds   = 30
	previewHeader = "X-Penguinshop-Preview"
)

// ownVariables are the container's environment variables that the program sets. PODINFO_PORT is for the placeholder image
// alone; the app does not know it.
var ownVariables = []string{components.ColourVariable, "PORT", "PODINFO_PORT"}

// environment declares one environment and exports what the contract promises.
func environment(ctx *pulumi.Context, c Config, archive Archive) error {
	home, err := settle(ctx, c)
	if err != nil {
		return err
	}
	place, err := network(ctx, c, home)
	if err != nil {
		return err
	}
	blueGreen := c.Strategy == contract.BlueGreen
	alb, err := loadBalancer(ctx, c, place, home.account, !blueGreen)
	if err != nil {
		return err
	}
	service, err := tasks(ctx, c, place, alb, home)
	if err != nil {
		return err
	}
	watch := &components.HealthAlarmsArgs{
		LoadBalancerSuffix: alb.LoadBalancerSuffix, Blue: alb.Blue.Suffix,
		ErrorsPerMinute: c.Alarms.ErrorsPerMinute, LatencyMs: c.Alarms.LatencyMs,
		Name: ctx.Project() + "-" + ctx.Stack(), TopicArn: home.topic, Sleeps: c.Sleep != nil,
	}
	if blueGreen {
		watch.Green = alb.Green.Suffix
	}
	alarms, err := components.NewHealthAlarms(ctx, alarmsComponent, watch)
	if err != nil {
		return err
	}
	outputs := contract.Environment{
		Environment:           pulumi.String(ctx.Stack()),
		Region:                home.region,
		AccountID:             home.account,
		Strategy:              c.Strategy,
		URL:                   alb.URL,
		ClusterName:           service.ClusterName,
		ClusterArn:            service.ClusterArn,
		ContainerName:         pulumi.String(containerName),
		BlueServiceName:       service.Blue.ServiceName,
		BlueTaskDefinitionArn: service.Blue.TaskDefinitionArn,
		TaskRoleArn:           service.TaskRoleArn,
		ExecutionRoleArn:      service.ExecutionRoleArn,
		LoadBalancerArn:       alb.LoadBalancerArn,
		ListenerArn:           alb.ListenerArn,
		BlueTargetGroupArn:    alb.Blue.Arn,
		LogGroupName:          service.LogGroupName,
	}
	page := dashboardArgs(ctx, home.region, alb, service, alarms)
	if blueGreen {
		shift, err := trafficShift(ctx, c, alb, service, alarms, home.key, archive)
		if err != nil {
			return err
		}
		page.ShiftLog = shift.LogGroupName
		plan, _ := c.Rollout.Plan() // read has checked it
		outputs.GreenServiceName = service.Green.ServiceName
		outputs.GreenTaskDefinitionArn = service.Green.TaskDefinitionArn
		outputs.GreenTargetGroupArn = alb.Green.Arn
		outputs.PreviewRuleArn = alb.PreviewRuleArn
		outputs.PreviewHeaderName = pulumi.String(alb.PreviewHeader)
		outputs.PreviewParameterName = alb.PreviewParameterName
		outputs.ShiftFunctionName = shift.FunctionName
		outputs.ShiftFunctionArn = shift.FunctionArn
		outputs.ShiftPlan = pulumi.String(plan.String())
	}
	if c.Dashboard {
		if _, err := components.NewDashboard(ctx, dashboardComponent, page); err != nil {
			return err
		}
	}
	if err := deployAccess(ctx, c, home, &outputs); err != nil {
		return err
	}
	return contract.Export(ctx, outputs)
}

func loadBalancer(ctx *pulumi.Context, c Config, place *place, account string, singleSide bool) (*components.BlueGreenAlb, error) {
	args := &components.BlueGreenAlbArgs{
		VpcID: place.vpc, Subnets: place.public, Port: containerPort,
		IngressCidrs: c.LoadBalancer.IngressCidrs,
		SingleSide:   singleSide,
		HealthCheck: components.HealthCheck{
			Path: c.LoadBalancer.HealthCheck.Path, Status: c.LoadBalancer.HealthCheck.Status,
			IntervalSeconds: c.LoadBalancer.HealthCheck.IntervalSeconds, TimeoutSeconds: c.LoadBalancer.HealthCheck.TimeoutSeconds,
			HealthyCount: c.LoadBalancer.HealthCheck.HealthyCount, UnhealthyCount: c.LoadBalancer.HealthCheck.UnhealthyCount,
		},
		DeregistrationDelaySeconds: c.LoadBalancer.DeregistrationDelaySeconds,
		IdleTimeoutSeconds:         c.LoadBalancer.IdleTimeoutSeconds,
		DeletionProtection:         c.LoadBalancer.DeletionProtection && c.Unprotected == "",
		AccessLogDays:              c.LoadBalancer.AccessLogDays,
		AccountID:                  account,
		Protect:                    c.Unprotected == "",
	}
	if c.HTTPS != nil {
		args.Domain = c.HTTPS.Domain
		if c.HTTPS.CertificateArn != "" {
			args.CertificateArn = pulumi.String(c.HTTPS.CertificateArn)
		}
		if c.HTTPS.HostedZoneID != "" {
			args.HostedZoneID = pulumi.String(c.HTTPS.HostedZoneID)
		}
	}
	if !singleSide {
		// A value for the case that this is the first `up`; afterwards the parameter's own value stands. A value from here
		// needs no further provider, and the component stays free of chance.
		args.PreviewHeader, args.PreviewSecret = previewHeader, pulumi.String(rand.Text())
	}
	return components.NewBlueGreenAlb(ctx, albComponent, args)
}

func tasks(
	ctx *pulumi.Context, c Config, place *place, alb *components.BlueGreenAlb, home home,
) (*components.EcsEnvironment, error) {
	side := func(group *components.TargetGroup) *components.EcsSideArgs {
		if group == nil {
			return nil
		}
		return &components.EcsSideArgs{
			TargetGroupArn: group.Arn,
			RequestLabel:   pulumi.Sprintf("%s/%s", alb.LoadBalancerSuffix, group.Suffix),
		}
	}
	port := fmt.Sprint(containerPort)
	told := map[string]string{"PORT": port, "PODINFO_PORT": port}
	maps.Copy(told, c.Service.Environment)
	return components.NewEcsEnvironment(ctx, ecsComponent, &components.EcsEnvironmentArgs{
		Family:              ctx.Project() + "-" + ctx.Stack(),
		Region:              home.region,
		Repositories:        repositories(c),
		ForeignRepositories: foreignRepositories(c),
		Subnets:             place.tasks,
		PublicIP:            place.publicTasks,
		SecurityGroups:      pulumi.StringArray{alb.TaskSecurityGroupID},
		Blue:                side(alb.Blue),
		Green:               side(alb.Green),
		Container: components.Container{
			Name: containerName, Image: c.Service.PlaceholderImage, Port: containerPort,
			Environment: told, Secrets: c.Service.Secrets, StopSeconds: stopSeconds,
		},
		Size:         components.FargateSize{CPUUnits: c.Service.CPU, MemoryMiB: c.Service.MemoryMiB},
		Architecture: map[string]string{"arm64": "ARM64", "x86_64": "X86_64"}[c.Service.Architecture],
		Scaling: components.Scaling{
			Minimum: c.Service.Minimum, Maximum: c.Service.Maximum,
			CPUPercent: c.Service.CPUPercent, RequestsPerTarget: c.Service.RequestsPerTarget,
		},
		SpotPercent:        c.Service.SpotPercent,
		ZoneRebalancing:    c.Service.ZoneRebalancing,
		HealthGraceSeconds: c.Service.HealthGraceSeconds,
		ContainerInsights:  c.Service.ContainerInsights,
		LogRetentionDays:   c.LogRetentionDays,
		KeyArn:             home.key,
		ExecuteCommand:     c.Service.ExecuteCommand,
		Protect:            c.Unprotected == "",
	})
}

// repositories are those that the tasks' start may pull from: that of the releases, and that of a placeholder in ECR.
func repositories(c Config) []string {
	var names []string
	if c.Tools == nil {
		names = append(names, c.EcrRepository)
	}
	if found := privateRepository.FindStringSubmatch(c.Service.PlaceholderImage); found != nil && !slices.Contains(names, found[1]) {
		names = append(names, found[1])
	}
	return names
}

// foreignRepositories are that of the releases, where it is of another account or region.
func foreignRepositories(c Config) []components.ForeignRepository {
	if c.Tools == nil {
		return nil
	}
	return []components.ForeignRepository{{AccountID: c.Tools.AccountID, Region: c.Tools.Region, Name: c.EcrRepository}}
}

func dashboardArgs(
	ctx *pulumi.Context, region string, alb *components.BlueGreenAlb, service *components.EcsEnvironment, alarms *components.HealthAlarms,
) *components.DashboardArgs {
	args := &components.DashboardArgs{
		DashboardName: ctx.Project() + "-" + ctx.Stack(), Region: region, Environment: ctx.Stack(),
		LoadBalancerSuffix: alb.LoadBalancerSuffix, Blue: alb.Blue.Suffix,
		ClusterName: service.ClusterName, BlueService: service.Blue.ServiceName, Alarms: alarms.Arns,
	}
	if alb.Green != nil {
		args.Green, args.GreenService = alb.Green.Suffix, service.Green.ServiceName
	}
	return args
}

func trafficShift(
	ctx *pulumi.Context, c Config, alb *components.BlueGreenAlb, service *components.EcsEnvironment,
	alarms *components.HealthAlarms, key pulumi.StringInput, archive Archive,
) (*components.TrafficShift, error) {
	code, err := archive(ctx.Context(), directory(ctx))
	if err != nil {
		return nil, err
	}
	side := func(s *components.ColourService, group *components.TargetGroup) components.TrafficSide {
		return components.TrafficSide{
			ServiceName: s.ServiceName, ServiceArn: s.ServiceArn, TaskDefinitionArn: s.TaskDefinitionArn, TargetGroupArn: group.Arn,
			ScalableTargetArn: s.ScalableTargetArn,
		}
	}
	return components.NewTrafficShift(ctx, shiftComponent, &components.TrafficShiftArgs{
		Environment:          ctx.Stack(),
		FunctionName:         fmt.Sprintf("%s-%s-%s", ctx.Project(), ctx.Stack(), shiftComponent),
		Code:                 code,
		Policy:               c.Rollout,
		MinimumTasks:         c.Service.Minimum,
		ClusterName:          service.ClusterName,
		ClusterArn:           service.ClusterArn,
		ContainerName:        containerName,
		ApplicationLogName:   service.LogGroupName,
		ApplicationLogArn:    service.LogGroupArn,
		URL:                  alb.URL,
		LoadBalancerArn:      alb.LoadBalancerArn,
		ListenerArn:          alb.ListenerArn,
		PreviewRuleArn:       alb.PreviewRuleArn,
		PreviewHeader:        alb.PreviewHeader,
		PreviewParameterName: alb.PreviewParameterName,
		PreviewParameterArn:  alb.PreviewParameterArn,
		Blue:                 side(service.Blue, alb.Blue),
		Green:                side(service.Green, alb.Green),
		Alarms:               alarms.Arns,
		LogRetentionDays:     c.LogRetentionDays,
		KeyArn:               key,
		Sleep:                c.Sleep,
	})
}

// directory is the project's folder.
func directory(ctx *pulumi.Context) string {
	if dir := ctx.RootDirectory(); dir != "" {
		return dir
	}
	return "."
}
