// Package cloudwatch is the sandbox's Amazon CloudWatch: metrics as the load balancers counted them, for each minute of the
// sandbox's clock and available once it is over, alarms that are evaluated every minute, composite alarms and dashboards; and,
// beyond what AWS offers, a live view of each target group for a person who watches.
package cloudwatch

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// Options say whose metrics these are.
type Options struct {
	Region, Account string
	Clock           clock.Clock
	// Journal takes the alarms' changes of state; nil tells nobody.
	Journal *journal.Journal
	// Slot is how much of the clock's time one point of the live view covers; 0 is a second. A sandbox whose clock runs N
	// times faster shows one point for each second of the machine with a slot of N seconds.
	Slot time.Duration
}

// Period is the resolution of all metrics: AWS's standard one.
const Period = time.Minute

// Service holds the metrics and alarms of one account and region. Its operations have the shape of the SDK's client.
type Service struct {
	options Options
	stop    chan struct{}
	ended   chan struct{}

	// periodEnd and slotEnd are when the present period and slot of the load balancers' counts end, in Unix nanoseconds.
	periodEnd, slotEnd atomic.Int64

	mu         sync.Mutex
	store      store
	balancers  map[string]*balancerCounts // by the load balancer's suffix
	groups     map[groupKey]*groupCounts
	alarms     map[string]*alarm // by name
	evaluated  time.Time         // up to which boundary alarms are evaluated
	dashboards map[string]dashboard
	listeners  []func(AlarmStateChange)
	// changes are state changes that the listeners have not been told yet, in order.
	changes []AlarmStateChange
}

// New starts a service without metrics. Close ends it.
func New(o Options) *Service {
	if o.Slot == 0 {
		o.Slot = time.Second
	}
	s := &Service{
		options: o, stop: make(chan struct{}), ended: make(chan struct{}),
		store: store{}, balancers: map[string]*balancerCounts{}, groups: map[groupKey]*groupCounts{},
		alarms: map[string]*alarm{}, dashboards: map[string]dashboard{},
	}
	now := o.Clock.Now()
	s.evaluated = now.Truncate(Period)
	s.periodEnd.Store(now.Truncate(Period).Add(Period).UnixNano())
	s.slotEnd.Store(now.Truncate(o.Slot).Add(o.Slot).UnixNano())
	go s.run()
	return s
}

// Close ends the evaluation of alarms.
func (s *Service) Close() error {
	close(s.stop)
	<-s.ended
	return nil
}

// OnAlarm calls f for every change of an alarm's state from now on, one at a time and in order. f may call the service.
func (s *Service) OnAlarm(f func(AlarmStateChange)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, f)
}

// run closes periods and slots as they end, and evaluates the alarms at the end of each period.
func (s *Service) run() {
	defer close(s.ended)
	for {
		now := s.options.Clock.Now()
		next := min(s.periodEnd.Load(), s.slotEnd.Load())
		timer := s.options.Clock.NewTimer(time.Unix(0, next).Sub(now))
		select {
		case <-s.stop:
			timer.Stop()
			return
		case <-timer.Chan():
		}
		s.catchUp(s.options.Clock.Now())
		s.evaluate()
		s.tell()
	}
}

// catchUp closes the periods and slots that have ended.
func (s *Service) catchUp(now time.Time) {
	if nanos := now.UnixNano(); nanos < s.periodEnd.Load() && nanos < s.slotEnd.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for end := s.slotEnd.Load(); end <= now.UnixNano(); end = s.slotEnd.Load() {
		s.closeSlot(time.Unix(0, end).UTC())
		s.slotEnd.Store(end + int64(s.options.Slot))
	}
	for end := s.periodEnd.Load(); end <= now.UnixNano(); end = s.periodEnd.Load() {
		s.closePeriod(time.Unix(0, end).UTC().Add(-Period))
		s.periodEnd.Store(end + int64(Period))
	}
}

// tell hands the changes of alarms to the journal and the listeners.
func (s *Service) tell() {
	s.mu.Lock()
	changes, listeners := s.changes, s.listeners
	s.changes = nil
	s.mu.Unlock()
	for _, c := range changes {
		if s.options.Journal != nil {
			s.options.Journal.Add(journal.Entry{
				Service: "cloudwatch", Environment: c.Stack, Kind: "alarm",
				Text:   fmt.Sprintf("alarm %s is %s: %s", c.Name, c.State.Value, c.State.Reason),
				Fields: map[string]any{"alarm": c.Name, "arn": c.ARN, "state": string(c.State.Value), "previous": string(c.Previous.Value)},
			})
		}
		for _, f := range listeners {
			f(c)
		}
	}
}
