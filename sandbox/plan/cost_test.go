package plan_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/penguinshop/delivery/sandbox/plan"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// priced are the lines of a plan's costs, what it is for to its price.
func priced(p *plan.Plan) map[string]float64 {
	lines := map[string]float64{}
	for _, c := range p.Costs {
		lines[c.What] = c.MonthlyUSD
	}
	return lines
}

func task(arch string) declared {
	return declared{typ: taskType, name: "app", inputs: object{"family": "app", "cpu": "512", "memory": "1024", "runtimePlatform": object{"cpuArchitecture": arch}}}
}

func service(count int, more object) declared {
	inputs := with(object{"name": "app-blue", "cluster": "shop", "desiredCount": count}, more)
	return declared{typ: serviceType, name: "app-blue", inputs: inputs, from: map[string][2]string{"taskDefinition": {"app", "arn"}}}
}

func TestAServiceCostsItsTasksAtRest(t *testing.T) {
	// 2 tasks × (0.5 vCPU × 0.03725 + 1 GB × 0.00409) × 730 hours
	assert.Equal(t, map[string]float64{"2 of 0.5 vCPU and 1 GB (arm64)": 33.16}, priced(planOf(t, nil, task("ARM64"), service(2, nil))))
	assert.Equal(t, map[string]float64{"2 of 0.5 vCPU and 1 GB (x86_64)": 41.45}, priced(planOf(t, nil, task("X86_64"), service(2, nil))))
	assert.Equal(t, map[string]float64{"0 of 0.5 vCPU and 1 GB (arm64)": 0}, priced(planOf(t, nil, task("ARM64"), service(0, nil))))
}

func TestPublicAddressesOfTasksArePaidFor(t *testing.T) {
	p := planOf(t, nil, task("ARM64"), service(2, object{"networkConfiguration": object{"assignPublicIp": true}}))
	assert.InDelta(t, 7.30, priced(p)["a public address for each of 2"], 0.001)
}

func TestTheSpotShareIsCheaperAndSaidSo(t *testing.T) {
	p := planOf(t, nil, task("ARM64"), service(4, object{"capacityProviderStrategies": []any{
		object{"capacityProvider": "FARGATE", "base": 2, "weight": 1}, object{"capacityProvider": "FARGATE_SPOT", "weight": 1},
	}}))
	// 4 tasks at 16.58, a quarter of them on Spot, 70 % cheaper
	assert.InDelta(t, 54.71, priced(p)["4 of 0.5 vCPU and 1 GB (arm64), 25 % on Spot"], 0.011)
	assert.Contains(t, strings.Join(p.Assumptions, "\n"), "Fargate Spot is taken as 70 % cheaper")
}

// schedule calls a function by the clock.
func schedule(command, at string) declared {
	return declared{typ: "aws:scheduler/schedule:Schedule", name: command, inputs: object{
		"scheduleExpression": at, "flexibleTimeWindow": object{"mode": "OFF"},
		"target": object{"arn": "arn:aws:lambda:eu-central-1:123456789012:function:shift", "input": settings.ScheduledCall(command)},
	}}
}

func TestASleepingServiceIsPaidForWhileItIsAwake(t *testing.T) {
	told := settings.Settings{
		Environment: "dev", Cluster: "shop", Container: "app", LoadBalancer: "arn", Listener: "arn", PreviewRule: "arn", URL: "http://shop.example.com",
		PreviewHeader: "X", PreviewParameter: "p", LogGroup: "l", Function: "arn", ScheduleGroup: "g", ScheduleRole: "arn", MinimumTasks: 2,
		Blue:  settings.Side{Service: "app-blue", TargetGroup: "arn", TaskDefinition: "arn"},
		Green: settings.Side{Service: "app-green", TargetGroup: "arn", TaskDefinition: "arn"},
	}
	function := declared{typ: "aws:lambda/function:Function", name: "shift", inputs: object{
		"name": "shift", "environment": object{"variables": object{settings.Variable: mustJSON(told)}}}}
	p := planOf(t, nil, task("ARM64"), service(2, nil), function,
		schedule("sleep", "cron(0 20 ? * * *)"), schedule("wake", "cron(0 8 ? * MON,TUE,WED,THU,FRI *)"))
	// 12 hours on 5 days are 60 of 168 hours
	assert.InDelta(t, 33.16*60/168, priced(p)["2 of 0.5 vCPU and 1 GB (arm64), awake 36 % of the week"], 0.01)

	other := service(2, object{"name": "other"})
	p = planOf(t, nil, task("ARM64"), other, function, schedule("sleep", "cron(0 20 ? * * *)"), schedule("wake", "cron(0 8 ? * MON-FRI *)"))
	assert.InDelta(t, 33.16, priced(p)["2 of 0.5 vCPU and 1 GB (arm64)"], 0.01, "the function is another service's")
}

