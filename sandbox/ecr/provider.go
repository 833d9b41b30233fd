package ecr

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Providers returns what stands behind the resource types that this package imitates.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{
		"aws:ecr/repository:Repository":             repositoryProvider{s},
		"aws:ecr/lifecyclePolicy:LifecyclePolicy":   lifecycleProvider{s},
		"aws:ecr/repositoryPolicy:RepositoryPolicy": policyProvider{s},
	}
}

// declaredRepository is aws:ecr/repository:Repository. Images are encrypted by nobody here.
type declaredRepository struct {
	Name                       string            `json:"name"`
	ARN                        string            `json:"arn"`
	RepositoryURL              string            `json:"repositoryUrl"`
	ImageTagMutability         string            `json:"imageTagMutability"`
	ForceDelete                bool              `json:"forceDelete"`
	Tags                       map[string]string `json:"tags"`
	ImageScanningConfiguration struct {
		ScanOnPush bool `json:"scanOnPush"`
	} `json:"imageScanningConfiguration"`
	EncryptionConfigurations any `json:"encryptionConfigurations"`
}

func (d declaredRepository) immutable(r graph.Resource) (bool, error) {
	switch types.ImageTagMutability(d.ImageTagMutability) {
	case types.ImageTagMutabilityImmutable:
		return true, nil
	case types.ImageTagMutabilityMutable, "":
		return false, nil
	}
	return false, fmt.Errorf("%s: imageTagMutability is %q: the sandbox knows MUTABLE and IMMUTABLE", r.URN, d.ImageTagMutability)
}

type repositoryProvider struct{ service *Service }

func (p repositoryProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredRepository](r)
	if err != nil {
		return err
	}
	immutable, err := d.immutable(r)
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	if p.service.repositories[d.Name] != nil {
		return &types.RepositoryAlreadyExistsException{Message: new(fmt.Sprintf(
			"The repository with name '%s' already exists in the registry with id '%s'", d.Name, p.service.account))}
	}
	p.service.repositories[d.Name] = &repository{
		name: d.Name, arn: d.ARN, url: d.RepositoryURL, immutable: immutable, scanOnPush: d.ImageScanningConfiguration.ScanOnPush,
		images: map[string]*image{},
	}
	return nil
}

func (p repositoryProvider) Update(_ context.Context, _, next graph.Resource) error {
	d, err := graph.Strict[declaredRepository](next)
	if err != nil {
		return err
	}
	immutable, err := d.immutable(next)
	if err != nil {
		return err
	}
	return p.service.change(d.Name, func(r *repository) {
		r.immutable, r.scanOnPush = immutable, d.ImageScanningConfiguration.ScanOnPush
	})
}

func (p repositoryProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredRepository](r)
	if err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.repository(&d.Name)
	if err != nil {
		return err
	}
	if len(found.images) > 0 && !d.ForceDelete {
		return &types.RepositoryNotEmptyException{Message: new(fmt.Sprintf(
			"The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", d.Name, s.account))}
	}
	for _, i := range found.images {
		s.remove(found, i)
	}
	delete(s.repositories, d.Name)
	return nil
}

// change does something to a repository that is there.
func (s *Service) change(name string, do func(*repository)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repositories[name]
	if r == nil {
		return s.missing(name)
	}
	do(r)
	return nil
}

// declaredPolicy is aws:ecr/lifecyclePolicy:LifecyclePolicy and aws:ecr/repositoryPolicy:RepositoryPolicy.
type declaredPolicy struct {
	Repository string `json:"repository"`
	Policy     string `json:"policy"`
}

type lifecycleProvider struct{ service *Service }

func (p lifecycleProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredPolicy](r)
	if err != nil {
		return err
	}
	rules, err := readLifecycle(d.Policy)
	if err != nil {
		return fmt.Errorf("%s: %w", r.URN, err)
	}
	return p.service.change(d.Repository, func(r *repository) { r.lifecycle = rules })
}

func (p lifecycleProvider) Update(ctx context.Context, _, next graph.Resource) error {
	return p.Create(ctx, next)
}

func (p lifecycleProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredPolicy](r)
	if err != nil {
		return err
	}
	return p.service.change(d.Repository, func(r *repository) { r.lifecycle = nil })
}

// policyProvider checks that a policy is one, of a repository that is there: there is no IAM in the sandbox that would ask it.
type policyProvider struct{ service *Service }

func (p policyProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredPolicy](r)
	if err != nil {
		return err
	}
	if !json.Valid([]byte(d.Policy)) {
		return fmt.Errorf("%s: policy is no JSON document", r.URN)
	}
	return p.service.change(d.Repository, func(*repository) {})
}

func (p policyProvider) Update(ctx context.Context, _, next graph.Resource) error {
	return p.Create(ctx, next)
}

func (p policyProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredPolicy](r)
	if err != nil {
		return err
	}
	return p.service.change(d.Repository, func(*repository) {})
}
