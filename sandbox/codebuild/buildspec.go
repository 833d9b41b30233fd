package codebuild

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// buildspec is a build specification of version 0.2, as far as the sandbox runs it.
type buildspec struct {
	shell     string
	variables map[string]string
	exported  []string
	phases    map[string]phase
	// artifacts are the declared output artifacts: the artifacts block's own by the name primaryArtifact, the secondary ones by
	// their identifiers.
	artifacts map[string]artifact
	// notes name what the sandbox leaves out without changing what is built, a sentence each.
	notes []string
}

// phase is one of install, pre_build, build and post_build.
type phase struct {
	commands, finally []string
	// onFailure is ABORT, CONTINUE, or empty for the documented transitions.
	onFailure string
}

// artifact says which files of the build become an output artifact.
type artifact struct {
	files, exclude []string
	baseDirectory  string
	discardPaths   bool
}

// phaseNames are CodeBuild's phases that have commands, in their order.
var phaseNames = []string{"install", "pre_build", "build", "post_build"}

// parseBuildspec reads a buildspec. The error names every problem, each with its place and, where it can, its line.
func parseBuildspec(name string, text []byte) (*buildspec, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: not YAML: %w", name, err)
	}
	if len(document.Content) == 0 {
		return nil, fmt.Errorf("%s: empty: it needs at least version and phases", name)
	}
	spec := &buildspec{variables: map[string]string{}, phases: map[string]phase{}, artifacts: map[string]artifact{}}
	p := &specParser{spec: spec}
	p.top(document.Content[0])
	if len(p.problems) > 0 {
		return nil, fmt.Errorf("%s:\n  %s", name, strings.Join(p.problems, "\n  "))
	}
	return spec, nil
}

// specParser walks the YAML by hand, because only then an unknown key and a wrong value can be named by path and line.
type specParser struct {
	spec     *buildspec
	problems []string
}

func (p *specParser) problem(n *yaml.Node, path, format string, args ...any) {
	p.problems = append(p.problems, fmt.Sprintf("%s (line %d): %s", path, n.Line, fmt.Sprintf(format, args...)))
}

func (p *specParser) note(format string, args ...any) {
	p.spec.notes = append(p.spec.notes, fmt.Sprintf(format, args...))
}

// keys are what a mapping may hold, each with its reader.
type keys map[string]func(n *yaml.Node, path string)

func (p *specParser) mapping(n *yaml.Node, path string, known keys) (present map[string]bool) {
	present = map[string]bool{}
	p.each(n, path, func(key string, value *yaml.Node, at string) {
		present[key] = true
		read, ok := known[key]
		if !ok {
			p.problem(value, at, "unknown key: here may stand %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			return
		}
		read(value, at)
	})
	return present
}

func (p *specParser) each(n *yaml.Node, path string, visit func(key string, value *yaml.Node, at string)) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		p.problem(n, path, "must be a mapping, such as key: value")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key, ".")
		if seen[key] {
			p.problem(n.Content[i], at, "stands twice")
			continue
		}
		seen[key] = true
		visit(key, value, at)
	}
}

func (p *specParser) text(n *yaml.Node, path string) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		p.problem(n, path, "must be a text")
		return ""
	}
	return n.Value
}

func (p *specParser) texts(n *yaml.Node, path string) []string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.SequenceNode {
		p.problem(n, path, "must be a list of texts")
		return nil
	}
	var all []string
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item.Kind == yaml.MappingNode {
			p.problem(item, at, "must be a text: a colon followed by a space makes it a mapping, so put it in quotes or in a block (|)")
			continue
		}
		all = append(all, p.text(item, at))
	}
	return all
}

func (p *specParser) yes(n *yaml.Node, path string) bool {
	switch value := strings.ToLower(p.text(n, path)); value {
	case "yes", "true":
		return true
	case "no", "false":
		return false
	default:
		p.problem(n, path, "%q is neither yes nor no", value)
		return false
	}
}

func (p *specParser) ignored(n *yaml.Node, path string) {
	p.note("%s is left out by the sandbox", path)
}

func (p *specParser) refused(why string) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) { p.problem(n, path, "the sandbox cannot do this: %s", why) }
}

func (p *specParser) top(n *yaml.Node) {
	present := p.mapping(n, "", keys{
		"version": func(n *yaml.Node, path string) {
			if v := p.text(n, path); v != "0.2" {
				p.problem(n, path, "%q: the sandbox runs version 0.2", v)
			}
		},
		"run-as":    p.refused("commands run as the user who started it"),
		"env":       p.env,
		"proxy":     p.ignored,
		"batch":     p.refused("it runs one build at a time"),
		"phases":    p.phases,
		"reports":   p.ignored,
		"cache":     p.ignored,
		"artifacts": p.artifacts,
	})
	for _, key := range []string{"version", "phases"} {
		if !present[key] {
			p.problem(n, key, "is missing")
		}
	}
}

