package elb_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/elb"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
)

func isUnsupported(err error) bool { return errors.Is(err, elb.ErrUnsupported) }

// secureListener is an HTTPS listener on port 443.
func secureListener(actions []any) graph.Resource {
	return resource(listenerType, "https", object{
		"loadBalancerArn": lbARN, "port": 443, "protocol": "HTTPS", "defaultActions": actions, "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
		"certificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/1",
	}, object{"arn": listenerARN + "s"})
}

func TestTargetsGoThroughTheDocumentedStates(t *testing.T) {
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html#target-health-states
	w := newWorld(t, loadBalancer(nil), targetGroup("blue", blueARN, nil))
	var status atomic.Int64
	status.Store(503)
	seen := make(chan *http.Request, 100)
	target := w.serve(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		w.WriteHeader(int(status.Load()))
	})
	assert.Equal(t, types.TargetHealthReasonEnumNotRegistered, w.health(blueARN, "10.0.0.9").Reason)
	w.becomes(blueARN, "10.0.0.1", types.TargetHealthStateEnumUnused, types.TargetHealthReasonEnumNotInUse)
	assert.Empty(t, seen, "a group that no listener names is not checked")

	// A listener that names the group with weight 0 has it checked.
	require.NoError(t, w.create(targetGroup("green", greenARN, nil)))
	require.NoError(t, w.create(listener(forwardTo(map[string]int{greenARN: 100, blueARN: 0}), nil)))
	w.becomes(blueARN, "10.0.0.1", types.TargetHealthStateEnumInitial, types.TargetHealthReasonEnumInitialHealthChecking)
	first := <-seen
	assert.Equal(t, "/readyz", first.URL.Path)
	assert.Equal(t, "ELB-HealthChecker/2.0", first.UserAgent())
	assert.Equal(t, "10.0.0.1:8080", first.Host)

	check := func() {
		t.Helper()
		require.NoError(t, w.clock.BlockUntilContext(t.Context(), 1)) // between two checks, only the ticker waits
		w.clock.Advance(10 * time.Second)
		<-seen
	}
	check()
	w.becomes(blueARN, "10.0.0.1", types.TargetHealthStateEnumUnhealthy, types.TargetHealthReasonEnumResponseCodeMismatch)
	assert.Equal(t, "Health checks failed with these codes: [503]", *w.health(blueARN, "10.0.0.1").Description)
	status.Store(200)
	check()
	assert.Equal(t, types.TargetHealthStateEnumUnhealthy, w.health(blueARN, "10.0.0.1").State)
	check()
	w.becomes(blueARN, "10.0.0.1", types.TargetHealthStateEnumHealthy, "")
	w.meter.mu.Lock()
	assert.Equal(t, &elb.HostCount{Healthy: 1}, w.meter.hosts["targetgroup/blue/73e2d6bc24d8a067"])
	w.meter.mu.Unlock()

	target.Close()
	w.clock.Advance(10 * time.Second)
	require.Eventually(t, func() bool { // refused connections are failures without a request
		w.clock.Advance(10 * time.Second)
		return w.health(blueARN, "10.0.0.1").Reason == types.TargetHealthReasonEnumFailedHealthChecks
	}, 10*time.Second, 10*time.Millisecond)

	_, err := w.ModifyListener(context.Background(), &elbv2.ModifyListenerInput{ListenerArn: new(listenerARN),
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: new(greenARN)}}})
	require.NoError(t, err)
	w.becomes(blueARN, "10.0.0.1", types.TargetHealthStateEnumUnused, types.TargetHealthReasonEnumNotInUse)
	w.meter.mu.Lock()
	assert.Nil(t, w.meter.hosts["targetgroup/blue/73e2d6bc24d8a067"])
	w.meter.mu.Unlock()
}

