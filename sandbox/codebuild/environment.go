package codebuild

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// passed are the variables of the person who runs the sandbox that a build gets, by prefix when they end in *. All of them say
// how to reach a package registry: npm must be able to install the app's dependencies here as it does for that person, through
// the same proxy, certificates and cache. Nothing else of their environment is seen by a build.
var passed = []string{
	"NPM_CONFIG_*", "npm_config_*", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
}

// environment is a build's variables by name.
type environment map[string]string

// machineEnvironment holds what a build takes over from this machine: where programs are, with tools first, and how npm
// reaches its registry. home and temp are empty folders of the build's own.
func machineEnvironment(tools, home, temp string) environment {
	env := environment{
		"PATH": tools + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME": home, "TMPDIR": temp, "LANG": "C.UTF-8",
	}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if slices.ContainsFunc(passed, func(p string) bool {
			prefix, isPrefix := strings.CutSuffix(p, "*")
			return name == p || isPrefix && strings.HasPrefix(name, prefix)
		}) {
			env[name] = value
		}
	}
	return env
}

// linkNPM lets the build's home show the user's npm settings and cache, by links: npm then finds them by its own rules, and a
// second build downloads nothing.
func linkNPM(home string) error {
	user, err := os.UserHomeDir()
	if err != nil {
		return nil // no home: npm has neither settings nor cache to share
	}
	if err := os.MkdirAll(filepath.Join(user, ".npm"), 0o755); err != nil {
		return nil // a home that cannot be written to has no cache either
	}
	for _, name := range []string{".npm", ".npmrc"} {
		if _, err := os.Stat(filepath.Join(user, name)); err == nil {
			if err := os.Symlink(filepath.Join(user, name), filepath.Join(home, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// list returns the variables as a process takes them, sorted.
func (e environment) list() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(e)) {
		all = append(all, fmt.Sprintf("%s=%s", name, e[name]))
	}
	return all
}

// checkVariables refuses what a build cannot be given, all at once.
func checkVariables(variables map[string]string) error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		problems = append(problems, checkVariable(name))
	}
	return errors.Join(problems...)
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// checkVariable refuses what CodeBuild refuses or reserves.
func checkVariable(name string) error {
	if !variableName.MatchString(name) {
		return fmt.Errorf("%q is no variable's name: letters, digits and _, not beginning with a digit", name)
	}
	if strings.HasPrefix(name, "CODEBUILD_") {
		return fmt.Errorf("%q: names that begin with CODEBUILD_ are reserved", name)
	}
	return nil
}
