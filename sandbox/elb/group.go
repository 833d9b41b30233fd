package elb

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// group is a target group with its targets.
type group struct {
	service     *Service
	arn, suffix string
	stack       string

	routes atomic.Pointer[routes]
	next   atomic.Uint64

	mu        sync.Mutex
	declared  types.TargetGroup
	check     healthCheck
	delay     time.Duration // deregistration delay
	algorithm string
	tags      map[string]string
	user      *loadBalancer // whose listeners name the group; nil while it is unused
	silence   time.Duration // the user's idle timeout
	targets   []*target     // registered and draining ones
	hosts     HostCount     // what the meter knows
}

// routes are the targets that requests go to: the healthy ones, or all registered ones where none is healthy.
type routes struct {
	targets   []*target
	algorithm string
	next      *atomic.Uint64 // the group's, so that its turns go on when the targets change
}

// The load balancing algorithms:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#modify-routing-algorithm
const (
	roundRobin       = "round_robin"
	leastOutstanding = "least_outstanding_requests"
	weightedRandom   = "weighted_random"
)

// acquire chooses a target and counts a request in flight on it; nil where none is registered. release gives it back.
func (g *group) acquire() *target {
	for {
		routes := g.routes.Load()
		if routes == nil || len(routes.targets) == 0 {
			return nil
		}
		t := routes.choose()
		t.inFlight.Add(1)
		if !t.draining.Load() {
			return t
		}
		t.release() // it began to drain between the two lines above: choose again
	}
}

func (r *routes) choose() *target {
	switch r.algorithm {
	case leastOutstanding:
		return slices.MinFunc(r.targets, func(a, b *target) int { return cmp.Compare(a.inFlight.Load(), b.inFlight.Load()) })
	case weightedRandom:
		return r.targets[rand.IntN(len(r.targets))]
	default:
		return r.targets[(r.next.Add(1)-1)%uint64(len(r.targets))]
	}
}

func (g *group) loadBalancer() *loadBalancer {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.user
}

// idle is how long a connection to a target may be silent.
func (g *group) idle() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.silence
}

// defaultIdle is the idle timeout of a load balancer that declares none.
const defaultIdle = 60 * time.Second

func (g *group) scheme() string {
	if g != nil && g.declared.Protocol == types.ProtocolEnumHttps {
		return "https"
	}
	return "http"
}

// useBy makes the group serve a load balancer, or nobody. The caller holds the service's lock.
func (g *group) useBy(user *loadBalancer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if user != nil {
		g.silence = user.attributes.idle
	}
	if g.user == user {
		return
	}
	before := g.user
	g.user = user
	for _, t := range g.targets {
		switch {
		case t.draining.Load():
		case user == nil:
			t.unwatch()
			g.become(t, unused())
		case before == nil:
			g.watch(t)
		}
	}
	if user == nil {
		g.service.options.Meter.Hosts(Suffix(*before.LoadBalancerArn), g.suffix, nil)
		return
	}
	g.report(true)
}

// register adds a target, or takes one back that is draining. The caller holds no lock.
func (g *group) register(id string, port int32, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := g.index(id, port); i >= 0 {
		if known := g.targets[i]; !known.draining.Load() && known.address == address {
			return // registering again changes nothing
		}
		g.remove(g.targets[i])
	}
	t := newTarget(g, id, port, address)
	g.targets = append(g.targets, t)
	if g.user == nil {
		g.become(t, unused())
		return
	}
	g.watch(t)
}

// watch begins the health checks of a target.
func (g *group) watch(t *target) {
	g.become(t, registering())
	ctx, stop := context.WithCancel(g.service.ctx)
	t.stop = stop
	go g.checkHealth(ctx, t)
}

func (t *target) unwatch() {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
}

// checkHealth checks a target at once and then once an interval. A check that takes longer than that delays the next one.
func (g *group) checkHealth(ctx context.Context, t *target) {
	clock := g.service.options.Clock
	g.mu.Lock()
	check := g.check
	if ctx.Err() == nil {
		g.become(t, checking())
	}
	g.mu.Unlock()
	ticker := clock.NewTicker(check.interval)
	defer func() { ticker.Stop() }()
	host := net.JoinHostPort(t.id, strconv.Itoa(int(t.port)))
	for {
		v := check.probe(ctx, t.address, host)
		g.mu.Lock()
		if ctx.Err() != nil {
			g.mu.Unlock()
			return
		}
		g.become(t, t.health.judge(v, check))
		changed := check.interval != g.check.interval
		check = g.check
		g.mu.Unlock()
		if changed {
			ticker.Stop()
			ticker = clock.NewTicker(check.interval)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.Chan():
		}
	}
}

