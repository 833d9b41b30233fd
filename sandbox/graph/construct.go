package graph

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// construct makes the children that a remote component's own provider would make, and returns the component's outputs.
func (m *monitor) construct(r *Resource) (resource.PropertyMap, error) {
	if r.Type == "awsx:ec2:Vpc" {
		return m.vpc(r)
	}
	return nil, fmt.Errorf("the component %s (%q) is made inside its provider, which is not here: add it to sandbox/graph/construct.go",
		r.Type, r.Name)
}

// vpc makes what awsx v2 makes for its Vpc: the network itself, an internet gateway, the subnets of every zone with a route
// table each, NAT gateways by the strategy, and the endpoints.
func (m *monitor) vpc(r *Resource) (resource.PropertyMap, error) {
	_, region := m.place(r.Options.Provider)
	zones, err := vpcZones(r, region)
	if err != nil {
		return nil, err
	}
	network, _ := r.Inputs["cidrBlock"].(string)
	if network == "" {
		network = "10.0.0.0/16"
	}
	block, err := netip.ParsePrefix(network)
	if err != nil {
		return nil, fmt.Errorf("%s: cidrBlock: %w (a right value is 10.0.0.0/16)", r.URN, err)
	}
	subnets, err := vpcSubnets(r, block.Masked(), zones)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.URN, err)
	}
	nat, addresses, err := natStrategy(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.URN, err)
	}

	made := children{monitor: m, component: r}
	tags, _ := r.Inputs["tags"].(map[string]any)
	tagged := func(name string, more map[string]any) map[string]any {
		all := map[string]any{"Name": name}
		maps.Copy(all, tags)
		maps.Copy(all, more)
		return all
	}
	inner := map[string]any{"cidrBlock": network, "tags": tagged(r.Name, nil)}
	for _, property := range []string{"enableDnsHostnames", "enableDnsSupport", "instanceTenancy", "enableNetworkAddressUsageMetrics"} {
		if value, ok := r.Inputs[property]; ok {
			inner[property] = value
		}
	}
	vpc := made.add(r, "aws:ec2/vpc:Vpc", r.Name, inner)
	gateway := made.add(vpc, "aws:ec2/internetGateway:InternetGateway", r.Name,
		map[string]any{"vpcId": made.id(vpc), "tags": tagged(r.Name, nil)}, vpc)
	endpoints, _ := r.Inputs["vpcEndpointSpecs"].([]any)
	for _, entry := range endpoints {
		spec, _ := entry.(map[string]any)
		inputs := map[string]any{"vpcId": made.id(vpc)}
		maps.Copy(inputs, spec)
		made.add(vpc, "aws:ec2/vpcEndpoint:VpcEndpoint", fmt.Sprint(spec["serviceName"]), inputs, vpc)
	}

	var gateways []*Resource
	ids := map[string][]any{"public": {}, "private": {}, "isolated": {}}
	for _, s := range subnets {
		more := maps.Clone(s.tags)
		if more == nil {
			more = map[string]any{}
		}
		more["Name"], more["SubnetType"] = s.name, s.typ
		kind := strings.ToLower(s.typ)
		subnet := made.add(vpc, "aws:ec2/subnet:Subnet", s.name, map[string]any{
			"vpcId": made.id(vpc), "availabilityZone": zones[s.zone], "cidrBlock": s.block.String(),
			"mapPublicIpOnLaunch": kind == "public", "tags": tagged(s.name, more)}, vpc)
		ids[kind] = append(ids[kind], made.id(subnet))
		table := made.add(subnet, "aws:ec2/routeTable:RouteTable", s.name,
			map[string]any{"vpcId": made.id(vpc), "tags": tagged(s.name, map[string]any{"Name": s.name, "SubnetType": s.typ})}, subnet)
		made.add(table, "aws:ec2/routeTableAssociation:RouteTableAssociation", s.name,
			map[string]any{"routeTableId": made.id(table), "subnetId": made.id(subnet)}, table)

		if kind == "public" && (nat == "single" && len(gateways) == 0 || nat == "oneperaz" && len(gateways) <= s.zone) {
			name := fmt.Sprintf("%s-%d", r.Name, s.zone+1)
			inputs := map[string]any{"subnetId": made.id(subnet), "tags": tagged(name, map[string]any{"Name": name})}
			if len(addresses) > 0 {
				inputs["allocationId"] = addresses[len(gateways)]
			} else {
				address := made.add(subnet, "aws:ec2/eip:Eip", name, map[string]any{"tags": inputs["tags"]}, subnet)
				inputs["allocationId"] = made.output(address, "allocationId")
			}
			gateways = append(gateways, made.add(subnet, "aws:ec2/natGateway:NatGateway", name, inputs, subnet))
		}
		route := map[string]any{"routeTableId": made.id(table), "destinationCidrBlock": "0.0.0.0/0"}
		switch {
		case kind == "public":
			route["gatewayId"] = made.id(gateway)
		case kind == "private" && nat == "single":
			route["natGatewayId"] = made.id(gateways[0])
		case kind == "private" && nat == "oneperaz":
			route["natGatewayId"] = made.id(gateways[s.zone])
		default:
			continue
		}
		made.add(table, "aws:ec2/route:Route", s.name, route, table)
	}
	if made.err != nil {
		return nil, made.err
	}
	outputs := resource.PropertyMap{}
	for name, value := range map[string]any{
		"vpcId": made.id(vpc), "publicSubnetIds": ids["public"], "privateSubnetIds": ids["private"], "isolatedSubnetIds": ids["isolated"],
	} {
		outputs[resource.PropertyKey(name)] = computedWhereUnknown(resource.NewPropertyValue(value))
	}
	references := map[string]*Resource{"vpc": vpc, "internetGateway": gateway}
	for name, child := range references {
		outputs[resource.PropertyKey(name)] = made.reference(child)
	}
	lists := map[string]string{
		"subnets": "aws:ec2/subnet:Subnet", "routeTables": "aws:ec2/routeTable:RouteTable", "routes": "aws:ec2/route:Route",
		"routeTableAssociations": "aws:ec2/routeTableAssociation:RouteTableAssociation",
		"natGateways":            "aws:ec2/natGateway:NatGateway", "eips": "aws:ec2/eip:Eip", "vpcEndpoints": "aws:ec2/vpcEndpoint:VpcEndpoint",
	}
	for name, typ := range lists {
		all := []resource.PropertyValue{}
		for _, child := range made.all {
			if child.Type == typ {
				all = append(all, made.reference(child))
			}
		}
		outputs[resource.PropertyKey(name)] = resource.NewProperty(all)
	}
	return outputs, nil
}

