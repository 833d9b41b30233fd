package settings

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

func whole() Settings {
	side := func(colour string) Side {
		return Side{Service: "shop-" + colour, TargetGroup: "arn:targetgroup/" + colour, TaskDefinition: "arn:task-definition/shop-" + colour + ":1"}
	}
	return Settings{
		Environment: "dev", Cluster: "shop", Container: "app", LoadBalancer: "arn:loadbalancer/app/shop/1", Listener: "arn:listener/1",
		PreviewRule: "arn:listener-rule/1", URL: "https://shop.example.com", PreviewHeader: "X-Preview", PreviewParameter: "/shop/preview",
		LogGroup: "/shop", Function: "arn:function:shift", ScheduleGroup: "shop", ScheduleRole: "arn:role/shop", MinimumTasks: 1,
		Blue: side("blue"), Green: side("green"),
		Policy: rollout.Policy{Probes: rollout.Probes{Identity: &rollout.Identity{Path: "/version"}}},
	}
}

func written(t testing.TB, s Settings) string {
	t.Helper()
	text, err := json.Marshal(s)
	require.NoError(t, err)
	return string(text)
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	s, err := Parse(written(t, whole()))
	require.NoError(t, err)
	assert.Equal(t, whole(), s)
}

func TestEverythingThatIsWrongIsToldAtOnce(t *testing.T) {
	_, err := Parse(`{"url":"shop.example.com","policy":{"preset":"panic"}}`)
	for _, says := range []string{"environment is missing", "green.taskDefinition is missing", `url is "shop.example.com", not like https://shop.example.com`,
		"minimumTasks is 0", "rollout.preset"} {
		assert.ErrorContains(t, err, says)
	}
	for text, says := range map[string]string{
		"":                           "the variable SHIFTFN_SETTINGS is not set",
		"{":                          "unexpected EOF",
		`{"enviroment":"dev"}`:       "unknown field",
		written(t, whole()) + `{}`:   "goes on after its end",
		strings.Repeat("[", 100_000): "SHIFTFN_SETTINGS",
	} {
		_, err := Parse(text)
		assert.ErrorContains(t, err, says)
	}
}

// FuzzSettings holds that any text is settings that stay the same when they are written again, or problems.
func FuzzSettings(f *testing.F) {
	f.Add(written(f, whole()))
	f.Add(`{"url":"http://[::1"}`)
	f.Add(`{"minimumTasks":-1,"policy":{"steps":[{"weight":100}],"probes":{"identity":{}}}}`)
	f.Add(`{"blue":null,"url":"https://\u0000"}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(written(t, s))
		require.NoError(t, err)
		assert.Equal(t, written(t, s), written(t, again))
		_, problems := s.Policy.Plan()
		assert.Empty(t, problems)
	})
}
