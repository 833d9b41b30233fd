package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/smithy-go"
	"github.com/coder/websocket"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/lambda"
)

// seed makes what is random in a drill the same in every run.
const seed = 20260101

// delivers is a drill of a release with a fault, and nothing else.
func delivers(f fault) func(context.Context, *trial) error {
	return func(ctx context.Context, t *trial) error {
		d, err := t.deliver(ctx, f)
		if err != nil {
			return err
		}
		return d.end(ctx)
	}
}

func diesInStandby(ctx context.Context, t *trial) error {
	d, err := t.deliver(ctx, diesWhenTold)
	if err != nil {
		return err
	}
	if err := d.end(ctx); err != nil {
		return err
	}
	if d.outcome != Promoted {
		return fmt.Errorf("the release was to be promoted first, and was %s", d.outcome)
	}
	t.options.Say("the release is live; now it begins to die")
	err = t.until(ctx, "the traffic is back", func() (bool, error) {
		t.get(ctx, "/drill/die") // whatever comes of it: a task that dies does not answer
		weights, err := t.world.Weights(ctx, t.environment())
		return err == nil && of(weights, t.stable) == 100, err
	})
	if err != nil {
		return err
	}
	t.outcome = RolledBack
	return nil
}

// deaths is how often the function is killed in one delivery: each time its schedule needs three minutes to find out, and the
// pipeline waits twenty for an answer.
const deaths = 4

func functionKilled(ctx context.Context, t *trial) error {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	killed, calls, next := 0, 0, 0
	last := ""
	t.kills(func(i lambda.Invocation, operation string) bool {
		if bytes.Contains(i.Event, []byte(`\"prepare\"`)) {
			return false // it has begun nothing yet: the pipeline's action fails, and nothing has changed
		}
		mu.Lock()
		defer mu.Unlock()
		calls++
		deadly := []bool{last == "UpdateService", calls == next, last == "ModifyListener", last == "PutJobSuccessResult"}
		last = operation
		if killed == deaths || !deadly[killed] {
			return false
		}
		killed++
		last, next = "", calls+20+random.IntN(60) // a tick makes about ten calls
		return true
	})
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.end(ctx); err != nil {
		return err
	}
	return t.until(ctx, "the function was killed for the last time", func() (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		return killed == deaths, nil
	})
}

func functionInvokedTwice(ctx context.Context, t *trial) error {
	t.after(t.world.Functions.Wrap(func(next lambda.Program) lambda.Program {
		return func(ctx context.Context, i lambda.Invocation) error {
			var second error
			var both sync.WaitGroup
			both.Go(func() { second = next(ctx, i) })
			first := next(ctx, i)
			both.Wait()
			return errors.Join(first, second)
		}
	}))
	return delivers(good)(ctx, t)
}

func callsThrottled(ctx context.Context, t *trial) error {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 1))
	t.meddle(func(_ context.Context, operation string) error {
		mu.Lock()
		defer mu.Unlock()
		if operation != "probe" && random.IntN(3) == 0 {
			return &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
		}
		return nil
	})
	return delivers(good)(ctx, t)
}

// outage is how long AWS fails, in the sandbox's time.
const outage = 2 * time.Minute

