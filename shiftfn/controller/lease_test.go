package controller_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// FuzzLease holds that whatever a schedule holds is a lease that stays the same when it is written again, or an error.
func FuzzLease(f *testing.F) {
	plan, problems := rollout.Policy{}.Plan()
	require.Empty(f, problems)
	token, err := rollout.Begin(rollout.Green, plan, time.Unix(1_772_366_400, 0)).Token()
	require.NoError(f, err)
	due := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, l := range []controller.Lease{
		{Kind: controller.LeaseShift, Due: due, Token: token, Owner: "run", Run: 2, Answered: []string{"job"}},
		{Kind: controller.LeaseStandby, Due: due, Live: rollout.Blue, Since: due.Add(-time.Hour), TaskDefinition: "arn:1"},
		{Kind: controller.LeaseEnded, Diagnosis: &controller.Diagnosis{Logs: []string{"“ü” <&>"}}},
	} {
		f.Add([]byte(l.String()))
	}
	f.Add([]byte(`{"version":1,"kind":"shift","token":"{}"}`))
	f.Add([]byte(`{"version":1,"kind":"standby","live":"blue","due":"9999-12-31T23:59:59Z"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		lease, err := controller.ParseLease(text)
		if err != nil {
			return
		}
		again, err := controller.ParseLease([]byte(lease.String()))
		require.NoError(t, err)
		assert.Equal(t, lease.String(), again.String())
	})
}
