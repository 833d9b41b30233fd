package operator

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tags "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// The tags that the stacks put on everything, by which a delivery is found.
const (
	TagProject     = "project"
	TagEnvironment = "environment"
)

// The two ways in which an environment takes a release, as the contract's output `strategy` says them.
const (
	BlueGreen = "blueGreen"
	Rolling   = "rolling"
)

// Delivery is a pipeline and the environments that it delivers to.
type Delivery struct {
	Clients Clients
	// Now is the time; a local world may run its own.
	Now func() time.Time
	// Environments are in the order in which the pipeline delivers to them.
	Environments []Environment
	// Pipeline is the pipeline's name, empty where none was found.
	Pipeline string

	stages []types.StageDeclaration

	mu       sync.Mutex
	versions map[string]version // by task definition
}

// Environment is one environment as it is found in AWS.
type Environment struct {
	Name string
	// Strategy is BlueGreen or Rolling. A rolling environment has one service and nothing that shifts: of its settings only
	// Environment, Cluster, URL and the service of blue are known.
	Strategy string
	Settings settings.Settings
	// LogGroup is the function's own.
	LogGroup string

	plan rollout.Plan
}

// NotFoundError says that what was asked for is not there, and what is.
type NotFoundError struct{ Text string }

func (e *NotFoundError) Error() string { return e.Text }

// Find looks a delivery up by its tags in the account and region of the clients: the functions, services and the pipeline that bear
// the project's name, each in the environment that its tag names.
func Find(ctx context.Context, c Clients, now func() time.Time, project string) (*Delivery, error) {
	d := &Delivery{Clients: c, Now: now}
	functions, services := map[string][]string{}, map[string][]string{}
	var pipelines []string
	in := &resourcegroupstaggingapi.GetResourcesInput{
		TagFilters:          []tags.TagFilter{{Key: aws.String(TagProject), Values: []string{project}}},
		ResourceTypeFilters: []string{"lambda:function", "ecs:service", "codepipeline"},
	}
	for {
		out, err := c.Tagging.GetResources(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("looking for what bears the tag %s=%s: %w", TagProject, project, err)
		}
		for _, r := range out.ResourceTagMappingList {
			found, err := arn.Parse(aws.ToString(r.ResourceARN))
			if err != nil {
				continue
			}
			environment := tag(r, TagEnvironment)
			switch {
			case found.Service == "codepipeline" && !strings.ContainsAny(found.Resource, ":/"): // actions and webhooks have a separator
				pipelines = append(pipelines, found.Resource)
			case environment == "":
			case found.Service == "lambda":
				functions[environment] = append(functions[environment], found.String())
			case found.Service == "ecs":
				services[environment] = append(services[environment], found.Resource)
			}
		}
		if aws.ToString(out.PaginationToken) == "" {
			break
		}
		in.PaginationToken = out.PaginationToken
	}
	if len(pipelines) > 1 {
		return nil, fmt.Errorf("several pipelines bear the tag %s=%s (%s): name the stacks' outputs with --outputs instead", TagProject, project, strings.Join(pipelines, ", "))
	}
	d.Pipeline = strings.Join(pipelines, "")
	for name, arns := range functions {
		e, err := d.shifted(ctx, name, arns)
		if err != nil {
			return nil, err
		}
		if e != nil {
			d.Environments = append(d.Environments, *e)
			delete(services, name)
		}
	}
	for name, resources := range services {
		if parts := strings.Split(resources[0], "/"); len(resources) == 1 && len(parts) == 3 { // service/cluster/name
			d.Environments = append(d.Environments, rolling(name, parts[1], parts[2], ""))
		}
	}
	if len(d.Environments) == 0 {
		return nil, &NotFoundError{fmt.Sprintf("nothing here bears the tags %s=%s and %s=…: is this the right account and region, and is an environment up (`pulumi up`)?",
			TagProject, project, TagEnvironment)}
	}
	return d, d.order(ctx)
}

