package world

import "strings"

// passed are the types that a stack may declare and that nothing here imitates, by the beginning of their tokens, each with the
// reason why a delivery on this machine is the same without them. What is in neither this table nor a service's Providers is
// an error.
var passed = map[string]string{
	"pulumi:":      "how Pulumi itself works",
	"aws:iam/":     "IAM is not enforced on this machine; the policies have tests of their own",
	"aws:ec2/":     "the network is this machine's loopback",
	"aws:s3/":      "artifacts are folders of this run",
	"aws:kms/":     "nothing of this run outlives it, and its folders are the user's alone",
	"aws:acm/":     "the load balancer makes its certificates itself",
	"aws:route53/": "names lead to the load balancers without a name server",
	"aws:sns/":     "what a topic would tell people stands in the journal",
	"github:":      "the repository is this checkout",
}

// passedOver says whether a type may be declared without anything behind it, and why.
func passedOver(typ string) (reason string, yes bool) {
	for prefix, reason := range passed {
		if strings.HasPrefix(typ, prefix) {
			return reason, true
		}
	}
	return "", false
}
