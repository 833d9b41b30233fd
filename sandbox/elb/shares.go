package elb

import (
	"math/rand/v2"
	"sync/atomic"
)

// shares hands requests to target groups in proportion to their weights. AWS documents the proportion and not the order
// (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html#forward-actions). Here
// every run of requests as long as the sum of the reduced weights holds exactly each group's share: of 90 and 10, one request
// in every ten goes to the second group. Within a run the order is random, so that a client whose requests repeat in a rhythm
// does not send all of one kind to one group.
type shares struct {
	cycle []*group
	next  atomic.Uint64
}

// rhythm is the least length of a cycle, made of several runs in different orders.
const rhythm = 1000

// newShares returns the shares of groups with weights of 0 to 999. With no weight above 0, nothing is handed out.
func newShares(groups []*group, weights []int) *shares {
	var divisor int
	for _, w := range weights {
		divisor = greatestCommonDivisor(divisor, w)
	}
	if divisor == 0 {
		return &shares{}
	}
	var run []*group
	for i, g := range groups {
		for range weights[i] / divisor {
			run = append(run, g)
		}
	}
	s := &shares{}
	for len(s.cycle) < rhythm {
		rand.Shuffle(len(run), func(i, j int) { run[i], run[j] = run[j], run[i] })
		s.cycle = append(s.cycle, run...)
	}
	return s
}

// pick returns the group of the next request, nil where no group has a weight.
func (s *shares) pick() *group {
	switch len(s.cycle) {
	case 0:
		return nil
	default:
		return s.cycle[(s.next.Add(1)-1)%uint64(len(s.cycle))]
	}
}

func greatestCommonDivisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
