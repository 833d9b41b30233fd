package world

import "strings"

// passed are the types that a stack may declare and that nothing here imitates, each with the reason why a delivery on this
// machine is the same without them. What is in neither this table nor a service's Providers is an error.
var passed = map[string]string{
	"pulumi:providers:":             "a provider is how Pulumi reaches AWS",
	"pulumi:pulumi:":                "Pulumi's own",
	"aws:iam/":                      "IAM is not enforced on this machine; the policies are tested on their own",
	"aws:ec2/":                      "the network is this machine's loopback",
	"aws:s3/":                       "artifacts are folders of this run",
	"aws:kms/":                      "nothing of this run rests encrypted, and its folders are the user's alone",
	"aws:acm/":                      "the load balancer answers plain HTTP on loopback",
	"aws:route53/":                  "an environment is reached by its address on loopback",
	"aws:codestarnotifications/":    "notifications are the journal's entries",
	"aws:cloudwatch/dashboard:":     "the console shows what a dashboard would",
	"aws:cloudwatch/logResourcePol": "IAM is not enforced on this machine",
	"aws:lb/listenerCertificate:":   "the load balancer answers plain HTTP on loopback",
	"aws:ecr/lifecyclePolicy:":      "the registry lives as long as this run",
	"aws:ecr/repositoryPolicy:":     "IAM is not enforced on this machine",
	"aws:secretsmanager/":           "secrets of this machine's tasks come from their declared values",
	"random:":                       "a value that Pulumi itself makes",
	"github:":                       "the repository is this checkout",
	"awsx:":                         "its children are declared one by one",
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
