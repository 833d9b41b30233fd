package elb

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

var mismatch = verdict{types.TargetHealthReasonEnumResponseCodeMismatch, "Health checks failed with these codes: [503]"}

// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
func TestThresholdsDecideWhenATargetsStateChanges(t *testing.T) {
	const (
		initial, healthy, unhealthy = types.TargetHealthStateEnumInitial, types.TargetHealthStateEnumHealthy, types.TargetHealthStateEnumUnhealthy
	)
	check := healthCheck{healthyAfter: 3, unhealthyAfter: 2}
	for name, row := range map[string]struct {
		verdicts string // + passes, - fails
		states   []types.TargetHealthStateEnum
	}{
		"the first pass makes an initial target healthy":                     {"+", []types.TargetHealthStateEnum{healthy}},
		"an initial target that fails stays initial below the threshold":     {"-+", []types.TargetHealthStateEnum{initial, healthy}},
		"an initial target becomes unhealthy at the threshold":               {"--", []types.TargetHealthStateEnum{initial, unhealthy}},
		"a healthy target survives failures below the threshold":             {"+-+-", []types.TargetHealthStateEnum{healthy, healthy, healthy, healthy}},
		"a healthy target becomes unhealthy at the threshold":                {"+--", []types.TargetHealthStateEnum{healthy, healthy, unhealthy}},
		"an unhealthy target needs as many passes in a row as the threshold": {"--++-+++", []types.TargetHealthStateEnum{initial, unhealthy, unhealthy, unhealthy, unhealthy, unhealthy, unhealthy, healthy}},
	} {
		t.Run(name, func(t *testing.T) {
			h := checking()
			for i, v := range row.verdicts {
				if v == '+' {
					h = h.judge(verdict{}, check)
				} else {
					h = h.judge(mismatch, check)
				}
				assert.Equal(t, row.states[i], h.state, "after %s", row.verdicts[:i+1])
				switch h.state {
				case healthy:
					assert.Empty(t, h.reason, "a healthy target has no reason")
				case unhealthy:
					assert.Equal(t, mismatch.reason, h.reason)
				case initial:
					assert.Equal(t, types.TargetHealthReasonEnumInitialHealthChecking, h.reason)
				}
			}
		})
	}
}

func TestNoRunOfVerdictsShorterThanItsThresholdChangesASettledState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		check := healthCheck{healthyAfter: rapid.IntRange(2, 10).Draw(t, "healthyAfter"), unhealthyAfter: rapid.IntRange(2, 10).Draw(t, "unhealthyAfter")}
		h, run, last := checking(), 0, false
		for i, passes := range rapid.SliceOfN(rapid.Bool(), 1, 60).Draw(t, "verdicts") {
			v := verdict{}
			if !passes {
				v = mismatch
			}
			if run++; i > 0 && passes != last {
				run = 1
			}
			last = passes
			before := h
			h = h.judge(v, check)
			needed := check.unhealthyAfter
			if passes {
				needed = check.healthyAfter
			}
			if before.state != types.TargetHealthStateEnumInitial && h.state != before.state && run < needed {
				t.Fatalf("%s became %s after a run of %d, which needs %d", before.state, h.state, run, needed)
			}
			if run >= needed && passes != (h.state == types.TargetHealthStateEnumHealthy) {
				t.Fatalf("a run of %d (needs %d) of passes=%v left the target %s", run, needed, passes, h.state)
			}
		}
	})
}

func TestSuccessCodesAreReadAsAWSWritesThem(t *testing.T) {
	for text, codes := range map[string][]int{"200": {200}, "200,202": {200, 202}, "200-299": {200, 250, 299}, "200-204,301": {204, 301}} {
		m, err := readMatcher(text)
		if assert.NoError(t, err, text) {
			for _, code := range codes {
				assert.True(t, m.passes(code), "%s on %d", text, code)
			}
			assert.False(t, m.passes(499), text)
		}
	}
	for _, text := range []string{"", "OK", "100", "500", "300-200", "200-", "200;201"} {
		_, err := readMatcher(text)
		assert.Error(t, err, text)
	}
}
