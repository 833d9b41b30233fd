package dockerfile_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/container/dockerfile"
)

// write lays files out in a new folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return folder
}

// newBuild builds the folder with a cache of the test's own.
func newBuild(t *testing.T, folder string) (dockerfile.Build, *bytes.Buffer) {
	t.Helper()
	var output bytes.Buffer
	return dockerfile.Build{
		Context: folder, Cache: t.TempDir(), Work: t.TempDir(), Output: &output,
		Base: func(ref string) (v1.Config, error) {
			if ref != "node:24" {
				return v1.Config{}, errors.New("no such base: " + ref)
			}
			return v1.Config{Env: []string{"NODE_VERSION=24"}, Cmd: []string{"node"}}, nil
		},
	}, &output
}

// laidOut is what the image's layers make of an empty folder, by path.
func laidOut(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	root := t.TempDir()
	layers, err := image.Layers()
	require.NoError(t, err)
	for _, layer := range layers {
		require.NoError(t, dockerfile.Unpack(layer, root))
	}
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		require.NoError(t, err)
		if entry.Type()&os.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			files[name] = "-> " + to
			return err
		}
		text, err := os.ReadFile(path)
		files[name] = string(text)
		return err
	}))
	return files
}

func config(t *testing.T, image v1.Image) v1.Config {
	t.Helper()
	file, err := image.ConfigFile()
	require.NoError(t, err)
	return file.Config
}

const shop = `
ARG BASE=node:24
FROM $BASE AS tools
WORKDIR /made
COPY make.js .
ARG SIZE=small
ENV WORD=made-$SIZE
RUN node make.js && node make.js second
FROM ${BASE}
ENV A=1 B="two words" NODE_VERSION=25
WORKDIR /app
COPY --from=tools --chown=1000:1000 /made/out ./out
COPY index.js package*.json ./
COPY public ./public
USER 1000:1000
EXPOSE 8080
LABEL team=shop
CMD ["node", "index.js"]
ARG COMMIT
ENV COMMIT=${COMMIT}
`

var shopFiles = map[string]string{
	"Dockerfile": shop, "index.js": "serve()", "package.json": "{}", "package-lock.json": "{ }", "public/index.html": "<h1>", "public/.hidden": "x",
	"secret.env": "KEY=1", ".dockerignore": "*.env\npublic/.hidden\n",
	"make.js": `const fs = require('fs');
fs.mkdirSync('out', { recursive: true });
fs.writeFileSync('out/' + (process.argv[2] ?? 'first'), process.env.WORD);
if (process.argv[2]) fs.symlinkSync('first', 'out/link');`,
}

func TestTheImageHoldsWhatTheStagesCopyAndRun(t *testing.T) {
	b, output := newBuild(t, write(t, shopFiles))
	b.Args = map[string]string{"SIZE": "large", "COMMIT": "abc", "UNKNOWN": "x"}
	b.Labels = map[string]string{"revision": "abc"}
	image, err := b.Run(t.Context())
	require.NoError(t, err, output.String())
	assert.Equal(t, map[string]string{
		"app/index.js": "serve()", "app/package.json": "{}", "app/package-lock.json": "{ }", "app/public/index.html": "<h1>",
		"app/out/first": "made-large", "app/out/second": "made-large", "app/out/link": "-> first",
	}, laidOut(t, image))
	c := config(t, image)
	assert.ElementsMatch(t, []string{"NODE_VERSION=25", "A=1", "B=two words", "COMMIT=abc"}, c.Env)
	assert.Equal(t, "/app", c.WorkingDir)
	assert.Equal(t, "1000:1000", c.User)
	assert.Equal(t, []string{"node", "index.js"}, c.Cmd)
	assert.Equal(t, map[string]string{"team": "shop", "revision": "abc"}, c.Labels)
	assert.Contains(t, c.ExposedPorts, "8080/tcp")
}

