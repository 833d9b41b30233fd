package codebuild_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const makeFiles = `
version: 0.2
phases:
  build:
    commands:
      - mkdir -p out/web/css out2 && echo a > out/a.txt && echo b > out/web/b.html && echo c > out/web/css/c.css && echo d > out2/d.txt
`

func TestArtifactsAreTheFilesThatTheBuildspecDeclares(t *testing.T) {
	for name, c := range map[string]struct {
		declared string
		want     map[string]string
	}{
		"one file":                     {"files: [out/a.txt]", map[string]string{"out/a.txt": "a\n"}},
		"one file of a base directory": {"files: [a.txt]\n  base-directory: out", map[string]string{"a.txt": "a\n"}},
		"all files": {"files: ['**/*']\n  base-directory: out",
			map[string]string{"a.txt": "a\n", "web/b.html": "b\n", "web/css/c.css": "c\n"}},
		"some files without their paths": {"files: ['out/web/**/*']\n  discard-paths: yes", map[string]string{"b.html": "b\n", "c.css": "c\n"}},
		"several base directories":       {"files: ['*.txt']\n  base-directory: 'out*'", map[string]string{"a.txt": "a\n", "d.txt": "d\n"}},
		"all files but some": {"files: ['**/*']\n  base-directory: out\n  exclude-paths: ['web/**/*.css']",
			map[string]string{"a.txt": "a\n", "web/b.html": "b\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, makeFiles+"artifacts:\n  "+c.declared)
			folder := w.output("image")
			w.mustBuild()
			assert.Equal(t, c.want, files(t, folder))
		})
	}
}

func TestSeveralOutputsAreTheSecondaryArtifactsOfTheirNames(t *testing.T) {
	w := newWorld(t, makeFiles+`
artifacts:
  files: [out/a.txt]
  secondary-artifacts:
    page: {files: [b.html], base-directory: out/web}
    text: {files: [d.txt], base-directory: out2}
`)
	page, text := w.output("page"), w.output("text")
	w.mustBuild()
	assert.Equal(t, map[string]string{"b.html": "b\n"}, files(t, page))
	assert.Equal(t, map[string]string{"d.txt": "d\n"}, files(t, text))
}

func TestAnOutputThatTheBuildspecDoesNotDeclareIsNamedBeforeAnythingRuns(t *testing.T) {
	w := newWorld(t, makeFiles)
	w.output("image")
	_, err := w.build()
	assert.ErrorContains(t, err, "the buildspec declares no artifact for the action's output image")
	assert.Empty(t, w.log())
}

func TestABuildWhoseArtifactIsMissingFails(t *testing.T) {
	for declared, want := range map[string]string{
		"files: [out/none.txt, more/*]":        "phase UPLOAD_ARTIFACTS: artifact image: no matching artifact paths found for out/none.txt, more/*",
		"files: [a.txt]\n  base-directory: no": "no matching base directory path found for no",
	} {
		w := newWorld(t, makeFiles+"artifacts:\n  "+declared)
		w.output("image")
		_, err := w.build()
		assert.ErrorContains(t, err, want)
	}
}

func TestTwoFilesOfOneNameAreNotMadeOne(t *testing.T) {
	w := newWorld(t, makeFiles+"      - cp out/a.txt out2/a.txt\nartifacts:\n  files: ['**/a.txt']\n  discard-paths: yes")
	w.output("image")
	_, err := w.build()
	assert.ErrorContains(t, err, "two files of the artifact would both be a.txt")
}

func TestAnArtifactDoesNotReachOutOfTheSourceThroughALink(t *testing.T) {
	w := newWorld(t, "version: 0.2\nphases: {build: {commands: ['ln -s /etc/hosts hosts; ln -s /etc etc']}}\nartifacts: {files: [hosts, 'etc/*']}")
	folder := w.output("image")
	_, err := w.build()
	require.Error(t, err)
	assert.Empty(t, files(t, folder))
}
