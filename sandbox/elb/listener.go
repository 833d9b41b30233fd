package elb

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// listener serves one declared listener on a loopback port. Its declared fields are guarded by the service's lock; requests
// read the table alone.
type listener struct {
	service        *Service
	loadBalancer   *loadBalancer
	arn            string
	port           int // as declared; what clients believe they connect to
	protocol       types.ProtocolEnum
	certificates   []types.Certificate
	sslPolicy      string
	defaultActions []types.Action
	headers        responseHeaders
	tags           map[string]string

	table  atomic.Pointer[table]
	local  int // the loopback port
	server *http.Server
	// freed is closed when the loopback port is free again.
	freed chan struct{}
}

// listen serves the listener on the given loopback port, or on a free one where that is 0.
func (l *listener) listen(port int) error {
	socket, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%w: 127.0.0.1:%d, wanted for port %d of %s: stop what listens there or choose another first port",
				ErrPortInUse, port, l.port, *l.loadBalancer.LoadBalancerName)
		}
		return fmt.Errorf("listen on 127.0.0.1:%d for port %d of %s: %w", port, l.port, *l.loadBalancer.LoadBalancerName, err)
	}
	l.local = socket.Addr().(*net.TCPAddr).Port
	l.server = &http.Server{
		Handler:           l,
		ReadHeaderTimeout: l.loadBalancer.attributes.idle,
		IdleTimeout:       l.loadBalancer.attributes.idle,
		MaxHeaderBytes:    longestHeaders,
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 alone
		ErrorLog:          log.New(io.Discard, "", 0),                               // clients' mistakes
		ConnState:         l.connection,
	}
	if l.protocol == types.ProtocolEnumHttps {
		l.server.TLSConfig = l.service.authority.server(*l.loadBalancer.DNSName)
		socket = tls.NewListener(socket, l.server.TLSConfig)
	}
	l.freed = make(chan struct{})
	go func() {
		defer close(l.freed)
		_ = l.server.Serve(socket) // ends with http.ErrServerClosed, and closes the socket
	}()
	return nil
}

// longestHeaders is the most that a request's line and headers may weigh together:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#http-400-issues
const longestHeaders = 64 << 10

// close frees the port and ends the connections.
func (l *listener) close() {
	_ = l.server.Close()
	<-l.freed
}

func (l *listener) connection(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		l.service.options.Meter.Connection(Suffix(*l.loadBalancer.LoadBalancerArn), true)
	case http.StateClosed, http.StateHijacked:
		l.service.options.Meter.Connection(Suffix(*l.loadBalancer.LoadBalancerArn), false)
	}
}

// ServeHTTP answers by the first rule whose conditions the request meets.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	table := l.table.Load()
	recorder := &recorder{ResponseWriter: w, listener: l, table: table, count: Request{LoadBalancer: table.suffix}}
	defer recorder.finish()
	if r.Method == http.MethodTrace {
		recorder.own(http.StatusMethodNotAllowed, htmlType, statusPage(http.StatusMethodNotAllowed))
		return
	}
	if !table.prepare(r) {
		recorder.own(statusForwardedTooLong, htmlType, statusPage(statusForwardedTooLong))
		return
	}
	if r.Body != http.NoBody {
		_ = http.NewResponseController(w).EnableFullDuplex() // a target may answer before it has read all; HTTP/1 always can
	}
	table.route(r).serve(l, recorder, r)
}

// attributes are a load balancer's settings that requests feel.
type attributes struct {
	// idle is how long a connection may be silent, of the machine's own time.
	idle        time.Duration
	dropInvalid bool
	xff         string // append, preserve or remove
	xffPort     bool
	tlsHeaders  bool
}
