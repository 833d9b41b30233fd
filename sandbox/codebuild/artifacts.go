package codebuild

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// primaryArtifact is the name of what the buildspec's artifacts block itself declares.
const primaryArtifact = ""

// assign finds the declared artifact of each of the action's outputs, by CodeBuild's rule: the only output of an action is the
// primary artifact, one of several is the secondary artifact of that identifier.
func assign(declared map[string]artifact, outputs []string) (map[string]artifact, error) {
	assigned := map[string]artifact{}
	var problems []error
	for _, output := range outputs {
		found, ok := declared[output]
		if primary, has := declared[primaryArtifact]; len(outputs) == 1 && has {
			found, ok = primary, true
		}
		if !ok {
			problems = append(problems, fmt.Errorf("the buildspec declares no artifact for the action's output %s: name its files under "+
				"artifacts.files, or under artifacts.secondary-artifacts.%s.files where there are several outputs", output, output))
		}
		assigned[output] = found
	}
	return assigned, errors.Join(problems...)
}

func validPattern(pattern string) bool {
	return pattern != "" && !path.IsAbs(pattern) && !slices.Contains(strings.Split(pattern, "/"), "..") && doublestar.ValidatePattern(pattern)
}

// collect copies the files that an artifact declares from the build's source folder into the empty folder to, and returns
// how many they were. CodeBuild fails an upload that finds none, and so does this.
func (a artifact) collect(source, to string) (int, error) {
	// A root, because a build must not hand on what a symbolic link reaches outside its own source.
	root, err := os.OpenRoot(source)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	bases := []string{"."}
	if a.baseDirectory != "" {
		if bases, err = doublestar.Glob(root.FS(), path.Clean(a.baseDirectory)); err != nil {
			return 0, err
		}
		if len(bases) == 0 {
			return 0, fmt.Errorf("no matching base directory path found for %s", a.baseDirectory)
		}
	}
	found := map[string]bool{}
	for _, base := range bases {
		within, err := fs.Sub(root.FS(), base)
		if err != nil {
			return 0, err
		}
		files, err := a.match(within)
		if err != nil {
			return 0, err
		}
		for _, file := range files {
			target := file
			if a.discardPaths {
				target = path.Base(file)
			}
			if found[target] {
				return 0, fmt.Errorf("two files of the artifact would both be %s", target)
			}
			found[target] = true
			if err := copyFile(within, file, filepath.Join(to, target)); err != nil {
				return 0, err
			}
		}
	}
	if len(found) == 0 {
		return 0, fmt.Errorf("no matching artifact paths found for %s", strings.Join(a.files, ", "))
	}
	return len(found), nil
}

// match returns the regular files under base that files name and exclude does not, each once, sorted.
func (a artifact) match(base fs.FS) ([]string, error) {
	var files []string
	for _, pattern := range a.files {
		matches, err := doublestar.Glob(base, path.Clean(pattern), doublestar.WithFilesOnly(), doublestar.WithNoFollow())
		if err != nil {
			return nil, err
		}
		files = append(files, matches...)
	}
	slices.Sort(files)
	files = slices.Compact(files)
	return slices.DeleteFunc(files, func(file string) bool {
		return slices.ContainsFunc(a.exclude, func(pattern string) bool { return doublestar.MatchUnvalidated(path.Clean(pattern), file) })
	}), nil
}

func copyFile(base fs.FS, from, to string) error {
	in, err := base.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
