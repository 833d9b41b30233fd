package ecs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// family is a line of task definition revisions, by number.
type family struct {
	revisions map[int32]*revision
	next      int32
}

type revision struct {
	types.TaskDefinition
	tags []types.Tag
}

var nameOf = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,255}$`)

// imitatedDefinition are the fields of a task definition that something in the sandbox acts on.
var imitatedDefinition = []string{
	"Family", "Cpu", "Memory", "NetworkMode", "RequiresCompatibilities", "Tags", "Volumes.Name",
	"ContainerDefinitions.Name", "ContainerDefinitions.Image", "ContainerDefinitions.Essential", "ContainerDefinitions.Cpu",
	"ContainerDefinitions.Memory", "ContainerDefinitions.MemoryReservation", "ContainerDefinitions.Command", "ContainerDefinitions.EntryPoint",
	"ContainerDefinitions.Environment", "ContainerDefinitions.Secrets", "ContainerDefinitions.User",
	"ContainerDefinitions.ReadonlyRootFilesystem", "ContainerDefinitions.StopTimeout", "ContainerDefinitions.MountPoints",
	"ContainerDefinitions.PortMappings.ContainerPort", "ContainerDefinitions.PortMappings.HostPort", "ContainerDefinitions.PortMappings.Protocol",
	"ContainerDefinitions.PortMappings.Name", "ContainerDefinitions.PortMappings.AppProtocol",
	"ContainerDefinitions.LogConfiguration.LogDriver", "ContainerDefinitions.LogConfiguration.Options",
}

// acceptedDefinition are the fields that are taken and have no effect here; the journal names those that are set.
var acceptedDefinition = []string{
	"ExecutionRoleArn", "TaskRoleArn", "RuntimePlatform", "EphemeralStorage", "ContainerDefinitions.LinuxParameters.InitProcessEnabled",
	"ContainerDefinitions.LinuxParameters.Capabilities", "ContainerDefinitions.Ulimits", "ContainerDefinitions.StartTimeout",
	"ContainerDefinitions.DockerLabels", "ContainerDefinitions.VersionConsistency",
}

// RegisterTaskDefinition adds a revision to a family. Besides what AWS refuses for Fargate, it refuses by name what the sandbox
// does not imitate.
func (s *Service) RegisterTaskDefinition(_ context.Context, in *ecs.RegisterTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.RegisterTaskDefinitionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.register(in, s.next(aws.ToString(in.Family)), "")
}

// NextRevision is the number that the next registered revision of a family will have.
func (s *Service) NextRevision(family string) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next(family)
}

func (s *Service) next(name string) int32 {
	if f, there := s.families[name]; there {
		return f.next
	}
	return 1
}

func (s *Service) register(in *ecs.RegisterTaskDefinitionInput, number int32, environment string) (*ecs.RegisterTaskDefinitionOutput, error) {
	if problems := checkDefinition(in); len(problems) > 0 {
		return nil, client("%s", strings.Join(problems, "; "))
	}
	name := aws.ToString(in.Family)
	f, there := s.families[name]
	if !there {
		f = &family{revisions: map[int32]*revision{}}
		s.families[name] = f
	}
	if _, taken := f.revisions[number]; taken {
		return nil, client("%s:%d is registered already: revisions do not change", name, number)
	}
	containers := slices.Clone(in.ContainerDefinitions)
	for i := range containers { // what AWS fills in where nothing is said
		if containers[i].Essential == nil {
			containers[i].Essential = new(true)
		}
		containers[i].PortMappings = slices.Clone(containers[i].PortMappings)
		for j, port := range containers[i].PortMappings {
			if port.Protocol == "" {
				containers[i].PortMappings[j].Protocol = types.TransportProtocolTcp
			}
			containers[i].PortMappings[j].HostPort = port.ContainerPort
		}
	}
	registered := &revision{tags: in.Tags, TaskDefinition: types.TaskDefinition{
		TaskDefinitionArn: new(s.arn("task-definition", fmt.Sprintf("%s:%d", name, number))), Family: in.Family, Revision: number,
		Status: types.TaskDefinitionStatusActive, ContainerDefinitions: containers, Volumes: in.Volumes, Cpu: in.Cpu, Memory: in.Memory,
		NetworkMode: in.NetworkMode, RequiresCompatibilities: in.RequiresCompatibilities, Compatibilities: []types.Compatibility{types.CompatibilityFargate},
		ExecutionRoleArn: in.ExecutionRoleArn, TaskRoleArn: in.TaskRoleArn, RuntimePlatform: in.RuntimePlatform, EphemeralStorage: in.EphemeralStorage,
		RegisteredAt: new(s.Clock.Now()),
	}}
	f.revisions[number] = registered
	f.next = max(f.next, number+1)
	if unused := fidelity.Beyond(in, imitatedDefinition...); len(unused) > 0 {
		s.Journal.Add(journal.Entry{Service: "ecs", Environment: environment, Kind: "note", Text: fmt.Sprintf(
			"%s:%d declares %s, which has no effect in the sandbox", name, number, strings.Join(unused, ", "))})
	}
	return &ecs.RegisterTaskDefinitionOutput{TaskDefinition: registered.describe(), Tags: registered.tags}, nil
}

// DescribeTaskDefinition tells of a revision, named by family (its latest active one), family:revision or ARN.
func (s *Service) DescribeTaskDefinition(_ context.Context, in *ecs.DescribeTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.definition(aws.ToString(in.TaskDefinition))
	if err != nil {
		return nil, client("Unable to describe task definition.")
	}
	out := &ecs.DescribeTaskDefinitionOutput{TaskDefinition: found.describe()}
	if slices.Contains(in.Include, types.TaskDefinitionFieldTags) {
		out.Tags = found.tags
	}
	return out, nil
}

// DeregisterTaskDefinition makes a revision inactive: services that use it go on, none can be pointed to it any more.
func (s *Service) DeregisterTaskDefinition(_ context.Context, in *ecs.DeregisterTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.DeregisterTaskDefinitionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.Contains(lastPart(aws.ToString(in.TaskDefinition)), ":") {
		return nil, client("taskDefinition is missing its revision, such as web:1")
	}
	found, err := s.definition(aws.ToString(in.TaskDefinition))
	if err != nil {
		return nil, client("The specified task definition does not exist.")
	}
	found.Status, found.DeregisteredAt = types.TaskDefinitionStatusInactive, new(s.Clock.Now())
	return &ecs.DeregisterTaskDefinitionOutput{TaskDefinition: found.describe()}, nil
}

func (r *revision) describe() *types.TaskDefinition {
	d := r.TaskDefinition
	d.ContainerDefinitions = slices.Clone(d.ContainerDefinitions)
	return &d
}

var errNoDefinition = errors.New("TaskDefinition not found")

// definition finds a revision by family, family:revision or ARN.
func (s *Service) definition(named string) (*revision, error) {
	name, number, exact := strings.Cut(lastPart(named), ":")
	f, there := s.families[name]
	if !there {
		return nil, errNoDefinition
	}
	if exact {
		n, err := strconv.ParseInt(number, 10, 32)
		if r, there := f.revisions[int32(n)]; err == nil && there {
			return r, nil
		}
		return nil, errNoDefinition
	}
	var latest *revision
	for _, r := range f.revisions {
		if r.Status == types.TaskDefinitionStatusActive && (latest == nil || r.Revision > latest.Revision) {
			latest = r
		}
	}
	if latest == nil {
		return nil, errNoDefinition
	}
	return latest, nil
}

// checkDefinition returns all that AWS would refuse for Fargate and all that the sandbox does not imitate, as sentences.
func checkDefinition(in *ecs.RegisterTaskDefinitionInput) []string {
	var problems []string
	complain := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if refusal := fidelity.Refusal(in, append(imitatedDefinition, acceptedDefinition...)...); refusal != "" {
		complain("%s", refusal)
	}
	if !nameOf.MatchString(aws.ToString(in.Family)) {
		complain("family %q: 1 to 255 letters, digits, - and _ are allowed", aws.ToString(in.Family))
	}
	if in.NetworkMode != types.NetworkModeAwsvpc {
		complain("networkMode %q: Fargate needs awsvpc", in.NetworkMode)
	}
	if !slices.Contains(in.RequiresCompatibilities, types.CompatibilityFargate) {
		complain("requiresCompatibilities %v: the sandbox imitates FARGATE", in.RequiresCompatibilities)
	}
	if !fargateSize(aws.ToString(in.Cpu), aws.ToString(in.Memory)) {
		complain("No Fargate configuration exists for given values: %s CPU, %s memory. See the Amazon ECS documentation for the valid values.",
			aws.ToString(in.Cpu), aws.ToString(in.Memory))
	}
	if len(in.ContainerDefinitions) != 1 {
		complain("containerDefinitions holds %d containers: the sandbox runs one container in a task", len(in.ContainerDefinitions))
	}
	for i, c := range in.ContainerDefinitions {
		for _, problem := range checkContainer(c, in.Volumes) {
			complain("containerDefinitions[%d].%s", i, problem)
		}
	}
	return problems
}

func checkContainer(c types.ContainerDefinition, volumes []types.Volume) []string {
	var problems []string
	complain := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if !nameOf.MatchString(aws.ToString(c.Name)) {
		complain("name %q: 1 to 255 letters, digits, - and _ are allowed", aws.ToString(c.Name))
	}
	if aws.ToString(c.Image) == "" {
		complain("image is missing, such as 123456789012.dkr.ecr.eu-central-1.amazonaws.com/penguinshop-dev@sha256:…")
	}
	if c.Essential != nil && !*c.Essential {
		complain("essential is false: a task needs an essential container")
	}
	if len(c.PortMappings) > 1 {
		complain("portMappings holds %d ports: the sandbox imitates one", len(c.PortMappings))
	}
	for i, port := range c.PortMappings {
		if n := aws.ToInt32(port.ContainerPort); n < 1 || n > 65535 {
			complain("portMappings[%d].containerPort %d: 1 to 65535 is allowed", i, n)
		}
		if host := aws.ToInt32(port.HostPort); host != 0 && host != aws.ToInt32(port.ContainerPort) {
			complain("portMappings[%d].hostPort %d: with the network mode awsvpc it must be left out or be the container's", i, host)
		}
		if port.Protocol != "" && port.Protocol != types.TransportProtocolTcp {
			complain("portMappings[%d].protocol %q: the sandbox imitates tcp", i, port.Protocol)
		}
	}
	if t := aws.ToInt32(c.StopTimeout); t < 0 || t > 120 {
		complain("stopTimeout %d: 0 to 120 seconds is allowed", t)
	}
	for i, secret := range c.Secrets {
		if strings.Contains(aws.ToString(secret.ValueFrom), ":secretsmanager:") {
			complain("secrets[%d].valueFrom: the sandbox imitates parameters of Systems Manager, not Secrets Manager", i)
		}
	}
	for i, mount := range c.MountPoints {
		if !slices.ContainsFunc(volumes, func(v types.Volume) bool { return aws.ToString(v.Name) == aws.ToString(mount.SourceVolume) }) {
			complain("mountPoints[%d].sourceVolume: Unknown volume '%s'.", i, aws.ToString(mount.SourceVolume))
		}
		if aws.ToBool(mount.ReadOnly) {
			complain("mountPoints[%d].readOnly: the sandbox imitates writable mounts", i)
		}
	}
	if l := c.LogConfiguration; l != nil {
		if l.LogDriver != types.LogDriverAwslogs {
			complain("logConfiguration.logDriver %q: the sandbox imitates awslogs", l.LogDriver)
		}
		for _, option := range neededLogOptions {
			if l.Options[option] == "" {
				complain("logConfiguration.options: Fargate needs %s", option)
			}
		}
		for _, option := range slices.Sorted(maps.Keys(l.Options)) {
			if !slices.Contains(neededLogOptions, option) && !slices.Contains(acceptedLogOptions, option) {
				complain("logConfiguration.options: the sandbox does not imitate %s: leave it out", option)
			}
		}
	}
	return problems
}

// fargateSizes are the memory sizes in MiB that Fargate has for each CPU size in units: from, to, in steps of.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
var fargateSizes = map[int][3]int{
	256: {512, 2048, 512}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024}, 4096: {8192, 30720, 1024},
	8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
}

func fargateSize(cpu, memory string) bool {
	units, wrongCPU := strconv.Atoi(cpu)
	mib, wrongMemory := strconv.Atoi(memory)
	if errors.Join(wrongCPU, wrongMemory) != nil {
		return false
	}
	size, known := fargateSizes[units]
	odd := units == 256 && mib == 1536 // the smallest CPU has 512, 1024 and 2048 only
	return known && mib >= size[0] && mib <= size[1] && (mib-size[0])%size[2] == 0 && !odd
}
