package logs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Providers returns what stands behind the resource types that this package imitates.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{
		"aws:cloudwatch/logGroup:LogGroup":               groupProvider{s},
		"aws:cloudwatch/logMetricFilter:LogMetricFilter": filterProvider{s},
	}
}

type groupProvider struct{ service *Service }

// declaredGroup is aws:cloudwatch/logGroup:LogGroup.
type declaredGroup struct {
	Name            string            `json:"name"`
	NamePrefix      string            `json:"namePrefix"`
	KmsKeyID        *string           `json:"kmsKeyId"`
	LogGroupClass   string            `json:"logGroupClass"`
	RetentionInDays int32             `json:"retentionInDays"`
	SkipDestroy     bool              `json:"skipDestroy"`
	Tags            map[string]string `json:"tags"`
}

func (p groupProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredGroup](r)
	if err != nil {
		return err
	}
	_, err = p.service.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{
		LogGroupName: &d.Name, KmsKeyId: d.KmsKeyID, LogGroupClass: types.LogGroupClass(d.LogGroupClass), Tags: d.Tags,
	})
	if err != nil || d.RetentionInDays == 0 {
		return err
	}
	return p.retain(ctx, d)
}

func (p groupProvider) Update(ctx context.Context, prior, next graph.Resource) error {
	was, err := graph.Decode[declaredGroup](prior)
	if err != nil {
		return err
	}
	d, err := graph.Strict[declaredGroup](next)
	if err != nil || d.RetentionInDays == was.RetentionInDays {
		return err
	}
	return p.retain(ctx, d)
}

func (p groupProvider) retain(ctx context.Context, d declaredGroup) error {
	if d.RetentionInDays == 0 {
		_, err := p.service.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: &d.Name})
		return err
	}
	_, err := p.service.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: &d.Name, RetentionInDays: &d.RetentionInDays})
	return err
}

func (p groupProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredGroup](r)
	if err != nil || d.SkipDestroy {
		return err
	}
	_, err = p.service.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &d.Name})
	return err
}
