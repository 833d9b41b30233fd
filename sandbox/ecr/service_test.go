package ecr_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/ecr"
	"github.com/penguinshop/delivery/sandbox/graph"
)

const (
	repositoryType = "aws:ecr/repository:Repository"
	lifecycleType  = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
)

type world struct {
	*ecr.Service
	t     *testing.T
	clock *clockwork.FakeClock
}

func newWorld(t *testing.T, folder string) world {
	t.Helper()
	clock := clockwork.NewFakeClock()
	s, err := ecr.New(ecr.Options{Region: "eu-central-1", Account: "123456789012", Clock: clock, Folder: folder})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return world{s, t, clock}
}

func repository(name, mutability string, forceDelete bool) graph.Resource {
	inputs := map[string]any{"name": name, "imageTagMutability": mutability, "forceDelete": forceDelete}
	outputs := map[string]any{
		"arn":           "arn:aws:ecr:eu-central-1:123456789012:repository/" + name,
		"repositoryUrl": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/" + name,
	}
	for key, value := range inputs {
		outputs[key] = value
	}
	return graph.Resource{URN: "urn:pulumi:shared::penguinshop::" + repositoryType + "::images", Type: repositoryType, Inputs: inputs, Outputs: outputs}
}

func lifecycle(repository, policy string) graph.Resource {
	inputs := map[string]any{"repository": repository, "policy": policy}
	return graph.Resource{URN: "urn:pulumi:shared::penguinshop::" + lifecycleType + "::images", Type: lifecycleType, Inputs: inputs, Outputs: inputs}
}

func (w world) create(r graph.Resource) error { return w.Providers()[r.Type].Create(w.t.Context(), r) }
func (w world) delete(r graph.Resource) error { return w.Providers()[r.Type].Delete(w.t.Context(), r) }

func (w world) declare(r graph.Resource) {
	w.t.Helper()
	require.NoError(w.t, w.create(r))
}

func newImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(1024, 2)
	require.NoError(t, err)
	return image
}

func digestOf(t *testing.T, image v1.Image) string {
	t.Helper()
	digest, err := image.Digest()
	require.NoError(t, err)
	return digest.String()
}

func (w world) push(ref string, image v1.Image) error {
	w.t.Helper()
	parsed, err := name.ParseReference(w.Host() + "/" + ref)
	require.NoError(w.t, err)
	return remote.Write(parsed, image, remote.WithContext(w.t.Context()))
}

func (w world) images(repository string, ids ...types.ImageIdentifier) []types.ImageDetail {
	w.t.Helper()
	out, err := w.DescribeImages(w.t.Context(), &sdk.DescribeImagesInput{RepositoryName: &repository, ImageIds: ids})
	require.NoError(w.t, err)
	return out.ImageDetails
}

func TestAPushToARepositoryThatIsNotDeclaredIsRefusedInECRsWords(t *testing.T) {
	w := newWorld(t, t.TempDir())
	err := w.push("stranger:1", newImage(t))
	require.ErrorContains(t, err, "NAME_UNKNOWN: The repository with name 'stranger' does not exist in the registry with id '123456789012'")
	_, err = w.DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("stranger")})
	var missing *types.RepositoryNotFoundException
	require.ErrorAs(t, err, &missing)
}

func TestAPushedImageIsPulledByTagAndByDigestAndDescribed(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("team/penguinshop", "IMMUTABLE", false))
	image := newImage(t)
	require.NoError(t, w.push("team/penguinshop:abc", image))
	for _, ref := range []string{":abc", "@" + digestOf(t, image)} {
		parsed, err := name.ParseReference(w.Host() + "/team/penguinshop" + ref)
		require.NoError(t, err)
		pulled, err := remote.Image(parsed)
		require.NoError(t, err)
		assert.Equal(t, digestOf(t, image), digestOf(t, pulled))
	}
	details := w.images("team/penguinshop", types.ImageIdentifier{ImageTag: aws.String("abc")})
	require.Len(t, details, 1)
	manifest, err := image.Manifest()
	require.NoError(t, err)
	size := manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	assert.Equal(t, digestOf(t, image), *details[0].ImageDigest)
	assert.Equal(t, []string{"abc"}, details[0].ImageTags)
	assert.Equal(t, w.clock.Now(), *details[0].ImagePushedAt)
	assert.Equal(t, size, *details[0].ImageSizeInBytes)

	got, err := w.BatchGetImage(t.Context(), &sdk.BatchGetImageInput{RepositoryName: aws.String("team/penguinshop"), ImageIds: []types.ImageIdentifier{
		{ImageTag: aws.String("abc")}, {ImageTag: aws.String("other")},
	}})
	require.NoError(t, err)
	require.Len(t, got.Images, 1)
	raw, err := image.RawManifest()
	require.NoError(t, err)
	assert.JSONEq(t, string(raw), *got.Images[0].ImageManifest)
	require.Len(t, got.Failures, 1)
	assert.Equal(t, types.ImageFailureCodeImageNotFound, got.Failures[0].FailureCode)
}