// become gives a target its health and routes by it. The caller holds the group's lock.
func (g *group) become(t *target, h health) {
	before := t.health
	t.health = h
	g.route()
	if before.state == h.state {
		return
	}
	g.report(false)
	if !slices.Contains(g.targets, t) || before.state == "" && h.state == types.TargetHealthStateEnumUnused {
		return
	}
	text := fmt.Sprintf("target %s of %s is %s", t.id, aws.ToString(g.declared.TargetGroupName), h.state)
	if h.state == types.TargetHealthStateEnumUnhealthy {
		text += ": " + h.description
	}
	g.service.tell(g.stack, "health", text, map[string]any{
		"targetGroup": g.arn, "target": t.id, "port": t.port, "state": string(h.state), "reason": string(h.reason),
	})
}

// route chooses the targets that requests go to. With no healthy target it fails open to every registered one:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
func (g *group) route() {
	var healthy, registered []*target
	for _, t := range g.targets {
		switch t.health.state {
		case types.TargetHealthStateEnumHealthy:
			healthy = append(healthy, t)
			registered = append(registered, t)
		case types.TargetHealthStateEnumInitial, types.TargetHealthStateEnumUnhealthy:
			registered = append(registered, t)
		}
	}
	if len(healthy) == 0 {
		healthy = registered
	}
	g.routes.Store(&routes{targets: healthy, algorithm: g.algorithm, next: &g.next})
}

// report tells the meter the counts where they changed, or in any case.
func (g *group) report(always bool) {
	if g.user == nil {
		return
	}
	var count HostCount
	for _, t := range g.targets {
		switch t.health.state {
		case types.TargetHealthStateEnumHealthy:
			count.Healthy++
		case types.TargetHealthStateEnumUnhealthy:
			count.Unhealthy++
		}
	}
	if always || count != g.hosts {
		g.hosts = count
		g.service.options.Meter.Hosts(Suffix(*g.user.LoadBalancerArn), g.suffix, &count)
	}
}

// deregister takes a target out of service. Requests in flight may end within the deregistration delay, of the machine's own
// time; the API shows the target as draining until the delay is over on the sandbox's clock, even when nothing is in flight.
// The channel is closed when the last request has ended or was cut off. Nil says that the target is not registered.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#deregistration-delay
func (g *group) deregister(id string, port int32) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.index(id, port)
	if i < 0 {
		return nil
	}
	t := g.targets[i]
	if t.draining.Load() {
		return t.drained
	}
	t.unwatch()
	used := g.user != nil
	g.become(t, deregistering())
	t.draining.Store(true)
	if t.inFlight.Load() == 0 {
		t.complete()
	}
	if !used { // no load balancer has to let go of it
		t.complete()
		g.remove(t)
		return t.drained
	}
	overdue := time.AfterFunc(g.delay, func() {
		t.cut()
		t.complete()
	})
	timer := g.service.options.Clock.AfterFunc(g.delay, func() {
		g.mu.Lock()
		t.expired = true
		g.mu.Unlock()
		g.forget(t)
	})
	go func() {
		defer overdue.Stop()
		select {
		case <-t.drained:
			t.rest()
			g.forget(t)
		case <-g.service.ctx.Done():
			timer.Stop()
		}
	}()
	return t.drained
}

// forget removes a draining target when nothing is in flight and its delay is over.
func (g *group) forget(t *target) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-t.drained:
		if t.expired {
			g.remove(t)
		}
	default:
	}
}

// remove takes a target from the list at once. The caller holds the group's lock.
func (g *group) remove(t *target) {
	t.unwatch()
	t.draining.Store(true)
	g.targets = slices.DeleteFunc(g.targets, func(other *target) bool { return other == t })
	g.route()
	g.report(false)
}

// addresses are where the registered targets are reached, sorted.
func (g *group) addresses() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var registered []string
	for _, t := range g.targets {
		if !t.draining.Load() {
			registered = append(registered, t.address)
		}
	}
	slices.Sort(registered)
	return registered
}

// close ends the health checks and the connections of all targets.
func (g *group) close() {
	g.mu.Lock()
	targets := slices.Clone(g.targets)
	for _, t := range targets {
		g.remove(t)
	}
	g.mu.Unlock()
	for _, t := range targets {
		t.cut()
		t.rest()
		t.complete()
	}
}

func (g *group) index(id string, port int32) int {
	return slices.IndexFunc(g.targets, func(t *target) bool { return t.id == id && t.port == port })
}
