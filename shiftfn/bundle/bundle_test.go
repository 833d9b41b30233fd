package bundle

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// module writes a small program with a package of its own, in a fresh folder.
func module(t *testing.T, greeting string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":            "module example.com/function\n\ngo 1.26.0\n",
		"go.sum":            "",
		"run/main.go":       "package main\n\nimport \"example.com/function/run/words\"\n\nfunc main() { println(words.Greeting) }\n",
		"run/words/word.go": "package words\n\nconst Greeting = \"" + greeting + "\"\n",
		"run/main_test.go":  "package main\n",
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func found(t *testing.T, dir string) sources {
	t.Helper()
	s, err := find(t.Context(), dir, "example.com/function/run")
	require.NoError(t, err)
	return s
}

func zipped(t *testing.T, s sources, cache string) (path string, content []byte) {
	t.Helper()
	path, err := s.zip(t.Context(), cache)
	require.NoError(t, err)
	content, err = os.ReadFile(path)
	require.NoError(t, err)
	return path, content
}

func TestTheSameSourcesGiveTheSameBytesInAnyFolder(t *testing.T) {
	first, one := zipped(t, found(t, module(t, "hello")), t.TempDir())
	second, other := zipped(t, found(t, module(t, "hello")), t.TempDir())
	assert.Equal(t, filepath.Base(first), filepath.Base(second))
	assert.True(t, bytes.Equal(one, other), "the zips differ")
}

func TestAChangeOfTheSourcesGivesAnotherZip(t *testing.T) {
	cache := t.TempDir()
	first, one := zipped(t, found(t, module(t, "hello")), cache)
	second, other := zipped(t, found(t, module(t, "goodbye")), cache)
	assert.NotEqual(t, first, second)
	assert.False(t, bytes.Equal(one, other))
}

func TestAChangeOfTheTestsGivesTheSameZip(t *testing.T) {
	dir := module(t, "hello")
	before, err := found(t, dir).fingerprint()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run", "main_test.go"), []byte("package main\n\nvar x = 1\n"), 0o600))
	after, err := found(t, dir).fingerprint()
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

func TestTheZipHoldsAnExecutableForLambdasArm64(t *testing.T) {
	_, content := zipped(t, found(t, module(t, "hello")), t.TempDir())
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	require.Len(t, z.File, 1)
	file := z.File[0]
	assert.Equal(t, "bootstrap", file.Name)
	assert.Equal(t, os.FileMode(0o755), file.Mode().Perm(), "Lambda must be able to run it")
	assert.True(t, file.Modified.Equal(zipTime))
	in, err := file.Open()
	require.NoError(t, err)
	binary, err := io.ReadAll(in)
	require.NoError(t, err)
	program, err := elf.NewFile(bytes.NewReader(binary))
	require.NoError(t, err)
	assert.Equal(t, elf.EM_AARCH64, program.Machine)
	assert.Nil(t, program.Section(".symtab"), "the symbols are left out")
	dynamic, err := program.ImportedLibraries()
	require.NoError(t, err)
	assert.Empty(t, dynamic, "the runtime image has no libraries to count on")
}

func TestASecondCallBuildsNothing(t *testing.T) {
	cache := t.TempDir()
	s := found(t, module(t, "hello"))
	path, _ := zipped(t, s, cache)
	t.Setenv("PATH", "") // no compiler any more
	again, err := s.zip(t.Context(), cache)
	require.NoError(t, err)
	assert.Equal(t, path, again)
}

func TestAFunctionThatDoesNotCompileSaysWhereAndLeavesNothing(t *testing.T) {
	dir, cache := module(t, "hello"), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run", "broken.go"), []byte("package main\n\nvar x int = \"text\"\n"), 0o600))
	_, err := found(t, dir).zip(t.Context(), cache)
	require.ErrorContains(t, err, "the traffic-shifting function does not build")
	assert.ErrorContains(t, err, "broken.go:3")
	left, err := os.ReadDir(cache)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestWithoutGoTheErrorSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", "")
	_, err := Zip(t.Context(), ".")
	require.ErrorIs(t, err, ErrNoGo)
	assert.Contains(t, err.Error(), "install Go")
}

func TestTheFunctionHasNoSourcesOutsideItsFolder(t *testing.T) {
	// The fingerprint covers the folder of the main package and what lies below it; a package elsewhere in this module would
	// change the zip without changing its name.
	list, err := goCommand(t.Context(), ".", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{end}}{{end}}", "../...")
	require.NoError(t, err)
	packages := strings.Fields(list)
	require.NotEmpty(t, packages)
	for _, path := range packages {
		assert.True(t, path == Package || strings.HasPrefix(path, Package+"/"), "%s is outside %s", path, Package)
	}
}