func TestAnImmutableTagStaysWhereItIsAndAMutableOneMoves(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("fixed", "IMMUTABLE", false))
	w.declare(repository("loose", "MUTABLE", false))
	first, second := newImage(t), newImage(t)
	for _, repository := range []string{"fixed", "loose"} {
		require.NoError(t, w.push(repository+":1", first))
	}
	require.NoError(t, w.push("fixed:1", first), "the same image may be pushed again")
	err := w.push("fixed:1", second)
	require.ErrorContains(t, err, "TAG_INVALID: The image tag '1' already exists in the 'fixed' repository and cannot be overwritten because the tag is immutable.")
	require.NoError(t, w.push("fixed:2", second))
	require.NoError(t, w.push("loose:1", second))

	tag := types.ImageIdentifier{ImageTag: aws.String("1")}
	assert.Equal(t, digestOf(t, first), *w.images("fixed", tag)[0].ImageDigest)
	assert.Equal(t, digestOf(t, second), *w.images("loose", tag)[0].ImageDigest)
	assert.Empty(t, w.images("loose", types.ImageIdentifier{ImageDigest: aws.String(digestOf(t, first))})[0].ImageTags)
}

func TestImagesAreListedNewestFirstInPagesAndByTagStatus(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("shop", "MUTABLE", false))
	var pushed []string
	for range 3 {
		image := newImage(t)
		require.NoError(t, w.push("shop:newest", image))
		pushed = append([]string{digestOf(t, image)}, pushed...)
		w.clock.Advance(time.Minute)
	}
	var listed []string
	in := &sdk.DescribeImagesInput{RepositoryName: aws.String("shop"), MaxResults: aws.Int32(2)}
	for pages := 1; ; pages++ {
		out, err := w.DescribeImages(t.Context(), in)
		require.NoError(t, err)
		for _, detail := range out.ImageDetails {
			listed = append(listed, *detail.ImageDigest)
		}
		if in.NextToken = out.NextToken; out.NextToken == nil {
			assert.Equal(t, 2, pages)
			break
		}
	}
	assert.Equal(t, pushed, listed)
	out, err := w.DescribeImages(t.Context(), &sdk.DescribeImagesInput{
		RepositoryName: aws.String("shop"), Filter: &types.DescribeImagesFilter{TagStatus: types.TagStatusTagged},
	})
	require.NoError(t, err)
	require.Len(t, out.ImageDetails, 1)
	assert.Equal(t, pushed[0], *out.ImageDetails[0].ImageDigest)
}

func TestAnImageThatIsNotThereAndAWrongPageAreErrorsOfECRs(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("shop", "IMMUTABLE", false))
	_, err := w.DescribeImages(t.Context(), &sdk.DescribeImagesInput{
		RepositoryName: aws.String("shop"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("nope")}},
	})
	var missing *types.ImageNotFoundException
	require.ErrorAs(t, err, &missing)
	assert.Contains(t, missing.ErrorMessage(), "imageTag:'nope'")
	for _, in := range []*sdk.DescribeImagesInput{{MaxResults: aws.Int32(1001)}, {NextToken: aws.String("x")}} {
		in.RepositoryName = aws.String("shop")
		_, err = w.DescribeImages(t.Context(), in)
		var wrong *types.InvalidParameterException
		require.ErrorAs(t, err, &wrong)
	}
}

func TestALifecyclePolicyExpiresUntaggedImagesAndLeavesTaggedOnes(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("shop", "MUTABLE", false))
	w.declare(lifecycle("shop", `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed",
		"countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}`))
	old, current := newImage(t), newImage(t)
	require.NoError(t, w.push("shop:newest", old))
	require.NoError(t, w.push("shop:newest", current))
	w.clock.Advance(14 * 24 * time.Hour)
	assert.Len(t, w.images("shop"), 2)
	w.clock.Advance(time.Second)
	details := w.images("shop")
	require.Len(t, details, 1)
	assert.Equal(t, digestOf(t, current), *details[0].ImageDigest)
	gone, err := name.ParseReference(w.Host() + "/shop@" + digestOf(t, old))
	require.NoError(t, err)
	_, err = remote.Image(gone)
	require.ErrorContains(t, err, "MANIFEST_UNKNOWN")
}

func TestALifecyclePolicyCountsTheImagesThatItsPatternSelects(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("shop", "MUTABLE", false))
	w.declare(lifecycle("shop", `{"rules":[{"rulePriority":7,"selection":{"tagStatus":"tagged","tagPatternList":["pr-*"],
		"countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`))
	for _, tag := range []string{"pr-1", "main-1", "pr-2"} {
		require.NoError(t, w.push("shop:"+tag, newImage(t)))
		w.clock.Advance(time.Second)
	}
	var tags []string
	for _, detail := range w.images("shop") {
		tags = append(tags, detail.ImageTags...)
	}
	assert.Equal(t, []string{"pr-2", "main-1"}, tags)
}

