package ecr_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/tests/moto"
)

// api is what an operator's tools and the pipeline's role ask of ECR.
type api interface {
	DescribeRepositories(context.Context, *sdk.DescribeRepositoriesInput, ...func(*sdk.Options)) (*sdk.DescribeRepositoriesOutput, error)
	DescribeImages(context.Context, *sdk.DescribeImagesInput, ...func(*sdk.Options)) (*sdk.DescribeImagesOutput, error)
	BatchGetImage(context.Context, *sdk.BatchGetImageInput, ...func(*sdk.Options)) (*sdk.BatchGetImageOutput, error)
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// manifest is an image's whose configuration is the n-th.
func manifest(n int) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:%064d"},"layers":[]}`, manifestType, n)
}

// onBoth runs a test on the sandbox's service and on moto, with a repository and a way to push a manifest into it.
func onBoth(t *testing.T, test func(t *testing.T, ecr api, push func(tag, manifest string))) {
	t.Run("sandbox", func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		w.declare(repository("shop", "MUTABLE", false))
		test(t, w, func(tag, manifest string) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+w.Host()+"/v2/shop/manifests/"+tag, strings.NewReader(manifest))
			require.NoError(t, err)
			r.Header.Set("Content-Type", manifestType)
			answer, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, http.StatusCreated, answer.StatusCode)
		})
	})
	t.Run("moto", func(t *testing.T) {
		client := sdk.NewFromConfig(moto.Config(t))
		_, err := client.CreateRepository(t.Context(), &sdk.CreateRepositoryInput{RepositoryName: aws.String("shop")})
		require.NoError(t, err)
		test(t, client, func(tag, manifest string) {
			_, err := client.PutImage(t.Context(), &sdk.PutImageInput{
				RepositoryName: aws.String("shop"), ImageManifest: &manifest, ImageManifestMediaType: aws.String(manifestType), ImageTag: &tag,
			})
			require.NoError(t, err)
		})
	})
}

func TestAnImageIsFoundByItsTagAndByItsDigest(t *testing.T) {
	onBoth(t, func(t *testing.T, ecr api, push func(tag, manifest string)) {
		push("two", manifest(2))
		byTag := types.ImageIdentifier{ImageTag: aws.String("two")}
		described, err := ecr.DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("shop"), ImageIds: []types.ImageIdentifier{byTag}})
		require.NoError(t, err)
		require.Len(t, described.ImageDetails, 1)
		digest := described.ImageDetails[0].ImageDigest // moto does not make it of the manifest
		for _, id := range []types.ImageIdentifier{byTag, {ImageDigest: digest}} {
			out, err := ecr.DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("shop"), ImageIds: []types.ImageIdentifier{id}})
			require.NoError(t, err)
			require.Len(t, out.ImageDetails, 1)
			detail := out.ImageDetails[0]
			assert.Equal(t, *digest, *detail.ImageDigest)
			assert.Equal(t, []string{"two"}, detail.ImageTags)
			assert.Equal(t, "shop", *detail.RepositoryName)
			assert.Equal(t, "123456789012", *detail.RegistryId)
			assert.NotZero(t, detail.ImagePushedAt)
			got, err := ecr.BatchGetImage(t.Context(), &sdk.BatchGetImageInput{RepositoryName: aws.String("shop"), ImageIds: []types.ImageIdentifier{id}})
			require.NoError(t, err)
			require.Len(t, got.Images, 1)
			assert.JSONEq(t, manifest(2), *got.Images[0].ImageManifest)
		}
		all, err := ecr.DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("shop")})
		require.NoError(t, err)
		assert.Len(t, all.ImageDetails, 1)
	})
}

func TestARepositoryIsDescribedByItsURI(t *testing.T) {
	onBoth(t, func(t *testing.T, ecr api, _ func(tag, manifest string)) {
		out, err := ecr.DescribeRepositories(t.Context(), &sdk.DescribeRepositoriesInput{RepositoryNames: []string{"shop"}})
		require.NoError(t, err)
		require.Len(t, out.Repositories, 1)
		assert.Equal(t, "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop", *out.Repositories[0].RepositoryUri)
		assert.Equal(t, "arn:aws:ecr:eu-central-1:123456789012:repository/shop", *out.Repositories[0].RepositoryArn)
		assert.Equal(t, types.ImageTagMutabilityMutable, out.Repositories[0].ImageTagMutability)
	})
}

func TestWhatIsNotThereIsAnErrorOfItsOwnType(t *testing.T) {
	onBoth(t, func(t *testing.T, ecr api, push func(tag, manifest string)) {
		push("one", manifest(1))
		nowhere, nothing := aws.String("nowhere"), []types.ImageIdentifier{{ImageTag: aws.String("nothing")}}
		var noRepository *types.RepositoryNotFoundException
		_, err := ecr.DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: nowhere})
		require.ErrorAs(t, err, &noRepository)
		assert.Equal(t, "The repository with name 'nowhere' does not exist in the registry with id '123456789012'", noRepository.ErrorMessage())
		_, err = ecr.DescribeRepositories(t.Context(), &sdk.DescribeRepositoriesInput{RepositoryNames: []string{"nowhere"}})
		require.ErrorAs(t, err, &noRepository)
		_, err = ecr.BatchGetImage(t.Context(), &sdk.BatchGetImageInput{RepositoryName: nowhere, ImageIds: nothing})
		require.ErrorAs(t, err, &noRepository)
		var noImage *types.ImageNotFoundException
		_, err = ecr.DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("shop"), ImageIds: nothing})
		require.ErrorAs(t, err, &noImage)
		assert.Contains(t, noImage.ErrorMessage(), "does not exist within the repository with name 'shop' in the registry with id '123456789012'")
		got, err := ecr.BatchGetImage(t.Context(), &sdk.BatchGetImageInput{RepositoryName: aws.String("shop"), ImageIds: nothing})
		require.NoError(t, err)
		require.Len(t, got.Failures, 1)
		assert.Equal(t, types.ImageFailureCodeImageNotFound, got.Failures[0].FailureCode)
	})
}
