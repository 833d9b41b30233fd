package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/operator"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// quick goes to 100 percent without waiting for metrics, and keeps the old version warm for a day of the world's time.
const quick = `{"steps":[{"weight":50},{"weight":100}],"standbySeconds":86400,"probes":{"count":2,"paths":["/readyz"]}}`

func TestAnOperatorFollowsAReleaseAndRollsItBack(t *testing.T) {
	w := open(t, quick)

	s := w.status()
	assert.Equal(t, rollout.Blue, s.Live)
	assert.Nil(t, s.Last)
	assert.Nil(t, s.Rollout)
	assert.Empty(t, s.Sides[0].Commit, "the placeholder has none")
	got := w.sandbox("status")
	assert.Zero(t, got.code)
	assert.Contains(t, got.out, "no release yet")
	fits(t, got.out)

	got = w.sandbox("approve", "--yes")
	assert.Equal(t, exitRefused, got.code)
	assert.Contains(t, got.err, "no release waits for an approval")
	got = w.sandbox("watch", "dev")
	assert.Zero(t, got.code)
	assert.Contains(t, got.err, "nothing is under way")

	w.release()
	got = w.sandbox("status", "dev")
	assert.Contains(t, got.out, "dev  http://127.0.0.1:8080\n", "the address is the one that answers on this machine")
	w.asked()
	got = w.sandbox("approve", "--list", "--json")
	var waiting []operator.Approval
	require.NoError(t, json.Unmarshal([]byte(got.out), &waiting), got.err)
	require.Len(t, waiting, 1)
	assert.Equal(t, strings.Repeat("0", 39)+"1", waiting[0].Commit)
	assert.Equal(t, "Sell more penguins", waiting[0].Message)
	assert.Equal(t, "41 of 41 tests passed", waiting[0].Tests)
	assert.Contains(t, waiting[0].Plan, "50 %, 100 %")
	assert.True(t, strings.HasPrefix(waiting[0].Digest, "sha256:"))

	got = w.shiftctl("n\n", "approve", "dev", "--sandbox")
	assert.Equal(t, exitRefused, got.code)
	assert.Contains(t, got.err, "nothing was changed")
	assert.Contains(t, got.err, "41 of 41 tests passed")
	assert.Empty(t, got.out)
	got = w.shiftctl("y\n", "approve", "dev", "--sandbox", "--comment", "tested by Ann")
	require.Zero(t, got.code, got.err)
	assert.Contains(t, got.out, "dev: approved")

	got = w.sandbox("watch", "dev", "--interval", "500ms")
	assert.Zero(t, got.code, got.err)
	assert.Contains(t, got.err, "dev: promoted: live: blue 0, green 100")
	assert.Contains(t, got.out, " dev blue ", "one line for each change where no terminal is")

	s = w.until("the standby is told", func(s operator.Status) bool { return s.Standby != nil })
	assert.Equal(t, rollout.Green, s.Live)
	assert.Equal(t, waiting[0].Commit, s.Sides[1].Commit)
	assert.Equal(t, waiting[0].Digest, s.Sides[1].Digest)
	assert.Equal(t, operator.Promoted, s.Last.Outcome)
	assert.Equal(t, rollout.Blue, s.Standby.Colour)
	assert.Positive(t, *s.Standby.MonthlyUSD)
	assert.InDelta(t, 86_400, s.Standby.SecondsLeft, 20_000)
	got = w.sandbox("status", "dev")
	assert.Contains(t, strings.Join(strings.Fields(got.out), " "), "1 task; kept for a month it would cost $")
	fits(t, got.out)

	got = w.sandbox("history", "dev", "--json")
	var entries []operator.Entry
	require.NoError(t, json.Unmarshal([]byte(got.out), &entries), got.err)
	require.Len(t, entries, 1)
	assert.Equal(t, operator.Promoted, entries[0].Outcome)
	assert.Equal(t, waiting[0].Digest, entries[0].Digest)
	assert.Equal(t, "tested by Ann", entries[0].Approval.Comment)
	assert.Contains(t, entries[0].Approval.By, "arn:aws:iam::123456789012:user/")
	got = w.sandbox("history")
	assert.Contains(t, got.out, "promoted")
	fits(t, got.out)

	// The rollback: shown, asked, done once, read back.
	got = w.shiftctl("\n", "rollback", "dev", "--sandbox")
	assert.Equal(t, exitRefused, got.code)
	assert.Contains(t, got.err, "blue 0, green 100 → blue 100, green 0")
	assert.Equal(t, rollout.Green, w.status().Live, "no answer is no")
	got = w.sandbox("rollback", "dev", "--yes", "--json")
	require.Zero(t, got.code, got.err)
	var moved struct {
		Weights rollout.Weights
		To      rollout.Colour
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &moved))
	assert.Equal(t, rollout.Weights{Blue: 100}, moved.Weights)
	assert.Equal(t, rollout.Blue, w.status().Live)
	got = w.sandbox("rollback", "dev", "--yes")
	assert.Equal(t, exitRefused, got.code)
	assert.Contains(t, got.err, "blue has all traffic of dev already, and it is the version before the last release")
	got = w.sandbox("rollback", "dev", "--yes", "--to", "green")
	require.Zero(t, got.code, got.err)
	assert.Contains(t, got.err, "this goes forward")
	assert.Contains(t, got.out, "dev: traffic is at blue 0, green 100, as the listener says")

	// A second release, which nobody wants.
	w.release()
	w.asked()
	got = w.sandbox("approve", "--reject", "--yes", "--comment", "the sale")
	require.Zero(t, got.code, got.err)
	s = w.until("the rejection is told", func(s operator.Status) bool { return s.Rollout == nil && s.Last.Outcome == operator.Rejected })
	assert.Contains(t, s.Last.Message, "the sale")
	got = w.sandbox("history", "dev", "--json")
	require.NoError(t, json.Unmarshal([]byte(got.out), &entries), got.err)
	require.Len(t, entries, 2)
	assert.Equal(t, operator.Rejected, entries[0].Outcome)
}

