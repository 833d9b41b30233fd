package ecr

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

// partSize is what ECR answers as the size of a layer's parts, in bytes.
const partSize = 20 << 20

// upload is a layer on its way by ECR's own calls, which push without a container engine.
type upload struct {
	repository string
	content    bytes.Buffer
}

// InitiateLayerUpload begins to push a layer.
func (s *Service) InitiateLayerUpload(
	_ context.Context, in *ecr.InitiateLayerUploadInput, _ ...func(*ecr.Options),
) (*ecr.InitiateLayerUploadOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	id := rand.Text()
	s.uploads[id] = &upload{repository: r.name}
	return &ecr.InitiateLayerUploadOutput{UploadId: &id, PartSize: aws.Int64(partSize)}, nil
}

// UploadLayerPart takes the next part of a layer, of at most 20 MiB.
func (s *Service) UploadLayerPart(
	_ context.Context, in *ecr.UploadLayerPartInput, _ ...func(*ecr.Options),
) (*ecr.UploadLayerPartOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.upload(in.RepositoryName, in.UploadId)
	if err != nil {
		return nil, err
	}
	have := int64(u.content.Len())
	first, last, size := aws.ToInt64(in.PartFirstByte), aws.ToInt64(in.PartLastByte), int64(len(in.LayerPartBlob))
	if first != have || last-first+1 != size || size < 1 || size > partSize {
		return nil, &types.InvalidLayerPartException{
			Message: new(fmt.Sprintf("The part of bytes %d to %d has %d bytes; the next part begins at byte %d and has 1 to %d bytes",
				first, last, size, have, partSize)),
			RegistryId: &s.account, RepositoryName: in.RepositoryName, UploadId: in.UploadId, LastValidByteReceived: aws.Int64(have - 1),
		}
	}
	u.content.Write(in.LayerPartBlob)
	return &ecr.UploadLayerPartOutput{
		RegistryId: &s.account, RepositoryName: in.RepositoryName, UploadId: in.UploadId, LastByteReceived: aws.Int64(last),
	}, nil
}

// CompleteLayerUpload ends the push of a layer, which must have the digest that the call names.
func (s *Service) CompleteLayerUpload(
	_ context.Context, in *ecr.CompleteLayerUploadInput, _ ...func(*ecr.Options),
) (*ecr.CompleteLayerUploadOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.upload(in.RepositoryName, in.UploadId)
	if err != nil {
		return nil, err
	}
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(u.content.Bytes()))
	switch {
	case u.content.Len() == 0:
		return nil, &types.EmptyUploadException{Message: new("The upload has no part yet")}
	case !slices.Equal(in.LayerDigests, []string{digest}):
		return nil, &types.InvalidLayerException{Message: new(fmt.Sprintf("The layer's digest is %s, not %v", digest, in.LayerDigests))}
	case s.hasLayer(u.repository, digest):
		return nil, &types.LayerAlreadyExistsException{Message: new(fmt.Sprintf(
			"Layer with digest '%s' already exists in the '%s' repository in the registry with id '%s'", digest, u.repository, s.account))}
	}
	answer := s.ask(http.MethodPost, "/v2/"+u.repository+"/blobs/uploads/?digest="+digest, "application/octet-stream", u.content.Bytes())
	if answer.Code != http.StatusCreated {
		return nil, invalid("the layer was not taken: %s", answer.Body)
	}
	delete(s.uploads, *in.UploadId)
	return &ecr.CompleteLayerUploadOutput{RegistryId: &s.account, RepositoryName: in.RepositoryName, UploadId: in.UploadId, LayerDigest: &digest}, nil
}

