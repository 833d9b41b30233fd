package load_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/load"
)

func TestEveryRequestIsCountedByHowItEnded(t *testing.T) {
	var served, bad atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		switch r.URL.Path {
		case "/bad":
			bad.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/moved":
			http.Redirect(w, r, "/good", http.StatusFound)
		}
	}))
	defer server.Close()
	var mu sync.Mutex
	seen := map[string]int{}
	l := load.Start(load.Options{URL: server.URL, Paths: []string{"/good", "/bad"}, Rate: 500, Client: server.Client(), Observe: func(a load.Answer) {
		mu.Lock()
		defer mu.Unlock()
		seen[a.Path+" "+a.Failure]++
	}})
	require.Eventually(t, func() bool { return l.Counts().Requests >= 200 }, 20*time.Second, 5*time.Millisecond)
	counts := l.Stop()
	assert.EqualValues(t, served.Load(), counts.Requests)
	assert.EqualValues(t, bad.Load(), counts.Failed)
	assert.Equal(t, map[string]int{"503 Service Unavailable": counts.Failed}, counts.Failures)
	assert.Contains(t, counts.Worst(), "× 503 Service Unavailable")
	assert.Equal(t, counts.Failed, seen["/bad 503 Service Unavailable"])
	assert.Equal(t, counts.Requests-counts.Failed, seen["/good "])
	assert.Positive(t, counts.P99)
	assert.GreaterOrEqual(t, counts.P99, counts.P50)
}

func TestTheRateIsKeptWhileAnswersAreSlow(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(500 * time.Millisecond) }))
	defer server.Close()
	began := time.Now()
	l := load.Start(load.Options{URL: server.URL, Paths: []string{"/"}, Rate: 100, Client: server.Client()})
	require.Eventually(t, func() bool { return l.Counts().Requests >= 100 }, 20*time.Second, 10*time.Millisecond)
	// One at a time, a hundred answers of half a second would take 50 s.
	assert.Less(t, time.Since(began), 10*time.Second)
	assert.Zero(t, l.Stop().Failed)
}

func TestARefusedConnectionIsAFailedRequest(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	l := load.Start(load.Options{URL: url, Paths: []string{"/"}, Rate: 100, Client: &http.Client{Timeout: time.Second}})
	require.Eventually(t, func() bool { return l.Counts().Requests >= 10 }, 20*time.Second, 5*time.Millisecond)
	counts := l.Stop()
	assert.Equal(t, counts.Requests, counts.Failed)
	assert.Contains(t, counts.Worst(), "refused")
}
