package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/penguinshop/delivery/sandbox/clock"
)

// The slow clients, and how long each of their requests takes in the sandbox's time: less than a leaving target may finish
// its requests in.
const (
	slowOnes   = 20
	slowAnswer = 10 * time.Second
)

func slowClients(ctx context.Context, t *trial) error {
	asking, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	answered, opened := 0, 0
	var failures []error
	var clients sync.WaitGroup
	url := fmt.Sprintf("%s/drill/slow?ms=%d", t.environment().URL, clock.Real(t.world.Clock, slowAnswer).Milliseconds())
	for range slowOnes {
		clients.Go(func() {
			client := t.world.ELB.Client() // its own connections
			defer client.CloseIdleConnections()
			for asking.Err() == nil {
				fresh := false
				// A request that has begun is finished whatever happens.
				traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { fresh = !c.Reused }})
				err := ask(traced, client, url)
				mu.Lock()
				if fresh {
					opened++
				}
				if err != nil {
					failures = append(failures, err)
				} else {
					answered++
				}
				mu.Unlock()
			}
		})
	}
	err := delivers(good)(ctx, t)
	stop()
	clients.Wait()
	if len(failures) > 0 {
		t.wrong("%d of the slow requests failed, such as: %s", len(failures), failures[0])
	}
	if opened != slowOnes || answered < slowOnes {
		t.wrong("%d clients opened %d connections for %d answers, and were to keep one each", slowOnes, opened, answered)
	}
	return err
}

// listening is how many pages listen over WebSockets.
const listening = 20

func webSockets(ctx context.Context, t *trial) error {
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var failures []error
	heard := map[string]int{} // conversations by the commit that was told
	going, stop := context.WithCancel(ctx)
	defer stop()
	var pages sync.WaitGroup
	for range listening {
		pages.Go(func() {
			for going.Err() == nil {
				commit, err := listen(ctx, t.world.ELB.Client(), t.environment().URL)
				mu.Lock()
				heard[commit]++
				if err != nil {
					failures = append(failures, err)
				}
				mu.Unlock()
			}
		})
	}
	err = d.end(ctx)
	stop()
	pages.Wait()
	if len(failures) > 0 {
		t.wrong("%d conversations did not end as they should, such as: %s", len(failures), failures[0])
	}
	if len(heard) != 2 || heard[d.commit] == 0 {
		t.wrong("pages were to hear of the old and then of the new release, and heard of %v", heard)
	}
	return err
}

// listen has one conversation over a WebSocket and tells which commit it heard of.
func listen(ctx context.Context, client *http.Client, url string) (commit string, err error) {
	defer client.CloseIdleConnections()
	conversation, answer, err := websocket.Dial(ctx, strings.Replace(url, "http", "ws", 1)+"/live", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		return "", err
	}
	if answer.Body != nil {
		defer answer.Body.Close()
	}
	defer conversation.CloseNow()
	_, text, err := conversation.Read(ctx)
	if err != nil {
		return "", err
	}
	var release struct{ Commit string }
	if err := json.Unmarshal(text, &release); err != nil {
		return "", err
	}
	_, _, err = conversation.Read(ctx) // there is no more to hear: this ends with the conversation
	if websocket.CloseStatus(err) != websocket.StatusGoingAway {
		return release.Commit, fmt.Errorf("a conversation with %.9s ended with: %w", release.Commit, err)
	}
	return release.Commit, nil
}

// ask sends a request and reads the whole answer.
func ask(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// get sends a request whose answer does not matter.
func (t *trial) get(ctx context.Context, path string) {
	_ = ask(ctx, t.world.Client, t.environment().URL+path)
}
