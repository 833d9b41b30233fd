package elb_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/elb"
)

// fixed is an action that answers with a text, so that a test sees which rule a request met.
func fixed(text string) []any {
	return []any{object{"type": "fixed-response", "fixedResponse": object{"statusCode": "200", "contentType": "text/plain", "messageBody": text}}}
}

func TestARequestIsAnsweredByTheFirstRuleWhoseConditionsItMeets(t *testing.T) {
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
	for _, row := range []struct {
		condition object
		request   string // method, URL, then headers, one a line
		matches   bool
	}{
		{object{"hostHeader": object{"values": []any{"*.example.com"}}}, "GET http://test.example.com/", true},
		{object{"hostHeader": object{"values": []any{"*.example.com"}}}, "GET http://example.com/", false},
		{object{"hostHeader": object{"values": []any{"Example.COM"}}}, "GET http://eXample.com:8080/", true},
		{object{"hostHeader": object{"values": []any{"a.example.com", "b.example.com"}}}, "GET http://b.example.com/", true},
		{object{"pathPattern": object{"values": []any{"/img/*"}}}, "GET http://shop/img/picture.jpg", true},
		{object{"pathPattern": object{"values": []any{"/img/*"}}}, "GET http://shop/img", false},
		{object{"pathPattern": object{"values": []any{"/img/*/pics"}}}, "GET http://shop/img/a/b/pics?x=/no", true},
		{object{"pathPattern": object{"values": []any{"/img"}}}, "GET http://shop/IMG", false}, // a path is case-sensitive
		{object{"pathPattern": object{"values": []any{"/?"}}}, "GET http://shop/a", true},
		{object{"pathPattern": object{"values": []any{"/?"}}}, "GET http://shop/ab", false},
		{object{"pathPattern": object{"values": []any{"/a"}}}, "GET http://shop/b?path=/a", false}, // the query is no part of it
		{object{"httpHeader": object{"httpHeaderName": "User-Agent", "values": []any{"*Chrome*", "*Safari*"}}}, "GET http://shop/\nuser-agent: Mozilla SAFARI 1", true},
		{object{"httpHeader": object{"httpHeaderName": "x-preview", "values": []any{"secret"}}}, "GET http://shop/\nX-Preview: other\nX-Preview: Secret", true}, // searched in order
		{object{"httpHeader": object{"httpHeaderName": "X-Preview", "values": []any{"secret"}}}, "GET http://shop/", false},
		{object{"httpRequestMethod": object{"values": []any{"CUSTOM-METHOD", "POST"}}}, "POST http://shop/", true},
		{object{"httpRequestMethod": object{"values": []any{"POST"}}}, "GET http://shop/", false},
		{object{"queryStrings": []any{object{"key": "version", "value": "v1"}, object{"value": "*example*"}}}, "GET http://shop/?VERSION=V1", true},
		{object{"queryStrings": []any{object{"key": "version", "value": "v1"}, object{"value": "*example*"}}}, "GET http://shop/?any=an-example-here", true},
		{object{"queryStrings": []any{object{"key": "version", "value": "v1"}}}, "GET http://shop/?version=v2&other=v1", false},
		{object{"queryStrings": []any{object{"key": "star", "value": `\*`}}}, "GET http://shop/?star=*", true}, // escaped: the character itself
		{object{"queryStrings": []any{object{"key": "star", "value": `\*`}}}, "GET http://shop/?star=x", false},
		{object{"sourceIp": object{"values": []any{"127.0.0.0/8"}}}, "GET http://shop/", true},
		{object{"sourceIp": object{"values": []any{"192.0.2.0/24", "2001:db8::/32"}}}, "GET http://shop/\nX-Forwarded-For: 192.0.2.7", false}, // the peer's address
	} {
		t.Run(fmt.Sprint(row.condition, row.request), func(t *testing.T) {
			w := newWorld(t, loadBalancer(nil), listener(fixed("default"), nil), rule("r", 10, []any{row.condition}, fixed("rule")))
			lines := strings.Split(row.request, "\n")
			method, url, _ := strings.Cut(lines[0], " ")
			request := httptest.NewRequest(method, url, nil)
			for _, line := range lines[1:] {
				name, value, _ := strings.Cut(line, ": ")
				request.Header.Add(name, value)
			}
			request.RequestURI = ""
			request.URL.Scheme, request.URL.Host = "http", w.Address(lbARN, 80)
			answer, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			defer answer.Body.Close()
			want := map[bool]string{true: "rule", false: "default"}[row.matches]
			body := make([]byte, len("default")+1)
			n, _ := answer.Body.Read(body)
			assert.Equal(t, want, string(body[:n]))
		})
	}
}

