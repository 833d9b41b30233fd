// Package scratch gives one run of the sandbox its temporary folder, and finds what runs that were killed have left behind.
//
// A folder belongs to a run as long as the run's process holds the lock in it. The kernel lets go of the lock when the
// process ends in whatever way, so a killed run needs no chance to say goodbye, and a process id that was given to another
// process since then misleads nobody.
package scratch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	lockName = "lock"
	// making begins the name of a folder whose lock is not held yet.
	making = ".making-"
)

// Folder is one run's temporary folder, readable by its user alone.
type Folder struct {
	// ID names the run: letters and digits, unique among the folders of this user.
	ID string
	// Path is absolute.
	Path string
	lock *os.File
}

// New makes a folder that is this process's until Close.
func New() (*Folder, error) {
	home, err := home()
	if err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(home, making)
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	f := &Folder{ID: strings.TrimPrefix(filepath.Base(path), making), Path: path}
	if f.lock, err = hold(path); err == nil {
		f.Path = filepath.Join(home, f.ID)
		err = os.Rename(path, f.Path)
	}
	if err != nil {
		_ = os.RemoveAll(path)
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	return f, nil
}

// Dead takes over the folders of this user's runs that ended without closing them. The caller clears away what they speak
// of and then closes each.
func Dead() ([]*Folder, error) {
	all, err := folders()
	var dead []*Folder
	for _, f := range all {
		var held error
		if f.lock, held = hold(f.Path); held == nil {
			dead = append(dead, f)
		}
	}
	return dead, err
}

// Living are the folders of this user's runs that go on, this process's own among them, given the dead ones. They can be
// looked into and not closed.
func Living(dead []*Folder) ([]*Folder, error) {
	all, err := folders()
	return slices.DeleteFunc(all, func(f *Folder) bool {
		return slices.ContainsFunc(dead, func(d *Folder) bool { return d.ID == f.ID })
	}), err
}

// folders are all that were made and not closed.
func folders() ([]*Folder, error) {
	home, err := home()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(home)
	if err != nil {
		return nil, fmt.Errorf("look for the folders of other runs: %w", err)
	}
	var all []*Folder
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil ||
			strings.HasPrefix(entry.Name(), making) && time.Since(info.ModTime()) < time.Minute {
			continue // another run is making it at this moment
		}
		all = append(all, &Folder{ID: entry.Name(), Path: filepath.Join(home, entry.Name())})
	}
	return all, nil
}

// Alive tells whether the run of that ID, of this user, still goes on.
func Alive(id string) bool {
	home, err := home()
	if err != nil {
		return false
	}
	lock, err := hold(filepath.Join(home, filepath.Base(id)))
	if err == nil {
		_ = lock.Close()
		return false
	}
	return errors.Is(err, syscall.EWOULDBLOCK)
}

// Close removes the folder and all that is in it. A second call does nothing.
func (f *Folder) Close() error {
	if f.lock == nil {
		return nil
	}
	lock := f.lock
	f.lock = nil
	return errors.Join(RemoveAll(f.Path), lock.Close())
}

// RemoveAll is os.RemoveAll that also removes folders that were made read-only, as those of an unpacked image may be.
func RemoveAll(path string) error {
	if err := os.RemoveAll(path); err == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(inside string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(inside, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}

// hold takes the lock in the folder, or fails with EWOULDBLOCK when a living process has it.
func hold(folder string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(folder, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return lock, nil
}

// home is the folder of all runs' folders. The temporary folder is everybody's, so one that somebody else has laid there
// under our name is refused.
func home() (string, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("penguinshop-sandbox-%d", os.Getuid()))
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make the folder of temporary folders: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return "", fmt.Errorf("make the folder of temporary folders: %w", err)
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !known || int(owner.Uid) != os.Getuid() || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("%s is not a folder that you alone can write to: remove it, or set TMPDIR to another folder", path)
	}
	// Others may pass through, to a folder in it that lets them: a program that runs as another user has its files there.
	return path, os.Chmod(path, 0o711)
}
