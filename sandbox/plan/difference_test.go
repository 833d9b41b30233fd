package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/plan"
)

// difference compares two versions of a stack as the command does: the prior plan has gone through JSON.
func difference(t *testing.T, before, after []declared) *plan.Difference {
	t.Helper()
	var prior plan.Plan
	require.NoError(t, json.Unmarshal([]byte(mustJSON(planOf(t, nil, before...))), &prior))
	p := planOf(t, nil, after...)
	p.Compare(&prior, "main")
	return p.Difference
}

// changes are the changes in short: sign, type's last word, name.
func changes(d *plan.Difference) map[string]plan.Change {
	found := map[string]plan.Change{}
	for _, c := range d.Changes {
		found[string(c.Action)+" "+c.Name] = c
	}
	return found
}

var (
	group    = declared{typ: targetsType, name: "blue", inputs: object{"port": 8080, "vpcId": "vpc-1", "healthCheck": object{"path": "/readyz"}}}
	rule     = declared{typ: ruleType, name: "preview", inputs: object{"priority": 1}, from: map[string][2]string{"targetGroupArn": {"blue", "arn"}}}
	cluster  = declared{typ: clusterType, name: "shop"}
	fleet    = declared{typ: serviceType, name: "app", inputs: object{"desiredCount": 2}, from: map[string][2]string{"cluster": {"shop", "arn"}}}
	balancer = declared{typ: balancerType, name: "front", inputs: object{"idleTimeout": 60, "enableDeletionProtection": false}}
)

func TestTheSameProgramIsNoDifference(t *testing.T) {
	d := difference(t, []declared{group, rule, cluster, fleet}, []declared{group, rule, cluster, fleet})
	assert.Empty(t, d.Changes)
	assert.False(t, d.TrafficAffected)
	assert.Zero(t, d.MonthlyCostUSD)
}

func TestWhatIsAddedAndRemovedIsNamedWithItsPrice(t *testing.T) {
	d := difference(t, []declared{cluster}, []declared{balancer})
	found := changes(d)
	require.Contains(t, found, "remove shop")
	require.Contains(t, found, "add front")
	assert.Empty(t, found["add front"].Traffic, "what is new carries no traffic yet")
	assert.InDelta(t, 19.71, d.MonthlyCostUSD, 0.001)
	assert.False(t, d.TrafficAffected)
}

func TestANewRuleOnAStandingListenerTakesRequests(t *testing.T) {
	listener := declared{typ: listenerType, name: "http", inputs: object{"port": 80}}
	rule := declared{typ: ruleType, name: "beta", from: map[string][2]string{"listenerArn": {"http", "arn"}}}
	assert.True(t, difference(t, []declared{listener}, []declared{listener, rule}).TrafficAffected)
	assert.False(t, difference(t, []declared{cluster}, []declared{cluster, listener, rule}).TrafficAffected)
}

func TestAChangeIsShownPropertyByProperty(t *testing.T) {
	d := difference(t, []declared{group}, []declared{group.but(object{
		"healthCheck": object{"path": "/healthz"}, "tags": object{"team": "shop"},
	})})
	require.Len(t, d.Changes, 1)
	assert.Equal(t, plan.Alter, d.Changes[0].Action)
	assert.Equal(t, []plan.Property{
		{Path: "healthCheck.path", Before: "/readyz", After: "/healthz"},
		{Path: "tags", After: object{"team": "shop"}},
	}, d.Changes[0].Properties)
	assert.Equal(t, "changes how tasks are judged or drained (healthCheck)", d.Changes[0].Traffic)
	assert.True(t, d.TrafficAffected)
}

func TestTagsAndProtectionDoNotTouchTraffic(t *testing.T) {
	d := difference(t, []declared{balancer}, []declared{balancer.but(object{"tags": object{"a": "b"}, "enableDeletionProtection": true})})
	require.Len(t, d.Changes, 1)
	assert.False(t, d.TrafficAffected)
}

