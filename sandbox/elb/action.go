package elb

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// The range of a target group's weight and how many groups an action may name:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html#forward-actions
const (
	heaviest       = 999
	groupsOfAction = 5
)

var (
	fixedStatus  = regexp.MustCompile(`^[245]\d\d$`)
	contentTypes = []string{"text/plain", "text/css", "text/html", "application/javascript", "application/json"}
)

// longestBody is the most that a fixed response may say, in characters:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_FixedResponseActionConfig.html
const longestBody = 1024

// readActions checks the actions of a rule or a listener as AWS does, and returns them as AWS shows them: a forward action
// with its ForwardConfig, with its weights, and with TargetGroupArn where it names one group. The caller holds the lock.
func (s *Service) readActions(l *listener, declared []types.Action) ([]types.Action, error) {
	if len(declared) == 0 {
		return nil, invalid("An action must be specified")
	}
	for _, a := range declared {
		switch a.Type {
		case types.ActionTypeEnumAuthenticateCognito, types.ActionTypeEnumAuthenticateOidc, types.ActionTypeEnumJwtValidation:
			return nil, unsupported("the action %s: leave it out", a.Type)
		}
	}
	if len(declared) > 1 {
		return nil, invalid("A rule must include exactly one action of type forward, redirect or fixed-response, not %d", len(declared))
	}
	var (
		a   = declared[0]
		err error
	)
	switch a.Type {
	case types.ActionTypeEnumForward:
		a, err = s.readForward(l, a)
	case types.ActionTypeEnumRedirect:
		a, err = readRedirect(l, a)
	case types.ActionTypeEnumFixedResponse:
		err = checkFixedResponse(a)
	default:
		err = invalid("1 validation error detected: Value '%s' at 'actions.1.member.type' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [redirect, fixed-response, forward]", a.Type)
	}
	return []types.Action{a}, err
}

func (s *Service) readForward(l *listener, a types.Action) (types.Action, error) {
	config := types.ForwardActionConfig{}
	switch {
	case a.ForwardConfig != nil:
		config = *a.ForwardConfig
	case a.TargetGroupArn != nil:
		config.TargetGroups = []types.TargetGroupTuple{{TargetGroupArn: a.TargetGroupArn}}
	}
	if sticky := config.TargetGroupStickinessConfig; sticky != nil && aws.ToBool(sticky.Enabled) {
		return a, unsupported("target group stickiness: weights would not describe the traffic; disable it")
	}
	config.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: new(false)}
	if n := len(config.TargetGroups); n == 0 || n > groupsOfAction {
		return a, invalid("A forward action must name 1 to %d target groups, not %d", groupsOfAction, n)
	}
	if a.TargetGroupArn != nil && (len(config.TargetGroups) > 1 || aws.ToString(config.TargetGroups[0].TargetGroupArn) != *a.TargetGroupArn) {
		return a, invalid("You can specify only one target group in ForwardConfig, and it must be the same as TargetGroupArn, when both are given")
	}
	config.TargetGroups = slices.Clone(config.TargetGroups)
	seen := map[string]bool{}
	for i := range config.TargetGroups {
		tuple := &config.TargetGroups[i]
		if tuple.Weight == nil {
			tuple.Weight = new(int32(1))
		}
		g, known := s.groups[aws.ToString(tuple.TargetGroupArn)]
		switch {
		case !known:
			return a, &types.TargetGroupNotFoundException{Message: new(fmt.Sprintf("Target group '%s' not found", aws.ToString(tuple.TargetGroupArn)))}
		case *tuple.Weight < 0 || *tuple.Weight > heaviest:
			return a, invalid("The weight '%d' of target group '%s' must be between 0 and %d", *tuple.Weight, g.arn, heaviest)
		case seen[g.arn]:
			return a, invalid("Target group '%s' is specified more than once", g.arn)
		}
		if other := g.loadBalancer(); other != nil && other != l.loadBalancer {
			return a, &types.TargetGroupAssociationLimitException{Message: new(fmt.Sprintf(
				"The target group '%s' is already associated with load balancer '%s'; a target group can be used by one load balancer",
				g.arn, aws.ToString(other.LoadBalancerArn)))}
		}
		seen[g.arn] = true
	}
	a.ForwardConfig, a.TargetGroupArn = &config, nil
	if len(config.TargetGroups) == 1 {
		a.TargetGroupArn = config.TargetGroups[0].TargetGroupArn
	}
	return a, nil
}

