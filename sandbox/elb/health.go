package elb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// healthCheck is how a target group's targets are checked.
type healthCheck struct {
	protocol types.ProtocolEnum
	path     string
	matcher  matcher
	// interval is of the sandbox's clock, timeout of the machine's own.
	interval, timeout            time.Duration
	healthyAfter, unhealthyAfter int
}

// matcher is the set of statuses that pass, such as "200", "200,202" or "200-299".
type matcher [][2]int

// readMatcher reads success codes: values of 200 to 499, and ranges of them.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Matcher.html
func readMatcher(text string) (matcher, error) {
	var m matcher
	for part := range strings.SplitSeq(text, ",") {
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		from, err1 := strconv.Atoi(strings.TrimSpace(low))
		to, err2 := strconv.Atoi(strings.TrimSpace(high))
		if err1 != nil || err2 != nil || from < 200 || to > 499 || from > to {
			return nil, invalid("Health check matcher HTTP code '%s' must be within '200-499': a code, codes such as '200,202' or a range such as '200-299'", text)
		}
		m = append(m, [2]int{from, to})
	}
	return m, nil
}

func (m matcher) passes(status int) bool {
	for _, codes := range m {
		if codes[0] <= status && status <= codes[1] {
			return true
		}
	}
	return false
}

// verdict is the outcome of one health check: the zero value is a pass.
type verdict struct {
	reason      types.TargetHealthReasonEnum
	description string
}

// health is a target's state and the run of equal verdicts that led to it.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html#target-health-states
type health struct {
	state            types.TargetHealthStateEnum
	reason           types.TargetHealthReasonEnum
	description      string
	passes, failures int
}

func unused() health {
	return health{state: types.TargetHealthStateEnumUnused, reason: types.TargetHealthReasonEnumNotInUse,
		description: "Target group is not configured to receive traffic from the load balancer"}
}

func registering() health {
	return health{state: types.TargetHealthStateEnumInitial, reason: types.TargetHealthReasonEnumRegistrationInProgress,
		description: "Target registration is in progress"}
}

func checking() health {
	return health{state: types.TargetHealthStateEnumInitial, reason: types.TargetHealthReasonEnumInitialHealthChecking,
		description: "Initial health checks in progress"}
}

func deregistering() health {
	return health{state: types.TargetHealthStateEnumDraining, reason: types.TargetHealthReasonEnumDeregistrationInProgress,
		description: "Target deregistration is in progress"}
}

// judge returns the health after one more verdict. One pass makes an initial target healthy; an unhealthy one needs
// healthyAfter passes in a row. unhealthyAfter failures in a row make a target unhealthy, be it initial or healthy.
func (h health) judge(v verdict, check healthCheck) health {
	if v == (verdict{}) {
		h.passes, h.failures = h.passes+1, 0
		if h.state == types.TargetHealthStateEnumInitial || h.passes >= check.healthyAfter {
			return health{state: types.TargetHealthStateEnumHealthy, passes: h.passes}
		}
		return h
	}
	h.passes, h.failures = 0, h.failures+1
	if h.state == types.TargetHealthStateEnumUnhealthy || h.failures >= check.unhealthyAfter {
		return health{state: types.TargetHealthStateEnumUnhealthy, reason: v.reason, description: v.description, failures: h.failures}
	}
	return h
}

// show is the health as the API shows it.
func (h health) show() *types.TargetHealth {
	shown := &types.TargetHealth{State: h.state, Reason: h.reason}
	if h.description != "" {
		shown.Description = new(h.description)
	}
	return shown
}

// checker sends health checks. Each has a connection of its own, as AWS's have.
var checker = &http.Client{
	Transport: &http.Transport{
		DisableKeepAlives: true, DisableCompression: true, DialContext: (&net.Dialer{}).DialContext,
		TLSClientConfig: unverified,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// probe checks a target once. host is what the Host header names: the target's registered address.
func (c healthCheck) probe(ctx context.Context, address, host string) verdict {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ToLower(string(c.protocol))+"://"+address+c.path, nil)
	if err != nil {
		return verdict{types.TargetHealthReasonEnumInternalError, "Health checks failed due to an internal error"}
	}
	request.Host = host
	request.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	answer, err := checker.Do(request)
	switch {
	case err == nil:
		answer.Body.Close()
		if c.matcher.passes(answer.StatusCode) {
			return verdict{}
		}
		return verdict{types.TargetHealthReasonEnumResponseCodeMismatch, fmt.Sprintf("Health checks failed with these codes: [%d]", answer.StatusCode)}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return verdict{types.TargetHealthReasonEnumTimeout, "Request timed out"}
	default:
		return verdict{types.TargetHealthReasonEnumFailedHealthChecks, "Health checks failed"}
	}
}
