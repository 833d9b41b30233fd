package codebuild_test

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codebuild"
	"github.com/penguinshop/delivery/sandbox/container"
	"github.com/penguinshop/delivery/sandbox/ecr"
	"github.com/penguinshop/delivery/tests/need"
)

const repositoryURL = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/penguinshop-dev"

// shop is the repository's own app with its own buildspec, built by a real container engine into a real registry.
type shop struct {
	*world
	engine   container.Engine
	registry *ecr.Service
}

// newShop needs docker or podman.
func newShop(t *testing.T) *shop {
	t.Helper()
	if testing.Short() {
		need.Missing(t, "a run without -short: it builds images of the app")
	}
	registry, err := ecr.New(ecr.Options{Region: "eu-central-1", Account: "123456789012", Clock: clockwork.NewRealClock(), Folder: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, registry.Close()) })
	declareRepository(t, registry, "penguinshop-dev")
	engine, notes, err := container.Detect(t.Context(), container.Options{Registry: registry.Host(), Progress: func(s string) { t.Log(s) }})
	if err != nil || engine.Name() == container.Process {
		need.Missing(t, "docker or podman: %v %v", notes, err)
	}
	t.Cleanup(func() { assert.NoError(t, engine.Close()) })

	s := &shop{engine: engine, registry: registry}
	s.world = newWorld(t, "", variables(map[string]string{
		"REPOSITORY_URI": repositoryURL, "BASE_IMAGE": s.declaredBase(t), "SCAN_FAIL_ON": "HIGH",
	}),
		func(config *codebuild.Config, inputs object) {
			inputs["source"] = object{"type": "CODEPIPELINE", "buildspec": "app/buildspec.yml"}
			inputs["environment"].(object)["privilegedMode"] = true
			config.Registry, config.InstallDocker = registry, engine.InstallCLI
			config.StandIn = func(ctx context.Context, name, declared string) (string, error) {
				if name == "BASE_IMAGE" {
					ref, note, err := engine.BaseImage(ctx, declared)
					t.Log(note)
					return ref, err
				}
				return registry.Local(declared), nil
			}
		})
	require.NoError(t, os.CopyFS(filepath.Join(s.source, "app"), withoutModules{os.DirFS("../../app")}))
	for _, arguments := range [][]string{
		{"init", "--quiet"}, {"add", "app"},
		{"-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "--quiet", "--message=one"},
	} {
		said, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", s.source}, arguments...)...).CombinedOutput()
		require.NoError(t, err, string(said))
	}
	s.output("image")
	return s
}

// declaredBase is the Dockerfile's own default, which the project declares as well.
func (s *shop) declaredBase(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../app/Dockerfile")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^ARG BASE_IMAGE=(\S+)$`).FindSubmatch(text)
	require.NotNil(t, found)
	return string(found[1])
}

// release is what one build of the app has handed on.
type release struct {
	uri, digest string
	layers      []string
	config      *v1.ConfigFile
	took        time.Duration
}

func (s *shop) release(commit string) release {
	s.t.Helper()
	s.in.Commit = commit
	s.in.Artifacts["image"] = s.t.TempDir()
	start := time.Now()
	built := s.mustBuild()
	r := release{uri: built.Variables["IMAGE_URI"], digest: built.Variables["IMAGE_DIGEST"], took: time.Since(start)}
	assert.Equal(s.t, commit, built.Variables["COMMIT"])
	assert.Equal(s.t, "Ann", built.Variables["AUTHOR"])
	assert.Regexp(s.t, `^(\d+) of (\d+) tests passed$`, built.Variables["TEST_RESULT"])
	assert.Equal(s.t, map[string]string{"imagedefinitions.json": `[{"name":"app","imageUri":"` + r.uri + `"}]` + "\n"},
		files(s.t, s.in.Artifacts["image"]))
	reference, err := name.NewDigest(r.uri, name.Insecure)
	require.NoError(s.t, err)
	assert.Equal(s.t, r.digest, reference.DigestStr())
	image, err := remote.Image(reference)
	require.NoError(s.t, err)
	r.config, err = image.ConfigFile()
	require.NoError(s.t, err)
	for _, layer := range r.config.RootFS.DiffIDs {
		r.layers = append(r.layers, layer.String())
	}
	return r
}

// bill is the bill of materials that refers to a release's image.
func (s *shop) bill(r release) (tag string, components []string) {
	s.t.Helper()
	reference, err := name.NewDigest(r.uri, name.Insecure)
	require.NoError(s.t, err)
	index, err := remote.Referrers(reference)
	require.NoError(s.t, err)
	referrers, err := index.IndexManifest()
	require.NoError(s.t, err)
	require.Len(s.t, referrers.Manifests, 1)
	digest := referrers.Manifests[0].Digest.String()
	described, err := s.registry.DescribeImages(s.t.Context(), &sdk.DescribeImagesInput{
		RepositoryName: aws.String("penguinshop-dev"), ImageIds: []types.ImageIdentifier{{ImageDigest: &digest}},
	})
	require.NoError(s.t, err)
	require.Len(s.t, described.ImageDetails[0].ImageTags, 1)
	artifact, err := remote.Image(reference.Context().Digest(digest))
	require.NoError(s.t, err)
	layers, err := artifact.Layers()
	require.NoError(s.t, err)
	require.Len(s.t, layers, 1)
	content, err := layers[0].Uncompressed()
	require.NoError(s.t, err)
	defer content.Close()
	var list struct{ Components []struct{ Name string } }
	require.NoError(s.t, json.NewDecoder(content).Decode(&list))
	for _, c := range list.Components {
		components = append(components, c.Name)
	}
	return described.ImageDetails[0].ImageTags[0], components
}

