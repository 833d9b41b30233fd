package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// owned is the ownership table: what something else than Pulumi writes at run time, and no more than that.
var owned = map[string][]string{
	"aws:lb/listener:Listener web-http":            {"defaultActions"},
	"aws:lb/listenerRule:ListenerRule web-preview": {"actions"},
	"aws:ecs/service:Service app-blue":             {"desiredCount", "taskDefinition"},
	"aws:ecs/service:Service app-green":            {"desiredCount", "taskDefinition"},
	"aws:appautoscaling/target:Target app-blue":    {"minCapacity", "suspendedState"},
	"aws:appautoscaling/target:Target app-green":   {"minCapacity", "suspendedState"},
	// The first value that an environment was given stays.
	"aws:ssm/parameter:Parameter web-preview": {"value"},
}

func ignored(g *graph.Graph) map[string][]string {
	found := map[string][]string{}
	for _, r := range g.Resources {
		// awsx's own children carry ignores of their own, which are its matter.
		if len(r.IgnoreChanges) > 0 && !strings.Contains(r.URN, "awsx:ec2:Vpc") {
			found[r.Type+" "+r.Name] = r.IgnoreChanges
		}
	}
	return found
}

func TestPulumiIgnoresExactlyWhatOthersOwn(t *testing.T) {
	for _, name := range environments {
		t.Run(name, func(t *testing.T) { assert.Equal(t, owned, ignored(stack(t, name))) })
	}
	t.Run("shared", func(t *testing.T) {
		assert.Equal(t, map[string][]string{"aws:ecr/repository:Repository delivery-images": {"encryptionConfigurations"}},
			ignored(stack(t, "shared")), "a repository that stands keeps the encryption that it was made with")
	})
	t.Run("https", func(t *testing.T) {
		found := ignored(https(t))
		assert.Equal(t, []string{"defaultActions"}, found["aws:lb/listener:Listener web-https"])
		assert.NotContains(t, found, "aws:lb/listener:Listener web-redirect", "the redirect is Pulumi's")
	})
	t.Run("rolling", func(t *testing.T) {
		assert.Equal(t, map[string][]string{"aws:ecs/service:Service app-blue": {"desiredCount", "taskDefinition"}}, ignored(rolling(t)),
			"without shiftfn the bounds and the one target group are Pulumi's")
	})
}

func TestAllTrafficGoesToBlueAtFirstAndGreensZeroIsWrittenOut(t *testing.T) {
	for _, name := range environments {
		g := stack(t, name)
		blue, green := one(t, g, "aws:lb/targetGroup:TargetGroup", "web-blue"), one(t, g, "aws:lb/targetGroup:TargetGroup", "web-green")
		listener := one(t, g, "aws:lb/listener:Listener", "web-http")
		assert.Equal(t, []any{map[string]any{
			"type": "forward",
			"forward": map[string]any{"targetGroups": []any{
				map[string]any{"arn": blue.Outputs["arn"], "weight": float64(100)},
				map[string]any{"arn": green.Outputs["arn"], "weight": float64(0)},
			}},
		}}, listener.Inputs["defaultActions"])

		rule := one(t, g, "aws:lb/listenerRule:ListenerRule", "web-preview")
		assert.Equal(t, []any{map[string]any{"type": "forward", "targetGroupArn": green.Outputs["arn"]}}, rule.Inputs["actions"])
		assert.Equal(t, listener.Outputs["arn"], rule.Inputs["listenerArn"])
	}
}

func TestGreenWaitsAtZeroAndMayStayThere(t *testing.T) {
	for name, minimum := range map[string]float64{"dev": 1, "qa": 2, "prod": 3} {
		g := stack(t, name)
		assert.Equal(t, minimum, one(t, g, "aws:ecs/service:Service", "app-blue").Inputs["desiredCount"])
		assert.Equal(t, float64(0), one(t, g, "aws:ecs/service:Service", "app-green").Inputs["desiredCount"])
		assert.Equal(t, minimum, one(t, g, "aws:appautoscaling/target:Target", "app-blue").Inputs["minCapacity"])
		assert.Equal(t, float64(0), one(t, g, "aws:appautoscaling/target:Target", "app-green").Inputs["minCapacity"],
			"registering a target snaps the count into its bounds")
	}
}

func TestTheColoursDifferInTheirColourAlone(t *testing.T) {
	g := stack(t, "prod")
	shape := func(colour string) (map[string]any, map[string]any) {
		r := one(t, g, "aws:ecs/taskDefinition:TaskDefinition", "app-"+colour)
		containers := parsed(t, r, "containerDefinitions").([]any)
		require.Len(t, containers, 1)
		container := containers[0].(map[string]any)
		var told []any
		for _, v := range container["environment"].([]any) {
			variable := v.(map[string]any)
			if variable["name"] == "COLOUR" {
				assert.Equal(t, colour, variable["value"])
				continue
			}
			told = append(told, v)
		}
		assert.Len(t, container["environment"], len(told)+1, "the container is told its colour")
		container["environment"] = told
		options := container["logConfiguration"].(map[string]any)["options"].(map[string]any)
		assert.Equal(t, colour, options["awslogs-stream-prefix"])
		delete(options, "awslogs-stream-prefix")
		rest := map[string]any{}
		for key, value := range r.Inputs {
			if key != "containerDefinitions" && key != "family" {
				rest[key] = value
			}
		}
		assert.Equal(t, "penguinshop-prod-"+colour, r.Inputs["family"])
		return rest, container
	}
	blue, blueContainer := shape("blue")
	green, greenContainer := shape("green")
	assert.Equal(t, blue, green)
	assert.Equal(t, blueContainer, greenContainer)
}

func TestAServiceIsMadeWhenAListenerNamesItsTargetGroup(t *testing.T) {
	g := stack(t, "dev")
	listener := one(t, g, "aws:lb/listener:Listener", "web-http")
	for _, colour := range []string{"blue", "green"} {
		service := one(t, g, "aws:ecs/service:Service", "app-"+colour)
		assert.Contains(t, service.Dependencies, listener.URN, "ECS refuses a target group without a load balancer")
		attached := service.Inputs["loadBalancers"].([]any)[0].(map[string]any)
		assert.Equal(t, one(t, g, "aws:lb/targetGroup:TargetGroup", "web-"+colour).Outputs["arn"], attached["targetGroupArn"])
	}
}

func TestAFailedDeploymentOfECSEndsAsFailed(t *testing.T) {
	eachStack(t, func(t *testing.T, g *graph.Graph) {
		for _, service := range g.OfType("aws:ecs/service:Service") {
			assert.Equal(t, map[string]any{"enable": true, "rollback": false}, service.Inputs["deploymentCircuitBreaker"],
				"a rollback by ECS would look like a stable service, and the pipeline would report a success")
		}
	})
}