func TestJSONInTextIsComparedAsWhatItHolds(t *testing.T) {
	container := func(text string) declared {
		return declared{typ: taskType, name: "app", inputs: object{"family": "app", "containerDefinitions": text}}
	}
	same := difference(t, []declared{container(`[{"name":"app","cpu":1}]`)}, []declared{container(`[ {"cpu":1, "name":"app"} ]`)})
	assert.Empty(t, same.Changes)
	d := difference(t, []declared{container(`[{"name":"app","cpu":1}]`)}, []declared{container(`[{"name":"app","cpu":2}]`)})
	require.Len(t, d.Changes, 1)
	assert.Equal(t, plan.Replace, d.Changes[0].Action)
	assert.Equal(t, []plan.Property{{Path: "containerDefinitions[0].cpu", Before: 1.0, After: 2.0, Replaces: true}}, d.Changes[0].Properties)
}

func TestAnIgnoredPropertyIsNoChange(t *testing.T) {
	ignoring := fleet.ignoring("desiredCount")
	d := difference(t, []declared{cluster, ignoring}, []declared{cluster, ignoring.but(object{"desiredCount": 9})})
	assert.Empty(t, d.Changes)
}

func TestAReplacementDrawsAlongWhatCannotDoWithout(t *testing.T) {
	named := cluster.but(object{"name": "other"})
	d := difference(t, []declared{cluster, fleet}, []declared{named, fleet})
	found := changes(d)
	require.Contains(t, found, "replace shop")
	require.Contains(t, found, "replace app")
	assert.Equal(t, plan.Property{Path: "name", After: "other", Replaces: true}, found["replace shop"].Properties[0])
	assert.Equal(t, "its tasks stop: requests to this colour fail", found["replace app"].Traffic)
	assert.True(t, d.TrafficAffected)

	moved := difference(t, []declared{group, rule}, []declared{group.but(object{"port": 9090}), rule})
	found = changes(moved)
	require.Contains(t, found, "replace blue")
	require.Contains(t, found, "change preview")
	assert.Equal(t, "[unknown]", found["change preview"].Properties[0].After)
	assert.Contains(t, found["change preview"].Because, "::blue")
}

func TestAnIgnoringServiceSurvivesANewTaskDefinition(t *testing.T) {
	service := declared{typ: serviceType, name: "app", from: map[string][2]string{"taskDefinition": {"app", "arn"}},
		options: []pulumi.ResourceOption{pulumi.IgnoreChanges([]string{"taskDefinition"})}}
	bigger := task("ARM64").but(object{"cpu": "1024"})
	d := difference(t, []declared{task("ARM64"), service}, []declared{bigger, service})
	assert.Len(t, d.Changes, 1)
	assert.False(t, d.TrafficAffected)

	service.options = nil
	d = difference(t, []declared{task("ARM64"), service}, []declared{bigger, service})
	assert.True(t, d.TrafficAffected)
	assert.Contains(t, d.Changes[1].Traffic, "starts a deployment")
}

func TestAnAliasKeepsAResource(t *testing.T) {
	renamed := group
	renamed.name = "teal"
	renamed.options = []pulumi.ResourceOption{pulumi.Aliases([]pulumi.Alias{{Name: pulumi.String("blue")}})}
	assert.Empty(t, difference(t, []declared{group}, []declared{renamed}).Changes)
}

func TestANewStackIsAddedWhole(t *testing.T) {
	p := planOf(t, nil, cluster)
	p.Compare(nil, "main")
	assert.Len(t, p.Difference.Changes, len(p.Resources))
	assert.False(t, p.Difference.TrafficAffected)
}

func TestTheDifferenceReadsWellInATerminal(t *testing.T) {
	p := planOf(t, nil, cluster.but(object{"name": "other"}), fleet)
	p.Compare(planOf(t, nil, cluster, fleet), "v1")
	var text strings.Builder
	require.NoError(t, p.WriteTree(&text))
	assert.Contains(t, text.String(), "Difference to v1")
	assert.Contains(t, text.String(), "RUNNING TRAFFIC IS AFFECTED")
	assert.Contains(t, text.String(), `name: nothing → "other" (forces replacement)`)
}

func TestAStackThatIsGoneIsRemovedWhole(t *testing.T) {
	prior := planOf(t, nil, balancer, cluster)
	gone := &plan.Plan{Stack: "dev"}
	gone.Compare(prior, "main")
	assert.Len(t, gone.Difference.Changes, len(prior.Resources))
	assert.True(t, gone.Difference.TrafficAffected)
	assert.InDelta(t, -19.71, gone.Difference.MonthlyCostUSD, 0.001)
}
