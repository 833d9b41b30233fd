package standin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Package describes one Pulumi package that the provider stands in for.
type Package struct {
	// Name is the package's, such as aws.
	Name string
	// Arguments are the declared properties of each resource type, by token.
	Arguments map[string]Args
	// Compute returns a new resource's physical id and its computed outputs; inputs are plain values.
	Compute func(typ, name string, urn string, inputs map[string]any) (id string, outputs map[string]any)
	// Invoke answers a data source.
	Invoke func(token string, args map[string]any) (map[string]any, error)
	// Component returns the outputs of a remote component; nil where the package has none.
	Component func(typ, name string, inputs map[string]any) (map[string]any, error)
	// Services stand behind resource types, by token; a type without one is kept in the World alone.
	Services map[string]Service
	// Replaces says whether a change of the property makes AWS replace the resource.
	Replaces func(typ, property string) bool
}

// Serve starts a provider for the package on loopback, to which an engine attaches when PULUMI_DEBUG_PROVIDERS names its
// port. It ends with ctx.
func (w *World) Serve(ctx context.Context, p Package) (port int, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("serving the stand-in for %s: %w", p.Name, err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	pulumirpc.RegisterResourceProviderServer(server, plugin.NewProviderServer(&provider{world: w, pkg: p}))
	context.AfterFunc(ctx, server.Stop)
	go server.Serve(listener) //nolint:errcheck // ends with ctx; a failure shows as the engine's own
	return listener.Addr().(*net.TCPAddr).Port, nil
}

type provider struct {
	plugin.UnimplementedProvider
	world *World
	pkg   Package
}

func (p *provider) Handshake(context.Context, plugin.ProviderHandshakeRequest) (*plugin.ProviderHandshakeResponse, error) {
	return &plugin.ProviderHandshakeResponse{AcceptSecrets: true, AcceptResources: true, AcceptOutputs: true}, nil
}

func (p *provider) Close() error                             { return nil }
func (p *provider) SignalCancellation(context.Context) error { return nil }

func (p *provider) Attach(string) error { return nil }

func (p *provider) GetPluginInfo(context.Context) (plugin.PluginInfo, error) {
	// Newer than any version that a program asks for.
	return plugin.PluginInfo{Version: &semver.Version{Major: 1000}}, nil
}

func (p *provider) GetMapping(context.Context, plugin.GetMappingRequest) (plugin.GetMappingResponse, error) {
	return plugin.GetMappingResponse{}, nil
}

func (p *provider) CheckConfig(_ context.Context, r plugin.CheckConfigRequest) (plugin.CheckConfigResponse, error) {
	return plugin.CheckConfigResponse{Properties: r.News}, nil
}

func (p *provider) DiffConfig(_ context.Context, r plugin.DiffConfigRequest) (plugin.DiffConfigResponse, error) {
	if r.OldInputs.DeepEquals(r.NewInputs) {
		return plugin.DiffConfigResponse{Changes: plugin.DiffNone}, nil
	}
	return plugin.DiffConfigResponse{Changes: plugin.DiffSome}, nil
}

func (p *provider) Configure(context.Context, plugin.ConfigureRequest) (plugin.ConfigureResponse, error) {
	return plugin.ConfigureResponse{}, nil
}

// Check refuses what the package does not declare, and gives a name to what AWS must be able to call by one.
func (p *provider) Check(_ context.Context, r plugin.CheckRequest) (plugin.CheckResponse, error) {
	args, known := p.pkg.Arguments[string(r.Type)]
	if !known {
		return plugin.CheckResponse{}, fmt.Errorf("the stand-in for %s knows no resource type %s: add it to the table of its arguments",
			p.pkg.Name, r.Type)
	}
	t := args.ElementType()
	news := r.News.Copy()
	if _, named := declared(t)["name"]; named && !news.HasValue("name") && !news.HasValue("namePrefix") {
		if old, had := r.Olds["name"]; had {
			news["name"] = old
		} else if r.Autonaming != nil && r.Autonaming.ProposedName != "" {
			news["name"] = resource.NewProperty(r.Autonaming.ProposedName)
		} else {
			name, err := resource.NewUniqueName(r.RandomSeed, r.Name+"-", 7, 0, nil)
			if err != nil {
				return plugin.CheckResponse{}, fmt.Errorf("naming %s: %w", r.URN, err)
			}
			news["name"] = resource.NewProperty(name)
		}
	}
	return plugin.CheckResponse{Properties: news, Failures: check(t, news)}, nil
}

func (p *provider) Diff(_ context.Context, r plugin.DiffRequest) (plugin.DiffResponse, error) {
	changed := differing(r.OldInputs, r.NewInputs)
	if len(changed) == 0 {
		return plugin.DiffResponse{Changes: plugin.DiffNone}, nil
	}
	diff := plugin.DiffResponse{Changes: plugin.DiffSome, DetailedDiff: map[string]plugin.PropertyDiff{}}
	for _, key := range changed {
		kind := plugin.DiffUpdate
		if p.pkg.Replaces(string(r.Type), string(key)) {
			diff.ReplaceKeys = append(diff.ReplaceKeys, key)
			kind = plugin.DiffUpdateReplace
		}
		diff.ChangedKeys = append(diff.ChangedKeys, key)
		diff.DetailedDiff[string(key)] = plugin.PropertyDiff{Kind: kind, InputDiff: true}
	}
	// A name that the program chose cannot be held by two resources at once.
	_, given := r.NewInputs["name"]
	diff.DeleteBeforeReplace = len(diff.ReplaceKeys) > 0 && given && r.OldInputs["name"].DeepEquals(r.NewInputs["name"])
	return diff, nil
}

func (p *provider) Create(ctx context.Context, r plugin.CreateRequest) (plugin.CreateResponse, error) {
	if r.Preview {
		return plugin.CreateResponse{Properties: r.Properties}, nil
	}
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	if err := p.world.begin(Call{Operation: "create", URN: r.URN}); err != nil {
		return plugin.CreateResponse{}, err
	}
	plain := bare(r.Properties)
	id, properties, err := p.world.conceive(p.pkg, r, plain)
	if err != nil {
		return plugin.CreateResponse{}, err
	}
	if service := p.pkg.Services[string(r.Type)]; service != nil {
		computed, err := service.Create(ctx, asDeclared(r.URN, id, plain, properties))
		if err != nil {
			return plugin.CreateResponse{}, err
		}
		maps.Copy(properties, resource.NewPropertyMapFromMap(computed))
	}
	p.world.births++
	p.world.live[p.pkg.identity(string(r.Type), id, properties)] = &Live{
		ID: id, URN: r.URN, Type: string(r.Type), Properties: properties,
		inputs: slices.Collect(maps.Keys(plain)), born: p.world.births,
	}
	return plugin.CreateResponse{ID: resource.ID(id), Properties: resecret(properties.Copy(), r.Properties)}, nil
}

// identity is what a resource is found by again: its ARN, unless that is an input (the target of a rule), or else its id.
func (p Package) identity(typ, id string, properties resource.PropertyMap) string {
	args, known := p.Arguments[typ]
	if arn, ok := properties["arn"]; ok && arn.IsString() && known {
		if _, input := declared(args.ElementType())["arn"]; !input {
			return arn.StringValue()
		}
	}
	// Several types share an id: a bucket's settings have the bucket's.
	return typ + " " + id
}

// attempts is how many identifiers are tried for a resource that is made while its predecessor still lives.
const attempts = 3

// conceive finds an identity that nothing live has. One that follows from a name which the program chose cannot be had twice.
func (w *World) conceive(p Package, r plugin.CreateRequest, plain resource.PropertyMap) (string, resource.PropertyMap, error) {
	for attempt := range attempts {
		urn := string(r.URN)
		if attempt > 0 {
			urn = fmt.Sprintf("%s#%d", urn, attempt)
		}
		id, computed := p.Compute(string(r.Type), r.Name, urn, plain.Mappable())
		properties := resource.NewPropertyMapFromMap(computed)
		maps.Copy(properties, plain)
		if r.Type == "aws:ecs/taskDefinition:TaskDefinition" {
			w.revisions[id]++
			properties["revision"] = resource.NewProperty(float64(w.revisions[id]))
			properties["arn"] = resource.NewProperty(fmt.Sprintf("%s:%d", properties["arnWithoutRevision"].StringValue(), w.revisions[id]))
		}
		if id == "" {
			return "", nil, fmt.Errorf("the stand-in computed no id for %s", r.URN)
		}
		if _, taken := w.live[p.identity(string(r.Type), id, properties)]; !taken {
			return id, properties, nil
		}
	}
	return "", nil, fmt.Errorf("AlreadyExists: something with the identity of %s lives already", r.URN)
}

func (p *provider) Read(_ context.Context, r plugin.ReadRequest) (plugin.ReadResponse, error) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	live, ok := p.world.live[p.pkg.identity(string(r.Type), string(r.ID), r.State)]
	if !ok {
		return plugin.ReadResponse{}, nil
	}
	inputs := resource.PropertyMap{}
	for _, key := range live.inputs {
		inputs[key] = live.Properties[key]
	}
	return plugin.ReadResponse{ReadResult: plugin.ReadResult{
		ID: r.ID, Inputs: resecret(inputs, r.Inputs), Outputs: resecret(live.Properties.Copy(), r.Inputs),
	}}, nil
}

