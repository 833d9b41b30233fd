// Package moto gives a test an independent emulator of AWS over HTTP, so that the sandbox's services can be held to the
// same expectations as somebody else's reading of the AWS documentation.
package moto

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/penguinshop/delivery/tests/need"
)

// URL is the environment variable that names a running moto server, such as http://127.0.0.1:5000. Its state is wiped
// whenever a test asks for an endpoint.
const URL = "MOTO_URL"

// Region is the region that Config's clients speak to.
const Region = "eu-central-1"

// patience bounds how long a server may take to start, and to end once it is told to.
const patience = 60 * time.Second

var listening = regexp.MustCompile(`Running on (http://\S+)`)

// Endpoint returns the URL of a moto server whose state is empty: the one that MOTO_URL names, or one that is started for
// this test and ends with it. Where there is neither, the test fails when CI=true and is skipped elsewhere.
//
// Further settings of a started server are given as NAME=value, such as MOTO_ECS_SERVICE_RUNNING=2; they cannot reach a
// server that MOTO_URL names, so a test that gives some always starts its own.
func Endpoint(t testing.TB, settings ...string) string {
	t.Helper()
	if url := os.Getenv(URL); url != "" && len(settings) == 0 {
		url = strings.TrimSuffix(url, "/")
		Reset(t, url)
		return url
	}
	program, err := exec.LookPath("moto_server")
	if err != nil {
		need.Missing(t, "moto_server on the PATH (pip install 'moto[server]'), or %s with the address of one", URL)
	}
	return start(t, program, settings)
}

// Reset wipes the state of the server at an endpoint, for tests that share one.
func Reset(t testing.TB, endpoint string) {
	t.Helper()
	answer, err := http.Post(endpoint+"/moto-api/reset", "", nil)
	if err != nil {
		t.Fatalf("the moto server at %s does not answer: %v", endpoint, err)
	}
	answer.Body.Close()
}

// Config returns the settings of an SDK client for a fresh Endpoint: made-up credentials, and one attempt for each call,
// because moto answers what it does not implement with a 500 that the SDK would repeat.
func Config(t testing.TB, settings ...string) aws.Config {
	t.Helper()
	return aws.Config{
		Region:           Region,
		Credentials:      credentials.NewStaticCredentialsProvider("test", "test", ""),
		BaseEndpoint:     aws.String(Endpoint(t, settings...)),
		RetryMaxAttempts: 1,
	}
}

func start(t testing.TB, program string, settings []string) string {
	t.Helper()
	server := exec.Command(program, "-H", "127.0.0.1", "-p", "0")
	server.Env = append(os.Environ(), settings...)
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	var said strings.Builder
	found, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		tell := sync.OnceFunc(func() { close(found) })
		defer tell()
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if match := listening.FindStringSubmatch(lines.Text()); match != nil {
				found <- match[1]
				tell()
			}
			said.WriteString(lines.Text() + "\n")
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGTERM)
		hard := time.AfterFunc(patience, func() { _ = syscall.Kill(-server.Process.Pid, syscall.SIGKILL) })
		defer hard.Stop()
		<-ended
		_ = server.Wait()
	})
	select {
	case url, ok := <-found:
		if !ok {
			<-ended
			t.Fatalf("%s ended before it listened:\n%s", program, said.String())
		}
		return url
	case <-time.After(patience):
		t.Fatalf("%s does not listen after %s", program, patience)
	}
	return ""
}
