package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Touch is a resource that users' requests pass through, or that decides where they go.
type Touch struct {
	Resource string
	// Does says what it does for a request, and who owns that at run time.
	Does string
}

// carrier is a type that requests pass through.
type carrier struct {
	does string
	// change says what a change of one of its properties does to requests.
	change string
	// gone says what its removal or replacement does to requests.
	gone string
	// quiet are the properties that no request notices.
	quiet []string
}

// carriers are the types whose change or removal running traffic can notice. Tags and descriptions never matter.
var carriers = map[string]carrier{
	"aws:lb/loadBalancer:LoadBalancer": {
		"takes every request", "changes how requests are taken", "the address changes: requests fail until DNS follows",
		[]string{"accessLogs", "connectionLogs", "enableDeletionProtection", "name"},
	},
	"aws:lb/listener:Listener": {
		"decides which colour answers", "changes how requests are answered", "the port is closed: requests fail", nil,
	},
	"aws:lb/listenerRule:ListenerRule": {
		"sends requests with a header to the candidate", "changes which requests the rule takes", "its requests go to the default action", nil,
	},
	"aws:lb/targetGroup:TargetGroup": {
		"holds one colour's tasks and judges their health", "changes how tasks are judged or drained",
		"its tasks leave the load balancer: requests to this colour fail", []string{"name"},
	},
	"aws:ecs/service:Service": {
		"runs one colour's tasks", "starts a deployment: the tasks are replaced, one after the other",
		"its tasks stop: requests to this colour fail",
		[]string{
			"deploymentCircuitBreaker", "deploymentMaximumPercent", "deploymentMinimumHealthyPercent", "enableEcsManagedTags",
			"enableExecuteCommand", "healthCheckGracePeriodSeconds", "propagateTags", "waitForSteadyState", "availabilityZoneRebalancing", "alarms",
		},
	},
	"aws:appautoscaling/target:Target": {
		"bounds the number of tasks", "can change the number of running tasks", "the number of tasks is not scaled any more", nil,
	},
	"aws:ec2/securityGroup:SecurityGroup": {
		"lets requests through to what has it", "changes who can reach what", "what has it is cut off", []string{"name"},
	},
	"aws:ec2/securityGroupRule:SecurityGroupRule":               rulesTraffic,
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": rulesTraffic,
	"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule":   rulesTraffic,
	"aws:ec2/route:Route": {
		"leads packets out of a subnet", "changes where packets go", "packets find no way out", nil,
	},
	"aws:ec2/natGateway:NatGateway": {
		"leads the tasks' own calls out", "changes how tasks reach the internet", "tasks cannot reach the internet meanwhile", nil,
	},
	"aws:ec2/subnet:Subnet": {
		"holds tasks and load balancer", "changes where tasks run", "what runs in it is stopped", []string{"mapPublicIpOnLaunch"},
	},
	"aws:route53/record:Record": {
		"leads the domain to the load balancer", "changes where the domain leads", "the domain leads nowhere", []string{"ttl"},
	},
	"aws:acm/certificate:Certificate": {
		"proves the domain to browsers", "changes what the certificate covers", "browsers refuse the connection until it is there", nil,
	},
}

var rulesTraffic = carrier{
	"lets packets through", "changes who can reach what", "what it let through is cut off", []string{"description"},
}

// quietAlways are the properties of any type that no request notices.
var quietAlways = []string{"tags", "tagsAll", "description"}

// traffic lists what requests pass through, in the order in which they do.
func traffic(g *graph.Graph) []Touch {
	order := []string{
		"aws:route53/record:Record", "aws:lb/loadBalancer:LoadBalancer", "aws:lb/listener:Listener", "aws:lb/listenerRule:ListenerRule",
		"aws:lb/targetGroup:TargetGroup", "aws:ecs/service:Service", "aws:appautoscaling/target:Target",
	}
	touches := []Touch{}
	for _, typ := range order {
		for _, r := range g.OfType(typ) {
			does := carriers[typ].does
			if len(r.IgnoreChanges) > 0 {
				does += fmt.Sprintf("; `up` never writes %s", strings.Join(r.IgnoreChanges, ", "))
			}
			touches = append(touches, Touch{Resource: r.URN, Does: does})
		}
	}
	return touches
}

// diverts says what a new resource does to running traffic. What is new carries none yet, except a rule on a listener that
// stands already: it takes requests that others answered.
func diverts(r graph.Resource, stood map[string]bool) string {
	if r.Type != "aws:lb/listenerRule:ListenerRule" {
		return ""
	}
	for _, urn := range r.Dependencies {
		if stood[urn] && typeOf(urn) == "aws:lb/listener:Listener" {
			return "takes the requests that it matches from where they go now"
		}
	}
	return ""
}

// effect says what a change of what stands does to running traffic; empty when no request can notice it.
func effect(c Change) string {
	carries, ok := carriers[c.Type]
	if !ok {
		return ""
	}
	if c.Action == Remove || c.Action == Replace {
		return carries.gone
	}
	var loud []string
	for _, p := range c.Properties {
		top, _, _ := strings.Cut(strings.ReplaceAll(p.Path, "[", "."), ".")
		if !slices.Contains(quietAlways, top) && !slices.Contains(carries.quiet, top) && !slices.Contains(loud, top) {
			loud = append(loud, top)
		}
	}
	if len(loud) == 0 {
		return ""
	}
	return carries.change + " (" + strings.Join(loud, ", ") + ")"
}