func TestARollbackInTheMiddleOfAShiftStopsIt(t *testing.T) {
	w := open(t, `{"steps":[{"weight":50,"bakeSeconds":3600},{"weight":100}],"standbySeconds":3600,
		"probes":{"count":2,"paths":["/readyz"]},"limits":{"unknowns":720}}`)
	w.release()
	w.asked()
	require.Zero(t, w.sandbox("approve", "--yes").code)
	s := w.until("half the traffic is shifted", func(s operator.Status) bool { return s.Weights != nil && s.Weights.Green == 50 && s.Rollout != nil })
	assert.Equal(t, 1, s.Rollout.Step)
	assert.Equal(t, 2, s.Rollout.Steps)
	assert.Equal(t, rollout.Green, s.Rollout.Candidate)
	assert.Equal(t, "shift", s.Rollout.Action)
	got := w.sandbox("status")
	assert.Contains(t, got.out, "at 50 %, step 1 of 2")
	fits(t, got.out)

	got = w.sandbox("rollback", "dev", "--yes")
	require.Zero(t, got.code, got.err)
	assert.Contains(t, got.err, "fails the pipeline's")
	assert.Contains(t, got.out, "blue 100, green 0")
	s = w.until("the shift has ended", func(s operator.Status) bool { return s.Rollout == nil && s.Last != nil })
	assert.Equal(t, operator.Halted, s.Last.Outcome)
	assert.Contains(t, s.Last.Message, "somebody else changed the weights")
	assert.Equal(t, rollout.Blue, s.Live)
}

func TestWatchEndsWithTheCodeOfAReleaseThatFails(t *testing.T) {
	// No path of the placeholder's answers 404, so the candidate fails its probes and never takes traffic.
	w := open(t, `{"steps":[{"weight":100}],"probes":{"count":5,"paths":["/"],"status":404}}`)
	w.release()
	w.asked()
	require.Zero(t, w.sandbox("approve", "--yes").code)
	got := w.sandbox("watch", "dev", "--json", "--interval", "500ms")
	assert.Equal(t, exitRolledBack, got.code, got.err)
	assert.Contains(t, got.err, "dev: rolledBack: rolled back: blue 100, green 0")
	decoder := json.NewDecoder(strings.NewReader(got.out))
	for decoder.More() {
		var s operator.Status
		require.NoError(t, decoder.Decode(&s))
	}
	got = w.sandbox("rollback", "dev", "--yes")
	assert.Equal(t, exitRefused, got.code)
	assert.Contains(t, got.err, "blue has all traffic of dev already")
	got = w.sandbox("rollback", "dev", "--yes", "--to", "green")
	assert.Equal(t, exitRefused, got.code)
	assert.Contains(t, got.err, "green has no tasks: its version is no longer kept warm. Traffic stays at blue 100, green 0")
	assert.Equal(t, rollout.Blue, w.status().Live)
}

func TestAnEnvironmentThatTakesItsReleasesInPlaceIsShownAndHasNoWayBack(t *testing.T) {
	w := open(t, "")
	w.release()
	w.asked()
	require.Zero(t, w.sandbox("approve", "--yes").code)
	got := w.sandbox("watch", "dev", "--interval", "500ms")
	assert.Zero(t, got.code, got.err)
	assert.Contains(t, got.err, "dev: deployed")
	s := w.status()
	assert.Equal(t, operator.Rolling, s.Strategy)
	got = w.sandbox("sleep", "dev", "--yes")
	assert.Equal(t, exitRefused, got.code)
	assert.Contains(t, got.err, "no function puts it to sleep")
	require.Len(t, s.Sides, 1)
	assert.Equal(t, strings.Repeat("0", 39)+"1", s.Sides[0].Commit)
	got = w.sandbox("status", "dev")
	assert.Zero(t, got.code, got.err)
	assert.Contains(t, got.out, "rolling")
	fits(t, got.out)
	got = w.sandbox("rollback", "dev", "--yes")
	assert.Equal(t, exitRefused, got.code)
	assert.Contains(t, got.err, "there is no other side to go back to")
}