func readRedirect(l *listener, a types.Action) (types.Action, error) {
	if a.RedirectConfig == nil {
		return a, invalid("A 'RedirectConfig' must be specified with 'redirect'")
	}
	c := *a.RedirectConfig
	for _, part := range []struct {
		value    **string
		standard string
	}{{&c.Protocol, "#{protocol}"}, {&c.Host, "#{host}"}, {&c.Port, "#{port}"}, {&c.Path, "/#{path}"}, {&c.Query, "#{query}"}} {
		if *part.value == nil {
			*part.value = new(part.standard)
		}
	}
	port, _ := strconv.Atoi(*c.Port)
	switch {
	case c.StatusCode != types.RedirectActionStatusCodeEnumHttp301 && c.StatusCode != types.RedirectActionStatusCodeEnumHttp302:
		return a, invalid("The redirect status code '%s' must be HTTP_301 or HTTP_302", c.StatusCode)
	case *c.Protocol != "#{protocol}" && *c.Protocol != "HTTP" && *c.Protocol != "HTTPS":
		return a, invalid("The redirect protocol '%s' must be HTTP, HTTPS or #{protocol}", *c.Protocol)
	case *c.Protocol == "HTTP" && l.protocol == types.ProtocolEnumHttps:
		return a, invalid("You cannot redirect HTTPS to HTTP")
	case *c.Port != "#{port}" && (port < 1 || port > 65535):
		return a, invalid("The redirect port '%s' must be between 1 and 65535 or #{port}", *c.Port)
	case !strings.HasPrefix(*c.Path, "/"):
		return a, invalid("The redirect path '%s' must begin with a slash", *c.Path)
	case len(*c.Host) > longestValue || len(*c.Path) > longestValue || len(*c.Query) > longestValue:
		return a, invalid("A redirect's host, path and query must not be longer than %d characters", longestValue)
	case *c.Protocol == "#{protocol}" && *c.Host == "#{host}" && *c.Port == "#{port}" && *c.Path == "/#{path}":
		return a, &types.InvalidLoadBalancerActionException{Message: new("The redirect configuration is not valid because it creates a loop: change the protocol, host, port or path")}
	}
	a.RedirectConfig = &c
	return a, nil
}

func checkFixedResponse(a types.Action) error {
	c := a.FixedResponseConfig
	if c == nil {
		return invalid("A 'FixedResponseConfig' must be specified with 'fixed-response'")
	}
	if !fixedStatus.MatchString(aws.ToString(c.StatusCode)) {
		return invalid("1 validation error detected: Value '%s' at 'actions.1.member.fixedResponseConfig.statusCode' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: ^(2|4|5)\\d\\d$", aws.ToString(c.StatusCode))
	}
	if c.ContentType != nil && !slices.Contains(contentTypes, *c.ContentType) {
		return &types.InvalidLoadBalancerActionException{Message: new(fmt.Sprintf("The ContentType must be one of: '%s'", strings.Join(contentTypes, "', '")))}
	}
	if len(aws.ToString(c.MessageBody)) > longestBody {
		return invalid("The fixed response's message body must not be longer than %d characters", longestBody)
	}
	return nil
}

// groupsOf returns the ARNs of the target groups that actions name, whatever their weight.
func groupsOf(actions []types.Action) []string {
	var arns []string
	for _, a := range actions {
		if a.ForwardConfig != nil {
			for _, tuple := range a.ForwardConfig.TargetGroups {
				arns = append(arns, aws.ToString(tuple.TargetGroupArn))
			}
		}
	}
	return arns
}