func TestTheSameFilesMakeTheSameImageAndAChangedPageOneNewLayer(t *testing.T) {
	folder := write(t, shopFiles)
	b, output := newBuild(t, folder)
	layersOf := func() []string {
		b.Work = t.TempDir()
		image, err := b.Run(t.Context())
		require.NoError(t, err, output.String())
		layers, err := image.Layers()
		require.NoError(t, err)
		var digests []string
		for _, layer := range layers {
			digest, err := layer.Digest()
			require.NoError(t, err)
			digests = append(digests, digest.String())
		}
		return digests
	}
	first := layersOf()
	assert.NotContains(t, output.String(), "cached")
	assert.Equal(t, first, layersOf())

	require.NoError(t, os.WriteFile(filepath.Join(folder, "public/index.html"), []byte("<h2>"), 0o644))
	changed := layersOf()
	require.Len(t, changed, len(first))
	assert.Equal(t, first[:len(first)-1], changed[:len(first)-1])
	assert.NotEqual(t, first[len(first)-1], changed[len(first)-1])

	output.Reset()
	b.NoCache = true
	layersOf()
	assert.NotContains(t, output.String(), "cached")
}

func TestAChangedBuildArgumentRunsWhatSeesItAgain(t *testing.T) {
	b, output := newBuild(t, write(t, shopFiles))
	for _, size := range []string{"small", "large"} {
		b.Args, b.Work = map[string]string{"SIZE": size}, t.TempDir()
		image, err := b.Run(t.Context())
		require.NoError(t, err, output.String())
		assert.Equal(t, "made-"+size, laidOut(t, image)["app/out/first"])
	}
}

func TestAFileThatARunRemovesIsGoneFromTheImage(t *testing.T) {
	folder := write(t, map[string]string{
		"Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY . .\nRUN node remove.js\n", "gone/a/b": "x", "stays": "y",
		"remove.js": "require('fs').rmSync('gone', { recursive: true }); require('fs').rmSync('remove.js')",
	})
	b, output := newBuild(t, folder)
	image, err := b.Run(t.Context())
	require.NoError(t, err, output.String())
	files := laidOut(t, image)
	delete(files, "app/Dockerfile")
	assert.Equal(t, map[string]string{"app/stays": "y"}, files)
}

func TestATargetStopsTheBuildAtItsStage(t *testing.T) {
	b, _ := newBuild(t, write(t, shopFiles))
	b.Target = "tools"
	image, err := b.Run(t.Context())
	require.NoError(t, err)
	assert.Contains(t, laidOut(t, image), "made/out/first")
	b.Target = "nothing"
	_, err = b.Run(t.Context())
	require.EqualError(t, err, `Dockerfile: it has no stage "nothing"`)
}

func TestWhatNeedsAnEngineIsRefusedAllAtOnceBeforeAnythingIsDone(t *testing.T) {
	folder := write(t, map[string]string{"Dockerfile": `FROM node:24
WORKDIR /app
COPY . .
RUN node touch.js
RUN apt-get update && apt-get install -y curl
RUN echo hello > /etc/motd
RUN npm install -g pm2
RUN npm --prefix=/opt ci
RUN node ../../outside.js
RUN --mount=type=cache,target=/var/cache/npm npm ci
RUN <<EOF
npm ci
EOF
ADD https://example.com/file /file
COPY --parents a b /
VOLUME /data
`, "touch.js": "require('fs').writeFileSync('touched', '')"})
	b, output := newBuild(t, folder)
	_, err := b.Run(t.Context())
	require.Error(t, err)
	for _, words := range []string{
		"Dockerfile:5: RUN apt-get update && apt-get install -y curl: without a container engine RUN runs npm and node only, since apt-get would work on this machine itself",
		"Dockerfile:6: RUN echo hello > /etc/motd: without a container engine RUN runs npm and node, one after the other by &&",
		"Dockerfile:7: RUN npm install -g pm2: without a container engine npm would put",
		"Dockerfile:8:", "/opt lies elsewhere",
		"Dockerfile:9:", "../../outside.js lies elsewhere",
		"Dockerfile:10:", "RUN has no flags",
		"Dockerfile:11:",
		"Dockerfile:14:", "there is COPY, and no ADD",
		"Dockerfile:15:", "COPY knows --from, --chown, --chmod and --link only",
		"Dockerfile:16:", "it means nothing without a container engine",
		"install docker or podman to build this Dockerfile as it is",
	} {
		assert.ErrorContains(t, err, words)
	}
	assert.NotContains(t, err.Error(), "Dockerfile:4:")
	assert.Empty(t, output.String(), "nothing was begun")
}