func callsFailing(ctx context.Context, t *trial) error {
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.reaches(ctx, firstStep); err != nil {
		return err
	}
	over := t.world.Clock.Now().Add(outage)
	t.meddle(func(_ context.Context, operation string) error {
		if operation != "probe" && t.world.Clock.Now().Before(over) {
			return &smithy.GenericAPIError{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error"}
		}
		return nil
	})
	return d.end(ctx)
}

func weightsByHand(ctx context.Context, t *trial) error {
	const hand = 70
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.reaches(ctx, firstStep); err != nil {
		return err
	}
	if err := t.setWeights(ctx, t.candidate, hand); err != nil {
		return err
	}
	if err := d.end(ctx); err != nil {
		return err
	}
	weights, err := t.world.Weights(ctx, t.environment())
	if err != nil {
		return err
	}
	if got := of(weights, t.candidate); got != hand {
		t.wrong("the person gave the release %d %%, and it has %d %%", hand, got)
	}
	return nil
}

func infrastructureUpdate(ctx context.Context, t *trial) error {
	before, err := os.ReadFile(t.checkout.stackFile())
	if err != nil {
		return err
	}
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.reaches(ctx, firstStep); err != nil {
		return err
	}
	changed, err := readStack(t.checkout.stackFile())
	if err != nil {
		return err
	}
	changed.Config["penguinshop:logRetentionDays"] = 14
	if service, ok := changed.Config["penguinshop:service"].(map[string]any); ok {
		service["memoryMiB"] = 1024
	}
	if err := changed.write(t.checkout.stackFile()); err != nil {
		return err
	}
	changes, err := t.world.Up(ctx)
	if err != nil {
		return err
	}
	if len(changes.Updated) == 0 {
		t.wrong("the update was to change something, and changed nothing")
	}
	if err := d.end(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(t.checkout.stackFile(), before, 0o600); err != nil {
		return err
	}
	_, err = t.world.Up(ctx)
	return err
}

func secondCommit(ctx context.Context, t *trial) error {
	first, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := first.reaches(ctx, firstStep); err != nil {
		return err
	}
	second, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if _, err := t.world.Follow(ctx, first.execution, nil, nil); err != nil {
		t.wrong("the first release was to be promoted: %s", err)
	}
	// The second goes to the side that the first came from.
	t.stable, t.candidate = t.candidate, t.stable
	return second.end(ctx)
}

func stableLosesTargets(ctx context.Context, t *trial) error {
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.reaches(ctx, firstStep); err != nil {
		return err
	}
	if err := t.kill(ctx, t.stable, 1); err != nil {
		return err
	}
	return d.end(ctx)
}

func bothSidesUnhealthy(ctx context.Context, t *trial) error {
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.reaches(ctx, firstStep); err != nil {
		return err
	}
	if err := t.world.ECR.Stop(); err != nil {
		return err
	}
	open := func() error { return t.world.ECR.Start() }
	for _, colour := range []string{t.stable, t.candidate} {
		if err := t.kill(ctx, colour, 10); err != nil {
			return errors.Join(err, open())
		}
	}
	at, err := t.world.Weights(ctx, t.environment())
	if err != nil {
		return errors.Join(err, open())
	}
	if err := errors.Join(d.end(ctx), open()); err != nil {
		return err
	}
	now, err := t.world.Weights(ctx, t.environment())
	if err != nil {
		return err
	}
	if now != at {
		t.wrong("the weights were to stay at %v, and are at %v", at, now)
	}
	return t.until(ctx, "the stable side is back", func() (bool, error) {
		healthy, err := t.healthy(ctx, t.stable)
		return healthy >= 2, err
	})
}

func registryGone(ctx context.Context, t *trial) error {
	d, err := t.deliver(ctx, good)
	if err != nil {
		return err
	}
	if err := d.begins(ctx, "deploy"); err != nil {
		return err
	}
	if err := t.world.ECR.Stop(); err != nil {
		return err
	}
	return errors.Join(d.end(ctx), t.world.ECR.Start())
}

func taskKilled(ctx context.Context, t *trial) error {
	had, err := t.healthy(ctx, t.stable)
	if err != nil {
		return err
	}
	if err := t.kill(ctx, t.stable, 1); err != nil {
		return err
	}
	for _, wanted := range []int{had - 1, had} {
		err := t.until(ctx, fmt.Sprintf("%d targets are healthy", wanted), func() (bool, error) {
			healthy, err := t.healthy(ctx, t.stable)
			return healthy == wanted, err
		})
		if err != nil {
			return err
		}
	}
	t.outcome = Healed
	select { // long enough to see that nobody notices any more
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.world.Clock.After(afterwards):
		return nil
	}
}

// afterwards is how long users are watched after a task is back, in the sandbox's time.
const afterwards = 5 * time.Minute

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
