package wire_test

import (
	"context"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	"github.com/penguinshop/delivery/sandbox/wire"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cluster is a service with one operation of the SDK's shape.
type cluster struct{ asked []string }

func (c *cluster) DescribeServices(
	_ context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options),
) (*ecs.DescribeServicesOutput, error) {
	c.asked = append(c.asked, in.Services...)
	if aws.ToString(in.Cluster) != "dev" {
		return nil, &types.ClusterNotFoundException{Message: aws.String("Cluster not found.")}
	}
	created := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	return &ecs.DescribeServicesOutput{Services: []types.Service{{
		ServiceName: aws.String(in.Services[0]), DesiredCount: 3, CreatedAt: &created,
		Deployments: []types.Deployment{{RolloutState: types.DeploymentRolloutStateCompleted}},
	}}}, nil
}

func (c *cluster) Reset() { c.asked = nil }

func client(t *testing.T, token string, service *cluster) *ecs.Client {
	server := httptest.NewServer(wire.Handler("secret", map[string]any{ecs.ServiceID: service}))
	t.Cleanup(server.Close)
	session := wire.Session{Address: strings.TrimPrefix(server.URL, "http://"), Token: token}
	return ecs.NewFromConfig(wire.Config(session, "eu-central-1", wire.For[ecs.Client](ecs.ServiceID)))
}

func TestAnSDKClientCallsTheSandboxAndGetsItsOutput(t *testing.T) {
	service := &cluster{}
	out, err := client(t, "secret", service).DescribeServices(t.Context(), &ecs.DescribeServicesInput{
		Cluster: aws.String("dev"), Services: []string{"app-blue"},
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"app-blue"}, service.asked)
	assert.Equal(t, "app-blue", *out.Services[0].ServiceName)
	assert.EqualValues(t, 3, out.Services[0].DesiredCount)
	assert.Equal(t, 2026, out.Services[0].CreatedAt.Year())
	assert.Equal(t, types.DeploymentRolloutStateCompleted, out.Services[0].Deployments[0].RolloutState)
}

func TestAnAPIErrorKeepsItsCodeAndMessage(t *testing.T) {
	_, err := client(t, "secret", &cluster{}).DescribeServices(t.Context(), &ecs.DescribeServicesInput{
		Cluster: aws.String("nowhere"), Services: []string{"x"},
	})
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	assert.Equal(t, "ClusterNotFoundException", api.ErrorCode())
	assert.Equal(t, "Cluster not found.", api.ErrorMessage())
}

func TestCallsAreRefused(t *testing.T) {
	for name, refused := range map[string]struct {
		token string
		call  func(*ecs.Client) error
		says  string
	}{
		"without the sandbox's token": {
			token: "guess",
			call: func(c *ecs.Client) error {
				_, err := c.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Services: []string{"x"}})
				return err
			},
			says: "the token is not this sandbox's",
		},
		"for an operation that is not imitated": {
			token: "secret",
			call: func(c *ecs.Client) error {
				_, err := c.DeleteCluster(t.Context(), &ecs.DeleteClusterInput{Cluster: aws.String("dev")})
				return err
			},
			says: "does not imitate DeleteCluster of ECS",
		},
		"with an input that the SDK itself finds invalid": {
			token: "secret",
			call: func(c *ecs.Client) error {
				_, err := c.DescribeServices(t.Context(), &ecs.DescribeServicesInput{})
				return err
			},
			says: "missing required field",
		},
	} {
		t.Run(name, func(t *testing.T) {
			service := &cluster{}
			assert.ErrorContains(t, refused.call(client(t, refused.token, service)), refused.says)
			assert.Empty(t, service.asked)
		})
	}
}

func TestTheNewestRunningSandboxIsFoundAndTheDeadAreSweptAway(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	_, err := wire.Newest()
	require.ErrorIs(t, err, wire.ErrNoSandbox)

	_, err = wire.Announce(wire.Session{PID: 1 << 30, Started: time.Now().Add(time.Hour)}) // no process has this id
	require.NoError(t, err)
	withdraw, err := wire.Announce(wire.Session{PID: os.Getpid(), Address: "127.0.0.1:1", Token: "t", Started: time.Now()})
	require.NoError(t, err)

	found, err := wire.Newest()
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1:1", found.Address)

	require.NoError(t, withdraw())
	_, err = wire.Newest()
	assert.ErrorIs(t, err, wire.ErrNoSandbox)
}
