package ssm

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Providers returns what stands behind the resource types that this package imitates.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{"aws:ssm/parameter:Parameter": parameterProvider{s}}
}

type parameterProvider struct{ service *Service }

// declaredParameter is aws:ssm/parameter:Parameter.
type declaredParameter struct {
	Name           string            `json:"name"`
	Type           string            `json:"type"`
	Value          string            `json:"value"`
	InsecureValue  string            `json:"insecureValue"`
	Tier           string            `json:"tier"`
	AllowedPattern string            `json:"allowedPattern"`
	DataType       string            `json:"dataType"`
	Description    string            `json:"description"`
	KeyID          string            `json:"keyId"`
	Overwrite      bool              `json:"overwrite"`
	Tags           map[string]string `json:"tags"`
}

// written is what a version of the parameter is made from.
func (d declaredParameter) written() [5]string {
	return [...]string{d.Type, cmp.Or(d.Value, d.InsecureValue), d.Tier, d.AllowedPattern, d.DataType}
}

func (d declaredParameter) input() *ssm.PutParameterInput {
	return &ssm.PutParameterInput{
		Name: &d.Name, Type: types.ParameterType(d.Type), Value: new(cmp.Or(d.Value, d.InsecureValue)), Tier: types.ParameterTier(d.Tier),
		AllowedPattern: &d.AllowedPattern, DataType: &d.DataType, Overwrite: &d.Overwrite,
	}
}

func (p parameterProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredParameter](r)
	if err != nil {
		return err
	}
	_, err = p.service.PutParameter(ctx, d.input())
	return err
}

// Update writes a new version where something that PutParameter writes has changed, and none where only tags or the
// description have.
func (p parameterProvider) Update(ctx context.Context, prior, next graph.Resource) error {
	was, err := graph.Decode[declaredParameter](prior)
	if err != nil {
		return err
	}
	d, err := graph.Strict[declaredParameter](next)
	if err != nil {
		return err
	}
	if d.written() == was.written() {
		return nil
	}
	d.Overwrite = true
	_, err = p.service.PutParameter(ctx, d.input())
	return err
}

func (p parameterProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredParameter](r)
	if err != nil {
		return err
	}
	_, err = p.service.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &d.Name})
	return err
}
