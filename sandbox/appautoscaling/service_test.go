package appautoscaling_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/penguinshop/delivery/sandbox/appautoscaling"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
)

const resource = "service/shop/blue"

// world is a service of ECS and the requests that its targets get, as far as scaling sees them.
type world struct {
	*appautoscaling.Service
	mu    sync.Mutex
	count int32
	gone  bool
	// load is how many requests all targets together get in the minute that ends at a moment; a negative one is no data.
	load func(end time.Time) float64
}

func (w *world) DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		return &ecs.DescribeServicesOutput{}, nil
	}
	return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{{DesiredCount: w.count, Status: new("ACTIVE")}}}, nil
}

func (w *world) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if *in.Cluster != "shop" || *in.Service != "blue" || in.ForceNewDeployment || in.TaskDefinition != nil {
		return nil, errors.New("scaling changes the count of the service and nothing else")
	}
	w.count = *in.DesiredCount
	return &ecs.UpdateServiceOutput{}, nil
}

func (w *world) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	metric := in.MetricDataQueries[0].MetricStat.Metric
	if *metric.Dimensions[0].Value != "app/shop/1" || *metric.Dimensions[1].Value != "targetgroup/blue/2" {
		return nil, errors.New("not the declared target group")
	}
	result := cloudwatchtypes.MetricDataResult{}
	for at := in.EndTime.Add(-time.Minute); !at.Before(*in.StartTime); at = at.Add(-time.Minute) {
		if load := w.load(at.Add(time.Minute)); load >= 0 {
			result.Timestamps, result.Values = append(result.Timestamps, at), append(result.Values, load/float64(max(w.count, 1)))
		}
	}
	return &cloudwatch.GetMetricDataOutput{MetricDataResults: []cloudwatchtypes.MetricDataResult{result}}, nil
}

func (w *world) desired() int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// carry changes the load.
func (w *world) carry(load func(end time.Time) float64) { w.set(func() { w.load = load }) }

// pass lets time pass, and all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// within runs a test in a bubble, where the machine's clock is a manual one.
func within(t *testing.T, count int32, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		clock := clockwork.NewRealClock()
		w := &world{count: count, load: func(time.Time) float64 { return -1 }}
		w.Service = appautoscaling.New(appautoscaling.Options{
			Region: "eu-central-1", Account: "123456789012", Clock: clock, Journal: journal.New(clock), ECS: w, Metrics: w,
		})
		defer func() { require.NoError(t, w.Close()) }()
		test(t, w)
	})
}

func (w *world) register(t *testing.T, change func(*applicationautoscaling.RegisterScalableTargetInput)) error {
	t.Helper()
	in := &applicationautoscaling.RegisterScalableTargetInput{
		ServiceNamespace: types.ServiceNamespaceEcs, ScalableDimension: types.ScalableDimensionECSServiceDesiredCount, ResourceId: new(resource),
	}
	change(in)
	_, err := w.RegisterScalableTarget(t.Context(), in)
	return err
}

func (w *world) bounds(t *testing.T, least, most int32) {
	t.Helper()
	require.NoError(t, w.register(t, func(in *applicationautoscaling.RegisterScalableTargetInput) {
		in.MinCapacity, in.MaxCapacity = &least, &most
	}))
}

func (w *world) target(t *testing.T) types.ScalableTarget {
	t.Helper()
	out, err := w.DescribeScalableTargets(t.Context(), &applicationautoscaling.DescribeScalableTargetsInput{
		ServiceNamespace: types.ServiceNamespaceEcs, ResourceIds: []string{resource},
	})
	require.NoError(t, err)
	require.Len(t, out.ScalableTargets, 1)
	return out.ScalableTargets[0]
}

func (w *world) track(t *testing.T, change ...func(*applicationautoscaling.PutScalingPolicyInput)) error {
	t.Helper()
	in := &applicationautoscaling.PutScalingPolicyInput{
		PolicyName: new("requests"), PolicyType: types.PolicyTypeTargetTrackingScaling, ServiceNamespace: types.ServiceNamespaceEcs,
		ScalableDimension: types.ScalableDimensionECSServiceDesiredCount, ResourceId: new(resource),
		TargetTrackingScalingPolicyConfiguration: &types.TargetTrackingScalingPolicyConfiguration{
			TargetValue: new(100.0), ScaleOutCooldown: new(int32(60)), ScaleInCooldown: new(int32(300)),
			PredefinedMetricSpecification: &types.PredefinedMetricSpecification{
				PredefinedMetricType: types.MetricTypeALBRequestCountPerTarget, ResourceLabel: new("app/shop/1/targetgroup/blue/2"),
			},
		},
	}
	for _, c := range change {
		c(in)
	}
	_, err := w.PutScalingPolicy(t.Context(), in)
	return err
}

