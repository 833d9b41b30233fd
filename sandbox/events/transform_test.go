package events_test

import (
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/events"
)

func TestAnInputTransformerMakesTheTargetsInput(t *testing.T) {
	paths := map[string]string{"name": "$.detail.name", "count": "$.detail.count", "list": "$.detail.list", "none": "$.detail.none"}
	for template, want := range map[string]string{
		`"Delivery <name> has failed."`:                       `"Delivery say \"hello\" has failed."`,
		`{"who": <name>, "text": "it is <name>"}`:             `{"who": "say \"hello\"", "text": "it is say \"hello\""}`,
		`{"n": <count>, "text": "<count> times"}`:             `{"n": 5, "text": "5 times"}`,
		`{"l": <list>, "text": "all of <list>"}`:              `{"l": ["a"], "text": "all of [\"a\"]"}`,
		`{"x": <none>, "text": "nothing<none>"}`:              `{"x": "", "text": "nothing"}`,
		`{"rule": "<aws.events.rule-name>"}`:                  `{"rule": "alarms"}`,
		`{"quoted \"<count>\"": "a \\<count>", "n": <count>}`: `{"quoted \"5\"": "a \\5", "n": 5}`,
		`"first <count>"` + "\n" + `"second <count>"`:         `"first 5"` + "\n" + `"second 5"`,
	} {
		t.Run(template, func(t *testing.T) {
			within(t, func(t *testing.T, s *events.Service, c *calls) {
				rule(t, s)
				targets(t, s, types.Target{Id: new("f"), Arn: new(function), InputTransformer: &types.InputTransformer{InputPathsMap: paths, InputTemplate: &template}})
				put(t, s, entry("penguinshop.shift", `{"name": "say \"hello\"", "count": 5, "list": ["a"]}`))
				synctest.Wait()
				require.Len(t, c.got(), 1)
				assert.Equal(t, want, c.got()[0])
			})
		})
	}
}

func TestInputTransformersThatAreRefused(t *testing.T) {
	within(t, func(t *testing.T, s *events.Service, _ *calls) {
		rule(t, s)
		for name, transformer := range map[string]types.InputTransformer{
			"no template":           {},
			"an unknown name":       {InputTemplate: new(`"<other>"`)},
			"a path with wildcards": {InputTemplate: new(`"<all>"`), InputPathsMap: map[string]string{"all": "$.resources[*]"}},
			"no JSON":               {InputTemplate: new(`say <name>`), InputPathsMap: map[string]string{"name": "$.detail.name"}},
		} {
			_, err := s.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: new("alarms"), Targets: []types.Target{{Id: new("f"), Arn: new(function), InputTransformer: &transformer}}})
			assert.ErrorContains(t, err, "Invalid InputTransformer", name)
		}
	})
}