// BatchCheckLayerAvailability tells which of up to 100 layers are there.
func (s *Service) BatchCheckLayerAvailability(
	_ context.Context, in *ecr.BatchCheckLayerAvailabilityInput, _ ...func(*ecr.Options),
) (*ecr.BatchCheckLayerAvailabilityOutput, error) {
	if len(in.LayerDigests) < 1 || len(in.LayerDigests) > 100 {
		return nil, invalid("layerDigests has %d elements: 1 to 100 are allowed", len(in.LayerDigests))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecr.BatchCheckLayerAvailabilityOutput{}
	for _, digest := range in.LayerDigests {
		layer := types.Layer{LayerDigest: &digest, LayerAvailability: types.LayerAvailabilityUnavailable}
		if s.hasLayer(r.name, digest) {
			layer.LayerAvailability = types.LayerAvailabilityAvailable
		}
		out.Layers = append(out.Layers, layer)
	}
	return out, nil
}

// PutImage pushes a manifest, whose layers must be there.
func (s *Service) PutImage(_ context.Context, in *ecr.PutImageInput, _ ...func(*ecr.Options)) (*ecr.PutImageOutput, error) {
	if refusal := fidelity.Refusal(in, "RepositoryName", "RegistryId", "ImageManifest", "ImageManifestMediaType", "ImageTag"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	text, tag := aws.ToString(in.ImageManifest), aws.ToString(in.ImageTag)
	manifest, err := v1.ParseManifest(bytes.NewReader([]byte(text)))
	if err != nil {
		return nil, invalid("imageManifest is no image's manifest: %v", err)
	}
	for _, part := range append([]v1.Descriptor{manifest.Config}, manifest.Layers...) {
		if digest := part.Digest.String(); !s.hasLayer(r.name, digest) {
			return nil, &types.LayersNotFoundException{Message: new(fmt.Sprintf("The layer %s is not in the '%s' repository", digest, r.name))}
		}
	}
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
	if holder := r.tagged(tag); holder != nil && holder.digest == digest {
		return nil, &types.ImageAlreadyExistsException{Message: new(fmt.Sprintf(
			"Image with digest '%s' and tag '%s' already exists in the '%s' repository in the registry with id '%s'", digest, tag, r.name, s.account))}
	}
	target := tag
	if target == "" {
		target = digest
	}
	request := httptest.NewRequest(http.MethodPut, "/v2/"+r.name+"/manifests/"+target, bytes.NewReader([]byte(text)))
	request.Header.Set("Content-Type", string(manifest.MediaType))
	answer := httptest.NewRecorder()
	s.store(answer, request, r, tag, digest, []byte(text))
	if answer.Code != http.StatusCreated {
		reason := reasonOf(answer)
		if reason.Code == tagTaken {
			return nil, &types.ImageTagAlreadyExistsException{Message: &reason.Message}
		}
		return nil, invalid("%s", reason.Message)
	}
	return &ecr.PutImageOutput{Image: &types.Image{
		RegistryId: &s.account, RepositoryName: &r.name, ImageManifest: &text, ImageManifestMediaType: new(string(manifest.MediaType)),
		ImageId: &types.ImageIdentifier{ImageDigest: &digest, ImageTag: in.ImageTag},
	}}, nil
}

func (s *Service) upload(repository, id *string) (*upload, error) {
	r, err := s.repository(repository)
	if err != nil {
		return nil, err
	}
	u := s.uploads[aws.ToString(id)]
	if u == nil || u.repository != r.name {
		return nil, &types.UploadNotFoundException{Message: new(fmt.Sprintf("The upload '%s' does not exist in the '%s' repository", aws.ToString(id), r.name))}
	}
	return u, nil
}

func (s *Service) hasLayer(repository, digest string) bool {
	return s.ask(http.MethodHead, "/v2/"+repository+"/blobs/"+digest, "", nil).Code == http.StatusOK
}

// ask has the registry's protocol answer a request of the service's own.
func (s *Service) ask(method, target, mediaType string, body []byte) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, target, bytes.NewReader(body))
	if mediaType != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	answer := httptest.NewRecorder()
	s.protocol.ServeHTTP(answer, request)
	return answer
}

// reasonOf is the first error of an answer of the registry's protocol.
func reasonOf(answer *httptest.ResponseRecorder) (reason protocolError) {
	var all struct {
		Errors []protocolError `json:"errors"`
	}
	if json.Unmarshal(answer.Body.Bytes(), &all) == nil && len(all.Errors) > 0 {
		return all.Errors[0]
	}
	return protocolError{"UNKNOWN", answer.Body.String()}
}