func TestATargetThatDoesNotAnswerAHealthCheckTimesOut(t *testing.T) {
	check := object{"interval": 5, "timeout": 2, "unhealthyThreshold": 2}
	w := newWorld(t, loadBalancer(nil), targetGroup("blue", blueARN, object{"healthCheck": check}), listener(forwardTo(map[string]int{blueARN: 1}), nil))
	w.serve(blueARN, "10.0.0.1", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	require.Eventually(t, func() bool {
		w.clock.Advance(5 * time.Second)
		return w.health(blueARN, "10.0.0.1").Reason == types.TargetHealthReasonEnumTimeout
	}, 20*time.Second, 50*time.Millisecond)
	assert.Equal(t, "Request timed out", *w.health(blueARN, "10.0.0.1").Description)
}

func TestRequestsGoToHealthyTargetsAloneAndToAllWhereNoneIsHealthy(t *testing.T) {
	w := shop(t, 100, 0)
	var sick atomic.Bool
	w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		if sick.Load() && r.URL.Path == "/readyz" {
			w.WriteHeader(500)
		}
		w.Header().Set("Target", "1")
	})
	w.healthy(blueARN, "10.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" && sick.Load() {
			w.WriteHeader(500)
		}
		w.Header().Set("Target", "2")
	})
	require.NoError(t, w.Register(blueARN, "10.0.0.3", 0, closedPort(t)))
	ask := func() map[string]int {
		got := map[string]int{}
		for range 30 {
			answer, err := http.Get(w.url("/"))
			require.NoError(t, err)
			answer.Body.Close()
			got[answer.Header.Get("Target")]++
		}
		return got
	}
	assert.Equal(t, map[string]int{"1": 15, "2": 15}, ask(), "in turn, and none to the target that was never healthy")
	sick.Store(true)
	require.Eventually(t, func() bool {
		w.clock.Advance(10 * time.Second)
		return w.health(blueARN, "10.0.0.1").State == types.TargetHealthStateEnumUnhealthy &&
			w.health(blueARN, "10.0.0.2").State == types.TargetHealthStateEnumUnhealthy &&
			w.health(blueARN, "10.0.0.3").State == types.TargetHealthStateEnumUnhealthy
	}, 10*time.Second, 10*time.Millisecond)
	assert.Equal(t, map[string]int{"1": 10, "2": 10, "": 10}, ask(), "fails open")
}

func TestADeregisteredTargetOfAnUnusedGroupIsGoneAtOnce(t *testing.T) {
	w := newWorld(t, targetGroup("blue", blueARN, nil))
	w.serve(blueARN, "10.0.0.1", says("blue"))
	drained, err := w.Deregister(blueARN, "10.0.0.1", 0)
	require.NoError(t, err)
	<-drained
	assert.Equal(t, types.TargetHealthReasonEnumNotRegistered, w.health(blueARN, "10.0.0.1").Reason)
	drained, err = w.Deregister(blueARN, "10.0.0.1", 0)
	require.NoError(t, err, "once more is no error")
	<-drained
}

func TestATargetThatIsRegisteredAgainWhileItDrainsTakesRequestsAgain(t *testing.T) {
	w := shop(t, 100, 0)
	server := w.healthy(blueARN, "10.0.0.1", says("blue"))
	_, err := w.Deregister(blueARN, "10.0.0.1", 0)
	require.NoError(t, err)
	status, _ := w.get("/")
	assert.Equal(t, 503, status)
	require.NoError(t, w.Register(blueARN, "10.0.0.1", 0, server.Listener.Addr().String()))
	w.becomes(blueARN, "10.0.0.1", types.TargetHealthStateEnumHealthy, "")
	status, _ = w.get("/")
	assert.Equal(t, 200, status)
	w.clock.Advance(time.Hour)
	assert.Equal(t, types.TargetHealthStateEnumHealthy, w.health(blueARN, "10.0.0.1").State, "the old delay is forgotten")
}

