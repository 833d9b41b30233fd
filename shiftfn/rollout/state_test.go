package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// full is a state in which every field says something.
func full() rollout.State {
	return rollout.State{
		Candidate: rollout.Green, Phase: rollout.Aborting, Started: 1, Since: 2, Turned: 3, Weight: 4, Writing: 5, Size: 6, Woken: true,
		TaskDefinition: revision, Targets: 7, Probes: 8, Metrics: 9, Unknowns: 10, Strangers: 11, Judged: 12, Usual: 14, Reason: "slow", Run: 13, Plan: "abc",
	}
}

func TestATokenGivesTheStateBack(t *testing.T) {
	token, err := full().Token()
	require.NoError(t, err)
	state, err := rollout.ParseToken(token)
	require.NoError(t, err)
	assert.Equal(t, full(), state)
}

func TestTheTokenOfAnyShiftFits(t *testing.T) {
	long := strings.Repeat("\x01<\U0001F427\xff", 4000) // each of these takes six characters in JSON
	s := full()
	s.TaskDefinition = "arn:aws-us-gov:ecs:us-gov-west-1:123456789012:task-definition/" + strings.Repeat("f", 255) + ":2147483647"
	s = s.Abandon(noon, "")
	s.Turned = 0
	s = s.Abandon(time.Unix(1<<37, 0), long)
	s.Started, s.Since, s.Judged, s.Size, s.Run = 1<<37, 1<<37, 1<<37, 1<<20, 1<<20
	s.Targets, s.Probes, s.Metrics, s.Unknowns, s.Strangers = 1<<20-1, 1<<20-1, 1<<20-1, 1<<20-1, 1<<20-1
	token, err := s.Token()
	require.NoError(t, err)
	assert.LessOrEqual(t, len(token), rollout.TokenLimit)
	_, err = rollout.ParseToken(token)
	require.NoError(t, err)

	s.TaskDefinition = strings.Repeat("x", rollout.TokenLimit)
	_, err = s.Token()
	assert.ErrorContains(t, err, "at most 2048")
}

func TestTokensThatAreNotOursAreRefused(t *testing.T) {
	token, err := full().Token()
	require.NoError(t, err)
	swap := func(old, new string) string {
		require.Contains(t, token, old)
		return strings.Replace(token, old, new, 1)
	}
	for name, text := range map[string]string{
		"empty": "", "no JSON": "hello", "a list": "[]", "too long": token + strings.Repeat(" ", rollout.TokenLimit), "more after it": token + "{}",
		"another version": swap(`"v":1`, `"v":2`), "an unknown field": swap(`"v":1`, `"v":1,"x":1`), "a colour": swap(`"green"`, `"red"`),
		"a phase": swap(`"aborting"`, `"resting"`), "a weight": swap(`"w":4`, `"w":101`), "a weight below": swap(`"w":4`, `"w":-1`),
		"a written weight": swap(`"wr":5`, `"wr":101`), "a written weight below": swap(`"wr":5`, `"wr":-1`), "a size": swap(`"n":6`, `"n":-1`), "a huge size": swap(`"n":6`, `"n":1048577`),
		"a count": swap(`[7,`, `[-7,`), "a huge count": swap(`[7,`, `[1048576,`), "no start": swap(`"st":1`, `"st":0`), "no since": swap(`"si":2`, `"si":0`),
		"a turn before time": swap(`"tu":3`, `"tu":-1`), "a judgement before time": swap(`"j":12`, `"j":-1`), "a usual latency below": swap(`"u":14`, `"u":-1`), "a huge usual latency": swap(`"u":14`, `"u":1073741825`), "a run": swap(`"i":13`, `"i":-1`), "a huge run": swap(`"i":13`, `"i":1048577`),
		"a start beyond time": swap(`"st":1`, `"st":253402300800`), "a since beyond time": swap(`"si":2`, `"si":253402300800`),
		"a turn beyond time": swap(`"tu":3`, `"tu":253402300800`), "a judgement beyond time": swap(`"j":12`, `"j":253402300800`),
	} {
		_, err := rollout.ParseToken(text)
		assert.Error(t, err, name)
	}
	for name, text := range map[string]string{
		"the last moment": swap(`"st":1`, `"st":253402300799`), "all": swap(`"w":4`, `"w":100`), "none": swap(`"w":4`, `"w":0`),
		"written all": swap(`"wr":5`, `"wr":100`), "written none": swap(`"wr":5`, `"wr":0`), "no size": swap(`"n":6`, `"n":0`), "size": swap(`"n":6`, `"n":1048576`),
		"count": swap(`[7,`, `[1048575,`), "no count": swap(`[7,`, `[0,`), "no turn": swap(`"tu":3`, `"tu":0`), "no judgement": swap(`"j":12`, `"j":0`), "no usual latency": swap(`"u":14`, `"u":0`), "usual latency": swap(`"u":14`, `"u":1073741824`), "no run": swap(`"i":13`, `"i":0`), "run": swap(`"i":13`, `"i":1048576`),
		"blue": swap(`"green"`, `"blue"`), "room": token + strings.Repeat(" ", rollout.TokenLimit-len(token)),
	} {
		_, err := rollout.ParseToken(text)
		assert.NoError(t, err, name)
	}
}

func TestReasonsAreCutToTheirLength(t *testing.T) {
	s := rollout.Begin(rollout.Green, canary(t), noon)
	exact := strings.Repeat("ü", 160)
	assert.Equal(t, exact, s.Abandon(noon, exact).Reason)
	assert.Equal(t, strings.Repeat("ü", 159)+"…", s.Abandon(noon, exact+"ü").Reason)
}

func TestAShiftBeginsByLooking(t *testing.T) {
	p := canary(t)
	assert.Equal(t, rollout.State{Candidate: rollout.Blue, Phase: rollout.Checking, Started: noon.Unix(), Since: noon.Unix(), Plan: p.ID()}, rollout.Begin(rollout.Blue, p, noon))
}

// FuzzToken holds that a text is refused, or is a state whose token gives the same state again and whose next decision is sound.
func FuzzToken(f *testing.F) {
	token, _ := full().Token()
	f.Add(token)
	f.Add(`{"v":1,"c":"blue","ph":"shifting","st":1,"si":1,"w":10,"wr":50,"n":2,"k":[0,0,0,0,0],"i":1}`)
	f.Add(`{"v":1,"c":"green","ph":"checking","st":9,"si":9,"w":0,"wr":0,"n":0,"k":[0,0,0,0,0],"i":0,"r":"\u0000"}`)
	f.Add(`{}`)
	plan, _ := rollout.Policy{}.Plan()
	f.Fuzz(func(t *testing.T, text string) {
		state, err := rollout.ParseToken(text)
		if err != nil {
			return
		}
		if again, err := state.Token(); err == nil {
			if same, err := rollout.ParseToken(again); err != nil || same != state {
				t.Errorf("%+v became %+v (%v)", state, same, err)
			}
		} else if len(text) < rollout.TokenLimit/7 {
			t.Errorf("the state of %q has no token: %v", text, err)
		}
		weights := rollout.Split(state.Candidate, state.Weight)
		d := rollout.Decide(plan, state, &rollout.Observation{Now: noon, Lease: rollout.LeaseMine, Weights: &weights})
		if w := d.Want.Weights; w != nil && w.Of(state.Candidate) > state.Weight {
			t.Errorf("traffic is moved forward without seeing anything: %+v", d)
		}
	})
}
