package plan_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// release is a colour of a blue/green service behind a listener, declared as the components do.
func release() []declared {
	return []declared{
		{typ: balancerType, name: "front"},
		{typ: targetsType, name: "blue"},
		{typ: listenerType, name: "http", from: map[string][2]string{"loadBalancerArn": {"front", "arn"}, "targetGroupArn": {"blue", "arn"}}},
		task("ARM64"),
		{typ: roleType, name: "caller"},
		{typ: serviceType, name: "app", from: map[string][2]string{"taskDefinition": {"app", "arn"}, "targetGroupArn": {"blue", "arn"}}},
	}
}

// boxes reads where each titled box of a picture stands.
func boxes(t *testing.T, picture string) map[string][2]int {
	t.Helper()
	type rect struct {
		X int `xml:"x,attr"`
		Y int `xml:"y,attr"`
	}
	type group struct {
		Rect rect     `xml:"rect"`
		Text []string `xml:"text"`
	}
	var read struct {
		Groups []group `xml:"g"`
	}
	require.NoError(t, xml.Unmarshal([]byte(picture), &read))
	found := map[string][2]int{}
	for _, g := range read.Groups {
		require.Len(t, g.Text, 2)
		found[g.Text[0]+" "+g.Text[1]] = [2]int{g.Rect.X, g.Rect.Y}
	}
	return found
}

func pictureOf(t *testing.T, resources ...declared) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, planOf(t, nil, resources...).WriteDiagram(&text))
	return text.String()
}

func TestTheDiagramLeadsFromTheLoadBalancerToTheTasks(t *testing.T) {
	at := boxes(t, pictureOf(t, release()...))
	order := []string{"front lb/LoadBalancer", "http lb/Listener", "blue lb/TargetGroup", "app ecs/Service", "app ecs/TaskDefinition"}
	for i, name := range order {
		require.Contains(t, at, name)
		if i > 0 {
			assert.Less(t, at[order[i-1]][0], at[name][0], "%s stands right of %s", name, order[i-1])
		}
	}
	assert.NotContains(t, at, "caller iam/Role")
}

func TestNoTwoBoxesOverlapInTheDiagram(t *testing.T) {
	at := boxes(t, pictureOf(t, full()...))
	taken := map[[2]int]string{}
	for name, place := range at {
		assert.Empty(t, taken[place], "%s stands on another", name)
		taken[place] = name
	}
}

func TestTheDiagramIsWellFormedWhateverTheNamesAre(t *testing.T) {
	picture := pictureOf(t, append(full(), declared{typ: balancerType, name: `<b>"&'`})...)
	decoder := xml.NewDecoder(strings.NewReader(picture))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

func TestTheDiagramGathersManyOfOneType(t *testing.T) {
	var alarms []declared
	for _, name := range []string{"a", "b", "c", "d"} {
		alarms = append(alarms, declared{typ: "aws:cloudwatch/metricAlarm:MetricAlarm", name: name})
	}
	assert.Contains(t, boxes(t, pictureOf(t, alarms...)), "4 × MetricAlarm cloudwatch")
}

func TestACycleOfArrowsStillHasAPicture(t *testing.T) {
	at := boxes(t, pictureOf(t, append(release(), declared{
		typ: ruleType, name: "preview", from: map[string][2]string{"listenerArn": {"http", "arn"}, "targetGroupArn": {"blue", "arn"}},
		options: []pulumi.ResourceOption{},
	})...))
	assert.Contains(t, at, "preview lb/ListenerRule")
}

func TestMermaidNamesEveryBoxAndArrowOfTheDiagram(t *testing.T) {
	text := planOf(t, nil, release()...).Mermaid()
	assert.True(t, strings.HasPrefix(text, "flowchart LR\n"))
	assert.Contains(t, text, `["front<br/><small>lb/LoadBalancer</small>"]:::traffic`)
	assert.Equal(t, 4, strings.Count(text, " --> "), text)
	assert.Equal(t, strings.Count(text, "subgraph "), strings.Count(text, "  end\n"))
}