func TestTheAppIsBuiltTestedAndRunsAsItIsDeclared(t *testing.T) {
	s := newShop(t)
	first := s.release("1111111111111111111111111111111111111111")
	assert.Equal(t, "1000:1000", first.config.Config.User)

	t.Run("the list of what it is made of refers to it", func(t *testing.T) {
		tag, components := s.bill(first)
		assert.Equal(t, "sbom-1111111111111111111111111111111111111111", tag)
		assert.Contains(t, components, "express")
		assert.NotContains(t, components, "supertest", "the image does not have it")
	})
	t.Run("an image of that commit is there already", func(t *testing.T) {
		again := s.release("1111111111111111111111111111111111111111")
		assert.Equal(t, first.uri, again.uri)
		assert.Contains(t, s.log(), "was pushed before")
		assert.Contains(t, s.log(), "The bill of materials was kept before")
	})
	t.Run("an image with a finding that is too severe is not handed on", func(t *testing.T) {
		require.NoError(t, s.registry.Vulnerable("penguinshop-dev",
			types.ImageScanFinding{Name: aws.String("CVE-2026-1"), Severity: types.FindingSeverityHigh},
			types.ImageScanFinding{Name: aws.String("CVE-2026-2"), Severity: types.FindingSeverityMedium}))
		s.in.Artifacts["image"] = s.t.TempDir()
		_, err := s.build()
		var failure *codebuild.Failure
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, "POST_BUILD", failure.Phase)
		assert.Contains(t, s.log(), "The scan found 1 HIGH, 1 MEDIUM.\n1 of them stop the delivery, which fails on HIGH and worse:\n  HIGH CVE-2026-1\n")
		assert.Empty(t, files(t, s.in.Artifacts["image"]), "no later action learns of it")

		s.in.Environment["SCAN_EXCEPTIONS"] = "CVE-2026-1:" + time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
		assert.Equal(t, first.uri, s.release("1111111111111111111111111111111111111111").uri)
		assert.Contains(t, s.log(), "HIGH CVE-2026-1 is excepted until")
		delete(s.in.Environment, "SCAN_EXCEPTIONS")
		require.NoError(t, s.registry.Vulnerable("penguinshop-dev"))
	})
	t.Run("an unchanged app is another image without a new layer", func(t *testing.T) {
		second := s.release("2222222222222222222222222222222222222222")
		assert.NotEqual(t, first.digest, second.digest, "the commit stands in the image")
		assert.Equal(t, first.layers, second.layers)
		t.Logf("first build %s, second %s", first.took.Round(time.Millisecond), second.took.Round(time.Millisecond))
	})
	t.Run("a changed page is one new layer", func(t *testing.T) {
		page := filepath.Join(s.source, "app/public/index.html")
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		changed := strings.Replace(string(text), "Penguin Shop</h1>", "Penguin Shop!</h1>", 1)
		require.NotEqual(t, string(text), changed)
		require.NoError(t, os.WriteFile(page, []byte(changed), 0o644))
		third := s.release("3333333333333333333333333333333333333333")
		require.Len(t, third.layers, len(first.layers))
		last := len(first.layers) - 1
		assert.Equal(t, first.layers[:last], third.layers[:last])
		assert.NotEqual(t, first.layers[last], third.layers[last])
		s.run(t, third, func(get func(path string) (int, string)) {
			status, version := get("/version")
			assert.Equal(t, http.StatusOK, status)
			assert.JSONEq(t, `{"commit":"3333333333333333333333333333333333333333","digest":"`+third.digest+`","colour":"green"}`, version)
			status, body := get("/")
			assert.Equal(t, http.StatusOK, status)
			assert.Contains(t, body, "Penguin Shop!</h1>")
			status, _ = get("/readyz")
			assert.Equal(t, http.StatusOK, status)
		})
	})
}

// run starts a release as an ECS task would, with a read-only root file system, and stops it in the end.
func (s *shop) run(t *testing.T, r release, visit func(get func(path string) (int, string))) {
	t.Helper()
	listener, host, err := s.engine.Listen(t.Context())
	require.NoError(t, err)
	_, port, _ := strings.Cut(listener.Addr().String(), ":")
	metadata := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"Image": r.uri})
	})}
	go func() { _ = metadata.Serve(listener) }()
	t.Cleanup(func() { _ = metadata.Close() })

	c, err := s.engine.Start(t.Context(), container.Spec{
		Name: "shop", Image: r.uri, Port: 8080, ReadOnly: true, MemoryMiB: 512, CPUUnits: 256,
		Env: map[string]string{"COLOUR": "green", "ECS_CONTAINER_METADATA_URI_V4": "http://" + host + ":" + port + "/v4/task"},
	})
	require.NoError(t, err)
	get := func(path string) (int, string) {
		response, err := http.Get("http://" + c.Address() + path)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		assert.NoError(t, err)
		return response.StatusCode, string(body)
	}
	require.Eventually(t, func() bool { status, _ := get("/healthz"); return status == http.StatusOK }, 30*time.Second, 50*time.Millisecond)
	visit(get)
	require.NoError(t, c.Stop(t.Context(), 10*time.Second))
	<-c.Done()
	assert.Zero(t, c.Exit().Code, "it stops by itself when it is asked to")
}

// withoutModules is a source folder as git knows it: what npm has installed there is not part of it.
type withoutModules struct{ fs.FS }

func (w withoutModules) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(w.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "node_modules" }), err
}