func TestWhatStandsIdleHasItsPrice(t *testing.T) {
	p := planOf(t, nil,
		declared{typ: balancerType, name: "front", inputs: object{"subnets": []any{"subnet-a", "subnet-b"}}},
		declared{typ: "aws:ec2/natGateway:NatGateway", name: "nat"},
		declared{typ: "aws:ec2/eip:Eip", name: "nat-1"},
		declared{typ: "aws:ec2/vpcEndpoint:VpcEndpoint", name: "ecr", inputs: object{"vpcEndpointType": "Interface", "subnetIds": []any{"a", "b"}}},
		declared{typ: "aws:ec2/vpcEndpoint:VpcEndpoint", name: "s3", inputs: object{"vpcEndpointType": "Gateway"}},
		declared{typ: "aws:cloudwatch/metricAlarm:MetricAlarm", name: "errors", inputs: object{"metricQueries": []any{
			object{"id": "e", "expression": "a/b"}, object{"id": "a", "metric": object{}}, object{"id": "b", "metric": object{}}}}},
		declared{typ: "aws:cloudwatch/compositeAlarm:CompositeAlarm", name: "health", inputs: object{"alarmName": "health"}},
		declared{typ: "aws:cloudwatch/dashboard:Dashboard", name: "board", inputs: object{"dashboardName": "board"}},
		declared{typ: keyType, name: "key"},
		declared{typ: "aws:codepipeline/pipeline:Pipeline", name: "old"},
		declared{typ: repoType, name: "app"},
	)
	assert.Equal(t, map[string]float64{
		"load balancer": 19.71, "2 public addresses, one a zone": 7.30,
		"NAT gateway; each GB through it costs the same as an hour": 37.96, "public address": 3.65,
		"interface endpoint in 2 zones": 17.52, "alarm on 2 metrics": 0.20, "composite alarm": 0.50, "dashboard": 3,
		"key; two yearly rotations add a price each": 1, "pipeline of the type V1": 1, "1 GB of images": 0.10,
	}, priced(p))
	assert.InDelta(t, 91.94, p.MonthlyCostUSD, 0.001)
}

func TestTheAssumptionsNameDateRegionAndWhatHasNoPrice(t *testing.T) {
	p := planOf(t, map[string]string{"aws:region": "us-east-2"}, declared{typ: "aws:glacier/vault:Vault", name: "ice"})
	said := strings.Join(p.Assumptions, "\n")
	assert.Regexp(t, `Prices of \d{4}-\d{2} for eu-central-1`, said)
	assert.Contains(t, said, "The stack is in us-east-2, where prices differ")
	assert.Contains(t, said, "No price is known here for glacier/Vault.")
}

func TestTheProfileHasARowForEachKindOfCostAndAddsUp(t *testing.T) {
	p := planOf(t, nil, balancer, declared{typ: keyType, name: "key"}, declared{typ: "aws:codepipeline/pipeline:Pipeline", name: "old"})
	text := plan.Profile([]*plan.Plan{p})
	assert.Contains(t, text, "| load balancer with its addresses | 19.71 |")
	assert.Contains(t, text, "| keys and secrets | 1.00 |")
	assert.Contains(t, text, "| the rest | 1.00 |")
	assert.Contains(t, text, "| **in all** | 21.71 |")
	assert.Contains(t, text, "- Prices of ")
}
