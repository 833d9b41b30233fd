package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	stackType     = "pulumi:pulumi:Stack"
	referenceType = "pulumi:pulumi:StackReference"
)

// monitor is Pulumi's resource monitor for one run of one stack: it answers every registration at once, with an identifier
// and computed outputs in AWS's formats, and keeps what was declared. It is served to the SDK over gRPC as the engine's own
// is, because the SDK's mocks hide from their user what a component registers as its outputs.
type monitor struct {
	pulumirpc.UnimplementedResourceMonitorServer
	ctx   context.Context
	runs  *runs
	stack string
	cfg   map[string]string

	mu         sync.Mutex
	resources  map[string]*Resource
	states     map[string]resource.PropertyMap // by URN, for pulumi:pulumi:getResource
	exports    resource.PropertyMap
	references map[string]bool
	logs       []Log
	notes      map[string]bool
	problems   []error
}

func newMonitor(ctx context.Context, r *runs, stack string, cfg map[string]string) *monitor {
	return &monitor{
		ctx: ctx, runs: r, stack: stack, cfg: cfg,
		resources:  map[string]*Resource{},
		states:     map[string]resource.PropertyMap{},
		references: map[string]bool{},
		notes:      map[string]bool{},
	}
}

// graph is what was declared, in an order that does not depend on the run.
func (m *monitor) graph() *Graph {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := &Graph{Project: m.runs.project.Name, Stack: m.stack, Config: m.cfg, Logs: m.logs}
	for _, at := range slices.Sorted(maps.Keys(m.resources)) {
		g.Resources = append(g.Resources, *m.resources[at])
	}
	var secrets []string
	g.Exports, secrets = plainMap(m.exports)
	for _, path := range secrets {
		name, _, _ := strings.Cut(strings.ReplaceAll(path, "[", "."), ".")
		g.SecretExports = append(g.SecretExports, name)
	}
	g.SecretExports = slices.Compact(g.SecretExports)
	g.References = slices.Sorted(maps.Keys(m.references))
	g.Notes = slices.Sorted(maps.Keys(m.notes))
	return g
}

// problem chooses what to tell of a failed run: what the monitor itself refused, and the program's own error where it is
// not just the echo of that.
func (m *monitor) problem(own, run error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	problems := slices.Clone(m.problems)
	echo := func(err error) bool {
		return slices.ContainsFunc(m.problems, func(p error) bool { return strings.Contains(err.Error(), p.Error()) })
	}
	if own != nil && !echo(own) {
		problems = append(problems, own)
	}
	if run != nil && own == nil && !echo(run) {
		problems = append(problems, errors.New(strings.TrimPrefix(run.Error(), "waiting for RPCs: ")))
	}
	return errors.Join(problems...)
}

// refuse keeps a problem of the run and gives it the form in which gRPC carries it.
func (m *monitor) refuse(err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.ContainsFunc(m.problems, func(p error) bool { return p.Error() == err.Error() }) {
		m.problems = append(m.problems, err)
	}
	return status.Error(codes.Unknown, err.Error())
}

func (m *monitor) note(format string, values ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes[fmt.Sprintf(format, values...)] = true
}

var features = []pulumirpc.ResourceMonitorFeature{
	pulumirpc.ResourceMonitorFeature_RESOURCE_MONITOR_FEATURE_SECRETS,
	pulumirpc.ResourceMonitorFeature_RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
	pulumirpc.ResourceMonitorFeature_RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
	pulumirpc.ResourceMonitorFeature_RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
	pulumirpc.ResourceMonitorFeature_RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
	pulumirpc.ResourceMonitorFeature_RESOURCE_MONITOR_FEATURE_DELETED_WITH,
	pulumirpc.ResourceMonitorFeature_RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
	pulumirpc.ResourceMonitorFeature_RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
	pulumirpc.ResourceMonitorFeature_RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
	pulumirpc.ResourceMonitorFeature_RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
}

func (m *monitor) GetDeploymentInfo(context.Context, *emptypb.Empty) (*pulumirpc.DeploymentInfo, error) {
	return &pulumirpc.DeploymentInfo{Project: m.runs.project.Name, Stack: m.stack, SupportedFeatures: features}, nil
}

