package ecr_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sha(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

// upload pushes a layer in two parts by ECR's own calls.
func (w world) upload(content, digest string) error {
	w.t.Helper()
	shop := aws.String("shop")
	begun, err := w.InitiateLayerUpload(w.t.Context(), &sdk.InitiateLayerUploadInput{RepositoryName: shop})
	require.NoError(w.t, err)
	half := len(content) / 2
	for _, part := range []struct{ from, to int }{{0, half}, {half, len(content)}} {
		if _, err := w.UploadLayerPart(w.t.Context(), &sdk.UploadLayerPartInput{
			RepositoryName: shop, UploadId: begun.UploadId, LayerPartBlob: []byte(content[part.from:part.to]),
			PartFirstByte: aws.Int64(int64(part.from)), PartLastByte: aws.Int64(int64(part.to - 1)),
		}); err != nil {
			return err
		}
	}
	_, err = w.CompleteLayerUpload(w.t.Context(), &sdk.CompleteLayerUploadInput{
		RepositoryName: shop, UploadId: begun.UploadId, LayerDigests: []string{digest},
	})
	return err
}

func (w world) availability(digest string) types.LayerAvailability {
	w.t.Helper()
	out, err := w.BatchCheckLayerAvailability(w.t.Context(), &sdk.BatchCheckLayerAvailabilityInput{
		RepositoryName: aws.String("shop"), LayerDigests: []string{digest},
	})
	require.NoError(w.t, err)
	return out.Layers[0].LayerAvailability
}

// attach pushes a manifest with one layer and an empty configuration that refers to the subject, empty for none.
func (w world) attach(layer, subject, tag string) error {
	refers := ""
	if subject != "" {
		refers = fmt.Sprintf(`,"subject":{"mediaType":%q,"size":1,"digest":%q}`, manifestType, subject)
	}
	text := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"artifactType":"text/plain",`+
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":%q},`+
		`"layers":[{"mediaType":"text/plain","size":%d,"digest":%q}]%s}`, manifestType, sha("{}"), len(layer), sha(layer), refers)
	_, err := w.PutImage(w.t.Context(), &sdk.PutImageInput{RepositoryName: aws.String("shop"), ImageManifest: &text, ImageTag: &tag})
	return err
}

func (w world) tags() (all []string) {
	w.t.Helper()
	out, err := w.DescribeImages(w.t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("shop")})
	require.NoError(w.t, err)
	for _, i := range out.ImageDetails {
		all = append(all, i.ImageTags...)
	}
	return all
}

func TestAnArtifactThatRefersToAnImageGoesWithIt(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("shop", "IMMUTABLE", false))
	w.declare(lifecycle("shop", `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["v*"],`+
		`"countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`))
	require.NoError(t, w.upload("{}", sha("{}")))
	for _, version := range []string{"v1", "v2"} {
		w.clock.Advance(1)
		image := newImage(t)
		require.NoError(t, w.push("shop:"+version, image))
		require.NoError(t, w.upload("of "+version, sha("of "+version)))
		require.NoError(t, w.attach("of "+version, digestOf(t, image), "sbom-"+version))
	}
	assert.ElementsMatch(t, []string{"v2", "sbom-v2"}, w.tags())
}

func TestALayerIsThereOnceItsUploadIsComplete(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("shop", "IMMUTABLE", false))
	assert.Equal(t, types.LayerAvailabilityUnavailable, w.availability(sha("layer")))
	var wrong *types.InvalidLayerException
	require.ErrorAs(t, w.upload("layer", sha("another")), &wrong)
	assert.Contains(t, wrong.ErrorMessage(), "The layer's digest is "+sha("layer"))
	require.NoError(t, w.upload("layer", sha("layer")))
	assert.Equal(t, types.LayerAvailabilityAvailable, w.availability(sha("layer")))
	var there *types.LayerAlreadyExistsException
	require.ErrorAs(t, w.upload("layer", sha("layer")), &there)
}

func TestWhatDoesNotFitIsRefusedByItsOwnError(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("shop", "IMMUTABLE", false))
	var noLayers *types.LayersNotFoundException
	require.ErrorAs(t, w.attach("layer", "", "v1"), &noLayers)
	require.NoError(t, w.upload("{}", sha("{}")))
	require.NoError(t, w.upload("layer", sha("layer")))
	require.NoError(t, w.attach("layer", "", "v1"))
	var same *types.ImageAlreadyExistsException
	require.ErrorAs(t, w.attach("layer", "", "v1"), &same)
	require.NoError(t, w.upload("other", sha("other")))
	var taken *types.ImageTagAlreadyExistsException
	require.ErrorAs(t, w.attach("other", "", "v1"), &taken)
	assert.Contains(t, taken.ErrorMessage(), "immutable")

	_, err := w.UploadLayerPart(t.Context(), &sdk.UploadLayerPartInput{RepositoryName: aws.String("shop"), UploadId: aws.String("none")})
	var noUpload *types.UploadNotFoundException
	require.ErrorAs(t, err, &noUpload)
	begun, err := w.InitiateLayerUpload(t.Context(), &sdk.InitiateLayerUploadInput{RepositoryName: aws.String("shop")})
	require.NoError(t, err)
	_, err = w.UploadLayerPart(t.Context(), &sdk.UploadLayerPartInput{
		RepositoryName: aws.String("shop"), UploadId: begun.UploadId, LayerPartBlob: []byte("x"), PartFirstByte: aws.Int64(5), PartLastByte: aws.Int64(5),
	})
	var part *types.InvalidLayerPartException
	require.ErrorAs(t, err, &part)
	_, err = w.CompleteLayerUpload(t.Context(), &sdk.CompleteLayerUploadInput{
		RepositoryName: aws.String("shop"), UploadId: begun.UploadId, LayerDigests: []string{sha("")},
	})
	var empty *types.EmptyUploadException
	require.ErrorAs(t, err, &empty)
	assert.True(t, strings.HasPrefix(part.ErrorMessage(), "The part of bytes 5 to 5"), part.ErrorMessage())
}
