package adapter

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// listener reads the listener's default actions and the one among them that shares the traffic out.
func (w *World) listener(ctx context.Context) (actions []types.Action, forward *types.Action, err error) {
	out, err := w.Clients.ELB.DescribeListeners(ctx, &elb.DescribeListenersInput{ListenerArns: []string{w.Settings.Listener}})
	if err != nil {
		return nil, nil, err
	}
	if len(out.Listeners) != 1 {
		return nil, nil, fmt.Errorf("%s names %d listeners", w.Settings.Listener, len(out.Listeners))
	}
	actions = out.Listeners[0].DefaultActions
	for i := range actions {
		if actions[i].Type == types.ActionTypeEnumForward {
			return actions, &actions[i], nil
		}
	}
	return nil, nil, fmt.Errorf("the default action of %s forwards nowhere", w.Settings.Listener)
}

// weights are the listener's, in percent.
func (w *World) weights(ctx context.Context) (*rollout.Weights, error) {
	_, forward, err := w.listener(ctx)
	if err != nil {
		return nil, err
	}
	return w.percent(forward)
}

// percent turns an action's weights into percent. A side that gets some traffic never counts as none or all of it, however
// small its share.
func (w *World) percent(forward *types.Action) (*rollout.Weights, error) {
	var blue, green int32
	for _, group := range groups(forward) {
		switch arn, weight := aws.ToString(group.TargetGroupArn), aws.ToInt32(group.Weight); {
		case arn == w.Settings.Blue.TargetGroup:
			blue += weight
		case arn == w.Settings.Green.TargetGroup:
			green += weight
		case weight > 0:
			return nil, fmt.Errorf("the listener forwards to %s, which is neither blue nor green", arn)
		}
	}
	total := blue + green
	if total == 0 {
		return nil, fmt.Errorf("the listener gives neither blue nor green any traffic")
	}
	share := int((green*100 + total/2) / total)
	if green > 0 && blue > 0 {
		share = min(max(share, 1), 99)
	}
	weights := rollout.Split(rollout.Green, share)
	return &weights, nil
}

// groups are the target groups of a forward action in either of its two forms.
func groups(forward *types.Action) []types.TargetGroupTuple {
	if forward.ForwardConfig != nil && len(forward.ForwardConfig.TargetGroups) > 0 {
		return forward.ForwardConfig.TargetGroups
	}
	return []types.TargetGroupTuple{{TargetGroupArn: forward.TargetGroupArn, Weight: aws.Int32(1)}}
}

// forwardTo is a forward action with these weights; everything else of the action (order, stickiness) stays. Weight 0 is
// written out, so that the group stays attached and is health-checked.
func (w *World) forwardTo(forward types.Action, weights rollout.Weights) types.Action {
	config := types.ForwardActionConfig{}
	if forward.ForwardConfig != nil {
		config = *forward.ForwardConfig
	}
	config.TargetGroups = nil
	for _, c := range colours {
		config.TargetGroups = append(config.TargetGroups, types.TargetGroupTuple{
			TargetGroupArn: aws.String(w.side(c).TargetGroup), Weight: aws.Int32(int32(weights.Of(c))),
		})
	}
	forward.TargetGroupArn, forward.ForwardConfig = nil, &config
	return forward
}

// setWeights moves traffic, unless the weights are no longer those that the decision was made on.
func (w *World) setWeights(ctx context.Context, before, weights rollout.Weights) error {
	actions, forward, err := w.listener(ctx)
	if err != nil {
		return err
	}
	now, err := w.percent(forward)
	if err != nil {
		return err
	}
	if *now != before {
		return fmt.Errorf("the weights are %s by now, no longer %s", now, before)
	}
	*forward = w.forwardTo(*forward, weights)
	_, err = w.Clients.ELB.ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: aws.String(w.Settings.Listener), DefaultActions: actions})
	return err
}

