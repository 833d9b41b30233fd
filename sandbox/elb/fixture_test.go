package elb_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/elb"
	"github.com/penguinshop/delivery/sandbox/graph"
)

const (
	lbARN       = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shop/50dc6c495c0c9188"
	listenerARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"
	blueARN     = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blue/73e2d6bc24d8a067"
	greenARN    = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/green/09966783158cda59"
	dnsName     = "shop-1234567890.eu-central-1.elb.amazonaws.com"

	loadBalancerType = "aws:lb/loadBalancer:LoadBalancer"
	targetGroupType  = "aws:lb/targetGroup:TargetGroup"
	listenerType     = "aws:lb/listener:Listener"
	ruleType         = "aws:lb/listenerRule:ListenerRule"
)

// object is shorthand for the JSON objects of a declaration.
type object = map[string]any

// resource is a declared resource with the given inputs and computed outputs.
func resource(typ, name string, inputs, computed object) graph.Resource {
	outputs := maps.Clone(inputs)
	maps.Copy(outputs, computed)
	return graph.Resource{URN: fmt.Sprintf("urn:pulumi:dev::penguinshop::%s::%s", typ, name), Type: typ, Name: name, Inputs: inputs, Outputs: outputs, Custom: true}
}

func loadBalancer(more object) graph.Resource {
	inputs := object{"name": "shop", "securityGroups": []any{"sg-1"}, "subnets": []any{"subnet-1", "subnet-2"}}
	maps.Copy(inputs, more)
	return resource(loadBalancerType, "shop", inputs, object{"arn": lbARN, "dnsName": dnsName, "arnSuffix": "app/shop/50dc6c495c0c9188", "vpcId": "vpc-1"})
}

func targetGroup(name, arn string, more object) graph.Resource {
	inputs := object{
		"name": name, "port": 8080, "protocol": "HTTP", "targetType": "ip", "vpcId": "vpc-1", "deregistrationDelay": 5,
		"healthCheck": object{"path": "/readyz", "interval": 10, "timeout": 5, "healthyThreshold": 2, "unhealthyThreshold": 2, "matcher": "200"},
	}
	maps.Copy(inputs, more)
	return resource(targetGroupType, name, inputs, object{"arn": arn})
}

func forwardTo(weights map[string]int) []any {
	var groups []any
	for arn, weight := range weights {
		groups = append(groups, object{"arn": arn, "weight": weight})
	}
	return []any{object{"type": "forward", "forward": object{"targetGroups": groups}}}
}

func listener(actions []any, more object) graph.Resource {
	inputs := object{"loadBalancerArn": lbARN, "port": 80, "protocol": "HTTP", "defaultActions": actions}
	maps.Copy(inputs, more)
	return resource(listenerType, "http", inputs, object{"arn": listenerARN})
}

func ruleARN(id string) string {
	return strings.Replace(listenerARN, ":listener/", ":listener-rule/", 1) + "/" + id
}

func rule(id string, priority int, conditions, actions []any) graph.Resource {
	return resource(ruleType, id, object{"listenerArn": listenerARN, "priority": priority, "conditions": conditions, "actions": actions}, object{"arn": ruleARN(id)})
}

// meter keeps what was counted.
type meter struct {
	mu       sync.Mutex
	requests []elb.Request
	hosts    map[string]*elb.HostCount
	open     int
}

func (m *meter) Request(r elb.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, r)
}

func (m *meter) Connection(_ string, opened bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open--; opened {
		m.open += 2
	}
}

func (m *meter) Hosts(_, group string, count *elb.HostCount) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hosts == nil {
		m.hosts = map[string]*elb.HostCount{}
	}
	m.hosts[group] = count
}

// counted waits for the given number of requests, which are counted just after their answer, and returns them.
func (m *meter) counted(t *testing.T, n int) []elb.Request {
	t.Helper()
	var got []elb.Request
	require.Eventually(t, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		got = m.requests
		return len(got) >= n
	}, 10*time.Second, time.Millisecond)
	return got
}

// world is one service with a load balancer, two groups and a listener that forwards to blue.
type world struct {
	*elb.Service
	t     *testing.T
	clock *clockwork.FakeClock
	meter *meter
}

// newWorld makes the resources given, in order.
func newWorld(t *testing.T, resources ...graph.Resource) *world {
	t.Helper()
	w := &world{t: t, clock: clockwork.NewFakeClock(), meter: &meter{}}
	service, err := elb.New(elb.Options{Clock: w.clock, Meter: w.meter})
	require.NoError(t, err)
	w.Service = service
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	for _, r := range resources {
		require.NoError(t, w.create(r))
	}
	return w
}

// shop is a world whose listener forwards by the weights of blue and green.
func shop(t *testing.T, blue, green int) *world {
	t.Helper()
	return newWorld(t, loadBalancer(nil), targetGroup("blue", blueARN, nil), targetGroup("green", greenARN, nil),
		listener(forwardTo(map[string]int{blueARN: blue, greenARN: green}), nil))
}

func (w *world) create(r graph.Resource) error {
	return w.Providers()[r.Type].Create(context.Background(), r)
}

func (w *world) url(path string) string { return "http://" + w.Address(lbARN, 80) + path }

// serve starts a target that answers as the handler does and registers it, without waiting for its health.
func (w *world) serve(group, id string, handler http.HandlerFunc) *httptest.Server {
	w.t.Helper()
	server := httptest.NewServer(handler)
	w.t.Cleanup(server.Close)
	require.NoError(w.t, w.Register(group, id, 0, server.Listener.Addr().String()))
	return server
}

// healthy starts a target as serve does and waits until it is healthy.
func (w *world) healthy(group, id string, handler http.HandlerFunc) *httptest.Server {
	w.t.Helper()
	server := w.serve(group, id, handler)
	w.becomes(group, id, types.TargetHealthStateEnumHealthy, "")
	return server
}

// becomes waits for a target's state and reason.
func (w *world) becomes(group, id string, state types.TargetHealthStateEnum, reason types.TargetHealthReasonEnum) {
	w.t.Helper()
	var last *types.TargetHealth
	require.Eventually(w.t, func() bool {
		last = w.health(group, id)
		return last.State == state && last.Reason == reason
	}, 10*time.Second, time.Millisecond, "want %s %s, last %v", state, reason, &last)
}

func (w *world) health(group, id string) *types.TargetHealth {
	w.t.Helper()
	out, err := w.DescribeTargetHealth(context.Background(), &elbv2.DescribeTargetHealthInput{
		TargetGroupArn: &group, Targets: []types.TargetDescription{{Id: &id}},
	})
	require.NoError(w.t, err)
	require.Len(w.t, out.TargetHealthDescriptions, 1)
	return out.TargetHealthDescriptions[0].TargetHealth
}

// says is a target that answers with a text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

// get fetches a path and returns status and body.
func (w *world) get(path string) (int, string) {
	w.t.Helper()
	answer, err := http.Get(w.url(path))
	require.NoError(w.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	return answer.StatusCode, string(body)
}

func (w *world) setWeights(blue, green int32) {
	w.t.Helper()
	_, err := w.ModifyListener(context.Background(), &elbv2.ModifyListenerInput{ListenerArn: new(listenerARN), DefaultActions: weighted(blue, green)})
	require.NoError(w.t, err)
}

func weighted(blue, green int32) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{
		{TargetGroupArn: new(blueARN), Weight: &blue}, {TargetGroupArn: new(greenARN), Weight: &green},
	}}}}
}

// closedPort is an address on which nothing listens.
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
