package plan

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/penguinshop/delivery/prices"
	"github.com/penguinshop/delivery/sandbox/graph"
)

// Cost is what one thing costs a month at rest.
type Cost struct {
	// Resource is the URN.
	Resource string
	// What says what is paid for, with the quantity: "2 tasks of 0.25 vCPU and 0.5 GB (arm64)".
	What       string
	MonthlyUSD float64
}

// estimate collects the costs of one stack.
type estimate struct {
	prices.Table
	graph *graph.Graph
	lines []Cost
	// notes are assumptions that a line made.
	notes map[string]bool
}

func (e *estimate) add(r graph.Resource, monthly float64, format string, values ...any) {
	e.lines = append(e.lines, Cost{Resource: r.URN, What: fmt.Sprintf(format, values...), MonthlyUSD: cents(monthly)})
}

func cents(usd float64) float64 { return math.Round(usd*100) / 100 }

// costs prices every resource of a stack at rest, in URN order, and says what it assumed.
func costs(g *graph.Graph) ([]Cost, []string) {
	e := &estimate{Table: prices.Read(), graph: g, notes: map[string]bool{}}
	unpriced := map[string]bool{}
	for _, r := range g.Resources {
		if !r.Custom || r.Read {
			continue
		}
		if charge, ok := charges[r.Type]; ok {
			charge(e, r)
		} else if !free(r.Type) {
			unpriced[shortType(r.Type)] = true
		}
	}
	assumptions := []string{fmt.Sprintf(
		"Prices of %s for %s, without tax and free tier; a month has %.0f hours.", e.AsOf, e.Region, e.HoursPerMonth),
		"At rest: no request, no delivery, no log line; every service runs the number of tasks that is declared."}
	if region := g.Config["aws:region"]; region != "" && region != e.Region {
		assumptions = append(assumptions, fmt.Sprintf("The stack is in %s, where prices differ from %s's.", region, e.Region))
	}
	assumptions = append(assumptions, slices.Sorted(maps.Keys(e.notes))...)
	if len(unpriced) > 0 {
		assumptions = append(assumptions, "No price is known here for "+strings.Join(slices.Sorted(maps.Keys(unpriced)), ", ")+".")
	}
	return e.lines, assumptions
}

// charges price the types that cost something while they stand idle, or by what is stored or used.
var charges = map[string]func(*estimate, graph.Resource){
	"aws:ecs/service:Service":                      service,
	"aws:lb/loadBalancer:LoadBalancer":             balancer,
	"aws:ec2/natGateway:NatGateway":                perHour("natGatewayHour", "NAT gateway; each GB through it costs the same as an hour"),
	"aws:ec2/eip:Eip":                              perHour("publicAddressHour", "public address"),
	"aws:ec2/vpcEndpoint:VpcEndpoint":              endpoint,
	"aws:cloudwatch/metricAlarm:MetricAlarm":       alarm,
	"aws:cloudwatch/compositeAlarm:CompositeAlarm": perMonth("alarmComposite", "composite alarm"),
	"aws:cloudwatch/dashboard:Dashboard":           perMonth("dashboard", "dashboard"),
	"aws:cloudwatch/logGroup:LogGroup":             logs,
	"aws:codepipeline/pipeline:Pipeline":           pipeline,
	"aws:codebuild/project:Project":                builds,
	"aws:kms/key:Key":                              perMonth("key", "key; two yearly rotations add a price each"),
	"aws:secretsmanager/secret:Secret":             perMonth("secret", "secret"),
	"aws:ssm/parameter:Parameter":                  storedParameter,
	"aws:ecr/repository:Repository":                images,
	"aws:s3/bucket:Bucket":                         objects,
	"aws:s3/bucketV2:BucketV2":                     objects,
	"aws:route53/zone:Zone":                        perMonth("hostedZone", "hosted zone"),
	"aws:ecs/cluster:Cluster":                      insights,
	"aws:ec2/flowLog:FlowLog":                      logs,
}

// free tells whether a type costs nothing by itself: it is configuration, or is paid for by use alone.
func free(typ string) bool {
	return slices.ContainsFunc([]string{
		"pulumi:", "github:", "random:", "aws:iam/", "aws:ec2/", "aws:vpc/", "aws:lb/", "aws:ecs/", "aws:appautoscaling/", "aws:ecr/",
		"aws:s3/", "aws:lambda/", "aws:sns/", "aws:scheduler/", "aws:acm/", "aws:route53/record", "aws:kms/", "aws:codestar",
		"aws:codeconnections/", "aws:cloudwatch/event", "aws:cloudwatch/log", "aws:cloudwatch/query", "aws:secretsmanager/",
	}, func(prefix string) bool { return strings.HasPrefix(typ, prefix) })
}

func perHour(name, what string) func(*estimate, graph.Resource) {
	return func(e *estimate, r graph.Resource) { e.add(r, e.Month(name), "%s", what) }
}

func perMonth(name, what string) func(*estimate, graph.Resource) {
	return func(e *estimate, r graph.Resource) { e.add(r, e.USD(name), "%s", what) }
}

