// Package drill runs the delivery under load with one thing broken on purpose, and judges what became of it against what is
// promised. The releases are real images of the app with a mistake in them; what else is broken is broken at its place: a
// task, the registry, the function's calls, the weights.
package drill

import "context"

// Drill is one thing that is broken, and what is promised then.
type Drill struct {
	Name string
	// Breaks says what is broken, and Promise what a user sees of it. Both are sentences.
	Breaks, Promise string
	// Expected is how the delivery must end.
	Expected Outcome
	// Reach is the highest share of the traffic, in percent, that the release may have had at any moment.
	Reach int
	// Lost is the highest share of the users' requests, in percent, that may fail: 0 for what nobody may notice.
	Lost float64

	run func(ctx context.Context, t *trial) error
}

// Outcome is how a delivery ended.
type Outcome string

// The outcomes. All but the last are of a delivery; a world that is broken while nothing is delivered heals.
const (
	Promoted   Outcome = "promoted"
	RolledBack Outcome = "rolled back"
	Halted     Outcome = "halted"
	Healed     Outcome = "healed"
)

// Result is what became of a drill.
type Result struct {
	Drill    string  `json:"drill"`
	Expected Outcome `json:"expected"`
	// Outcome is how the delivery ended; one that ended in none of the known ways says in words what is where.
	Outcome Outcome `json:"outcome"`
	// Requests are the users' requests during the drill, Failed those without an answer of 2xx, and BadVersionRequests those
	// that a broken release answered, or failed to answer.
	Requests           int `json:"requests"`
	Failed             int `json:"failed"`
	BadVersionRequests int `json:"badVersionRequests"`
	// SecondsToSafety is the time from the first request that failed or met a broken release to the last, as it would pass in
	// AWS; 0 where there was none.
	SecondsToSafety float64 `json:"secondsToSafety"`
	Passed          bool    `json:"passed"`

	// Problems say what was not as promised, one sentence each.
	Problems []string `json:"-"`
	// Failures are what happened to the failed requests, in words.
	Failures string `json:"-"`
	// Took is how long the drill took on the machine's clock, in seconds.
	Took float64 `json:"-"`
}

// Failure is the result of a drill that could not be carried out.
func Failure(d Drill, err error) Result {
	return Result{Drill: d.Name, Expected: d.Expected, Outcome: "not carried out", Problems: []string{err.Error()}}
}

// Find returns the drill of that name.
func Find(name string) (Drill, bool) {
	for _, d := range All() {
		if d.Name == name {
			return d, true
		}
	}
	return Drill{}, false
}
