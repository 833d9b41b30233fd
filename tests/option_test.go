package tests

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/stacks"
)

// declared runs an environment with further config, which must be right.
func declared(t *testing.T, config map[string]string) *graph.Graph {
	t.Helper()
	g, err := run(t, config)
	require.NoError(t, err)
	return g
}

func names(resources []graph.Resource) (all []string) {
	for _, r := range resources {
		all = append(all, r.Name)
	}
	return all
}

func placement(t *testing.T, g *graph.Graph) (subnets []any, public bool) {
	t.Helper()
	n := one(t, g, "aws:ecs/service:Service", "app-blue").Inputs["networkConfiguration"].(map[string]any)
	return n["subnets"].([]any), n["assignPublicIp"].(bool)
}

func TestEachWayToTheInternetPlacesTheTasks(t *testing.T) {
	for nat, want := range map[string]struct {
		gateways int
		public   bool
		kind     string
	}{
		"none": {0, true, "Public"}, "single": {1, false, "Private"}, "perZone": {3, false, "Private"},
	} {
		t.Run(nat, func(t *testing.T) {
			g := declared(t, map[string]string{"network": `{"zones":3,"nat":"` + nat + `"}`})
			assert.Len(t, g.OfType("aws:ec2/natGateway:NatGateway"), want.gateways)
			subnets, public := placement(t, g)
			assert.Equal(t, want.public, public)
			assert.Len(t, subnets, 3)
			for _, subnet := range g.OfType("aws:ec2/subnet:Subnet") {
				if slices.Contains(subnets, any(subnet.ID)) {
					assert.Equal(t, want.kind, subnet.Inputs["tags"].(map[string]any)["SubnetType"])
				}
			}
		})
	}
}

func TestTasksWithoutAnInternetReachAWSByPrivateEndpoints(t *testing.T) {
	g := declared(t, map[string]string{
		"network": `{"nat":"endpoints"}`,
		"service": `{"placeholderImage":"123456789012.dkr.ecr.eu-central-1.amazonaws.com/tools/placeholder:1"}`,
	})
	assert.Empty(t, g.OfType("aws:ec2/natGateway:NatGateway"))
	_, public := placement(t, g)
	assert.False(t, public)
	endpoints := g.OfType("aws:ec2/vpcEndpoint:VpcEndpoint")
	var services []string
	for _, e := range endpoints {
		services = append(services, strings.TrimPrefix(e.Inputs["serviceName"].(string), "com.amazonaws.eu-central-1."))
		if e.Inputs["vpcEndpointType"] == "Gateway" {
			assert.Len(t, e.Inputs["routeTableIds"], 4, "of two public and two isolated subnets")
		} else {
			assert.Equal(t, true, e.Inputs["privateDnsEnabled"])
		}
	}
	slices.Sort(services)
	assert.Equal(t, []string{"ecr.api", "ecr.dkr", "logs", "s3", "secretsmanager", "ssm", "ssmmessages"}, services)
	assert.Contains(t, lines(documents(t, g)["RolePolicy app-execution"]), "ecr:BatchGetImage ecr repository/tools/placeholder",
		"the first tasks come from there")
}

