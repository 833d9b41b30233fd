package codebuild_test

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codebuild"
)

// newRegistry is a real registry on loopback.
func newRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// push puts an image that was made at a given hour into the registry and returns its digest.
func push(t *testing.T, host, tag string, hour int) string {
	t.Helper()
	image, err := random.Image(100, 1)
	require.NoError(t, err)
	image, err = mutate.CreatedAt(image, v1.Time{Time: time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC)})
	require.NoError(t, err)
	reference, err := name.ParseReference(host+"/penguinshop-dev:"+tag, name.Insecure)
	require.NoError(t, err)
	require.NoError(t, remote.Write(reference, image))
	digest, err := image.Digest()
	require.NoError(t, err)
	return digest.String()
}

// ask runs a command in a build, and returns what it printed and its exit status.
func ask(t *testing.T, host, command string) (printed string, status int) {
	t.Helper()
	w := newWorld(t, "version: 0.2\nphases:\n  build:\n    commands:\n      - |\n        "+command,
		configured(func(c *codebuild.Config) { c.Registry = host }))
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
	newest := push(t, host, "c2", 9)
	oldest := push(t, host, "c1", 3)

	for command, want := range map[string]string{
		describeImages + "--image-ids imageTag=c1 --query 'imageDetails[0].imageDigest' --output text":                                               oldest,
		describeImages + "--image-ids=imageDigest=" + newest + " --query 'imageDetails[0].imageTags' --output text":                                  "None",
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
	push(t, host, "c1", 1)
	printed, status := ask(t, host, describeImages+"--image-ids imageTag=none")
	assert.Equal(t, 254, status)
	assert.Contains(t, printed, "An error occurred (ImageNotFoundException) when calling the DescribeImages operation: "+
		"The image with imageId {imageDigest:'null', imageTag:'none'} does not exist within the repository with name 'penguinshop-dev'")

	for command, want := range map[string]string{
		"aws s3 ls":                          `the sandbox cannot answer "aws s3 ls"`,
		"aws":                                `the sandbox cannot answer "aws "`,
		"aws ecr describe-images":            "the following arguments are required: --repository-name",
		describeImages + "--max-items 1":     "the sandbox does not know the option --max-items here",
		describeImages + "--image-ids tag=x": "write imageTag=… or imageDigest=…",
		describeImages + "--output table":    "the sandbox prints json and text",
		describeImages + "--output text":     "narrow --query",
		describeImages + "--query 'imageDetails[' --output text": "bad value for --query imageDetails[",
	} {
		printed, status := ask(t, host, command)
		assert.Equal(t, 252, status, command)
		assert.Contains(t, printed, want, command)
	}
}

func TestABuildsAWSSaysThatTheRegistryIsGone(t *testing.T) {
	printed, status := ask(t, "127.0.0.1:1", describeImages)
	assert.Equal(t, 255, status)
	assert.Contains(t, printed, "Could not connect to the registry")
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
