package stacks

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a stack's config.
type Problem struct {
	// Path is where: `penguinshop:service.cpu`.
	Path string
	// What says what is wrong.
	What string
	// Example is a right value; empty where What says all.
	Example string
}

func (p Problem) String() string {
	text := p.Path + ": " + p.What
	if p.Example != "" {
		text += "; a right value is " + p.Example
	}
	return text
}

// ConfigError is everything that is wrong with a stack's config, so that one correction is enough.
type ConfigError struct {
	Stack    string
	Problems []Problem
}

func (e *ConfigError) Error() string {
	noun := "problems"
	if len(e.Problems) == 1 {
		noun = "problem"
	}
	lines := []string{fmt.Sprintf("the config of stack %s has %d %s:", e.Stack, len(e.Problems), noun)}
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

// problems gathers what is wrong, each path once: what is of the wrong type is not judged by its range or its parts as well.
type problems struct {
	project string
	list    []Problem
}

func (p *problems) add(path, what, example string) {
	full := p.project + ":" + path
	if !slices.ContainsFunc(p.list, func(q Problem) bool { return within(full, q.Path) }) {
		p.list = append(p.list, Problem{full, what, example})
	}
}

// within tells whether a path is another one or lies below it.
func within(path, other string) bool {
	rest, found := strings.CutPrefix(path, other)
	return found && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// touched tells whether something is wrong at or below a path.
func (p *problems) touched(path string) bool {
	full := p.project + ":" + path
	return slices.ContainsFunc(p.list, func(q Problem) bool { return within(q.Path, full) })
}
