package elb

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// recorder passes an answer on and notes what the meter needs to know of it.
type recorder struct {
	http.ResponseWriter
	listener *listener
	table    *table
	count    Request
	// sent is when the request went to its target; zero where the load balancer answers.
	sent    time.Time
	wrote   bool
	counted bool
}

var (
	htmlType     = []string{"text/html"}
	serverHeader = []string{"awselb/2.0"}
)

// Unwrap lets http.ResponseController reach the connection, for flushing.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the final status. Interim ones (1xx) pass by.
func (w *recorder) WriteHeader(status int) {
	if !w.wrote && status >= http.StatusOK {
		w.wrote = true
		w.note(status)
		header := w.Header()
		if _, given := header["Content-Type"]; !given {
			header["Content-Type"] = nil // net/http guesses none then
		}
		w.table.modify(header)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Hijack hands over the connection after a target has agreed to another protocol. The request counts from then on, since
// nobody knows how long the conversation lasts.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.wrote = true
		w.note(http.StatusSwitchingProtocols)
		w.finish()
	}
	return conn, buffered, err
}

func (w *recorder) note(status int) {
	w.count.Status = status
	if !w.sent.IsZero() {
		w.count.FromTarget, w.count.ResponseTime = true, time.Since(w.sent)
	}
}

// own answers in the load balancer's own name.
func (w *recorder) own(status int, contentType []string, body []byte) {
	w.sent = time.Time{}
	header := w.Header()
	header["Server"], header["Content-Type"] = serverHeader, contentType
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// gaveUp notes that the client went away before there was an answer. AWS logs such requests with the status 460.
func (w *recorder) gaveUp() { w.count.Status = statusClientClosed }

const (
	statusClientClosed = 460
	// statusForwardedTooLong answers an X-Forwarded-For header with more addresses than AWS takes.
	statusForwardedTooLong = 463
)

// finish hands the request to the meter, once.
func (w *recorder) finish() {
	if !w.counted {
		w.counted = true
		w.listener.service.options.Meter.Request(w.count)
	}
}

// statusPage is the short page with which the load balancer explains a status of its own.
func statusPage(status int) []byte {
	title := strconv.Itoa(status)
	if text := map[int]string{
		http.StatusServiceUnavailable: "Service Temporarily Unavailable", http.StatusGatewayTimeout: "Gateway Time-out",
	}[status]; text != "" {
		title += " " + text
	} else if text := http.StatusText(status); text != "" {
		title += " " + text
	}
	return fmt.Appendf(nil, "<html>\r\n<head><title>%[1]s</title></head>\r\n<body>\r\n<center><h1>%[1]s</h1></center>\r\n</body>\r\n</html>\r\n", title)
}
