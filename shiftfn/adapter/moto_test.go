package adapter_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	watch "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	container "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	parameter "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/shiftfn/adapter/adaptertest"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
	"github.com/penguinshop/delivery/tests/moto"
)

// apart is what moto does not do as AWS documents it.
var apart = adaptertest.Apart{
	"PutJobSuccessResult":   "moto has no jobs: it knows pipelines as declarations, and runs none",
	"PutJobFailureResult":   "moto has no jobs: it knows pipelines as declarations, and runs none",
	adaptertest.Percentiles: "a percentile of a metric comes back without values",
	adaptertest.Prefixes:    "the lines of all streams come back, whatever their names begin with",
	"DescribeTasks":         "services start no tasks, and of one that is run by itself the SDK cannot read the answer: numbers stand where text should",
	adaptertest.Traffic:     "a load balancer carries no requests",
}

func TestTheAdaptersOnMoto(t *testing.T) {
	config := moto.Config(t)
	number := 0
	adaptertest.Run(t, apart, func(t *testing.T, watch adaptertest.Watch) *adaptertest.World {
		number++
		return raise(t, config, watch(config, account), fmt.Sprint("shop", number))
	})
}

const account = "123456789012"

// nowhere is where moto's load balancers lead to.
type nowhere struct{}

func (nowhere) Do(*http.Request) (*http.Response, error) {
	return nil, errors.New(apart[adaptertest.Traffic])
}

// motoWatch speaks the protocol that moto understands: the SDK's own, CBOR, it does not.
func motoWatch(c aws.Config) *cloudwatch.Client {
	return cloudwatch.NewFromConfig(c, func(o *cloudwatch.Options) {
		o.Protocol = awsquery.New(schemas.GraniteServiceVersion20100801)
	})
}

