package elb_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func TestARequestReachesTheTargetWithTheHeadersThatAWSAdds(t *testing.T) {
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
	w := shop(t, 100, 0)
	seen := make(chan *http.Request, 10)
	w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			seen <- r
		}
	})
	request, _ := http.NewRequest(http.MethodGet, w.url("/a%2Fb/c?x=1;y=2&z=%zz"), nil)
	request.Host = "shop.example.com:8080"
	request.Header.Set("X-Forwarded-For", "203.0.113.7")
	request.Header.Set("X-Forwarded-Proto", "https")
	request.Header.Set("X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678;CalledFrom=app")
	request.Header.Set("Connection", "X-Hop")
	request.Header.Set("X-Hop", "dropped")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	answer.Body.Close()
	got := <-seen
	assert.Equal(t, "/a%2Fb/c?x=1;y=2&z=%zz", got.RequestURI, "the target sees path and query as they were sent")
	assert.Equal(t, "shop.example.com:8080", got.Host)
	assert.Equal(t, "203.0.113.7, 127.0.0.1", got.Header.Get("X-Forwarded-For"))
	assert.Equal(t, "http", got.Header.Get("X-Forwarded-Proto"))
	assert.Equal(t, "80", got.Header.Get("X-Forwarded-Port"), "the declared port, not the one of this machine")
	assert.Regexp(t, `^Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-67891233-abcdef012345678912345678;CalledFrom=app$`, got.Header.Get("X-Amzn-Trace-Id"))
	assert.Empty(t, got.Header.Get("X-Hop"), "hop-by-hop headers end here")

	_, err = http.Get(w.url("/"))
	require.NoError(t, err)
	assert.Regexp(t, `^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$`, (<-seen).Header.Get("X-Amzn-Trace-Id"))
}

func TestLargeBodiesPassWholeInBothDirections(t *testing.T) {
	w := shop(t, 100, 0)
	w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(w, r.Body)
	})
	sent := make([]byte, 8<<20)
	_, _ = rand.Read(sent)
	for _, chunked := range []bool{false, true} {
		var body io.Reader = bytes.NewReader(sent)
		if chunked {
			body = io.MultiReader(body) // hides the length
		}
		answer, err := http.Post(w.url("/echo"), "application/octet-stream", body)
		require.NoError(t, err)
		got, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		assert.Equal(t, sha256.Sum256(sent), sha256.Sum256(got), "chunked: %v", chunked)
	}
}

func TestAStreamArrivesWhileTheTargetStillWrites(t *testing.T) {
	w := shop(t, 100, 0)
	more := make(chan struct{})
	w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "first\n")
		if r.URL.Path != "/readyz" {
			_ = http.NewResponseController(w).Flush()
			<-more
		}
		fmt.Fprint(w, "second\n")
	})
	answer, err := http.Get(w.url("/events"))
	require.NoError(t, err)
	lines := bufio.NewReader(answer.Body)
	first, err := lines.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "first\n", first)
	close(more)
	second, err := lines.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "second\n", second)
}

func TestAWebSocketTalksThroughTheLoadBalancer(t *testing.T) {
	w := shop(t, 100, 0)
	w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for {
			kind, text, err := conn.Read(r.Context())
			if err != nil || conn.Write(r.Context(), kind, append([]byte("echo "), text...)) != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, w.url("/live"), nil)
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, conn.Write(ctx, websocket.MessageText, fmt.Append(nil, i)))
		_, text, err := conn.Read(ctx)
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("echo %d", i), string(text))
	}
	assert.Equal(t, http.StatusSwitchingProtocols, w.meter.counted(t, 1)[0].Status)

	// A deregistered target's conversation may go on within the deregistration delay.
	drained, err := w.Deregister(blueARN, "10.0.0.1", 0)
	require.NoError(t, err)
	require.NoError(t, conn.Write(ctx, websocket.MessageText, []byte("still")))
	_, text, err := conn.Read(ctx)
	require.NoError(t, err)
	assert.Equal(t, "echo still", string(text))
	select {
	case <-drained:
		t.Fatal("drained with a conversation going on")
	default:
	}
	require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
	select {
	case <-drained:
	case <-ctx.Done():
		t.Fatal("not drained after the conversation ended")
	}
}

