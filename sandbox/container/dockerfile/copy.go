package dockerfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// source is a folder to copy from, with what is left out of it.
type source struct {
	root    string
	ignored *patternmatcher.PatternMatcher // nil leaves out nothing
}

// newSource is a build's context: its .dockerignore says what is not part of it.
func newSource(root string) (source, error) {
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return source{}, fmt.Errorf("the build's context %s is no folder", root)
	}
	file, err := os.Open(filepath.Join(root, ".dockerignore"))
	if errors.Is(err, fs.ErrNotExist) {
		return source{root: root}, nil
	} else if err != nil {
		return source{}, err
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return source{}, fmt.Errorf(".dockerignore: %w", err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		return source{}, fmt.Errorf(".dockerignore: %w", err)
	}
	return source{root: root, ignored: ignored}, nil
}

func (s source) leavesOut(name string) (bool, error) {
	if s.ignored == nil || name == "." {
		return false, nil
	}
	return s.ignored.MatchesOrParentMatches(filepath.FromSlash(name))
}

// copied is one file on its way from a source into a stage. Both paths are relative to their roots.
type copied struct {
	from, to string
	info     fs.FileInfo
}

// selects lists what a COPY's source paths name and where each goes.
func (s source) selects(paths []string, destination string) ([]copied, error) {
	folder := strings.HasSuffix(destination, "/")
	destination = strings.TrimPrefix(path.Clean(destination), "/")
	var all []copied
	found := 0
	for _, pattern := range paths {
		pattern = strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(pattern)), "/")
		if pattern == "" {
			pattern = "."
		}
		matches, err := fs.Glob(os.DirFS(s.root), pattern)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		before := found
		for _, match := range matches {
			if out, err := s.leavesOut(match); err != nil {
				return nil, err
			} else if out && !s.ignored.Exclusions() {
				continue
			}
			found++
			info, err := os.Lstat(filepath.Join(s.root, match))
			if err != nil {
				return nil, err
			}
			to := destination
			if !info.IsDir() && folder {
				to = path.Join(destination, path.Base(match))
			}
			files, err := s.walk(match, to)
			if err != nil {
				return nil, err
			}
			all = append(all, files...)
		}
		if found == before {
			return nil, fmt.Errorf("%s is not there, or .dockerignore leaves it out", pattern)
		}
	}
	if found > 1 && !folder {
		return nil, fmt.Errorf("several files go to %s: end it with a / so that it is a folder", destination)
	}
	return all, nil
}

func (s source) walk(from, to string) ([]copied, error) {
	var files []copied
	err := filepath.WalkDir(filepath.Join(s.root, from), func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(s.root, name)
		if err != nil {
			return err
		}
		out, err := s.leavesOut(filepath.ToSlash(inside))
		if err != nil {
			return err
		}
		if out && entry.IsDir() && !s.ignored.Exclusions() {
			return filepath.SkipDir
		}
		if out {
			return nil
		}
		below, err := filepath.Rel(from, inside)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if kind := info.Mode().Type(); kind != 0 && kind != fs.ModeDir && kind != fs.ModeSymlink {
			return fmt.Errorf("%s is no file, folder or link", inside)
		}
		files = append(files, copied{from: filepath.ToSlash(inside), to: path.Join(to, filepath.ToSlash(below)), info: info})
		return nil
	})
	return files, err
}

// copy does a COPY.
func (b Build) copy(c *instructions.CopyCommand, s *stage, built map[string]*stage, context source) error {
	from := context
	if c.From != "" {
		other := built[strings.ToLower(c.From)]
		if other == nil {
			return fmt.Errorf("there is no stage %q before this one, and without a container engine nothing is copied from images", c.From)
		}
		from = source{root: other.root}
	}
	owner, err := ownerOf(c.Chown)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0)
	if c.Chmod != "" {
		bits, err := strconv.ParseUint(c.Chmod, 8, 32)
		if err != nil || bits > 0o777 {
			return fmt.Errorf("--chmod=%s: give the mode as a number such as 755", c.Chmod)
		}
		mode = fs.FileMode(bits)
	}
	destination := c.DestPath
	if !strings.HasPrefix(destination, "/") {
		destination = path.Join("/", s.config.WorkingDir, destination) + trailing(destination)
	}
	files, err := from.selects(c.SourcePaths, destination)
	if err != nil {
		return err
	}
	parts := []string{s.applied, "copy", destination, c.Chown, c.Chmod}
	for _, file := range files {
		sum, err := sumOf(filepath.Join(from.root, file.from), file.info)
		if err != nil {
			return err
		}
		parts = append(parts, file.to, sum)
	}
	key := checksum(parts...)
	if hit, err := b.cached(key, s); hit || err != nil {
		return err
	}
	var changes []change
	for _, file := range files {
		if err := place(filepath.Join(from.root, file.from), s.root, file, mode); err != nil {
			return err
		}
		changes = append(changes, change{path: file.to, owner: owner})
	}
	return b.keep(key, s, changes)
}

// trailing is the / that makes a destination a folder.
func trailing(destination string) string {
	if strings.HasSuffix(destination, "/") || destination == "." || strings.HasSuffix(destination, "/.") {
		return "/"
	}
	return ""
}

// ownerOf reads --chown. Names are those of the official Node images.
func ownerOf(chown string) (int, error) {
	user, _, _ := strings.Cut(chown, ":")
	if id, err := strconv.Atoi(user); err == nil && id >= 0 {
		return id, nil
	}
	if id, known := map[string]int{"": 0, "root": 0, "node": 1000}[user]; known {
		return id, nil
	}
	return 0, fmt.Errorf("--chown=%s: without a container engine the users root and node are known, others by number only", chown)
}

func sumOf(name string, info fs.FileInfo) (string, error) {
	mode := info.Mode().String()
	switch {
	case info.IsDir():
		return checksum(mode), nil
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(name)
		return checksum(mode, to), err
	}
	text, err := os.ReadFile(name)
	return checksum(mode, string(text)), err
}

// place copies one file into the root of a stage, which no path and no link leads out of.
func place(from, into string, file copied, mode fs.FileMode) error {
	root, err := os.OpenRoot(into)
	if err != nil {
		return err
	}
	defer root.Close()
	if mode == 0 {
		mode = file.info.Mode().Perm()
	}
	if file.to == "" || file.to == "." {
		return nil
	}
	if file.info.IsDir() {
		return root.MkdirAll(file.to, mode|0o700)
	}
	if err := root.MkdirAll(path.Dir(file.to), 0o755); err != nil {
		return err
	}
	if err := root.RemoveAll(file.to); err != nil {
		return err
	}
	if file.info.Mode()&fs.ModeSymlink != 0 {
		to, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return root.Symlink(to, file.to)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(file.to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close(), root.Chmod(file.to, mode)); err != nil {
		return err
	}
	return root.Chtimes(file.to, file.info.ModTime(), file.info.ModTime())
}
