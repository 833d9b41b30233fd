package elb

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestAWildcardMatchesWhatItsRegularExpressionMatches(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("abA/.*?")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		pattern, given, fold := text.Draw(t, "pattern"), text.Draw(t, "given"), rapid.Bool().Draw(t, "fold")
		expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
		flags := "(?s)"
		if fold {
			flags = "(?si)"
		}
		want := regexp.MustCompile(flags + "^" + expression + "$").MatchString(given)
		assert.Equal(t, want, newWildcard(pattern, fold, false).matches(given), "%q on %q", pattern, given)
	})
}

func TestSharesFollowTheWeightsWithinAPercentagePointFromAnyRequestOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(0, heaviest), 1, groupsOfAction).Draw(t, "weights")
		groups := make([]*group, len(weights))
		var total int
		for i, w := range weights {
			groups[i] = &group{}
			total += w
		}
		s := newShares(groups, weights)
		if total == 0 {
			assert.Nil(t, s.pick())
			return
		}
		for range rapid.IntRange(0, 5000).Draw(t, "before") {
			s.pick()
		}
		const requests = 10_000
		got := map[*group]int{}
		for range requests {
			got[s.pick()]++
		}
		for i, g := range groups {
			want := float64(weights[i]) / float64(total)
			if off := math.Abs(float64(got[g])/requests - want); off > 0.01 {
				t.Fatalf("weight %d of %d got %d of %d requests", weights[i], total, got[g], requests)
			}
			if weights[i] == 0 && got[g] > 0 {
				t.Fatalf("a group of weight 0 got %d requests", got[g])
			}
		}
	})
}

func TestEveryRunOfReducedWeightsHoldsExactlyEachShare(t *testing.T) {
	blue, green := &group{}, &group{}
	s := newShares([]*group{blue, green}, []int{90, 10})
	for range 500 {
		var toGreen int
		for range 10 {
			if s.pick() == green {
				toGreen++
			}
		}
		assert.Equal(t, 1, toGreen)
	}
}
