package tests

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
)

var record = flag.Bool("record", false, "record today's URNs as what deployed stacks have")

// TestEveryRecordedURNIsStillThereOrHasAnAlias compares today's resources with those that deployed stacks have. The engine
// knows a resource by its URN: one that changes without an alias is deleted and made anew, with whatever traffic it carries.
func TestEveryRecordedURNIsStillThereOrHasAnAlias(t *testing.T) {
	shipped, err := shipped()
	require.NoError(t, err)
	graphs := maps.Clone(shipped)
	graphs["shared-with-github"] = gitHub(t)
	for name, g := range graphs {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "urns", name+".txt")
			today := urns(g)
			if *record {
				require.NoError(t, os.WriteFile(file, []byte(strings.Join(today, "\n")+"\n"), 0o644))
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			recorded := strings.Fields(string(text))
			assert.Empty(t, lost(g, recorded), "give the resources that these became an alias (pulumi.Aliases); "+
				"if they are meant to go, take them out of %s", file)
			assert.Empty(t, without(today, recorded), "new resources: record them with `go test ./tests -run URN -record`")
		})
	}
}

func TestARenamedResourceIsFoundUnlessItHasAnAlias(t *testing.T) {
	g := &graph.Graph{Resources: []graph.Resource{{URN: "new"}, {URN: "kept"}}}
	assert.Equal(t, []string{"old"}, lost(g, []string{"old", "kept"}))
	g.Resources[0].Options.Aliases = []string{"old"}
	assert.Empty(t, lost(g, []string{"old", "kept"}))
}

func urns(g *graph.Graph) []string {
	var all []string
	for _, r := range g.Resources {
		if !r.Read {
			all = append(all, r.URN)
		}
	}
	slices.Sort(all)
	return all
}

// lost are the recorded URNs that no resource has today, under its own name or a former one.
func lost(g *graph.Graph, recorded []string) []string {
	known := urns(g)
	for _, r := range g.Resources {
		known = append(known, r.Options.Aliases...)
	}
	return without(recorded, known)
}

func without(all, known []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(urn string) bool { return slices.Contains(known, urn) })
}
