package stacks

import (
	"errors"
	"fmt"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/components"
	"github.com/penguinshop/delivery/contract"
)

const pipelineComponent = "delivery"

// shared declares the images and the pipeline, which it joins to the environments by what they promise.
func shared(ctx *pulumi.Context, c Config) error {
	home, err := locate(ctx)
	if err != nil {
		return err
	}
	environments, err := targets(ctx, c, home)
	if err != nil {
		return err
	}
	if err := home.furnish(ctx, c, home.keyReaders(environments, home.region)); err != nil {
		return err
	}
	regions, err := home.artifactRegions(ctx, c, environments)
	if err != nil {
		return err
	}
	pipeline, err := components.NewDeliveryPipeline(ctx, pipelineComponent, &components.DeliveryPipelineArgs{
		Repository: components.Repository{
			Name: c.EcrRepository, UntaggedDays: c.Image.UntaggedDays, Protect: c.Unprotected == "",
		},
		Source: components.Source{Repository: c.Source.Repository, Branch: c.Source.Branch, Paths: c.Source.Paths},
		Build: components.Build{
			Buildspec: c.Build.Buildspec, BaseImage: c.Build.BaseImage, Image: c.Build.Image,
			ComputeType: c.Build.Compute, Minutes: c.Build.Minutes, Retry: c.Build.Retry,
		},
		Scan:             scanGate(c.Scan),
		Environments:     environments,
		ApprovalMinutes:  c.Approval.Minutes,
		DeployMinutes:    c.Deploy.Minutes,
		LogRetentionDays: c.LogRetentionDays,
		AccountID:        home.account,
		Region:           home.region,
		ArtifactRegions:  regions,
		KeyArn:           home.key,
		TopicArn:         home.topic,
	})
	if err != nil {
		return err
	}
	if err := gitHub(ctx, c, home, environments); err != nil {
		return err
	}
	ctx.Export("pipelineName", pipeline.PipelineName)
	ctx.Export("pipelineArn", pipeline.PipelineArn)
	ctx.Export("repositoryUrl", pipeline.RepositoryURL)
	ctx.Export("buildProjectName", pipeline.BuildProjectName)
	ctx.Export("artifactBucketName", pipeline.BucketName)
	// The handshake with GitHub is finished by a person, who looks for the connection by this.
	ctx.Export("connectionArn", pipeline.ConnectionArn)
	return nil
}

// targets reads every environment's outputs, all at once: the engine takes its time for each. What is wrong with any of them is
// told at once, too.
func targets(ctx *pulumi.Context, c Config, home home) ([]components.DeliveryEnvironment, error) {
	environments := make([]components.DeliveryEnvironment, len(c.Environments))
	problems := make([]error, len(c.Environments))
	var reading sync.WaitGroup
	for i, t := range c.Environments {
		reading.Go(func() {
			stack := t.Stack
			if stack == "" {
				stack = fmt.Sprintf("%s/%s/%s", ctx.Organization(), ctx.Project(), t.Name)
			}
			outputs, err := contract.Read(ctx, stack)
			if err == nil && outputs.Strategy != t.Strategy {
				err = &ConfigError{Stack: ctx.Stack(), Problems: []Problem{{
					Path:    fmt.Sprintf("%s:environments[%d].strategy", ctx.Project(), i),
					What:    fmt.Sprintf("is %s, but the stack %s was brought up with %s", t.Strategy, stack, outputs.Strategy),
					Example: outputs.Strategy,
				}}}
			}
			if err == nil {
				if wrong := home.unreachable(c, fmt.Sprintf("%s:environments[%d]", ctx.Project(), i), stack, outputs); len(wrong) > 0 {
					err = &ConfigError{Stack: ctx.Stack(), Problems: wrong}
				}
			}
			environments[i] = components.DeliveryEnvironment{Name: t.Name, Approval: t.Approval, Outputs: outputs}
			problems[i] = err
		})
	}
	reading.Wait()
	return environments, errors.Join(problems...)
}
