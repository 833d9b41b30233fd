package graph

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// Option changes how a stack's program is run.
type Option func(*settings)

type settings struct {
	account  string
	config   map[string]map[string]string // stack → overrides; an empty map adds the stack
	without  map[string][]string
	outputs  map[string]map[string]any // stack reference → outputs
	unknowns bool
}

// WithConfig sets config values of one stack over those of its file, and adds the stack where there is no file.
func WithConfig(stack string, values map[string]string) Option {
	return func(s *settings) {
		if s.config[stack] == nil {
			s.config[stack] = map[string]string{}
		}
		maps.Copy(s.config[stack], values)
	}
}

// WithoutConfig removes config keys of one stack.
func WithoutConfig(stack string, keys ...string) Option {
	return func(s *settings) { s.without[stack] = append(s.without[stack], keys...) }
}

// WithOutputs answers a stack reference (by its full name, `organization/penguinshop/dev`) with these outputs. Without it, a
// reference to a stack of the same project is answered by running that stack, and any other is an error.
func WithOutputs(reference string, outputs map[string]any) Option {
	return func(s *settings) { s.outputs[reference] = outputs }
}

// WithUnknowns runs the program as the first `pulumi preview` does: what only AWS can tell (an ARN, an identifier) is unknown.
func WithUnknowns() Option { return func(s *settings) { s.unknowns = true } }

// WithAccount sets the AWS account of the default provider; 123456789012 otherwise.
func WithAccount(id string) Option { return func(s *settings) { s.account = id } }

// Run runs the program for one stack and returns what it declared. A stack of the same project that the program refers to is
// run first. The program's own error comes back as it is; a panic in the program's body comes back as an error with its
// place. Cancelling ctx ends the run.
func (p *Project) Run(ctx context.Context, stack string, program pulumi.RunFunc, options ...Option) (*Graph, error) {
	return p.newRuns(program, options).graph(ctx, "", stack)
}

// RunAll runs the program for every stack of the project, each once, and returns the graphs: a stack that others refer to
// before those, otherwise by name. The problems of all stacks come back together.
func (p *Project) RunAll(ctx context.Context, program pulumi.RunFunc, options ...Option) ([]*Graph, error) {
	all := p.newRuns(program, options)
	stacks := all.stacks()
	graphs := make([]*Graph, len(stacks))
	problems := make([]error, len(stacks))
	var wait sync.WaitGroup
	for i, stack := range stacks {
		wait.Go(func() { graphs[i], problems[i] = all.graph(ctx, "", stack) })
	}
	wait.Wait()
	// A stack that fails because one that it reads failed adds nothing to the other's own problem.
	var own []error
	for _, problem := range problems {
		if upstream := (*upstreamError)(nil); problem != nil && !errors.As(problem, &upstream) {
			own = append(own, problem)
		}
	}
	if len(own) == 0 {
		own = problems
	}
	if err := errors.Join(own...); err != nil {
		return nil, err
	}
	slices.SortStableFunc(graphs, func(a, b *Graph) int { return all.rank(a.Stack) - all.rank(b.Stack) })
	return graphs, nil
}

// runs are the runs of one program that share their results: a stack that several others read is run once.
type runs struct {
	project  *Project
	program  pulumi.RunFunc
	settings settings

	mu      sync.Mutex
	started map[string]*result
	reads   map[string][]string // stack → stacks that it has asked for
}

type result struct {
	done  chan struct{}
	graph *Graph
	err   error
}

// upstreamError says that a stack could not be run because one that it reads could not.
type upstreamError struct {
	stack, reader string
	cause         error
}

func (e *upstreamError) Error() string {
	return fmt.Sprintf("stack %s, which %s reads: %v", e.stack, e.reader, e.cause)
}

func (e *upstreamError) Unwrap() error { return e.cause }

func (p *Project) newRuns(program pulumi.RunFunc, options []Option) *runs {
	s := settings{
		account: "123456789012",
		config:  map[string]map[string]string{},
		without: map[string][]string{},
		outputs: map[string]map[string]any{},
	}
	for _, option := range options {
		option(&s)
	}
	return &runs{project: p, program: program, settings: s, started: map[string]*result{}, reads: map[string][]string{}}
}

func (r *runs) stacks() []string {
	names := r.project.Stacks()
	for stack := range r.settings.config {
		if !slices.Contains(names, stack) {
			names = append(names, stack)
		}
	}
	slices.Sort(names)
	return names
}

