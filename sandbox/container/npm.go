package container

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	folder := filepath.Join(e.folder.Path, "npm")
	if err := os.Mkdir(folder, 0o755); errors.Is(err, os.ErrExist) {
		return folder, nil
	} else if err != nil {
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
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
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
