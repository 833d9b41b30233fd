package container

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// standIn is a base image for Node programs made without a registry of images: the shell and the small programs of this
// machine with the libraries that they are linked to, and the Node and npm that the npm registry has.
type standIn struct {
	// ref is the name in the engine: it changes with all that the image is made of.
	ref string
	// wanted is the image that it stands in for, node the major version that it was given.
	wanted, node string
	programs     []string
}

// baseName is the repository of the base images that the sandbox makes.
const baseName = "localhost/penguinshop-base"

// standInRecipe changes whenever a stand-in made of the same things would turn out different.
const standInRecipe = "1"

// standInPrograms are those that a Dockerfile of a Node program calls; sh is all that npm needs.
var standInPrograms = strings.Fields(`sh basename cat chgrp chmod chown cp cut date dirname echo env expr false find grep head id
	install kill ln ls md5sum mkdir mktemp mv nproc printenv printf pwd readlink realpath rm rmdir sed seq sha256sum sleep sort stat
	sync tail tee test touch tr true uname uniq wc whoami xargs`)

var nodeMajor = regexp.MustCompile(`(?:^|/)node:(\d+)`)

// planStandIn decides what the stand-in is made of and reads nothing but the programs' dates.
func planStandIn(wanted string) (standIn, error) {
	if runtime.GOOS != "linux" {
		return standIn{}, errors.New("it could be made of a Linux machine's programs only")
	}
	s := standIn{wanted: wanted, node: "24"}
	if major := nodeMajor.FindStringSubmatch(wanted); major != nil {
		s.node = major[1]
	}
	sum := sha256.New()
	fmt.Fprintln(sum, standInRecipe, runtime.GOARCH, wanted)
	for _, program := range standInPrograms {
		found, err := exec.LookPath(program)
		if err != nil {
			continue // a build that calls it will say so
		}
		info, err := os.Stat(found)
		if err != nil {
			return standIn{}, err
		}
		fmt.Fprintln(sum, found, info.Size(), info.ModTime().UnixNano())
		s.programs = append(s.programs, found)
	}
	s.ref = fmt.Sprintf("%s:%s-%x", baseName, s.node, sum.Sum(nil)[:6])
	return s, nil
}

// archive makes the image as a file, in docker's format, inside the folder.
func (s standIn) archive(ctx context.Context, folder string, progress func(string)) (string, error) {
	progress(fmt.Sprintf("fetching Node %s from the npm registry", s.node))
	packages, err := fetchNode(ctx, folder, s.node)
	if err != nil {
		return "", err
	}
	tree := tree{}
	if err := tree.addNode(packages); err != nil {
		return "", err
	}
	node := filepath.Join(folder, "node")
	if err := os.WriteFile(node, tree["usr/local/bin/node"].text, 0o700); err != nil {
		return "", err
	}
	machine, err := machineTree(ctx, append(slices.Clone(s.programs), node))
	if err != nil {
		return "", err
	}
	progress("packing the base image")
	image := mutate.MediaType(empty.Image, "application/vnd.docker.distribution.manifest.v2+json")
	for _, part := range []map[string]entry{machine, tree} {
		layer, err := layerOf(part)
		if err != nil {
			return "", err
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			return "", err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return "", err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{
		Env:    []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Cmd:    []string{"node"},
		Labels: map[string]string{"penguinshop.sandbox.stands-in-for": s.wanted},
	}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return "", err
	}
	tag, err := name.NewTag(s.ref)
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "image.tar")
	return file, tarball.WriteToFile(file, tag, image)
}

// fetchNode downloads the packages of Node and npm into the folder and returns their files.
func fetchNode(ctx context.Context, folder, major string) ([]string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return nil, errors.New("npm, which would fetch Node, is not on the PATH")
	}
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if arch == "" {
		return nil, fmt.Errorf("the npm registry has no Node for %s", runtime.GOARCH)
	}
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--ignore-scripts", "--prefer-offline", "--pack-destination", folder,
		fmt.Sprintf("node-linux-%s@%s", arch, major), "npm@11")
	cmd.Dir = folder
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("fetch Node %s from the npm registry: %w", major, saying(err, problem.String()))
	}
	files := strings.Fields(string(out))
	for i, file := range files {
		files[i] = filepath.Join(folder, file)
	}
	return files, nil
}

// entry is one file of an image.
type entry struct {
	text []byte
	mode fs.FileMode // with fs.ModeDir or fs.ModeSymlink
	link string
	uid  int
}

// tree is a file system by path, without a leading slash.
type tree map[string]entry