// Update sends, as the real providers do, only the properties that differ between the old inputs and the new ones.
func (p *provider) Update(ctx context.Context, r plugin.UpdateRequest) (plugin.UpdateResponse, error) {
	changed := differing(r.OldInputs, r.NewInputs)
	if r.Preview {
		properties := r.OldOutputs.Copy()
		for _, key := range changed {
			properties[key] = r.NewInputs[key]
		}
		return plugin.UpdateResponse{Properties: properties}, nil
	}
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	live, ok := p.world.live[p.pkg.identity(string(r.Type), string(r.ID), r.OldOutputs)]
	if !ok {
		return plugin.UpdateResponse{}, fmt.Errorf("NotFound: %s (%s) does not exist", r.ID, r.URN)
	}
	call := Call{Operation: "update", URN: r.URN}
	for _, key := range changed {
		call.Changed = append(call.Changed, string(key))
	}
	if err := p.world.begin(call); err != nil {
		return plugin.UpdateResponse{}, err
	}
	plain := bare(r.NewInputs)
	if service := p.pkg.Services[string(r.Type)]; service != nil {
		prior := asDeclared(r.URN, string(r.ID), r.OldInputs, r.OldOutputs)
		if err := service.Update(ctx, prior, asDeclared(r.URN, string(r.ID), r.NewInputs, r.OldOutputs)); err != nil {
			return plugin.UpdateResponse{}, err
		}
	}
	for _, key := range changed {
		if value, given := plain[key]; given {
			live.Properties[key] = value
		} else {
			delete(live.Properties, key)
		}
	}
	live.inputs = slices.Collect(maps.Keys(plain))
	return plugin.UpdateResponse{Properties: resecret(live.Properties.Copy(), r.NewInputs)}, nil
}

