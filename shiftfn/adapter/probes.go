package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// abreast is how many probes run at once.
const abreast = 16

// How much of an answer is read, and how much of that is kept, in bytes.
const (
	largestAnswer = 1 << 20
	keptAnswer    = 16 << 10
)

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

// probe sends the look's number of requests for each of the plan's paths to the candidate, by the preview rule. None is sent
// where the rule, as it is described, would not let them through to the candidate.
func (w *World) probe(ctx context.Context, look rollout.Look, digest string, r *previewRule) (*rollout.Probed, error) {
	value, err := w.previewValue(ctx)
	if err != nil {
		return nil, err
	}
	var probed rollout.Probed
	if probed.Astray, err = w.astray(r, look.Candidate, value); err != nil || probed.Astray != "" {
		return &probed, err
	}
	paths, identity := w.Plan.Probes.Paths, w.Plan.Probes.Identity
	if identity != nil {
		paths = append(slices.Clone(paths), identity.Path)
	}
	var mu sync.Mutex
	var requests sync.WaitGroup
	slots := make(chan struct{}, abreast)
	for range look.Probes {
		for i, path := range paths {
			slots <- struct{}{}
			requests.Go(func() {
				a := w.request(ctx, path, value)
				<-slots
				mu.Lock()
				defer mu.Unlock()
				switch {
				case !a.reached:
					probed.Unsent++
				case a.trouble != "":
					probed.Sent++
					probed.Failed++
				default:
					probed.Sent++
				}
				if probed.Example == "" && a.trouble != "" {
					probed.Example = redact(strings.ReplaceAll("GET "+path+": "+a.trouble, value, "…"))
				}
				if i == len(w.Plan.Probes.Paths) && a.trouble == "" {
					if other := stranger(identity, digest, a.body); other == "" {
						probed.Identified++
					} else if probed.Astray == "" {
						probed.Astray = redact(strings.ReplaceAll(other, value, "…"))
					}
				}
			})
		}
	}
	requests.Wait()
	return &probed, nil
}

// stranger says who gave an answer to the question for its identity; empty when it was the version of the digest.
func stranger(identity *rollout.Identity, digest string, body []byte) string {
	var said map[string]any
	if json.Unmarshal(body, &said) != nil {
		return fmt.Sprintf("GET %s was answered with something else than a JSON object", identity.Path)
	}
	image, _ := said[identity.Field].(string)
	colour, _ := said["colour"].(string)
	if colour != "" {
		colour = " (" + brief(colour) + ")"
	}
	switch {
	case image == "":
		return fmt.Sprintf("GET %s was answered%s without a text in %s", identity.Path, colour, identity.Field)
	case image != digest && !strings.HasSuffix(image, "@"+digest):
		return fmt.Sprintf("GET %s was answered by %s%s, not by %s", identity.Path, brief(image), colour, brief(digest))
	}
	return ""
}

// brief is the end that tells images apart, short enough for a sentence with two of them.
func brief(image string) string {
	image = image[strings.LastIndexByte(image, '@')+1:]
	if runes := []rune(image); len(runes) > 19 {
		return string(runes[:19]) + "…"
	}
	return image
}

// answer is what became of one request. It reached the load balancer when a connection was had; trouble is empty when all was
// well.
type answer struct {
	reached bool
	trouble string
	body    []byte
}

// request sends one probe.
func (w *World) request(ctx context.Context, path, value string) answer {
	limit := time.Duration(w.Plan.Probes.LatencyMs) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var mu sync.Mutex // the connection may come when the request is over already
	reached := false
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
		return answer{trouble: err.Error()}
	}
	request.Header.Set(w.Settings.PreviewHeader, value)
	request.Header.Set("User-Agent", "penguinshop-shiftfn")
	var body []byte
	response, err := w.Clients.HTTP.Do(request)
	if err == nil {
		if body, err = io.ReadAll(io.LimitReader(response.Body, keptAnswer)); err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(response.Body, largestAnswer))
		}
		response.Body.Close()
	}
	switch late := errors.Is(err, context.DeadlineExceeded); {
	case late && connected():
		return answer{reached: true, trouble: fmt.Sprintf("no answer within %d ms", w.Plan.Probes.LatencyMs)}
	case err != nil:
		if trouble := new(url.Error); errors.As(err, &trouble) {
			err = trouble.Err // without the address, which the reader knows
		}
		return answer{reached: connected(), trouble: err.Error()}
	case response.StatusCode != w.Plan.Probes.Status:
		return answer{reached: true, trouble: fmt.Sprintf("HTTP %d instead of %d", response.StatusCode, w.Plan.Probes.Status)}
	}
	return answer{reached: true, body: body}
}