func (w *world) suspend(t *testing.T, state types.SuspendedState) {
	t.Helper()
	require.NoError(t, w.register(t, func(in *applicationautoscaling.RegisterScalableTargetInput) { in.SuspendedState = &state }))
}

func TestRegisteringSnapsTheCountIntoTheBounds(t *testing.T) {
	within(t, 1, func(t *testing.T, w *world) {
		w.bounds(t, 2, 4)
		assert.Equal(t, int32(2), w.desired())
		w.bounds(t, 0, 1)
		assert.Equal(t, int32(1), w.desired())
		w.bounds(t, 0, 4)
		assert.Equal(t, int32(1), w.desired(), "a count within the bounds stays")
	})
}

func TestRegisteringSnapsEvenWhenOnlyTheSuspensionChanges(t *testing.T) {
	within(t, 2, func(t *testing.T, w *world) {
		w.bounds(t, 2, 4)
		w.set(func() { w.count = 0 }) // somebody has scaled by hand
		w.suspend(t, types.SuspendedState{DynamicScalingInSuspended: new(true)})
		assert.Equal(t, int32(2), w.desired())
		target := w.target(t)
		assert.True(t, *target.SuspendedState.DynamicScalingInSuspended)
		assert.False(t, *target.SuspendedState.DynamicScalingOutSuspended)
		assert.Equal(t, int32(2), *target.MinCapacity, "what is not given stays")
		activities, err := w.DescribeScalingActivities(t.Context(), &applicationautoscaling.DescribeScalingActivitiesInput{ServiceNamespace: types.ServiceNamespaceEcs})
		require.NoError(t, err)
		require.Len(t, activities.ScalingActivities, 1)
		assert.Equal(t, "minimum capacity was set to 2", *activities.ScalingActivities[0].Cause)
	})
}

func TestWhatAWSRefusesIsRefused(t *testing.T) {
	within(t, 1, func(t *testing.T, w *world) {
		for name, change := range map[string]func(*applicationautoscaling.RegisterScalableTargetInput){
			"another namespace": func(in *applicationautoscaling.RegisterScalableTargetInput) {
				in.ServiceNamespace = types.ServiceNamespaceDynamodb
			},
			"another dimension": func(in *applicationautoscaling.RegisterScalableTargetInput) {
				in.ScalableDimension = types.ScalableDimensionEC2SpotFleetRequestTargetCapacity
			},
			"a malformed resource": func(in *applicationautoscaling.RegisterScalableTargetInput) { in.ResourceId = new("blue") },
			"no bounds at first":   func(in *applicationautoscaling.RegisterScalableTargetInput) {},
			"a minimum over": func(in *applicationautoscaling.RegisterScalableTargetInput) {
				in.MinCapacity, in.MaxCapacity = new(int32(3)), new(int32(2))
			},
			"a minimum below zero": func(in *applicationautoscaling.RegisterScalableTargetInput) {
				in.MinCapacity, in.MaxCapacity = new(int32(-1)), new(int32(2))
			},
		} {
			assert.ErrorAs(t, w.register(t, change), new(*types.ValidationException), name)
		}
		assert.ErrorAs(t, w.track(t), new(*types.ObjectNotFoundException), "a policy without its target")
		w.set(func() { w.gone = true })
		assert.ErrorContains(t, w.register(t, func(in *applicationautoscaling.RegisterScalableTargetInput) {
			in.MinCapacity, in.MaxCapacity = new(int32(1)), new(int32(2))
		}), "ECS service doesn't exist")
		w.set(func() { w.gone = false })
		w.bounds(t, 1, 2)
		for name, change := range map[string]func(*applicationautoscaling.PutScalingPolicyInput){
			"step scaling": func(in *applicationautoscaling.PutScalingPolicyInput) { in.PolicyType = types.PolicyTypeStepScaling },
			"a malformed label": func(in *applicationautoscaling.PutScalingPolicyInput) {
				in.TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.ResourceLabel = new("blue")
			},
			"a target of zero": func(in *applicationautoscaling.PutScalingPolicyInput) {
				in.TargetTrackingScalingPolicyConfiguration.TargetValue = new(0.0)
			},
			"another metric": func(in *applicationautoscaling.PutScalingPolicyInput) {
				in.TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.PredefinedMetricType = types.MetricTypeDynamoDBReadCapacityUtilization
			},
			"a metric of one's own": func(in *applicationautoscaling.PutScalingPolicyInput) {
				in.TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification = &types.CustomizedMetricSpecification{}
			},
		} {
			assert.ErrorAs(t, w.track(t, change), new(*types.ValidationException), name)
		}
	})
}

