package simulation

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// offered is a release of a kind, without a hiccup, on its first second.
func offered(kind Kind) *world {
	w := newWorld(0, 1, 1)
	w.release = release{kind: kind, median: usualMedian}
	w.now, w.stable = 0, map[int]*counts{}
	return w
}

func TestTheSameSeedGivesTheSameFigures(t *testing.T) {
	p, err := Preset(rollout.Canary)
	require.NoError(t, err)
	first, err := Run(t.Context(), p, 60, 7, 1)
	require.NoError(t, err)
	again, err := Run(t.Context(), p, 60, 7, 1)
	require.NoError(t, err)
	for kind, tally := range first.Kinds {
		assert.Equal(t, 10, tally.Releases, kind)
		assert.InDelta(t, tally.Failed, again.Kinds[kind].Failed, 1e-6, kind)
	}
	other, err := Run(t.Context(), p, 60, 8, 1)
	require.NoError(t, err)
	assert.NotEqual(t, first.FailedPerBad(), other.FailedPerBad())
}

func TestNoPresetShowsUsersAReleaseThatFailsAtStart(t *testing.T) {
	for _, name := range []string{rollout.AllAtOnce, rollout.Canary, rollout.Linear} {
		p, err := Preset(name)
		require.NoError(t, err)
		for index := 1; index < 240; index += len(Kinds) {
			kind, tally := offer(p, index, 3, 1)
			require.Equal(t, FailingAtStart, kind)
			require.Equal(t, Tally{Releases: 1, Stopped: 1}, tally, "%s, release %d", name, index)
		}
	}
}

func TestEveryPolicyPromotesWhatIsGood(t *testing.T) {
	policies, err := Policies()
	require.NoError(t, err)
	for _, p := range policies {
		w := offered(Healthy)
		assert.True(t, p.run(w), p.Name)
		assert.Equal(t, 100, w.weight, p.Name)
		assert.Zero(t, w.failed, p.Name)
	}
}

func TestCodeDeployGoesBackAtItsSecondBadMinute(t *testing.T) {
	w := offered(FailingAtStart)
	w.errors = 0.5
	assert.False(t, CodeDeploy().run(w))
	// Traffic comes at 60 s; the minutes that end at 120 s and 180 s are bad, and the second can be read 45 s later.
	assert.InDelta(t, 165, w.safe-w.met, step)
	assert.InDelta(t, 0.5*0.10*usersPerSecond*165, w.failed, 500)
}

func TestExpressModeIsBlindToSlownessAndToWhatComesAfterItsBakeTime(t *testing.T) {
	w := offered(Slow)
	w.median = 3
	assert.True(t, ExpressMode().run(w))
	assert.Equal(t, 60+180+180, int(w.now))
	assert.Greater(t, w.failed, 10_000.0)
}

func TestFlaggerGoesBackAtItsFifthFailedCheck(t *testing.T) {
	w := offered(Slow)
	w.median = 3
	assert.False(t, Flagger().run(w))
	assert.Equal(t, 300, int(w.safe-w.met))
}

func TestFlaggerRisesByStepsToItsHighestWeightAndPromotes(t *testing.T) {
	w := offered(FailingUnderLoad)
	w.capacity = 600 // more than half of the users
	assert.True(t, Flagger().run(w))
	assert.Equal(t, 60+5*60, int(w.now))
	assert.Zero(t, w.failed)
	w.pass(w.now + 10)
	assert.InDelta(t, 4000, w.failed, 300)
}

func TestHiccupsCanBeMadeWorse(t *testing.T) {
	for index := range 100 {
		usual, worse := newWorld(index, 1, 1), newWorld(index, 1, 2)
		if usual.hiccupLength == 0 {
			continue
		}
		assert.InDelta(t, 2*usual.hiccupLength, worse.hiccupLength, 1e-9)
		assert.InDelta(t, 2*usual.hiccupErrors, worse.hiccupErrors, 1e-9)
		assert.Equal(t, usual.hiccupBegin, worse.hiccupBegin)
		return
	}
	t.Fatal("no release of a hundred met a hiccup")
}

func TestNoPresetTakesAFaultOfBothSidesForTheCandidates(t *testing.T) {
	for _, name := range []string{rollout.AllAtOnce, rollout.Canary, rollout.Linear} {
		p, err := Preset(name)
		require.NoError(t, err)
		for begin := 60.0; begin < 900; begin += 30 {
			w := offered(Healthy)
			w.hiccupBegin, w.hiccupLength, w.hiccupErrors = begin, 120, 0.1 // the longest and strongest there are
			assert.True(t, p.run(w), "%s, a hiccup at %v s", name, begin)
		}
	}
}

func TestAFaultShowsAsItsKindSays(t *testing.T) {
	flapping := release{windowBegin: 100, windowLength: 30}
	assert.Equal(t, []float64{0.5, 0, 0.5, 0}, []float64{flapping.faults(5, 0), flapping.faults(50, 0), flapping.faults(101, 0), flapping.faults(131, 0)})
	loaded := release{capacity: 100}
	assert.Equal(t, []float64{0, 0, 0.75}, []float64{loaded.faults(0, 50), loaded.faults(0, 100), loaded.faults(0, 400)})
	hiccup := release{hiccupBegin: 10, hiccupLength: 20, hiccupErrors: 0.05}
	assert.Equal(t, []float64{baseErrors, 0.05, baseErrors}, []float64{hiccup.shared(9), hiccup.shared(10), hiccup.shared(30)})
	usual := release{median: usualMedian}
	assert.InDelta(t, 0.323, quantile(usualMedian, 2.326), 0.001)
	assert.InDelta(t, 0.01, usual.slower(quantile(usualMedian, 2.326)), 0.0001)
}
