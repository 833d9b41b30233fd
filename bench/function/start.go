package function

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penguinshop/delivery/shiftfn/settings"
)

//go:embed prepare.py
var python string

// ErrNoPython says that there is nothing to compare with.
var ErrNoPython = errors.New("python3 with boto3 is not here")

// Start is what a program needed from its process's start to the end of its first job.
type Start struct {
	// Answered is when the pipeline got the job's answer.
	Answered time.Duration
	// Memory is the most that the process had in memory at once, in bytes; 0 where the system does not tell.
	Memory int64
	// Calls are the operations of AWS that it called, in the order of their names.
	Calls []string
}

// patience bounds one start.
const patience = time.Minute

// Binary measures one cold start of the function's binary.
func Binary(ctx context.Context, path string) (Start, error) { return start(ctx, path) }

// Python measures one cold start of the same calls in Python with boto3, or returns ErrNoPython.
func Python(ctx context.Context) (Start, error) {
	interpreter, err := exec.LookPath("python3")
	if err != nil || exec.CommandContext(ctx, interpreter, "-c", "import boto3").Run() != nil {
		return Start{}, ErrNoPython
	}
	return start(ctx, interpreter, "-c", python)
}

func start(ctx context.Context, path string, arguments ...string) (Start, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	job, err := event()
	if err != nil {
		return Start{}, err
	}
	told, err := json.Marshal(environment())
	if err != nil {
		return Start{}, err
	}
	aws, lambda := newServices(), newRuntime(job, ctx.Done())
	endpoint, api := httptest.NewServer(aws), httptest.NewServer(lambda.handler())
	defer endpoint.Close()
	defer api.CloseClientConnections()

	var output bytes.Buffer
	process := exec.CommandContext(ctx, path, arguments...)
	process.Stdout, process.Stderr = &output, &output
	process.Env = append(plain(os.Environ()),
		settings.Variable+"="+string(told), "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api.URL, "http://"), "AWS_ENDPOINT_URL="+endpoint.URL,
		"AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_LAMBDA_FUNCTION_NAME=prod-shift", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "AWS_LAMBDA_FUNCTION_VERSION=1")
	begun := time.Now()
	if err := process.Start(); err != nil {
		return Start{}, fmt.Errorf("starting %s: %w", path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	var answer answeredEvent
	select {
	case answer = <-lambda.answers:
	case err := <-ended:
		return Start{}, fmt.Errorf("%s ended before it answered (%w): %s", path, err, strings.TrimSpace(output.String()))
	case <-ctx.Done():
		<-ended
		return Start{}, fmt.Errorf("%s did not answer: %w", path, ctx.Err())
	}
	memory := peak(process.Process.Pid)
	_ = process.Process.Kill() // it waits for its next event; Lambda freezes it here
	<-ended
	calls, err := aws.called()
	switch {
	case err != nil:
		return Start{}, err
	case answer.error != "":
		return Start{}, fmt.Errorf("%s: %s", path, answer.error)
	}
	select {
	case at := <-aws.answered:
		return Start{Answered: at.Sub(begun), Memory: memory, Calls: calls}, nil
	default:
		return Start{}, fmt.Errorf("%s did not answer the pipeline's job: %s", path, strings.TrimSpace(output.String()))
	}
}

// plain leaves out whatever of the machine's own AWS set-up could reach the program, and proxies, which loopback needs none of.
func plain(environment []string) []string {
	return slices.DeleteFunc(environment, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return strings.HasPrefix(name, "AWS_") || strings.HasSuffix(strings.ToLower(name), "_proxy")
	})
}

// peak is the most memory that a process has had, as Linux counts it. The figure that comes with a process's end will not do:
// it begins with the memory of the process that started it.
func peak(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kilobytes * 1024
		}
	}
	return 0
}