func (p *provider) Delete(ctx context.Context, r plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	key := p.pkg.identity(string(r.Type), string(r.ID), r.Outputs)
	live, ok := p.world.live[key]
	if !ok {
		return plugin.DeleteResponse{}, nil
	}
	for _, guard := range []resource.PropertyKey{"enableDeletionProtection", "deletionProtection"} {
		if v, set := live.Properties[guard]; set && v.IsBool() && v.BoolValue() {
			return plugin.DeleteResponse{Status: resource.StatusOK},
				fmt.Errorf("OperationNotPermitted: %s cannot be deleted because %s is on", r.ID, guard)
		}
	}
	if err := p.world.begin(Call{Operation: "delete", URN: r.URN}); err != nil {
		return plugin.DeleteResponse{Status: resource.StatusOK}, err
	}
	if service := p.pkg.Services[string(r.Type)]; service != nil {
		if err := service.Delete(ctx, asDeclared(r.URN, string(r.ID), r.Inputs, r.Outputs)); err != nil {
			return plugin.DeleteResponse{Status: resource.StatusOK}, err
		}
	}
	delete(p.world.live, key)
	return plugin.DeleteResponse{}, nil
}

func (p *provider) Invoke(_ context.Context, r plugin.InvokeRequest) (plugin.InvokeResponse, error) {
	out, err := p.pkg.Invoke(string(r.Tok), bare(r.Args).Mappable())
	if err != nil {
		return plugin.InvokeResponse{}, err
	}
	return plugin.InvokeResponse{Properties: resource.NewPropertyMapFromMap(out)}, nil
}