// children registers what a component's provider makes.
type children struct {
	monitor   *monitor
	component *Resource
	all       []*Resource
	err       error
}

func (c *children) add(parent *Resource, typ, name string, inputs map[string]any, after ...*Resource) *Resource {
	r := &Resource{
		URN:  c.monitor.urn(parent.URN, typ, name),
		Type: typ, Name: name, Parent: parent.URN, Custom: true,
		Inputs: inputs, Dependencies: []string{}, IgnoreChanges: []string{}, PropertyDependencies: map[string][]string{},
		Options: Options{Provider: c.component.Options.Provider},
	}
	for property, value := range inputs {
		for _, other := range c.all {
			if other.ID != "" && value == other.ID {
				r.PropertyDependencies[property] = []string{other.URN}
				r.Dependencies = append(r.Dependencies, other.URN)
			}
		}
	}
	for _, other := range after {
		r.Dependencies = append(r.Dependencies, other.URN)
	}
	r.Dependencies = sorted(r.Dependencies)
	state, err := c.monitor.create(r, resource.NewPropertyMapFromMap(inputs))
	if err == nil {
		err = c.monitor.keep(r, state)
	}
	if err != nil && c.err == nil {
		c.err = err
	}
	c.all = append(c.all, r)
	return r
}

func (c *children) id(r *Resource) string {
	if r.ID == "" {
		return Unknown
	}
	return r.ID
}

func (c *children) output(r *Resource, property string) any {
	if value, ok := r.Outputs[property]; ok {
		return value
	}
	return Unknown
}

func (c *children) reference(r *Resource) resource.PropertyValue {
	id := resource.NewProperty(r.ID)
	if r.ID == "" {
		id = resource.MakeComputed(resource.NewProperty(""))
	}
	return resource.NewProperty(resource.ResourceReference{URN: resource.URN(r.URN), ID: id})
}

// computedWhereUnknown turns the text Unknown back into Pulumi's unknown value.
func computedWhereUnknown(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsString() && value.StringValue() == Unknown:
		return resource.MakeComputed(resource.NewProperty(""))
	case value.IsArray():
		elements := slices.Clone(value.ArrayValue())
		for i := range elements {
			elements[i] = computedWhereUnknown(elements[i])
		}
		return resource.NewProperty(elements)
	case value.IsObject():
		object := value.ObjectValue().Copy()
		for key := range object {
			object[key] = computedWhereUnknown(object[key])
		}
		return resource.NewProperty(object)
	default:
		return value
	}
}

func vpcZones(r *Resource, region string) ([]string, error) {
	if names, ok := r.Inputs["availabilityZoneNames"].([]any); ok && len(names) > 0 {
		zones := make([]string, len(names))
		for i, name := range names {
			zones[i] = fmt.Sprint(name)
		}
		return zones, nil
	}
	count := 3
	if given, ok := r.Inputs["numberOfAvailabilityZones"].(float64); ok {
		count = int(given)
	}
	zones := availabilityZones(region)
	if count < 1 || count > len(zones) {
		return nil, fmt.Errorf("%s: numberOfAvailabilityZones is %d: a right value is 1 to %d", r.URN, count, len(zones))
	}
	return zones[:count], nil
}

func natStrategy(r *Resource) (strategy string, addresses []any, err error) {
	nat, _ := r.Inputs["natGateways"].(map[string]any)
	given, _ := nat["strategy"].(string)
	addresses, _ = nat["elasticIpAllocationIds"].([]any)
	switch strategy = strings.ToLower(given); strategy {
	case "":
		return "oneperaz", addresses, nil
	case "none", "single", "oneperaz":
		return strategy, addresses, nil
	}
	return "", nil, fmt.Errorf("natGateways.strategy is %q: a right value is None, Single or OnePerAz", given)
}