func TestWhatIsWrongIsNamedWithItsLine(t *testing.T) {
	for name, bad := range map[string]struct{ text, words string }{
		"no instruction":           {"FROM node:24\nFLY /app\n", "unknown instruction: FLY"},
		"a base that is none":      {"FROM python:3\n", "Dockerfile:1: no such base: python:3"},
		"a base without a name":    {"ARG BASE\nFROM $BASE\n", "Dockerfile:2: FROM $BASE names no image: give the build argument that it asks for"},
		"a source that is missing": {"FROM node:24\nCOPY nothing.js /\n", "Dockerfile:2: COPY nothing.js /: nothing.js is not there, or .dockerignore leaves it out"},
		"an ignored source":        {"FROM node:24\nCOPY secret.env /\n", "secret.env is not there, or .dockerignore leaves it out"},
		"files into a file":        {"FROM node:24\nCOPY a.js b.js /app\n", "several files go to app: end it with a / so that it is a folder"},
		"an unknown stage":         {"FROM node:24\nCOPY --from=tools /a /b\n", `there is no stage "tools" before this one`},
		"an owner without number":  {"FROM node:24\nCOPY --chown=penguin a.js /\n", "--chown=penguin: without a container engine the users root and node are known"},
		"a mode that is none":      {"FROM node:24\nCOPY --chmod=u+x a.js /\n", "--chmod=u+x: give the mode as a number such as 755"},
		"a command that fails":     {"FROM node:24\nWORKDIR /app\nCOPY b.js .\nRUN node b.js\n", "Dockerfile:4: RUN node b.js: node b.js: exit status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newBuild(t, write(t, map[string]string{
				"Dockerfile": bad.text, "a.js": "", "b.js": "process.exit(3)", "secret.env": "", ".dockerignore": "*.env",
			}))
			_, err := b.Run(t.Context())
			require.ErrorContains(t, err, bad.words)
		})
	}
	b, _ := newBuild(t, filepath.Join(t.TempDir(), "missing"))
	_, err := b.Run(t.Context())
	require.ErrorContains(t, err, "read the Dockerfile")
}

func TestALinkInAStageLeadsNowhereOutOfIt(t *testing.T) {
	folder := write(t, map[string]string{
		"Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY link.js .\nRUN node link.js\nCOPY victim out/victim\n",
		"link.js":    "require('fs').symlinkSync(process.env.OUTSIDE, 'out')", "victim": "written",
	})
	outside := t.TempDir()
	t.Setenv("OUTSIDE", outside)
	b, _ := newBuild(t, folder)
	_, err := b.Run(t.Context())
	require.Error(t, err)
	assert.NoFileExists(t, filepath.Join(outside, "victim"))
}

func TestABuildThatIsGivenUpEndsItsCommand(t *testing.T) {
	b, _ := newBuild(t, write(t, map[string]string{
		"Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY wait.js .\nRUN node wait.js\n", "wait.js": "setInterval(() => {}, 1000)",
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := b.Run(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Less(t, time.Since(began), 5*time.Second)
}

func TestACopiedFileKeepsItsModeAndTime(t *testing.T) {
	folder := write(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY run.sh /run.sh\nCOPY --chmod=600 run.sh /quiet.sh\n", "run.sh": "x"})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, os.Chmod(filepath.Join(folder, "run.sh"), 0o755))
	require.NoError(t, os.Chtimes(filepath.Join(folder, "run.sh"), at, at))
	b, _ := newBuild(t, folder)
	image, err := b.Run(t.Context())
	require.NoError(t, err)
	layers, err := image.Layers()
	require.NoError(t, err)
	root := t.TempDir()
	for _, layer := range layers {
		require.NoError(t, dockerfile.Unpack(layer, root))
	}
	info, err := os.Stat(filepath.Join(root, "run.sh"))
	require.NoError(t, err)
	assert.Equal(t, "-rwxr-xr-x", info.Mode().String())
	assert.True(t, at.Equal(info.ModTime()), info.ModTime())
	info, err = os.Stat(filepath.Join(root, "quiet.sh"))
	require.NoError(t, err)
	assert.Equal(t, "-rw-------", info.Mode().String())
}