func TestAnUpdateSendsOnlyWhatDiffers(t *testing.T) {
	w := shop(t, 100, 0)
	ctx, provider := context.Background(), w.Providers()[listenerType]
	declared := listener(forwardTo(map[string]int{blueARN: 100, greenARN: 0}), nil)
	w.setWeights(30, 70)
	weights := func() [2]int32 {
		out, err := w.DescribeListeners(ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listenerARN}})
		require.NoError(t, err)
		groups := out.Listeners[0].DefaultActions[0].ForwardConfig.TargetGroups
		return [2]int32{*groups[0].Weight, *groups[1].Weight}
	}
	tagged := listener(declared.Inputs["defaultActions"].([]any), object{"tags": object{"team": "shop"}})
	require.NoError(t, provider.Update(ctx, declared, tagged))
	assert.Equal(t, [2]int32{30, 70}, weights(), "weights that the program does not change are not written")
	require.NoError(t, provider.Update(ctx, declared, listener(forwardTo(map[string]int{blueARN: 50}), nil)))
	out, err := w.DescribeListeners(ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listenerARN}})
	require.NoError(t, err)
	assert.Len(t, out.Listeners[0].DefaultActions[0].ForwardConfig.TargetGroups, 1)

	require.ErrorContains(t, provider.Update(ctx, declared, listener(fixed("x"), object{"loadBalancerArn": "arn:other"})), "a change of loadBalancerArn replaces the resource")

	group := w.Providers()[targetGroupType]
	slower := targetGroup("blue", blueARN, object{"healthCheck": object{"path": "/healthz", "interval": 20, "timeout": 5, "matcher": "200-299"}})
	require.NoError(t, group.Update(ctx, targetGroup("blue", blueARN, nil), slower))
	shown, err := w.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{"blue"}})
	require.NoError(t, err)
	assert.Equal(t, "/healthz", *shown.TargetGroups[0].HealthCheckPath)
	assert.Equal(t, int32(20), *shown.TargetGroups[0].HealthCheckIntervalSeconds)
	assert.Equal(t, int32(3), *shown.TargetGroups[0].HealthyThresholdCount, "the Pulumi resource's default")
	require.ErrorContains(t, group.Update(ctx, targetGroup("blue", blueARN, nil), targetGroup("blue", blueARN, object{"port": 9090})), "a change of port replaces the resource")

	balancer := w.Providers()[loadBalancerType]
	require.NoError(t, balancer.Update(ctx, loadBalancer(nil), loadBalancer(object{"xffHeaderProcessingMode": "remove"})))
	rules := w.Providers()[ruleType]
	before := rule("r", 5, []any{object{"pathPattern": object{"values": []any{"/a"}}}}, fixed("a"))
	require.NoError(t, rules.Create(ctx, before))
	require.NoError(t, rules.Update(ctx, before, rule("r", 7, []any{object{"pathPattern": object{"values": []any{"/b"}}}}, fixed("b"))))
	_, body := w.get("/b")
	assert.Equal(t, "b", body)
}

func TestResourcesAreDeletedAsAWSDeletesThem(t *testing.T) {
	w := shop(t, 100, 0)
	ctx := context.Background()
	groups, listeners, balancers := w.Providers()[targetGroupType], w.Providers()[listenerType], w.Providers()[loadBalancerType]
	var used *types.ResourceInUseException
	require.ErrorAs(t, groups.Delete(ctx, targetGroup("blue", blueARN, nil)), &used)
	require.NoError(t, balancers.Update(ctx, loadBalancer(nil), loadBalancer(object{"enableDeletionProtection": true})))
	var refused *types.OperationNotPermittedException
	require.ErrorAs(t, balancers.Delete(ctx, loadBalancer(nil)), &refused)
	require.NoError(t, balancers.Update(ctx, loadBalancer(object{"enableDeletionProtection": true}), loadBalancer(nil)))
	address := w.Address(lbARN, 80)
	require.NoError(t, listeners.Delete(ctx, listener(nil, nil)))
	require.NoError(t, listeners.Delete(ctx, listener(nil, nil)), "what is gone is no error")
	_, err := net.DialTimeout("tcp", address, time.Second)
	require.Error(t, err, "the port is free")
	require.NoError(t, groups.Delete(ctx, targetGroup("blue", blueARN, nil)))
	require.NoError(t, w.create(targetGroup("blue", blueARN, nil)))
	require.NoError(t, w.create(listener(forwardTo(map[string]int{blueARN: 1}), nil)))
	require.NoError(t, balancers.Delete(ctx, loadBalancer(nil)))
	_, err = w.DescribeListeners(ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listenerARN}})
	var missing *types.ListenerNotFoundException
	require.ErrorAs(t, err, &missing, "a load balancer takes its listeners along")
}