func TestTrackingScalesOutInProportionAndInWithPatience(t *testing.T) {
	within(t, 2, func(t *testing.T, w *world) {
		w.bounds(t, 2, 6)
		require.NoError(t, w.track(t))
		begun := time.Now()
		w.carry(func(end time.Time) float64 {
			if end.Sub(begun) < 20*time.Minute {
				return 500
			}
			return 150
		})
		pass(2 * time.Minute)
		assert.Equal(t, int32(5), w.desired(), "500 requests are five times 100")
		pass(18*time.Minute + 10*time.Minute)
		assert.Equal(t, int32(5), w.desired(), "ten quiet minutes are not enough to scale in")
		pass(10 * time.Minute)
		assert.Equal(t, int32(2), w.desired())
	})
}

func TestThreeMinutesMustBeOverTheTarget(t *testing.T) {
	within(t, 2, func(t *testing.T, w *world) {
		w.bounds(t, 2, 6)
		require.NoError(t, w.track(t))
		begun := time.Now()
		w.carry(func(end time.Time) float64 {
			if since := end.Sub(begun); since > 5*time.Minute && since < 7*time.Minute {
				return 900
			}
			return 200
		})
		pass(time.Hour)
		assert.Equal(t, int32(2), w.desired())
	})
}

func TestNoDataIsNotLow(t *testing.T) {
	within(t, 5, func(t *testing.T, w *world) {
		w.bounds(t, 2, 6)
		require.NoError(t, w.track(t))
		pass(2 * time.Hour)
		assert.Equal(t, int32(5), w.desired())
	})
}

func TestAServiceAtNothingIsNotScaled(t *testing.T) {
	within(t, 0, func(t *testing.T, w *world) {
		w.bounds(t, 0, 6)
		require.NoError(t, w.track(t))
		w.carry(func(time.Time) float64 { return 1000 })
		pass(time.Hour)
		assert.Zero(t, w.desired())
	})
}

func TestSuspensionKeepsTheCount(t *testing.T) {
	within(t, 3, func(t *testing.T, w *world) {
		w.bounds(t, 1, 6)
		require.NoError(t, w.track(t))
		w.carry(func(time.Time) float64 { return 10 })
		w.suspend(t, types.SuspendedState{DynamicScalingInSuspended: new(true)})
		pass(time.Hour)
		assert.Equal(t, int32(3), w.desired(), "it may not shrink")
		w.carry(func(time.Time) float64 { return 500 })
		pass(10 * time.Minute)
		assert.Equal(t, int32(5), w.desired(), "it may grow")
		w.suspend(t, types.SuspendedState{DynamicScalingOutSuspended: new(true)})
		w.carry(func(time.Time) float64 { return 10 })
		pass(time.Hour)
		assert.Equal(t, int32(1), w.desired(), "it may shrink again")
	})
}

func TestAPolicyByCPUIsKeptAndNeverScales(t *testing.T) {
	within(t, 3, func(t *testing.T, w *world) {
		w.bounds(t, 1, 6)
		require.NoError(t, w.track(t, func(in *applicationautoscaling.PutScalingPolicyInput) {
			in.PolicyName = new("cpu")
			in.TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification = &types.PredefinedMetricSpecification{
				PredefinedMetricType: types.MetricTypeECSServiceAverageCPUUtilization}
		}))
		pass(time.Hour)
		assert.Equal(t, int32(3), w.desired())
		out, err := w.DescribeScalingPolicies(t.Context(), &applicationautoscaling.DescribeScalingPoliciesInput{ServiceNamespace: types.ServiceNamespaceEcs})
		require.NoError(t, err)
		assert.Len(t, out.ScalingPolicies, 1)
	})
}

