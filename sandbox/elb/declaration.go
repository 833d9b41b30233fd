package elb

import (
	"errors"
	"fmt"
	"net/textproto"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// The declared* types are the inputs of the Pulumi resources that the sandbox imitates; an input without a field is refused.
// Fields that are read and have no effect on one machine (networks, zones, logs, names of policies) are listed in
// docs/sandbox.md.

// declaredLoadBalancer is aws:lb/loadBalancer:LoadBalancer.
type declaredLoadBalancer struct {
	Arn                    string            `json:"arn"`
	DNSName                string            `json:"dnsName"`
	Name                   string            `json:"name"`
	NamePrefix             string            `json:"namePrefix"`
	LoadBalancerType       string            `json:"loadBalancerType"`
	Internal               bool              `json:"internal"`
	IPAddressType          string            `json:"ipAddressType"`
	SecurityGroups         []string          `json:"securityGroups"`
	Subnets                []string          `json:"subnets"`
	SubnetMappings         []any             `json:"subnetMappings"`
	VpcID                  string            `json:"vpcId"`
	ZoneID                 string            `json:"zoneId"`
	Tags                   map[string]string `json:"tags"`
	AccessLogs             any               `json:"accessLogs"`
	ConnectionLogs         any               `json:"connectionLogs"`
	ClientKeepAlive        int               `json:"clientKeepAlive"`
	CrossZone              *bool             `json:"enableCrossZoneLoadBalancing"`
	DeletionProtection     bool              `json:"enableDeletionProtection"`
	DesyncMitigationMode   string            `json:"desyncMitigationMode"`
	DropInvalidHeaders     bool              `json:"dropInvalidHeaderFields"`
	HTTP2                  *bool             `json:"enableHttp2"`
	IdleTimeout            *int              `json:"idleTimeout"`
	PreserveHostHeader     bool              `json:"preserveHostHeader"`
	TLSHeaders             bool              `json:"enableTlsVersionAndCipherSuiteHeaders"`
	WafFailOpen            bool              `json:"enableWafFailOpen"`
	XffClientPort          bool              `json:"enableXffClientPort"`
	XffMode                string            `json:"xffHeaderProcessingMode"`
	ZonalShift             bool              `json:"enableZonalShift"`
	MinimumCapacity        any               `json:"minimumLoadBalancerCapacity"`
	ClientRoutingPolicy    string            `json:"dnsRecordClientRoutingPolicy"`
	InboundRulesPrivateNet string            `json:"enforceSecurityGroupInboundRulesOnPrivateLinkTraffic"`
}

// The range of a load balancer's idle timeout:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#connection-idle-timeout
const (
	shortestIdle = 1
	longestIdle  = 4000
)

func (d declaredLoadBalancer) attributes() (attributes, error) {
	var problems []error
	if d.LoadBalancerType != "" && d.LoadBalancerType != "application" {
		problems = append(problems, unsupported("load balancers of type %s: use application", d.LoadBalancerType))
	}
	idle := defaultIdle
	if d.IdleTimeout != nil {
		idle = time.Duration(*d.IdleTimeout) * time.Second
		if *d.IdleTimeout < shortestIdle || *d.IdleTimeout > longestIdle {
			problems = append(problems, invalid("idleTimeout is %d: it must be %d to %d seconds", *d.IdleTimeout, shortestIdle, longestIdle))
		}
	}
	switch d.XffMode {
	case "", "append", "preserve", "remove":
	default:
		problems = append(problems, invalid("xffHeaderProcessingMode is '%s': it must be append, preserve or remove", d.XffMode))
	}
	return attributes{idle: idle, dropInvalid: d.DropInvalidHeaders, xff: d.XffMode, xffPort: d.XffClientPort, tlsHeaders: d.TLSHeaders},
		errors.Join(problems...)
}

// declaredTargetGroup is aws:lb/targetGroup:TargetGroup.
type declaredTargetGroup struct {
	Arn                 string               `json:"arn"`
	Name                string               `json:"name"`
	NamePrefix          string               `json:"namePrefix"`
	Port                int                  `json:"port"`
	Protocol            string               `json:"protocol"`
	ProtocolVersion     string               `json:"protocolVersion"`
	TargetType          string               `json:"targetType"`
	IPAddressType       string               `json:"ipAddressType"`
	VpcID               string               `json:"vpcId"`
	DeregistrationDelay *int                 `json:"deregistrationDelay"`
	SlowStart           int                  `json:"slowStart"`
	Algorithm           string               `json:"loadBalancingAlgorithmType"`
	AnomalyMitigation   string               `json:"loadBalancingAnomalyMitigation"`
	CrossZone           string               `json:"loadBalancingCrossZoneEnabled"`
	Stickiness          *declaredStickiness  `json:"stickiness"`
	HealthCheck         *declaredHealthCheck `json:"healthCheck"`
	Tags                map[string]string    `json:"tags"`
}

type declaredStickiness struct {
	Enabled        *bool  `json:"enabled"`
	Type           string `json:"type"`
	CookieDuration int    `json:"cookieDuration"`
	CookieName     string `json:"cookieName"`
}

type declaredHealthCheck struct {
	Enabled            *bool  `json:"enabled"`
	Path               string `json:"path"`
	Port               string `json:"port"`
	Protocol           string `json:"protocol"`
	Matcher            string `json:"matcher"`
	Interval           *int   `json:"interval"`
	Timeout            *int   `json:"timeout"`
	HealthyThreshold   *int   `json:"healthyThreshold"`
	UnhealthyThreshold *int   `json:"unhealthyThreshold"`
}

// settings are a target group's checked settings.
type settings struct {
	shown     types.TargetGroup
	check     healthCheck
	delay     time.Duration
	algorithm string
}

// settings checks a target group as CreateTargetGroup and ModifyTargetGroupAttributes do, with the defaults of the Pulumi
// resource where they differ from the API's (three checks for either threshold), and reports all problems at once.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
func (d declaredTargetGroup) settings() (settings, error) {
	var problems []error
	refuse := func(wrong bool, err error) {
		if wrong {
			problems = append(problems, err)
		}
	}
	number := func(path string, given *int, standard, low, high int) int {
		if given == nil {
			return standard
		}
		refuse(*given < low || *given > high, invalid("%s is %d: it must be %d to %d", path, *given, low, high))
		return *given
	}
	check := d.HealthCheck
	if check == nil {
		check = &declaredHealthCheck{}
	}
	protocol, checkProtocol := either(d.Protocol, "HTTP"), either(check.Protocol, "HTTP")
	refuse(protocol != "HTTP" && protocol != "HTTPS", invalid("protocol is '%s': it must be HTTP or HTTPS", protocol))
	refuse(checkProtocol != "HTTP" && checkProtocol != "HTTPS", invalid("healthCheck.protocol is '%s': it must be HTTP or HTTPS", checkProtocol))
	refuse(d.Port < 1 || d.Port > 65535, invalid("port is %d: it must be 1 to 65535", d.Port))
	refuse(either(d.ProtocolVersion, "HTTP1") != "HTTP1", unsupported("the protocol version %s: use HTTP1", d.ProtocolVersion))
	refuse(d.TargetType != "ip", unsupported("targets of type '%s': use ip, as Fargate tasks are registered", either(d.TargetType, "instance")))
	refuse(d.SlowStart != 0, unsupported("slow start: weights would not describe the traffic; leave slowStart out"))
	refuse(d.Stickiness != nil && (d.Stickiness.Enabled == nil || *d.Stickiness.Enabled),
		unsupported("sticky sessions: weights would not describe the traffic; set stickiness.enabled to false"))
	refuse(either(d.AnomalyMitigation, "off") != "off", unsupported("anomaly mitigation: leave loadBalancingAnomalyMitigation out"))
	refuse(check.Enabled != nil && !*check.Enabled, invalid("Health check enabled must be true for target groups with target type 'ip'"))
	port := either(check.Port, "traffic-port")
	refuse(port != "traffic-port" && port != strconv.Itoa(d.Port),
		unsupported("health checks on another port (%s) than the targets' own: only that one is reachable from outside a container", port))
	algorithm := either(d.Algorithm, roundRobin)
	refuse(algorithm != roundRobin && algorithm != leastOutstanding && algorithm != weightedRandom,
		invalid("loadBalancingAlgorithmType is '%s': it must be %s, %s or %s", algorithm, roundRobin, leastOutstanding, weightedRandom))
	path := either(check.Path, "/")
	refuse(path[0] != '/' || len(path) > 1024, invalid("healthCheck.path is '%s': it must begin with a slash and be at most 1024 characters long", path))
	codes := either(check.Matcher, "200")
	matcher, err := readMatcher(codes)
	refuse(err != nil, err)

	interval := number("healthCheck.interval", check.Interval, 30, 5, 300)
	timeout := number("healthCheck.timeout", check.Timeout, 5, 2, 120)
	refuse(timeout >= interval, invalid("Health check interval must be greater than the timeout, but healthCheck.interval is %d and timeout is %d", interval, timeout))
	healthy := number("healthCheck.healthyThreshold", check.HealthyThreshold, 3, 2, 10)
	unhealthy := number("healthCheck.unhealthyThreshold", check.UnhealthyThreshold, 3, 2, 10)
	delay := number("deregistrationDelay", d.DeregistrationDelay, 300, 0, 3600)
	return settings{
		shown: types.TargetGroup{
			TargetGroupArn: new(d.Arn), TargetGroupName: new(d.Name), Port: new(int32(d.Port)), Protocol: types.ProtocolEnum(protocol),
			ProtocolVersion: new("HTTP1"), TargetType: types.TargetTypeEnumIp, VpcId: new(d.VpcID), IpAddressType: types.TargetGroupIpAddressTypeEnumIpv4,
			HealthCheckEnabled: new(true), HealthCheckPath: new(path), HealthCheckPort: new(port), HealthCheckProtocol: types.ProtocolEnum(checkProtocol),
			HealthCheckIntervalSeconds: new(int32(interval)), HealthCheckTimeoutSeconds: new(int32(timeout)),
			HealthyThresholdCount: new(int32(healthy)), UnhealthyThresholdCount: new(int32(unhealthy)), Matcher: &types.Matcher{HttpCode: new(codes)},
		},
		check: healthCheck{
			protocol: types.ProtocolEnum(checkProtocol), path: path, matcher: matcher,
			interval: time.Duration(interval) * time.Second, timeout: time.Duration(timeout) * time.Second,
			healthyAfter: healthy, unhealthyAfter: unhealthy,
		},
		delay: time.Duration(delay) * time.Second, algorithm: algorithm,
	}, errors.Join(problems...)
}

// declaredListener is aws:lb/listener:Listener.
type declaredListener struct {
	Arn                  string            `json:"arn"`
	LoadBalancerArn      string            `json:"loadBalancerArn"`
	Port                 int               `json:"port"`
	Protocol             string            `json:"protocol"`
	CertificateArn       string            `json:"certificateArn"`
	SslPolicy            string            `json:"sslPolicy"`
	DefaultActions       []declaredAction  `json:"defaultActions"`
	Tags                 map[string]string `json:"tags"`
	MutualAuthentication *struct {
		Mode string `json:"mode"`
	} `json:"mutualAuthentication"`

	ServerEnabled       *bool  `json:"routingHttpResponseServerEnabled"`
	AllowCredentials    string `json:"routingHttpResponseAccessControlAllowCredentialsHeaderValue"`
	AllowHeaders        string `json:"routingHttpResponseAccessControlAllowHeadersHeaderValue"`
	AllowMethods        string `json:"routingHttpResponseAccessControlAllowMethodsHeaderValue"`
	AllowOrigin         string `json:"routingHttpResponseAccessControlAllowOriginHeaderValue"`
	ExposeHeaders       string `json:"routingHttpResponseAccessControlExposeHeadersHeaderValue"`
	MaxAge              string `json:"routingHttpResponseAccessControlMaxAgeHeaderValue"`
	ContentSecurity     string `json:"routingHttpResponseContentSecurityPolicyHeaderValue"`
	TransportSecurity   string `json:"routingHttpResponseStrictTransportSecurityHeaderValue"`
	XContentTypeOptions string `json:"routingHttpResponseXContentTypeOptionsHeaderValue"`
	XFrameOptions       string `json:"routingHttpResponseXFrameOptionsHeaderValue"`
}

// headers are what the listener does to the headers of answers:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/header-modification.html
func (d declaredListener) headers() responseHeaders {
	headers := responseHeaders{set: map[string][]string{}, hideServer: d.ServerEnabled != nil && !*d.ServerEnabled}
	for name, value := range map[string]string{
		"Access-Control-Allow-Credentials": d.AllowCredentials, "Access-Control-Allow-Headers": d.AllowHeaders,
		"Access-Control-Allow-Methods": d.AllowMethods, "Access-Control-Allow-Origin": d.AllowOrigin,
		"Access-Control-Expose-Headers": d.ExposeHeaders, "Access-Control-Max-Age": d.MaxAge,
		"Content-Security-Policy": d.ContentSecurity, "Strict-Transport-Security": d.TransportSecurity,
		"X-Content-Type-Options": d.XContentTypeOptions, "X-Frame-Options": d.XFrameOptions,
	} {
		if value != "" {
			headers.set[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
		}
	}
	return headers
}

// check reports what the sandbox cannot do of a listener's settings, or AWS would not take.
func (d declaredListener) check() error {
	var problems []error
	switch {
	case d.Protocol != "HTTP" && d.Protocol != "HTTPS":
		problems = append(problems, invalid("Listener protocol '%s' must be one of 'HTTP, HTTPS'", d.Protocol))
	case d.Protocol == "HTTPS" && d.CertificateArn == "":
		problems = append(problems, invalid("A certificate must be specified for HTTPS listeners"))
	case d.Protocol == "HTTP" && d.CertificateArn != "":
		problems = append(problems, invalid("A certificate cannot be specified for HTTP listeners"))
	}
	if d.MutualAuthentication != nil && d.MutualAuthentication.Mode != "off" {
		problems = append(problems, unsupported("mutual TLS: set mutualAuthentication.mode to off"))
	}
	return errors.Join(problems...)
}

// declaredRule is aws:lb/listenerRule:ListenerRule.
type declaredRule struct {
	Arn         string              `json:"arn"`
	ListenerArn string              `json:"listenerArn"`
	Priority    *int                `json:"priority"`
	Actions     []declaredAction    `json:"actions"`
	Conditions  []declaredCondition `json:"conditions"`
	Tags        map[string]string   `json:"tags"`
}

// declaredCertificate is aws:lb/listenerCertificate:ListenerCertificate.
type declaredCertificate struct {
	ListenerArn    string `json:"listenerArn"`
	CertificateArn string `json:"certificateArn"`
}

type declaredAction struct {
	Type           string  `json:"type"`
	Order          *int32  `json:"order"`
	TargetGroupArn *string `json:"targetGroupArn"`
	Forward        *struct {
		TargetGroups []struct {
			Arn    string `json:"arn"`
			Weight *int32 `json:"weight"`
		} `json:"targetGroups"`
		Stickiness *struct {
			Enabled  bool  `json:"enabled"`
			Duration int32 `json:"duration"`
		} `json:"stickiness"`
	} `json:"forward"`
	Redirect *struct {
		Host       *string `json:"host"`
		Path       *string `json:"path"`
		Port       *string `json:"port"`
		Protocol   *string `json:"protocol"`
		Query      *string `json:"query"`
		StatusCode string  `json:"statusCode"`
	} `json:"redirect"`
	FixedResponse *struct {
		ContentType string  `json:"contentType"`
		MessageBody *string `json:"messageBody"`
		StatusCode  *string `json:"statusCode"`
	} `json:"fixedResponse"`
	AuthenticateCognito any `json:"authenticateCognito"`
	AuthenticateOidc    any `json:"authenticateOidc"`
}

func actionsOf(declared []declaredAction) []types.Action {
	var actions []types.Action
	for _, d := range declared {
		a := types.Action{Type: types.ActionTypeEnum(d.Type), Order: d.Order, TargetGroupArn: d.TargetGroupArn}
		if f := d.Forward; f != nil {
			a.ForwardConfig = &types.ForwardActionConfig{}
			for _, g := range f.TargetGroups {
				a.ForwardConfig.TargetGroups = append(a.ForwardConfig.TargetGroups, types.TargetGroupTuple{TargetGroupArn: new(g.Arn), Weight: g.Weight})
			}
			if f.Stickiness != nil {
				a.ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: new(f.Stickiness.Enabled)}
			}
		}
		if r := d.Redirect; r != nil {
			a.RedirectConfig = &types.RedirectActionConfig{Host: r.Host, Path: r.Path, Port: r.Port, Protocol: r.Protocol, Query: r.Query,
				StatusCode: types.RedirectActionStatusCodeEnum(r.StatusCode)}
		}
		if f := d.FixedResponse; f != nil {
			a.FixedResponseConfig = &types.FixedResponseActionConfig{MessageBody: f.MessageBody, StatusCode: f.StatusCode}
			if f.ContentType != "" {
				a.FixedResponseConfig.ContentType = new(f.ContentType)
			}
		}
		actions = append(actions, a)
	}
	return actions
}

type declaredValues struct {
	Values []string `json:"values"`
}

type declaredCondition struct {
	HostHeader        *declaredValues `json:"hostHeader"`
	PathPattern       *declaredValues `json:"pathPattern"`
	HTTPRequestMethod *declaredValues `json:"httpRequestMethod"`
	SourceIP          *declaredValues `json:"sourceIp"`
	HTTPHeader        *struct {
		Name   string   `json:"httpHeaderName"`
		Values []string `json:"values"`
	} `json:"httpHeader"`
	QueryStrings []struct {
		Key   *string `json:"key"`
		Value string  `json:"value"`
	} `json:"queryStrings"`
}

func conditionsOf(declared []declaredCondition) ([]types.RuleCondition, error) {
	var conditions []types.RuleCondition
	for i, d := range declared {
		before := len(conditions)
		if d.HostHeader != nil {
			conditions = append(conditions, types.RuleCondition{Field: new("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: d.HostHeader.Values}})
		}
		if d.PathPattern != nil {
			conditions = append(conditions, types.RuleCondition{Field: new("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: d.PathPattern.Values}})
		}
		if d.HTTPRequestMethod != nil {
			conditions = append(conditions, types.RuleCondition{Field: new("http-request-method"), HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: d.HTTPRequestMethod.Values}})
		}
		if d.SourceIP != nil {
			conditions = append(conditions, types.RuleCondition{Field: new("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: d.SourceIP.Values}})
		}
		if d.HTTPHeader != nil {
			conditions = append(conditions, types.RuleCondition{Field: new("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: new(d.HTTPHeader.Name), Values: d.HTTPHeader.Values}})
		}
		if len(d.QueryStrings) > 0 {
			config := &types.QueryStringConditionConfig{}
			for _, q := range d.QueryStrings {
				config.Values = append(config.Values, types.QueryStringKeyValuePair{Key: q.Key, Value: new(q.Value)})
			}
			conditions = append(conditions, types.RuleCondition{Field: new("query-string"), QueryStringConfig: config})
		}
		if len(conditions) != before+1 {
			return nil, fmt.Errorf("conditions[%d] has %d conditions: give exactly one of hostHeader, pathPattern, httpHeader, httpRequestMethod, queryStrings or sourceIp",
				i, len(conditions)-before)
		}
	}
	return conditions, nil
}

func either(given, standard string) string {
	if given == "" {
		return standard
	}
	return given
}
