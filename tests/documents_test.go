package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/sandbox/drill"
	"github.com/penguinshop/delivery/sandbox/plan"
	"github.com/penguinshop/delivery/stacks"
)

// TestTheGeneratedPagesAreTheCodes holds each page that is made from code to it. `go test ./tests -run Pages -record` writes
// them anew.
func TestTheGeneratedPagesAreTheCodes(t *testing.T) {
	for file, text := range map[string]string{
		"docs/config.md": configPage(t), "docs/contract.md": contractPage(), "docs/costs.md": costsPage(t),
		"docs/drills.md": drillsPage(),
	} {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(root, file)
			if *record {
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			}
			written, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, text, string(written), "write it anew: go test ./tests -run Pages -record")
		})
	}
}

// TestTheReadmeShowsTodaysCosts keeps the table of the first page with the page that it is taken from.
func TestTheReadmeShowsTodaysCosts(t *testing.T) {
	_, table, found := strings.Cut(costsPage(t), "\n\n| USD")
	require.True(t, found)
	table, _, _ = strings.Cut("| USD"+table, "\n\n")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	assert.Contains(t, string(readme), table, "copy the table from docs/costs.md")
}

func configPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString(`# Config

Every key that a stack's file (` + "`Pulumi.<stack>.yaml`" + `) can hold below ` + "`penguinshop:`" + `. An unknown key or a wrong value is
refused before anything is declared, all problems at once, each with its path and an example of a right value. This page is
made from the types in ` + "`stacks/config.go` and `shiftfn/rollout/policy.go`" + `.
`)
	b.WriteString("\n## The stack\n\n" + header)
	rows := reference(t)
	for _, row := range rows {
		if !strings.Contains(row.Key, ".") && !opens(row) {
			row.Meaning += role(row.Role)
			b.WriteString(line(row))
		}
	}
	for _, row := range rows {
		switch {
		case opens(row):
			fmt.Fprintf(&b, "\n## %s\n\n%s%s\n\n%s", row.Key, row.Meaning, role(row.Role), header)
		case strings.Contains(row.Key, "."):
			b.WriteString(line(row))
		}
	}
	return b.String()
}

// opens tells whether a key is an object at the top, which has a section of its own.
func opens(row stacks.Row) bool {
	return !strings.Contains(row.Key, ".") && strings.HasSuffix(row.Type, "object")
}

func line(row stacks.Row) string {
	if row.Required {
		row.Meaning += " Required."
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |\n",
		row.Key, row.Type, code(row.Default), cell(row.Range), code(row.Example), cell(row.Meaning))
}

const header = "| key | type | default | allowed | example | meaning |\n| --- | --- | --- | --- | --- | --- |\n"

func role(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (Stacks of the role %s.)", name)
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

// cell keeps a text inside its cell of a Markdown table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func contractPage() string {
	var b strings.Builder
	b.WriteString(`# What an environment promises

The outputs of every environment's stack. A Go program reads them with the package ` + "`contract`" + `, typed and checked; a program
in another language by a stack reference to ` + "`organization/penguinshop/<environment>`" + ` and the names here. A stable output
keeps its name, type and meaning; one for operators may change with the release that says so. This page is made from
` + "`contract.Outputs`" + `.

| output | type | meaning | stability | exists |
| --- | --- | --- | --- | --- |
`)
	for _, o := range contract.Outputs() {
		exists := map[contract.Presence]string{
			contract.Always: "always", contract.InBlueGreen: "where the strategy is blueGreen",
			contract.Elsewhere: "where `tools` names another account or region",
		}[o.Presence]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", o.Key, o.Type, cell(o.Meaning), o.Stability, exists)
	}
	return b.String()
}

func costsPage(t *testing.T) string {
	graphs, err := shipped()
	require.NoError(t, err)
	var plans []*plan.Plan
	for _, name := range append([]string{}, append(environments, "shared")...) {
		p, err := plan.Of(graphs[name])
		require.NoError(t, err)
		plans = append(plans, p)
	}
	return "# What the shipped stacks cost\n\nMade by `go run ./cmd/sandbox plan --format costs`.\n\n" + plan.Profile(plans)
}

func drillsPage() string {
	var page strings.Builder
	page.WriteString(`# Drills

What can be broken on purpose, and what is promised then. ` + "`make drill`" + ` breaks all of it, one after the other, and so does every
test run; ` + "`go run ./cmd/sandbox drill --list`" + ` and ` + "`drill NAME`" + ` do it one by one. Each drill begins with a good release live in one environment
of this machine, under a steady load of users' requests; the releases are real images of the app with a mistake in them. This page is
made from sandbox/drill/catalogue.go.

The summary is a list of ` + "`{\"drill\", \"expected\", \"outcome\", \"requests\", \"failed\", \"badVersionRequests\", \"secondsToSafety\", \"passed\"}`" + `.
` + "`badVersionRequests`" + ` counts users' requests that a broken release answered, or failed to answer; ` + "`secondsToSafety`" + ` is the time, as it
would pass in AWS, from the first request that failed or met a broken release to the last. A drill passes when the delivery ended as expected,
the release never had more of the traffic than is written here, and no more requests failed. Where shiftfn is killed is a sample, the
same in every run; the generated histories in ` + "`shiftfn/controller`" + ` end it between any two of its calls.

| drill | what is broken | what a user sees | the delivery is | traffic that the release may get | requests that may fail |
| --- | --- | --- | --- | --: | --: |
`)
	for _, d := range drill.All() {
		fmt.Fprintf(&page, "| %s | %s | %s | %s | %d %% | %g %% |\n", code(d.Name), cell(d.Breaks), cell(d.Promise), d.Expected, d.Reach, d.Lost)
	}
	return page.String()
}
