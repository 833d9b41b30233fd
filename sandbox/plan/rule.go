package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// Rules are what the plan calls unsafe, sorted by name.
var Rules = []Rule{
	{"deletion-protection", "a production load balancer or repository that one wrong command deletes", deletionProtection},
	{"exec-enabled", "a shell into production containers (ECS Exec)", execEnabled},
	{"explicit-name", "a physical name that Pulumi would choose by itself: a replacement then deletes before it creates", explicitName},
	{"key-rotation", "an encryption key that is never rotated", keyRotation},
	{"missing-ignore", "a field that is owned at run time and that `pulumi up` would write back", missingIgnore},
	{"missing-retention", "logs, images or objects that are kept for ever", missingRetention},
	{"mutable-tags", "a repository in which a tag can be pushed again with other content", mutableTags},
	{"plain-http", "a listener that carries traffic without TLS", plainHTTP},
	{"plain-secret", "a secret in a plain environment variable, which every reader of the configuration sees", plainSecret},
	{"privileged-build", "a build that runs as root of its host", privilegedBuild},
	{"public-bucket", "a bucket that one wrong policy opens to the world", publicBucket},
	{"public-ingress", "an open port on anything but the load balancer", publicIngress},
	{"public-ip", "production tasks with public addresses", publicIP},
	{"sleeping-production", "a production environment that has no tasks at night", sleepingProduction},
	{"unencrypted-store", "data at rest without a key of this project", unencryptedStore},
	{"unscanned-image", "a repository whose images nobody scans", unscannedImage},
	{"unused-policy", "a policy that is attached to nothing", unusedPolicy},
	{"weak-tls", "a listener that accepts TLS before 1.2", weakTLS},
	{"wildcard", "a permission for every action, or on every resource, where AWS allows a narrower one", wildcard},
	{"writable-root", "a container that can change its own root file system", writableRoot},
}

// one is a rule's answer with a single reason.
func one(format string, values ...any) []string { return []string{fmt.Sprintf(format, values...)} }

func deletionProtection(s scope, r graph.Resource) []string {
	if !s.production {
		return nil
	}
	switch r.Type {
	case "aws:lb/loadBalancer:LoadBalancer":
		if input(r, "enableDeletionProtection") != true {
			return one("enableDeletionProtection is off: set it in production")
		}
	case "aws:ecr/repository:Repository":
		if !r.Protect || input(r, "forceDelete") == true {
			return one("the repository holds what production runs: set protect, and forceDelete to false")
		}
	}
	return nil
}

func execEnabled(s scope, r graph.Resource) []string {
	if s.production && r.Type == "aws:ecs/service:Service" && input(r, "enableExecuteCommand") == true {
		return one("enableExecuteCommand gives whoever may call it a shell in production: turn it off")
	}
	return nil
}

func explicitName(_ scope, r graph.Resource) []string {
	property, auto := graph.Autonamed(r.Type)
	if name := text(r, property); auto && name != "" && r.Type != "aws:iam/rolePolicy:RolePolicy" {
		return one("%s is set to %q: leave it to autonaming, or say which other system has to guess it", property, name)
	}
	return nil
}

func keyRotation(_ scope, r graph.Resource) []string {
	if r.Type == "aws:kms/key:Key" && input(r, "enableKeyRotation") != true && text(r, "keyUsage") != "SIGN_VERIFY" {
		return one("enableKeyRotation is off: turn it on")
	}
	return nil
}

// owned are the fields that have another owner at run time: type, when, and the fields. Source: the ownership table of the
// design, docs/architecture.
var owned = []struct {
	typ    string
	when   func(r graph.Resource) bool
	fields []string
	owner  string
}{
	{"aws:lb/listener:Listener", forwards("defaultActions"), []string{"defaultActions"}, "shiftfn"},
	{"aws:lb/listenerRule:ListenerRule", forwards("actions"), []string{"actions"}, "shiftfn"},
	{"aws:ecs/service:Service", always, []string{"desiredCount", "taskDefinition"}, "the pipeline and shiftfn"},
	{"aws:appautoscaling/target:Target", ofECS, []string{"minCapacity", "suspendedState"}, "shiftfn"},
}

