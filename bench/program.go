package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Program measures the Pulumi program as what it is, a Go program: its build from an empty cache and from a full one, what its
// heaviest imports cost, its size and its start.
func Program(ctx context.Context, s Settings, progress func(string)) ([]Figure, error) {
	work, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	binary, graph := filepath.Join(work, "program"), filepath.Join(work, "actions.json")

	progress("building with an empty cache, which takes minutes")
	cold, err := run(ctx, s.Dir, []string{"GOCACHE=" + filepath.Join(work, "cache")}, "go", "build", "-debug-actiongraph", graph, "-o", binary, ".")
	if err != nil {
		return nil, err
	}
	figures := []Figure{
		{Name: "program/coldBuild", Value: cold.wall.Seconds(), Unit: "s"},
		{Name: "program/coldBuild/cpu", Value: cold.cpu.Seconds(), Unit: "s"},
		{Name: "program/coldBuild/largestProcess", Value: cold.memory, Unit: "MB"},
	}
	text, err := os.ReadFile(graph)
	if err != nil {
		return nil, err
	}
	imports, err := heaviest(text, 8)
	if err != nil {
		return nil, err
	}
	figures = append(figures, imports...)

	const times = 5
	progress(fmt.Sprintf("building %d times with a full cache, and starting", times))
	if _, err := run(ctx, s.Dir, nil, "go", "build", "-o", binary, "."); err != nil {
		return nil, err
	}
	var builds, starts []float64
	var building float64
	for range times {
		if err := os.Remove(binary); err != nil { // what is up to date is not linked again
			return nil, err
		}
		warm, err := run(ctx, s.Dir, nil, "go", "build", "-o", binary, ".")
		if err != nil {
			return nil, err
		}
		builds, building = append(builds, warm.wall.Seconds()), max(building, warm.memory)
		// Without an engine the program ends as soon as it has started.
		start, err := run(ctx, work, nil, binary)
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			return nil, err
		}
		starts = append(starts, float64(start.wall.Microseconds())/1000)
	}
	info, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	return append(figures,
		Figure{Name: "program/warmBuild", Value: median(builds), Unit: "s"},
		Figure{Name: "program/warmBuild/largestProcess", Value: building, Unit: "MB"},
		Figure{Name: "program/size", Value: float64(info.Size()) / 1e6, Unit: "MB"},
		Figure{Name: "program/start", Value: median(starts), Unit: "ms"}), nil
}

// heaviest lists the n packages that took the most processor time in a build, by the go command's own record of it.
func heaviest(actions []byte, n int) ([]Figure, error) {
	var built []struct {
		Mode, Package   string
		CmdUser, CmdSys time.Duration
	}
	if err := json.Unmarshal(actions, &built); err != nil {
		return nil, fmt.Errorf("the go command's record of the build: %w", err)
	}
	cost := map[string]time.Duration{}
	for _, b := range built {
		if b.Mode == "build" {
			cost[b.Package] += b.CmdUser + b.CmdSys
		}
	}
	var names []string
	for name := range cost {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(cost[b], cost[a]), strings.Compare(a, b)) })
	var figures []Figure
	for _, name := range names[:min(n, len(names))] {
		figures = append(figures, Figure{Name: "program/coldBuild/import/" + short(name), Value: cost[name].Seconds(), Unit: "s of processor time"})
	}
	return figures, nil
}

// short leaves the host out of an import path, and what names a version or a language.
func short(name string) string {
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		if version := strings.TrimLeft(part, "v0123456789"); version != "" && part != "go" && part != "sdk" && !strings.Contains(part, ".") {
			parts = append(parts, part)
		}
	}
	return path.Join(parts...)
}