// RegisterResourceHook accepts a hook and never calls it: hooks run when a resource is really made.
func (m *monitor) RegisterResourceHook(context.Context, *pulumirpc.RegisterResourceHookRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// RegisterErrorHook accepts a hook and never calls it, as RegisterResourceHook does.
func (m *monitor) RegisterErrorHook(context.Context, *pulumirpc.RegisterErrorHookRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (m *monitor) RegisterPackage(
	_ context.Context, in *pulumirpc.RegisterPackageRequest,
) (*pulumirpc.RegisterPackageResponse, error) {
	return &pulumirpc.RegisterPackageResponse{Ref: in.GetName() + "@" + in.GetVersion()}, nil
}

func (m *monitor) SignalAndWaitForShutdown(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (m *monitor) RegisterResource(
	_ context.Context, in *pulumirpc.RegisterResourceRequest,
) (*pulumirpc.RegisterResourceResponse, error) {
	inputs, err := read(in.GetObject())
	if err != nil {
		return nil, m.refuse(fmt.Errorf("%s %q: %w", in.GetType(), in.GetName(), err))
	}
	r := m.declared(in, inputs)
	state, err := m.create(r, inputs)
	if err != nil {
		return nil, m.refuse(err)
	}
	if err := m.keep(r, state); err != nil {
		return nil, m.refuse(err)
	}
	object, err := write(state)
	if err != nil {
		return nil, m.refuse(fmt.Errorf("%s: %w", r.URN, err))
	}
	return &pulumirpc.RegisterResourceResponse{Urn: r.URN, Id: r.ID, Object: object}, nil
}

// declared reads a registration.
func (m *monitor) declared(in *pulumirpc.RegisterResourceRequest, inputs resource.PropertyMap) *Resource {
	r := &Resource{
		URN:  m.urn(in.GetParent(), in.GetType(), in.GetName()),
		Type: in.GetType(), Name: in.GetName(), Parent: in.GetParent(),
		Dependencies:         sorted(in.GetDependencies()),
		IgnoreChanges:        sorted(in.GetIgnoreChanges()),
		Protect:              in.GetProtect(),
		Custom:               in.GetCustom(),
		Remote:               in.GetRemote(),
		PropertyDependencies: map[string][]string{},
		Options: Options{
			Provider:                providerURN(in.GetProvider()),
			AdditionalSecretOutputs: sorted(in.GetAdditionalSecretOutputs()),
			ReplaceOnChanges:        sorted(in.GetReplaceOnChanges()),
			DeleteBeforeReplace:     in.GetDeleteBeforeReplace(),
			RetainOnDelete:          in.GetRetainOnDelete(),
			DeletedWith:             in.GetDeletedWith(),
			CreateTimeout:           in.GetCustomTimeouts().GetCreate(),
			UpdateTimeout:           in.GetCustomTimeouts().GetUpdate(),
			DeleteTimeout:           in.GetCustomTimeouts().GetDelete(),
			Import:                  in.GetImportId(),
		},
	}
	r.Inputs, r.Secrets = plainMap(inputs)
	for _, alias := range in.GetAliases() {
		r.Options.Aliases = append(r.Options.Aliases, m.alias(r, alias))
	}
	r.Options.Aliases = append(r.Options.Aliases, in.GetAliasURNs()...)
	if r.Remote && r.Options.Provider == "" {
		r.Options.Provider = providerURN(in.GetProviders()["aws"])
	}
	for property, on := range in.GetPropertyDependencies() {
		if len(on.GetUrns()) > 0 {
			r.PropertyDependencies[property] = sorted(on.GetUrns())
		}
	}
	return r
}

// create gives a resource its identifier and the state that the program sees.
func (m *monitor) create(r *Resource, inputs resource.PropertyMap) (resource.PropertyMap, error) {
	state := inputs.Copy()
	switch {
	case r.Remote:
		outputs, err := m.construct(r)
		if err != nil {
			return nil, err
		}
		maps.Copy(state, outputs)
	case r.Custom && m.runs.settings.unknowns && !strings.HasPrefix(r.Type, "pulumi:providers:"):
		// The SDK reads every property that is not there as unknown in a preview.
	case r.Custom:
		id, outputs, known := compute(m.circumstances(r))
		if r.Options.Import != "" {
			id = r.Options.Import
		}
		r.ID = id
		for key, value := range outputs {
			if _, set := state[resource.PropertyKey(key)]; !set {
				state[resource.PropertyKey(key)] = resource.NewPropertyValue(value)
			}
		}
		if !known {
			m.note("%s has no stand-in outputs here: of its computed properties, the program saw just id and arn", r.Type)
		}
	}
	for _, key := range r.Options.AdditionalSecretOutputs {
		if value, ok := state[resource.PropertyKey(key)]; ok && !value.IsSecret() {
			state[resource.PropertyKey(key)] = resource.MakeSecret(value)
		}
	}
	return state, nil
}

// keep records a resource; a second one of the same URN is refused, as the engine does.
func (m *monitor) keep(r *Resource, state resource.PropertyMap) error {
	r.Outputs, _ = plainMap(state)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, twice := m.resources[r.URN]; twice {
		return fmt.Errorf("two resources have the URN %s: give one of them another name", r.URN)
	}
	m.resources[r.URN] = r
	m.states[r.URN] = state
	return nil
}

func (m *monitor) ReadResource(
	_ context.Context, in *pulumirpc.ReadResourceRequest,
) (*pulumirpc.ReadResourceResponse, error) {
	inputs, err := read(in.GetProperties())
	if err != nil {
		return nil, m.refuse(fmt.Errorf("%s %q: %w", in.GetType(), in.GetName(), err))
	}
	r := &Resource{
		URN:  m.urn(in.GetParent(), in.GetType(), in.GetName()),
		Type: in.GetType(), Name: in.GetName(), Parent: in.GetParent(),
		Dependencies: sorted(in.GetDependencies()), IgnoreChanges: []string{},
		Custom: true, Read: true, ID: in.GetId(),
		Options: Options{Provider: providerURN(in.GetProvider())},
	}
	r.Inputs, r.Secrets = plainMap(inputs)
	state := inputs.Copy()
	if r.Type == referenceType {
		outputs, err := m.reference(r.ID)
		if err != nil {
			return nil, m.refuse(err)
		}
		maps.Copy(state, outputs)
	} else {
		_, outputs, known := compute(m.circumstances(r))
		for key, value := range outputs {
			state[resource.PropertyKey(key)] = resource.NewPropertyValue(value)
		}
		if strings.HasPrefix(r.ID, "arn:") {
			state["arn"] = resource.NewProperty(r.ID)
		}
		if !known {
			m.note("%s has no stand-in outputs here: what was looked up as %s has just id and arn", r.Type, r.ID)
		}
	}
	if err := m.keep(r, state); err != nil {
		return nil, m.refuse(err)
	}
	properties, err := write(state)
	if err != nil {
		return nil, m.refuse(fmt.Errorf("%s: %w", r.URN, err))
	}
	return &pulumirpc.ReadResourceResponse{Urn: r.URN, Properties: properties}, nil
}

// reference answers a stack reference: by the outputs that the caller gave, or by running that stack.
func (m *monitor) reference(name string) (resource.PropertyMap, error) {
	outputs, secrets := m.runs.settings.outputs[name], []string(nil)
	stack := name
	if outputs == nil {
		parts := strings.Split(name, "/")
		stack = parts[len(parts)-1]
		if len(parts) > 1 && parts[len(parts)-2] != m.runs.project.Name {
			return nil, fmt.Errorf("the stack reference %s leads out of the project %s: its outputs are not known here",
				name, m.runs.project.Name)
		}
		g, err := m.runs.graph(m.ctx, m.stack, stack)
		if err != nil {
			return nil, err
		}
		outputs, secrets = g.Exports, g.SecretExports
	}
	values := resource.NewPropertyMapFromMap(outputs)
	for key, value := range values {
		value = computedWhereUnknown(value)
		if slices.Contains(secrets, string(key)) {
			value = resource.MakeSecret(value)
		}
		values[key] = value
	}
	m.mu.Lock()
	m.references[stack] = true
	m.mu.Unlock()
	names := resource.NewPropertyValue(secrets)
	return resource.PropertyMap{
		"name": resource.NewProperty(name), "outputs": resource.NewProperty(values), "secretOutputNames": names,
	}, nil
}

func (m *monitor) RegisterResourceOutputs(
	_ context.Context, in *pulumirpc.RegisterResourceOutputsRequest,
) (*emptypb.Empty, error) {
	outputs, err := read(in.GetOutputs())
	if err != nil {
		return nil, m.refuse(fmt.Errorf("%s: %w", in.GetUrn(), err))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.resources[in.GetUrn()]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "outputs registered for %s, which was never registered", in.GetUrn())
	}
	r.Registered, _ = plainMap(outputs)
	if r.Type == stackType {
		m.exports = outputs
	}
	for key, value := range outputs {
		m.states[r.URN][key] = value
	}
	return &emptypb.Empty{}, nil
}

func (m *monitor) Invoke(
	_ context.Context, in *pulumirpc.ResourceInvokeRequest,
) (*pulumirpc.ResourceInvokeResponse, error) {
	args, err := read(in.GetArgs())
	if err != nil {
		return nil, m.refuse(fmt.Errorf("%s: %w", in.GetTok(), err))
	}
	if in.GetTok() == "pulumi:pulumi:getResource" {
		return m.getResource(args)
	}
	if in.GetTok() == "pulumi:pulumi:readStackOutputs" {
		outputs, err := m.reference(args["name"].StringValue())
		if err != nil {
			return nil, m.refuse(err)
		}
		object, err := write(outputs)
		return &pulumirpc.ResourceInvokeResponse{Return: object}, err
	}
	plain, secrets := plainMap(args)
	answer, err := m.invoke(in.GetTok(), plain, in.GetProvider())
	if err != nil {
		return nil, m.refuse(err)
	}
	result := resource.NewPropertyMapFromMap(answer)
	if len(secrets) > 0 {
		for key, value := range result {
			result[key] = resource.MakeSecret(value)
		}
	}
	object, err := write(result)
	if err != nil {
		return nil, m.refuse(fmt.Errorf("%s: %w", in.GetTok(), err))
	}
	return &pulumirpc.ResourceInvokeResponse{Return: object}, nil
}

// getResource is how the SDK turns a reference to a resource back into one.
func (m *monitor) getResource(args resource.PropertyMap) (*pulumirpc.ResourceInvokeResponse, error) {
	at := args["urn"].StringValue()
	m.mu.Lock()
	r, ok := m.resources[at]
	state := m.states[at].Copy()
	m.mu.Unlock()
	if !ok {
		return nil, m.refuse(fmt.Errorf("the program refers to %s, which was never registered", at))
	}
	object, err := write(resource.PropertyMap{
		"urn": resource.NewProperty(at), "id": resource.NewProperty(r.ID), "state": resource.NewProperty(state),
	})
	if err != nil {
		return nil, m.refuse(fmt.Errorf("%s: %w", at, err))
	}
	return &pulumirpc.ResourceInvokeResponse{Return: object}, nil
}

func (m *monitor) Call(_ context.Context, in *pulumirpc.ResourceCallRequest) (*pulumirpc.CallResponse, error) {
	return nil, m.refuse(fmt.Errorf("the method %s runs inside its provider and has no answer here", in.GetTok()))
}

// engine takes the program's messages.
type engine struct {
	pulumirpc.UnimplementedEngineServer
	monitor *monitor
}

func (e *engine) Log(_ context.Context, in *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	if in.GetSeverity() == pulumirpc.LogSeverity_ERROR {
		_ = e.monitor.refuse(errors.New(in.GetMessage())) // an error in the log fails a run of the engine too
		return &emptypb.Empty{}, nil
	}
	e.monitor.mu.Lock()
	defer e.monitor.mu.Unlock()
	severity := strings.ToLower(in.GetSeverity().String())
	e.monitor.logs = append(e.monitor.logs, Log{Severity: severity, Message: in.GetMessage(), URN: in.GetUrn()})
	return &emptypb.Empty{}, nil
}

func (e *engine) RequirePulumiVersion(
	context.Context, *pulumirpc.RequirePulumiVersionRequest,
) (*pulumirpc.RequirePulumiVersionResponse, error) {
	return &pulumirpc.RequirePulumiVersionResponse{}, nil
}

func read(object *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(object, plugin.MarshalOptions{
		KeepUnknowns: true, KeepSecrets: true, KeepResources: true, KeepOutputValues: true, ComputeAssetHashes: true,
	})
}

func write(properties resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(properties, plugin.MarshalOptions{
		KeepUnknowns: true, KeepSecrets: true, KeepResources: true,
	})
}

// urn names a resource by the types of its parents and its own type and name.
func (m *monitor) urn(parent, typ, name string) string {
	var parentType tokens.Type
	if parent != "" {
		if at := urn.URN(parent); at.Type() != stackType {
			parentType = at.QualifiedType()
		}
	}
	return string(urn.New(tokens.QName(m.stack), tokens.PackageName(m.runs.project.Name), parentType, tokens.Type(typ), name))
}

// providerURN cuts the identifier from a provider reference (`<urn>::<id>`).
func providerURN(reference string) string {
	if at := strings.LastIndex(reference, "::"); at >= 0 {
		return reference[:at]
	}
	return reference
}

// alias is the URN that an alias means: what it does not say is as the resource itself has it.
func (m *monitor) alias(r *Resource, alias *pulumirpc.Alias) string {
	spec := alias.GetSpec()
	if spec == nil {
		return alias.GetUrn()
	}
	parent := r.Parent
	if spec.GetParentUrn() != "" {
		parent = spec.GetParentUrn()
	}
	if spec.GetNoParent() {
		parent = ""
	}
	at := urn.URN(m.urn(parent, cmp.Or(spec.GetType(), r.Type), cmp.Or(spec.GetName(), r.Name)))
	stack, project := cmp.Or(spec.GetStack(), m.stack), cmp.Or(spec.GetProject(), m.runs.project.Name)
	return string(urn.New(tokens.QName(stack), tokens.PackageName(project), "", at.QualifiedType(), at.Name()))
}

func sorted(values []string) []string {
	copied := slices.Clone(values)
	slices.Sort(copied)
	if copied == nil {
		copied = []string{}
	}
	return slices.Compact(copied)
}
