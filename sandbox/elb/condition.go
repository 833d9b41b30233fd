package elb

import (
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Quotas of a rule's conditions that cannot be raised:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
const (
	valuesOfRule    = 5
	wildcardsOfRule = 5
	longestValue    = 128
	longestName     = 40
)

// condition tells whether a request meets one condition of a rule.
type condition func(*http.Request) bool

var method = regexp.MustCompile(`^[A-Z_-]{1,40}$`)

// readConditions checks a rule's conditions as CreateRule and ModifyRule do. It returns them as DescribeRules shows them, and
// compiled.
func readConditions(declared []types.RuleCondition) (shown []types.RuleCondition, compiled []condition, err error) {
	if len(declared) == 0 {
		return nil, nil, invalid("A condition must be specified")
	}
	seen := map[string]bool{}
	var values, wild int
	for _, c := range declared {
		reader := conditionReader{field: aws.ToString(c.Field)}
		c, match, err := reader.read(c)
		if err != nil {
			return nil, nil, err
		}
		if repeatable := reader.field == "http-header" || reader.field == "query-string"; seen[reader.field] && !repeatable {
			return nil, nil, invalid("A rule can only have one '%s' condition", reader.field)
		}
		seen[reader.field] = true
		values, wild = values+reader.values, wild+reader.wild
		shown, compiled = append(shown, c), append(compiled, match)
	}
	switch {
	case values > valuesOfRule:
		return nil, nil, invalid("A rule can only have '%d' condition values", valuesOfRule)
	case wild > wildcardsOfRule:
		return nil, nil, invalid("A rule can only have '%d' condition wildcards", wildcardsOfRule)
	}
	return shown, compiled, nil
}

// conditionReader reads one condition and counts what it uses up.
type conditionReader struct {
	field        string
	values, wild int
}

func (r *conditionReader) read(c types.RuleCondition) (types.RuleCondition, condition, error) {
	if len(c.RegexValues) > 0 {
		return c, nil, unsupported("regular expressions in rule conditions: use Values with wildcards")
	}
	if len(c.Values) > 0 && r.field != "host-header" && r.field != "path-pattern" {
		return c, nil, invalid("The 'Values' field is not compatible with '%s'", r.field)
	}
	switch r.field {
	case "host-header":
		var values []string
		if c.HostHeaderConfig != nil {
			if len(c.HostHeaderConfig.RegexValues) > 0 {
				return c, nil, unsupported("regular expressions in host-header conditions: use Values with wildcards")
			}
			values = c.HostHeaderConfig.Values
		}
		values, err := r.either(c.Values, values, c.HostHeaderConfig != nil)
		if err != nil {
			return c, nil, err
		}
		c.Values, c.HostHeaderConfig = values, &types.HostHeaderConditionConfig{Values: values}
		hosts, err := r.patterns(values, true)
		return c, func(q *http.Request) bool { return matchesAny(hosts, hostname(q.Host)) }, err

	case "path-pattern":
		var values []string
		if c.PathPatternConfig != nil {
			if len(c.PathPatternConfig.RegexValues) > 0 {
				return c, nil, unsupported("regular expressions in path-pattern conditions: use Values with wildcards")
			}
			values = c.PathPatternConfig.Values
		}
		values, err := r.either(c.Values, values, c.PathPatternConfig != nil)
		if err != nil {
			return c, nil, err
		}
		c.Values, c.PathPatternConfig = values, &types.PathPatternConditionConfig{Values: values}
		paths, err := r.patterns(values, false)
		return c, func(q *http.Request) bool { return matchesAny(paths, q.URL.EscapedPath()) }, err

	case "http-header":
		config := c.HttpHeaderConfig
		if config == nil {
			return c, nil, invalid("A 'HttpHeaderConfig' must be specified with 'http-header'")
		}
		if len(config.RegexValues) > 0 {
			return c, nil, unsupported("regular expressions in http-header conditions: use Values with wildcards")
		}
		name := aws.ToString(config.HttpHeaderName)
		switch {
		case name == "":
			return c, nil, invalid("A 'HttpHeaderName' must be specified with 'http-header'")
		case len(name) > longestName:
			return c, nil, invalid("The 'HttpHeaderName' value is too long; the limit is '%d'", longestName)
		case strings.ContainsAny(name, "*?"):
			return c, nil, invalid("The 'HttpHeaderName' value must not contain wildcards")
		case strings.EqualFold(name, "host"):
			return c, nil, invalid("The 'host' header cannot be used with 'http-header'; use 'host-header' instead")
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		values, err := r.patterns(config.Values, true)
		return c, func(q *http.Request) bool {
			for _, value := range q.Header[name] {
				if matchesAny(values, value) {
					return true
				}
			}
			return false
		}, err

	case "http-request-method":
		config := c.HttpRequestMethodConfig
		if config == nil {
			return c, nil, invalid("A 'HttpRequestMethodConfig' must be specified with 'http-request-method'")
		}
		if err := r.count(config.Values); err != nil {
			return c, nil, err
		}
		for _, value := range config.Values {
			if !method.MatchString(value) {
				return c, nil, invalid("The 'http-request-method' value '%s' is invalid; the allowed characters are A-Z, hyphen and underscore, and the limit is '%d'", value, longestName)
			}
		}
		methods := config.Values
		return c, func(q *http.Request) bool {
			for _, m := range methods {
				if m == q.Method {
					return true
				}
			}
			return false
		}, nil

	case "query-string":
		if c.QueryStringConfig == nil {
			return c, nil, invalid("A 'QueryStringConfig' must be specified with 'query-string'")
		}
		pairs, err := r.pairs(c.QueryStringConfig.Values)
		return c, func(q *http.Request) bool { return matchesQuery(pairs, q.URL.RawQuery) }, err

	case "source-ip":
		if c.SourceIpConfig == nil {
			return c, nil, invalid("A 'SourceIpConfig' must be specified with 'source-ip'")
		}
		blocks, err := r.blocks(c.SourceIpConfig.Values)
		return c, func(q *http.Request) bool {
			from, err := netip.ParseAddrPort(q.RemoteAddr)
			if err != nil {
				return false
			}
			for _, b := range blocks {
				if b.Contains(from.Addr().Unmap()) {
					return true
				}
			}
			return false
		}, err
	}
	return c, nil, invalid("Condition field '%s' must be one of '[path-pattern,host-header,http-header,http-request-method,query-string,source-ip]'", r.field)
}

// either returns the values of a condition that has an old form, Values with one value, and a new one, a structure.
func (r *conditionReader) either(old, structured []string, hasStructure bool) ([]string, error) {
	switch {
	case hasStructure && len(old) > 0 && strings.Join(old, "\n") != strings.Join(structured, "\n"):
		return nil, invalid("You cannot provide both Values and a structure for a condition of type '%s'", r.field)
	case hasStructure:
		return structured, nil
	case len(old) > 1:
		return nil, invalid("The '%s' field contains too many values; the limit is '1'", r.field)
	}
	return old, nil
}

func (r *conditionReader) count(values []string) error {
	if len(values) == 0 {
		return invalid("A condition value must be specified")
	}
	r.values += len(values)
	for _, value := range values {
		switch {
		case value == "":
			return invalid("A '%s' value must not be empty", r.field)
		case len(value) > longestValue:
			return invalid("The '%s' value is too long; the limit is '%d'", r.field, longestValue)
		}
	}
	return nil
}

func (r *conditionReader) patterns(values []string, fold bool) ([]wildcard, error) {
	if err := r.count(values); err != nil {
		return nil, err
	}
	var patterns []wildcard
	for _, value := range values {
		p := newWildcard(strings.ReplaceAll(value, "&amp;", "&"), fold, false)
		r.wild += p.wild()
		patterns = append(patterns, p)
	}
	return patterns, nil
}

// pair is one comparison of a query string condition; key is nil where any key will do.
type pair struct {
	key   *wildcard
	value wildcard
}

func (r *conditionReader) pairs(declared []types.QueryStringKeyValuePair) ([]pair, error) {
	var pairs []pair
	var texts []string
	for _, d := range declared {
		if d.Value == nil {
			return nil, invalid("A 'Value' must be specified in 'QueryStringKeyValuePair'")
		}
		p := pair{value: newWildcard(*d.Value, true, true)}
		if d.Key != nil {
			if len(*d.Key) > longestValue {
				return nil, invalid("The 'Key' value is too long; the limit is '%d'", longestValue)
			}
			p.key = new(newWildcard(*d.Key, true, true))
			r.wild += p.key.wild()
		}
		r.wild += p.value.wild()
		pairs, texts = append(pairs, p), append(texts, *d.Value)
	}
	return pairs, r.count(texts)
}

func (r *conditionReader) blocks(values []string) ([]netip.Prefix, error) {
	if err := r.count(values); err != nil {
		return nil, err
	}
	var blocks []netip.Prefix
	for _, value := range values {
		block, err := netip.ParsePrefix(value)
		if err != nil || value == "255.255.255.255/32" {
			return nil, invalid("The 'source-ip' value '%s' must be a CIDR block such as 192.0.2.0/24", value)
		}
		blocks = append(blocks, block.Masked())
	}
	return blocks, nil
}

func matchesAny(patterns []wildcard, text string) bool {
	for _, p := range patterns {
		if p.matches(text) {
			return true
		}
	}
	return false
}

// matchesQuery compares keys and values as they were sent, without decoding them.
func matchesQuery(pairs []pair, query string) bool {
	for query != "" {
		var sent string
		sent, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(sent, "=")
		for _, p := range pairs {
			if (p.key == nil || p.key.matches(key)) && p.value.matches(value) {
				return true
			}
		}
	}
	return false
}

// hostname is a Host header without its port.
func hostname(host string) string {
	if !strings.Contains(host, ":") {
		return host
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
