package elb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// portsTried is how many ports after the preferred one are tried before any free one is taken.
const portsTried = 100

// open serves a new listener on the next port. The caller holds the lock.
func (s *Service) open(l *listener) error {
	if s.options.FirstPort == 0 {
		return l.listen(0)
	}
	if s.options.FixedPorts {
		err := l.listen(s.nextPort)
		if err == nil {
			s.nextPort++
		}
		return err
	}
	for last := s.nextPort + portsTried; s.nextPort < last && s.nextPort <= 65535; {
		s.nextPort++
		if err := l.listen(s.nextPort - 1); !errors.Is(err, ErrPortInUse) {
			return err
		}
	}
	return l.listen(0)
}

// Address returns the loopback address, 127.0.0.1:N, on which the load balancer's listener of the declared port is served.
// It is empty where there is none.
func (s *Service) Address(loadBalancerARN string, port int) string {
	s.mu.Lock()
	lb := s.loadBalancers[loadBalancerARN]
	s.mu.Unlock()
	if local, ok := s.localPort(lb, port); ok {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(local))
	}
	return ""
}

func (s *Service) localPort(lb *loadBalancer, port int) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		if l.loadBalancer == lb && l.port == port {
			return l.local, true
		}
	}
	return 0, false
}

// Targets returns the addresses at which this machine reaches the registered targets of a group, sorted; none for a group that
// there is not.
func (s *Service) Targets(targetGroupARN string) []string {
	s.mu.Lock()
	g := s.groups[targetGroupARN]
	s.mu.Unlock()
	if g == nil {
		return nil
	}
	return g.addresses()
}

// DialContext connects to a load balancer by its DNS name and declared port. Other addresses are refused: nothing that uses
// it can leave the sandbox.
func (s *Service) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("the port of %s: %w", address, err)
	}
	named, names := s.named(host)
	if named == nil {
		return nil, fmt.Errorf("%s is not the name of a load balancer in the sandbox: there are %s", host, strings.Join(names, ", "))
	}
	local, ok := s.localPort(named, number)
	if !ok {
		return nil, fmt.Errorf("the load balancer %s has no listener on port %d", host, number)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(local)))
}

// named finds a load balancer by its DNS name or an alias of it, and returns all names, sorted.
func (s *Service) named(host string) (*loadBalancer, []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byName := maps.Clone(s.aliases)
	for _, lb := range s.loadBalancers {
		byName[strings.ToLower(aws.ToString(lb.DNSName))] = lb
	}
	return byName[strings.ToLower(host)], slices.Sorted(maps.Keys(byName))
}

// Alias gives a load balancer one more name, as a DNS record would: the domain that an environment's users know.
func (s *Service) Alias(name, loadBalancerARN string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	lb := s.loadBalancers[loadBalancerARN]
	if lb == nil {
		return loadBalancerNotFound()
	}
	s.aliases[strings.ToLower(name)] = lb
	return nil
}

// Client returns an HTTP client for which the load balancers' DNS names resolve, and no other names. It trusts the
// certificates of their HTTPS listeners. Its idle connections are the caller's to close.
func (s *Service) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: s.DialContext, TLSClientConfig: s.authority.client(), MaxIdleConnsPerHost: 256, IdleConnTimeout: pooled,
	}}
}