func TestAScheduledActionMovesTheBounds(t *testing.T) {
	within(t, 3, func(t *testing.T, w *world) {
		w.bounds(t, 2, 6)
		put := func(name, schedule string, least, most int32) {
			_, err := w.PutScheduledAction(t.Context(), &applicationautoscaling.PutScheduledActionInput{
				ScheduledActionName: &name, ServiceNamespace: types.ServiceNamespaceEcs, ScalableDimension: types.ScalableDimensionECSServiceDesiredCount,
				ResourceId: new(resource), Schedule: &schedule, ScalableTargetAction: &types.ScalableTargetAction{MinCapacity: &least, MaxCapacity: &most},
			})
			require.NoError(t, err)
		}
		put("night", "cron(0 20 * * ? *)", 0, 0) // the bubble's time begins at midnight
		put("morning", "cron(0 6 * * ? *)", 2, 6)
		pass(21 * time.Hour)
		assert.Zero(t, w.desired())
		pass(10 * time.Hour)
		assert.Equal(t, int32(2), w.desired())
		w.suspend(t, types.SuspendedState{ScheduledScalingSuspended: new(true)})
		pass(14 * time.Hour)
		assert.Equal(t, int32(2), w.desired(), "suspended, the night does not come")
		actions, err := w.DescribeScheduledActions(t.Context(), &applicationautoscaling.DescribeScheduledActionsInput{ServiceNamespace: types.ServiceNamespaceEcs})
		require.NoError(t, err)
		assert.Len(t, actions.ScheduledActions, 2)
	})
}

func TestDeclaredTargetsPoliciesAndActions(t *testing.T) {
	within(t, 1, func(t *testing.T, w *world) {
		declare := func(typ string, inputs map[string]any) graph.Resource {
			inputs["serviceNamespace"], inputs["scalableDimension"], inputs["resourceId"] = "ecs", "ecs:service:DesiredCount", resource
			return graph.Resource{URN: "urn:pulumi:dev::penguinshop::" + typ + "::blue", Type: typ, Inputs: inputs, Outputs: inputs}
		}
		target := func(least, most int) graph.Resource {
			return declare("aws:appautoscaling/target:Target", map[string]any{"minCapacity": least, "maxCapacity": most})
		}
		policy := declare("aws:appautoscaling/policy:Policy", map[string]any{"name": "requests", "policyType": "TargetTrackingScaling",
			"targetTrackingScalingPolicyConfiguration": map[string]any{"targetValue": 100, "predefinedMetricSpecification": map[string]any{
				"predefinedMetricType": "ALBRequestCountPerTarget", "resourceLabel": "app/shop/1/targetgroup/blue/2"}}})
		action := declare("aws:appautoscaling/scheduledAction:ScheduledAction", map[string]any{"name": "night", "schedule": "cron(0 20 * * ? *)",
			"scalableTargetAction": map[string]any{"minCapacity": "0", "maxCapacity": 0}})
		targets, policies := w.Providers()["aws:appautoscaling/target:Target"], w.Providers()["aws:appautoscaling/policy:Policy"]
		actions := w.Providers()["aws:appautoscaling/scheduledAction:ScheduledAction"]

		require.NoError(t, targets.Create(t.Context(), target(2, 4)))
		require.NoError(t, policies.Create(t.Context(), policy))
		require.NoError(t, actions.Create(t.Context(), action))
		assert.Equal(t, int32(2), w.desired())

		require.NoError(t, w.register(t, func(in *applicationautoscaling.RegisterScalableTargetInput) { in.MinCapacity = new(int32(0)) }))
		w.set(func() { w.count = 0 })
		require.NoError(t, targets.Update(t.Context(), target(2, 4), target(2, 5)), "the program raises the maximum and ignores the minimum")
		assert.Equal(t, int32(0), *w.target(t).MinCapacity, "what the function has set stays")
		assert.Equal(t, int32(5), *w.target(t).MaxCapacity)
		assert.Zero(t, w.desired())
		require.NoError(t, targets.Update(t.Context(), target(2, 5), target(2, 5)))

		require.NoError(t, actions.Delete(t.Context(), action))
		require.NoError(t, policies.Delete(t.Context(), policy))
		require.NoError(t, targets.Delete(t.Context(), target(2, 5)))
		assert.ErrorAs(t, targets.Delete(t.Context(), target(2, 5)), new(*types.ObjectNotFoundException))
	})
}

// Whatever the load, tracking keeps the count in its bounds.
func TestTrackingStaysInItsBounds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		least := rapid.Int32Range(1, 4).Draw(r, "least")
		most := rapid.Int32Range(least, 8).Draw(r, "most")
		load := rapid.SliceOfN(rapid.Float64Range(-1, 2000), 60, 60).Draw(r, "load")
		var seen []int32
		within(t, 3, func(t *testing.T, w *world) {
			w.bounds(t, least, most)
			require.NoError(t, w.track(t))
			begun := time.Now()
			w.carry(func(end time.Time) float64 {
				if i := int(end.Sub(begun) / time.Minute); i >= 0 && i < len(load) {
					return load[i]
				}
				return -1
			})
			for range load {
				pass(time.Minute)
				seen = append(seen, w.desired())
			}
		})
		for _, count := range seen {
			assert.GreaterOrEqual(r, count, least)
			assert.LessOrEqual(r, count, most)
		}
	})
}
