package elb

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// target is one registered target and the connections to it.
type target struct {
	group *group
	// id and port are what the API calls the target; address is where it is reached.
	id      string
	port    int32
	address string

	inFlight atomic.Int64
	draining atomic.Bool
	drained  chan struct{}
	complete func() // closes drained, once
	proxy    *httputil.ReverseProxy
	wires    wires
	pool     *http.Transport

	connections struct {
		sync.Mutex
		open map[*connection]struct{}
	}

	// The rest is guarded by the group's lock.
	health health
	// stop ends the health checks; nil while there are none.
	stop context.CancelFunc
	// expired says that the deregistration delay of a draining target is over.
	expired bool
}

func newTarget(g *group, id string, port int32, address string) *target {
	t := &target{group: g, id: id, port: port, address: address, drained: make(chan struct{})}
	t.complete = sync.OnceFunc(func() { close(t.drained) })
	t.connections.open = map[*connection]struct{}{}
	t.pool = &http.Transport{
		DialContext:           t.dial,
		TLSClientConfig:       unverified,
		TLSHandshakeTimeout:   connectTimeout,
		TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1 alone
		MaxIdleConnsPerHost:   1 << 16,
		IdleConnTimeout:       pooled,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
	}
	to := url.URL{Scheme: g.scheme(), Host: address}
	t.proxy = &httputil.ReverseProxy{
		Transport:  t,
		BufferPool: buffers,
		ErrorLog:   log.New(io.Discard, "", 0), // what went wrong is counted and answered
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = to.Scheme, to.Host
			p.Out.URL.RawQuery = p.In.URL.RawQuery // as sent, even where it does not parse
			for _, name := range [...]string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Host", "Forwarded"} {
				if value := p.In.Header[name]; value != nil {
					p.Out.Header[name] = value
				}
			}
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) { fail(w.(*recorder), r, err) },
	}
	return t
}

// unverified takes any certificate of a target, as AWS does:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-group-routing-configuration
var unverified = &tls.Config{InsecureSkipVerify: true}

// serve passes a request on and its answer back.
func (t *target) serve(w *recorder, r *http.Request) {
	w.sent = time.Now()
	t.proxy.ServeHTTP(w, r)
}

// fail answers for a target that did not.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#http-502-issues
func fail(w *recorder, r *http.Request, err error) {
	if r.Context().Err() != nil {
		w.gaveUp()
		return
	}
	var operation *net.OpError
	w.count.ConnectionError = errors.As(err, &operation) && operation.Op == "dial"
	status := http.StatusBadGateway
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		status = http.StatusGatewayTimeout
	}
	w.own(status, htmlType, statusPage(status))
}

// release ends what acquire began.
func (t *target) release() {
	if t.inFlight.Add(-1) == 0 && t.draining.Load() {
		t.complete()
	}
}

// dial connects to the target. The connection ends when it is silent for the load balancer's idle timeout.
func (t *target) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: connectTimeout}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn, target: t, idle: t.group.idle()}
	t.connections.Lock()
	defer t.connections.Unlock()
	t.connections.open[c] = struct{}{}
	return c, nil
}

// rest ends the connections on which nothing is in flight.
func (t *target) rest() {
	t.wires.close()
	t.pool.CloseIdleConnections()
}

// cut ends every connection, with what is in flight on it.
func (t *target) cut() {
	t.connections.Lock()
	open := t.connections.open
	t.connections.open = map[*connection]struct{}{}
	t.connections.Unlock()
	for c := range open {
		_ = c.Conn.Close()
	}
}

// connection is one connection to a target. Traffic in either direction keeps it alive.
type connection struct {
	net.Conn
	target *target
	idle   time.Duration
}

func (c *connection) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *connection) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *connection) Close() error {
	c.target.connections.Lock()
	delete(c.target.connections.open, c)
	c.target.connections.Unlock()
	return c.Conn.Close()
}

// CloseWrite passes on the end of one direction of an upgraded connection.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// bufferPool lends the buffers that bodies are copied through.
type bufferPool struct{ sync.Pool }

var buffers = &bufferPool{sync.Pool{New: func() any { return new([32 << 10]byte) }}}

func (p *bufferPool) Get() []byte  { return p.Pool.Get().(*[32 << 10]byte)[:] }
func (p *bufferPool) Put(b []byte) { p.Pool.Put((*[32 << 10]byte)(b)) }

// description is the target as the API shows it.
func (t *target) description() *types.TargetDescription {
	return &types.TargetDescription{Id: new(t.id), Port: new(t.port)}
}

// pooled is how long a connection waits for its next request. It is below the idle timeout that load balancers have by
// default (60 s), so that no request is sent on a connection at the moment in which that ends it.
const pooled = 30 * time.Second
