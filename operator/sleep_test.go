package operator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// asleep is dev without a task.
func asleep(at time.Time) Status {
	s := Status{Environment: "dev", Strategy: BlueGreen, At: at}
	s.seen = rollout.Observation{Weights: &rollout.Weights{Green: 100},
		Blue: rollout.Side{Service: &rollout.Service{}}, Green: rollout.Side{Service: &rollout.Service{}}}
	return s
}

func TestAStatusTellsUntilWhenAnEnvironmentSleeps(t *testing.T) {
	e := Environment{Settings: settings.Settings{Sleep: &rollout.Hours{
		From: "20:00", Until: "07:00", Days: []string{"MON", "TUE", "WED", "THU", "FRI"}, Timezone: "UTC",
	}}}
	for name, c := range map[string]struct{ at, until string }{
		"at night":                         {"2026-03-04T23:00:00Z", "2026-03-05T07:00:00Z"},
		"on a weekend":                     {"2026-03-07T12:00:00Z", "2026-03-09T07:00:00Z"},
		"by day, where a person wanted it": {"2026-03-04T12:00:00Z", "2026-03-05T07:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.at)
			require.NoError(t, err)
			s := asleep(at)
			s.sleep(e)
			require.NotNil(t, s.Sleep)
			assert.Equal(t, c.until, s.Sleep.Until.UTC().Format(time.RFC3339))
		})
	}
	t.Run("not where no schedule wakes it", func(t *testing.T) {
		s := asleep(time.Now())
		s.sleep(Environment{})
		require.NotNil(t, s.Sleep)
		assert.Nil(t, s.Sleep.Until)
	})
	t.Run("nor where it is awake", func(t *testing.T) {
		s := asleep(time.Now())
		s.seen.Green.Service.Desired = 1
		s.sleep(e)
		assert.Nil(t, s.Sleep)
	})
}
