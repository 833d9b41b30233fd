package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/penguinshop/delivery/sandbox/cache"
)

// reachPatience bounds the question whether an image can be pulled. A registry that takes longer would take minutes to pull
// from.
const reachPatience = 5 * time.Second

// askAgain is how long the answer that an image cannot be pulled holds, so that a machine whose network swallows packets
// waits for it once.
const askAgain = 10 * time.Minute

// BaseImage returns wanted where the engine has it or can pull it, else a stand-in.
func (e *cli) BaseImage(ctx context.Context, wanted string) (ref, note string, err error) {
	ref, note, err = e.base(ctx, wanted)
	if err == nil {
		ref, err = e.equip(ctx, ref)
	}
	if ctx.Err() != nil {
		return "", "", ctx.Err()
	}
	return ref, note, err
}

func (e *cli) base(ctx context.Context, wanted string) (ref, note string, err error) {
	if e.has(ctx, wanted) {
		return wanted, "", nil
	}
	cause := reachable(ctx, wanted)
	if cause == nil {
		e.Progress("pulling " + wanted)
		if _, cause = e.output(ctx, "pull", "--quiet", wanted); cause == nil {
			return wanted, "", nil
		}
	}
	s, err := planStandIn(wanted)
	if err == nil && ctx.Err() == nil && !e.has(ctx, s.ref) {
		e.Progress(fmt.Sprintf("making a base image of this machine's own programs, since %s cannot be pulled", wanted))
		err = e.loadStandIn(ctx, s)
	}
	if err != nil {
		return "", "", fmt.Errorf("the base image %s cannot be pulled (%w), and there is no stand-in for it: %w", wanted, cause, err)
	}
	return s.ref, fmt.Sprintf("the base image %s cannot be pulled here (%v): a stand-in of Node %s and this machine's own "+
		"programs takes its place", wanted, cause, s.node), nil
}

func (e *cli) has(ctx context.Context, ref string) bool {
	_, err := e.output(ctx, "image", "inspect", "--format", "{{.Id}}", ref)
	return err == nil
}

// loadStandIn makes the image and hands it to the engine, which takes it whole or not at all.
func (e *cli) loadStandIn(ctx context.Context, s standIn) error {
	made, err := os.MkdirTemp(e.folder.Path, "base-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(made) }()
	archive, err := s.archive(ctx, made, e.Progress)
	if err != nil {
		return err
	}
	e.Progress("loading the base image into " + e.name)
	_, err = e.output(ctx, "load", "--quiet", "--input", archive)
	return err
}

// reachable asks the image's registry whether it would hand the image out.
func reachable(ctx context.Context, image string) error {
	ref, err := name.ParseReference(image)
	if err != nil {
		return err
	}
	known, err := openAnswers()
	if err != nil {
		return err
	}
	if a, found := known.Unreachable[image]; found && time.Since(a.At) < askAgain {
		return errors.New(a.Because)
	}
	asking, cancel := context.WithTimeout(ctx, reachPatience)
	defer cancel()
	if _, err = remote.Head(ref, remote.WithContext(asking)); err == nil {
		return nil
	}
	because := "its registry does not answer"
	var lines = strings.Split(err.Error(), ": ")
	if asking.Err() == nil {
		because = lines[len(lines)-1]
	}
	if ctx.Err() == nil {
		known.Unreachable[image] = answer{At: time.Now(), Because: because}
		known.save()
	}
	return errors.New(because)
}

// answers are what registries said lately, kept in the user's cache folder.
type answers struct {
	Unreachable map[string]answer `json:"unreachable"`
	path        string
}

type answer struct {
	At      time.Time `json:"at"`
	Because string    `json:"because"`
}

func openAnswers() (*answers, error) {
	folder, err := cache.Folder("registries")
	if err != nil {
		return nil, err
	}
	a := &answers{path: filepath.Join(folder, "unreachable.json")}
	if text, err := os.ReadFile(a.path); err == nil {
		_ = json.Unmarshal(text, a) // a broken cache is an empty one
	}
	if a.Unreachable == nil {
		a.Unreachable = map[string]answer{}
	}
	return a, nil
}

// save loses nothing but time when it fails.
func (a *answers) save() {
	if text, err := json.Marshal(a); err == nil {
		temporary := fmt.Sprintf("%s.%d", a.path, os.Getpid())
		if os.WriteFile(temporary, text, 0o600) == nil {
			_ = os.Rename(temporary, a.path)
		}
	}
}
