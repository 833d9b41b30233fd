// Package elb is the sandbox's Elastic Load Balancing v2: application load balancers on loopback that follow the declared
// listeners, rules, weights and health checks, and the API by which they are changed.
//
// Requests never wait for the API: each listener serves from a routing table that is compiled when something changes and
// swapped in one step, so that a request sees either the weights before a change or the weights after it.
//
// Intervals and delays are of the sandbox's clock. What a process needs to do its work is not: a target does not answer
// faster because the sandbox's time does, so response times and timeouts are of the machine's own clock.
package elb

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// Options say what the load balancers need from the world around them.
type Options struct {
	// Clock is the sandbox's time.
	Clock clock.Clock
	// Meter takes what is counted; nil counts nothing.
	Meter Meter
	// Journal takes changes of weights and of health; nil tells nobody.
	Journal *journal.Journal
	// FirstPort is the loopback port that the first listener is served on, the next listener on the next one, and so on.
	// 0 leaves the choice to the machine.
	FirstPort int
	// FixedPorts makes a port in use an error (ErrPortInUse) instead of a reason to take another.
	FixedPorts bool
}

// Service holds the load balancers of one account and region. Its operations have the shape of the SDK's client.
type Service struct {
	options   Options
	authority *authority
	// ctx ends with the service, and with it every health check.
	ctx  context.Context
	stop context.CancelFunc

	mu            sync.Mutex
	loadBalancers map[string]*loadBalancer // by ARN, as all that follow
	listeners     map[string]*listener
	rules         map[string]*rule
	groups        map[string]*group
	aliases       map[string]*loadBalancer // by lower-case name
	nextPort      int
}

// loadBalancer is a declared load balancer. Its fields are guarded by the service's lock, except attributes.
type loadBalancer struct {
	types.LoadBalancer
	stack      string
	attributes attributes
	tags       map[string]string
	protected  bool // against deletion
}

// rule is a rule beside the default one.
type rule struct {
	arn        string
	listener   *listener
	priority   int
	conditions []types.RuleCondition
	actions    []types.Action
	tags       map[string]string
}

// New returns a service without load balancers. Close ends it.
func New(o Options) (*Service, error) {
	authority, err := newAuthority()
	if err != nil {
		return nil, err
	}
	if o.Meter == nil {
		o.Meter = unmetered{}
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Service{
		options: o, authority: authority, ctx: ctx, stop: stop, nextPort: o.FirstPort,
		loadBalancers: map[string]*loadBalancer{}, aliases: map[string]*loadBalancer{}, listeners: map[string]*listener{}, rules: map[string]*rule{}, groups: map[string]*group{},
	}, nil
}

// Close frees the ports, ends every connection and every health check. What is in flight is cut off.
func (s *Service) Close() error {
	s.stop()
	s.mu.Lock()
	listeners, groups := slices.Collect(maps.Values(s.listeners)), slices.Collect(maps.Values(s.groups))
	s.mu.Unlock()
	for _, l := range listeners {
		l.close()
	}
	for _, g := range groups {
		g.close()
	}
	return nil
}

// Suffix is the part of an ARN that CloudWatch's dimensions use: app/NAME/ID of a load balancer, targetgroup/NAME/ID of a
// target group.
func Suffix(arn string) string {
	_, resource, _ := strings.Cut(arn, ":loadbalancer/")
	if resource == "" {
		resource = arn[strings.LastIndex(arn, ":")+1:]
	}
	return resource
}

// rulesOf returns a listener's rules by priority. The caller holds the lock.
func (s *Service) rulesOf(l *listener) []*rule {
	var rules []*rule
	for _, r := range s.rules {
		if r.listener == l {
			rules = append(rules, r)
		}
	}
	slices.SortFunc(rules, func(a, b *rule) int { return a.priority - b.priority })
	return rules
}

// apply makes the present declarations take effect: it compiles the routing tables of the load balancer's listeners and
// starts or ends the use of target groups. The caller holds the lock.
func (s *Service) apply() {
	use := map[*group]*loadBalancer{}
	name := func(l *listener, actions []types.Action) {
		for _, arn := range groupsOf(actions) {
			use[s.groups[arn]] = l.loadBalancer
		}
	}
	for _, l := range s.listeners {
		rules := s.rulesOf(l)
		l.table.Store(s.compile(l, rules))
		name(l, l.defaultActions)
		for _, r := range rules {
			name(l, r.actions)
		}
	}
	for _, g := range s.groups {
		g.useBy(use[g])
	}
}

// tell writes to the journal.
func (s *Service) tell(stack, kind, text string, fields map[string]any) {
	if s.options.Journal != nil {
		s.options.Journal.Add(journal.Entry{Service: "elb", Environment: stack, Kind: kind, Text: text, Fields: fields})
	}
}

// connectTimeout is how long the load balancer tries to reach a target, and bounds a TLS handshake with one:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#http-504-issues
const connectTimeout = 10 * time.Second
