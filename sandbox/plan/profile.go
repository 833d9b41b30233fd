package plan

import (
	"fmt"
	"strings"
)

// kindsOfCost are the rows of a profile: the words and the types that they gather. What is not named is "the rest".
var kindsOfCost = []struct {
	words string
	types []string
}{
	{"load balancer with its addresses", []string{"aws:lb/loadBalancer:LoadBalancer"}},
	{"tasks", []string{"aws:ecs/service:Service"}},
	{"way to the internet (NAT, addresses, endpoints)", []string{"aws:ec2/natGateway:NatGateway", "aws:ec2/eip:Eip", "aws:ec2/vpcEndpoint:VpcEndpoint"}},
	{"alarms and dashboards", []string{
		"aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm", "aws:cloudwatch/dashboard:Dashboard",
	}},
	{"keys and secrets", []string{"aws:kms/key:Key", "aws:secretsmanager/secret:Secret", "aws:ssm/parameter:Parameter"}},
	{"images and objects", []string{"aws:ecr/repository:Repository", "aws:s3/bucketV2:BucketV2", "aws:s3/bucket:Bucket"}},
}

// Profile is the monthly cost of each stack at rest as a Markdown table, a column a stack, with its assumptions below.
func Profile(plans []*Plan) string {
	var text strings.Builder
	text.WriteString("| USD a month at rest |")
	rule := "\n|---|"
	for _, p := range plans {
		fmt.Fprintf(&text, " %s |", p.Stack)
		rule += "--:|"
	}
	text.WriteString(rule + "\n")
	row := func(words string, sum func(p *Plan) float64) {
		fmt.Fprintf(&text, "| %s |", words)
		for _, p := range plans {
			fmt.Fprintf(&text, " %.2f |", sum(p))
		}
		text.WriteString("\n")
	}
	rest := func(p *Plan) float64 { return p.MonthlyCostUSD }
	for _, kind := range kindsOfCost {
		sum := func(p *Plan) float64 { return p.sum(kind.types) }
		row(kind.words, sum)
		before := rest
		rest = func(p *Plan) float64 { return before(p) - sum(p) }
	}
	row("the rest", func(p *Plan) float64 { return max(0, cents(rest(p))) })
	row("**in all**", func(p *Plan) float64 { return p.MonthlyCostUSD })
	said := map[string]bool{}
	text.WriteString("\n")
	for _, p := range plans {
		for _, a := range p.Assumptions {
			if !said[a] {
				text.WriteString("- " + a + "\n")
			}
			said[a] = true
		}
	}
	return text.String()
}

func (p *Plan) sum(types []string) float64 {
	total := 0.0
	for _, c := range p.Costs {
		for _, typ := range types {
			if typeOf(c.Resource) == typ {
				total += c.MonthlyUSD
			}
		}
	}
	return cents(total)
}