func TestADeliveryIsFoundByItsStacksOutputs(t *testing.T) {
	w := open(t, quick)
	dev, shared := w.outputs("dev"), w.outputs("shared")
	got := w.sandbox("status", "--outputs", dev, "--outputs", shared, "--project", "somebody-else's")
	require.Zero(t, got.code, got.err)
	assert.Contains(t, got.out, "dev")
	got = w.sandbox("history", "--outputs", dev)
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "name the shared stack's outputs with --outputs")
	got = w.sandbox("status", "--outputs", shared)
	assert.Contains(t, got.err, "the outputs are of no environment")
	got = w.sandbox("status", "--project", "other")
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "nothing here bears the tags project=other")
	got = w.sandbox("status", "staging")
	assert.Contains(t, got.err, "there is no environment staging; there is dev")
}

func TestWhatCannotBeReadIsNamedAndTheRestIsShown(t *testing.T) {
	w := open(t, quick)
	delete(w.Served, "Scheduler")
	got := w.sandbox("status", "dev")
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "dev: lease: ")
	assert.Contains(t, got.out, "100 %")
}

func TestMistakesOnTheCommandLineAreNamed(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	w := &world{t: t}
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"statu", exitUsage, `unknown command "statu"`},
		{"rollback", exitUsage, "accepts 1 arg(s), received 0"},
		{"status --fast", exitUsage, "unknown flag: --fast"},
		{"status", exitUsage, "no AWS region is set: give --region"},
		{"status --sandbox", exitFailed, "no sandbox runs"},
		{"status --sandbox --region eu-west-1", exitUsage, "--sandbox goes without --region"},
		{"status --outputs nowhere.json", exitUsage, "--outputs: open nowhere.json"},
		{"status --outputs build_test.go", exitUsage, "build_test.go: not a JSON object of a stack's outputs"},
		{"rollback dev --to red", exitUsage, "--to red: it is blue or green"},
		{"watch --interval 1ms", exitUsage, "--interval 1ms: it goes from 500ms to 1m"},
		{"history --limit 0", exitUsage, "--limit 0: it goes from 1 to 100"},
	} {
		got := w.shiftctl("", strings.Fields(c.args)...)
		assert.Equal(t, c.code, got.code, c.args)
		assert.Contains(t, got.err, c.says, c.args)
		assert.Empty(t, got.out, c.args)
	}
}

// fits tells whether everything fits into a terminal of 80 columns; a URL alone may not.
func fits(t *testing.T, page string) {
	t.Helper()
	for line := range strings.Lines(page) {
		if !strings.Contains(line, "http") {
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), narrow, line)
		}
	}
}

func TestAnOperatorPutsAnEnvironmentToSleepAndWakesIt(t *testing.T) {
	w := open(t, quick)
	got := w.shiftctl("n\n", "sleep", "dev", "--sandbox")
	assert.Equal(t, exitRefused, got.code)
	assert.Contains(t, got.err, "Take all tasks of dev away? Its users get 503 then.")
	assert.Nil(t, w.status().Sleep, "no answer is no")

	for range 2 { // the second finds it so
		got = w.sandbox("sleep", "dev", "--yes")
		require.Zero(t, got.code, got.err)
		assert.Contains(t, got.out, "dev sleeps; a release wakes it, and so does `shiftctl wake dev`")
	}
	s := w.status()
	require.NotNil(t, s.Sleep)
	assert.Equal(t, rollout.Weights{Blue: 100}, *s.Weights)
	for _, side := range s.Sides {
		assert.Zero(t, *side.Desired)
	}
	assert.Contains(t, w.sandbox("status").out, "asleep")

	got = w.sandbox("wake", "dev")
	require.Zero(t, got.code, got.err)
	assert.Contains(t, got.out, "dev is awake")
	s = w.until("its task answers", func(s operator.Status) bool { return s.Sides[0].Targets != nil && s.Sides[0].Targets.Healthy == 1 })
	assert.Nil(t, s.Sleep)
	assert.Zero(t, *s.Sides[1].Desired)
}

func TestAReleaseWakesAnEnvironmentThatSleeps(t *testing.T) {
	w := open(t, quick)
	require.Zero(t, w.sandbox("sleep", "dev", "--yes").code)
	w.release()
	w.asked()
	require.Zero(t, w.sandbox("approve", "--yes").code)
	s := w.until("the release is live", func(s operator.Status) bool { return s.Last != nil && s.Rollout == nil })
	assert.Equal(t, operator.Promoted, s.Last.Outcome, s.Last.Message)
	assert.Equal(t, rollout.Green, s.Live)
	assert.Nil(t, s.Sleep)
	require.NotNil(t, s.Standby, "the version before it was woken, and is warm")
}
