// Package lambda runs the declared Lambda functions: the real shiftfn handler, started in-process from the environment
// variables that the function declares, for each invocation anew, as a cold start would.
package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/shiftfn/adapter"
)

// Config is what the service works with.
type Config struct {
	Clock   clock.Clock
	Journal *journal.Journal
	// Clients returns what the function calls as its AWS clients. It is asked at each invocation.
	Clients func() adapter.Clients
	// Log takes one line that a function wrote, for the log group; the line ends without a newline.
	Log func(group, stream, line string)
}

// Service holds the declared functions and runs their invocations.
type Service struct {
	config  Config
	program Program

	context context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu        sync.Mutex
	functions map[string]*entry // by name
	wrappers  []*func(Program) Program
}

// Invocation is one run of a function.
type Invocation struct {
	ID            string
	Function, ARN string
	Variables     map[string]string
	Event         json.RawMessage
	// End is when Lambda ends the invocation, in the sandbox's time.
	End     time.Time
	Clients adapter.Clients
	// Log takes the function's output, a line at a time.
	Log func(line string)
}

// Program is a function's code, from its start to the end of one invocation.
type Program func(ctx context.Context, i Invocation) error

// New returns a service without functions; the world gives it the declared ones through Providers.
func New(config Config) *Service {
	s := &Service{config: config, functions: map[string]*entry{}}
	s.program = shiftfn(config.Clock)
	s.context, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends the invocations that run and waits for them.
func (s *Service) Close() error {
	s.cancel()
	s.running.Wait()
	return nil
}

// Providers are the resource types that this service stands behind.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{
		"aws:lambda/function:Function":                                   functionProvider{s},
		"aws:lambda/permission:Permission":                               permissionProvider{s},
		"aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": invokeConfigProvider{s},
	}
}

// Wrap puts the given behaviour around every later invocation, so that a drill can double it, end it half way, or give it
// clients that fail. The returned function takes it off again.
func (s *Service) Wrap(wrapper func(Program) Program) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	added := &wrapper
	s.wrappers = append(s.wrappers, added)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, w := range s.wrappers {
			if w == added {
				s.wrappers = append(s.wrappers[:i:i], s.wrappers[i+1:]...)
				return
			}
		}
	}
}

// find returns a function by its name or its ARN, with or without a qualifier; the caller holds the mutex.
func (s *Service) find(function string) (*entry, error) {
	name := function
	if parts := strings.Split(function, ":"); len(parts) > 6 && parts[0] == "arn" {
		name = parts[6]
	}
	if e, ok := s.functions[name]; ok {
		return e, nil
	}
	return nil, fmt.Errorf("there is no function %q", function)
}

func (s *Service) change(urn, function string, change func(*entry)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(function)
	if err != nil {
		return fmt.Errorf("%s: %w", urn, err)
	}
	change(e)
	return nil
}

// InvokeAsync accepts an event for a function, given by name or ARN, and returns; a failed invocation is repeated as often as
// the function's event invoke configuration says. The caller is allowed by its own role, as CodePipeline and Scheduler are.
func (s *Service) InvokeAsync(_ context.Context, function string, event []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(function)
	if err != nil {
		return err
	}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		s.attempt(e, event)
	}()
	return nil
}

// InvokeFor is InvokeAsync for a service that needs the function's permission, such as events.amazonaws.com for a rule.
func (s *Service) InvokeFor(ctx context.Context, principal, source, function string, event []byte) error {
	s.mu.Lock()
	e, err := s.find(function)
	allowed := false
	if err == nil {
		for _, p := range e.permissions {
			allowed = allowed || p.Action == "lambda:InvokeFunction" && p.Principal == principal && (p.SourceARN == "" || p.SourceARN == source)
		}
	}
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case !allowed:
		return fmt.Errorf("%s may not invoke %s for %s: declare an aws.lambda.Permission", principal, function, source)
	}
	return s.InvokeAsync(ctx, function, event)
}

// retryAfter is how long AWS waits before the first and the second repetition.
var retryAfter = []time.Duration{time.Minute, 2 * time.Minute}

func (s *Service) attempt(e *entry, event []byte) {
	for repeated := 0; ; repeated++ {
		s.mu.Lock()
		declared, retries, slots := e.function, e.retries, e.slots
		s.mu.Unlock()
		err := s.invoke(declared, slots, event)
		if err == nil || repeated >= min(retries, len(retryAfter)) {
			return
		}
		select {
		case <-s.context.Done():
			return
		case <-s.config.Clock.After(retryAfter[repeated]):
		}
	}
}

var errTimedOut = errors.New("the function's timeout has passed")

// invoke runs the function once, within its timeout.
func (s *Service) invoke(f function, slots chan struct{}, event []byte) (err error) {
	if slots != nil {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-s.context.Done():
			return s.context.Err()
		}
	}
	s.mu.Lock()
	program := s.program
	for _, wrapper := range s.wrappers {
		program = (*wrapper)(program)
	}
	s.mu.Unlock()

	ctx, cancel := context.WithCancelCause(s.context)
	defer cancel(nil)
	timer := s.config.Clock.AfterFunc(f.timeout(), func() { cancel(errTimedOut) })
	defer timer.Stop()
	i := Invocation{ID: uuid.NewString(), Function: f.Name, ARN: f.ARN, Variables: f.Environment.Variables, Event: event,
		End: s.config.Clock.Now().Add(f.timeout()), Clients: s.config.Clients()}
	i.Log = func(line string) { s.config.Log(f.logGroup(), i.ID, line) }

	ended := make(chan error, 1)
	go func() {
		// A drill ends this goroutine in the middle, as a crash would; so the channel is served by a deferred call.
		err := errors.New("the function's process ended before it answered")
		defer func() {
			if crash := recover(); crash != nil {
				err = fmt.Errorf("panic: %v", crash)
			}
			ended <- err
		}()
		err = program(ctx, i)
	}()
	if err = <-ended; err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		s.config.Journal.Add(journal.Entry{Service: "lambda", Kind: "failure", Text: fmt.Sprintf("%s failed: %s", f.Name, err),
			Fields: map[string]any{"function": f.Name, "invocation": i.ID}})
		i.Log(fmt.Sprintf("invocation %s failed: %s", i.ID, err))
	}
	return err
}
