// Package codepipeline runs pipelines as they are declared: it interprets the stages, actions, artifacts, variables, triggers
// and the execution mode of an aws:codepipeline/pipeline:Pipeline resource, and answers the operations of the service's API
// that the operator's tools and the pipeline's own Lambda functions call.
package codepipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/sns"
)

// Config is what the service works with.
type Config struct {
	Clock   clock.Clock
	Journal *journal.Journal
	// Region and Account are the pipelines' own.
	Region, Account string
	// Folder is where artifacts are kept until Close removes it.
	Folder string
	// Repository is what source actions read, Builds what CodeBuild actions call, Functions what Lambda actions invoke, and
	// Services what ECS actions deploy to.
	Repository Repository
	Builds     Builds
	Functions  Functions
	Services   Services
	// Events are told of each execution's beginning and end, and Topics of the approvals that name one. Both may be nil.
	Events Events
	Topics Topics
}

// Events is the part of EventBridge that CodePipeline puts its events in.
type Events interface {
	Emit(source, detailType string, resources []string, detail any) error
}

// Topics is the part of SNS that approvals publish to.
type Topics interface {
	Publish(topicARN string, m sns.Message) error
}

// Service holds the declared pipelines, their executions and the jobs that are open.
type Service struct {
	config  Config
	runners map[string]runner

	context context.Context
	cancel  context.CancelCauseFunc
	running sync.WaitGroup

	mu          sync.Mutex
	pipelines   map[string]*pipeline // by name
	connections map[string]bool      // by ARN
	jobs        map[string]*job      // by id
	approvals   map[string]*approval // by token
}

// runner does the work of one action type.
type runner interface {
	// check says, each in a sentence, what is wrong with the declared action.
	check(a action) []string
	// run works until the action has an outcome or ctx ends; an error fails the action with its text.
	run(ctx context.Context, r *actionRun) (outcome, error)
}

// outcome is what an action that succeeded leaves behind.
type outcome struct {
	variables map[string]string
	summary   string
}

var errClosed = errors.New("the sandbox is closing")

// New returns a service without pipelines; the world gives it the declared ones through Providers.
func New(config Config) *Service {
	s := &Service{config: config, pipelines: map[string]*pipeline{}, connections: map[string]bool{},
		jobs: map[string]*job{}, approvals: map[string]*approval{}}
	s.context, s.cancel = context.WithCancelCause(context.Background())
	s.runners = map[string]runner{
		"Source/AWS/CodeStarSourceConnection/1": sourceAction{s},
		"Build/AWS/CodeBuild/1":                 buildAction{s},
		"Test/AWS/CodeBuild/1":                  buildAction{s},
		"Approval/AWS/Manual/1":                 approvalAction{s},
		"Invoke/AWS/Lambda/1":                   invokeAction{s},
		"Deploy/AWS/ECS/1":                      deployAction{s},
	}
	return s
}

// Close abandons what runs, waits until it has ended, and removes the artifacts.
func (s *Service) Close() error {
	s.cancel(errClosed)
	s.running.Wait()
	return os.RemoveAll(s.config.Folder)
}

// pipeline is one declared pipeline with its history. Its fields are guarded by the service's mutex.
type pipeline struct {
	declared   declaration
	version    int32
	created    time.Time
	updated    time.Time
	gates      map[string]*gate      // by stage
	latest     map[string]*execution // the execution that entered the stage last, by stage
	executions []*execution          // in the order of their start
	records    []*record             // in the order of their start
}

// Providers are the resource types that this service stands behind.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{
		"aws:codepipeline/pipeline:Pipeline":            pipelineProvider{s},
		"aws:codestarconnections/connection:Connection": connectionProvider{s},
		"aws:codeconnections/connection:Connection":     connectionProvider{s},
	}
}

type pipelineProvider struct{ service *Service }

func (p pipelineProvider) Create(_ context.Context, r graph.Resource) error {
	return p.service.put(r)
}

func (p pipelineProvider) Update(_ context.Context, _, next graph.Resource) error {
	return p.service.put(next)
}

func (p pipelineProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := decode(r)
	if err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.pipelines[d.Name].executions {
		e.cancel(errDeleted)
	}
	delete(s.pipelines, d.Name)
	return nil
}

var errDeleted = errors.New("the pipeline was deleted")

func decode(r graph.Resource) (declaration, error) {
	d, err := graph.Strict[declaration](r)
	if d.Name == "" {
		d.Name = r.ID // the provider's identifier of a pipeline is its name
	}
	return d, err
}

// put checks the declaration and makes it the pipeline's current one. An execution that runs keeps the declaration that it
// began with; the next one uses the new.
func (s *Service) put(r graph.Resource) error {
	d, err := decode(r)
	if err != nil {
		return err
	}
	if p := s.check(d); len(p) > 0 {
		sort.Strings(p)
		return fmt.Errorf("%s cannot run:\n  %s", r.URN, strings.Join(p, "\n  "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Clock.Now()
	p, exists := s.pipelines[d.Name]
	if !exists {
		p = &pipeline{created: now, gates: map[string]*gate{}, latest: map[string]*execution{}}
		s.pipelines[d.Name] = p
	}
	p.declared, p.updated = d, now
	p.version++
	for _, st := range d.Stages {
		if p.gates[st.Name] == nil {
			p.gates[st.Name] = &gate{}
		}
	}
	return nil
}

// find returns the pipeline; the caller holds the mutex.
func (s *Service) find(name *string) (*pipeline, error) {
	if p, ok := s.pipelines[aws.ToString(name)]; ok {
		return p, nil
	}
	return nil, &types.PipelineNotFoundException{Message: aws.String(fmt.Sprintf("there is no pipeline %q", aws.ToString(name)))}
}

// Names lists the declared pipelines, sorted.
func (s *Service) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for name := range s.pipelines {
		found = append(found, name)
	}
	sort.Strings(found)
	return found
}

type connectionProvider struct{ service *Service }

func (p connectionProvider) set(r graph.Resource, there bool) error {
	c, err := graph.Decode[struct {
		ARN string `json:"arn"`
	}](r)
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	if there {
		p.service.connections[c.ARN] = true
	} else {
		delete(p.service.connections, c.ARN)
	}
	return nil
}

func (p connectionProvider) Create(_ context.Context, r graph.Resource) error { return p.set(r, true) }

func (p connectionProvider) Update(_ context.Context, _, next graph.Resource) error {
	return p.set(next, true)
}

func (p connectionProvider) Delete(_ context.Context, r graph.Resource) error { return p.set(r, false) }
