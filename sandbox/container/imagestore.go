package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
)

// refAnnotation names an image in an OCI layout.
const refAnnotation = "org.opencontainers.image.ref.name"

// imageStore is the images of a run's builds, as an OCI image layout in a folder.
type imageStore struct{ folder string }

// named is a name and the manifest that it stands for.
type named struct {
	ref    string
	digest v1.Hash
}

// open takes the store for this process alone: builds may run side by side.
func (s imageStore) open() (layout.Path, func(), error) {
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return "", nil, err
	}
	lock, err := os.OpenFile(filepath.Join(s.folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, err
	}
	unlock := func() { _ = lock.Close() }
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		unlock()
		return "", nil, err
	}
	path, err := layout.FromPath(s.folder)
	if errors.Is(err, fs.ErrNotExist) {
		path, err = layout.Write(s.folder, empty.Index)
	}
	if err != nil {
		unlock()
		return "", nil, err
	}
	return path, unlock, nil
}

// put keeps the image under the names, and returns its ID. Without a name it is known by that alone.
func (s imageStore) put(image v1.Image, refs ...string) (string, error) {
	path, unlock, err := s.open()
	if err != nil {
		return "", err
	}
	defer unlock()
	id, err := image.ConfigName()
	if err != nil {
		return "", err
	}
	for _, ref := range append(refs, id.String()) {
		if ref != id.String() {
			if ref, err = fullName(ref); err != nil {
				return "", err
			}
		}
		err := path.ReplaceImage(image, match.Name(ref), layout.WithAnnotations(map[string]string{refAnnotation: ref}))
		if err != nil {
			return "", err
		}
	}
	return id.String(), nil
}

// fullName spells a reference out, so that one image is known by one name.
func fullName(ref string) (string, error) {
	if strings.HasPrefix(ref, "sha256:") {
		return ref, nil
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return "", err
	}
	return parsed.Name(), nil
}

func (s imageStore) refs() ([]named, error) {
	path, unlock, err := s.open()
	if err != nil {
		return nil, err
	}
	defer unlock()
	index, err := path.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var found []named
	for _, d := range manifest.Manifests {
		found = append(found, named{d.Annotations[refAnnotation], d.Digest})
	}
	return found, nil
}

func (s imageStore) find(ref string) (named, error) {
	full, err := fullName(ref)
	if err != nil {
		return named{}, err
	}
	all, err := s.refs()
	if err != nil {
		return named{}, err
	}
	for _, n := range all {
		if n.ref == full {
			return n, nil
		}
	}
	return named{}, fmt.Errorf("there is no image %s here: build or pull it first", ref)
}

func (s imageStore) get(ref string) (v1.Image, error) {
	n, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	path, unlock, err := s.open()
	if err != nil {
		return nil, err
	}
	defer unlock()
	return path.Image(n.digest)
}

func (s imageStore) remove(ref string) error {
	n, err := s.find(ref)
	if err != nil {
		return err
	}
	path, unlock, err := s.open()
	if err != nil {
		return err
	}
	defer unlock()
	return path.RemoveDescriptors(match.Name(n.ref))
}

func (s imageStore) inspect(ref string) (inspected, error) {
	image, err := s.get(ref)
	if err != nil {
		return inspected{}, err
	}
	id, err := image.ConfigName()
	if err != nil {
		return inspected{}, err
	}
	digest, err := image.Digest()
	if err != nil {
		return inspected{}, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return inspected{}, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return inspected{}, err
	}
	all, err := s.refs()
	if err != nil {
		return inspected{}, err
	}
	i := inspected{
		Id: id.String(), Created: file.Created.UTC().Format(time.RFC3339Nano), Architecture: file.Architecture, Os: file.OS, Config: file.Config,
	}
	for _, layer := range manifest.Layers {
		i.Size += layer.Size
	}
	for _, n := range all {
		switch {
		case n.digest != digest || strings.HasPrefix(n.ref, "sha256:"):
		case strings.Contains(n.ref, "@"):
			i.RepoDigests = append(i.RepoDigests, n.ref)
		default:
			i.RepoTags = append(i.RepoTags, n.ref)
		}
	}
	return i, nil
}
