package components

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// containerDefinition is what ECS reads about a container, in its own names.
type containerDefinition struct {
	Name                   string           `json:"name"`
	Image                  string           `json:"image"`
	Essential              bool             `json:"essential"`
	PortMappings           []portMapping    `json:"portMappings"`
	Environment            []variable       `json:"environment"`
	Secrets                []reference      `json:"secrets,omitempty"`
	ReadonlyRootFilesystem bool             `json:"readonlyRootFilesystem"`
	LinuxParameters        linuxParameters  `json:"linuxParameters"`
	StopTimeout            int              `json:"stopTimeout"`
	LogConfiguration       logConfiguration `json:"logConfiguration"`
}

type portMapping struct {
	ContainerPort int    `json:"containerPort"`
	HostPort      int    `json:"hostPort"`
	Protocol      string `json:"protocol"`
}

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// reference is a variable whose value ECS reads when it starts a task.
type reference struct {
	Name      string `json:"name"`
	ValueFrom string `json:"valueFrom"`
}

type linuxParameters struct {
	InitProcessEnabled bool         `json:"initProcessEnabled"`
	Capabilities       capabilities `json:"capabilities"`
}

type capabilities struct {
	Drop []string `json:"drop"`
}

type logConfiguration struct {
	LogDriver string            `json:"logDriver"`
	Options   map[string]string `json:"options"`
}

// ColourVariable is the environment variable in which a container is told its colour.
const ColourVariable = "COLOUR"

// shape is the task definition of a colour. The two differ in the colour alone.
func (c *EcsEnvironment) shape(colour rollout.Colour, args *EcsEnvironmentArgs) *ecs.TaskDefinitionArgs {
	told := map[string]string{ColourVariable: string(colour)}
	maps.Copy(told, args.Container.Environment)
	variables := make([]variable, 0, len(told))
	for _, name := range slices.Sorted(maps.Keys(told)) {
		variables = append(variables, variable{name, told[name]})
	}
	var secrets []reference
	for _, name := range slices.Sorted(maps.Keys(args.Container.Secrets)) {
		secrets = append(secrets, reference{name, args.Container.Secrets[name]})
	}
	containers := c.LogGroupName.ApplyT(func(logGroup string) (string, error) {
		text, err := json.Marshal([]containerDefinition{{
			Name:                   args.Container.Name,
			Image:                  args.Container.Image,
			Essential:              true,
			PortMappings:           []portMapping{{args.Container.Port, args.Container.Port, "tcp"}},
			Environment:            variables,
			Secrets:                secrets,
			ReadonlyRootFilesystem: !args.ExecuteCommand, // the agent of ECS Exec writes to the root file system
			// An init process passes SIGTERM on and collects what the main process leaves behind.
			LinuxParameters: linuxParameters{true, capabilities{[]string{"ALL"}}},
			StopTimeout:     args.Container.StopSeconds,
			LogConfiguration: logConfiguration{"awslogs", map[string]string{
				"awslogs-group": logGroup, "awslogs-region": args.Region, "awslogs-stream-prefix": string(colour),
				// A log that cannot be written must not stop the shop.
				"mode": "non-blocking", "max-buffer-size": "4m",
			}},
		}})
		return string(text), err
	}).(pulumi.StringOutput)
	return &ecs.TaskDefinitionArgs{
		Family:                  pulumi.String(args.Family + "-" + string(colour)),
		RequiresCompatibilities: pulumi.ToStringArray([]string{"FARGATE"}),
		NetworkMode:             pulumi.String("awsvpc"),
		Cpu:                     pulumi.Sprintf("%d", args.Size.CPUUnits),
		Memory:                  pulumi.Sprintf("%d", args.Size.MemoryMiB),
		TaskRoleArn:             c.TaskRoleArn,
		ExecutionRoleArn:        c.ExecutionRoleArn,
		ContainerDefinitions:    containers,
		RuntimePlatform: &ecs.TaskDefinitionRuntimePlatformArgs{
			CpuArchitecture: pulumi.String(args.Architecture), OperatingSystemFamily: pulumi.String("LINUX"),
		},
		// A service may still run on an earlier revision, and ECS starts no task on a deregistered one.
		SkipDestroy: pulumi.Bool(true),
	}
}
