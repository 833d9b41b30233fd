package adapter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// abreast is how many probes run at once.
const abreast = 16

// kept is how long the preview header's value is remembered: a rotated one is taken up soon.
const kept = 5 * time.Minute

// secret remembers the preview header's value.
type secret struct {
	mu    sync.Mutex
	value string
	until time.Time
}

func (w *World) previewValue(ctx context.Context) (string, error) {
	w.secret.mu.Lock()
	defer w.secret.mu.Unlock()
	if w.Now().Before(w.secret.until) {
		return w.secret.value, nil
	}
	out, err := w.Clients.Parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(w.Settings.PreviewParameter), WithDecryption: aws.Bool(true)})
	if err != nil {
		return "", err
	}
	if out.Parameter == nil || aws.ToString(out.Parameter.Value) == "" {
		return "", fmt.Errorf("the parameter %s is empty", w.Settings.PreviewParameter)
	}
	w.secret.value, w.secret.until = *out.Parameter.Value, w.Now().Add(kept)
	return w.secret.value, nil
}

// probe sends count requests for each of the plan's paths to the candidate, by the preview rule.
func (w *World) probe(ctx context.Context, count int) (*rollout.Probed, error) {
	value, err := w.previewValue(ctx)
	if err != nil {
		return nil, err
	}
	var probed rollout.Probed
	var mu sync.Mutex
	var requests sync.WaitGroup
	slots := make(chan struct{}, abreast)
	for range count {
		for _, path := range w.Plan.Probes.Paths {
			slots <- struct{}{}
			requests.Go(func() {
				reached, trouble := w.request(ctx, path, value)
				<-slots
				mu.Lock()
				defer mu.Unlock()
				switch {
				case !reached:
					probed.Unsent++
				case trouble != "":
					probed.Sent++
					probed.Failed++
				default:
					probed.Sent++
				}
				if probed.Example == "" && trouble != "" {
					probed.Example = redact(strings.ReplaceAll("GET "+path+": "+trouble, value, "…"))
				}
			})
		}
	}
	requests.Wait()
	return &probed, nil
}

// request sends one probe. It reached the load balancer when a connection was had; trouble is empty when all was well.
func (w *World) request(ctx context.Context, path, value string) (reached bool, trouble string) {
	limit := time.Duration(w.Plan.Probes.LatencyMs) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var mu sync.Mutex // the connection may come when the request is over already
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		mu.Lock()
		defer mu.Unlock()
		reached = true
	}})
	connected := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return reached
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(w.Settings.URL, "/")+path, nil)
	if err != nil {
		return false, err.Error()
	}
	request.Header.Set(w.Settings.PreviewHeader, value)
	request.Header.Set("User-Agent", "penguinshop-shiftfn")
	response, err := w.Clients.HTTP.Do(request)
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
		response.Body.Close()
	}
	switch late := errors.Is(err, context.DeadlineExceeded); {
	case late && connected():
		return true, fmt.Sprintf("no answer within %d ms", w.Plan.Probes.LatencyMs)
	case err != nil:
		if trouble := new(url.Error); errors.As(err, &trouble) {
			err = trouble.Err // without the address, which the reader knows
		}
		return connected(), err.Error()
	case response.StatusCode != w.Plan.Probes.Status:
		return true, fmt.Sprintf("HTTP %d instead of %d", response.StatusCode, w.Plan.Probes.Status)
	}
	return true, ""
}
