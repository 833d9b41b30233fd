package plan

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// identity are the documents that say what a role may do: type and property.
var identity = map[string]string{
	"aws:iam/policy:Policy":         "policy",
	"aws:iam/rolePolicy:RolePolicy": "policy",
}

// access are the documents that say who may use a resource. Their resource is the one that they stand on.
var access = map[string]string{
	"aws:iam/role:Role":                         "assumeRolePolicy",
	"aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
	"aws:s3/bucketPolicy:BucketPolicy":          "policy",
	"aws:kms/key:Key":                           "policy",
	"aws:kms/keyPolicy:KeyPolicy":               "policy",
	"aws:sns/topicPolicy:TopicPolicy":           "policy",
}

// unscoped are the actions that AWS allows on every resource or on none (Service Authorization Reference: no resource type in
// the action's row). A statement of these alone has to say "*".
var unscoped = []string{
	"application-autoscaling:Describe*", "cloudwatch:Describe*", "cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics",
	"cloudwatch:ListMetrics", "cloudwatch:PutMetricData", "codepipeline:AcknowledgeJob", "codepipeline:GetJobDetails",
	"codepipeline:PutJobFailureResult", "codepipeline:PutJobSuccessResult", "ec2:Describe*", "ecr:GetAuthorizationToken",
	"ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecs:RegisterTaskDefinition",
	"elasticloadbalancing:Describe*", "iam:ListRoles", "kms:ListAliases", "kms:ListKeys", "logs:CreateLogDelivery",
	"logs:DescribeLogGroups", "s3:ListAllMyBuckets", "ssm:DescribeParameters", "ssmmessages:CreateControlChannel",
	"ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel", "sts:GetCallerIdentity",
	"tag:GetResources", "tag:GetTagKeys", "tag:GetTagValues", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
}

// reading are the beginnings of actions that change nothing, for which a wildcard is a list of questions.
var reading = []string{"BatchGet", "Describe", "Get", "List", "Lookup"}

func wildcard(_ scope, r graph.Resource) []string {
	var reasons []string
	if property, ok := identity[r.Type]; ok {
		for _, s := range statements(document(r, property)) {
			reasons = append(reasons, broad(s)...)
		}
	}
	for i := range list(r, "inlinePolicies") {
		for _, s := range statements(document(r, fmt.Sprintf("inlinePolicies[%d].policy", i))) {
			reasons = append(reasons, broad(s)...)
		}
	}
	if property, ok := access[r.Type]; ok {
		for _, s := range statements(document(r, property)) {
			if s["Effect"] == "Allow" && s["Condition"] == nil && everyone(s["Principal"]) {
				reasons = append(reasons, named(s)+"lets everyone in: name the principal or add a condition")
			}
		}
	}
	return reasons
}

// statements reads an IAM document's statements, of which there may be one without a list.
func statements(document any) []map[string]any {
	object, _ := document.(map[string]any)
	switch found := object["Statement"].(type) {
	case map[string]any:
		return []map[string]any{found}
	case []any:
		var all []map[string]any
		for _, element := range found {
			if s, ok := element.(map[string]any); ok {
				all = append(all, s)
			}
		}
		return all
	default:
		return nil
	}
}

// reasonPrefix begins the Sid of a statement whose author says why it is as wide as it is; the components' policies write it.
const reasonPrefix = "Because"

// broad says what is too wide in a statement that allows something and gives no reason for it.
func broad(s map[string]any) []string {
	sid, _ := s["Sid"].(string)
	if s["Effect"] != "Allow" || strings.HasPrefix(sid, reasonPrefix) {
		return nil
	}
	var reasons []string
	actions := texts(s["Action"])
	for _, action := range actions {
		service, operation, _ := strings.Cut(action, ":")
		if strings.Contains(action, "*") && (service == "*" || !slices.ContainsFunc(reading, func(verb string) bool {
			return strings.HasPrefix(operation, verb)
		})) {
			reasons = append(reasons, fmt.Sprintf("%sallows %s: name the actions", named(s), action))
		}
	}
	if s["NotAction"] != nil || s["NotResource"] != nil {
		reasons = append(reasons, named(s)+"allows all but a few: name what it allows")
	}
	if s["Condition"] != nil {
		return reasons // the condition narrows the resources
	}
	for _, resource := range texts(s["Resource"]) {
		if resource != "*" && !strings.HasSuffix(resource, ":role/*") {
			continue
		}
		var scoped []string
		for _, action := range actions {
			if !slices.ContainsFunc(unscoped, func(pattern string) bool { ok, _ := path.Match(pattern, action); return ok }) {
				scoped = append(scoped, action)
			}
		}
		if len(scoped) > 0 {
			reasons = append(reasons, fmt.Sprintf("%sallows %s on %s: name the resources", named(s), strings.Join(scoped, ", "), resource))
		}
	}
	return reasons
}

func named(s map[string]any) string {
	if sid, ok := s["Sid"].(string); ok && sid != "" {
		return "statement " + sid + " "
	}
	return "a statement "
}

func everyone(principal any) bool {
	if principal == "*" {
		return true
	}
	byType, _ := principal.(map[string]any)
	return slices.Contains(texts(byType["AWS"]), "*")
}
