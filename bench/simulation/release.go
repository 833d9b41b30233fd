// Package simulation offers the same releases, good and bad, to this controller's rules and to models of its peers, and counts
// what users suffer. It simulates decisions: traffic is a number of requests in each second, drawn at random from a seed.
//
// The world behind it, for all policies alike:
//   - Users send 1,000 requests a second. One in a thousand fails whatever the version (5xx), two in a thousand are the
//     user's own mistake (4xx).
//   - One release in ten meets a hiccup of something that both versions need: for 10 to 120 seconds 1 to 10 % of all requests
//     fail.
//   - Latency is log-normal about a median of 80 ms, with a sigma of 0.6 (p99: 323 ms). A user takes an answer for failed when
//     it is a 5xx or takes over two seconds.
//   - The load balancer sends its metrics once a minute (ELB's user guide, "CloudWatch metrics for your Application Load
//     Balancer"); a minute is taken to be readable 45 seconds after its end, which AWS does not promise. Prometheus has its
//     metrics at once, which is better than its scrape interval allows.
//   - A bad release that nobody rolls back is found by a person one hour after the first user met it.
//
// Nothing public tells how often and how much services fail for a reason that both versions share, so the hiccups are an
// assumption; Run takes a factor that makes them worse, to show what depends on it.
package simulation

import (
	"math"
	"math/rand/v2"
)

// Kind is what a release is like.
type Kind string

// The six kinds; all but Healthy are bad.
const (
	// Healthy is as good as the version before it.
	Healthy Kind = "healthy"
	// FailingAtStart exits before it is healthy (every other one), or answers its health check and fails 30 to 100 % of
	// everything else from its first request on.
	FailingAtStart Kind = "failing at start"
	// FailingUnderLoad answers as many requests a second as it can, 5 to 900, and fails the rest.
	FailingUnderLoad Kind = "failing under load"
	// FailingOnePercent fails in 1 % of requests.
	FailingOnePercent Kind = "failing in 1 % of requests"
	// Slow has a median latency of 0.4 to 4 seconds.
	Slow Kind = "slow"
	// Flapping fails half of its requests for 20 to 40 seconds of every two minutes.
	Flapping Kind = "flapping"
)

// Kinds are all of them, in the order in which releases come.
var Kinds = []Kind{Healthy, FailingAtStart, FailingUnderLoad, FailingOnePercent, Slow, Flapping}

const (
	usersPerSecond = 1000
	baseErrors     = 0.001
	clientErrors   = 0.002
	usualMedian    = 0.080 // seconds
	sigma          = 0.6
	patience       = 2.0 // seconds that a user waits

	hiccupShare = 0.1 // of the releases

	startSeconds = 60.0   // from the first task's start to all of them healthy
	noticed      = 3600.0 // seconds until a person notices
	metricsLag   = 45.0   // seconds from a minute's end to its metrics
)

// release is one drawn from its kind. Times are seconds; the simulation begins at a moment within a minute, for metrics are
// kept by the clock's minutes.
type release struct {
	kind     Kind
	begin    float64
	exits    bool
	errors   float64 // share of requests, at any load
	capacity float64 // requests a second, 0 without a bound
	median   float64
	// bad windows of a flapping release
	windowBegin, windowLength float64
	// the hiccup's moment, seconds and share of requests; 0 seconds for none
	hiccupBegin, hiccupLength, hiccupErrors float64
}

func draw(index int, random *rand.Rand) release {
	between := func(low, high float64) float64 { return low + (high-low)*random.Float64() }
	r := release{kind: Kinds[index%len(Kinds)], begin: before + math.Floor(between(0, 60)), median: usualMedian}
	switch r.kind {
	case FailingAtStart:
		if r.exits = index/len(Kinds)%2 == 0; !r.exits {
			r.errors = between(0.3, 1)
		}
	case FailingUnderLoad:
		r.capacity = 5 * math.Exp(between(0, math.Log(900.0/5)))
	case FailingOnePercent:
		r.errors = 0.01
	case Slow:
		r.median = 0.4 * math.Exp(between(0, math.Log(10)))
	case Flapping:
		r.windowBegin, r.windowLength = between(0, 120), between(20, 40)
	}
	if random.Float64() < hiccupShare {
		r.hiccupBegin = r.begin + between(0, 900)
		r.hiccupLength = 10 * math.Exp(between(0, math.Log(12)))
		r.hiccupErrors = 0.01 * math.Exp(between(0, math.Log(10)))
	}
	return r
}

// faults is the share of requests that this release fails by itself at a moment and under a load in requests a second.
func (r *release) faults(at, load float64) float64 {
	faults := r.errors
	if r.capacity > 0 && load > r.capacity {
		faults = 1 - r.capacity/load
	}
	if r.windowLength > 0 && math.Mod(at+120-r.windowBegin, 120) < r.windowLength {
		faults = 0.5
	}
	return faults
}

// shared is the share of requests that fail whatever the version.
func (r *release) shared(at float64) float64 {
	if at >= r.hiccupBegin && at < r.hiccupBegin+r.hiccupLength {
		return r.hiccupErrors
	}
	return baseErrors
}

// slower is the share of answers that take longer than the seconds.
func (r *release) slower(seconds float64) float64 {
	return math.Erfc(math.Log(seconds/r.median)/sigma/math.Sqrt2) / 2
}

// quantile is the latency in seconds, about a median, that all but the upper share stay under; z is the share's standard normal quantile.
func quantile(median, z float64) float64 { return median * math.Exp(sigma*z) }
