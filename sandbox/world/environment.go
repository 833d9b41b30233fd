package world

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/sandbox/graph"
)

// Environment is one environment that stands, by the outputs that its stack promises.
type Environment struct {
	Name string
	// Strategy is contract.BlueGreen or contract.Rolling; a rolling environment has the blue side only.
	Strategy string
	// URL is where users come in by the load balancer's own name, Address where this machine reaches it.
	URL, Address                               string
	ClusterName, ContainerName                 string
	BlueServiceName, GreenServiceName          string
	LoadBalancerARN, ListenerARN               string
	PreviewRuleARN                             string
	BlueTargetGroupARN, GreenTargetGroupARN    string
	PreviewHeaderName, PreviewParameterName    string
	ShiftFunctionName, LogGroupName, ShiftPlan string
}

// environmentOf reads an environment from its stack's exports; false for a stack that is none.
func environmentOf(g *graph.Graph) (Environment, bool) {
	text := func(key string) string {
		value, _ := g.Exports[key].(string)
		return value
	}
	e := Environment{
		Name: text(contract.KeyEnvironment), Strategy: text(contract.KeyStrategy), URL: text(contract.KeyURL),
		ClusterName: text(contract.KeyClusterName), ContainerName: text(contract.KeyContainerName),
		BlueServiceName: text(contract.KeyBlueServiceName), GreenServiceName: text(contract.KeyGreenServiceName),
		LoadBalancerARN: text(contract.KeyLoadBalancerArn), ListenerARN: text(contract.KeyListenerArn),
		PreviewRuleARN:     text(contract.KeyPreviewRuleArn),
		BlueTargetGroupARN: text(contract.KeyBlueTargetGroupArn), GreenTargetGroupARN: text(contract.KeyGreenTargetGroupArn),
		PreviewHeaderName: text(contract.KeyPreviewHeaderName), PreviewParameterName: text(contract.KeyPreviewParameterName),
		ShiftFunctionName: text(contract.KeyShiftFunctionName), LogGroupName: text(contract.KeyLogGroupName),
		ShiftPlan: text(contract.KeyShiftPlan),
	}
	return e, e.Name != "" && e.ListenerARN != ""
}

// address gives the environment's domain to its load balancer, as its DNS record would, and returns where this machine
// reaches the listener, with the URL's scheme.
func (w *World) address(e Environment) (string, error) {
	at, err := url.Parse(e.URL)
	if err != nil {
		return "", fmt.Errorf("environment %s: its URL %q: %w", e.Name, e.URL, err)
	}
	port := 80
	switch {
	case at.Port() != "":
		if port, err = strconv.Atoi(at.Port()); err != nil {
			return "", fmt.Errorf("environment %s: its URL %q: %w", e.Name, e.URL, err)
		}
	case at.Scheme == "https":
		port = 443
	}
	if err := w.ELB.Alias(at.Hostname(), e.LoadBalancerARN); err != nil {
		return "", fmt.Errorf("environment %s: its URL %q: %w", e.Name, e.URL, err)
	}
	local := w.ELB.Address(e.LoadBalancerARN, port)
	if local == "" {
		return "", fmt.Errorf("environment %s: its URL is %s, but its load balancer has no listener on port %d", e.Name, e.URL, port)
	}
	return at.Scheme + "://" + local, nil
}

// Local puts the addresses on this machine in the place of the environments' URLs.
func (w *World) Local(text string) string {
	for _, e := range w.Environments {
		text = strings.ReplaceAll(text, e.URL, e.Address)
	}
	return text
}

// Weights reads how the environment's listener shares the traffic now.
func (w *World) Weights(ctx context.Context, e Environment) (Weights, error) {
	found, err := w.ELB.DescribeListeners(ctx, &elasticloadbalancingv2.DescribeListenersInput{ListenerArns: []string{e.ListenerARN}})
	if err != nil {
		return Weights{}, err
	}
	if len(found.Listeners) == 0 {
		return Weights{}, fmt.Errorf("environment %s has no listener %s", e.Name, e.ListenerARN)
	}
	return e.weights(found.Listeners[0].DefaultActions), nil
}

func (e Environment) weights(actions []types.Action) Weights {
	shares := map[string]int{}
	for _, action := range actions {
		switch {
		case action.ForwardConfig != nil:
			for _, tuple := range action.ForwardConfig.TargetGroups {
				shares[*tuple.TargetGroupArn] = 1 // what AWS takes where no weight is given
				if tuple.Weight != nil {
					shares[*tuple.TargetGroupArn] = int(*tuple.Weight)
				}
			}
		case action.TargetGroupArn != nil:
			shares[*action.TargetGroupArn] = 100
		}
	}
	return e.shares(shares)
}

// shares turns weights by target group into weights by colour. A single group has all traffic, whatever its number.
func (e Environment) shares(byGroup map[string]int) Weights {
	if e.Strategy == contract.Rolling {
		return Weights{Blue: 100}
	}
	return Weights{Blue: byGroup[e.BlueTargetGroupARN], Green: byGroup[e.GreenTargetGroupARN]}
}

// Live is the colour that has most of the traffic.
func (w Weights) Live() string {
	if w.Green > w.Blue {
		return "green"
	}
	return "blue"
}

// service is the ECS service of a colour.
func (e Environment) service(colour string) string {
	if colour == "green" {
		return e.GreenServiceName
	}
	return e.BlueServiceName
}

// Digest is the digest of the image that a colour's service runs, or the whole reference where it names no digest.
func (w *World) Digest(ctx context.Context, e Environment, colour string) (string, error) {
	described, err := w.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &e.ClusterName, Services: []string{e.service(colour)}})
	if err != nil {
		return "", err
	}
	if len(described.Services) == 0 {
		return "", fmt.Errorf("environment %s has no service %s", e.Name, e.service(colour))
	}
	definition, err := w.ECS.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: described.Services[0].TaskDefinition})
	if err != nil {
		return "", err
	}
	for _, c := range definition.TaskDefinition.ContainerDefinitions {
		if *c.Name == e.ContainerName {
			if _, digest, byDigest := strings.Cut(*c.Image, "@"); byDigest {
				return digest, nil
			}
			return *c.Image, nil
		}
	}
	return "", fmt.Errorf("service %s of environment %s runs no container %s", e.service(colour), e.Name, e.ContainerName)
}

// Version asks the environment, as a user would, which commit answers; empty where what runs there cannot say.
func (w *World) Version(ctx context.Context, e Environment) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL+"/version", nil)
	if err != nil {
		return "", err
	}
	answer, err := w.Client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return "", err
	}
	var version struct{ Commit string }
	if answer.StatusCode != http.StatusOK || json.Unmarshal(text, &version) != nil {
		return "", nil // the placeholder answers, which knows no versions
	}
	return version.Commit, nil
}
