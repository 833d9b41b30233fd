package load_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/load"
)

func TestSaturatingCountsWhatWasAnswered(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			asked.Add(1)
		}
		_, _ = w.Write([]byte("penguin"))
	}))
	t.Cleanup(server.Close)
	capacity, err := load.Saturate(t.Context(), server.Listener.Addr().String(), "/page", 3, 200*time.Millisecond)
	require.NoError(t, err)
	assert.EqualValues(t, asked.Load(), capacity.Requests)
	assert.Positive(t, capacity.PerSecond)
	assert.GreaterOrEqual(t, capacity.P99, capacity.P50)
}

func TestSaturatingRefusesWhatIsNoAnswer(t *testing.T) {
	for status, want := range map[int]string{http.StatusNotFound: "404 Not Found", http.StatusOK: "without a Content-Length"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_ = http.NewResponseController(w).Flush() // an answer of unknown length
		}))
		t.Cleanup(server.Close)
		_, err := load.Saturate(t.Context(), server.Listener.Addr().String(), "/", 1, time.Minute)
		require.ErrorContains(t, err, want)
	}
}
