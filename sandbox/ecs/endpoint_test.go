package ecs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/container"
	local "github.com/penguinshop/delivery/sandbox/ecs"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// onLoopback is an engine whose endpoints are real listeners, and that hands on what its containers were started with.
type onLoopback struct {
	engine
	started chan container.Spec
}

func (e *onLoopback) Listen(context.Context) (net.Listener, string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	return listener, "127.0.0.1", err
}

func (e *onLoopback) Start(ctx context.Context, spec container.Spec) (container.Container, error) {
	e.started <- spec
	return e.engine.Start(ctx, spec)
}

// addressed are target groups that note where their targets are reached.
type addressed struct {
	mu sync.Mutex
	at []string
}

func (a *addressed) Register(_, _ string, _ int, address string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, address)
	return nil
}

func (a *addressed) Deregister(string, string, int) (<-chan struct{}, error) {
	drained := make(chan struct{})
	close(drained)
	return drained, nil
}

func (a *addressed) DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	return &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: []elbtypes.TargetHealthDescription{
		{TargetHealth: &elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumHealthy}}}}, nil
}

func (a *addressed) first() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.at) == 0 {
		return ""
	}
	return a.at[0]
}

// onMachine starts a service of one task on the machine's own clock and network.
func onMachine(t *testing.T, image string) (*local.Service, *onLoopback, *addressed, *journal.Journal) {
	t.Helper()
	clock := clockwork.NewRealClock()
	e, groups, told := &onLoopback{engine: engine{behaviour: map[string]behaviour{}}, started: make(chan container.Spec, 8)}, &addressed{}, journal.New(clock)
	s := local.New(local.Options{
		Region: "eu-central-1", Account: "123456789012", Clock: clock, Journal: told, Engine: e, TargetGroups: groups,
		Images: func(_ context.Context, image string) (local.Image, error) {
			if !strings.Contains(image, ".dkr.ecr.") {
				return local.Image{}, fmt.Errorf("%w: %s", local.ErrForeign, image)
			}
			return local.Image{Reference: "127.0.0.1:5000/shop@sha256:aaaa", Digest: "sha256:aaaa", ID: "sha256:cccc"}, nil
		},
	})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err := s.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: new("shop")})
	require.NoError(t, err)
	registered, err := s.RegisterTaskDefinition(t.Context(), shape(image, func(in *ecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].LogConfiguration = nil }))
	require.NoError(t, err)
	_, err = s.CreateService(t.Context(), service(*registered.TaskDefinition.TaskDefinitionArn, 1))
	require.NoError(t, err)
	return s, e, groups, told
}

func TestAContainerFindsItsMetadata(t *testing.T) {
	_, e, _, _ := onMachine(t, goodImage)
	endpoint := (<-e.started).Env["ECS_CONTAINER_METADATA_URI_V4"]
	read := func(url string) (told map[string]any, status int) {
		answer, err := http.Get(url)
		require.NoError(t, err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		if answer.StatusCode == http.StatusOK {
			require.NoError(t, json.Unmarshal(text, &told))
		}
		return told, answer.StatusCode
	}
	told, _ := read(endpoint)
	assert.Equal(t, goodImage, told["Image"])
	assert.Equal(t, "sha256:cccc", told["ImageID"])
	assert.Equal(t, "app", told["Name"])
	labels := told["Labels"].(map[string]any)
	assert.Equal(t, "shop-blue", labels["com.amazonaws.ecs.task-definition-family"])
	assert.Equal(t, "1", labels["com.amazonaws.ecs.task-definition-version"])
	task, _ := read(endpoint + "/task")
	assert.Equal(t, labels["com.amazonaws.ecs.task-arn"], task["TaskARN"])
	assert.Equal(t, "FARGATE", task["LaunchType"])
	assert.Len(t, task["Containers"], 1)
	_, status := read(endpoint + "0")
	assert.Equal(t, http.StatusNotFound, status, "another's address is not to be guessed")
}

func TestAResponderStandsInForAnImageOfAnotherRegistry(t *testing.T) {
	s, e, groups, told := onMachine(t, "ghcr.io/stefanprodan/podinfo:6")
	require.Eventually(t, func() bool { return groups.first() != "" }, 10*time.Second, 10*time.Millisecond)
	answer, err := http.Get("http://" + groups.first() + "/readyz")
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	assert.Empty(t, e.started, "the engine runs nothing")
	said := ""
	for _, entry := range told.Since(0) {
		said += entry.Text + "\n"
	}
	assert.Contains(t, said, "ghcr.io/stefanprodan/podinfo:6 is not in the sandbox's registry: a responder that answers every path stands in for it")

	list, err := s.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: new("shop")})
	require.NoError(t, err)
	require.NoError(t, s.KillTask(t.Context(), list.TaskArns[0]))
	require.Eventually(t, func() bool {
		stopped, err := s.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: new("shop"), DesiredStatus: types.DesiredStatusStopped})
		return err == nil && len(stopped.TaskArns) == 1
	}, 10*time.Second, 10*time.Millisecond)
	_, err = http.Get("http://" + groups.first() + "/")
	assert.Error(t, err, "a killed responder answers no more")
}
