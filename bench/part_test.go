package bench_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/bench"
)

func part(name string, err error) bench.Part {
	return bench.Part{Name: name, Measure: func(_ context.Context, s bench.Settings, progress func(string)) ([]bench.Figure, error) {
		progress("measuring")
		return []bench.Figure{{Name: name + "/seed", Value: float64(s.Seed), Unit: "1"}}, err
	}}
}

func TestAPartThatFailsOrLacksSomethingDoesNotKeepTheOthersFromRunning(t *testing.T) {
	broken, absent := errors.New("it broke"), &bench.Absent{What: "nginx is not here", Remedy: "apt-get install nginx"}
	var told []string
	figures, skipped, err := bench.Measure(t.Context(), []bench.Part{part("a", broken), part("b", fmt.Errorf("looking: %w", absent)), part("c", nil)},
		bench.Settings{Seed: 7}, func(line string) { told = append(told, line) })
	assert.Equal(t, []bench.Figure{{Name: "a/seed", Value: 7, Unit: "1"}, {Name: "b/seed", Value: 7, Unit: "1"}, {Name: "c/seed", Value: 7, Unit: "1"}}, figures)
	assert.Equal(t, []bench.Skipped{{Part: "b", Absent: absent}}, skipped)
	assert.EqualError(t, err, "a: it broke")
	assert.ErrorIs(t, err, broken)
	assert.Equal(t, []string{"a: measuring", "b: measuring", "c: measuring"}, told)
}

func TestNothingIsMeasuredAfterAnInterruption(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupted := bench.Part{Name: "a", Measure: func(context.Context, bench.Settings, func(string)) ([]bench.Figure, error) {
		interrupt()
		return nil, &bench.Absent{What: "no matter"}
	}}
	never := bench.Part{Name: "b", Measure: func(context.Context, bench.Settings, func(string)) ([]bench.Figure, error) {
		t.Error("the next part ran")
		return nil, nil
	}}
	figures, skipped, err := bench.Measure(ctx, []bench.Part{interrupted, never}, bench.Settings{}, func(string) {})
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, figures)
	assert.Empty(t, skipped)
}

func TestEveryPartHasANameOfItsOwnAndSaysWhatItMeasures(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range bench.Parts {
		assert.NotEmpty(t, p.About, p.Name)
		assert.False(t, seen[p.Name], p.Name)
		seen[p.Name] = true
	}
}
