package drill

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/adapter"
)

func TestEveryDrillSaysWhatItBreaksAndWhatItPromises(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range All() {
		assert.Regexp(t, regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`), d.Name)
		assert.False(t, seen[d.Name], d.Name)
		seen[d.Name] = true
		for _, sentence := range []string{d.Breaks, d.Promise} {
			assert.Regexp(t, regexp.MustCompile("^([A-Z`]|shiftfn).*\\.$"), sentence, d.Name)
		}
		assert.Contains(t, []Outcome{Promoted, RolledBack, Halted, Healed}, d.Expected, d.Name)
		assert.NotNil(t, d.run, d.Name)
		found, known := Find(d.Name)
		assert.True(t, known)
		assert.Equal(t, d.Promise, found.Promise)
	}
	_, known := Find("no-such-drill")
	assert.False(t, known)
}

func TestADrillPassesWhenAllIsAsPromisedAndSaysEverythingThatIsNot(t *testing.T) {
	promised := Drill{Name: "slow", Expected: RolledBack, Reach: 10, Lost: 5}
	began := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		outcome  Outcome
		reach    int
		tally    tally
		problems []string
	}{
		"all as promised":            {RolledBack, 10, tally{requests: 100, failed: 5}, nil},
		"nobody was there to notice": {RolledBack, 0, tally{}, []string{"no user's request was counted"}},
		"nothing is": {Promoted, 50, tally{requests: 100, failed: 6, failures: map[string]int{"502 Bad Gateway": 6}}, []string{
			"it was to be rolled back, and was promoted",
			"the release had 50 % of the traffic, and 10 % is the most that it may get",
			"6 of 100 users' requests failed, at most 5 % may (6 × 502 Bad Gateway)",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.tally.first, c.tally.last = began, began.Add(90*time.Second)
			trial := &trial{Ground: &Ground{tally: c.tally}, drill: promised, outcome: c.outcome}
			r := trial.judge(c.reach)
			assert.Equal(t, c.problems, r.Problems)
			assert.Equal(t, len(c.problems) == 0, r.Passed)
			assert.Equal(t, 90.0, r.SecondsToSafety)
			assert.Equal(t, c.tally.failed, r.Failed)
		})
	}
}

// project is a repository with what the drills need of one.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"Pulumi.shared.yaml": "config:\n  aws:region: eu-north-1\n  penguinshop:role: shared\n  penguinshop:environments: [{name: dev}]\n",
		"Pulumi.dev.yaml":    "config:\n  penguinshop:role: env\n",
		"app/index.js":       "import './src/shop.js';\n",
		"app/src/shop.js":    "// the shop\n",
	} {
		file := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	require.NoError(t, run(t.Context(), "git", "-C", root, "init", "--quiet", "-b", "main"))
	require.NoError(t, run(t.Context(), "git", "-C", root, "add", "--all"))
	require.NoError(t, run(t.Context(), "git", "-C", root, "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "--quiet", "-m", "Open the shop"))
	return root
}

func TestReleasesAreCommittedToACloneWithOneFaultAtATime(t *testing.T) {
	origin := project(t)
	before, err := output(t.Context(), "git", "-C", origin, "rev-parse", "HEAD")
	require.NoError(t, err)
	c, err := cloneTo(t.Context(), filepath.Join(t.TempDir(), "checkout"), origin)
	require.NoError(t, err)

	first, err := c.commit(t.Context(), slow)
	require.NoError(t, err)
	second, err := c.commit(t.Context(), good)
	require.NoError(t, err)
	third, err := c.commit(t.Context(), good)
	require.NoError(t, err)
	assert.Len(t, map[string]bool{first: true, second: true, third: true}, 3, "each release has a commit of its own, also where nothing differs")
	index, err := os.ReadFile(filepath.Join(c.root, "app", "index.js"))
	require.NoError(t, err)
	assert.Regexp(t, `^import \{ breakIt \} from './src/drill.js';\nbreakIt\('none'\);\n.*\nimport './src/shop.js';\n$`, string(index))

	files, err := filepath.Glob(filepath.Join(c.root, "Pulumi.*.yaml"))
	require.NoError(t, err)
	assert.Equal(t, []string{c.stackFile(), filepath.Join(c.root, "Pulumi.shared.yaml")}, files)
	own, err := readStack(c.stackFile())
	require.NoError(t, err)
	assert.Equal(t, "eu-north-1", own.Config["aws:region"], "the region is the project's")
	shared, _, err := c.sharedStack()
	require.NoError(t, err)
	assert.Equal(t, []any{map[string]any{"name": environmentName}}, shared.Config["penguinshop:environments"])

	after, err := output(t.Context(), "git", "-C", origin, "rev-parse", "HEAD")
	require.NoError(t, err)
	assert.Equal(t, before, after, "the repository that was cloned stays as it is")
}

func TestAProjectWithoutAPipelineCannotBeDrilled(t *testing.T) {
	origin := project(t)
	require.NoError(t, run(t.Context(), "git", "-C", origin, "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "rm", "--quiet", "Pulumi.shared.yaml"))
	require.NoError(t, run(t.Context(), "git", "-C", origin, "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "--quiet", "-m", "Leave the pipeline out"))
	_, err := cloneTo(t.Context(), filepath.Join(t.TempDir(), "checkout"), origin)
	assert.ErrorContains(t, err, "penguinshop:role shared")
}

// nobody panics when it is called.
type nobody struct{ adapter.ECS }

func TestACallThatIsRefusedBeforehandReachesNobody(t *testing.T) {
	refused := errors.New("not today")
	var asked []string
	clients := meddle(adapter.Clients{ECS: nobody{}}, func(_ context.Context, operation string) error {
		asked = append(asked, operation)
		return refused
	})
	_, err := clients.ECS.UpdateService(t.Context(), &ecs.UpdateServiceInput{})
	assert.ErrorIs(t, err, refused)
	assert.Equal(t, []string{"UpdateService"}, asked)
}
