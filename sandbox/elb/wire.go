package elb

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"syscall"
	"time"
)

// wire is a connection to a target that one request at a time is written to and answered on, by the goroutine that serves it.
// http.Transport hands each request to two goroutines of its connection, which costs a busy load balancer a third of its
// time. Its job here is small: requests without a body that may be repeated. All others take the target's Transport.
type wire struct {
	*connection
	reader *bufio.Reader
	writer *bufio.Writer
	since  time.Time // when it came to rest
}

// wires are a target's connections at rest, the one used last on top.
type wires struct {
	mu   sync.Mutex
	rest []*wire
}

// restless is how long a connection may rest and be used again: targets that end idle connections wait longer.
const restless = time.Second

// take returns the connection used last, nil where none is fresh. Stale ones are ended.
func (ws *wires) take() *wire {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	n := len(ws.rest)
	if n == 0 {
		return nil
	}
	if time.Since(ws.rest[n-1].since) > restless { // and so are all below
		ws.endAll()
		return nil
	}
	w := ws.rest[n-1]
	ws.rest = ws.rest[:n-1]
	return w
}

// put lays a connection to rest and ends the one at the bottom where that has become stale.
func (ws *wires) put(w *wire) {
	w.since = time.Now()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.rest = append(ws.rest, w)
	if bottom := ws.rest[0]; w.since.Sub(bottom.since) > restless {
		_ = bottom.Close()
		ws.rest = ws.rest[1:]
	}
}

// close ends all connections at rest.
func (ws *wires) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.endAll()
}

func (ws *wires) endAll() {
	for _, w := range ws.rest {
		_ = w.Close()
	}
	ws.rest = nil
}

// RoundTrip sends a request to the target by the shortest way that can carry it.
func (t *target) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "http" || r.Body != nil && r.Body != http.NoBody || r.Header["Upgrade"] != nil || r.Header["Expect"] != nil ||
		r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions {
		return t.pool.RoundTrip(r)
	}
	for {
		w := t.wires.take()
		used := w != nil
		if !used {
			conn, err := t.dial(r.Context(), "tcp", t.address)
			if err != nil {
				return nil, err
			}
			w = &wire{connection: conn.(*connection), reader: bufio.NewReader(conn), writer: bufio.NewWriter(conn)}
		}
		answer, err := w.exchange(r)
		if err == nil {
			return answer, nil
		}
		_ = w.Close()
		// A target may have ended a connection at rest just before the request came to it. Repeating is safe, as nothing was
		// answered and the method is idempotent.
		if !used || r.Context().Err() != nil || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			return nil, err
		}
	}
}

// exchange writes the request and reads the answer's head. The connection comes to rest when the body has been read.
func (w *wire) exchange(r *http.Request) (*http.Response, error) {
	left := context.AfterFunc(r.Context(), func() { _ = w.Conn.Close() })
	w.write(r)
	if err := w.writer.Flush(); err != nil {
		left()
		return nil, err
	}
	if _, err := w.reader.Peek(1); err != nil {
		left()
		return nil, err
	}
	for {
		answer, err := http.ReadResponse(w.reader, r)
		if err != nil {
			left()
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errMalformed // something was answered, so that the request must not be repeated
			}
			return nil, err
		}
		if answer.StatusCode >= http.StatusOK {
			body := &body{wire: w, left: left, keep: !answer.Close, ReadCloser: answer.Body}
			if answer.Body == http.NoBody {
				body.end(true)
			} else {
				answer.Body = body
			}
			return answer, nil
		}
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(answer.StatusCode, textproto.MIMEHeader(answer.Header)); err != nil {
				left()
				return nil, err
			}
		}
	}
}

var errMalformed = errors.New("the target ended the connection in the middle of its answer's head")

// write puts the request's head into the buffer. What it holds was parsed from a request, so that nothing has to be escaped.
func (w *wire) write(r *http.Request) {
	b := w.writer
	uri := r.RequestURI // as the client sent it
	if !strings.HasPrefix(uri, "/") {
		uri = r.URL.RequestURI()
	}
	for _, text := range [...]string{r.Method, " ", uri, " HTTP/1.1\r\nHost: ", r.Host, "\r\n"} {
		_, _ = b.WriteString(text) // an error stays until Flush
	}
	for name, values := range r.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
			continue // of the message, not of the request
		case "User-Agent":
			if len(values) == 1 && values[0] == "" {
				continue // the reverse proxy's way of asking for none
			}
		}
		for _, value := range values {
			_, _ = b.WriteString(name)
			_, _ = b.WriteString(": ")
			_, _ = b.WriteString(value)
			_, _ = b.WriteString("\r\n")
		}
	}
	_, _ = b.WriteString("\r\n")
}

// body is an answer's body. Reading it to its end lays the connection to rest; anything else ends the connection.
type body struct {
	io.ReadCloser
	wire  *wire
	left  func() bool // stops waiting for the client to leave; false where it has left already
	keep  bool
	ended bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end(errors.Is(err, io.EOF))
	}
	return n, err
}

func (b *body) Close() error {
	b.end(false)
	return nil
}

func (b *body) end(whole bool) {
	if b.ended {
		return
	}
	b.ended = true
	if b.left() && whole && b.keep && b.wire.reader.Buffered() == 0 {
		b.wire.target.wires.put(b.wire)
		return
	}
	_ = b.wire.Close()
}
