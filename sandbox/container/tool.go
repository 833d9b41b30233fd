package container

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/sandbox/cache"
	"github.com/penguinshop/delivery/sandbox/container/dockerfile"
)

// The names of the variables by which a build's docker finds out that it is one, and where its images lie.
const (
	toolVariable   = "SANDBOX_TOOL"
	imagesVariable = "SANDBOX_DOCKER_IMAGES"
)

// toolReady is set by RunTool.
var toolReady bool

// RunTool runs this process as the docker command of a build without a container engine, if that is what it was started
// as, and does not return then. A program that has an Engine calls it first of all, because the builds start that very
// program again under the name of docker.
func RunTool() {
	toolReady = true
	if os.Getenv(toolVariable) != "docker" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dockerTool(os.Getenv(imagesVariable), os.Stdin, os.Stdout, os.Stderr).ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "docker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// InstallCLI writes the docker command: this very program, started as one.
func (e *process) InstallCLI(dir string) error {
	if !toolReady {
		return errors.New("this program cannot stand in for docker: it does not call container.RunTool")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to run it as a build's docker: %w", err)
	}
	images := filepath.Join(e.folder.Path, "images")
	script := fmt.Sprintf("#!/bin/sh\n%s=docker %s=%s exec %s \"$@\"\n", toolVariable, imagesVariable, quote(images), quote(self))
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o700); err != nil {
		return fmt.Errorf("install the docker command of a build: %w", err)
	}
	return nil
}

// dockerTool is the part of docker's command line that a build of a Node app calls.
func dockerTool(images string, in io.Reader, out, problems io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use: "docker", Short: "docker, for builds on a machine without a container engine", SilenceErrors: true, SilenceUsage: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(problems)
	store := imageStore{folder: images}
	image := &cobra.Command{Use: "image", Short: "Work on images"}
	image.AddCommand(inspectCommand(store), removeCommand(store, "rm"), listCommand(store, "ls"))
	root.AddCommand(
		buildCommand(store), pushCommand(store), pullCommand(store), tagCommand(store), loginCommand(), image,
		inspectCommand(store), removeCommand(store, "rmi"), listCommand(store, "images"),
		&cobra.Command{Use: "logout [SERVER]", Args: cobra.MaximumNArgs(1), Run: func(*cobra.Command, []string) {}},
		&cobra.Command{Use: "version", Args: cobra.NoArgs, Run: func(c *cobra.Command, _ []string) {
			c.Println("no container engine: images are built from this machine's own programs")
		}},
	)
	return root
}

func buildCommand(store imageStore) *cobra.Command {
	var file, target, platform string
	var tags, args, labels, ignored []string
	var quiet, noCache, unused bool
	c := &cobra.Command{Use: "build [flags] PATH", Short: "Build an image from a Dockerfile", Args: cobra.ExactArgs(1)}
	flags := c.Flags()
	flags.StringVarP(&file, "file", "f", "", "the Dockerfile (PATH/Dockerfile)")
	flags.StringArrayVarP(&tags, "tag", "t", nil, "a name of the image")
	flags.StringArrayVar(&args, "build-arg", nil, "a build argument, NAME=value, or NAME for the environment's value")
	flags.StringArrayVar(&labels, "label", nil, "a label, name=value")
	flags.StringVar(&target, "target", "", "the stage to build")
	flags.BoolVar(&noCache, "no-cache", false, "run every instruction again")
	flags.BoolVarP(&quiet, "quiet", "q", false, "print the image's ID alone")
	flags.StringVar(&platform, "platform", "", "the machine's own, "+runtime.GOOS+"/"+runtime.GOARCH)
	// These concern an engine; an image comes out the same without them.
	for _, name := range []string{"cache-from", "progress", "network", "provenance"} {
		flags.StringArrayVar(&ignored, name, nil, "has no effect here")
	}
	for _, name := range []string{"pull", "rm", "force-rm"} {
		flags.BoolVar(&unused, name, false, "has no effect here")
	}
	c.RunE = func(c *cobra.Command, paths []string) error {
		if platform != "" && platform != runtime.GOOS+"/"+runtime.GOARCH && platform != "linux/"+runtime.GOARCH {
			return fmt.Errorf("--platform %s: without a container engine an image is this machine's, %s/%s", platform, runtime.GOOS, runtime.GOARCH)
		}
		layers, err := layerCache()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(store.folder, 0o700); err != nil {
			return err
		}
		work, err := os.MkdirTemp(store.folder, "build-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(work) }()
		output := c.ErrOrStderr()
		if quiet {
			output = io.Discard
		}
		built, err := dockerfile.Build{
			Context: paths[0], File: file, Target: target, NoCache: noCache, Args: pairs(args), Labels: pairs(labels),
			Base: hostConfig, Cache: layers, Work: work, Output: output,
		}.Run(c.Context())
		if err != nil {
			return err
		}
		id, err := store.put(built, tags...)
		if err == nil {
			c.Println(id)
		}
		return err
	}
	return c
}

// layerCache is the folder of the layers that builds of the last week made.
func layerCache() (string, error) {
	folder, err := cache.Folder("layers")
	if err == nil {
		cache.Forget(folder, 7*24*time.Hour)
	}
	return folder, err
}

// pairs reads NAME=value; a bare NAME takes the environment's value, if it has one.
func pairs(words []string) map[string]string {
	read := map[string]string{}
	for _, word := range words {
		name, value, given := strings.Cut(word, "=")
		if !given {
			value, given = os.LookupEnv(name)
		}
		if given {
			read[name] = value
		}
	}
	return read
}

var nodeImage = regexp.MustCompile(`(^|/)node(:|@|$)`)

// hostConfig takes the base images whose program this machine can stand in for.
func hostConfig(ref string) (v1.Config, error) {
	if !strings.HasPrefix(ref, hostBase) && !nodeImage.MatchString(ref) {
		return v1.Config{}, fmt.Errorf("without a container engine only images of Node can be built on, and %s is none: "+
			"install docker or podman", ref)
	}
	return v1.Config{Cmd: []string{"node"}, Labels: map[string]string{"penguinshop.sandbox.programs": "of the host"}}, nil
}

func pushCommand(store imageStore) *cobra.Command {
	return &cobra.Command{Use: "push NAME", Short: "Send an image to its registry", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			image, err := store.get(args[0])
			if err != nil {
				return err
			}
			ref, err := name.ParseReference(args[0])
			if err != nil {
				return err
			}
			if err := remote.Write(ref, image, remote.WithContext(c.Context())); err != nil {
				return err
			}
			digest, err := image.Digest()
			if err != nil {
				return err
			}
			c.Printf("%s: digest: %s\n", ref.Identifier(), digest)
			_, err = store.put(image, ref.Context().Name()+"@"+digest.String())
			return err
		}}
}

