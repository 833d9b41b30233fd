package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penguinshop/delivery/stacks"
	"github.com/penguinshop/delivery/tests/engine/standin"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// owned are the fields that something else than Pulumi owns at run time (design: «Who owns which field»).
var owned = []struct {
	typ, property string
	// rollout is what the field holds in the middle of a rollout; nil takes a value as it is declared.
	rollout func(declared resource.PropertyValue) resource.PropertyValue
}{
	{"aws:lb/listener:Listener", "defaultActions", weights},
	{"aws:lb/listenerRule:ListenerRule", "actions", otherTarget},
	{"aws:ecs/service:Service", "taskDefinition", func(resource.PropertyValue) resource.PropertyValue {
		return resource.NewProperty("arn:aws:ecs:eu-central-1:123456789012:task-definition/penguinshop-dev-blue:41")
	}},
	{"aws:ecs/service:Service", "desiredCount", func(resource.PropertyValue) resource.PropertyValue { return resource.NewProperty(7.0) }},
	{"aws:appautoscaling/target:Target", "minCapacity", func(resource.PropertyValue) resource.PropertyValue { return resource.NewProperty(0.0) }},
	{"aws:appautoscaling/target:Target", "suspendedState", func(resource.PropertyValue) resource.PropertyValue {
		return resource.NewProperty(resource.PropertyMap{
			"dynamicScalingInSuspended": resource.NewProperty(true), "dynamicScalingOutSuspended": resource.NewProperty(false),
			"scheduledScalingSuspended": resource.NewProperty(false),
		})
	}},
}

// weights turns 100/0 into 70/30.
func weights(declared resource.PropertyValue) resource.PropertyValue {
	moved := copyOf(declared)
	groups := moved.ArrayValue()[0].ObjectValue()["forward"].ObjectValue()["targetGroups"].ArrayValue()
	for i, weight := range []float64{70, 30} {
		groups[i].ObjectValue()["weight"] = resource.NewProperty(weight)
	}
	return moved
}

// otherTarget points the preview rule to a group that the program did not name.
func otherTarget(declared resource.PropertyValue) resource.PropertyValue {
	moved := copyOf(declared)
	moved.ArrayValue()[0].ObjectValue()["targetGroupArn"] = resource.NewProperty("arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web-blue/1")
	return moved
}

func copyOf(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsArray():
		out := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, element := range v.ArrayValue() {
			out[i] = copyOf(element)
		}
		return resource.NewProperty(out)
	case v.IsObject():
		out := resource.PropertyMap{}
		for key, element := range v.ObjectValue() {
			out[key] = copyOf(element)
		}
		return resource.NewProperty(out)
	}
	return v
}

// drift puts an environment into the middle of a rollout and returns what must still be so after any `up`.
func drift(t *testing.T, world *standin.World, stack string) map[string]resource.PropertyValue {
	t.Helper()
	held := map[string]resource.PropertyValue{}
	for _, field := range owned {
		found := world.OfType(stack, field.typ)
		require.NotEmpty(t, found, "nothing of the type %s is declared", field.typ)
		for _, live := range found {
			declared := live.Properties[resource.PropertyKey(field.property)]
			if live.URN.Name() == "web-redirect" {
				continue // it has no weights
			}
			value := field.rollout(declared)
			require.NoError(t, world.Drift(live.URN, func(p resource.PropertyMap) { p[resource.PropertyKey(field.property)] = value }))
			held[string(live.URN)+"#"+field.property] = value
		}
	}
	require.GreaterOrEqual(t, len(held), len(owned))
	return held
}

// harm lists what an update did to the traffic: owned fields that are not as they were, and carriers of traffic that were
// replaced or deleted.
func harm(world *standin.World, stack string, held map[string]resource.PropertyValue, calls []standin.Call) []string {
	var problems []string
	live := map[string]resource.PropertyMap{}
	for _, l := range world.OfStack(stack) {
		live[string(l.URN)] = l.Properties
	}
	for field, want := range held {
		urn, property, _ := strings.Cut(field, "#")
		if got := live[urn][resource.PropertyKey(property)]; !got.DeepEquals(want) {
			problems = append(problems, fmt.Sprintf("%s of %s is %v, it was %v", property, urn[strings.LastIndex(urn, "::")+2:], got, want))
		}
	}
	carriers := []string{"Listener", "ListenerRule", "TargetGroup", "Service", "LoadBalancer"}
	for _, call := range calls {
		kind := string(call.URN.Type().Name())
		if call.Operation == "delete" && slices.Contains(carriers, kind) {
			problems = append(problems, fmt.Sprintf("%s %s was deleted", kind, call.URN.Name()))
		}
	}
	slices.Sort(problems)
	return problems
}

