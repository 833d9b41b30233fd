package dockerfile

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// change is one path of a layer: a file that the stage's folder has, or one that it no longer has.
type change struct {
	path  string
	owner int
	gone  bool
}

// view is what a folder held at a moment, by path.
type view map[string]string

// look notes what tells one state of a file from another: a build never changes a file and sets its time back.
func look(root string) (view, error) {
	seen := view{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		state := info.Mode().String()
		if !info.IsDir() {
			state += fmt.Sprint(info.Size(), info.ModTime().UnixNano())
		}
		seen[filepath.ToSlash(inside)] = state
		return nil
	})
	return seen, err
}

func (v view) since(before view) []change {
	var changes []change
	for name, state := range v {
		if before[name] != state {
			changes = append(changes, change{path: name})
		}
	}
	for name := range before {
		_, stays := v[name]
		_, parentStays := v[path.Dir(name)]
		if !stays && (parentStays || path.Dir(name) == ".") {
			changes = append(changes, change{path: name, gone: true})
		}
	}
	return changes
}

// makeFolder makes a folder of the image, which is a layer of its own where it was not there.
func (s *stage) makeFolder(b Build, name string) error {
	name = strings.TrimPrefix(name, "/")
	key := checksum(s.applied, "folder", name)
	if name == "" {
		return nil
	}
	if hit, err := b.cached(key, s); hit || err != nil {
		return err
	}
	root, err := os.OpenRoot(s.root)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(name, 0o755); err != nil {
		return err
	}
	return b.keep(key, s, []change{{path: name}})
}

// whiteout begins the name of a file that stands in a layer for one that is gone, as the OCI image specification has it.
const whiteout = ".wh."

// keep packs the changes as the stage's next layer, and remembers it under the key.
func (b Build) keep(key string, s *stage, changes []change) error {
	if err := os.MkdirAll(b.Cache, 0o700); err != nil {
		return err
	}
	packed, err := os.CreateTemp(b.Cache, "packing-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(packed.Name()) }()
	zipped, err := gzip.NewWriterLevel(packed, gzip.BestSpeed)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zipped)
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.path, b.path) })
	for _, c := range slices.CompactFunc(changes, func(a, b change) bool { return a.path == b.path }) {
		if err := pack(archive, s.root, c); err != nil {
			return err
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close(), packed.Close()); err != nil {
		return err
	}
	file := b.layerFile(key)
	if err := os.Rename(packed.Name(), file); err != nil {
		return err
	}
	return s.add(key, file)
}

func (b Build) layerFile(key string) string { return filepath.Join(b.Cache, key+".tar.gz") }

func (s *stage) add(key, file string) error {
	layer, err := tarball.LayerFromFile(file, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return err
	}
	s.layers = append(s.layers, mutate.Addendum{Layer: layer, MediaType: types.OCILayer})
	s.applied = key
	return nil
}

// cached adds the layer of the key, if an earlier build kept it, and lays out its files.
func (b Build) cached(key string, s *stage) (bool, error) {
	file := b.layerFile(key)
	if _, err := os.Stat(file); b.NoCache || err != nil {
		return false, nil
	}
	if err := s.add(key, file); err != nil {
		return false, nil // it was not written whole: make it again
	}
	fmt.Fprintln(b.Output, "--> cached")
	return true, Unpack(s.layers[len(s.layers)-1].Layer, s.root)
}

func pack(archive *tar.Writer, root string, c change) error {
	if c.path == "" || c.path == "." {
		return nil
	}
	if c.gone {
		return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path.Join(path.Dir(c.path), whiteout+path.Base(c.path)), Mode: 0o600})
	}
	name := filepath.Join(root, c.path)
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(name); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	// Whoever builds it, the image's files are root's, or those of the user that --chown names.
	header.Name, header.Uid, header.Gid, header.Uname, header.Gname = c.path, c.owner, c.owner, "", ""
	if info.IsDir() {
		header.Name += "/"
	}
	if err := archive.WriteHeader(header); err != nil || !info.Mode().IsRegular() {
		return err
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(archive, file)
	return err
}

// Unpack lays a layer's files out in a folder, over what lies there. No path and no link leads out of it. Owners are not
// kept.
func Unpack(layer v1.Layer, into string) error {
	text, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer text.Close()
	root, err := os.OpenRoot(into)
	if err != nil {
		return err
	}
	defer root.Close()
	archive := tar.NewReader(text)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := unpack(root, archive, header); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
}

func unpack(root *os.Root, archive io.Reader, header *tar.Header) error {
	name := strings.TrimPrefix(path.Clean("/"+header.Name), "/")
	if name == "" {
		return nil
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if gone, found := strings.CutPrefix(path.Base(name), whiteout); found {
		if gone == ".wh..opq" {
			return errors.New("opaque folders are not imitated")
		}
		return root.RemoveAll(path.Join(path.Dir(name), gone))
	}
	mode := fs.FileMode(header.Mode) & fs.ModePerm
	if header.Typeflag == tar.TypeDir {
		if err := root.MkdirAll(name, 0o755); err != nil {
			return err
		}
		return root.Chmod(name, mode|0o700)
	}
	if err := root.RemoveAll(name); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeReg:
		file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, archive)
		return errors.Join(err, file.Close(), root.Chmod(name, mode), root.Chtimes(name, header.ModTime, header.ModTime))
	case tar.TypeSymlink:
		return root.Symlink(header.Linkname, name)
	case tar.TypeLink:
		return root.Link(strings.TrimPrefix(path.Clean("/"+header.Linkname), "/"), name)
	}
	return nil // devices and the like have no use in a folder
}
