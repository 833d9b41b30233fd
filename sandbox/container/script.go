package container

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// InstallCLI writes the docker command of a build. To docker it adds the run's own configuration; podman it makes take
// docker's words, reach the registry without TLS, and fetch npm packages as this machine does.
func (e *cli) InstallCLI(dir string) error {
	script, err := e.script()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o700)
	}
	if err != nil {
		return fmt.Errorf("install the docker command of a build: %w", err)
	}
	return nil
}

func (e *cli) script() (string, error) {
	var s strings.Builder
	s.WriteString("#!/bin/sh\n# docker, as the sandbox's builds know it\n")
	// A build's environment is what its project declares; the engine's client needs a little more of its user's.
	for _, name := range []string{
		"HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST",
		"CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
	} {
		if value, set := os.LookupEnv(name); set {
			fmt.Fprintf(&s, "export %s=%s\n", name, quote(value))
		}
	}
	for _, pair := range e.env {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(&s, "export %s=%s\n", name, quote(value))
	}
	engine := quoteAll(append([]string{e.path}, e.global...))
	if e.name == Docker {
		fmt.Fprintf(&s, "if [ \"${1:-}\" = build ]; then shift; exec %[1]s build %[2]s \"$@\"; fi\nexec %[1]s \"$@\"\n", engine, quoteAll(e.build))
		return s.String(), nil
	}
	npm, err := e.npmFolder()
	if err != nil {
		return "", err
	}
	build := append([]string{"--format", "docker", "--volume", npm + ":" + npmConfigFolder + ":ro"}, e.build...)
	fmt.Fprintf(&s, `command=$1
[ $# -eq 0 ] || shift
case $command in
build)
	# Its builder has the layers of earlier builds at hand, and refuses docker's way of naming an image that lends them.
	words=$#
	while [ "$words" -gt 0 ]; do
		word=$1 words=$((words - 1))
		shift
		case $word in
		--cache-from) shift; words=$((words - 1)) ;;
		--cache-from=*) ;;
		*) set -- "$@" "$word" ;;
		esac
	done
	exec %[1]s build %[2]s "$@" ;;
login | logout | pull | push)
	# The last word names the registry; only the sandbox's own is spoken to without TLS.
	for last; do :; done
	case ${last:-} in
	%[3]s | %[3]s/*) exec %[1]s "$command" %[4]s "$@" ;;
	esac ;;
esac
exec %[1]s "$command" "$@"
`, engine, quoteAll(build), quote(e.Registry), quoteAll(e.plainHTTP))
	return s.String(), nil
}

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

// quote makes one word of a shell's line out of any text.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