func service(e *estimate, r graph.Resource) {
	count := number(r, "desiredCount", 1)
	for _, task := range e.graph.OfType("aws:ecs/taskDefinition:TaskDefinition") {
		if !names(r, "taskDefinition", task) && text(r, "taskDefinition") != text(task, "family") {
			continue
		}
		vcpu, gigabytes := number(task, "cpu", 256)/1024, number(task, "memory", 512)/1024
		arch, arm := "x86_64", text(task, "runtimePlatform.cpuArchitecture") == "ARM64"
		if arm {
			arch = "arm64"
		}
		one := e.FargateMonth(vcpu, gigabytes, arm)
		spot := spotShare(r, count)
		what := fmt.Sprintf("%.0f of %g vCPU and %g GB (%s)", count, vcpu, gigabytes, arch)
		if spot > 0 {
			what += fmt.Sprintf(", %.0f %% on Spot", spot*100)
			e.notes[fmt.Sprintf("Fargate Spot is taken as %.0f %% cheaper; its price moves.", e.Assumed.SpotDiscount*100)] = true
		}
		awake := awake(e.graph, r)
		if awake < 1 {
			what += fmt.Sprintf(", awake %.0f %% of the week", awake*100)
			e.notes["An environment that sleeps pays for its tasks, and their addresses, while it is awake; for all else at any time."] = true
		}
		e.add(r, count*one*awake*(1-spot*e.Assumed.SpotDiscount), "%s", what)
		if input(r, "networkConfiguration.assignPublicIp") == true && count > 0 {
			e.add(r, count*awake*e.Month("publicAddressHour"), "a public address for each of %.0f", count)
		}
		return
	}
	if count > 0 {
		e.notes["The task definition of "+r.Name+" is not in this stack: its tasks are not priced."] = true
	}
}

// spotShare is the part of a service's tasks that its capacity providers place on Fargate Spot.
func spotShare(r graph.Resource, count float64) float64 {
	var strategy []prices.Capacity
	for _, s := range list(r, "capacityProviderStrategies") {
		weight, _ := s["weight"].(float64)
		base, _ := s["base"].(float64)
		strategy = append(strategy, prices.Capacity{Spot: s["capacityProvider"] == "FARGATE_SPOT", Weight: weight, Base: base})
	}
	return prices.SpotShare(count, strategy)
}

func balancer(e *estimate, r graph.Resource) {
	e.add(r, e.Month("loadBalancerHour"), "load balancer")
	if zones := len(texts(input(r, "subnets"))) + len(list(r, "subnetMappings")); input(r, "internal") != true && zones > 0 {
		e.add(r, float64(zones)*e.Month("publicAddressHour"), "%d public addresses, one a zone", zones)
	}
	e.notes[fmt.Sprintf("Load balancers are priced without capacity units (%g USD an hour each), which requests use.",
		e.USD("loadBalancerUnitHour"))] = true
}

func endpoint(e *estimate, r graph.Resource) {
	if text(r, "vpcEndpointType") != "Interface" {
		return // gateway endpoints are free
	}
	zones := max(1, len(texts(input(r, "subnetIds"))))
	e.add(r, float64(zones)*e.Month("endpointZoneHour"), "interface endpoint in %d zones", zones)
}

func alarm(e *estimate, r graph.Resource) {
	name, metrics := "alarmMetric", 0
	if number(r, "period", 60) < 60 {
		name = "alarmMetricHighResolution"
	}
	for _, query := range list(r, "metricQueries") {
		if query["metric"] != nil {
			metrics++
		}
	}
	metrics = max(1, metrics)
	plural := map[bool]string{true: "s"}[metrics > 1]
	e.add(r, float64(metrics)*e.USD(name), "alarm on %d metric%s", metrics, plural)
}

func logs(e *estimate, _ graph.Resource) {
	e.notes[fmt.Sprintf("Logs cost %g USD for each GB that is written.", e.USD("logGB"))] = true
}

func pipeline(e *estimate, r graph.Resource) {
	if text(r, "pipelineType") != "V2" {
		e.add(r, e.USD("pipelineV1"), "pipeline of the type V1")
		return
	}
	e.notes[fmt.Sprintf("Each minute of a pipeline's action costs %g USD; approvals are free.", e.USD("pipelineMinute"))] = true
}

func builds(e *estimate, _ graph.Resource) {
	e.notes[fmt.Sprintf("Each minute of a small arm64 build costs %g USD.", e.USD("buildArmSmallMinute"))] = true
}

func storedParameter(e *estimate, r graph.Resource) {
	if text(r, "tier") == "Advanced" {
		e.add(r, e.USD("parameterAdvanced"), "advanced parameter")
	}
}

func images(e *estimate, r graph.Resource) {
	e.add(r, e.Assumed.ImagesGB*e.USD("imageGB"), "%g GB of images", e.Assumed.ImagesGB)
}

func objects(e *estimate, r graph.Resource) {
	e.add(r, e.Assumed.ObjectsGB*e.USD("objectGB"), "%g GB of objects", e.Assumed.ObjectsGB)
}

func insights(e *estimate, r graph.Resource) {
	for _, setting := range list(r, "settings") {
		if setting["name"] == "containerInsights" && setting["value"] != "disabled" {
			e.notes["Container Insights is on: its metrics are paid for by use and not counted."] = true
		}
	}
}
