package cache_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/cache"
)

func TestAFolderIsTheUsersAloneAndOldFilesInItAreForgotten(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	folder, err := cache.Folder("layers")
	require.NoError(t, err)
	info, err := os.Stat(folder)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	old, young := filepath.Join(folder, "sha256", "old"), filepath.Join(folder, "sha256", "young")
	require.NoError(t, os.Mkdir(filepath.Dir(old), 0o700))
	for file, age := range map[string]time.Duration{old: 2 * time.Hour, young: time.Minute} {
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		require.NoError(t, os.Chtimes(file, time.Time{}, time.Now().Add(-age)))
	}
	cache.Forget(folder, time.Hour)
	assert.NoFileExists(t, old)
	assert.FileExists(t, young)
}

func TestWithoutAHomeTheErrorSaysWhatToSet(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	_, err := cache.Folder("layers")
	require.ErrorContains(t, err, "set HOME or XDG_CACHE_HOME")
}
