package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/penguinshop/delivery/sandbox/console"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stage is a world of one environment in the middle of a shift, with an approval of another that waits.
type stage struct {
	mu       sync.Mutex
	state    console.State
	journal  *journal.Journal
	answered []console.Answer
	rolled   []string
	drilled  []string
	shop     string
}

func newStage(t *testing.T) *stage {
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		side := "stable"
		if r.Header.Get("X-Preview") == "secret" {
			side = "candidate"
		}
		w.Write([]byte(side + " " + r.URL.Path)) //nolint:errcheck // a test's answer
	}))
	t.Cleanup(shop.Close)
	s := &stage{journal: journal.New(clockwork.NewRealClock()), shop: shop.URL}
	s.state = console.State{
		Now: time.Now(), Scale: 30, Runtime: "podman",
		Pipeline: console.Pipeline{
			Name: "penguinshop", Execution: "e-1", Status: "InProgress", Commit: "0123456789abcdef",
			Message: "Sell a new penguin", Author: "Pia", Digest: "sha256:" + strings.Repeat("ab", 32),
			Stages: []console.Stage{
				{Name: "Source", Status: "Succeeded", Actions: []console.Action{{Name: "source", Status: "Succeeded", Seconds: 2}}},
				{Name: "dev", Status: "InProgress", Actions: []console.Action{
					{Name: "prepare", Status: "Succeeded", Seconds: 3, Summary: "green is idle and ready"},
					{Name: "shift", Status: "InProgress", Seconds: 61},
				}},
				{Name: "prod", Status: "InProgress", Actions: []console.Action{
					{Name: "approve", Status: "InProgress", Token: "token-1", Question: "Commit 01234567 to prod?"},
				}},
			},
		},
		Environments: []console.Environment{{
			Name: "dev", URL: shop.URL, Preview: shop.URL, Live: "blue", Step: "step 1 of 3: 10 % for 2 min", Verdict: "pass: 0 of 412 failed",
			Blue:  console.Side{Weight: 90, Commit: "fedcba9876543210", Running: 2, Desired: 2, Targets: []console.Target{{ID: "a", State: "healthy"}, {ID: "b", State: "healthy"}}},
			Green: console.Side{Weight: 10, Commit: "0123456789abcdef", Running: 2, Desired: 2, Targets: []console.Target{{ID: "c", State: "unhealthy", Reason: "Target.Timeout"}}},
		}},
		Drills: []console.Drill{
			{Name: "exits-at-start", Breaks: "A release whose container exits at its start.", Promise: "Nobody meets it."},
			{Name: "slow", Breaks: "A release that is slow.", Promise: "Few users wait.", Outcome: "rolled back; 0 of 2389 requests failed", Passed: true},
		},
	}
	for i := range int64(60) {
		s.state.Environments[0].Samples = append(s.state.Environments[0].Samples, console.Sample{
			Unix: 1_700_000_000 + i, Blue: console.Counts{Weight: 90, Requests: 90, P99: 8}, Green: console.Counts{Weight: 10, Requests: 10, P99: 9},
		})
	}
	s.journal.Add(journal.Entry{Service: "elb", Environment: "dev", Kind: "weights", Text: "blue 90, green 10"})
	return s
}

func (s *stage) change(f func(*console.State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.state)
}

func (s *stage) State(context.Context) (console.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, nil
}

func (s *stage) Journal() *journal.Journal { return s.journal }

func (s *stage) Answer(_ context.Context, a console.Answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Token != "token-1" || len(s.answered) > 0 {
		return errors.New("nobody waits for this answer any more")
	}
	s.answered = append(s.answered, a)
	stages := append([]console.Stage(nil), s.state.Pipeline.Stages...)
	stages[2] = console.Stage{Name: "prod", Status: "InProgress", Actions: []console.Action{{Name: "approve", Status: "Succeeded"}}}
	s.state.Pipeline.Stages = stages
	return nil
}

func (s *stage) Rollback(_ context.Context, environment string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rolled = append(s.rolled, environment)
	environments := append([]console.Environment(nil), s.state.Environments...)
	environments[0].Blue.Weight, environments[0].Green.Weight = 100, 0
	s.state.Environments = environments
	return nil
}

func (s *stage) Drill(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drilled = append(s.drilled, name)
	drills := append([]console.Drill(nil), s.state.Drills...)
	drills[0].Running = true
	s.state.Drills = drills
	return nil
}

func (s *stage) Preview(context.Context, string) (string, string, string, error) {
	return s.shop, "X-Preview", "secret", nil
}

func (s *stage) Log(_ context.Context, stage, action string) (string, error) {
	return "the log of " + stage + " " + action, nil
}

func TestOnlyLoopbackNamesAreAnswered(t *testing.T) {
	handler := console.Handler(newStage(t), console.Options{})
	for host, want := range map[string]int{
		"127.0.0.1:9": http.StatusOK, "localhost:9": http.StatusOK, "[::1]:9": http.StatusOK,
		"evil.example": http.StatusForbidden, "127.0.0.1.evil.example:9": http.StatusForbidden, "10.0.0.1": http.StatusForbidden,
	} {
		request := httptest.NewRequest(http.MethodGet, "/api/state", nil)
		request.Host = host
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		assert.Equal(t, want, answer.Code, host)
	}
}

func TestAnotherSitesPageCannotDriveIt(t *testing.T) {
	s := newStage(t)
	handler := console.Handler(s, console.Options{})
	path := "/api/environments/dev/rollback"
	post := func(headers map[string]string) int {
		request := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:9"+path, nil)
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		return answer.Code
	}
	assert.Equal(t, http.StatusForbidden, post(map[string]string{"Sec-Fetch-Site": "cross-site"}))
	assert.Equal(t, http.StatusForbidden, post(map[string]string{"Origin": "https://evil.example"}))
	assert.Equal(t, http.StatusForbidden, post(map[string]string{"Origin": "http://127.0.0.1:10"}), "another port is another origin")
	assert.Empty(t, s.rolled)
	assert.Equal(t, http.StatusNoContent, post(map[string]string{"Origin": "http://127.0.0.1:9", "Sec-Fetch-Site": "same-origin"}))
	assert.Equal(t, []string{"dev"}, s.rolled)
	path = "/api/drills/slow"
	assert.Equal(t, http.StatusForbidden, post(map[string]string{"Sec-Fetch-Site": "cross-site"}))
	assert.Empty(t, s.drilled)
	assert.Equal(t, http.StatusNoContent, post(map[string]string{"Origin": "http://127.0.0.1:9", "Sec-Fetch-Site": "same-origin"}))
	assert.Equal(t, []string{"slow"}, s.drilled)
}

func TestAnAnswerThatNobodyWaitsForIsRefusedWithTheReason(t *testing.T) {
	handler := console.Handler(newStage(t), console.Options{})
	request := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/api/approval", strings.NewReader(`{"token":"old"}`))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	assert.Equal(t, http.StatusConflict, answer.Code)
	assert.JSONEq(t, `{"error":"nobody waits for this answer any more"}`, answer.Body.String())
}

func TestThePreviewReachesTheCandidateWithItsPathKept(t *testing.T) {
	server := httptest.NewServer(console.Preview(newStage(t), "dev"))
	t.Cleanup(server.Close)
	response, err := http.Get(server.URL + "/api/products")
	require.NoError(t, err)
	defer response.Body.Close()
	var body strings.Builder
	_, err = copyTo(&body, response)
	require.NoError(t, err)
	assert.Equal(t, "candidate /api/products", body.String())
}
