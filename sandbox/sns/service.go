// Package sns is the sandbox's Amazon SNS, as far as a delivery needs it: topics whose messages people would get by e-mail.
// Nothing leaves the machine: the journal shows each message and who would be told.
package sns

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/target"
)

// Service holds the topics of one account and region.
type Service struct {
	journal *journal.Journal

	mu     sync.Mutex
	topics map[string]*topic // by ARN
}

type topic struct {
	environment string
	// addresses are the subscribers'. AWS asks each of them for a confirmation first; here all are taken as confirmed.
	addresses []string
	messages  []Message
}

// Message is what a topic's subscribers are told. Subject may be empty.
type Message struct{ Subject, Text string }

// keptMessages bounds what Messages remembers of a topic.
const keptMessages = 1_000

// New returns a service without topics; the world gives it the declared ones through Providers.
func New(j *journal.Journal) *Service {
	return &Service{journal: j, topics: map[string]*topic{}}
}

// Publish tells a topic's subscribers. A topic that is not there is target.ErrNotFound.
func (s *Service) Publish(topicARN string, m Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, there := s.topics[topicARN]
	if !there {
		return fmt.Errorf("%w: %s", target.ErrNotFound, topicARN)
	}
	t.messages = append(t.messages, m)
	t.messages = t.messages[max(0, len(t.messages)-keptMessages):]
	text := strings.TrimPrefix(m.Subject+": "+m.Text, ": ")
	s.journal.Add(journal.Entry{
		Service: "sns", Environment: t.environment, Kind: "notification", Text: text,
		Fields: map[string]any{"topic": topicARN, "to": slices.Clone(t.addresses)},
	})
	return nil
}

// Messages returns the newest messages of a topic, oldest first.
func (s *Service) Messages(topicARN string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, there := s.topics[topicARN]; there {
		return slices.Clone(t.messages)
	}
	return nil
}

// Providers returns what stands behind the resource types that this package imitates.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{
		"aws:sns/topic:Topic":                         topicProvider{s},
		"aws:sns/topicPolicy:TopicPolicy":             policyProvider{},
		"aws:sns/topicSubscription:TopicSubscription": subscriptionProvider{s},
	}
}

type topicProvider struct{ service *Service }

// declaredTopic is aws:sns/topic:Topic. The key has no effect: nothing rests.
type declaredTopic struct {
	ARN         string            `json:"arn"`
	Name        string            `json:"name"`
	DisplayName string            `json:"displayName"`
	KeyID       string            `json:"kmsMasterKeyId"`
	Tags        map[string]string `json:"tags"`
}

func (p topicProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredTopic](r)
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	if _, there := p.service.topics[d.ARN]; there {
		return fmt.Errorf("%s: there is a topic %s already", r.URN, d.ARN)
	}
	p.service.topics[d.ARN] = &topic{environment: r.Stack()}
	return nil
}

func (p topicProvider) Update(_ context.Context, _, next graph.Resource) error {
	_, err := graph.Strict[declaredTopic](next)
	return err
}

func (p topicProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredTopic](r)
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	delete(p.service.topics, d.ARN)
	return nil
}

// policyProvider takes a topic's policy and does nothing with it: IAM is not enforced on this machine.
type policyProvider struct{}

// declaredPolicy is aws:sns/topicPolicy:TopicPolicy.
type declaredPolicy struct {
	ARN    string `json:"arn"`
	Policy any    `json:"policy"`
}

func (policyProvider) Create(_ context.Context, r graph.Resource) error {
	_, err := graph.Strict[declaredPolicy](r)
	return err
}

func (p policyProvider) Update(ctx context.Context, _, next graph.Resource) error {
	return p.Create(ctx, next)
}

func (policyProvider) Delete(context.Context, graph.Resource) error { return nil }

type subscriptionProvider struct{ service *Service }

// declaredSubscription is aws:sns/topicSubscription:TopicSubscription.
type declaredSubscription struct {
	Topic    string `json:"topic"`
	Protocol string `json:"protocol"`
	Endpoint string `json:"endpoint"`
}

func (p subscriptionProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredSubscription](r)
	if err != nil {
		return err
	}
	if d.Protocol != "email" && d.Protocol != "email-json" {
		return fmt.Errorf("%s: the sandbox imitates subscriptions by email, not by %q", r.URN, d.Protocol)
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	t, there := p.service.topics[d.Topic]
	if !there {
		return fmt.Errorf("%s: there is no topic %s", r.URN, d.Topic)
	}
	t.addresses = append(t.addresses, d.Endpoint)
	return nil
}

// Update replaces the subscription: a real one cannot be changed either.
func (p subscriptionProvider) Update(ctx context.Context, prior, next graph.Resource) error {
	if err := p.Delete(ctx, prior); err != nil {
		return err
	}
	return p.Create(ctx, next)
}

func (p subscriptionProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredSubscription](r)
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	if t, there := p.service.topics[d.Topic]; there {
		if i := slices.Index(t.addresses, d.Endpoint); i >= 0 {
			t.addresses = slices.Delete(t.addresses, i, i+1)
		}
	}
	return nil
}
