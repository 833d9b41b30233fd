package elb

import "time"

// Meter takes what the load balancers count. Load balancers and target groups are named by the suffixes of their ARNs, as in
// CloudWatch's dimensions. Its methods are called from many goroutines, Request once for every request: they must be quick.
type Meter interface {
	// Request tells of one request that was answered or given up.
	Request(Request)
	// Connection tells that a client has opened (or closed) a connection.
	Connection(loadBalancer string, opened bool)
	// Hosts tells how many targets a group has, whenever that changes; nil when no listener names the group any more.
	Hosts(loadBalancer, targetGroup string, count *HostCount)
}

// HostCount is how many registered targets of a group are healthy and unhealthy. Those in another state (initial, draining)
// count in neither.
type HostCount struct{ Healthy, Unhealthy int }

// Request is what became of one request.
type Request struct {
	LoadBalancer string
	// TargetGroup is empty when none was chosen: a redirect, a fixed response, a malformed request.
	TargetGroup string
	// Target is false when no target could be chosen, so that the request does not count in RequestCount.
	Target bool
	// Status is what the client got.
	Status int
	// FromTarget says that the target made the answer, rather than the load balancer.
	FromTarget bool
	// ConnectionError says that no connection to the target could be made.
	ConnectionError bool
	// ResponseTime is how long the target took until its answer began, of the machine's own time; 0 without an answer.
	ResponseTime time.Duration
	// Kind is what the listener's rule did.
	Kind Kind
}

// Kind is the sort of action that answered a request.
type Kind int

// The kinds of actions.
const (
	Forward Kind = iota
	Redirect
	FixedResponse
)

type unmetered struct{}

func (unmetered) Request(Request)                  {}
func (unmetered) Connection(string, bool)          {}
func (unmetered) Hosts(string, string, *HostCount) {}
