package function

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/bundle"
	"github.com/penguinshop/delivery/tests/need"
)

// script is a program that is none of ours.
func script(t *testing.T, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bootstrap")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+lines), 0o700))
	return path
}

func TestTheFunctionsOwnBinaryAnswersItsFirstJob(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "bootstrap")
	require.NoError(t, bundle.Build(t.Context(), ".", binary))
	start, err := Binary(t.Context(), binary)
	require.NoError(t, err)
	assert.Positive(t, start.Answered)
	assert.Less(t, start.Answered, patience)
	assert.Equal(t, []string{"DescribeListeners", "DescribeRules", "DescribeScalableTargets", "DescribeServices",
		"DescribeTargetHealth", "GetSchedule", "PutJobFailureResult"}, start.Calls)
	if _, err := os.Stat("/proc/self/status"); err == nil {
		assert.Greater(t, start.Memory, int64(1e6))
		assert.Less(t, start.Memory, int64(1e9))
	}
}

func TestPythonMakesTheCallsThatTheFunctionMakes(t *testing.T) {
	python, err := Python(t.Context())
	if err == ErrNoPython {
		need.Missing(t, "python3 with boto3, to compare with: pip install boto3")
	}
	require.NoError(t, err)
	binary := filepath.Join(t.TempDir(), "bootstrap")
	require.NoError(t, bundle.Build(t.Context(), ".", binary))
	ours, err := Binary(t.Context(), binary)
	require.NoError(t, err)
	assert.Equal(t, ours.Calls, python.Calls, "the comparison is of the same work")
}

func TestAProgramThatEndsBeforeItAnswersIsToldWithWhatItSaid(t *testing.T) {
	_, err := Binary(t.Context(), script(t, "echo no settings >&2; exit 3"))
	assert.ErrorContains(t, err, "ended before it answered (exit status 3): no settings")
}

func TestAProgramThatIsNotThereIsAnError(t *testing.T) {
	_, err := Binary(t.Context(), filepath.Join(t.TempDir(), "missing"))
	assert.ErrorContains(t, err, "starting ")
}

func TestAProgramGetsNothingOfTheMachinesOwnAWSSetUp(t *testing.T) {
	assert.Equal(t, []string{"PATH=/bin", "HOME=/home/a"}, plain([]string{"AWS_PROFILE=mine", "PATH=/bin", "AWS_SECRET_ACCESS_KEY=x", "HTTPS_PROXY=http://p", "no_proxy=*", "HOME=/home/a"}))
}

// ask sends a request to the stand-in of Lambda's runtime API.
func ask(t *testing.T, method, url, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestTheRuntimeHandsItsEventOutOnceAndTakesTheAnswer(t *testing.T) {
	done := make(chan struct{})
	r := newRuntime([]byte(`{"a":1}`), done)
	server := httptest.NewServer(r.handler())
	defer server.Close()
	api := server.URL + "/2018-06-01/runtime/"

	next := ask(t, http.MethodGet, api+"invocation/next", "")
	var event bytes.Buffer
	_, err := event.ReadFrom(next.Body)
	require.NoError(t, err)
	assert.Equal(t, `{"a":1}`, event.String())
	assert.Equal(t, requestID, next.Header.Get("Lambda-Runtime-Aws-Request-Id"))
	assert.Equal(t, functionARN, next.Header.Get("Lambda-Runtime-Invoked-Function-Arn"))
	assert.NotEmpty(t, next.Header.Get("Lambda-Runtime-Deadline-Ms"))

	began := time.Now()
	assert.Equal(t, http.StatusAccepted, ask(t, http.MethodPost, api+"invocation/"+requestID+"/response", "null").StatusCode)
	answer := <-r.answers
	assert.Empty(t, answer.error)
	assert.False(t, answer.at.Before(began))

	// The next question waits until the measurement is over.
	close(done)
	assert.Empty(t, ask(t, http.MethodGet, api+"invocation/next", "").Header.Get("Lambda-Runtime-Aws-Request-Id"))
}

func TestTheRuntimeTakesErrors(t *testing.T) {
	for path, want := range map[string]string{
		"invocation/" + requestID + "/error": "the function answered with an error: it broke",
		"init/error":                         "the function did not start: it broke",
	} {
		r := newRuntime(nil, nil)
		server := httptest.NewServer(r.handler())
		ask(t, http.MethodPost, server.URL+"/2018-06-01/runtime/"+path, `{"errorMessage":"it broke","errorType":"x"}`)
		assert.Equal(t, want, (<-r.answers).error)
		server.Close()
	}
}

func TestAnUnknownOperationIsTold(t *testing.T) {
	aws := newServices()
	server := httptest.NewServer(aws)
	defer server.Close()
	assert.Equal(t, http.StatusBadRequest, ask(t, http.MethodPost, server.URL, "Action=DeleteEverything&Version=1").StatusCode)
	_, err := aws.called()
	assert.EqualError(t, err, "the stand-in does not know DeleteEverything")
}

func TestAJobThatIsNotAnsweredIsAnError(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(mute, "1")
	_, err = Binary(t.Context(), self)
	assert.ErrorContains(t, err, "did not answer the pipeline's job")
}

// mute is set where this test's own binary is to be a function that answers its invocation, but never the pipeline.
const mute = "BENCH_TEST_MUTE"

func TestMain(m *testing.M) {
	if os.Getenv(mute) == "" {
		os.Exit(m.Run())
	}
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(api + "next")
		if err != nil {
			os.Exit(1)
		}
		id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")
		next.Body.Close()
		if answer, err := http.Post(api+id+"/response", "application/json", strings.NewReader("null")); err == nil {
			answer.Body.Close()
		}
	}
}