// graph runs a stack, or waits for the run that has begun. reader is the stack that asks, empty for the caller.
func (r *runs) graph(ctx context.Context, reader, stack string) (*Graph, error) {
	if known := r.stacks(); !slices.Contains(known, stack) {
		return nil, fmt.Errorf("no stack %q: the project %s has %s", stack, r.project.Name, list(known))
	}
	r.mu.Lock()
	if reader != "" {
		if r.leads(stack, reader) {
			r.mu.Unlock()
			return nil, fmt.Errorf("the stacks %s and %s read each other's outputs", reader, stack)
		}
		r.reads[reader] = append(r.reads[reader], stack)
	}
	run, begun := r.started[stack]
	if !begun {
		run = &result{done: make(chan struct{})}
		r.started[stack] = run
	}
	r.mu.Unlock()

	if begun {
		select {
		case <-run.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	} else {
		run.graph, run.err = r.run(ctx, stack)
		close(run.done)
	}
	if run.err != nil && reader != "" {
		return nil, &upstreamError{stack: stack, reader: reader, cause: run.err}
	}
	return run.graph, run.err
}

// leads tells whether a stack reads another one, itself or through others. The caller holds mu.
func (r *runs) leads(from, to string) bool {
	return from == to || slices.ContainsFunc(r.reads[from], func(next string) bool { return r.leads(next, to) })
}

// rank is the number of stacks that must stand before this one.
func (r *runs) rank(stack string) int {
	rank := 0
	for _, read := range r.reads[stack] {
		rank = max(rank, r.rank(read)+1)
	}
	return rank
}

// run serves one resource monitor on loopback and runs the program against it.
func (r *runs) run(ctx context.Context, stack string) (*Graph, error) {
	values, secrets := r.config(stack)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the resource monitor: %w", err)
	}
	m := newMonitor(ctx, r, stack, values)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(messageLimit), grpc.MaxSendMsgSize(messageLimit))
	pulumirpc.RegisterResourceMonitorServer(server, m)
	pulumirpc.RegisterEngineServer(server, &engine{monitor: m})
	serving := make(chan struct{})
	go func() { defer close(serving); _ = server.Serve(listener) }() // ends with Stop
	defer func() { server.Stop(); <-serving }()
	defer context.AfterFunc(ctx, server.Stop)()

	address := listener.Addr().String()
	var own error // the program's own error, before the SDK wraps it
	body := func(pulumiContext *pulumi.Context) error {
		own = guarded(r.program, pulumiContext)
		return own
	}
	err = pulumi.RunErr(body, func(info *pulumi.RunInfo) {
		*info = pulumi.RunInfo{
			Project: r.project.Name, Stack: stack, Organization: organization, RootDirectory: r.project.Dir,
			Config: values, ConfigSecretKeys: secrets,
			Parallel: 32, DryRun: r.settings.unknowns,
			MonitorAddr: address, EngineAddr: address,
		}
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := m.problem(own, err); err != nil {
		return nil, fmt.Errorf("stack %s: %w", stack, err)
	}
	return m.graph(), nil
}

// messageLimit is the size that Pulumi's engine itself allows for one message.
const messageLimit = 400 << 20

// organization is the one that a backend without organizations uses.
const organization = "organization"

func (r *runs) config(stack string) (map[string]string, []string) {
	base := r.project.stacks[stack]
	values := map[string]string{}
	maps.Copy(values, base.values)
	maps.Copy(values, r.project.namespaced(r.settings.config[stack]))
	for _, key := range r.settings.without[stack] {
		delete(values, r.project.key(key))
	}
	return values, slices.Clone(base.secrets)
}

// guarded turns a panic of the program's body into an error that names the place.
func guarded(program pulumi.RunFunc, ctx *pulumi.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the program panicked: %v%s", cause, panicPlace(debug.Stack()))
		}
	}()
	return program(ctx)
}

// panicPlace finds the first frame below the runtime's panic in a stack trace.
func panicPlace(trace []byte) string {
	lines := strings.Split(string(trace), "\n")
	at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "panic(") })
	for i := at + 1; at >= 0 && i < len(lines); i++ {
		frame := strings.TrimSpace(lines[i])
		if strings.HasPrefix(lines[i], "\t") && !strings.Contains(frame, "/runtime/") {
			place, _, _ := strings.Cut(frame, " +0x")
			return " (at " + place + ")"
		}
	}
	return ""
}

func list(names []string) string {
	if len(names) == 0 {
		return "no stack"
	}
	return strings.Join(names, ", ")
}
