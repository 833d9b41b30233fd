package container

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
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

// clearImages removes the images of the registry. The newest of each repository stays under another name.
func (e *cli) clearImages(ctx context.Context, registry string) error {
	text, err := e.output(ctx, "images", "--no-trunc", "--digests", "--format", "{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}}")
	if err != nil {
		return err
	}
	var problems error
	kept := map[string]bool{}
	for line := range strings.Lines(text) { // the newest stands first
		image := strings.Fields(line)
		if len(image) != 4 || !strings.HasPrefix(image[1], registry+"/") {
			continue
		}
		id, repository, ref := image[0], strings.TrimPrefix(image[1], registry+"/"), image[1]+":"+image[2]
		if !kept[repository] {
			kept[repository] = true
			problems = errors.Join(problems, e.cache(ctx, id, cacheName+repository+":newest"))
		}
		if image[2] == "<none>" {
			ref = image[1] + "@" + image[3]
		}
		_, err := e.output(ctx, "rmi", ref)
		problems = errors.Join(problems, err)
	}
	return problems
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