func tag(r tags.ResourceTagMapping, key string) string {
	for _, t := range r.Tags {
		if aws.ToString(t.Key) == key {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

func rolling(name, cluster, service, url string) Environment {
	return Environment{Name: name, Strategy: Rolling, Settings: settings.Settings{
		Environment: name, Cluster: cluster, URL: url, Blue: settings.Side{Service: service}}}
}

// shifted reads an environment from the settings of its function. It returns nil when none of the functions is the one that shifts
// traffic.
func (d *Delivery) shifted(ctx context.Context, name string, functions []string) (*Environment, error) {
	var found *Environment
	for _, function := range functions {
		out, err := d.Clients.Functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(function)})
		if err != nil {
			return nil, fmt.Errorf("reading the settings of %s: %w", function, err)
		}
		if out.Environment == nil || out.Environment.Variables[settings.Variable] == "" {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("environment %s has two functions that shift traffic, %s and %s: remove the one that is not its stack's", name, found.Settings.Function, function)
		}
		s, err := settings.Parse(out.Environment.Variables[settings.Variable])
		if err != nil {
			return nil, fmt.Errorf("the settings of %s are not those of this version of shiftctl: %w", function, err)
		}
		e := Environment{Name: name, Strategy: BlueGreen, Settings: s}
		if out.LoggingConfig != nil {
			e.LogGroup = aws.ToString(out.LoggingConfig.LogGroup)
		}
		e.plan, _ = s.Policy.Plan() // Parse has refused a policy with problems
		e.plan.Minimum = max(1, s.MinimumTasks)
		found = &e
	}
	return found, nil
}

// order sorts the environments as the pipeline delivers to them, others after them by name.
func (d *Delivery) order(ctx context.Context) error {
	if d.Pipeline != "" {
		out, err := d.Clients.Pipelines.GetPipeline(ctx, &codepipeline.GetPipelineInput{Name: aws.String(d.Pipeline)})
		if code(err) == (&types.PipelineNotFoundException{}).ErrorCode() {
			return fmt.Errorf("there is no pipeline %s: has the shared stack been destroyed? `pulumi up --stack shared` brings it back", d.Pipeline)
		} else if err != nil {
			return fmt.Errorf("reading the pipeline %s: %w", d.Pipeline, err)
		}
		d.stages = out.Pipeline.Stages
	}
	place := func(e Environment) int {
		at := slices.IndexFunc(d.stages, func(s types.StageDeclaration) bool { return aws.ToString(s.Name) == e.Name })
		if at < 0 {
			return len(d.stages)
		}
		return at
	}
	slices.SortFunc(d.Environments, func(a, b Environment) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a.Name, b.Name))
	})
	return nil
}

// Select leaves the named environment alone; an empty name keeps all.
func (d *Delivery) Select(name string) error {
	if name == "" {
		return nil
	}
	e, err := d.Environment(name)
	if err != nil {
		return err
	}
	d.Environments = []Environment{e}
	return nil
}

// Environment is the named one.
func (d *Delivery) Environment(name string) (Environment, error) {
	var known []string
	for _, e := range d.Environments {
		if e.Name == name {
			return e, nil
		}
		known = append(known, e.Name)
	}
	return Environment{}, &NotFoundError{fmt.Sprintf("there is no environment %s; there is %s", name, strings.Join(known, ", "))}
}

// world is the environment as the function sees it.
func (d *Delivery) world(e Environment) *adapter.World {
	return &adapter.World{Settings: e.Settings, Clients: d.Clients.World, Plan: e.plan, Now: d.Now, Log: silent}
}

func (d *Delivery) leases(e Environment) *adapter.Leases {
	return &adapter.Leases{Settings: e.Settings, Scheduler: d.Clients.World.Scheduler, Schedule: settings.Schedule, Now: d.Now, Log: silent}
}

var silent = slog.New(slog.DiscardHandler)