// action is a compiled action: what it does with a request.
type action interface {
	serve(l *listener, w *recorder, r *http.Request)
}

// compileAction makes one of actions that were read. The caller holds the lock.
func (s *Service) compileAction(actions []types.Action) action {
	a := actions[0]
	switch a.Type {
	case types.ActionTypeEnumRedirect:
		return newRedirect(a.RedirectConfig)
	case types.ActionTypeEnumFixedResponse:
		status, _ := strconv.Atoi(*a.FixedResponseConfig.StatusCode)
		kind := aws.ToString(a.FixedResponseConfig.ContentType)
		if kind == "" {
			kind = contentTypes[0]
		}
		return &fixedResponse{status: status, contentType: []string{kind}, body: []byte(aws.ToString(a.FixedResponseConfig.MessageBody))}
	default:
		var (
			groups  []*group
			weights []int
		)
		for _, tuple := range a.ForwardConfig.TargetGroups {
			groups, weights = append(groups, s.groups[*tuple.TargetGroupArn]), append(weights, int(*tuple.Weight))
		}
		return &forward{shares: newShares(groups, weights)}
	}
}

// fixedResponse answers by itself.
type fixedResponse struct {
	status      int
	contentType []string
	body        []byte
}

func (f *fixedResponse) serve(_ *listener, w *recorder, _ *http.Request) {
	w.count.Kind = FixedResponse
	w.own(f.status, f.contentType, f.body)
}

// redirect sends the client elsewhere.
type redirect struct {
	status                            int
	protocol, host, port, path, query string
}

func newRedirect(c *types.RedirectActionConfig) *redirect {
	status := http.StatusFound
	if c.StatusCode == types.RedirectActionStatusCodeEnumHttp301 {
		status = http.StatusMovedPermanently
	}
	return &redirect{status: status, protocol: *c.Protocol, host: *c.Host, port: *c.Port, path: *c.Path, query: *c.Query}
}

func (d *redirect) serve(l *listener, w *recorder, r *http.Request) {
	w.count.Kind = Redirect
	w.Header()["Location"] = []string{d.location(l, r)}
	w.own(d.status, htmlType, statusPage(d.status))
}

// location fills in the reserved keywords. A client that came by the loopback address knows no declared port, so a redirect
// that keeps its host leads it to the loopback address of the declared port.
func (d *redirect) location(l *listener, r *http.Request) string {
	scheme, declared := strings.ToLower(string(l.protocol)), strconv.Itoa(l.port)
	host := hostname(r.Host)
	keywords := strings.NewReplacer("#{protocol}", scheme, "#{host}", host, "#{port}", declared,
		"#{path}", strings.TrimPrefix(r.URL.EscapedPath(), "/"), "#{query}", r.URL.RawQuery)
	scheme = strings.ToLower(keywords.Replace(d.protocol))
	to, port := keywords.Replace(d.host), keywords.Replace(d.port)
	if address := net.ParseIP(host); to == host && (host == "localhost" || address != nil && address.IsLoopback()) {
		if number, err := strconv.Atoi(port); err == nil {
			if local, ok := l.service.localPort(l.loadBalancer, number); ok {
				port = strconv.Itoa(local)
			}
		}
	}
	location := scheme + "://" + net.JoinHostPort(to, port) + keywords.Replace(d.path)
	if query := keywords.Replace(d.query); query != "" {
		location += "?" + query
	}
	return location
}

// forward sends the request to a target of one of its groups.
type forward struct{ shares *shares }

func (f *forward) serve(l *listener, w *recorder, r *http.Request) {
	g := f.shares.pick()
	if g == nil {
		w.own(http.StatusServiceUnavailable, htmlType, statusPage(http.StatusServiceUnavailable))
		return
	}
	w.count.TargetGroup = g.suffix
	t := g.acquire()
	if t == nil {
		w.own(http.StatusServiceUnavailable, htmlType, statusPage(http.StatusServiceUnavailable))
		return
	}
	defer t.release()
	w.count.Target = true
	t.serve(w, r)
}
