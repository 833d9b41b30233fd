package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/penguinshop/delivery/bench/function"
	"github.com/penguinshop/delivery/shiftfn/bundle"
)

// starts is how often each program is started; the median counts.
const starts = 9

// Function measures the Lambda function: its zip as AWS gets it, and, built for this machine, its way to the first answered
// job beside the same calls by Python with boto3.
func Function(ctx context.Context, s Settings, progress func(string)) ([]Figure, error) {
	progress("building")
	zip, err := bundle.Zip(ctx, s.Dir)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(zip)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	binary := filepath.Join(work, "bootstrap")
	if err := bundle.Build(ctx, s.Dir, binary); err != nil {
		return nil, err
	}
	progress(fmt.Sprintf("%d cold starts", starts))
	start, memory, err := several(func() (function.Start, error) { return function.Binary(ctx, binary) })
	if err != nil {
		return nil, err
	}
	figures := []Figure{
		Figure{Name: "function/coldStart", Value: start, Unit: "ms"}.AtMost(100),
		Figure{Name: "function/peakMemory", Value: memory, Unit: "MB"}.AtMost(48),
		Figure{Name: "function/zip", Value: float64(info.Size()) / 1e6, Unit: "MB"}.AtMost(5),
	}
	progress(fmt.Sprintf("%d cold starts of the same calls by Python", starts))
	python, pythonMemory, err := several(func() (function.Start, error) { return function.Python(ctx) })
	switch {
	case errors.Is(err, function.ErrNoPython):
		return figures, &Absent{"python3 with boto3 is not here, so there is nothing to compare the function with", "pip install boto3"}
	case err != nil:
		return nil, err
	}
	figures = append(figures,
		Figure{Name: "function/python/coldStart", Value: python, Unit: "ms"},
		Figure{Name: "function/python/peakMemory", Value: pythonMemory, Unit: "MB"},
		Figure{Name: "function/coldStartBesidePython", Value: start / python, Unit: "ratio"})
	if pythonMemory > 0 {
		figures = append(figures, Figure{Name: "function/peakMemoryBesidePython", Value: memory / pythonMemory, Unit: "ratio"})
	}
	return figures, nil
}

// several starts a program again and again: the median time in milliseconds, and the most memory in MB.
func several(start func() (function.Start, error)) (milliseconds, megabytes float64, err error) {
	var times []float64
	for range starts {
		one, err := start()
		if err != nil {
			return 0, 0, err
		}
		times = append(times, float64(one.Answered.Microseconds())/1000)
		megabytes = max(megabytes, float64(one.Memory)/1e6)
	}
	return median(times), megabytes, nil
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