func TestDeclarationsThatAWSRefusesOrNobodyImitatesAreRefusedWithAllProblems(t *testing.T) {
	w := newWorld(t)
	err := w.create(targetGroup("blue", blueARN, object{"slowStart": 30, "targetType": "lambda", "stickiness": object{"type": "lb_cookie"},
		"protocolVersion": "GRPC", "healthCheck": object{"path": "readyz", "interval": 5, "timeout": 5, "matcher": "100", "healthyThreshold": 1}}))
	for _, problem := range []string{"slow start", "type 'lambda'", "sticky sessions", "protocol version GRPC", "healthCheck.path is 'readyz'",
		"interval must be greater than the timeout", "'100' must be within '200-499'", "healthCheck.healthyThreshold is 1: it must be 2 to 10", "urn:pulumi:dev"} {
		assert.ErrorContains(t, err, problem)
	}
	assert.True(t, isUnsupported(err))
	assert.ErrorContains(t, w.create(loadBalancer(object{"loadBalancerType": "network"})), "load balancers of type network")
	assert.ErrorContains(t, w.create(loadBalancer(object{"idleTimeout": 0})), "idleTimeout is 0: it must be 1 to 4000 seconds")
	assert.ErrorContains(t, w.create(loadBalancer(object{"colour": "red"})), "does not imitate the input colour")
	require.NoError(t, w.create(loadBalancer(nil)))
	assert.ErrorContains(t, w.create(listener(fixed("x"), object{"protocol": "HTTPS"})), "A certificate must be specified")
	assert.ErrorContains(t, w.create(listener(fixed("x"), object{"mutualAuthentication": object{"mode": "verify"}})), "mutual TLS")
	assert.ErrorContains(t, w.create(listener(fixed("x"), object{"port": 70000})), "must be between 1 and 65535")
	require.NoError(t, w.create(listener(fixed("x"), nil)))
	var duplicate *types.DuplicateListenerException
	assert.ErrorAs(t, w.create(listener(fixed("x"), nil)), &duplicate)
	condition := []any{object{"pathPattern": object{"values": []any{"/a"}}}}
	require.NoError(t, w.create(rule("a", 1, condition, fixed("a"))))
	var inUse *types.PriorityInUseException
	assert.ErrorAs(t, w.create(rule("b", 1, condition, fixed("b"))), &inUse)
	assert.ErrorContains(t, w.create(rule("b", 50001, condition, fixed("b"))), "must be between 1 and 50000")
}

func TestPortsAreThePreferredOnesWhereTheyAreFree(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	preferring := func(fixedPorts bool) *world {
		service, err := elb.New(elb.Options{Clock: clockwork.NewFakeClock(), FirstPort: port, FixedPorts: fixedPorts})
		require.NoError(t, err)
		t.Cleanup(func() { service.Close() })
		w := &world{Service: service, t: t}
		require.NoError(t, w.create(loadBalancer(nil)))
		return w
	}
	w := preferring(false)
	require.NoError(t, w.create(listener(fixed("x"), nil)))
	_, got, _ := net.SplitHostPort(w.Address(lbARN, 80))
	chosen, _ := strconv.Atoi(got)
	assert.Greater(t, chosen, port)
	assert.LessOrEqual(t, chosen, port+100)
	require.NoError(t, w.Close())
	again, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", got))
	require.NoError(t, err, "Close frees the port")
	again.Close()

	err = preferring(true).create(listener(fixed("x"), nil))
	require.ErrorIs(t, err, elb.ErrPortInUse)
	assert.ErrorContains(t, err, "127.0.0.1:"+strconv.Itoa(port)+", wanted for port 80 of shop")
}

