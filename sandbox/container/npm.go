package container

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// npmConfigFolder is where npm reads the machine-wide configuration inside an image whose Node lies in /usr/local, as it
// does in the official images. The run's own folder is mounted over it while a build's commands run: the image itself
// learns nothing of the machine that it was built on.
const npmConfigFolder = "/usr/local/etc"

// npmSettings are the settings of this machine's npm that say where packages come from and whom to believe. Credentials are
// not among them.
var npmSettings = []string{"registry", "proxy", "https-proxy", "noproxy", "strict-ssl"}

// npmFolder makes the folder that is mounted over npmConfigFolder: this machine's npm settings and, where it trusts a
// certificate authority of its own, that one.
func (e *cli) npmFolder() (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	folder := filepath.Join(e.folder.Path, "npm")
	if _, err := os.Stat(filepath.Join(folder, "npmrc")); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	var config strings.Builder
	authority := os.Getenv("NODE_EXTRA_CA_CERTS")
	if npm, err := exec.LookPath("npm"); err == nil {
		out, err := exec.Command(npm, append([]string{"config", "get", "cafile"}, npmSettings...)...).Output()
		if err != nil {
			return "", fmt.Errorf("read this machine's npm settings: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			line = strings.TrimSpace(line)
			name, value, _ := strings.Cut(line, "=")
			switch {
			case value == "" || value == "null" || value == "undefined":
			case name == "cafile":
				authority = value
			default:
				fmt.Fprintf(&config, "%s=%s\n", name, value)
			}
		}
	}
	if authority != "" {
		text, err := os.ReadFile(authority)
		if err != nil {
			return "", fmt.Errorf("read the certificate authorities that npm is told to trust: %w", err)
		}
		if err := os.WriteFile(filepath.Join(folder, "authorities.pem"), text, 0o644); err != nil {
			return "", err
		}
		fmt.Fprintf(&config, "cafile=%s/authorities.pem\n", npmConfigFolder)
	}
	return folder, os.WriteFile(filepath.Join(folder, "npmrc"), []byte(config.String()), 0o644)
}

// equip gives docker's builds what the mounted folder gives podman's: docker mounts nothing into a build, so that a base image
// of the sandbox's own carries this machine's npm settings, where it has any.
func (e *cli) equip(ctx context.Context, base string) (string, error) {
	if e.name != Docker {
		return base, nil
	}
	folder, err := e.npmFolder()
	if err != nil {
		return "", err
	}
	settings, err := os.ReadFile(filepath.Join(folder, "npmrc"))
	if err != nil || len(settings) == 0 {
		return base, err
	}
	authorities, err := os.ReadFile(filepath.Join(folder, "authorities.pem"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	id, err := e.output(ctx, "image", "inspect", "--format", "{{.Id}}", base)
	if err != nil {
		return "", err
	}
	ref := fmt.Sprintf("%s:equipped-%x", baseName, sha256.Sum256(slices.Concat([]byte(id), settings, authorities)))[:len(baseName)+22]
	if e.has(ctx, ref) {
		return ref, nil
	}
	recipe := filepath.Join(e.folder.Path, "equipped.Dockerfile")
	if err := os.WriteFile(recipe, []byte("FROM "+base+"\nCOPY . "+npmConfigFolder+"/\n"), 0o600); err != nil {
		return "", err
	}
	_, err = e.output(ctx, "build", "--quiet", "--force-rm", "--file", recipe, "--tag", ref, folder)
	return ref, err
}
