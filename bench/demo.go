package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/penguinshop/delivery/sandbox/world"
)

// demoScale is what `make demo` runs by.
const demoScale = "60"

// The goals of a demo on two cores (issue 5).
const demoSeconds = 90

// Demo runs the demo as a person does and measures it from outside: the time from the pipeline's start to the end of prod, and the
// processor's time and the memory of the sandbox itself, its load of 100 requests a second on each environment included, the
// containers not.
func Demo(ctx context.Context, s Settings, progress func(string)) (_ []Figure, err error) {
	folder, err := os.MkdirTemp("", "bench-demo-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, summary := filepath.Join(folder, "sandbox"), filepath.Join(folder, "demo.json")
	progress("building the sandbox")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/sandbox")
	build.Dir = s.Dir
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the sandbox: %w: %s", err, out)
	}
	progress("running the demo")
	demo := exec.CommandContext(ctx, program, "run", "--once", "--approve", "--time-scale", demoScale, "--summary", summary, "--dir", s.Dir)
	demo.Cancel = func() error { return demo.Process.Signal(os.Interrupt) } // it cleans up after itself
	demo.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var said strings.Builder
	demo.Stdout, demo.Stderr = &said, &said
	if err := demo.Start(); err != nil {
		return nil, err
	}
	watched := make(chan float64)
	ended := make(chan struct{})
	go func() { watched <- highestMemory(demo.Process.Pid, ended) }()
	err = demo.Wait()
	close(ended)
	memory := <-watched
	if err != nil {
		return nil, fmt.Errorf("the demo: %w:\n%s", err, said.String())
	}
	text, err := os.ReadFile(summary)
	if err != nil {
		return nil, err
	}
	var outcome world.Summary
	if err := json.Unmarshal(text, &outcome); err != nil {
		return nil, fmt.Errorf("the demo's summary: %w", err)
	}
	spent := demo.ProcessState.UserTime() + demo.ProcessState.SystemTime()
	return []Figure{
		Figure{Name: "demo/commitToProd", Value: outcome.Seconds, Unit: "s"}.AtMost(demoSeconds),
		{Name: "demo/memory", Value: memory / 1e6, Unit: "MB"},
		{Name: "demo/processorTime", Value: spent.Seconds(), Unit: "s"},
	}, nil
}

// highestMemory looks at a process's resident memory until it has ended, and returns the highest, in bytes.
func highestMemory(pid int, ended <-chan struct{}) float64 {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	highest := 0.0
	for {
		select {
		case <-ended:
			return highest
		case <-ticker.C:
		}
		out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
		if err != nil {
			continue // it has just ended
		}
		if kibibytes, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64); err == nil {
			highest = max(highest, kibibytes*1024)
		}
	}
}
