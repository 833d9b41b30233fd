package events

import (
	"encoding/json"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// poke makes the run look again at what is due.
func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run makes the events of the scheduled rules.
func (s *Service) run() {
	defer s.running.Done()
	for {
		due := s.Clock.NewTimer(s.sendDue())
		select {
		case <-s.closing.Done():
			due.Stop()
			return
		case <-s.wake:
			due.Stop()
		case <-due.Chan():
		}
	}
}

// idle is how long the run sleeps when no schedule wakes it.
const idle = time.Hour

// sendDue sends what is due and returns how long the next one is away.
func (s *Service) sendDue() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := s.Clock.Now(), idle
	for _, r := range s.buses[defaultBus].rules {
		if r.schedule == nil || r.state != types.RuleStateEnabled || r.due.IsZero() {
			continue
		}
		if !r.due.After(now) {
			e := s.event("aws.events", "Scheduled Event", []string{r.arn}, json.RawMessage("{}"))
			e.Time = r.due.UTC().Truncate(time.Second)
			if text, err := json.Marshal(e); err == nil {
				s.send(r, text)
			}
			r.due = r.schedule.Next(now, r.created)
		}
		if !r.due.IsZero() {
			wait = min(wait, r.due.Sub(now))
		}
	}
	return wait
}
