// Package load sends a steady stream of users' requests to an environment and counts how each ended.
package load

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Options say what is sent where.
type Options struct {
	// URL is the environment's, with scheme and without a path.
	URL string
	// Paths are requested in turn, each beginning with a slash.
	Paths []string
	// Rate is requests a second, at least 1. It is kept whatever the answers take, as independent users would.
	Rate int
	// Client sends the requests; its timeout bounds them.
	Client *http.Client
	// Observe, where given, sees each answer. It must not block.
	Observe func(Answer)
}

// Answer is how one request ended.
type Answer struct {
	Path string
	// Status is the HTTP status, 0 where there was no answer.
	Status  int
	Header  http.Header
	Latency time.Duration
	// Failure is empty for a status of 2xx; otherwise it says what happened.
	Failure string
}

// Counts are what has ended so far.
type Counts struct {
	// Requests and Failed count ended requests; a request fails by a transport error or by a status other than 2xx.
	Requests, Failed int
	// Failures counts by what happened, such as "503 Service Unavailable".
	Failures map[string]int
	// P50 and P99 are latencies.
	P50, P99 time.Duration
}

// Worst is the most frequent failure with its count in a few words, empty where there was none.
func (c Counts) Worst() string {
	if c.Failed == 0 {
		return ""
	}
	worst := slices.MaxFunc(slices.Sorted(maps.Keys(c.Failures)), func(a, b string) int { return c.Failures[a] - c.Failures[b] })
	return fmt.Sprintf("%d × %s", c.Failures[worst], worst)
}

// Load is a stream that runs.
type Load struct {
	options  Options
	attacker *vegeta.Attacker
	ended    chan struct{}

	mu      sync.Mutex
	counts  Counts
	latency *hdrhistogram.Histogram
}

// body is how much of an answer is kept; the rest is read and thrown away.
const body = 0

// longest is the highest latency that is told apart, in microseconds.
const longest = int64(time.Hour / time.Microsecond)

// Start begins the stream.
func Start(o Options) *Load {
	l := &Load{options: o, attacker: vegeta.NewAttacker(vegeta.Client(o.Client), vegeta.MaxBody(body)), ended: make(chan struct{}),
		counts: Counts{Failures: map[string]int{}}, latency: hdrhistogram.New(1, longest, 3)}
	var next atomic.Uint64
	target := func(t *vegeta.Target) error {
		t.Method, t.URL = http.MethodGet, o.URL+o.Paths[(next.Add(1)-1)%uint64(len(o.Paths))]
		return nil
	}
	results := l.attacker.Attack(target, vegeta.ConstantPacer{Freq: o.Rate, Per: time.Second}, 0, o.URL)
	go func() {
		defer close(l.ended)
		for result := range results {
			l.count(result)
		}
	}()
	return l
}

func (l *Load) count(r *vegeta.Result) {
	a := Answer{Path: strings.TrimPrefix(r.URL, l.options.URL), Status: int(r.Code), Header: r.Headers, Latency: r.Latency}
	switch {
	case r.Code == 0:
		a.Failure = r.Error
	case r.Code < 200 || r.Code > 299:
		a.Failure = fmt.Sprintf("%d %s", r.Code, http.StatusText(int(r.Code)))
	case r.Error != "": // the answer began well and broke off
		a.Failure = r.Error
	}
	l.mu.Lock()
	l.counts.Requests++
	if a.Failure != "" {
		l.counts.Failed++
		l.counts.Failures[a.Failure]++
	}
	_ = l.latency.RecordValue(min(r.Latency.Microseconds(), longest)) // the bound above is the only error that there is
	l.mu.Unlock()
	if l.options.Observe != nil {
		l.options.Observe(a)
	}
}

// Counts tells what has ended so far.
func (l *Load) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := l.counts
	counts.Failures = maps.Clone(counts.Failures)
	counts.P50 = time.Duration(l.latency.ValueAtQuantile(50)) * time.Microsecond
	counts.P99 = time.Duration(l.latency.ValueAtQuantile(99)) * time.Microsecond
	return counts
}

// Stop sends no more, waits for the answers to what was sent, and tells the final counts.
func (l *Load) Stop() Counts {
	l.attacker.Stop()
	<-l.ended
	return l.Counts()
}