func TestNoUpMovesTrafficAnImageOrACount(t *testing.T) {
	var program pulumi.RunFunc = stacks.Declare
	h := build(t, func(ctx *pulumi.Context) error { return program(ctx) })
	stack := h.stack(t, "dev")
	set := func(key, value string) func(*testing.T) {
		return func(t *testing.T) {
			require.NoError(t, stack.SetConfigWithOptions(t.Context(), key, auto.ConfigValue{Value: value}, &auto.ConfigOptions{Path: true}))
		}
	}
	// A listener with a certificate has everything that can be changed about one.
	set("penguinshop:https.domain", "shop.example.com")(t)
	set("penguinshop:https.certificateArn", "arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000001")(t)
	_, err := stack.Up(t.Context())
	require.NoError(t, err)

	for _, change := range []struct {
		name string
		make func(*testing.T)
		// touches is a type that the change must have updated, so that a change which does nothing proves nothing.
		touches string
	}{
		{"nothing", func(*testing.T) {}, ""},
		{"a tag", set("aws:defaultTags.tags.team", "penguins"), ""},
		{"a new target group", func(*testing.T) {
			program = func(ctx *pulumi.Context) error {
				if _, err := lb.NewTargetGroup(ctx, "third", &lb.TargetGroupArgs{Port: pulumi.Int(8080), Protocol: pulumi.String("HTTP"), VpcId: pulumi.String("vpc-1")}); err != nil {
					return err
				}
				return stacks.Declare(ctx)
			}
		}, "TargetGroup"},
		{"a new certificate", set("penguinshop:https.certificateArn", "arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000002"), "Listener"},
		{"a change of the health check", set("penguinshop:loadBalancer.healthCheck.intervalSeconds", "15"), "TargetGroup"},
		{"a new task size", func(t *testing.T) {
			set("penguinshop:service.cpu", "512")(t)
			set("penguinshop:service.memoryMiB", "1024")(t)
		}, "TaskDefinition"},
		{"another number of tasks", set("penguinshop:service.maximum", "5"), "Target"},
		{"another environment variable", set("penguinshop:service.environment.LOG_LEVEL", "debug"), "TaskDefinition"},
	} {
		for i, mode := range []struct {
			name    string
			options []optup.Option
		}{{"up", nil}, {"up --refresh", []optup.Option{optup.Refresh()}}} {
			t.Run(change.name+" by "+mode.name, func(t *testing.T) {
				held := drift(t, h.world, "dev")
				h.world.Calls()
				if i == 0 {
					change.make(t)
				}
				_, err := stack.Up(t.Context(), mode.options...)
				require.NoError(t, err)
				calls := h.world.Calls()
				if i == 0 && change.touches != "" {
					assert.True(t, slices.ContainsFunc(calls, func(c standin.Call) bool {
						return string(c.URN.Type().Name()) == change.touches
					}), "the change reached no %s, so it proved nothing", change.touches)
				}
				assert.Empty(t, harm(h.world, "dev", held, calls))
			})
		}
	}

	t.Run("each ignore is needed", func(t *testing.T) {
		program = stacks.Declare
		_, err := stack.Up(t.Context()) // takes the third target group away
		require.NoError(t, err)
		for _, field := range owned {
			t.Run(field.typ+" "+field.property, func(t *testing.T) {
				program = func(ctx *pulumi.Context) error {
					err := ctx.RegisterResourceTransform(func(_ context.Context, args *pulumi.ResourceTransformArgs) *pulumi.ResourceTransformResult {
						if args.Type == field.typ {
							args.Opts.IgnoreChanges = slices.DeleteFunc(slices.Clone(args.Opts.IgnoreChanges), func(p string) bool {
								return p == field.property
							})
						}
						return &pulumi.ResourceTransformResult{Props: args.Props, Opts: args.Opts}
					})
					if err != nil {
						return err
					}
					return stacks.Declare(ctx)
				}
				held := drift(t, h.world, "dev")
				h.world.Calls()
				_, err := stack.Up(t.Context(), optup.Refresh())
				require.NoError(t, err)
				found := harm(h.world, "dev", held, h.world.Calls())
				require.NotEmpty(t, found, "without the ignore nothing happens: either it is not needed or this test cannot fail")
				for _, problem := range found {
					assert.True(t, strings.HasPrefix(problem, field.property), problem)
				}
			})
		}
		program = stacks.Declare
	})

	t.Run("what cannot be done without touching traffic is refused without a word in config", func(t *testing.T) {
		for name, change := range map[string]func(*testing.T){
			"a new VPC": set("penguinshop:network.cidr", "10.99.0.0/16"),
			"a renamed load balancer": func(*testing.T) {
				program = func(ctx *pulumi.Context) error {
					err := ctx.RegisterResourceTransform(func(_ context.Context, args *pulumi.ResourceTransformArgs) *pulumi.ResourceTransformResult {
						if args.Type == "aws:lb/loadBalancer:LoadBalancer" {
							args.Props["name"] = pulumi.String("another")
						}
						return &pulumi.ResourceTransformResult{Props: args.Props, Opts: args.Opts}
					})
					if err != nil {
						return err
					}
					return stacks.Declare(ctx)
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				held := drift(t, h.world, "dev")
				h.world.Calls()
				change(t)
				_, err := stack.Up(t.Context())
				require.ErrorContains(t, err, "protect")
				assert.Empty(t, harm(h.world, "dev", held, h.world.Calls()))
				set("penguinshop:network.cidr", "10.0.0.0/16")(t)
				program = stacks.Declare
			})
		}
		set("penguinshop:unprotected", "the network is moved in a maintenance window")(t)
		set("penguinshop:network.cidr", "10.99.0.0/16")(t)
		_, err := stack.Up(t.Context())
		require.NoError(t, err, "with the word it is done")
	})
}
