package elb

import (
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// table is all that a listener needs to route requests, compiled, and never changed once requests can see it.
type table struct {
	suffix     string // of the load balancer's ARN
	attributes attributes
	rules      []compiledRule // by priority
	fallback   action
	headers    responseHeaders
	// proto and port are what X-Forwarded-Proto and X-Forwarded-Port say.
	proto, port []string
}

type compiledRule struct {
	conditions []condition
	action     action
}

// responseHeaders are the headers that a listener sets on every answer, and whether it leaves the Server header in place.
type responseHeaders struct {
	set        map[string][]string
	hideServer bool
}

// compile makes the listener's table. The caller holds the service's lock.
func (s *Service) compile(l *listener, rules []*rule) *table {
	t := &table{
		suffix: Suffix(*l.loadBalancer.LoadBalancerArn), attributes: l.loadBalancer.attributes, headers: l.headers,
		proto: []string{strings.ToLower(string(l.protocol))}, port: []string{strconv.Itoa(l.port)},
		fallback: s.compileAction(l.defaultActions),
	}
	for _, r := range rules {
		_, conditions, _ := readConditions(r.conditions) // they were read when they were accepted
		t.rules = append(t.rules, compiledRule{conditions: conditions, action: s.compileAction(r.actions)})
	}
	return t
}

// route returns the action of the first rule that the request meets, in the order of priority; the default action is last.
func (t *table) route(r *http.Request) action {
next:
	for i := range t.rules {
		for _, met := range t.rules[i].conditions {
			if !met(r) {
				continue next
			}
		}
		return t.rules[i].action
	}
	return t.fallback
}

// mostForwarded is how many addresses AWS takes in X-Forwarded-For:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#http-463-issues
const mostForwarded = 30

// prepare writes into a request what targets learn of its way, before rules are evaluated. It returns false where the
// request has come too far already.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
func (t *table) prepare(r *http.Request) bool {
	header := r.Header
	if t.attributes.dropInvalid {
		for name := range header {
			if !validName(name) {
				delete(header, name)
			}
		}
	}
	forwarded := header["X-Forwarded-For"]
	switch t.attributes.xff {
	case "preserve":
	case "remove":
		delete(header, "X-Forwarded-For")
	default:
		client := t.client(r.RemoteAddr)
		if len(forwarded) > 0 {
			sofar := strings.Join(forwarded, ", ")
			if strings.Count(sofar, ",")+1 > mostForwarded {
				return false
			}
			client = sofar + ", " + client
		}
		header["X-Forwarded-For"] = []string{client}
	}
	header["X-Forwarded-Proto"], header["X-Forwarded-Port"] = t.proto, t.port
	header["X-Amzn-Trace-Id"] = []string{trace(header["X-Amzn-Trace-Id"])}
	if t.attributes.tlsHeaders && r.TLS != nil {
		header["X-Amzn-Tls-Version"] = []string{strings.Replace(tls.VersionName(r.TLS.Version), "TLS 1", "TLSv1", 1)}
		header["X-Amzn-Tls-Cipher-Suite"] = []string{tls.CipherSuiteName(r.TLS.CipherSuite)}
	}
	return true
}

// client is the peer's address as X-Forwarded-For shows it.
func (t *table) client(remote string) string {
	if t.attributes.xffPort {
		return remote
	}
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}

// validName tells whether a header's name has no character but letters, digits and hyphens: others are removed where the
// load balancer drops invalid header fields.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// modify applies the listener's settings to the headers of an answer.
func (t *table) modify(header http.Header) {
	for name, value := range t.headers.set {
		header[name] = value
	}
	if t.headers.hideServer {
		delete(header, "Server")
	}
}