func TestAClientThatGoesAwayEndsTheTargetsWork(t *testing.T) {
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#http-460-issues
	w := shop(t, 100, 0)
	begun, ended := make(chan struct{}), make(chan struct{})
	w.healthy(blueARN, "10.0.0.1", func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			close(begun)
			<-r.Context().Done()
			close(ended)
		}
	})
	ctx, leave := context.WithCancel(context.Background())
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, w.url("/slow"), nil)
	go func() {
		<-begun
		leave()
	}()
	_, err := http.DefaultClient.Do(request)
	require.ErrorIs(t, err, context.Canceled)
	<-ended
	counted := w.meter.counted(t, 1)[0]
	assert.Equal(t, 460, counted.Status)
	assert.False(t, counted.FromTarget)
}

func TestAnswersOfTheLoadBalancerItself(t *testing.T) {
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
	t.Run("503 where a group with a weight has no registered target", func(t *testing.T) {
		w := shop(t, 50, 50)
		w.healthy(blueARN, "10.0.0.1", says("blue"))
		got := map[int]int{}
		for range 100 {
			status, _ := w.get("/")
			got[status]++
		}
		assert.Equal(t, map[int]int{200: 50, 503: 50}, got)
		for _, r := range w.meter.counted(t, 100) {
			assert.Equal(t, r.Status == 200, r.Target, "RequestCount counts requests for which a target could be chosen")
		}
	})
	t.Run("503 where no group has a weight", func(t *testing.T) {
		w := shop(t, 0, 0)
		w.healthy(blueARN, "10.0.0.1", says("blue"))
		status, body := w.get("/")
		assert.Equal(t, 503, status)
		assert.Contains(t, body, "503 Service Temporarily Unavailable")
	})
	t.Run("502 where the target refuses the connection", func(t *testing.T) {
		w := shop(t, 100, 0)
		require.NoError(t, w.Register(blueARN, "10.0.0.1", 0, closedPort(t)))
		status, _ := w.get("/")
		assert.Equal(t, 502, status, "an initial target takes requests where there is no healthy one")
		counted := w.meter.counted(t, 1)[0]
		assert.True(t, counted.ConnectionError)
		assert.False(t, counted.FromTarget)
	})
	t.Run("502 where the target closes the connection without an answer", func(t *testing.T) {
		w := shop(t, 100, 0)
		w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" {
				conn, _, _ := http.NewResponseController(w).Hijack()
				conn.Close()
			}
		})
		answer, err := http.Post(w.url("/"), "text/plain", strings.NewReader("once"))
		require.NoError(t, err)
		assert.Equal(t, 502, answer.StatusCode)
		assert.Equal(t, "awselb/2.0", answer.Header.Get("Server"))
		assert.False(t, w.meter.counted(t, 1)[0].ConnectionError)
	})
	t.Run("504 where the target says nothing within the idle timeout", func(t *testing.T) {
		w := newWorld(t, loadBalancer(object{"idleTimeout": 1}), targetGroup("blue", blueARN, nil),
			listener(forwardTo(map[string]int{blueARN: 1}), nil))
		w.healthy(blueARN, "10.0.0.1", func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" {
				<-r.Context().Done()
			}
		})
		status, _ := w.get("/")
		assert.Equal(t, 504, status)
	})
	t.Run("463 where a request names more than 30 forwarding addresses", func(t *testing.T) {
		w := shop(t, 100, 0)
		request, _ := http.NewRequest(http.MethodGet, w.url("/"), nil)
		request.Header.Set("X-Forwarded-For", strings.Repeat("192.0.2.1, ", 30)+"192.0.2.1")
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		assert.Equal(t, 463, answer.StatusCode)
	})
	t.Run("405 for TRACE", func(t *testing.T) {
		w := shop(t, 100, 0)
		request, _ := http.NewRequest(http.MethodTrace, w.url("/"), nil)
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		assert.Equal(t, 405, answer.StatusCode)
	})
}

func TestWeightsAreKeptToWithinAPercentagePointOver10000Requests(t *testing.T) {
	for _, weights := range [][2]int32{{99, 1}, {50, 50}, {998, 997}} {
		t.Run(fmt.Sprintf("%d to %d", weights[0], weights[1]), func(t *testing.T) {
			w := shop(t, 100, 0)
			w.healthy(blueARN, "10.0.0.1", says("blue"))
			w.healthy(greenARN, "10.0.0.2", says("green"))
			w.setWeights(weights[0], weights[1])
			const clients, each = 10, 1000
			var green atomic.Int64
			var wait sync.WaitGroup
			for range clients {
				wait.Go(func() {
					client := &http.Client{Transport: &http.Transport{}}
					defer client.CloseIdleConnections()
					for range each {
						answer, err := client.Get(w.url("/"))
						if !assert.NoError(t, err) {
							return
						}
						body, _ := io.ReadAll(answer.Body)
						answer.Body.Close()
						if string(body) == "green" {
							green.Add(1)
						}
					}
				})
			}
			wait.Wait()
			want := 100 * float64(weights[1]) / float64(weights[0]+weights[1])
			assert.InDelta(t, want, 100*float64(green.Load())/(clients*each), 1)
		})
	}
}

