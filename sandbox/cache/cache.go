// Package cache is what the sandbox keeps from one run to the next to be faster. All of it can be made again.
package cache

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Folder is the user's cache folder of that name, which is there afterwards.
func Folder(name string) (string, error) {
	home, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w (set HOME or XDG_CACHE_HOME)", err)
	}
	folder := filepath.Join(home, "penguinshop-sandbox", name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	return folder, nil
}

// Forget removes the files below a folder that were last written longer ago than age. One that cannot be removed stays.
func Forget(folder string, age time.Duration) {
	before := time.Now().Add(-age)
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil && info.ModTime().Before(before) {
			_ = os.Remove(path)
		}
		return nil
	})
}