func always(graph.Resource) bool { return true }

func ofECS(r graph.Resource) bool { return text(r, "serviceNamespace") == "ecs" }

// forwards tells whether an action divides requests between target groups, which only shiftfn may do.
func forwards(actions string) func(graph.Resource) bool {
	return func(r graph.Resource) bool {
		return slices.ContainsFunc(list(r, actions), func(action map[string]any) bool { return action["forward"] != nil })
	}
}

func missingIgnore(_ scope, r graph.Resource) []string {
	var reasons []string
	for _, o := range owned {
		if r.Type != o.typ || !o.when(r) {
			continue
		}
		for _, field := range o.fields {
			if !slices.Contains(r.IgnoreChanges, field) {
				reasons = append(reasons, fmt.Sprintf("%s belongs to %s at run time: add it, whole, to ignoreChanges", field, o.owner))
			}
		}
	}
	return reasons
}

func missingRetention(s scope, r graph.Resource) []string {
	switch r.Type {
	case "aws:cloudwatch/logGroup:LogGroup":
		if number(r, "retentionInDays", 0) == 0 {
			return one("retentionInDays is not set: logs are kept and paid for for ever")
		}
	case "aws:s3/bucketV2:BucketV2":
		if !s.attached(r, "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", "bucket") {
			return one("no lifecycle configuration: objects are kept for ever")
		}
	case "aws:s3/bucket:Bucket":
		if input(r, "lifecycleRules") == nil && !s.attached(r, "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", "bucket") {
			return one("no lifecycle rules: objects are kept for ever")
		}
	case "aws:ecr/repository:Repository":
		if !s.attached(r, "aws:ecr/lifecyclePolicy:LifecyclePolicy", "repository") {
			return one("no lifecycle policy: images are kept for ever")
		}
	}
	return nil
}

// attached tells whether a resource of a type names this one in a property.
func (s scope) attached(r graph.Resource, typ, property string) bool {
	return slices.ContainsFunc(s.graph.OfType(typ), func(other graph.Resource) bool { return names(other, property, r) })
}

func mutableTags(_ scope, r graph.Resource) []string {
	if r.Type == "aws:ecr/repository:Repository" && !strings.HasPrefix(text(r, "imageTagMutability"), "IMMUTABLE") {
		return one("imageTagMutability is not IMMUTABLE")
	}
	return nil
}

func plainHTTP(_ scope, r graph.Resource) []string {
	if r.Type != "aws:lb/listener:Listener" || text(r, "protocol") != "HTTP" {
		return nil
	}
	for _, action := range list(r, "defaultActions") {
		if action["type"] != "redirect" {
			return one("port %s speaks plain HTTP: listen with HTTPS and a certificate, and redirect HTTP to it", text(r, "port"))
		}
	}
	return nil
}

var secretName = regexp.MustCompile(`(?i)(password|passwd|secret|token|api_?key|private_?key|credential)`)

// reference is a name that holds the place of a secret and not the secret.
var reference = regexp.MustCompile(`(?i)(_ARN|_NAME|_ID|_PARAMETER|_PATH|_HEADER)$`)