// raise declares one environment in an emulator of AWS.
func raise(t *testing.T, c, watched aws.Config, name string) *adaptertest.World {
	t.Helper()
	ctx := context.Background()
	w := &adaptertest.World{Clients: adapter.Of(watched), Balancer: elb.NewFromConfig(c), Now: time.Now, Maximum: 4}
	watcher := motoWatch(c)
	w.Clients.CloudWatch = motoWatch(watched)
	w.Clients.HTTP = nowhere{}
	s := settings.Settings{
		Environment: name, Cluster: name, Container: "app", PreviewHeader: "x-preview", PreviewParameter: "/" + name + "/preview", LogGroup: "/" + name,
		Function: "arn:aws:lambda:eu-central-1:" + account + ":function:" + name, ScheduleGroup: name,
		ScheduleRole: "arn:aws:iam::" + account + ":role/" + name, MinimumTasks: 1,
	}
	balancer, network := elb.NewFromConfig(c), ec2.NewFromConfig(c)

	subnets, err := network.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
	require.NoError(t, err)
	guard, err := network.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{})
	require.NoError(t, err)
	lb, err := balancer.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: &name, Subnets: []string{*subnets.Subnets[0].SubnetId, *subnets.Subnets[1].SubnetId}})
	require.NoError(t, err)
	s.LoadBalancer, s.URL = *lb.LoadBalancers[0].LoadBalancerArn, "http://"+*lb.LoadBalancers[0].DNSName
	groups := map[rollout.Colour]string{}
	for _, colour := range []rollout.Colour{rollout.Blue, rollout.Green} {
		group, err := balancer.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
			Name: aws.String(name + "-" + string(colour)), Port: aws.Int32(8080), Protocol: types.ProtocolEnumHttp,
			TargetType: types.TargetTypeEnumIp, VpcId: subnets.Subnets[0].VpcId,
		})
		require.NoError(t, err)
		groups[colour] = *group.TargetGroups[0].TargetGroupArn
	}
	listener, err := balancer.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: &s.LoadBalancer, Port: aws.Int32(80), Protocol: types.ProtocolEnumHttp,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{
			TargetGroups: []types.TargetGroupTuple{
				{TargetGroupArn: aws.String(groups[rollout.Blue]), Weight: aws.Int32(100)}, {TargetGroupArn: aws.String(groups[rollout.Green]), Weight: aws.Int32(0)},
			},
			TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: aws.Int32(60)},
		}}},
	})
	require.NoError(t, err)
	s.Listener = *listener.Listeners[0].ListenerArn
	rule, err := balancer.CreateRule(ctx, &elb.CreateRuleInput{
		ListenerArn: &s.Listener, Priority: aws.Int32(1),
		Conditions: []types.RuleCondition{{Field: aws.String("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: &s.PreviewHeader, Values: []string{"secret"}}}},
		Actions:    []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(groups[rollout.Green])}},
	})
	require.NoError(t, err)
	s.PreviewRule = *rule.Rules[0].RuleArn

	services := ecs.NewFromConfig(c)
	_, err = services.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &name})
	require.NoError(t, err)
	register := func(t *testing.T, colour rollout.Colour, image, memory string) string {
		t.Helper()
		out, err := services.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: aws.String(name + "-" + string(colour)), Cpu: aws.String("256"), Memory: aws.String(memory), NetworkMode: container.NetworkModeAwsvpc,
			RequiresCompatibilities: []container.Compatibility{container.CompatibilityFargate},
			ContainerDefinitions: []container.ContainerDefinition{{
				Name: &s.Container, Image: &image, Essential: aws.Bool(true),
				Environment: []container.KeyValuePair{{Name: aws.String("COLOUR"), Value: aws.String(string(colour))}, {Name: aws.String("PORT"), Value: aws.String("8080")}},
				LogConfiguration: &container.LogConfiguration{LogDriver: container.LogDriverAwslogs, Options: map[string]string{
					"awslogs-group": s.LogGroup, "awslogs-region": c.Region, "awslogs-stream-prefix": string(colour),
				}},
			}},
		})
		require.NoError(t, err)
		return *out.TaskDefinition.TaskDefinitionArn
	}
	scaler := applicationautoscaling.NewFromConfig(c)
	for colour, into := range map[rollout.Colour]*settings.Side{rollout.Blue: &s.Blue, rollout.Green: &s.Green} {
		*into = settings.Side{Service: name + "-" + string(colour), TargetGroup: groups[colour], TaskDefinition: register(t, colour, "placeholder", "512")}
		count := map[rollout.Colour]int32{rollout.Blue: 1}[colour]
		_, err := services.CreateService(ctx, &ecs.CreateServiceInput{
			Cluster: &name, ServiceName: &into.Service, TaskDefinition: &into.TaskDefinition, DesiredCount: &count, LaunchType: container.LaunchTypeFargate,
			NetworkConfiguration: &container.NetworkConfiguration{AwsvpcConfiguration: &container.AwsVpcConfiguration{
				Subnets: []string{*subnets.Subnets[0].SubnetId}, SecurityGroups: []string{*guard.SecurityGroups[0].GroupId},
			}},
		})
		require.NoError(t, err)
		_, err = scaler.RegisterScalableTarget(ctx, &applicationautoscaling.RegisterScalableTargetInput{
			ServiceNamespace: scaling.ServiceNamespaceEcs, ScalableDimension: scaling.ScalableDimensionECSServiceDesiredCount,
			ResourceId: aws.String("service/" + name + "/" + into.Service), MinCapacity: &count, MaxCapacity: aws.Int32(4),
		})
		require.NoError(t, err)
	}
	_, err = scheduler.NewFromConfig(c).CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: &name})
	require.NoError(t, err)
	writer := cloudwatchlogs.NewFromConfig(c)
	_, err = writer.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &s.LogGroup})
	require.NoError(t, err)
	w.Settings = s
	_, err = ssm.NewFromConfig(c).PutParameter(ctx, &ssm.PutParameterInput{Name: &s.PreviewParameter, Value: aws.String("secret"), Type: parameter.ParameterTypeSecureString})
	require.NoError(t, err)

	w.Register = func(t *testing.T, image, memory string) string {
		if memory == "" {
			memory = "512"
		}
		return register(t, rollout.Green, image, memory)
	}
	w.Deploy = func(t *testing.T, arn string) {
		_, err := services.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &name, Service: &s.Green.Service, TaskDefinition: &arn})
		require.NoError(t, err)
	}
	w.Measure = func(t *testing.T, colour rollout.Colour, metric string, value float64, at time.Time) {
		_, err := watcher.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/ApplicationELB"), MetricData: []watch.MetricDatum{{
			MetricName: &metric, Value: &value, Timestamp: aws.Time(at.Add(time.Second)), Dimensions: []watch.Dimension{
				{Name: aws.String("LoadBalancer"), Value: aws.String(suffix(s.LoadBalancer, "loadbalancer/"))},
				{Name: aws.String("TargetGroup"), Value: aws.String("targetgroup/" + suffix(groups[colour], "targetgroup/"))},
			},
		}}})
		require.NoError(t, err)
	}
	w.Alarm = func(t *testing.T, name string, state rollout.AlarmState) {
		_, err := watcher.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
			AlarmName: &name, MetricName: aws.String("m"), Namespace: aws.String("n"), Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1),
			Threshold: aws.Float64(1), ComparisonOperator: watch.ComparisonOperatorGreaterThanThreshold, Statistic: watch.StatisticSum,
		})
		require.NoError(t, err)
		_, err = watcher.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: &name, StateValue: watch.StateValue(state), StateReason: aws.String("the test says so")})
		require.NoError(t, err)
	}
	streams := map[string]bool{}
	w.Log = func(t *testing.T, colour rollout.Colour, line string) {
		stream := string(colour) + "/app/0123456789abcdef"
		if !streams[stream] {
			_, err := writer.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &s.LogGroup, LogStreamName: &stream})
			require.NoError(t, err)
			streams[stream] = true
		}
		_, err := writer.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: &s.LogGroup, LogStreamName: &stream, LogEvents: []logs.InputLogEvent{
			{Message: &line, Timestamp: aws.Int64(time.Now().UnixMilli())},
		}})
		require.NoError(t, err)
	}
	return w
}
