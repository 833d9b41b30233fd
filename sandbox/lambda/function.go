package lambda

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// function is a declared function: what stands here the sandbox acts on or may rightly pass over, and any other input is
// refused by name. The code's archive is not unpacked: the program behind settings.Variable is linked into the sandbox.
type function struct {
	Name        string      `json:"name"`
	ARN         string      `json:"arn"`
	Timeout     int         `json:"timeout"` // seconds
	Environment environment `json:"environment"`
	// Reserved is how many invocations may run at once; more wait.
	Reserved *int `json:"reservedConcurrentExecutions"`

	Description   string            `json:"description"`
	Role          string            `json:"role"`
	Handler       string            `json:"handler"`
	Runtime       string            `json:"runtime"`
	Architectures []string          `json:"architectures"`
	MemorySize    int               `json:"memorySize"`
	PackageType   string            `json:"packageType"`
	Publish       bool              `json:"publish"`
	Code          any               `json:"code"`
	CodeHash      string            `json:"sourceCodeHash"`
	KMSKey        string            `json:"kmsKeyArn"`
	Storage       map[string]any    `json:"ephemeralStorage"`
	Logging       logging           `json:"loggingConfig"`
	Tracing       map[string]any    `json:"tracingConfig"`
	Tags          map[string]string `json:"tags"`
}

type environment struct {
	Variables map[string]string `json:"variables"`
}

type logging struct {
	Format      string `json:"logFormat"`
	Group       string `json:"logGroup"`
	Application string `json:"applicationLogLevel"`
	System      string `json:"systemLogLevel"`
}

// Lambda's own default timeout, and its longest, in seconds.
const defaultTimeout, longestTimeout = 3, 900

func (f function) timeout() time.Duration {
	return time.Duration(cmp.Or(f.Timeout, defaultTimeout)) * time.Second
}

// logGroup is where the function's lines go; AWS names it after the function where nothing else is declared.
func (f function) logGroup() string { return cmp.Or(f.Logging.Group, "/aws/lambda/"+f.Name) }

func (f function) check(urn string) error {
	if f.Environment.Variables[settings.Variable] == "" {
		return fmt.Errorf("%s: its environment has no variable %s, and the sandbox runs shiftfn only: remove the function from the stack, or run it in AWS",
			urn, settings.Variable)
	}
	if f.Timeout < 0 || f.Timeout > longestTimeout {
		return fmt.Errorf("%s: timeout %d is not within 1 to %d seconds", urn, f.Timeout, longestTimeout)
	}
	return nil
}

// entry is a function with what other resources say of it. Its fields are guarded by the service's mutex.
type entry struct {
	function
	retries     int // of a failed asynchronous invocation
	permissions []permission
	slots       chan struct{} // as many as may run at once; nil is no bound
}

// defaultRetries is how often AWS repeats a failed asynchronous invocation unless told otherwise.
const defaultRetries = 2

type functionProvider struct{ service *Service }

func (p functionProvider) Create(_ context.Context, r graph.Resource) error {
	return p.put(r)
}

func (p functionProvider) Update(_ context.Context, _, next graph.Resource) error {
	return p.put(next)
}

func (p functionProvider) put(r graph.Resource) error {
	f, err := graph.Strict[function](r)
	if err != nil {
		return err
	}
	f.Name = cmp.Or(f.Name, r.ID) // the provider's identifier of a function is its name
	if err := f.check(r.URN); err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	e := p.service.functions[f.Name]
	if e == nil {
		e = &entry{retries: defaultRetries}
		p.service.functions[f.Name] = e
	}
	e.function, e.slots = f, nil
	if f.Reserved != nil && *f.Reserved >= 0 {
		e.slots = make(chan struct{}, *f.Reserved)
	}
	return nil
}

func (p functionProvider) Delete(_ context.Context, r graph.Resource) error {
	f, err := graph.Decode[function](r)
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	delete(p.service.functions, cmp.Or(f.Name, r.ID))
	return nil
}

// permission lets another service invoke a function.
type permission struct {
	Action        string `json:"action"`
	Function      string `json:"function"`
	Principal     string `json:"principal"`
	SourceARN     string `json:"sourceArn"`
	SourceAccount string `json:"sourceAccount"`
	StatementID   string `json:"statementId"`
	Qualifier     string `json:"qualifier"`
}

type permissionProvider struct{ service *Service }

func (p permissionProvider) Create(_ context.Context, r graph.Resource) error {
	given, err := graph.Strict[permission](r)
	if err != nil {
		return err
	}
	return p.service.change(r.URN, given.Function, func(e *entry) { e.permissions = append(e.permissions, given) })
}

func (p permissionProvider) Update(ctx context.Context, prior, next graph.Resource) error {
	if err := p.Delete(ctx, prior); err != nil {
		return err
	}
	return p.Create(ctx, next)
}

func (p permissionProvider) Delete(_ context.Context, r graph.Resource) error {
	given, err := graph.Decode[permission](r)
	if err != nil {
		return err
	}
	return p.service.change(r.URN, given.Function, func(e *entry) {
		e.permissions = slices.DeleteFunc(e.permissions, func(other permission) bool { return other == given })
	})
}

// invokeConfig says how often a failed asynchronous invocation is repeated.
type invokeConfig struct {
	FunctionName string `json:"functionName"`
	Retries      *int   `json:"maximumRetryAttempts"`
	// The sandbox loses no event for its age: it is stopped long before the six hours that AWS allows.
	MaximumAge int    `json:"maximumEventAgeInSeconds"`
	Qualifier  string `json:"qualifier"`
}

type invokeConfigProvider struct{ service *Service }

func (p invokeConfigProvider) Create(_ context.Context, r graph.Resource) error {
	c, err := graph.Strict[invokeConfig](r)
	if err != nil {
		return err
	}
	retries := defaultRetries
	if c.Retries != nil {
		retries = *c.Retries
	}
	return p.service.change(r.URN, c.FunctionName, func(e *entry) { e.retries = retries })
}

func (p invokeConfigProvider) Update(ctx context.Context, _, next graph.Resource) error {
	return p.Create(ctx, next)
}

func (p invokeConfigProvider) Delete(_ context.Context, r graph.Resource) error {
	c, err := graph.Decode[invokeConfig](r)
	if err != nil {
		return err
	}
	return p.service.change(r.URN, c.FunctionName, func(e *entry) { e.retries = defaultRetries })
}
