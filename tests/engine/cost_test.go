package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/stacks"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

// taken is how long the engine took for one stack, once for each round.
type taken struct {
	preview, up []time.Duration
	resources   int
}

// measure previews and brings up a stack that is not there yet, and adds the times.
func (c *taken) measure(b *testing.B, h *house, name string) {
	b.Helper()
	stack := h.stack(b, name)
	began := time.Now()
	preview, err := stack.Preview(b.Context())
	require.NoError(b, err)
	c.preview = append(c.preview, time.Since(began))
	began = time.Now()
	up, err := stack.Up(b.Context())
	require.NoError(b, err)
	c.up = append(c.up, time.Since(began))
	c.resources = (*up.Summary.ResourceChanges)["create"]
	require.Equal(b, c.resources, preview.ChangeSummary["create"], "up does what preview said")
}

// report gives the medians as the benchmark's own metrics, each named name/what:unit.
func (c *taken) report(b *testing.B, name string) {
	median := func(times []time.Duration) float64 {
		return slices.Sorted(slices.Values(times))[len(times)/2].Seconds()
	}
	b.ReportMetric(median(c.preview), name+"/preview:s")
	b.ReportMetric(median(c.up), name+"/up:s")
	b.ReportMetric(float64(c.resources), name+"/resources:resources")
	b.ReportMetric(float64(c.resources)/median(c.up), name+"/upRate:resources/s")
}

// BenchmarkStacks brings the project's stacks up from nothing, in each round on a backend of its own. The stand-in providers
// answer at once, so the time is the program's and the engine's.
func BenchmarkStacks(b *testing.B) {
	cost := map[string]*taken{}
	for b.Loop() {
		h := build(b, stacks.Declare)
		for _, name := range order {
			if cost[name] == nil {
				cost[name] = &taken{}
			}
			cost[name].measure(b, h, name)
		}
	}
	for name, c := range cost {
		c.report(b, name)
	}
}

// many are the numbers of environments that the shared stack is measured with.
var many = []int{3, 6, 12, 24}

// write gives the house a stack's file.
func (h *house) write(b *testing.B, stack, text string) {
	b.Helper()
	require.NoError(b, os.WriteFile(filepath.Join(h.dir, "Pulumi."+stack+".yaml"), []byte(text), 0o600))
}

// BenchmarkEnvironments brings shared up for more and more environments. Each of them is a stack of dev's outputs alone: what
// shared reads of it.
func BenchmarkEnvironments(b *testing.B) {
	var dev auto.OutputMap
	h := build(b, func(ctx *pulumi.Context) error {
		if dev == nil || strings.HasPrefix(ctx.Stack(), "s") {
			return stacks.Declare(ctx)
		}
		for key, output := range dev {
			ctx.Export(key, pulumi.ToOutput(output.Value))
		}
		ctx.Export(contract.KeyEnvironment, pulumi.String(ctx.Stack()))
		return nil
	})
	up, err := h.stack(b, "dev").Up(b.Context())
	require.NoError(b, err)
	dev = up.Outputs
	var environments []string
	for i := range slices.Max(many) {
		name := fmt.Sprintf("e%d", i+1)
		h.write(b, name, "config:\n  penguinshop:role: env\n")
		_, err := h.stack(b, name).Up(b.Context())
		require.NoError(b, err)
		environments = append(environments, "    - name: "+name+"\n")
	}
	file, err := os.ReadFile(filepath.Join(project, "Pulumi.shared.yaml"))
	require.NoError(b, err)
	const key = "  penguinshop:environments:\n"
	config, _, found := strings.Cut(string(file), key)
	require.True(b, found && strings.HasSuffix(string(file), "approval: true\n"), "the environments come last in Pulumi.shared.yaml")

	cost, round := map[int]*taken{}, 0
	for b.Loop() {
		round++
		for _, n := range many {
			name := fmt.Sprintf("s%d-%d", n, round) // a shared stack's name has at most eight characters
			h.write(b, name, config+"  penguinshop:ecrRepository: penguinshop-"+name+"\n"+key+strings.Join(environments[:n], ""))
			if cost[n] == nil {
				cost[n] = &taken{}
			}
			cost[n].measure(b, h, name)
		}
	}
	for n, c := range cost {
		c.report(b, fmt.Sprintf("shared%dEnvironments", n))
	}
}
