package ecr

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

// DescribeRepositories lists the declared repositories by name.
func (s *Service) DescribeRepositories(_ context.Context, in *ecr.DescribeRepositoriesInput, _ ...func(*ecr.Options)) (*ecr.DescribeRepositoriesOutput, error) {
	if refusal := fidelity.Refusal(in, "RepositoryNames", "RegistryId"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	names := in.RepositoryNames
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(s.repositories))
	}
	out := &ecr.DescribeRepositoriesOutput{}
	for _, name := range names {
		r := s.repositories[name]
		if r == nil {
			return nil, s.missing(name)
		}
		mutability := types.ImageTagMutabilityMutable
		if r.immutable {
			mutability = types.ImageTagMutabilityImmutable
		}
		out.Repositories = append(out.Repositories, types.Repository{
			RegistryId: &s.account, RepositoryName: &r.name, RepositoryArn: &r.arn, RepositoryUri: &r.url, ImageTagMutability: mutability,
			ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: r.scanOnPush},
		})
	}
	return out, nil
}

// DescribeImages tells of a repository's images, the newest first, or of the named ones in the order of the call.
func (s *Service) DescribeImages(_ context.Context, in *ecr.DescribeImagesInput, _ ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error) {
	if refusal := fidelity.Refusal(in, "RepositoryName", "RegistryId", "ImageIds", "Filter", "MaxResults", "NextToken"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	if len(in.ImageIds) > 0 && (in.MaxResults != nil || in.NextToken != nil) {
		return nil, invalid("maxResults and nextToken cannot be used with imageIds")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecr.DescribeImagesOutput{ImageDetails: []types.ImageDetail{}}
	for _, id := range in.ImageIds {
		i := r.find(id)
		if i == nil {
			return nil, s.noImage(r, id)
		}
		out.ImageDetails = append(out.ImageDetails, s.detail(r, i))
	}
	if len(in.ImageIds) > 0 {
		return out, nil
	}
	images := slices.SortedFunc(maps.Values(r.images), func(a, b *image) int {
		return cmp.Or(b.pushed.Compare(a.pushed), cmp.Compare(a.digest, b.digest))
	})
	if in.Filter != nil {
		images = slices.DeleteFunc(images, func(i *image) bool {
			return in.Filter.TagStatus == types.TagStatusTagged && len(i.tags) == 0 ||
				in.Filter.TagStatus == types.TagStatusUntagged && len(i.tags) > 0
		})
	}
	// A page has 100 images where the caller names no number, at most 1,000.
	size := int(aws.ToInt32(in.MaxResults))
	if in.MaxResults == nil {
		size = 100
	}
	if size < 1 || size > 1000 {
		return nil, invalid("maxResults is %d: it goes from 1 to 1000", size)
	}
	from, err := position(in.NextToken, len(images))
	if err != nil {
		return nil, err
	}
	until := min(from+size, len(images))
	for _, i := range images[from:until] {
		out.ImageDetails = append(out.ImageDetails, s.detail(r, i))
	}
	if until < len(images) {
		out.NextToken = new(base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(until))))
	}
	return out, nil
}

func position(token *string, most int) (int, error) {
	if token == nil {
		return 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(*token)
	if err == nil {
		if at, err := strconv.Atoi(string(text)); err == nil && at >= 0 && at <= most {
			return at, nil
		}
	}
	return 0, invalid("nextToken is not one that this operation has given")
}

// BatchGetImage returns the manifests of up to 100 images; those that are not there stand among the failures.
func (s *Service) BatchGetImage(_ context.Context, in *ecr.BatchGetImageInput, _ ...func(*ecr.Options)) (*ecr.BatchGetImageOutput, error) {
	if refusal := fidelity.Refusal(in, "RepositoryName", "RegistryId", "ImageIds", "AcceptedMediaTypes"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	if len(in.ImageIds) < 1 || len(in.ImageIds) > 100 {
		return nil, invalid("imageIds has %d elements: 1 to 100 are allowed", len(in.ImageIds))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecr.BatchGetImageOutput{}
	for _, id := range in.ImageIds {
		i := r.find(id)
		if i == nil || len(in.AcceptedMediaTypes) > 0 && !slices.Contains(in.AcceptedMediaTypes, i.mediaType) {
			out.Failures = append(out.Failures, types.ImageFailure{
				ImageId: &id, FailureCode: types.ImageFailureCodeImageNotFound, FailureReason: new("Requested image not found"),
			})
			continue
		}
		out.Images = append(out.Images, types.Image{
			RegistryId: &s.account, RepositoryName: &r.name, ImageManifest: new(string(i.manifest)), ImageManifestMediaType: &i.mediaType,
			ImageId: &types.ImageIdentifier{ImageDigest: &i.digest, ImageTag: id.ImageTag},
		})
	}
	return out, nil
}

// repository is the named one, after its lifecycle policy was applied.
func (s *Service) repository(name *string) (*repository, error) {
	r := s.repositories[aws.ToString(name)]
	if r == nil {
		return nil, s.missing(aws.ToString(name))
	}
	s.expire(r)
	return r, nil
}

// find returns the image that has the digest and the tag that id names.
func (r *repository) find(id types.ImageIdentifier) *image {
	i := r.images[aws.ToString(id.ImageDigest)]
	if id.ImageDigest == nil && id.ImageTag != nil {
		i = r.tagged(*id.ImageTag)
	}
	if i == nil || id.ImageTag != nil && !slices.Contains(i.tags, *id.ImageTag) {
		return nil
	}
	return i
}

func (s *Service) noImage(r *repository, id types.ImageIdentifier) error {
	return &types.ImageNotFoundException{Message: new(fmt.Sprintf(
		"The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in the registry with id '%s'",
		cmp.Or(aws.ToString(id.ImageDigest), "null"), cmp.Or(aws.ToString(id.ImageTag), "null"), r.name, s.account))}
}

func (s *Service) detail(r *repository, i *image) types.ImageDetail {
	detail := types.ImageDetail{
		RegistryId: &s.account, RepositoryName: &r.name, ImageDigest: &i.digest, ImageTags: slices.Clone(i.tags),
		ImageSizeInBytes: &i.size, ImagePushedAt: &i.pushed, ImageManifestMediaType: &i.mediaType,
	}
	if i.artifact != "" {
		detail.ArtifactMediaType = &i.artifact
	}
	return detail
}

func invalid(format string, args ...any) error {
	return &types.InvalidParameterException{Message: new(fmt.Sprintf(format, args...))}
}
