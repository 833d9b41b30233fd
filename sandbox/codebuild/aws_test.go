package codebuild_test

import (
	"crypto/rand"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codebuild"
	"github.com/penguinshop/delivery/sandbox/ecr"
	"github.com/penguinshop/delivery/sandbox/graph"
)

// registry is ECR with two repositories.
type registry struct {
	*ecr.Service
	t     *testing.T
	clock *clockwork.FakeClock
}

func newRegistry(t *testing.T) registry {
	t.Helper()
	clock := clockwork.NewFakeClock()
	service, err := ecr.New(ecr.Options{Region: "eu-central-1", Account: "123456789012", Clock: clock, Folder: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	for _, name := range []string{"penguinshop-dev", "empty"} {
		declareRepository(t, service, name)
	}
	return registry{service, t, clock}
}

// declareRepository declares a repository as the pipeline's component does.
func declareRepository(t *testing.T, service *ecr.Service, name string) {
	t.Helper()
	const repository = "aws:ecr/repository:Repository"
	inputs := object{"name": name, "imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": object{"scanOnPush": true}}
	outputs := maps.Clone(inputs)
	outputs["repositoryUrl"] = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/" + name
	outputs["arn"] = "arn:aws:ecr:eu-central-1:123456789012:repository/" + name
	require.NoError(t, service.Providers()[repository].Create(t.Context(), graph.Resource{
		URN: "urn:pulumi:shared::penguinshop::" + repository + "::" + name, Type: repository, Inputs: inputs, Outputs: outputs,
	}))
}

// push puts an image into the registry, an hour after the one before, and returns its digest.
func (r registry) push(tag string) string {
	r.t.Helper()
	r.clock.Advance(time.Hour)
	image, err := random.Image(100, 1)
	require.NoError(r.t, err)
	reference, err := name.ParseReference(r.Host()+"/penguinshop-dev:"+tag, name.Insecure)
	require.NoError(r.t, err)
	require.NoError(r.t, remote.Write(reference, image))
	digest, err := image.Digest()
	require.NoError(r.t, err)
	return digest.String()
}

// ask runs a command in a build, and returns what it printed and its exit status.
func ask(t *testing.T, registry codebuild.Registry, command string) (printed string, status int) {
	t.Helper()
	w := newWorld(t, "version: 0.2\nphases:\n  build:\n    commands:\n      - |\n        "+command,
		configured(func(c *codebuild.Config) { c.Registry = registry }))
	_, err := w.build()
	if err != nil {
		var failure *codebuild.Failure
		require.ErrorAs(t, err, &failure)
		status = failure.Status
	}
	return strings.Join(w.printed(), "\n"), status
}

const describeImages = "aws ecr describe-images --region eu-central-1 --repository-name penguinshop-dev "

func TestABuildsAWSAnswersForTheRegistry(t *testing.T) {
	host := newRegistry(t)
	oldest := host.push("c1")
	newest := host.push("c2")

	for command, want := range map[string]string{
		describeImages + "--image-ids imageTag=c1 --query 'imageDetails[0].imageDigest' --output text":                                               oldest,
		describeImages + "--image-ids=imageDigest=" + newest + " --query 'imageDetails[0].imageTags[0]' --output text":                               "c2",
		describeImages + "--query 'sort_by(imageDetails[?imageTags], &imagePushedAt)[-1].imageTags[0]' --output json":                                `"c2"`,
		describeImages + "--query 'sort_by(imageDetails,&imagePushedAt)[*].imageTags[0]' --output text":                                              "c1\tc2",
		"aws ecr describe-images --repository-name empty --query 'sort_by(imageDetails[?imageTags], &imagePushedAt)[-1].imageTags[0]' --output json": "null",
	} {
		printed, status := ask(t, host, command)
		assert.Equal(t, want, printed, command)
		assert.Zero(t, status, command)
	}
}

func TestABuildsAWSGivesAPasswordThatLogsIn(t *testing.T) {
	printed, status := ask(t, newRegistry(t), "aws ecr get-login-password --region eu-central-1")
	assert.Zero(t, status)
	assert.Regexp(t, `^\S{16,}$`, printed)
}

func TestABuildsAWSFailsInTheWordsOfTheRealOne(t *testing.T) {
	host := newRegistry(t)
	host.push("c1")
	printed, status := ask(t, host, describeImages+"--image-ids imageTag=none")
	assert.Equal(t, 254, status)
	assert.Contains(t, printed, "An error occurred (ImageNotFoundException) when calling the DescribeImages operation: "+
		"The image with imageId {imageDigest:'null', imageTag:'none'} does not exist within the repository with name 'penguinshop-dev' in the registry with id '123456789012'")

	for command, want := range map[string]string{
		"aws s3 ls":                          `the sandbox cannot answer "aws s3 ls"`,
		"aws":                                `the sandbox cannot answer "aws "`,
		"aws ecr describe-images":            "the following arguments are required: --repository-name",
		describeImages + "--max-items 1":     "the sandbox does not know the option --max-items here",
		describeImages + "--image-ids tag=x": "write imageDigest=… or imageTag=…",
		describeImages + "--output table":    "the sandbox prints json and text",
		describeImages + "--output text":     "narrow --query",
		describeImages + "--query 'imageDetails[' --output text": "bad value for --query imageDetails[",
	} {
		printed, status := ask(t, host, command)
		assert.Equal(t, 252, status, command)
		assert.Contains(t, printed, want, command)
	}
}

func TestABuildsAWSReadsAllPages(t *testing.T) {
	host := newRegistry(t)
	for range 3 {
		host.push(rand.Text())
	}
	printed, status := ask(t, host, "aws ecr describe-images --repository-name penguinshop-dev --max-results 2 --query 'length(imageDetails)'")
	assert.Zero(t, status, printed)
	assert.Equal(t, "3", printed)
}

func TestABuildWithoutARegistryIsToldSo(t *testing.T) {
	printed, status := ask(t, nil, describeImages)
	assert.Equal(t, 254, status)
	assert.Contains(t, printed, `the sandbox has no service "ECR"`)
}

func TestAnArtifactIsPushedByAWSAlone(t *testing.T) {
	host := newRegistry(t)
	subject := host.push("c1")
	printed, status := ask(t, host, `set -e
        printf '{}' > config.json; printf 'components' > sbom.json
        for file in config.json sbom.json; do
          id="$(aws ecr initiate-layer-upload --repository-name penguinshop-dev --query uploadId --output text)"
          last=$(($(wc -c < $file) - 1))
          aws ecr upload-layer-part --repository-name penguinshop-dev --upload-id "$id" --part-first-byte 0 --part-last-byte $last --layer-part-blob fileb://$file > part.txt
          aws ecr complete-layer-upload --repository-name penguinshop-dev --upload-id "$id" --layer-digests "sha256:$(sha256sum $file | cut -d' ' -f1)" > done.txt
        done
        printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"text/plain","config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"sha256:%s"},"layers":[{"mediaType":"text/plain","size":10,"digest":"sha256:%s"}],"subject":{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":1,"digest":"`+subject+`"}}' "$(sha256sum config.json | cut -d' ' -f1)" "$(sha256sum sbom.json | cut -d' ' -f1)" > manifest.json
        aws ecr put-image --repository-name penguinshop-dev --image-tag sbom --image-manifest file://manifest.json --query image.imageId.imageTag --output text`)
	assert.Zero(t, status, printed)
	assert.Equal(t, "sbom", printed)
	digest, err := name.NewDigest(host.Host()+"/penguinshop-dev@"+subject, name.Insecure)
	require.NoError(t, err)
	index, err := remote.Referrers(digest)
	require.NoError(t, err)
	referrers, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, referrers.Manifests, 1)
	sbom := types.ImageIdentifier{ImageTag: aws.String("sbom")}
	described, err := host.DescribeImages(t.Context(), &sdk.DescribeImagesInput{
		RepositoryName: aws.String("penguinshop-dev"), ImageIds: []types.ImageIdentifier{sbom},
	})
	require.NoError(t, err)
	assert.Equal(t, referrers.Manifests[0].Digest.String(), *described.ImageDetails[0].ImageDigest)
	assert.Equal(t, "text/plain", *described.ImageDetails[0].ArtifactMediaType)
}

func TestDockerNeedsAPrivilegedBuildAsInCodeBuild(t *testing.T) {
	const spec = "version: 0.2\nphases: {build: {commands: [docker version]}}"
	w := newWorld(t, spec)
	_, err := w.build()
	require.Error(t, err)
	assert.Contains(t, w.log(), "Cannot connect to the Docker daemon: set environment.privilegedMode")

	privileged := with("environment", object{"type": "ARM_CONTAINER", "image": "x", "privilegedMode": true})
	w = newWorld(t, spec, privileged)
	_, err = w.build()
	assert.ErrorContains(t, err, "there is no container engine")

	w = newWorld(t, spec, privileged, configured(func(c *codebuild.Config) {
		c.InstallDocker = func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\necho \"engine $*\"\n"), 0o755)
		}
	}))
	w.mustBuild()
	assert.Equal(t, []string{"engine version"}, w.printed())
}
