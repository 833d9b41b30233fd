package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/penguinshop/delivery/bench/simulation"
)

// Releases offers the same simulated releases to this controller's presets and to its peers (issue 3).
func Releases(ctx context.Context, s Settings, progress func(string)) ([]Figure, error) {
	policies, err := simulation.Policies()
	if err != nil {
		return nil, err
	}
	var outcomes, stormy []simulation.Outcome
	for _, p := range policies {
		progress(fmt.Sprintf("%d releases, seed %d, under %s", s.Releases, s.Seed, p.Name))
		for hiccups, list := range map[float64]*[]simulation.Outcome{1: &outcomes, 2: &stormy} {
			o, err := simulation.Run(ctx, p, s.Releases, s.Seed, hiccups)
			if err != nil {
				return nil, err
			}
			*list = append(*list, o)
		}
	}
	best, careful := bestPeers(outcomes)
	var figures []Figure
	for i, o := range outcomes {
		name := "simulation/" + o.Policy.Name + "/"
		failed := Figure{Name: name + "failedRequestsPerBadRelease", Value: o.FailedPerBad(), Unit: "requests"}
		mistaken := Figure{Name: name + "falseRollbacks", Value: o.FalseRollbacks(), Unit: "% of healthy releases"}
		if !o.Policy.Peer {
			failed, mistaken = failed.AtMost(best/10), mistaken.AtMost(careful)
		}
		figures = append(figures, failed,
			Figure{Name: name + "secondsToSafety", Value: o.Bad().SecondsToSafety(), Unit: "s"},
			Figure{Name: name + "neverRolledBack", Value: 100 * float64(o.Bad().Missed) / float64(max(1, o.Bad().Releases)), Unit: "% of bad releases"},
			mistaken,
			Figure{Name: name + "falseRollbacksWhenHiccupsAreTwiceAsBad", Value: stormy[i].FalseRollbacks(), Unit: "% of healthy releases"})
		for _, kind := range simulation.Kinds {
			if kind == simulation.Healthy {
				continue
			}
			f := Figure{Name: name + camel(string(kind)) + "/failedRequests", Value: o.Kinds[kind].FailedPerRelease(), Unit: "requests"}
			if kind == simulation.FailingAtStart && !o.Policy.Peer {
				f = f.AtMost(0)
			}
			figures = append(figures, f, Figure{Name: name + camel(string(kind)) + "/secondsToSafety", Value: o.Kinds[kind].SecondsToSafety(), Unit: "s"})
		}
	}
	return figures, nil
}

// bestPeers are the failed requests of the peer whose users suffer least, and that peer's false rollbacks.
func bestPeers(outcomes []simulation.Outcome) (failed, mistaken float64) {
	first := true
	for _, o := range outcomes {
		if o.Policy.Peer && (first || o.FailedPerBad() < failed) {
			failed, mistaken, first = o.FailedPerBad(), o.FalseRollbacks(), false
		}
	}
	return failed, mistaken
}

// camel makes one word of several, as the names of figures are.
func camel(words string) string {
	var b strings.Builder
	for i, word := range strings.Fields(strings.ReplaceAll(words, "%", "percent")) {
		if i > 0 {
			word = strings.ToUpper(word[:1]) + word[1:]
		}
		b.WriteString(word)
	}
	return b.String()
}