// Construct registers a remote component with the engine that asked for it, and gives it its outputs.
func (p *provider) Construct(ctx context.Context, r plugin.ConstructRequest) (plugin.ConstructResponse, error) {
	if p.pkg.Component == nil {
		return plugin.ConstructResponse{}, fmt.Errorf("the package %s has no components", p.pkg.Name)
	}
	outputs, err := p.pkg.Component(string(r.Type), r.Name, bare(r.Inputs).Mappable())
	if err != nil {
		return plugin.ConstructResponse{}, err
	}
	connection, err := grpc.NewClient(r.Info.MonitorAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return plugin.ConstructResponse{}, fmt.Errorf("reaching the engine's monitor: %w", err)
	}
	defer connection.Close()
	monitor := pulumirpc.NewResourceMonitorClient(connection)
	registered, err := monitor.RegisterResource(ctx, &pulumirpc.RegisterResourceRequest{
		Type: string(r.Type), Name: r.Name, Parent: string(r.Parent), AcceptSecrets: true, AcceptResources: true,
	})
	if err != nil {
		return plugin.ConstructResponse{}, err
	}
	state := resource.NewPropertyMapFromMap(outputs)
	object, err := plugin.MarshalProperties(state, plugin.MarshalOptions{KeepSecrets: true, KeepResources: true})
	if err != nil {
		return plugin.ConstructResponse{}, err
	}
	if _, err = monitor.RegisterResourceOutputs(ctx, &pulumirpc.RegisterResourceOutputsRequest{
		Urn: registered.Urn, Outputs: object,
	}); err != nil {
		return plugin.ConstructResponse{}, err
	}
	return plugin.ConstructResponse{URN: resource.URN(registered.Urn), Outputs: state}, nil
}

func (p *provider) Parameterize(context.Context, plugin.ParameterizeRequest) (plugin.ParameterizeResponse, error) {
	return plugin.ParameterizeResponse{}, errors.New("the stand-in cannot be parameterized")
}

func (p *provider) GetSchema(context.Context, plugin.GetSchemaRequest) (plugin.GetSchemaResponse, error) {
	return plugin.GetSchemaResponse{Schema: fmt.Appendf(nil, `{"name":%q}`, p.pkg.Name)}, nil
}

// differing returns the top-level properties whose values are not the same, sorted; the engine's own marks are left out.
func differing(old, new resource.PropertyMap) []resource.PropertyKey {
	old, new = bare(old), bare(new)
	keys := maps.Clone(old)
	maps.Copy(keys, new)
	var changed []resource.PropertyKey
	for key := range keys {
		if !strings.HasPrefix(string(key), "__") && !old[key].DeepEquals(new[key]) {
			changed = append(changed, key)
		}
	}
	slices.Sort(changed)
	return changed
}

// bare removes the wrappers of secrets and known outputs, at every depth.
func bare(m resource.PropertyMap) resource.PropertyMap {
	out := resource.PropertyMap{}
	for key, value := range m {
		if v := bareValue(value); !v.IsNull() {
			out[key] = v
		}
	}
	return out
}

func bareValue(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsSecret():
		return bareValue(v.SecretValue().Element)
	case v.IsOutput() && v.OutputValue().Known:
		return bareValue(v.OutputValue().Element)
	case v.IsOutput():
		return resource.MakeComputed(resource.NewProperty(""))
	case v.IsArray():
		out := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, element := range v.ArrayValue() {
			out[i] = bareValue(element)
		}
		return resource.NewProperty(out)
	case v.IsObject():
		return resource.NewProperty(bare(v.ObjectValue()))
	}
	return v
}

// resecret marks a property as secret again where the given inputs hold a secret in it.
func resecret(properties, given resource.PropertyMap) resource.PropertyMap {
	for key, value := range given {
		if current, ok := properties[key]; ok && value.ContainsSecrets() && !current.IsSecret() {
			properties[key] = resource.MakeSecret(current)
		}
	}
	return properties
}

var _ plugin.Provider = (*provider)(nil)
