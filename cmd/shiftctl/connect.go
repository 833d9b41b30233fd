package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/penguinshop/delivery/operator"
	"github.com/penguinshop/delivery/sandbox/wire"
)

// options are the flags of every verb.
type options struct {
	sandbox, json            bool
	region, profile, project string
	outputs                  []string
	// pages are where a sandbox answers the addresses that its stacks declare.
	pages map[string]string
}

// here is an address as this machine reaches it.
func (o *options) here(address string) string {
	if local, ok := o.pages[address]; ok {
		return local
	}
	return address
}

// delivery finds what is operated, with the one environment that is named, or all.
func (o *options) delivery(ctx context.Context, environment string) (*operator.Delivery, error) {
	outputs, err := o.readOutputs()
	if err != nil {
		return nil, err
	}
	clients, now, err := o.connect(ctx, outputs)
	if err != nil {
		return nil, err
	}
	var d *operator.Delivery
	if len(outputs) > 0 {
		d, err = operator.FromOutputs(ctx, clients, now, outputs...)
	} else {
		d, err = operator.Find(ctx, clients, now, o.project)
	}
	if err != nil {
		return nil, err
	}
	for i := range d.Environments {
		d.Environments[i].Settings.URL = o.here(d.Environments[i].Settings.URL)
	}
	return d, d.Select(environment)
}

func (o *options) readOutputs() ([]operator.Outputs, error) {
	var all []operator.Outputs
	var problems []error
	for _, file := range o.outputs {
		text, err := os.ReadFile(file)
		if err != nil {
			problems = append(problems, fmt.Errorf("--outputs: %w", err))
			continue
		}
		outputs, err := operator.ParseOutputs(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("--outputs %s: %w", file, err))
		}
		all = append(all, outputs)
	}
	if len(problems) > 0 {
		return nil, usageError{errors.Join(problems...)}
	}
	return all, nil
}

// connect makes the clients: of AWS, with the person's own credentials, or of a running sandbox. Everything after it is the same.
func (o *options) connect(ctx context.Context, outputs []operator.Outputs) (operator.Clients, func() time.Time, error) {
	if o.sandbox {
		if o.region != "" || o.profile != "" {
			return operator.Clients{}, nil, usageError{errors.New("--sandbox goes without --region and --profile: it has its own region and no credentials")}
		}
		session, err := wire.Newest()
		if err != nil {
			return operator.Clients{}, nil, err
		}
		o.pages = session.Pages
		return operator.Of(wire.Config(session, session.Region, sdkClients()...)), session.Now, nil
	}
	region := o.region
	for _, out := range outputs {
		switch {
		case out.Region == "" || o.region != "":
		case region == "":
			region = out.Region
		case region != out.Region:
			return operator.Clients{}, nil, usageError{fmt.Errorf("the outputs are of the regions %s and %s: look at one at a time", region, out.Region)}
		}
	}
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithSharedConfigProfile(o.profile))
	if err != nil {
		return operator.Clients{}, nil, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	if c.Region == "" {
		return operator.Clients{}, nil, usageError{errors.New("no AWS region is set: give --region, such as --region eu-central-1, or set AWS_REGION; for the sandbox give --sandbox")}
	}
	return operator.Of(c), time.Now, nil
}

// sdkClients are the clients that operator.Of makes.
func sdkClients() []wire.Client {
	return []wire.Client{
		wire.For[elasticloadbalancingv2.Client](elasticloadbalancingv2.ServiceID),
		wire.For[ecs.Client](ecs.ServiceID),
		wire.For[applicationautoscaling.Client](applicationautoscaling.ServiceID),
		wire.For[cloudwatch.Client](cloudwatch.ServiceID),
		wire.For[cloudwatchlogs.Client](cloudwatchlogs.ServiceID),
		wire.For[codepipeline.Client](codepipeline.ServiceID),
		wire.For[ssm.Client](ssm.ServiceID),
		wire.For[scheduler.Client](scheduler.ServiceID),
		wire.For[eventbridge.Client](eventbridge.ServiceID),
		wire.For[resourcegroupstaggingapi.Client](resourcegroupstaggingapi.ServiceID),
		wire.For[lambda.Client](lambda.ServiceID),
		wire.For[ecr.Client](ecr.ServiceID),
	}
}
