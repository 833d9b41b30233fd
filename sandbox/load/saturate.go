package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Capacity is how much an address answered.
type Capacity struct {
	Requests int
	// PerSecond is requests a second, P50 and P99 are latencies.
	PerSecond float64
	P50, P99  time.Duration
}

// Saturate asks an address over so many connections, each time as soon as the last answer is there, for as long as given. The
// client does as little as it can, so that what is measured is whoever answers: an answer needs a Content-Length and the status 200.
func Saturate(ctx context.Context, address, path string, connections int, lasting time.Duration) (Capacity, error) {
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n", path, address)
	ctx, cancel := context.WithTimeout(ctx, lasting)
	defer cancel()
	var mu sync.Mutex
	var problems []error
	times := hdrhistogram.New(1, longest, 3)
	began := time.Now()
	var clients sync.WaitGroup
	for range connections {
		clients.Go(func() {
			mine, err := asks(ctx, address, request)
			mu.Lock()
			defer mu.Unlock()
			times.Merge(mine)
			problems = append(problems, err)
		})
	}
	clients.Wait()
	took := time.Since(began)
	at := func(quantile float64) time.Duration {
		return time.Duration(times.ValueAtQuantile(quantile)) * time.Microsecond
	}
	return Capacity{int(times.TotalCount()), float64(times.TotalCount()) / took.Seconds(), at(50), at(99)}, errors.Join(problems...)
}

// asks repeats a request on one connection until ctx ends, and returns the latencies in microseconds.
func asks(ctx context.Context, address string, request []byte) (*hdrhistogram.Histogram, error) {
	times := hdrhistogram.New(1, longest, 3)
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return times, err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for ctx.Err() == nil {
		began := time.Now()
		if _, err := conn.Write(request); err != nil {
			return times, err
		}
		if err := readAnswer(answers); err != nil {
			return times, err
		}
		_ = times.RecordValue(min(max(time.Since(began).Microseconds(), 1), longest)) // the bound is the only error that there is
	}
	return times, nil
}

// readAnswer reads one answer with a Content-Length and refuses any status but 200.
func readAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(line), "HTTP/1.1 200") {
		return fmt.Errorf("answered %q", strings.TrimSpace(string(line)))
	}
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		name, value, _ := strings.Cut(string(line), ":")
		if http.CanonicalHeaderKey(name) == "Content-Length" {
			if _, err := fmt.Sscan(value, &length); err != nil {
				return fmt.Errorf("answered a Content-Length of %q", strings.TrimSpace(value))
			}
		}
	}
	if length < 0 {
		return errors.New("answered without a Content-Length")
	}
	_, err = r.Discard(length)
	return err
}
