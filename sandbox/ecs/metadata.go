package ecs

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/penguinshop/delivery/sandbox/container"
)

// metadata is the task metadata endpoint, version 4: each container finds itself under an address of its own.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
type metadata struct {
	engine container.Engine

	mu     sync.Mutex
	server *http.Server
	base   string
	tasks  map[string]*task
}

// serve returns the address at which the task's container finds its metadata, and opens the endpoint for the first one.
func (m *metadata) serve(t *task, s *Service) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == nil {
		listener, host, err := m.engine.Listen(t.ctx)
		if err != nil {
			return "", err
		}
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			listener.Close() //nolint:errcheck // it is being given up
			return "", err
		}
		m.base = "http://" + net.JoinHostPort(host, port)
		m.server = &http.Server{Handler: m.routes(s), ReadHeaderTimeout: 10 * time.Second}
		go m.server.Serve(listener) //nolint:errcheck // it ends with the server
	}
	token := t.id + "-" + taskID()[:10]
	m.tasks[token] = t
	return m.base + "/v4/" + token, nil
}

// forget closes a task's address.
func (m *metadata) forget(t *task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for token, other := range m.tasks {
		if other == t {
			delete(m.tasks, token)
		}
	}
}

func (m *metadata) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == nil {
		return nil
	}
	return m.server.Shutdown(context.Background())
}

func (m *metadata) routes(s *Service) http.Handler {
	answer := func(tell func(*task) any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			m.mu.Lock()
			t, there := m.tasks[r.PathValue("token")]
			m.mu.Unlock()
			if !there {
				http.Error(w, "no container has this address", http.StatusNotFound)
				return
			}
			s.mu.Lock()
			told := tell(t)
			s.mu.Unlock()
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(told) //nolint:errcheck // the client went away
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /v4/{token}", answer(func(t *task) any { return containerMetadata(t, s) }))
	mux.Handle("GET /v4/{token}/task", answer(func(t *task) any { return taskMetadata(t, s) }))
	return mux
}

type limits struct {
	CPU    float64 `json:"CPU"`
	Memory int     `json:"Memory"`
}

type network struct {
	NetworkMode   string
	IPv4Addresses []string
}

type containerMetadataV4 struct {
	DockerID      string `json:"DockerId"`
	Name          string
	DockerName    string
	Image         string
	ImageID       string
	Labels        map[string]string
	DesiredStatus string
	KnownStatus   string
	Limits        limits
	CreatedAt     *time.Time        `json:",omitempty"`
	StartedAt     *time.Time        `json:",omitempty"`
	Type          string            `json:"Type"`
	LogDriver     string            `json:",omitempty"`
	LogOptions    map[string]string `json:",omitempty"`
	ContainerARN  string
	Networks      []network
}

type taskMetadataV4 struct {
	Cluster          string
	TaskARN          string
	Family           string
	Revision         string
	DesiredStatus    string
	KnownStatus      string
	Limits           limits
	PullStartedAt    *time.Time `json:",omitempty"`
	PullStoppedAt    *time.Time `json:",omitempty"`
	AvailabilityZone string
	LaunchType       string
	ServiceName      string
	Containers       []containerMetadataV4
}

func containerMetadata(t *task, s *Service) containerMetadataV4 {
	shape, definition := t.shape(), t.definition()
	told := containerMetadataV4{
		Name: aws.ToString(shape.Name), DockerName: strings.Join([]string{"ecs", aws.ToString(definition.Family), aws.ToString(shape.Name)}, "-"),
		Image: aws.ToString(shape.Image), ImageID: t.image.ID,
		Labels: map[string]string{
			"com.amazonaws.ecs.cluster":                 t.service.cluster.arn,
			"com.amazonaws.ecs.container-name":          aws.ToString(shape.Name),
			"com.amazonaws.ecs.task-arn":                t.arn,
			"com.amazonaws.ecs.task-definition-family":  aws.ToString(definition.Family),
			"com.amazonaws.ecs.task-definition-version": fmt.Sprint(definition.Revision),
		},
		DesiredStatus: t.desired(), KnownStatus: t.containerStatus(), Type: "NORMAL", ContainerARN: t.containerARN(s),
		Limits: limits{CPU: float64(shape.Cpu), Memory: int(aws.ToInt32(shape.Memory))}, CreatedAt: moment(t.created), StartedAt: moment(t.started),
		Networks: []network{{NetworkMode: "awsvpc", IPv4Addresses: []string{t.address}}},
	}
	if t.container != nil {
		told.DockerID = t.container.ID()
	}
	if l := shape.LogConfiguration; l != nil {
		told.LogDriver, told.LogOptions = string(l.LogDriver), l.Options
	}
	return told
}

func taskMetadata(t *task, s *Service) taskMetadataV4 {
	definition := t.definition()
	return taskMetadataV4{
		Cluster: t.service.cluster.arn, TaskARN: t.arn, Family: aws.ToString(definition.Family), Revision: fmt.Sprint(definition.Revision),
		DesiredStatus: t.desired(), KnownStatus: t.last, PullStartedAt: moment(t.pullStarted), PullStoppedAt: moment(t.pullStopped),
		Limits:           limits{CPU: float64(number(definition.Cpu)) / 1024, Memory: number(definition.Memory)},
		AvailabilityZone: s.Region + "a", LaunchType: "FARGATE", ServiceName: t.service.name,
		Containers: []containerMetadataV4{containerMetadata(t, s)},
	}
}
