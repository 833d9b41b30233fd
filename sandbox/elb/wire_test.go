package elb_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryKindOfAnswerPassesAsTheTargetGaveIt(t *testing.T) {
	w := shop(t, 100, 0)
	target := w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/unchanged":
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(http.StatusNotModified)
		case "/chunked":
			w.Header().Set("Trailer", "X-Sum")
			for i := range 100 {
				fmt.Fprintf(w, "%0100d\n", i)
			}
			w.Header().Set("X-Sum", "42")
		case "/closing":
			w.Header().Set("Connection", "close")
			io.WriteString(w, "last words")
		case "/old":
			conn, _, _ := http.NewResponseController(w).Hijack()
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.0 200 OK\r\nX-Kind: old\r\n\r\nuntil the end")
		default:
			io.WriteString(w, strings.Repeat("penguin", 10_000))
		}
	})
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodDelete} {
		for _, path := range []string{"/", "/empty", "/unchanged", "/chunked", "/closing", "/old"} {
			ask := func(url string) (int, http.Header, string, http.Header) {
				answer, err := http.DefaultClient.Do(must(http.NewRequest(method, url+path, nil)))
				require.NoError(t, err, "%s %s", method, path)
				defer answer.Body.Close()
				body, err := io.ReadAll(answer.Body)
				require.NoError(t, err, "%s %s", method, path)
				for _, ofTheHop := range []string{"Date", "Connection", "Trailer"} {
					answer.Header.Del(ofTheHop)
				}
				return answer.StatusCode, answer.Header, string(body), answer.Trailer
			}
			status, header, body, trailer := ask(target.URL)
			gotStatus, gotHeader, gotBody, gotTrailer := ask(w.url(""))
			assert.Equal(t, []any{status, header, body, trailer}, []any{gotStatus, gotHeader, gotBody, gotTrailer}, "%s %s", method, path)
		}
	}
}

func TestAConnectionIsUsedAgainAndOneThatTheTargetEndedIsReplaced(t *testing.T) {
	w := shop(t, 100, 0)
	var connections atomic.Int64
	target := httptest.NewUnstartedServer(says("blue"))
	target.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	target.Start()
	t.Cleanup(target.Close)
	require.NoError(t, w.Register(blueARN, "10.0.0.1", 0, target.Listener.Addr().String()))
	w.becomes(blueARN, "10.0.0.1", "healthy", "")
	before := connections.Load()
	for range 50 {
		status, _ := w.get("/")
		require.Equal(t, 200, status)
	}
	assert.EqualValues(t, 1, connections.Load()-before)
	for range 20 {
		target.CloseClientConnections()
		status, _ := w.get("/")
		require.Equal(t, 200, status)
	}
}

func TestARequestThatWasPartlyAnsweredIsNotRepeated(t *testing.T) {
	w := shop(t, 100, 0)
	var asked atomic.Int64
	w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/half" {
			return
		}
		asked.Add(1)
		conn, _, _ := http.NewResponseController(w).Hijack()
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Le")
	})
	status, _ := w.get("/") // leaves a connection at rest, on which a failure could be taken for staleness
	require.Equal(t, 200, status)
	status, _ = w.get("/half")
	assert.Equal(t, 502, status)
	assert.EqualValues(t, 1, asked.Load())
}

func TestEarlyHintsReachTheClient(t *testing.T) {
	w := shop(t, 100, 0)
	w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</shop.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "page")
	})
	var hints []string
	request := must(http.NewRequest(http.MethodGet, w.url("/"), nil))
	request = request.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, " ", header.Get("Link")))
		return nil
	}}))
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, 200, answer.StatusCode)
	assert.Equal(t, []string{"103 </shop.css>; rel=preload"}, hints)
	assert.Equal(t, 200, w.meter.counted(t, 1)[0].Status)
}

func TestAClientThatLeavesInTheMiddleOfABodyEndsTheTargetsWork(t *testing.T) {
	w := shop(t, 100, 0)
	ended := make(chan struct{})
	w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/endless" {
			defer close(ended)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
					return
				}
			}
		}
	})
	answer, err := http.Get(w.url("/endless"))
	require.NoError(t, err)
	_, err = io.CopyN(io.Discard, answer.Body, 1<<20)
	require.NoError(t, err)
	answer.Body.Close()
	<-ended
}
