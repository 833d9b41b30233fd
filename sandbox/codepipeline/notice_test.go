package codepipeline_test

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/events"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/sns"
)

const people = "arn:aws:sns:eu-central-1:123456789012:people"

// People hear of an approval that waits, and by a rule of a delivery's end.
func TestPeopleHearOfApprovalsAndOfEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := clockwork.NewRealClock()
		told := journal.New(clock)
		topics := sns.New(told)
		require.NoError(t, topics.Providers()["aws:sns/topic:Topic"].Create(t.Context(), graph.Resource{Outputs: object{"arn": people}}))
		bus := events.New(events.Options{Region: "eu-central-1", Account: "123456789012", Clock: clock, Journal: told,
			Invoke: func(_ context.Context, _, arn string, payload []byte) error {
				return topics.Publish(arn, sns.Message{Text: string(payload)})
			}})
		defer func() { assert.NoError(t, bus.Close()) }()
		_, err := bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: new("ends"), EventPattern: new(
			`{"source":["aws.codepipeline"],"detail-type":["CodePipeline Pipeline Execution State Change"],"resources":["arn:p"],"detail":{"state":["FAILED","SUCCEEDED"]}}`)})
		require.NoError(t, err)
		_, err = bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: new("ends"), Targets: []eventtypes.Target{{Id: new("people"), Arn: new(people),
			InputTransformer: &eventtypes.InputTransformer{InputPathsMap: map[string]string{"pipeline": "$.detail.pipeline", "state": "$.detail.state"},
				InputTemplate: new(`"<pipeline> has <state>"`)}}}})
		require.NoError(t, err)

		w := &world{head: "c1"}
		w.Service = codepipeline.New(codepipeline.Config{Clock: clock, Journal: told, Region: "eu-central-1", Account: "123456789012",
			Folder: filepath.Join(t.TempDir(), "artifacts"), Repository: w, Builds: w, Functions: w, Events: bus, Topics: topics})
		defer func() { assert.NoError(t, w.Close()) }()
		asks := approval()
		asks["configuration"] = object{"CustomData": "commit #{Source.CommitId}", "NotificationArn": people}
		p := pipeline(source(), stage("prod", asks))
		p.Outputs["arn"] = "arn:p"
		require.NoError(t, w.Providers()["aws:codeconnections/connection:Connection"].Create(t.Context(), graph.Resource{Outputs: object{"arn": connection}}))
		require.NoError(t, w.Providers()["aws:codepipeline/pipeline:Pipeline"].Create(t.Context(), p))

		id := w.start(t)
		synctest.Wait()
		assert.Equal(t, []sns.Message{{Subject: "APPROVAL NEEDED: p", Text: "commit c1"}}, topics.Messages(people))
		w.answer(t, types.ApprovalStatusApproved)
		w.wait(t, id)
		synctest.Wait()
		assert.Equal(t, sns.Message{Text: `"p has SUCCEEDED"`}, topics.Messages(people)[1])
		var states []string
		for _, e := range bus.Events() {
			states = append(states, string(e.Detail))
		}
		require.Len(t, states, 2)
		assert.Contains(t, states[0], `"state":"STARTED"`)
	})
}
