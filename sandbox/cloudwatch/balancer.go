package cloudwatch

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/penguinshop/delivery/sandbox/elb"
)

// loadBalancerNamespace holds the metrics of application load balancers, with their documented names and dimensions:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
const loadBalancerNamespace = "AWS/ApplicationELB"

// Response times are recorded in microseconds up to an hour, with an error of 0.1 %.
const (
	shortest    = 1
	longest     = int64(time.Hour / time.Microsecond)
	significant = 3
)

// counts are what one counter of requests holds: of a load balancer, or of a target group of it.
type counts struct {
	requests, connectionErrors                     int64
	target, balancer                               [6]int64 // by the hundreds of the status
	internal, badGateway, unavailable, gatewayLate int64    // 500, 502, 503 and 504 of the load balancer
	redirects, fixed                               int64
	times                                          *hdrhistogram.Histogram
}

func newCounts() counts { return counts{times: hdrhistogram.New(shortest, longest, significant)} }

func (c *counts) add(r elb.Request) {
	if r.Target {
		c.requests++
	}
	if r.ConnectionError {
		c.connectionErrors++
	}
	if class := r.Status / 100; class >= 2 && class < len(c.target) {
		if r.FromTarget {
			c.target[class]++
		} else {
			c.balancer[class]++
		}
	}
	if r.FromTarget {
		_ = c.times.RecordValue(min(max(r.ResponseTime.Microseconds(), shortest), longest)) // always in range
		return
	}
	switch r.Status {
	case http.StatusInternalServerError:
		c.internal++
	case http.StatusBadGateway:
		c.badGateway++
	case http.StatusServiceUnavailable:
		c.unavailable++
	case http.StatusGatewayTimeout:
		c.gatewayLate++
	}
	switch r.Kind {
	case elb.Redirect:
		c.redirects++
	case elb.FixedResponse:
		c.fixed++
	}
}

func (c *counts) reset() {
	times := c.times
	if times.TotalCount() > 0 { // it is large, and most slots of a quiet environment are empty
		times.Reset()
	}
	*c = counts{times: times}
}

// responseTimes are the recorded times in seconds.
func (c *counts) responseTimes() samples {
	s := samples{count: float64(c.times.TotalCount())}
	if s.count == 0 {
		return s
	}
	for _, b := range c.times.Distribution() {
		if b.Count > 0 {
			value := float64(b.To) / 1e6
			s.bars = append(s.bars, bar{value, float64(b.Count)})
			s.sum += value * float64(b.Count)
		}
	}
	s.min, s.max = float64(c.times.Min())/1e6, float64(c.times.Max())/1e6
	return s
}

// balancerCounts are what a load balancer counts in the present period, over all of its target groups.
type balancerCounts struct {
	mu     sync.Mutex
	period counts
	opened int64
	open   int64
	most   int64 // connections open at once in the period
}

type groupKey struct{ loadBalancer, group string }

// groupCounts are what one target group counts in the present period and in the present slot of the live view.
type groupCounts struct {
	mu           sync.Mutex
	period, slot counts
	hosts        hosts
	live         []Point // oldest first
}

// hosts is the number of targets: now, nil while no listener names the group, and how it was in the present period.
type hosts struct {
	now                *elb.HostCount
	healthy, unhealthy samples
}

// meter counts for the load balancers.
type meter struct{ *Service }

// Meter is where the load balancers count.
func (s *Service) Meter() elb.Meter { return meter{s} }

func (m meter) Request(r elb.Request) {
	m.catchUp(m.options.Clock.Now())
	balancer := m.balancer(r.LoadBalancer)
	balancer.mu.Lock()
	balancer.period.add(r)
	balancer.mu.Unlock()
	if r.TargetGroup == "" {
		return
	}
	group := m.group(groupKey{r.LoadBalancer, r.TargetGroup})
	group.mu.Lock()
	group.period.add(r)
	group.slot.add(r)
	group.mu.Unlock()
}

func (m meter) Connection(loadBalancer string, opened bool) {
	m.catchUp(m.options.Clock.Now())
	b := m.balancer(loadBalancer)
	b.mu.Lock()
	defer b.mu.Unlock()
	if opened {
		b.opened++
		b.open++
		b.most = max(b.most, b.open)
		return
	}
	b.open--
}

func (m meter) Hosts(loadBalancer, group string, count *elb.HostCount) {
	m.catchUp(m.options.Clock.Now())
	g := m.group(groupKey{loadBalancer, group})
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hosts.now = count; count == nil {
		g.hosts = hosts{}
		return
	}
	g.hosts.see()
}

// see takes the present numbers as a sample of the period.
func (h *hosts) see() {
	h.healthy = h.healthy.add(measured(float64(h.now.Healthy)))
	h.unhealthy = h.unhealthy.add(measured(float64(h.now.Unhealthy)))
}

func (s *Service) balancer(suffix string) *balancerCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.balancers[suffix]
	if b == nil {
		b = &balancerCounts{period: newCounts()}
		s.balancers[suffix] = b
	}
	return b
}

func (s *Service) group(key groupKey) *groupCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[key]
	if g == nil {
		g = &groupCounts{period: newCounts(), slot: newCounts()}
		s.groups[key] = g
	}
	return g
}