func TestAnExistingNetworkIsUsedAndNoneIsMade(t *testing.T) {
	existing := `"vpcId":"vpc-0123456789abcdef0","publicSubnetIds":["subnet-0123456789abcdef0","subnet-0123456789abcdef1"]`
	g := declared(t, map[string]string{"network": `{"existing":{` + existing + `,"taskSubnetIds":["subnet-0123456789abcdef2"]}}`})
	assert.Empty(t, g.OfType("awsx:ec2:Vpc"))
	assert.Empty(t, g.OfType("aws:ec2/vpc:Vpc"))
	subnets, public := placement(t, g)
	assert.Equal(t, []any{"subnet-0123456789abcdef2"}, subnets)
	assert.False(t, public)
	balancer := one(t, g, "aws:lb/loadBalancer:LoadBalancer", "web-alb")
	assert.Equal(t, []any{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"}, balancer.Inputs["subnets"])

	_, public = placement(t, declared(t, map[string]string{"network": `{"existing":{` + existing + `}}`}))
	assert.True(t, public, "without subnets of their own the tasks have public addresses")
}

func TestFlowLogsAreWrittenByARoleThatCanDoNothingElse(t *testing.T) {
	g := declared(t, map[string]string{"network": `{"flowLogs":true}`})
	flow := one(t, g, "aws:ec2/flowLog:FlowLog", "connections-vpc")
	assert.Equal(t, "ALL", flow.Inputs["trafficType"])
	assert.Equal(t, one(t, g, "aws:cloudwatch/logGroup:LogGroup", "connections-log").Outputs["arn"], flow.Inputs["logDestination"])
	for _, line := range lines(documents(t, g)["RolePolicy connections-writer"]) {
		assert.Contains(t, line, " logs log-group:connections-log")
	}
}

func TestTLSEndsAtTheLoadBalancerAndHTTPLeadsThere(t *testing.T) {
	g := https(t)
	listener := one(t, g, "aws:lb/listener:Listener", "web-https")
	assert.Equal(t, float64(443), listener.Inputs["port"])
	assert.Equal(t, "ELBSecurityPolicy-TLS13-1-2-2021-06", listener.Inputs["sslPolicy"])
	assert.Equal(t, certificate, listener.Inputs["certificateArn"])
	redirect := one(t, g, "aws:lb/listener:Listener", "web-redirect").Inputs["defaultActions"].([]any)[0].(map[string]any)
	assert.Equal(t, map[string]any{"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"}, redirect["redirect"])
	assert.Equal(t, "https://shop.example.com", g.Exports[contract.KeyURL])
	assert.Equal(t, listener.Outputs["arn"], g.Exports[contract.KeyListenerArn], "the weights are those of the TLS listener")
	one(t, g, "aws:ec2/securityGroupRule:SecurityGroupRule", "web-https-in")
	assert.Empty(t, g.OfType("aws:route53/record:Record"), "the record is the owner's to make without a zone")
	assert.NotContains(t, names(declared(t, nil).OfType("aws:ec2/securityGroupRule:SecurityGroupRule")), "web-https-in")
}

func TestAHostedZoneBringsTheCertificateItsProofAndTheDomainsRecord(t *testing.T) {
	g := declared(t, map[string]string{"accept": "[]", "https": `{"domain":"shop.example.com","hostedZoneId":"Z0123456789"}`})
	issued := one(t, g, "aws:acm/certificate:Certificate", "web-certificate")
	assert.Equal(t, "DNS", issued.Inputs["validationMethod"])
	valid := one(t, g, "aws:acm/certificateValidation:CertificateValidation", "web-certificate")
	listener := one(t, g, "aws:lb/listener:Listener", "web-https")
	assert.Contains(t, listener.Dependencies, valid.URN, "a listener refuses a certificate that is not issued yet")
	alias := one(t, g, "aws:route53/record:Record", "web-domain")
	assert.Equal(t, "A", alias.Inputs["type"])
	balancer := one(t, g, "aws:lb/loadBalancer:LoadBalancer", "web-alb")
	assert.Equal(t, balancer.Outputs["dnsName"], alias.Inputs["aliases"].([]any)[0].(map[string]any)["name"])
	assert.Equal(t, "CNAME", one(t, g, "aws:route53/record:Record", "web-proof").Inputs["type"])
}

func TestAccessLogsHaveABucketOfTheirOwnThatForgets(t *testing.T) {
	g := declared(t, map[string]string{"loadBalancer": `{"accessLogDays":30}`})
	bucket := one(t, g, "aws:s3/bucketV2:BucketV2", "web-requests")
	logs := one(t, g, "aws:lb/loadBalancer:LoadBalancer", "web-alb").Inputs["accessLogs"].(map[string]any)
	assert.Equal(t, map[string]any{"bucket": bucket.Outputs["bucket"], "enabled": true}, logs)
	rule := one(t, g, "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", "web-requests").Inputs["rules"].([]any)[0].(map[string]any)
	assert.Equal(t, map[string]any{"days": float64(30)}, rule["expiration"])
	encryption, err := json.Marshal(one(t, g, "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", "web-requests").Inputs["rules"])
	require.NoError(t, err)
	assert.Contains(t, string(encryption), `"sseAlgorithm":"AES256"`, "a load balancer writes under no other key")
	policy := documents(t, g)["BucketPolicy web-requests"]
	require.Len(t, policy.Statement, 2)
	assert.Equal(t, map[string]any{"Service": []any{"logdelivery.elasticloadbalancing.amazonaws.com"}}, policy.Statement[1].Principal)
	assert.Equal(t, []string{bucket.Outputs["arn"].(string) + "/AWSLogs/123456789012/*"}, policy.Statement[1].Resource)
}

func TestSecretsAreGivenByReferenceAndTheTasksStartMayReadExactlyThose(t *testing.T) {
	g := declared(t, map[string]string{"service": `{"secrets":{
		"DATABASE_URL":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-a1b2c3:url::",
		"API_KEY":"arn:aws:ssm:eu-central-1:123456789012:parameter/shop/key"}}`})
	container := parsed(t, one(t, g, "aws:ecs/taskDefinition:TaskDefinition", "app-green"), "containerDefinitions").([]any)[0].(map[string]any)
	assert.Equal(t, []any{
		map[string]any{"name": "API_KEY", "valueFrom": "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/key"},
		map[string]any{"name": "DATABASE_URL", "valueFrom": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-a1b2c3:url::"},
	}, container["secrets"])
	allowed := lines(documents(t, g)["RolePolicy app-execution"])
	assert.Contains(t, allowed, "secretsmanager:GetSecretValue secretsmanager secret:shop-a1b2c3")
	assert.Contains(t, allowed, "ssm:GetParameters ssm parameter/shop/key")
	before := lines(documents(t, declared(t, nil))["RolePolicy app-execution"])
	assert.Len(t, allowed, len(before)+2)
}

func TestEachOptionOfTheTasksReachesECS(t *testing.T) {
	g := declared(t, map[string]string{"service": `{"spotPercent":40,"zoneRebalancing":true,"executeCommand":true,"requestsPerTarget":3000,
		"cpuTargetPercent":50,"architecture":"x86_64","containerInsights":"enhanced","healthGraceSeconds":90,"environment":{"LOG_LEVEL":"debug"}}`})
	service := one(t, g, "aws:ecs/service:Service", "app-green")
	assert.Equal(t, "ENABLED", service.Inputs["availabilityZoneRebalancing"])
	assert.Equal(t, true, service.Inputs["enableExecuteCommand"])
	assert.Equal(t, float64(90), service.Inputs["healthCheckGracePeriodSeconds"])
	assert.Equal(t, []any{
		map[string]any{"capacityProvider": "FARGATE", "weight": float64(60)},
		map[string]any{"capacityProvider": "FARGATE_SPOT", "weight": float64(40)},
	}, service.Inputs["capacityProviderStrategies"])
	assert.NotContains(t, service.Inputs, "launchType")
	assert.Contains(t, service.Dependencies, one(t, g, "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders", "app-capacity").URN)
	requests := one(t, g, "aws:appautoscaling/policy:Policy", "app-green-requests").Inputs["targetTrackingScalingPolicyConfiguration"].(map[string]any)
	label := requests["predefinedMetricSpecification"].(map[string]any)["resourceLabel"]
	assert.Regexp(t, `^app/[^/]+/[0-9a-f]+/targetgroup/web-green[^/]*/[0-9a-f]+$`, label)
	definition := one(t, g, "aws:ecs/taskDefinition:TaskDefinition", "app-green")
	assert.Equal(t, "X86_64", definition.Inputs["runtimePlatform"].(map[string]any)["cpuArchitecture"])
	container := parsed(t, definition, "containerDefinitions").([]any)[0].(map[string]any)
	assert.Contains(t, container["environment"], map[string]any{"name": "LOG_LEVEL", "value": "debug"})
	assert.Equal(t, false, container["readonlyRootFilesystem"], "the agent of ECS Exec writes there")
	assert.Contains(t, lines(documents(t, g)["RolePolicy app-task"]), "ssmmessages:OpenDataChannel *")

	plain := parsed(t, one(t, declared(t, nil), "aws:ecs/taskDefinition:TaskDefinition", "app-green"), "containerDefinitions").([]any)[0].(map[string]any)
	assert.Equal(t, true, plain["readonlyRootFilesystem"])
}

func TestOneAlarmStandsForAllAndTellsPeople(t *testing.T) {
	g := declared(t, map[string]string{"notifications": `{"emails":["a@example.com","b@example.com"]}`, "alarms": `{"latencyMs":800}`, "customerKey": "true"})
	topic := one(t, g, "aws:sns/topic:Topic", "news-topic")
	assert.Equal(t, one(t, g, "aws:kms/key:Key", "data-key").Outputs["arn"], topic.Inputs["kmsMasterKeyId"])
	assert.Len(t, g.OfType("aws:sns/topicSubscription:TopicSubscription"), 2)
	health := one(t, g, "aws:cloudwatch/compositeAlarm:CompositeAlarm", "alarms-health")
	assert.Equal(t, []any{topic.Outputs["arn"]}, health.Inputs["alarmActions"])
	rule := health.Inputs["alarmRule"].(string)
	single := g.OfType("aws:cloudwatch/metricAlarm:MetricAlarm")
	assert.Len(t, single, 7, "errors, unhealthy and latency of each colour, and the load balancer's own errors")
	for _, alarm := range single {
		assert.Contains(t, rule, `ALARM("`+alarm.Outputs["name"].(string)+`")`)
		assert.NotContains(t, alarm.Inputs, "alarmActions", "people hear of one fault once")
		assert.Equal(t, "notBreaching", alarm.Inputs["treatMissingData"])
	}
	wakes := one(t, g, "aws:cloudwatch/eventRule:EventRule", "shift-alarms")
	pattern := parsed(t, wakes, "eventPattern").(map[string]any)
	assert.Len(t, pattern["resources"], len(single), "each of them wakes the function")
	assert.Equal(t, map[string]any{"state": map[string]any{"value": []any{"ALARM"}}}, pattern["detail"])
}

func TestASleepingEnvironmentHasTwoSchedulesThatCallItsFunctionAndNothingElse(t *testing.T) {
	g := declared(t, map[string]string{"sleep": `{"from":"20:00","until":"07:00","timezone":"Europe/Berlin"}`})
	function := one(t, g, "aws:lambda/function:Function", "shift-function")
	caller := one(t, g, "aws:iam/role:Role", "shift-scheduler")
	require.Len(t, g.OfType("aws:scheduler/schedule:Schedule"), 2)
	for command, at := range map[string]string{"sleep": "cron(0 20 ? * * *)", "wake": "cron(0 7 ? * MON,TUE,WED,THU,FRI *)"} {
		schedule := one(t, g, "aws:scheduler/schedule:Schedule", "shift-"+command)
		assert.Equal(t, at, schedule.Inputs["scheduleExpression"])
		assert.Equal(t, "Europe/Berlin", schedule.Inputs["scheduleExpressionTimezone"])
		assert.Equal(t, one(t, g, "aws:scheduler/scheduleGroup:ScheduleGroup", "shift-schedules").Outputs["name"], schedule.Inputs["groupName"],
			"the role may be taken on by the schedules of this group alone")
		assert.NotContains(t, schedule.Inputs, "name", "a change makes it anew before the old one goes")
		target := schedule.Inputs["target"].(map[string]any)
		assert.Equal(t, function.Outputs["arn"], target["arn"])
		assert.Equal(t, caller.Outputs["arn"], target["roleArn"])
		assert.JSONEq(t, `{"command":"`+command+`","scheduled":"<aws.scheduler.scheduled-time>"}`, target["input"].(string))
	}
	assert.Equal(t, &rollout.Hours{From: "20:00", Until: "07:00", Timezone: "Europe/Berlin", Days: []string{"MON", "TUE", "WED", "THU", "FRI"}}, told(t, g).Sleep)

	by := func(g *graph.Graph) []string { return lines(documents(t, g)["RolePolicy shift-function"]) }
	assert.Equal(t, by(declared(t, nil)), by(g), "sleeping takes no further permission")
	assert.Empty(t, declared(t, nil).OfType("aws:scheduler/schedule:Schedule"))
}

func TestHavingNoTargetIsNoAlarmWhereAnEnvironmentSleeps(t *testing.T) {
	alarm := func(config map[string]string) map[string]any {
		return one(t, declared(t, config), "aws:cloudwatch/metricAlarm:MetricAlarm", "alarms-no-answer").Inputs
	}
	awake := alarm(nil)
	assert.Equal(t, "HTTPCode_ELB_5XX_Count", awake["metricName"])
	asleep := alarm(map[string]string{"sleep": `{"from":"20:00","until":"07:00","timezone":"UTC"}`})
	assert.NotContains(t, asleep, "metricName", "a metric and a calculation exclude each other")
	assert.NotContains(t, asleep, "dimensions")
	queries := asleep["metricQueries"].([]any)
	require.Len(t, queries, 3)
	assert.Equal(t, "all - FILL(less, 0)", queries[0].(map[string]any)["expression"])
	for i, metric := range []string{"HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_503_Count"} {
		assert.Equal(t, map[string]any{"namespace": "AWS/ApplicationELB", "metricName": metric, "period": float64(60), "stat": "Sum",
			"dimensions": awake["dimensions"]}, queries[i+1].(map[string]any)["metric"])
	}
	for _, same := range []string{"threshold", "evaluationPeriods", "datapointsToAlarm", "treatMissingData", "comparisonOperator"} {
		assert.Equal(t, awake[same], asleep[same], same)
	}
}

func TestADashboardShowsBothColoursInTheirColours(t *testing.T) {
	page := one(t, stack(t, "prod"), "aws:cloudwatch/dashboard:Dashboard", "dashboard-page")
	body := page.Inputs["dashboardBody"].(string)
	require.True(t, json.Valid([]byte(body)))
	for _, metric := range []string{"RequestCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime", "HealthyHostCount"} {
		assert.Contains(t, body, metric)
	}
	assert.Equal(t, 6, strings.Count(body, `"label":"blue"`))
	assert.Equal(t, 6, strings.Count(body, `"label":"green"`))
	assert.Contains(t, body, `["Penguinshop","GreenWeight","Environment","prod"`)
	log := one(t, stack(t, "prod"), "aws:cloudwatch/logGroup:LogGroup", "shift-log").Outputs["name"].(string)
	assert.Contains(t, body, "SOURCE '"+log+"' | filter msg = 'shift ended'")
	filter := one(t, stack(t, "prod"), "aws:cloudwatch/logMetricFilter:LogMetricFilter", "dashboard-weight")
	assert.Equal(t, log, filter.Inputs["logGroupName"])
	only := declared(t, map[string]string{"strategy": "rolling", "dashboard": "true"})
	assert.Empty(t, only.OfType("aws:cloudwatch/logMetricFilter:LogMetricFilter"), "nothing is shifted there")
	assert.NotContains(t, one(t, only, "aws:cloudwatch/dashboard:Dashboard", "dashboard-page").Inputs["dashboardBody"], "green")
}

func TestPeopleAreToldOfApprovalsAndOfHowADeliveryEnded(t *testing.T) {
	g, err := project(map[string]string{
		"role": "shared", "accept": "[]", "environments": `[{"name":"one","approval":true}]`, "notifications": `{"emails":["a@example.com"]}`,
		"build": `{"retry":true}`,
	}).Run(t.Context(), "test", stacks.Declare, graph.WithOutputs("organization/penguinshop/one", contract.FakeOutputs("one", contract.BlueGreen)))
	require.NoError(t, err)
	topic := one(t, g, "aws:sns/topic:Topic", "news-topic").Outputs["arn"].(string)
	pipeline := one(t, g, "aws:codepipeline/pipeline:Pipeline", "delivery-pipeline")
	declaredStages := pipeline.Inputs["stages"].([]any)
	assert.Equal(t, map[string]any{"result": "RETRY", "retryConfiguration": map[string]any{"retryMode": "FAILED_ACTIONS"}},
		declaredStages[1].(map[string]any)["onFailure"])
	assert.NotContains(t, declaredStages[2], "onFailure", "a shift is never repeated unasked")
	approval := declaredStages[2].(map[string]any)["actions"].([]any)[0].(map[string]any)["configuration"].(map[string]any)
	assert.Equal(t, topic, approval["NotificationArn"])
	assert.Contains(t, lines(documents(t, g)["RolePolicy delivery-pipeline"]), "sns:Publish sns news-topic")
	for state, says := range map[string]string{"failed": "shiftctl status", "succeeded": "shiftctl rollback"} {
		rule := one(t, g, "aws:cloudwatch/eventRule:EventRule", "delivery-"+state)
		pattern := parsed(t, rule, "eventPattern").(map[string]any)
		assert.Equal(t, []any{strings.ToUpper(state)}, pattern["detail"].(map[string]any)["state"])
		assert.Equal(t, []any{pipeline.Outputs["arn"]}, pattern["resources"])
		target := one(t, g, "aws:cloudwatch/eventTarget:EventTarget", "delivery-"+state)
		assert.Equal(t, topic, target.Inputs["arn"])
		assert.Contains(t, target.Inputs["inputTransformer"].(map[string]any)["inputTemplate"], says)
	}
}

func TestOneReasonTakesAllProtectionsOff(t *testing.T) {
	protected := func(g *graph.Graph) (all []string) {
		for _, r := range g.Resources {
			if r.Protect {
				all = append(all, r.Type+" "+r.Name)
			}
		}
		return all
	}
	shielded := declared(t, map[string]string{"loadBalancer": `{"deletionProtection":true}`})
	for _, typ := range []string{"aws:lb/loadBalancer:LoadBalancer web-alb", "aws:lb/listener:Listener web-http", "aws:lb/listenerRule:ListenerRule web-preview",
		"aws:lb/targetGroup:TargetGroup web-blue", "aws:lb/targetGroup:TargetGroup web-green", "aws:ecs/service:Service app-blue", "aws:ecs/service:Service app-green"} {
		assert.Contains(t, protected(shielded), typ)
	}
	assert.Equal(t, true, one(t, shielded, "aws:lb/loadBalancer:LoadBalancer", "web-alb").Inputs["enableDeletionProtection"])
	bare := declared(t, map[string]string{"loadBalancer": `{"deletionProtection":true}`, "unprotected": "the environment is being torn down"})
	assert.Empty(t, protected(bare))
	assert.Equal(t, false, one(t, bare, "aws:lb/loadBalancer:LoadBalancer", "web-alb").Inputs["enableDeletionProtection"])
	assert.Contains(t, protected(stack(t, "shared")), "aws:ecr/repository:Repository delivery-images")
}