// addNode unpacks the npm packages of Node and npm to where the official images have them.
func (t tree) addNode(packages []string) error {
	for _, file := range packages {
		isNode := strings.HasPrefix(filepath.Base(file), "node-")
		err := eachFile(file, func(name string, mode fs.FileMode, text []byte) {
			switch name = strings.TrimPrefix(name, "package/"); {
			case !isNode:
				t["usr/local/lib/node_modules/npm/"+name] = entry{text: text, mode: mode | 0o644}
			case name == "bin/node" || name == "LICENSE":
				t["usr/local/"+name] = entry{text: text, mode: mode}
			}
		})
		if err != nil {
			return fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
		}
	}
	for _, program := range []string{"npm", "npx"} {
		link := "../lib/node_modules/npm/bin/" + program + "-cli.js"
		t["usr/local/bin/"+program] = entry{mode: fs.ModeSymlink | 0o777, link: link}
	}
	for _, needed := range []string{"usr/local/bin/node", "usr/local/lib/node_modules/npm/bin/npm-cli.js"} {
		if _, found := t[needed]; !found {
			return fmt.Errorf("the npm registry's packages of Node lack %s", needed)
		}
	}
	return nil
}

// eachFile reads a gzipped tar archive.
func eachFile(file string, do func(name string, mode fs.FileMode, text []byte)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		do(path.Clean(header.Name), header.FileInfo().Mode(), text)
	}
}

// machineTree holds the programs, the libraries that they are linked to, and the few files that every Linux image has.
func machineTree(ctx context.Context, programs []string) (tree, error) {
	t := tree{
		"etc/passwd": {mode: 0o644, text: []byte("root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n" +
			"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n")},
		"etc/group":         {mode: 0o644, text: []byte("root:x:0:\nnode:x:1000:\nnogroup:x:65534:\n")},
		"etc/nsswitch.conf": {mode: 0o644, text: []byte("passwd: files\ngroup: files\nhosts: files dns\n")},
		"root":              {mode: fs.ModeDir | 0o700},
		"tmp":               {mode: fs.ModeDir | fs.ModeSticky | 0o777},
		"home/node":         {mode: fs.ModeDir | 0o755, uid: 1000},
		"usr/local/etc":     {mode: fs.ModeDir | 0o755},
		"proc":              {mode: fs.ModeDir | 0o555},
		"sys":               {mode: fs.ModeDir | 0o555},
		"dev":               {mode: fs.ModeDir | 0o755},
	}
	for _, folder := range []string{"bin", "sbin", "lib", "lib64"} {
		if to, err := os.Readlink("/" + folder); err == nil && !filepath.IsAbs(to) {
			t[folder] = entry{mode: fs.ModeSymlink | 0o777, link: to}
		}
	}
	libraries := map[string]bool{}
	for _, program := range programs {
		needed, err := linked(ctx, program)
		if err != nil {
			return nil, err
		}
		for _, library := range needed {
			libraries[library] = true
		}
		if filepath.Base(program) == "node" {
			continue // it lies in a layer of its own
		}
		if err := t.copy(program, "usr/bin/"+filepath.Base(program)); err != nil {
			return nil, err
		}
	}
	for _, library := range slices.Sorted(maps.Keys(libraries)) {
		if err := t.copy(library, strings.TrimPrefix(library, "/")); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// copy takes the machine's file, and lays it where its folder really is: /lib/x is /usr/lib/x where /lib is a link.
func (t tree) copy(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	first, rest, _ := strings.Cut(to, "/")
	if link, found := t[first]; found && link.mode&fs.ModeSymlink != 0 {
		to = path.Join(link.link, rest)
	}
	t[to] = entry{text: text, mode: 0o755}
	return nil
}

var linkedLine = regexp.MustCompile(`(?m)^\s*(?:\S+ => )?(/\S+) \(0x`)

// linked are the libraries, the loader among them, that a program needs to start; none for a script or a static program.
func linked(ctx context.Context, program string) ([]string, error) {
	// ldd of a program that is not dynamic fails; so does its start in the image, loudly, if that is wrong.
	out, _ := exec.CommandContext(ctx, "ldd", program).Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if missing := regexp.MustCompile(`(?m)^\s*(\S+) => not found`).FindSubmatch(out); missing != nil {
		return nil, fmt.Errorf("%s needs the library %s: install it", filepath.Base(program), missing[1])
	}
	var found []string
	for _, line := range linkedLine.FindAllSubmatch(out, -1) {
		found = append(found, string(line[1]))
	}
	return found, nil
}

// layerOf packs a tree. The same files make the same layer.
func layerOf(t map[string]entry) (v1.Layer, error) {
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	for _, name := range slices.Sorted(maps.Keys(t)) {
		e := t[name]
		header := &tar.Header{Name: name, Mode: int64(e.mode.Perm()), Typeflag: tar.TypeReg, Size: int64(len(e.text)), Uid: e.uid, Gid: e.uid}
		switch {
		case e.mode.IsDir():
			header.Typeflag, header.Name = tar.TypeDir, name+"/"
			if e.mode&fs.ModeSticky != 0 {
				header.Mode |= 0o1000
			}
		case e.mode&fs.ModeSymlink != 0:
			header.Typeflag, header.Linkname = tar.TypeSymlink, e.link
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(e.text); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil },
		tarball.WithCompressionLevel(gzip.BestSpeed))
}
