package events

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/uuid"

	"github.com/penguinshop/delivery/sandbox/fidelity"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// Event is an event as EventBridge hands it on.
type Event struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       time.Time       `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// keptEvents bounds what Events remembers.
const keptEvents = 10_000

// The limits of one PutEvents: entries, and their bytes together.
const (
	mostEntries    = 10
	mostEntryBytes = 1 << 20
)

// PutEvents takes up to ten events of the caller's own and hands each to the rules that match it. An entry that AWS would
// refuse fails by itself. Sources that begin with "aws." are AWS's: see Emit.
func (s *Service) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	if refusal := fidelity.Refusal(in, "Entries"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	if len(in.Entries) < 1 || len(in.Entries) > mostEntries {
		return nil, invalid("%d entries: 1 to %d are allowed", len(in.Entries), mostEntries)
	}
	size := 0
	for _, entry := range in.Entries {
		size += len(aws.ToString(entry.Detail)) + len(aws.ToString(entry.DetailType)) + len(aws.ToString(entry.Source))
	}
	if size > mostEntryBytes {
		return nil, invalid("Total size of the entries in the request is over the limit.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &eventbridge.PutEventsOutput{}
	for _, entry := range in.Entries {
		id, code, message := s.put(entry)
		if code != "" {
			out.FailedEntryCount++
			out.Entries = append(out.Entries, types.PutEventsResultEntry{ErrorCode: &code, ErrorMessage: &message})
			continue
		}
		out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: &id})
	}
	return out, nil
}

// put takes one entry, or tells by a code and a sentence why not.
func (s *Service) put(entry types.PutEventsRequestEntry) (id, code, message string) {
	var object map[string]any
	switch {
	case aws.ToString(entry.Source) == "":
		return "", "InvalidArgument", "Parameter Source is not valid. Reason: Source is a required argument."
	case aws.ToString(entry.DetailType) == "":
		return "", "InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType is a required argument."
	case aws.ToString(entry.Detail) == "":
		return "", "InvalidArgument", "Parameter Detail is not valid. Reason: Detail is a required argument."
	case json.Unmarshal([]byte(*entry.Detail), &object) != nil || object == nil:
		return "", "MalformedDetail", "Detail is malformed."
	case strings.HasPrefix(*entry.Source, "aws."):
		return "", "NotAuthorizedForSourceException", "Not authorized for the source."
	}
	b, err := s.bus(entry.EventBusName)
	if err != nil {
		return "", "ResourceNotFoundException", err.Error()
	}
	e := s.event(*entry.Source, *entry.DetailType, entry.Resources, json.RawMessage(*entry.Detail))
	if entry.Time != nil {
		e.Time = entry.Time.UTC().Truncate(time.Second)
	}
	s.publish(b, e)
	return e.ID, "", ""
}

// Emit puts an event of an AWS service ("aws.cloudwatch", …) on the default bus. The detail is marshalled to JSON.
func (s *Service) Emit(source, detailType string, resources []string, detail any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("the detail of a %q of %s: %w", detailType, source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish(s.buses[defaultBus], s.event(source, detailType, resources, text))
	return nil
}

func (s *Service) event(source, detailType string, resources []string, detail json.RawMessage) Event {
	return Event{
		Version: "0", ID: uuid.NewString(), DetailType: detailType, Source: source, Account: s.Account, Region: s.Region,
		Time: s.Clock.Now().UTC().Truncate(time.Second), Resources: append([]string{}, resources...), Detail: detail,
	}
}

// publish keeps an event and hands it to the rules of a bus that match it. The caller holds mu.
func (s *Service) publish(b *bus, e Event) {
	s.kept = append(s.kept, e)
	if len(s.kept) > keptEvents {
		s.kept = slices.Delete(s.kept, 0, len(s.kept)-keptEvents)
	}
	s.Journal.Add(journal.Entry{Service: "events", Kind: "event", Text: fmt.Sprintf("%s: %s.", e.Source, e.DetailType),
		Fields: map[string]any{"source": e.Source, "detailType": e.DetailType, "event": e.ID}})
	text, err := json.Marshal(e)
	if err != nil {
		return // a detail that is no JSON was refused before
	}
	for _, name := range slices.Sorted(maps.Keys(b.rules)) {
		if r := b.rules[name]; r.state == types.RuleStateEnabled && r.pattern != nil && r.pattern.Matches(text) {
			s.send(r, text)
		}
	}
}

// send delivers an event to all targets of a rule. The caller holds mu.
func (s *Service) send(r *rule, event []byte) {
	for _, id := range slices.Sorted(maps.Keys(r.targets)) {
		t := r.targets[id]
		payload, arn := s.input(r, t, event), aws.ToString(t.Arn)
		s.running.Add(1)
		go func() {
			defer s.running.Done()
			if err := retry(t).Deliver(s.closing, s.Clock, s.Invoke, r.arn, arn, payload); err != nil && s.closing.Err() == nil {
				s.Journal.Add(journal.Entry{Service: "events", Environment: r.environment, Kind: "failure",
					Text:   fmt.Sprintf("rule %s could not invoke %s and gives up: %v.", r.name, arn, err),
					Fields: map[string]any{"rule": r.name, "target": arn}})
			}
		}()
	}
}

// path is the part of JSONPath that InputPath may use here: names below each other.
var path = regexp.MustCompile(`^\$(\.[A-Za-z0-9_-]+)*$`)

// input is what a target is given: its constant input, the part of the event that its path names, what its transformer makes of
// the event, or the event.
func (s *Service) input(r *rule, t types.Target, event []byte) []byte {
	switch {
	case t.Input != nil:
		return []byte(*t.Input)
	case t.InputTransformer != nil:
		read, err := readTemplate(t.InputTransformer)
		if err != nil {
			return event // it was read when it was put
		}
		return read.transform(r, event, s.Clock.Now())
	case t.InputPath != nil:
		if part := lookUp(event, *t.InputPath); part != nil {
			return part
		}
		return []byte("null") // the event has no such part
	default:
		return event
	}
}
