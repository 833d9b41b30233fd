package adapter

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	parameter "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

var ours, theirs = "sha256:" + strings.Repeat("a", 64), "sha256:" + strings.Repeat("b", 64)

// front is a load balancer whose preview rule can be looked at, and which gives one answer to every request.
type front struct {
	ELB
	rule   types.Rule
	answer string
	mu     sync.Mutex // probes are sent side by side
	asked  map[string]int
}

func (f *front) DescribeRules(context.Context, *elb.DescribeRulesInput, ...func(*elb.Options)) (*elb.DescribeRulesOutput, error) {
	return &elb.DescribeRulesOutput{Rules: []types.Rule{f.rule}}, nil
}

func (f *front) GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	return &ssm.GetParameterOutput{Parameter: &parameter.Parameter{Value: aws.String("s3cr3t")}}, nil
}

// RoundTrip is the transport below a client, so that a connection is had as always.
func (f *front) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.asked[r.URL.Path]++
	f.mu.Unlock()
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(f.answer)), Request: r}, nil
}

// reached makes a round of probes through a front that gives the answer, with the rule changed.
func reached(t *testing.T, answer string, change func(*types.Rule)) (*rollout.Probed, *front) {
	t.Helper()
	f := &front{answer: answer, asked: map[string]int{}, rule: types.Rule{
		Conditions: []types.RuleCondition{{Field: aws.String("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{
			HttpHeaderName: aws.String("x-preview"), Values: []string{"s3cr3t"}}}},
		Actions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String("green")}},
	}}
	change(&f.rule)
	plan, problems := rollout.Policy{Probes: rollout.Probes{Identity: &rollout.Identity{Path: "/version"}}}.Plan()
	require.Empty(t, problems)
	w := &World{Plan: plan, Now: time.Now, Clients: Clients{ELB: f, Parameters: f, HTTP: &http.Client{Transport: f}}, Settings: settings.Settings{
		URL: "http://shop.example", PreviewHeader: "X-Preview", PreviewParameter: "/shop/preview",
		Blue: settings.Side{TargetGroup: "blue"}, Green: settings.Side{TargetGroup: "green"}}}
	rule, err := w.rule(t.Context())
	require.NoError(t, err)
	order := controller.Order{Candidate: rollout.Green, Digest: ours}
	p, err := w.probe(t.Context(), rollout.Look{Candidate: order.Candidate, Probes: 3}, order.Digest, rule)
	require.NoError(t, err)
	assert.NotContains(t, fmt.Sprint(p), "s3cr3t")
	return p, f
}

func TestAProbeKnowsWhoAnswered(t *testing.T) {
	for name, test := range map[string]struct{ answer, astray string }{
		"the release":                  {`{"digest":"` + ours + `","colour":"green","commit":"c"}`, ""},
		"the release, with its name":   {`{"digest":"shop@` + ours + `"}`, ""},
		"the version before it":        {`{"digest":"` + theirs + `","colour":"blue"}`, "GET /version was answered by sha256:bbbbbbbbbbbb… (blue), not by sha256:aaaaaaaaaaaa…"},
		"a version without a colour":   {`{"digest":"` + theirs + `"}`, "GET /version was answered by sha256:bbbbbbbbbbbb…, not by sha256:aaaaaaaaaaaa…"},
		"a version that does not know": {`{"digest":null,"colour":"blue"}`, "GET /version was answered (blue) without a text in digest"},
		"a page":                       {`<html>`, "GET /version was answered with something else than a JSON object"},
		"a list":                       {`["` + ours + `"]`, "GET /version was answered with something else than a JSON object"},
		"what tells secrets":           {`{"digest":"s3cr3t","colour":"s3cr3t"}`, "GET /version was answered by … (…), not by sha256:aaaaaaaaaaaa…"},
	} {
		t.Run(name, func(t *testing.T) {
			p, f := reached(t, test.answer, func(*types.Rule) {})
			assert.Equal(t, test.astray, p.Astray)
			assert.Equal(t, map[string]int{"/": 3, "/version": 3}, f.asked)
			if test.astray == "" {
				assert.Equal(t, 3, p.Identified)
			}
		})
	}
}

func TestNoProbeIsSentThatThePreviewRuleWouldLeadElsewhere(t *testing.T) {
	forward := func(groups ...types.TargetGroupTuple) func(*types.Rule) {
		return func(r *types.Rule) {
			r.Actions = []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: groups}}}
		}
	}
	group := func(arn string, weight int32) types.TargetGroupTuple {
		return types.TargetGroupTuple{TargetGroupArn: &arn, Weight: &weight}
	}
	for name, test := range map[string]struct {
		change func(*types.Rule)
		astray string
	}{
		"to the candidate, and to nothing of the other": {forward(group("green", 1), group("blue", 0)), ""},
		"to the other side":                             {forward(group("blue", 1)), "the preview rule does not lead to green alone"},
		"to both sides":                                 {forward(group("green", 99), group("blue", 1)), "the preview rule does not lead to green alone"},
		"by another value":                              {func(r *types.Rule) { r.Conditions[0].HttpHeaderConfig.Values = []string{"older"} }, "the preview rule waits for another value of X-Preview than /shop/preview holds"},
		"by any value":                                  {func(r *types.Rule) { r.Conditions[0].HttpHeaderConfig.Values = []string{"s3*"} }, ""},
		"by another header":                             {func(r *types.Rule) { r.Conditions[0].HttpHeaderConfig.HttpHeaderName = aws.String("x-other") }, "the preview rule does not ask for X-Preview"},
		"by something else alone":                       {func(r *types.Rule) { r.Conditions = []types.RuleCondition{{Field: aws.String("path-pattern")}} }, "the preview rule does not ask for X-Preview"},
	} {
		t.Run(name, func(t *testing.T) {
			p, f := reached(t, `{"digest":"`+ours+`"}`, test.change)
			assert.Equal(t, test.astray, p.Astray)
			if test.astray != "" {
				assert.Empty(t, f.asked)
			}
		})
	}
}