func pullCommand(store imageStore) *cobra.Command {
	return &cobra.Command{Use: "pull NAME", Short: "Fetch an image from its registry", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ref, err := name.ParseReference(args[0])
			if err != nil {
				return err
			}
			image, err := remote.Image(ref, remote.WithContext(c.Context()))
			if err != nil {
				return err
			}
			digest, err := image.Digest()
			if err != nil {
				return err
			}
			_, err = store.put(image, args[0], ref.Context().Name()+"@"+digest.String())
			return err
		}}
}

func tagCommand(store imageStore) *cobra.Command {
	return &cobra.Command{Use: "tag IMAGE NAME", Short: "Give an image another name", Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			image, err := store.get(args[0])
			if err == nil {
				_, err = store.put(image, args[1])
			}
			return err
		}}
}

// loginCommand takes a login and keeps nothing: the sandbox's registry asks for none.
func loginCommand() *cobra.Command {
	var user, password string
	var stdin bool
	c := &cobra.Command{Use: "login [SERVER]", Short: "Log in to a registry", Args: cobra.MaximumNArgs(1)}
	c.Flags().StringVarP(&user, "username", "u", "", "the user")
	c.Flags().StringVarP(&password, "password", "p", "", "the password")
	c.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if stdin {
			text, err := io.ReadAll(c.InOrStdin())
			if err != nil {
				return err
			}
			password = strings.TrimSpace(string(text))
		}
		if user == "" || password == "" {
			return errors.New("login needs a user (--username) and a password (--password-stdin)")
		}
		c.Println("Login Succeeded")
		return nil
	}
	return c
}

// inspected is the part of docker's description of an image that does not depend on an engine.
type inspected struct {
	Id           string
	RepoTags     []string
	RepoDigests  []string
	Created      string
	Architecture string
	Os           string
	Size         int64
	Config       v1.Config
}

func inspectCommand(store imageStore) *cobra.Command {
	var format string
	c := &cobra.Command{Use: "inspect NAME...", Short: "Describe images", Args: cobra.MinimumNArgs(1)}
	c.Flags().StringVarP(&format, "format", "f", "", "a Go template")
	c.RunE = func(c *cobra.Command, args []string) error {
		var all []inspected
		for _, ref := range args {
			i, err := store.inspect(ref)
			if err != nil {
				return err
			}
			all = append(all, i)
		}
		if format == "" {
			encoder := json.NewEncoder(c.OutOrStdout())
			encoder.SetIndent("", "    ")
			return encoder.Encode(all)
		}
		t, err := template.New("format").Funcs(template.FuncMap{
			"json": func(v any) (string, error) { text, err := json.Marshal(v); return string(text), err },
			"join": strings.Join,
		}).Parse(format)
		if err != nil {
			return fmt.Errorf("--format: %w", err)
		}
		for _, i := range all {
			if err := t.Execute(c.OutOrStdout(), i); err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			c.Println()
		}
		return nil
	}
	return c
}

func removeCommand(store imageStore, use string) *cobra.Command {
	c := &cobra.Command{Use: use + " NAME...", Short: "Take names from images", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var problems error
			for _, ref := range args {
				problems = errors.Join(problems, store.remove(ref))
			}
			return problems
		}}
	c.Flags().BoolP("force", "f", false, "has no effect here")
	return c
}

func listCommand(store imageStore, use string) *cobra.Command {
	return &cobra.Command{Use: use, Short: "List images", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			refs, err := store.refs()
			if err != nil {
				return err
			}
			slices.SortFunc(refs, func(a, b named) int { return cmp.Compare(a.ref, b.ref) })
			for _, r := range refs {
				c.Printf("%s\t%s\n", r.ref, r.digest)
			}
			return nil
		}}
}