func plainSecret(_ scope, r graph.Resource) []string {
	var reasons []string
	check := func(path, name string) {
		secret := slices.ContainsFunc(r.Secrets, func(at string) bool {
			return at == path || strings.HasPrefix(at, path+".") || strings.HasPrefix(path, at+".") || strings.HasPrefix(path, at+"[")
		})
		if secret || secretName.MatchString(name) && !reference.MatchString(name) {
			reasons = append(reasons, fmt.Sprintf("the environment variable %s: give it by reference from Secrets Manager or SSM", name))
		}
	}
	switch r.Type {
	case "aws:lambda/function:Function":
		variables, _ := input(r, "environment.variables").(map[string]any)
		for name := range variables {
			check("environment.variables."+name, name)
		}
	case "aws:codebuild/project:Project":
		for i, v := range list(r, "environment.environmentVariables") {
			if v["type"] == nil || v["type"] == "PLAINTEXT" {
				check(fmt.Sprintf("environment.environmentVariables[%d].value", i), fmt.Sprint(v["name"]))
			}
		}
	case "aws:ecs/taskDefinition:TaskDefinition":
		for _, c := range containers(r) {
			variables, _ := c["environment"].([]any)
			for _, entry := range variables {
				v, _ := entry.(map[string]any)
				if secretName.MatchString(fmt.Sprint(v["name"])) {
					check("", fmt.Sprint(v["name"]))
				}
			}
		}
		if slices.Contains(r.Secrets, "containerDefinitions") {
			reasons = append(reasons, "containerDefinitions hold a secret value: give it by reference in `secrets`")
		}
	}
	slices.Sort(reasons)
	return reasons
}

// containers reads a task definition's containers.
func containers(r graph.Resource) []map[string]any {
	array, _ := document(r, "containerDefinitions").([]any)
	var all []map[string]any
	for _, element := range array {
		if c, ok := element.(map[string]any); ok {
			all = append(all, c)
		}
	}
	return all
}

func privilegedBuild(_ scope, r graph.Resource) []string {
	if r.Type == "aws:codebuild/project:Project" && input(r, "environment.privilegedMode") == true {
		return one("environment.privilegedMode is on, which `docker build` needs inside CodeBuild: accept it for an image build alone")
	}
	return nil
}

func publicBucket(s scope, r graph.Resource) []string {
	if r.Type != "aws:s3/bucketV2:BucketV2" && r.Type != "aws:s3/bucket:Bucket" {
		return nil
	}
	for _, block := range s.graph.OfType("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock") {
		if !names(block, "bucket", r) {
			continue
		}
		for _, property := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
			if input(block, property) != true {
				return one("the public access block leaves %s off", property)
			}
		}
		return nil
	}
	return one("no public access block: add one with all four settings on")
}

// publicIngress looks at rules of every form in which a security group can be given them.
func publicIngress(s scope, r graph.Resource) []string {
	open := func(blocks ...any) bool {
		return slices.ContainsFunc(blocks, func(block any) bool {
			return slices.ContainsFunc(texts(block), func(b string) bool { return b == "0.0.0.0/0" || b == "::/0" })
		})
	}
	var reasons []string
	report := func(group string, from, to any) {
		if !s.ofLoadBalancer(group) {
			reasons = append(reasons, fmt.Sprintf("ports %v to %v are open to the world: only the load balancer's may be", from, to))
		}
	}
	switch r.Type {
	case "aws:ec2/securityGroup:SecurityGroup":
		for _, rule := range list(r, "ingress") {
			if open(rule["cidrBlocks"], rule["ipv6CidrBlocks"]) {
				report(r.ID, rule["fromPort"], rule["toPort"])
			}
		}
	case "aws:ec2/securityGroupRule:SecurityGroupRule":
		if text(r, "type") == "ingress" && open(input(r, "cidrBlocks"), input(r, "ipv6CidrBlocks")) {
			report(text(r, "securityGroupId"), input(r, "fromPort"), input(r, "toPort"))
		}
	case "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
		if open(input(r, "cidrIpv4"), input(r, "cidrIpv6")) {
			report(text(r, "securityGroupId"), input(r, "fromPort"), input(r, "toPort"))
		}
	}
	return reasons
}

// ofLoadBalancer tells whether a security group is a load balancer's and nothing else's.
func (s scope) ofLoadBalancer(group string) bool {
	uses := func(typ, property string) bool {
		return slices.ContainsFunc(s.graph.OfType(typ), func(r graph.Resource) bool {
			return slices.Contains(texts(input(r, property)), group)
		})
	}
	return uses("aws:lb/loadBalancer:LoadBalancer", "securityGroups") &&
		!uses("aws:ecs/service:Service", "networkConfiguration.securityGroups")
}