// closePeriod turns what was counted in the period that began at start into data points. The caller holds the lock.
func (s *Service) closePeriod(start time.Time) {
	for suffix, b := range s.balancers {
		b.mu.Lock()
		of := []types.Dimension{dimension("LoadBalancer", suffix)}
		s.counters(start, &b.period, of)
		s.own(start, &b.period, of)
		s.counter(start, "NewConnectionCount", b.opened, of)
		s.counter(start, "ActiveConnectionCount", b.most, of)
		b.period.reset()
		b.opened, b.most = 0, b.open
		b.mu.Unlock()
	}
	for key, g := range s.groups {
		g.mu.Lock()
		of := []types.Dimension{dimension("LoadBalancer", key.loadBalancer), dimension("TargetGroup", key.group)}
		s.counters(start, &g.period, of)
		if now := g.hosts.now; now != nil {
			s.store.add(newKey(loadBalancerNamespace, "HealthyHostCount", of...), start, g.hosts.healthy)
			s.store.add(newKey(loadBalancerNamespace, "UnHealthyHostCount", of...), start, g.hosts.unhealthy)
			if g.period.requests > 0 && now.Healthy > 0 {
				each := measured(float64(g.period.requests) / float64(now.Healthy))
				s.store.add(newKey(loadBalancerNamespace, "RequestCountPerTarget", of...), start, each)
				s.store.add(newKey(loadBalancerNamespace, "RequestCountPerTarget", of[1]), start, each)
			}
			g.hosts = hosts{now: now}
			g.hosts.see()
		}
		g.period.reset()
		g.mu.Unlock()
	}
}

// counters writes the metrics that a load balancer has for itself and for each of its target groups.
func (s *Service) counters(start time.Time, c *counts, of []types.Dimension) {
	s.counter(start, "RequestCount", c.requests, of)
	s.counter(start, "TargetConnectionErrorCount", c.connectionErrors, of)
	for class := 2; class < len(c.target); class++ {
		s.counter(start, fmt.Sprintf("HTTPCode_Target_%dXX_Count", class), c.target[class], of)
	}
	if times := c.responseTimes(); times.count > 0 {
		s.store.add(newKey(loadBalancerNamespace, "TargetResponseTime", of...), start, times)
	}
}

// own writes the metrics of answers that the load balancer made itself.
func (s *Service) own(start time.Time, c *counts, of []types.Dimension) {
	for class := 3; class < len(c.balancer); class++ {
		s.counter(start, fmt.Sprintf("HTTPCode_ELB_%dXX_Count", class), c.balancer[class], of)
	}
	for status, n := range map[int]int64{500: c.internal, 502: c.badGateway, 503: c.unavailable, 504: c.gatewayLate} {
		s.counter(start, fmt.Sprintf("HTTPCode_ELB_%d_Count", status), n, of)
	}
	s.counter(start, "HTTP_Redirect_Count", c.redirects, of)
	s.counter(start, "HTTP_Fixed_Response_Count", c.fixed, of)
}

// counter writes a count that is not zero: load balancers report no zeros.
func (s *Service) counter(start time.Time, name string, n int64, of []types.Dimension) {
	if n > 0 {
		s.store.add(newKey(loadBalancerNamespace, name, of...), start, sum(n))
	}
}

func dimension(name, value string) types.Dimension {
	return types.Dimension{Name: &name, Value: &value}
}

// Point is one slot of a target group's live view.
type Point struct {
	// Time is the end of the slot, of the sandbox's clock.
	Time time.Time `json:"time"`
	// Requests were sent to the group; Errors are those that failed: 5xx of a target or of the load balancer for it.
	Requests int64 `json:"requests"`
	Errors   int64 `json:"errors"`
	// P50 and P99 are response times in milliseconds of the machine's own time, 0 without an answer.
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	// Healthy and Unhealthy are the numbers of targets at the end of the slot.
	Healthy   int `json:"healthy"`
	Unhealthy int `json:"unhealthy"`
}

// points is how many slots the live view holds.
const points = 600

// closeSlot ends the present slot of every target group. The caller holds the lock.
func (s *Service) closeSlot(end time.Time) {
	for _, g := range s.groups {
		g.mu.Lock()
		c := &g.slot
		p := Point{Time: end, Errors: c.target[5] + c.balancer[5]}
		if now := g.hosts.now; now != nil {
			p.Healthy, p.Unhealthy = now.Healthy, now.Unhealthy
		}
		for class := range c.target {
			p.Requests += c.target[class] + c.balancer[class]
		}
		if c.times.TotalCount() > 0 {
			p.P50, p.P99 = float64(c.times.ValueAtPercentile(50))/1e3, float64(c.times.ValueAtPercentile(99))/1e3
		}
		c.reset()
		if g.live = append(g.live, p); len(g.live) >= 2*points { // seldom, since all that stay are moved
			g.live = slices.Delete(g.live, 0, len(g.live)-points)
		}
		g.mu.Unlock()
	}
}

// Series returns a target group's newest slots that have ended, oldest first, at most last of them. The group is named by its
// ARN or the suffix of it.
func (s *Service) Series(targetGroup string, last int) []Point {
	s.catchUp(s.options.Clock.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, g := range s.groups {
		if key.group == elb.Suffix(targetGroup) {
			g.mu.Lock()
			defer g.mu.Unlock()
			return slices.Clone(g.live[max(0, len(g.live)-min(last, points)):])
		}
	}
	return nil
}
