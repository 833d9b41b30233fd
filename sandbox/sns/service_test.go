package sns_test

import (
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/sns"
	"github.com/penguinshop/delivery/sandbox/target"
)

const arn = "arn:aws:sns:eu-central-1:123456789012:people"

func declared(typ string, inputs map[string]any) graph.Resource {
	return graph.Resource{URN: "urn:pulumi:dev::penguinshop::" + typ + "::people", Type: typ, Inputs: inputs, Outputs: inputs}
}

func TestAMessageShowsWhoWouldBeTold(t *testing.T) {
	told := journal.New(clockwork.NewFakeClock())
	s := sns.New(told)
	topic := graph.Resource{URN: "urn:pulumi:dev::penguinshop::aws:sns/topic:Topic::people", Type: "aws:sns/topic:Topic",
		Inputs: map[string]any{"kmsMasterKeyId": "key"}, Outputs: map[string]any{"arn": arn, "name": "people", "kmsMasterKeyId": "key"}}
	anna := declared("aws:sns/topicSubscription:TopicSubscription", map[string]any{"topic": arn, "protocol": "email", "endpoint": "anna@example.com"})
	berta := declared("aws:sns/topicSubscription:TopicSubscription", map[string]any{"topic": arn, "protocol": "email", "endpoint": "berta@example.com"})
	topics, subscriptions := s.Providers()["aws:sns/topic:Topic"], s.Providers()["aws:sns/topicSubscription:TopicSubscription"]

	assert.ErrorContains(t, subscriptions.Create(t.Context(), anna), "there is no topic")
	require.NoError(t, topics.Create(t.Context(), topic))
	assert.Error(t, topics.Create(t.Context(), topic), "its name is taken")
	require.NoError(t, s.Providers()["aws:sns/topicPolicy:TopicPolicy"].Create(t.Context(),
		declared("aws:sns/topicPolicy:TopicPolicy", map[string]any{"arn": arn, "policy": "{}"})))
	require.NoError(t, subscriptions.Create(t.Context(), anna))
	require.NoError(t, s.Publish(arn, sns.Message{Subject: "ALARM: dev", Text: "errors are over 1 %"}))
	require.NoError(t, subscriptions.Update(t.Context(), anna, berta))
	require.NoError(t, s.Publish(arn, sns.Message{Text: "it is over"}))

	entries := told.Since(0)
	require.Len(t, entries, 2)
	assert.Equal(t, "ALARM: dev: errors are over 1 %", entries[0].Text)
	assert.Equal(t, []string{"anna@example.com"}, entries[0].Fields["to"])
	assert.Equal(t, "it is over", entries[1].Text)
	assert.Equal(t, []string{"berta@example.com"}, entries[1].Fields["to"])
	assert.Equal(t, "dev", entries[1].Environment)
	assert.Len(t, s.Messages(arn), 2)

	require.NoError(t, topics.Delete(t.Context(), topic))
	assert.ErrorIs(t, s.Publish(arn, sns.Message{Text: "x"}), target.ErrNotFound)
}

func TestWhatIsNotImitatedIsNamed(t *testing.T) {
	s := sns.New(journal.New(clockwork.NewFakeClock()))
	err := s.Providers()["aws:sns/topic:Topic"].Create(t.Context(), declared("aws:sns/topic:Topic", map[string]any{"fifoTopic": true}))
	assert.ErrorContains(t, err, "the input fifoTopic")
	err = s.Providers()["aws:sns/topicSubscription:TopicSubscription"].Create(t.Context(),
		declared("aws:sns/topicSubscription:TopicSubscription", map[string]any{"topic": arn, "protocol": "sms", "endpoint": "+49"}))
	assert.ErrorContains(t, err, `not by "sms"`)
}