func TestRulesAreTriedByPriorityAndNeedAllTheirConditions(t *testing.T) {
	path := object{"pathPattern": object{"values": []any{"/a*"}}}
	query := object{"queryStrings": []any{object{"key": "x", "value": "1"}}}
	w := newWorld(t, loadBalancer(nil), listener(fixed("default"), nil),
		rule("broad", 20, []any{path}, fixed("broad")), rule("narrow", 10, []any{path, query}, fixed("narrow")))
	for path, want := range map[string]string{"/a?x=1": "narrow", "/a?x=2": "broad", "/b?x=1": "default"} {
		_, got := w.get(path)
		assert.Equal(t, want, got, path)
	}
	out, err := w.DescribeRules(context.Background(), &elbv2.DescribeRulesInput{ListenerArn: new(listenerARN)})
	require.NoError(t, err)
	var priorities []string
	for _, r := range out.Rules {
		priorities = append(priorities, aws.ToString(r.Priority))
	}
	assert.Equal(t, []string{"10", "20", "default"}, priorities)

	// A rule without a priority comes after the last one.
	last := rule("last", 0, []any{object{"pathPattern": object{"values": []any{"/*"}}}}, fixed("last"))
	delete(last.Inputs, "priority")
	delete(last.Outputs, "priority")
	require.NoError(t, w.create(last))
	_, got := w.get("/b")
	assert.Equal(t, "last", got)

	// Deleting a rule leaves the others.
	require.NoError(t, w.Providers()[ruleType].Delete(context.Background(), rule("narrow", 10, nil, nil)))
	_, got = w.get("/a?x=1")
	assert.Equal(t, "broad", got)
}

func TestConditionsThatAWSRefusesAreRefused(t *testing.T) {
	header := func(name string, values ...any) object {
		return object{"httpHeader": object{"httpHeaderName": name, "values": values}}
	}
	path := func(values ...any) object { return object{"pathPattern": object{"values": values}} }
	long := strings.Repeat("x", 129)
	for problem, conditions := range map[string][]any{
		"A condition must be specified":                      {},
		"A condition value must be specified":                {path()},
		"The 'path-pattern' value is too long":               {path("/" + long)},
		"one 'path-pattern' condition":                       {path("/a"), path("/b")},
		"only have '5' condition values":                     {path("/a", "/b", "/c"), header("X-A", "1", "2", "3")},
		"only have '5' condition wildcards":                  {path("/*/*/*"), header("X-A", "*1*", "*2")},
		"The 'HttpHeaderName' value is too long":             {header(strings.Repeat("x", 41), "1")},
		"must not contain wildcards":                         {header("X-*", "1")},
		"use 'host-header' instead":                          {header("Host", "shop")},
		"'http-request-method' value 'get'":                  {object{"httpRequestMethod": object{"values": []any{"get"}}}},
		"must be a CIDR block":                               {object{"sourceIp": object{"values": []any{"192.0.2.1"}}}},
		"'255.255.255.255/32' must be a CIDR":                {object{"sourceIp": object{"values": []any{"255.255.255.255/32"}}}},
		"The 'Key' value is too long":                        {object{"queryStrings": []any{object{"key": long, "value": "1"}}}},
		"conditions[0] has 2 conditions: give exactly one":   {object{"pathPattern": object{"values": []any{"/a"}}, "sourceIp": object{"values": []any{"192.0.2.0/24"}}}},
		"does not imitate the input conditions[0].colour of": {object{"colour": "red"}},
	} {
		w := newWorld(t, loadBalancer(nil), listener(fixed("default"), nil))
		err := w.create(rule("r", 1, conditions, fixed("rule")))
		assert.ErrorContains(t, err, problem)
		assert.ErrorContains(t, err, "urn:pulumi:dev::penguinshop::"+ruleType, "the resource is named")
		_, err = w.DescribeRules(context.Background(), &elbv2.DescribeRulesInput{RuleArns: []string{ruleARN("r")}})
		assert.Error(t, err, "nothing half done")
	}
}