func TestAChangeOfWeightsHoldsForTheNextRequestAndNoRequestFails(t *testing.T) {
	w := shop(t, 100, 0)
	w.healthy(blueARN, "10.0.0.1", says("blue"))
	w.healthy(greenARN, "10.0.0.2", says("green"))
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				answer, err := http.Get(w.url("/"))
				if assert.NoError(t, err) {
					assert.Equal(t, 200, answer.StatusCode)
					answer.Body.Close()
				}
			}
		})
	}
	for i := range 100 {
		colour, blue := "blue", int32(100)
		if i%2 == 0 {
			colour, blue = "green", 0
		}
		w.setWeights(blue, 100-blue)
		_, body := w.get("/")
		require.Equal(t, colour, body)
	}
	close(stop)
	wait.Wait()
}

func TestDrainingFinishesEveryRequestThatHadBegun(t *testing.T) {
	w := shop(t, 100, 0)
	begun, finish := make(chan struct{}, 100), make(chan struct{})
	w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			begun <- struct{}{}
			<-finish
		}
		fmt.Fprint(w, "old")
	})
	const slow = 20
	results := make(chan string, slow)
	for range slow {
		go func() {
			answer, err := http.Get(w.url("/slow"))
			if err != nil {
				results <- err.Error()
				return
			}
			body, err := io.ReadAll(answer.Body)
			results <- fmt.Sprint(answer.StatusCode, string(body), err)
		}()
	}
	for range slow {
		<-begun
	}
	w.healthy(blueARN, "10.0.0.2", says("new"))
	drained, err := w.Deregister(blueARN, "10.0.0.1", 0)
	require.NoError(t, err)
	assert.Equal(t, types.TargetHealthReasonEnumDeregistrationInProgress, w.health(blueARN, "10.0.0.1").Reason)
	for range 50 {
		_, body := w.get("/")
		require.Equal(t, "new", body, "a draining target takes no new request")
	}
	select {
	case <-drained:
		t.Fatal("drained with requests in flight")
	default:
	}
	close(finish)
	for range slow {
		assert.Equal(t, "200old<nil>", <-results)
	}
	<-drained
	// The state is shown as draining until the delay is over, although nothing is in flight.
	assert.Equal(t, types.TargetHealthStateEnumDraining, w.health(blueARN, "10.0.0.1").State)
	w.clock.Advance(5 * time.Second)
	w.becomes(blueARN, "10.0.0.1", types.TargetHealthStateEnumUnused, types.TargetHealthReasonEnumNotRegistered)
}

func TestTheDeregistrationDelayCutsOffWhatTakesLonger(t *testing.T) {
	w := newWorld(t, loadBalancer(nil), targetGroup("blue", blueARN, object{"deregistrationDelay": 0}), listener(forwardTo(map[string]int{blueARN: 1}), nil))
	begun := make(chan struct{})
	w.healthy(blueARN, "10.0.0.1", func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-r.Context().Done()
		}
	})
	status := make(chan int)
	go func() {
		answer, err := http.Get(w.url("/slow"))
		if err == nil {
			status <- answer.StatusCode
		}
		close(status)
	}()
	<-begun
	drained, err := w.Deregister(blueARN, "10.0.0.1", 0)
	require.NoError(t, err)
	<-drained
	assert.Equal(t, 502, <-status)
}

func TestKeepAliveConnectionsOutliveAChangeOfTargets(t *testing.T) {
	w := shop(t, 100, 0)
	w.healthy(blueARN, "10.0.0.1", says("blue"))
	w.healthy(greenARN, "10.0.0.2", says("green"))
	conn, err := net.Dial("tcp", w.Address(lbARN, 80))
	require.NoError(t, err)
	defer conn.Close()
	answers := bufio.NewReader(conn)
	ask := func() string {
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
		answer, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return string(body)
	}
	assert.Equal(t, "blue", ask())
	w.setWeights(0, 100)
	assert.Equal(t, "green", ask(), "on the same connection")
	w.setWeights(100, 0)
	assert.Equal(t, "blue", ask())
}