func publicIP(s scope, r graph.Resource) []string {
	if s.production && r.Type == "aws:ecs/service:Service" && input(r, "networkConfiguration.assignPublicIp") == true {
		return one("networkConfiguration.assignPublicIp is on: place production tasks in private subnets")
	}
	return nil
}

func sleepingProduction(s scope, r graph.Resource) []string {
	if command, ok := calls(r); ok && s.production && command == settings.CommandSleep {
		return one("%s puts it to sleep: take `sleep` out of its config", text(r, "scheduleExpression"))
	}
	return nil
}

// stores are the types that keep data, with the property that names the key.
var stores = map[string]string{
	"aws:cloudwatch/logGroup:LogGroup":   "kmsKeyId",
	"aws:sns/topic:Topic":                "kmsMasterKeyId",
	"aws:ecr/repository:Repository":      "encryptionConfigurations",
	"aws:codebuild/project:Project":      "encryptionKey",
	"aws:secretsmanager/secret:Secret":   "kmsKeyId",
	"aws:codepipeline/pipeline:Pipeline": "artifactStores[0].encryptionKey",
}

func unencryptedStore(s scope, r graph.Resource) []string {
	switch r.Type {
	case "aws:s3/bucketV2:BucketV2", "aws:s3/bucket:Bucket":
		if input(r, "serverSideEncryptionConfiguration") == nil &&
			!s.attached(r, "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", "bucket") {
			return one("no server-side encryption is declared: name the algorithm and the key")
		}
		return nil
	case "aws:ssm/parameter:Parameter":
		if text(r, "type") != "SecureString" && slices.Contains(r.Secrets, "value") {
			return one("a secret value in a parameter of the type %s: make it a SecureString", text(r, "type"))
		}
		return nil
	}
	if property, ok := stores[r.Type]; ok && input(r, property) == nil {
		return one("%s is not set: name a KMS key", property)
	}
	return nil
}

func unscannedImage(s scope, r graph.Resource) []string {
	if r.Type == "aws:ecr/repository:Repository" && input(r, "imageScanningConfiguration.scanOnPush") != true &&
		len(s.graph.OfType("aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration")) == 0 {
		return one("imageScanningConfiguration.scanOnPush is off: turn it on")
	}
	return nil
}

func unusedPolicy(s scope, r graph.Resource) []string {
	if r.Type != "aws:iam/policy:Policy" {
		return nil
	}
	if s.attached(r, "aws:iam/rolePolicyAttachment:RolePolicyAttachment", "policyArn") ||
		s.attached(r, "aws:iam/policyAttachment:PolicyAttachment", "policyArn") ||
		s.attached(r, "aws:iam/role:Role", "permissionsBoundary") ||
		slices.ContainsFunc(s.graph.OfType("aws:iam/role:Role"), func(role graph.Resource) bool {
			return slices.Contains(texts(input(role, "managedPolicyArns")), r.ID)
		}) {
		return nil
	}
	return one("no role has it: attach it or remove it")
}

func weakTLS(_ scope, r graph.Resource) []string {
	if r.Type != "aws:lb/listener:Listener" || text(r, "protocol") != "HTTPS" {
		return nil
	}
	if policy := text(r, "sslPolicy"); !strings.HasPrefix(policy, "ELBSecurityPolicy-TLS13-1-2-") &&
		!strings.HasPrefix(policy, "ELBSecurityPolicy-TLS13-1-3-") {
		return one("sslPolicy is %q: a right value is ELBSecurityPolicy-TLS13-1-2-2021-06", policy)
	}
	return nil
}

func writableRoot(_ scope, r graph.Resource) []string {
	if r.Type != "aws:ecs/taskDefinition:TaskDefinition" {
		return nil
	}
	var reasons []string
	for _, c := range containers(r) {
		if c["readonlyRootFilesystem"] != true {
			reasons = append(reasons, fmt.Sprintf("container %v: set readonlyRootFilesystem", c["name"]))
		}
		if c["privileged"] == true {
			reasons = append(reasons, fmt.Sprintf("container %v is privileged", c["name"]))
		}
	}
	return reasons
}
