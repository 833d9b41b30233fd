package bench_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/bench"
)

func TestTheSummaryIsAListOfNameValueAndUnit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	require.NoError(t, bench.WriteSummary(path, []bench.Figure{bench.Figure{Name: "function/zip", Value: 4.25, Unit: "MB"}.AtMost(5)}))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	var list []map[string]any
	require.NoError(t, json.Unmarshal(content, &list))
	assert.Equal(t, []map[string]any{{"name": "function/zip", "value": 4.25, "unit": "MB"}}, list)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, left, 1)
}

func TestTheTableShowsWhichGoalsAreMissed(t *testing.T) {
	var out bytes.Buffer
	bench.WriteTable(&out, []bench.Figure{
		bench.Figure{Name: "a", Value: 12345.6, Unit: "ms"}.AtMost(100),
		bench.Figure{Name: "b", Value: 0.01234, Unit: "MB"}.AtMost(5),
		{Name: "c", Value: 0, Unit: "s"},
		bench.Figure{Name: "d", Value: 10, Unit: "MB/s"}.AtLeast(20),
	})
	assert.Regexp(t, `a +│ +12346 │ ms +│ +≤ 100 +│ MISSED`, out.String())
	assert.Regexp(t, `b +│ +0\.0123 │ MB +│ +≤ 5\.00 +│ met`, out.String())
	assert.Regexp(t, `c +│ +0 │ s +│ +│ +│`, out.String())
	assert.Regexp(t, `d +│ +10\.0 │ MB/s +│ +≥ 20\.0 +│ MISSED`, out.String())
}

func TestReleasesAreReportedForEveryPolicyBesideTheBestPeer(t *testing.T) {
	figures, err := bench.Releases(t.Context(), bench.Settings{Releases: 60, Seed: 1}, func(string) {})
	require.NoError(t, err)
	values := map[string]bench.Figure{}
	for _, f := range figures {
		require.NotContains(t, values, f.Name)
		values[f.Name] = f
	}
	best := min(values["simulation/Flagger/failedRequestsPerBadRelease"].Value, values["simulation/ECS Express Mode/failedRequestsPerBadRelease"].Value,
		values["simulation/CodeDeploy Canary10Percent5Minutes/failedRequestsPerBadRelease"].Value)
	assert.Equal(t, &bench.Goal{Bound: best / 10}, values["simulation/canary/failedRequestsPerBadRelease"].Goal)
	assert.Equal(t, &bench.Goal{}, values["simulation/canary/failingAtStart/failedRequests"].Goal)
	assert.Nil(t, values["simulation/Flagger/failedRequestsPerBadRelease"].Goal)
	assert.Contains(t, values, "simulation/linear/failingIn1PercentOfRequests/secondsToSafety")
}
