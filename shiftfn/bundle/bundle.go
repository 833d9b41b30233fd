// Package bundle makes the zip that AWS Lambda runs the traffic-shifting function from. The same sources, built by the same
// Go, give the same bytes on every machine, so that an update of the infrastructure uploads the function only when it changed.
package bundle

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Package is the import path of the function's main package.
const Package = "github.com/penguinshop/delivery/shiftfn"

// ErrNoGo says that there is no Go toolchain to build the function with.
var ErrNoGo = errors.New("the go command is not on PATH: install Go 1.26 or later (https://go.dev/dl), it builds the traffic-shifting function")

// Zip builds the function for provided.al2023 on arm64 and returns the path of the zip. dir is a folder inside a module that
// holds or requires Package. A zip of the same sources and the same Go that an earlier call left in the user's cache is
// returned at once.
func Zip(ctx context.Context, dir string) (string, error) {
	s, err := find(ctx, dir, Package)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the function's zip: %w", err)
	}
	return s.zip(ctx, filepath.Join(cache, "penguinshop-delivery"))
}

// sources is what the zip is made from.
type sources struct {
	dir     string // where the go command runs
	main    string // the import path of the main package
	folder  string // the main package's folder
	module  string // the folder of go.mod and go.sum that pin the dependencies
	version string // of Go
}

func find(ctx context.Context, dir, main string) (sources, error) {
	list, err := goCommand(ctx, dir, "list", "-f", "{{.Dir}}", main)
	if err != nil {
		return sources{}, fmt.Errorf("the traffic-shifting function's sources: %w", err)
	}
	env, err := goCommand(ctx, dir, "env", "GOVERSION", "GOMOD")
	if err != nil {
		return sources{}, err
	}
	version, mod, _ := strings.Cut(strings.TrimSpace(env), "\n")
	return sources{dir: dir, main: main, folder: strings.TrimSpace(list), module: filepath.Dir(mod), version: version}, nil
}

// fingerprint depends on everything that decides about the zip's bytes.
func (s sources) fingerprint() (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, s.version, strings.Join(flags, " "), strings.Join(environment, " "))
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := add(sum, name, filepath.Join(s.module, name)); err != nil {
			return "", err
		}
	}
	if err := addFolder(sum, s.folder); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil))[:32], nil
}

// Fingerprint depends on the function's own source files in folder and in those below it, without building or starting
// anything: what a preview shows in place of the zip.
func Fingerprint(folder string) (string, error) {
	sum := sha256.New()
	if err := addFolder(sum, folder); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil))[:32], nil
}

func addFolder(sum io.Writer, folder string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		return add(sum, filepath.ToSlash(name), path)
	})
}

func add(sum io.Writer, name, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(sum, "%s %d\n%s\n", name, len(content), content)
	return err
}

// flags leave nothing of the machine, the folder or the commit in the binary; the tag leaves out the RPC server that only the
// old go1.x runtime spoke to.
var flags = []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-tags=lambda.norpc"}

var environment = []string{"GOOS=linux", "GOARCH=arm64", "GOARM64=v8.0", "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off"}

func (s sources) zip(ctx context.Context, cache string) (string, error) {
	key, err := s.fingerprint()
	if err != nil {
		return "", fmt.Errorf("the traffic-shifting function's sources: %w", err)
	}
	target := filepath.Join(cache, "shiftfn-"+key+".zip")
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", fmt.Errorf("no place for the function's zip: %w", err)
	}
	work, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return "", fmt.Errorf("no place for the function's zip: %w", err)
	}
	defer os.RemoveAll(work)
	binary := filepath.Join(work, "bootstrap")
	if err := build(ctx, s.dir, s.main, binary, nil); err != nil {
		return "", err
	}
	content, err := pack(binary)
	if err != nil {
		return "", fmt.Errorf("the function's zip: %w", err)
	}
	// Two stacks may be brought up at once: each writes its own file, and the last rename wins with the same bytes.
	packed := filepath.Join(work, "shiftfn.zip")
	if err := os.WriteFile(packed, content, 0o600); err != nil {
		return "", fmt.Errorf("the function's zip: %w", err)
	}
	if err := os.Rename(packed, target); err != nil {
		return "", fmt.Errorf("the function's zip: %w", err)
	}
	return target, nil
}

// Build writes the function's binary as Zip builds it, but for this machine, on which it can be run and measured. dir is a
// folder inside a module that holds or requires Package.
func Build(ctx context.Context, dir, binary string) error {
	return build(ctx, dir, Package, binary, []string{"GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH})
}

func build(ctx context.Context, dir, main, binary string, target []string) error {
	arguments := append([]string{"build", "-o", binary}, flags...)
	if _, err := goCommandFor(ctx, dir, target, append(arguments, main)...); err != nil {
		return fmt.Errorf("the traffic-shifting function does not build: %w", err)
	}
	return nil
}

// zipTime is the time of the file in the zip: the first that the format can hold.
var zipTime = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

func pack(binary string) ([]byte, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression) // built once, downloaded at every cold start
	})
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: zipTime}
	header.SetMode(0o755)
	file, err := z.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(content); err != nil {
		return nil, err
	}
	err = z.Close()
	return out.Bytes(), err
}

func goCommand(ctx context.Context, dir string, arguments ...string) (string, error) {
	return goCommandFor(ctx, dir, nil, arguments...)
}

// goCommandFor runs the go command for another target than the zip's, given as GOOS and GOARCH.
func goCommandFor(ctx context.Context, dir string, target []string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = dir
	command.Env = append(append(os.Environ(), environment...), target...)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	err := command.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", ErrNoGo
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", fmt.Errorf("go %s: %w\n%s", arguments[0], err, strings.TrimSpace(problems.String()))
	}
	return out.String(), nil
}