func TestActionsThatCannotBeImitatedOrThatAWSRefusesAreRefused(t *testing.T) {
	forward := func(groups []any, more object) []any {
		f := object{"targetGroups": groups}
		for k, v := range more {
			f[k] = v
		}
		return []any{object{"type": "forward", "forward": f}}
	}
	group := func(weight int) object { return object{"arn": blueARN, "weight": weight} }
	redirect := func(more object) []any {
		r := object{"statusCode": "HTTP_301"}
		for k, v := range more {
			r[k] = v
		}
		return []any{object{"type": "redirect", "redirect": r}}
	}
	for problem, row := range map[string]struct {
		actions     []any
		unsupported bool
	}{
		"the action authenticate-oidc":         {[]any{object{"type": "authenticate-oidc", "authenticateOidc": object{}}, object{"type": "forward", "targetGroupArn": blueARN}}, true},
		"target group stickiness":              {forward([]any{group(1)}, object{"stickiness": object{"enabled": true, "duration": 60}}), true},
		"An action must be specified":          {[]any{}, false},
		"exactly one action":                   {append(fixed("a"), fixed("b")...), false},
		"Value 'teleport'":                     {[]any{object{"type": "teleport"}}, false},
		"must name 1 to 5 target groups":       {forward([]any{}, nil), false},
		"The weight '1000'":                    {forward([]any{group(1000)}, nil), false},
		"The weight '-1'":                      {forward([]any{group(-1)}, nil), false},
		"specified more than once":             {forward([]any{group(1), group(1)}, nil), false},
		"Target group 'arn:unknown' not found": {[]any{object{"type": "forward", "targetGroupArn": "arn:unknown"}}, false},
		"same as TargetGroupArn":               {[]any{object{"type": "forward", "targetGroupArn": greenARN, "forward": object{"targetGroups": []any{group(1)}}}}, false},
		"Value '302' at":                       {[]any{object{"type": "fixed-response", "fixedResponse": object{"statusCode": "302"}}}, false},
		"The ContentType must be one of":       {[]any{object{"type": "fixed-response", "fixedResponse": object{"statusCode": "200", "contentType": "image/png"}}}, false},
		"not be longer than 1024 characters":   {[]any{object{"type": "fixed-response", "fixedResponse": object{"statusCode": "200", "messageBody": strings.Repeat("x", 1025)}}}, false},
		"creates a loop":                       {redirect(object{"query": "a=b"}), false},
		"must be between 1 and 65535":          {redirect(object{"port": "0"}), false},
		"must begin with a slash":              {redirect(object{"path": "x"}), false},
		"must be HTTP, HTTPS":                  {redirect(object{"protocol": "FTP"}), false},
	} {
		w := newWorld(t, loadBalancer(nil), targetGroup("blue", blueARN, nil), targetGroup("green", greenARN, nil))
		err := w.create(listener(row.actions, nil))
		assert.ErrorContains(t, err, problem)
		assert.Equal(t, row.unsupported, assert.ObjectsAreEqual(true, isUnsupported(err)), problem)
		assert.Empty(t, w.Address(lbARN, 80), "nothing half done")
	}
}