func (p *specParser) env(n *yaml.Node, path string) {
	p.mapping(n, path, keys{
		"shell": func(n *yaml.Node, path string) {
			switch p.spec.shell = p.text(n, path); p.spec.shell {
			case "sh", "bash", "/bin/sh":
			default:
				p.problem(n, path, "%q: the sandbox has sh and bash", p.spec.shell)
			}
		},
		"variables": func(n *yaml.Node, path string) {
			p.each(n, path, func(name string, value *yaml.Node, at string) {
				if err := checkVariable(name); err != nil {
					p.problem(value, at, "%v", err)
				}
				p.spec.variables[name] = p.text(value, at)
			})
		},
		"exported-variables": func(n *yaml.Node, path string) {
			p.spec.exported = p.texts(n, path)
			for _, name := range p.spec.exported {
				if !variableName.MatchString(name) {
					p.problem(n, path, "%q is no variable's name", name)
				}
			}
		},
		"parameter-store":       p.refused("it has no access to Parameter Store from a build; declare the variable as plain text"),
		"secrets-manager":       p.refused("it has no Secrets Manager; declare a variable that the sandbox can be given"),
		"git-credential-helper": p.ignored,
	})
}

func (p *specParser) phases(n *yaml.Node, path string) {
	known := keys{}
	for _, name := range phaseNames {
		known[name] = func(n *yaml.Node, path string) { p.spec.phases[name] = p.phase(n, path) }
	}
	p.mapping(n, path, known)
}

func (p *specParser) phase(n *yaml.Node, path string) phase {
	var ph phase
	present := p.mapping(n, path, keys{
		"run-as": p.refused("commands run as the user who started it"),
		"on-failure": func(n *yaml.Node, path string) {
			switch ph.onFailure = p.text(n, path); ph.onFailure {
			case "ABORT", "CONTINUE":
			default:
				p.problem(n, path, "%q: the sandbox does ABORT and CONTINUE; a retry would hide what failed", ph.onFailure)
			}
		},
		"runtime-versions": func(n *yaml.Node, path string) {
			p.each(n, path, func(runtime string, version *yaml.Node, at string) {
				p.note("%s: the build asks for %s %s and gets this machine's own", path, runtime, p.text(version, at))
			})
		},
		"commands": func(n *yaml.Node, path string) { ph.commands = p.texts(n, path) },
		"finally":  func(n *yaml.Node, path string) { ph.finally = p.texts(n, path) },
	})
	if !present["commands"] && !present["runtime-versions"] {
		p.problem(n, path, "has no commands")
	}
	return ph
}

func (p *specParser) artifacts(n *yaml.Node, path string) {
	primary, present := p.artifact(n, path, keys{
		"secondary-artifacts": func(n *yaml.Node, path string) {
			p.each(n, path, func(id string, n *yaml.Node, at string) {
				secondary, present := p.artifact(n, at, nil)
				if !present["files"] {
					p.problem(n, at, "has no files")
				}
				p.spec.artifacts[id] = secondary
			})
		},
	})
	switch {
	case present["files"]:
		p.spec.artifacts[primaryArtifact] = primary
	case !present["secondary-artifacts"]:
		p.problem(n, path, "has no files")
	}
}

func (p *specParser) artifact(n *yaml.Node, path string, more keys) (artifact, map[string]bool) {
	var a artifact
	known := keys{
		"files":          func(n *yaml.Node, path string) { a.files = p.texts(n, path) },
		"exclude-paths":  func(n *yaml.Node, path string) { a.exclude = p.texts(n, path) },
		"base-directory": func(n *yaml.Node, path string) { a.baseDirectory = p.text(n, path) },
		"discard-paths":  func(n *yaml.Node, path string) { a.discardPaths = p.yes(n, path) },
		"enable-symlinks": func(n *yaml.Node, path string) {
			if p.yes(n, path) {
				p.problem(n, path, "the sandbox cannot keep symbolic links in an artifact")
			}
		},
		"name":      p.ignored,
		"s3-prefix": p.ignored,
	}
	maps.Copy(known, more)
	present := p.mapping(n, path, known)
	for i, pattern := range slices.Concat(a.files, a.exclude) {
		if !validPattern(pattern) {
			p.problem(n, path, "pattern %d, %q, is no file pattern inside the source, such as dist/**/*", i+1, pattern)
		}
	}
	if a.baseDirectory != "" && !validPattern(a.baseDirectory) {
		p.problem(n, path, "base-directory %q is no folder inside the source", a.baseDirectory)
	}
	return a, present
}