func TestAWrongLifecyclePolicyIsRefusedWithEveryReason(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("shop", "MUTABLE", false))
	err := w.create(lifecycle("shop", `{"rules":[{"rulePriority":0,"selection":{"tagStatus":"tagged","countType":"often","countNumber":0},"action":{"type":"burn"}}]}`))
	for _, words := range []string{"rules[0].rulePriority is 0", "countNumber is 0", "tagStatus is tagged: name the tags", `countType is "often"`, `action.type is "burn": use expire`} {
		require.ErrorContains(t, err, words)
	}
	require.ErrorContains(t, w.create(lifecycle("shop", `{"rule":[]}`)), `unknown field "rule"`)
	require.ErrorContains(t, w.create(lifecycle("other", `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`)),
		"The repository with name 'other' does not exist")
}

func TestARepositoryWithImagesIsDeletedOnlyByForce(t *testing.T) {
	for force, words := range map[bool]string{false: "cannot be deleted because it still contains images", true: ""} {
		w := newWorld(t, t.TempDir())
		r := repository("shop", "IMMUTABLE", force)
		w.declare(r)
		require.NoError(t, w.push("shop:1", newImage(t)))
		err := w.delete(r)
		if words != "" {
			require.ErrorContains(t, err, words)
			continue
		}
		require.NoError(t, err)
		w.declare(r)
		assert.Empty(t, w.images("shop"), "a new repository of the name knows nothing of the old one's images")
		require.NoError(t, w.push("shop:1", newImage(t)))
	}
}

func TestADeclaredURIIsReachedOnLoopbackAndOthersStay(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("shop", "IMMUTABLE", false))
	const uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/"
	assert.Equal(t, w.Host()+"/shop", w.Local(uri+"shop"))
	assert.Equal(t, w.Host()+"/shop:1", w.Local(uri+"shop:1"))
	assert.Equal(t, w.Host()+"/shop@sha256:ab", w.Local(uri+"shop@sha256:ab"))
	assert.Equal(t, uri+"shopping:1", w.Local(uri+"shopping:1"))
	assert.Equal(t, "ghcr.io/stefanprodan/podinfo:6", w.Local("ghcr.io/stefanprodan/podinfo:6"))
	for _, ref := range []string{uri + "shop@sha256:ab", uri + "shop:1", "ghcr.io/stefanprodan/podinfo:6"} {
		assert.Equal(t, ref, w.Declared(w.Local(ref)), "Declared undoes Local")
	}
	assert.Equal(t, w.Host()+"/shopping:1", w.Declared(w.Host()+"/shopping:1"))
	assert.True(t, strings.HasPrefix(w.Host(), "127.0.0.1:"))
}

func TestInAnOutageNothingAnswersAndAfterItEverythingIsThereAgain(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("shop", "IMMUTABLE", false))
	image := newImage(t)
	require.NoError(t, w.push("shop:1", image))
	host := w.Host()
	require.NoError(t, w.Stop())
	require.NoError(t, w.Stop(), "an outage in an outage is one outage")
	_, err := http.Get("http://" + host + "/v2/")
	require.ErrorContains(t, err, "connection refused")
	require.NoError(t, w.Start())
	assert.Equal(t, host, w.Host())
	ref, err := name.ParseReference(host + "/shop:1")
	require.NoError(t, err)
	pulled, err := remote.Image(ref)
	require.NoError(t, err)
	assert.Equal(t, digestOf(t, image), digestOf(t, pulled))
}

func TestLayersOfAnEarlierRunNeedNoPushAndOldOnesAreForgotten(t *testing.T) {
	folder := t.TempDir()
	first := newWorld(t, folder)
	first.declare(repository("shop", "IMMUTABLE", false))
	image := newImage(t)
	require.NoError(t, first.push("shop:1", image))
	require.NoError(t, first.Close())
	host := first.Host()
	layers, err := image.Layers()
	require.NoError(t, err)
	digest, err := layers[0].Digest()
	require.NoError(t, err)

	second := newWorld(t, folder)
	assert.Equal(t, host, second.Host(), "an engine knows the registry by its port")
	assert.NotEqual(t, host, newWorld(t, folder).Host(), "two at once have two ports")
	second.declare(repository("shop", "IMMUTABLE", false))
	assert.Empty(t, second.images("shop"))
	answer, err := http.Head("http://" + second.Host() + "/v2/shop/blobs/" + digest.String())
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, http.StatusOK, answer.StatusCode)

	old := time.Now().Add(-8 * 24 * time.Hour)
	file := filepath.Join(folder, digest.Algorithm, digest.Hex)
	require.NoError(t, os.Chtimes(file, old, old))
	newWorld(t, folder)
	assert.NoFileExists(t, file)
}

func TestAnInputThatIsNotImitatedIsNamed(t *testing.T) {
	w := newWorld(t, t.TempDir())
	r := repository("shop", "IMMUTABLE", false)
	r.Inputs["imageTagMutabilityExclusionFilters"] = []any{map[string]any{"filter": "x*"}}
	require.ErrorContains(t, w.create(r), "imageTagMutabilityExclusionFilters")
	r = repository("shop", "SOMETIMES", false)
	require.ErrorContains(t, w.create(r), `imageTagMutability is "SOMETIMES": the sandbox knows MUTABLE and IMMUTABLE`)
}