func TestARedirectLeadsWhereItsKeywordsSay(t *testing.T) {
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html#redirect-actions
	for _, row := range []struct {
		redirect object
		location string
		status   int
	}{
		{object{"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}, "https://shop.example.com:443/a/b?x=1", 301},
		{object{"path": "/new/#{path}", "statusCode": "HTTP_302"}, "http://shop.example.com:80/new/a/b?x=1", 302},
		{object{"host": "www.#{host}", "path": "/", "query": "from=#{path}&#{query}", "statusCode": "HTTP_302"}, "http://www.shop.example.com:80/?from=a/b&x=1", 302},
		{object{"host": "example.org", "path": "/#{host}/#{port}", "query": "", "statusCode": "HTTP_301"}, "http://example.org:80/shop.example.com/80", 301},
	} {
		w := newWorld(t, loadBalancer(nil), listener([]any{object{"type": "redirect", "redirect": row.redirect}}, nil))
		request, _ := http.NewRequest(http.MethodGet, w.url("/a/b?x=1"), nil)
		request.Host = "shop.example.com"
		answer, err := http.DefaultTransport.RoundTrip(request)
		require.NoError(t, err)
		answer.Body.Close()
		assert.Equal(t, row.status, answer.StatusCode)
		assert.Equal(t, row.location, answer.Header.Get("Location"))
		assert.Equal(t, elb.Redirect, w.meter.counted(t, 1)[0].Kind)
	}
}

func TestARedirectOfSomebodyOnThisMachineLeadsToTheLoopbackPort(t *testing.T) {
	w := newWorld(t, loadBalancer(nil), listener([]any{object{"type": "redirect", "redirect": object{"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}}}, nil),
		secureListener(fixed("secure")))
	answer, err := http.DefaultTransport.RoundTrip(must(http.NewRequest(http.MethodGet, w.url("/a"), nil)))
	require.NoError(t, err)
	answer.Body.Close()
	assert.Equal(t, "https://"+w.Address(lbARN, 443)+"/a", answer.Header.Get("Location"))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestAFixedResponseAnswersByItself(t *testing.T) {
	w := newWorld(t, loadBalancer(nil), listener([]any{object{"type": "fixed-response", "fixedResponse": object{
		"statusCode": "503", "contentType": "application/json", "messageBody": `{"closed":true}`}}}, nil))
	answer, err := http.Get(w.url("/"))
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, 503, answer.StatusCode)
	assert.Equal(t, "application/json", answer.Header.Get("Content-Type"))
	counted := w.meter.counted(t, 1)[0]
	assert.Equal(t, elb.FixedResponse, counted.Kind)
	assert.False(t, counted.FromTarget)
	assert.Empty(t, counted.TargetGroup)
}

func TestARuleOfWeightsSendsThePreviewToTheCandidateAlone(t *testing.T) {
	preview := []any{object{"httpHeader": object{"httpHeaderName": "X-Preview", "values": []any{"secret"}}}}
	w := newWorld(t, loadBalancer(nil), targetGroup("blue", blueARN, nil), targetGroup("green", greenARN, nil),
		listener(forwardTo(map[string]int{blueARN: 100, greenARN: 0}), nil),
		rule("preview", 1, preview, []any{object{"type": "forward", "targetGroupArn": greenARN}}))
	w.healthy(blueARN, "10.0.0.1", says("blue"))
	w.healthy(greenARN, "10.0.0.2", says("green"))
	ask := func(secret string) string {
		request := must(http.NewRequest(http.MethodGet, w.url("/"), nil))
		if secret != "" {
			request.Header.Set("X-Preview", secret)
		}
		answer := must(http.DefaultClient.Do(request))
		defer answer.Body.Close()
		body := make([]byte, 10)
		n, _ := answer.Body.Read(body)
		return string(body[:n])
	}
	for range 20 {
		assert.Equal(t, "blue", ask(""))
		assert.Equal(t, "green", ask("secret"))
		assert.Equal(t, "blue", ask("guess"))
	}
	_, err := w.ModifyRule(context.Background(), &elbv2.ModifyRuleInput{RuleArn: new(ruleARN("preview")),
		Actions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: new(blueARN)}}})
	require.NoError(t, err)
	assert.Equal(t, "blue", ask("secret"))
}
