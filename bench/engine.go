package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Engine measures the program on the real Pulumi engine, with stand-in providers that answer at once. The benchmarks lie in
// tests/engine, a module of its own.
func Engine(ctx context.Context, s Settings, progress func(string)) ([]Figure, error) {
	work, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	var figures []Figure
	for _, one := range []struct{ benchmark, about string }{
		{"Stacks", "previews and ups of every stack"},
		{"Environments", "shared with more and more environments"},
	} {
		progress(one.about + ", five times")
		u, err := run(ctx, filepath.Join(s.Dir, "tests", "engine"), []string{"TMPDIR=" + work}, "go", "test", "-run", "^$", "-bench", one.benchmark+"$", "-benchtime", "5x", "-timeout", "60m", ".")
		if err != nil {
			return figures, err
		}
		more, err := metrics(string(u.output))
		if err != nil {
			return figures, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// metrics reads the metrics that benchmarks report under units of the form name:unit.
func metrics(output string) ([]Figure, error) {
	var figures []Figure
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(line, "Benchmark") {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			name, unit, named := strings.Cut(fields[i+1], ":")
			if !named {
				continue
			}
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("the benchmark's metric %s: %w", name, err)
			}
			figures = append(figures, Figure{Name: "engine/" + name, Value: value, Unit: unit})
		}
	}
	if len(figures) == 0 {
		return nil, fmt.Errorf("the benchmark reported nothing: %s", tail([]byte(output)))
	}
	return figures, nil
}