// previewRule is the preview rule with the one of its actions that forwards.
type previewRule struct {
	types.Rule
	forward *types.Action
}

func (w *World) rule(ctx context.Context) (*previewRule, error) {
	out, err := w.Clients.ELB.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{w.Settings.PreviewRule}})
	if err != nil {
		return nil, err
	}
	if len(out.Rules) != 1 {
		return nil, fmt.Errorf("%s names %d rules", w.Settings.PreviewRule, len(out.Rules))
	}
	for i := range out.Rules[0].Actions {
		if action := &out.Rules[0].Actions[i]; action.Type == types.ActionTypeEnumForward {
			return &previewRule{out.Rules[0], action}, nil
		}
	}
	return nil, fmt.Errorf("the preview rule %s forwards nowhere", w.Settings.PreviewRule)
}

// leadsTo is the colour that the preview rule leads to, empty where it is both: neither is what a probe could rely on.
func (w *World) leadsTo(r *previewRule) (*rollout.Colour, error) {
	weights, err := w.percent(r.forward)
	if err != nil {
		return nil, fmt.Errorf("preview rule: %w", err)
	}
	colour, _ := weights.Live()
	return &colour, nil
}

// astray says why a request with the header's value would not reach the candidate alone, by the rule as it is described;
// empty where it would.
func (w *World) astray(r *previewRule, candidate rollout.Colour, value string) (string, error) {
	colour, err := w.leadsTo(r)
	switch {
	case err != nil:
		return "", err
	case *colour != candidate:
		return fmt.Sprintf("the preview rule does not lead to %s alone", candidate), nil
	}
	for _, condition := range r.Conditions {
		header := condition.HttpHeaderConfig
		if header == nil || !strings.EqualFold(aws.ToString(header.HttpHeaderName), w.Settings.PreviewHeader) {
			continue
		}
		if slices.Contains(header.Values, value) || slices.ContainsFunc(header.Values, func(v string) bool { return strings.ContainsAny(v, "*?") }) {
			return "", nil
		}
		return fmt.Sprintf("the preview rule waits for another value of %s than %s holds", w.Settings.PreviewHeader, w.Settings.PreviewParameter), nil
	}
	return "the preview rule does not ask for " + w.Settings.PreviewHeader, nil
}

func (w *World) setPreview(ctx context.Context, colour rollout.Colour) error {
	r, err := w.rule(ctx)
	if err != nil {
		return err
	}
	r.forward.TargetGroupArn, r.forward.ForwardConfig = nil, &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{
		{TargetGroupArn: aws.String(w.side(colour).TargetGroup), Weight: aws.Int32(1)},
	}}
	_, err = w.Clients.ELB.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: aws.String(w.Settings.PreviewRule), Actions: r.Actions})
	return err
}

// targets counts a side's targets by their health.
func (w *World) targets(ctx context.Context, c rollout.Colour) (*rollout.Targets, error) {
	health, err := w.health(ctx, c)
	if err != nil {
		return nil, err
	}
	var targets rollout.Targets
	for _, h := range health {
		switch h.TargetHealth.State {
		case types.TargetHealthStateEnumHealthy:
			targets.Healthy++
		case types.TargetHealthStateEnumInitial:
			targets.Initial++
		case types.TargetHealthStateEnumDraining, types.TargetHealthStateEnumUnhealthyDraining:
			targets.Draining++
		default:
			targets.Unhealthy++
		}
	}
	return &targets, nil
}

// health is what the load balancer says of each target of a side.
func (w *World) health(ctx context.Context, c rollout.Colour) ([]types.TargetHealthDescription, error) {
	out, err := w.Clients.ELB.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(w.side(c).TargetGroup)})
	if err != nil {
		return nil, err
	}
	known := out.TargetHealthDescriptions[:0]
	for _, h := range out.TargetHealthDescriptions {
		if h.TargetHealth != nil && h.Target != nil {
			known = append(known, h)
		}
	}
	return known, nil
}