// subnet is one subnet of a VPC's layout.
type subnet struct {
	zone  int
	name  string
	typ   string // Public, Private or Isolated
	block netip.Prefix
	tags  map[string]any
}

// vpcSubnets lays the subnets out as awsx does: the VPC's block is divided evenly among the zones, and each zone's part is
// filled from its beginning. The order and the default sizes are those of the strategy Legacy, or those of the specs for Auto
// and Exact. Public subnets come first in the result, zone by zone, because NAT gateways stand in them.
func vpcSubnets(r *Resource, network netip.Prefix, zones []string) ([]subnet, error) {
	strategy, _ := r.Inputs["subnetStrategy"].(string)
	specs, _ := r.Inputs["subnetSpecs"].([]any)
	legacy := strategy == "" || strategy == "Legacy"
	if specs == nil {
		specs = []any{map[string]any{"type": "Private"}, map[string]any{"type": "Public"}}
	}
	order := []string{"public", "private", "isolated"}
	typ := func(spec any) string {
		object, _ := spec.(map[string]any)
		return fmt.Sprint(object["type"])
	}
	if legacy {
		by := []string{"private", "public", "isolated"}
		specs = slices.Clone(specs)
		slices.SortStableFunc(specs, func(a, b any) int {
			return slices.Index(by, strings.ToLower(typ(a))) - slices.Index(by, strings.ToLower(typ(b)))
		})
	}
	zoneBits := network.Bits() + bits.Len(uint(len(zones)-1))
	defaults := func(kind string) int {
		if r.Inputs["subnetSpecs"] == nil {
			start := zoneBits
			if !legacy {
				start = max(start, 16) // Auto leaves what is beyond a /16 to later subnets
			}
			return start + map[string]int{"private": 1, "public": 2}[kind]
		}
		if !legacy {
			return zoneBits + bits.Len(uint(len(specs)-1))
		}
		least := map[string]int{"private": 19, "public": 20, "isolated": 24}[kind]
		if len(specs) == 1 {
			return max(zoneBits, least)
		}
		return max(zoneBits+1, least)
	}

	var subnets []subnet
	for zone := range zones {
		next := add(network.Addr(), uint32(zone)<<(32-zoneBits))
		end := add(next, 1<<(32-zoneBits)-1)
		for i, entry := range specs {
			spec, _ := entry.(map[string]any)
			kind := strings.ToLower(typ(spec))
			if !slices.Contains(append(order, "unused"), kind) {
				return nil, fmt.Errorf("subnetSpecs[%d].type is %q: a right value is Public, Private, Isolated or Unused", i, typ(spec))
			}
			size := defaults(kind)
			if given, ok := spec["cidrMask"].(float64); ok {
				size = int(given)
			}
			block := aligned(next, size)
			if blocks, ok := spec["cidrBlocks"].([]any); ok {
				if len(blocks) != len(zones) {
					return nil, fmt.Errorf("subnetSpecs[%d].cidrBlocks has %d blocks for %d zones", i, len(blocks), len(zones))
				}
				given, err := netip.ParsePrefix(fmt.Sprint(blocks[zone]))
				if err != nil {
					return nil, fmt.Errorf("subnetSpecs[%d].cidrBlocks[%d]: %w", i, zone, err)
				}
				block = given
			} else if last(block).Compare(end) > 0 {
				return nil, fmt.Errorf("subnetSpecs: the subnets of zone %s do not fit: make the VPC's block %s larger or the subnets smaller",
					zones[zone], network)
			}
			next = last(block).Next()
			if kind == "unused" {
				continue
			}
			name, _ := spec["name"].(string)
			if name == "" {
				name = kind
			}
			tags, _ := spec["tags"].(map[string]any)
			subnets = append(subnets, subnet{
				zone: zone, name: fmt.Sprintf("%s-%s-%d", r.Name, name, zone+1), typ: typ(spec), block: block, tags: tags,
			})
		}
	}
	slices.SortStableFunc(subnets, func(a, b subnet) int {
		if a.zone != b.zone {
			return a.zone - b.zone
		}
		return slices.Index(order, strings.ToLower(a.typ)) - slices.Index(order, strings.ToLower(b.typ))
	})
	return subnets, nil
}

func add(a netip.Addr, n uint32) netip.Addr {
	four := a.As4()
	binary.BigEndian.PutUint32(four[:], binary.BigEndian.Uint32(four[:])+n)
	return netip.AddrFrom4(four)
}

func last(block netip.Prefix) netip.Addr { return add(block.Masked().Addr(), 1<<(32-block.Bits())-1) }

// aligned is the first block of a size that begins at or after an address.
func aligned(from netip.Addr, size int) netip.Prefix {
	block := netip.PrefixFrom(from, size).Masked()
	if block.Addr() != from {
		block = netip.PrefixFrom(last(block).Next(), size)
	}
	return block
}