func TestTheClientReachesLoadBalancersByNameAndNothingElse(t *testing.T) {
	w := newWorld(t, loadBalancer(nil), listener(fixed("plain"), nil), secureListener(fixed("secure")))
	require.NoError(t, w.Alias("shop.example.com", lbARN))
	client := w.Client()
	for url, want := range map[string]string{
		"http://" + dnsName + "/": "plain", "https://" + dnsName + "/": "secure", "http://SHOP.example.com": "plain", "https://shop.example.com/": "secure",
	} {
		answer, err := client.Get(url)
		require.NoError(t, err, url)
		body := make([]byte, 10)
		n, _ := answer.Body.Read(body)
		answer.Body.Close()
		assert.Equal(t, want, string(body[:n]), url)
	}
	_, err := client.Get("http://example.org/")
	assert.ErrorContains(t, err, "example.org is not the name of a load balancer in the sandbox: there are "+dnsName)
	_, err = client.Get("http://" + dnsName + ":8443/")
	assert.ErrorContains(t, err, "has no listener on port 8443")
	_, err = http.Get("https://" + w.Address(lbARN, 443))
	assert.ErrorContains(t, err, "certificate", "nobody else trusts the sandbox's certificates")
	require.Error(t, w.Alias("x", "arn:unknown"))
}

func TestHeadersAreChangedAsTheListenerAndTheLoadBalancerDeclare(t *testing.T) {
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/header-modification.html
	w := newWorld(t, loadBalancer(object{"dropInvalidHeaderFields": true, "xffHeaderProcessingMode": "preserve"}), targetGroup("blue", blueARN, nil),
		listener(forwardTo(map[string]int{blueARN: 1}), object{"routingHttpResponseServerEnabled": false, "routingHttpResponseStrictTransportSecurityHeaderValue": "max-age=31536000"}))
	seen := make(chan http.Header, 10)
	w.healthy(blueARN, "10.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "shop")
		if r.URL.Path != "/readyz" {
			seen <- r.Header
		}
	})
	request := must(http.NewRequest(http.MethodGet, w.url("/"), nil))
	request.Header["bad_name"] = []string{"1"}
	request.Header.Set("X-Forwarded-For", "192.0.2.1")
	answer := must(http.DefaultClient.Do(request))
	answer.Body.Close()
	assert.Equal(t, "max-age=31536000", answer.Header.Get("Strict-Transport-Security"))
	assert.Empty(t, answer.Header.Get("Server"))
	got := <-seen
	assert.NotContains(t, got, "Bad_name")
	assert.Equal(t, "192.0.2.1", got.Get("X-Forwarded-For"))
}

func TestTheJournalTellsOfWeightsAndHealth(t *testing.T) {
	clock := clockwork.NewFakeClock()
	told := journal.New(clock)
	service, err := elb.New(elb.Options{Clock: clock, Journal: told})
	require.NoError(t, err)
	t.Cleanup(func() { service.Close() })
	w := &world{Service: service, t: t, clock: clock}
	for _, r := range []graph.Resource{loadBalancer(nil), targetGroup("blue", blueARN, nil), targetGroup("green", greenARN, nil),
		listener(forwardTo(map[string]int{blueARN: 100, greenARN: 0}), nil)} {
		require.NoError(t, w.create(r))
	}
	w.healthy(blueARN, "10.0.0.1", says("blue"))
	w.setWeights(90, 10)
	w.setWeights(90, 10)
	var texts []string
	for _, e := range told.Since(0) {
		assert.Equal(t, "dev", e.Environment)
		texts = append(texts, e.Kind+": "+e.Text)
	}
	assert.Equal(t, []string{"health: target 10.0.0.1 of blue is initial", "health: target 10.0.0.1 of blue is healthy", "weights: listener of shop: blue 90, green 10"}, texts)
}
