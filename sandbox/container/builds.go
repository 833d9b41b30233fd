package container

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/penguinshop/delivery/sandbox/scratch"
)

// clearBuilds removes the working containers of builds that were killed. They carry no label, but the record of each names
// the folders that the build had mounted, and every build of a run mounts one of the run's own (see InstallCLI).
func (e *cli) clearBuilds(ctx context.Context, folder *scratch.Folder) error {
	list, err := e.output(ctx, "ps", "--all", "--external", "--no-trunc", "--format", "{{.ID}}")
	if err != nil || list == "" {
		return err
	}
	store, err := e.output(ctx, "info", "--format", "{{.Store.GraphRoot}} {{.Store.GraphDriverName}}")
	if err != nil {
		return err
	}
	root, driver, _ := strings.Cut(store, " ")
	var ours []string
	for _, id := range strings.Fields(list) {
		record, err := os.ReadFile(filepath.Join(root, driver+"-containers", id, "userdata", "buildah.json"))
		if err == nil && bytes.Contains(record, []byte(folder.Path+"/")) {
			ours = append(ours, id)
		}
	}
	return e.removeContainers(ctx, ours)
}

// cacheName is the repository under which the newest build of each of a registry's repositories is kept in the engine, so
// that the next run's build finds its layers.
const cacheName = "localhost/penguinshop-cache/"

// localImage is an image of the engine's with the names that it has.
type localImage struct {
	id string
	// ours are its references at the run's registry, tags its other tags. shared tells whether it has any other name.
	ours, tags []string
	shared     bool
}

// clearImages removes the images of the registry. The newest of each repository stays under another name.
func (e *cli) clearImages(ctx context.Context, registry string) error {
	text, err := e.output(ctx, "images", "--no-trunc", "--digests", "--format", "{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}}")
	if err != nil {
		return err
	}
	var images []*localImage // the newest first
	var problems error
	kept := map[string]bool{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 4 || words[1] == "<none>" {
			continue
		}
		id, repository, tag, digest := words[0], words[1], words[2], words[3]
		at := slices.IndexFunc(images, func(i *localImage) bool { return i.id == id })
		if at < 0 {
			images, at = append(images, &localImage{id: id}), len(images)
		}
		i, name := images[at], repository+":"+tag
		if tag == "<none>" {
			name = repository + "@" + digest
		}
		repository, ours := strings.CutPrefix(repository, registry+"/")
		switch {
		case !ours && tag == "<none>":
			i.shared = true
		case !ours:
			i.shared, i.tags = true, append(i.tags, name)
		default:
			i.ours = append(i.ours, name)
			if cached := cacheName + repository + ":newest"; !kept[repository] {
				kept[repository] = true
				problems = errors.Join(problems, e.cache(ctx, id, cached))
				i.shared, i.tags = true, append(i.tags, cached)
			}
		}
	}
	for _, i := range images {
		if len(i.ours) > 0 {
			problems = errors.Join(problems, e.forget(ctx, i))
		}
	}
	return problems
}

// forget takes the registry's names from the image, and removes it where it has no other.
func (e *cli) forget(ctx context.Context, i *localImage) error {
	if e.name == Docker {
		_, err := e.output(ctx, append([]string{"rmi"}, i.ours...)...)
		return err
	}
	// podman takes a name by digest away with all others only.
	_, err := e.output(ctx, "untag", i.id)
	for _, tag := range i.tags {
		_, tagged := e.output(ctx, "tag", i.id, tag)
		err = errors.Join(err, tagged)
	}
	if !i.shared {
		_, removed := e.output(ctx, "rmi", i.id)
		err = errors.Join(err, removed)
	}
	return err
}

// cache gives the image the name, and removes the one that had it before.
func (e *cli) cache(ctx context.Context, id, name string) error {
	before, _ := e.output(ctx, "image", "inspect", "--format", "{{.Id}}", name)
	if _, err := e.output(ctx, "tag", id, name); err != nil {
		return err
	}
	if before != "" && strings.TrimPrefix(before, "sha256:") != strings.TrimPrefix(id, "sha256:") {
		_, _ = e.output(ctx, "rmi", before) // in use elsewhere, it stays
	}
	return nil
}
