package graph

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// circumstances are what a resource's identifier and computed outputs are made of.
type circumstances struct {
	typ, urn, name             string
	inputs                     map[string]any
	account, region, partition string
	autoname                   func(limit int, valid string) string
}

// kind tells how AWS names and describes the resources of one type. Its texts are templates: {name} is a property (an input,
// or one that an earlier template made), {region}, {account}, {partition} and {urn.name} come from the circumstances, and
// {hex:17}, {digits:10}, {letters:6}, {upper:17} and {uuid} are characters that depend on the URN alone.
type kind struct {
	// named is the property that the provider fills by itself when the program does not, at most limit characters of the
	// characters that valid allows (empty: everything that Pulumi allows).
	named string
	limit int
	valid string
	// outputs are property and template, in the order in which they build on each other.
	outputs [][2]string
	id      string
	// more adds outputs that are no text.
	more func(c circumstances, outputs map[string]any)
}

// arn is the template of an ARN in the resource's own account and region.
func arn(service, rest string) [2]string {
	return [2]string{"arn", "arn:{partition}:" + service + ":{region}:{account}:" + rest}
}

// global is the template of an ARN without a region.
func global(service, rest string) [2]string {
	return [2]string{"arn", "arn:{partition}:" + service + "::{account}:" + rest}
}

const lower = "abcdefghijklmnopqrstuvwxyz0123456789-"

// kinds are the types that have faithful stand-in outputs, in the formats of AWS's service authorization reference and of the
// Terraform provider's documentation ("attribute reference", "import").
var kinds = map[string]kind{
	"aws:lb/loadBalancer:LoadBalancer": {named: "name", limit: 32, id: "{arn}", more: loadBalancer},
	"aws:lb/targetGroup:TargetGroup": {named: "name", limit: 32, id: "{arn}", outputs: [][2]string{
		{"arnSuffix", "targetgroup/{name}/{hex:16}"}, arn("elasticloadbalancing", "{arnSuffix}")}},
	"aws:lb/listener:Listener":                           {id: "{arn}", more: below("loadBalancerArn", ":loadbalancer/", ":listener/")},
	"aws:lb/listenerRule:ListenerRule":                   {id: "{arn}", more: below("listenerArn", ":listener/", ":listener-rule/")},
	"aws:lb/listenerCertificate:ListenerCertificate":     {id: "{listenerArn}_{certificateArn}"},
	"aws:lb/targetGroupAttachment:TargetGroupAttachment": {id: "{targetGroupArn}-{hex:26}"},

	"aws:ecs/cluster:Cluster":                                   {named: "name", limit: 255, id: "{arn}", outputs: [][2]string{arn("ecs", "cluster/{name}")}},
	"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": {id: "{clusterName}"},
	"aws:ecs/service:Service":                                   {named: "name", limit: 255, id: "{serviceArn}", more: ecsService},
	"aws:ecs/taskDefinition:TaskDefinition": {id: "{family}", outputs: [][2]string{
		{"arnWithoutRevision", "arn:{partition}:ecs:{region}:{account}:task-definition/{family}"}, {"arn", "{arnWithoutRevision}:1"}},
		more: numbers("revision", 1)},

	"aws:iam/role:Role": {named: "name", limit: 64, id: "{name}", outputs: [][2]string{{"path", "/"},
		{"uniqueId", "AROA{upper:17}"}, {"createDate", created}, global("iam", "role{path}{name}")}},
	"aws:iam/policy:Policy": {named: "name", limit: 128, id: "{arn}", outputs: [][2]string{{"path", "/"},
		{"policyId", "ANPA{upper:17}"}, global("iam", "policy{path}{name}")}, more: numbers("attachmentCount", 0)},
	"aws:iam/rolePolicy:RolePolicy":                     {named: "name", limit: 128, id: "{role}:{name}"},
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment": {id: "{role}-{digits:26}"},
	"aws:iam/instanceProfile:InstanceProfile": {named: "name", limit: 128, id: "{name}", outputs: [][2]string{{"path", "/"},
		global("iam", "instance-profile{path}{name}")}},
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider": {id: "{arn}", more: openID},

	"aws:cloudwatch/logGroup:LogGroup":                   {named: "name", limit: 512, id: "{name}", outputs: [][2]string{arn("logs", "log-group:{name}")}},
	"aws:cloudwatch/logStream:LogStream":                 {named: "name", limit: 512, id: "{name}", outputs: [][2]string{arn("logs", "log-group:{logGroupName}:log-stream:{name}")}},
	"aws:cloudwatch/logMetricFilter:LogMetricFilter":     {named: "name", limit: 512, id: "{name}"},
	"aws:cloudwatch/logResourcePolicy:LogResourcePolicy": {id: "{policyName}"},
	"aws:cloudwatch/metricAlarm:MetricAlarm":             {named: "name", limit: 255, id: "{name}", outputs: [][2]string{arn("cloudwatch", "alarm:{name}")}},
	"aws:cloudwatch/compositeAlarm:CompositeAlarm":       {id: "{alarmName}", outputs: [][2]string{arn("cloudwatch", "alarm:{alarmName}")}},
	"aws:cloudwatch/dashboard:Dashboard": {id: "{dashboardName}", outputs: [][2]string{
		{"dashboardArn", "arn:{partition}:cloudwatch::{account}:dashboard/{dashboardName}"}}},
	"aws:cloudwatch/eventRule:EventRule":             {named: "name", limit: 64, id: "{name}", outputs: [][2]string{arn("events", "rule/{name}")}},
	"aws:cloudwatch/eventTarget:EventTarget":         {id: "{rule}-{targetId}", outputs: [][2]string{{"targetId", "terraform-{digits:26}"}}},
	"aws:cloudwatch/queryDefinition:QueryDefinition": {named: "name", limit: 255, id: "{queryDefinitionId}", outputs: [][2]string{{"queryDefinitionId", "{uuid}"}}},

	"aws:ecr/repository:Repository": {named: "name", limit: 256, valid: lower, id: "{name}", outputs: [][2]string{
		{"registryId", "{account}"}, {"repositoryUrl", "{account}.dkr.ecr.{region}.amazonaws.com/{name}"}, arn("ecr", "repository/{name}")}},
	"aws:ecr/lifecyclePolicy:LifecyclePolicy":                             {id: "{repository}", outputs: [][2]string{{"registryId", "{account}"}}},
	"aws:ecr/repositoryPolicy:RepositoryPolicy":                           {id: "{repository}", outputs: [][2]string{{"registryId", "{account}"}}},
	"aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration": {id: "{account}", outputs: [][2]string{{"registryId", "{account}"}}},
	"aws:ecr/pullThroughCacheRule:PullThroughCacheRule":                   {id: "{ecrRepositoryPrefix}", outputs: [][2]string{{"registryId", "{account}"}}},

	"aws:s3/bucket:Bucket":                                                                       bucket,
	"aws:s3/bucketV2:BucketV2":                                                                   bucket,
	"aws:s3/bucketPolicy:BucketPolicy":                                                           {id: "{bucket}"},
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":                                     {id: "{bucket}"},
	"aws:s3/bucketVersioningV2:BucketVersioningV2":                                               {id: "{bucket}"},
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls":                                     {id: "{bucket}"},
	"aws:s3/bucketLoggingV2:BucketLoggingV2":                                                     {id: "{bucket}"},
	"aws:s3/bucketNotification:BucketNotification":                                               {id: "{bucket}"},
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2":                       {id: "{bucket}"},
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": {id: "{bucket}"},
	"aws:s3/bucketObjectv2:BucketObjectv2": {id: "{key}", outputs: [][2]string{
		{"arn", "arn:{partition}:s3:::{bucket}/{key}"}, {"versionId", "{letters:32}"}, {"etag", "{hex:32}"}}},

	"aws:codebuild/project:Project":                               {named: "name", limit: 255, id: "{arn}", outputs: [][2]string{arn("codebuild", "project/{name}")}},
	"aws:codebuild/reportGroup:ReportGroup":                       {named: "name", limit: 128, id: "{arn}", outputs: [][2]string{arn("codebuild", "report-group/{name}")}},
	"aws:codepipeline/pipeline:Pipeline":                          {named: "name", limit: 100, id: "{name}", outputs: [][2]string{arn("codepipeline", "{name}")}},
	"aws:codestarconnections/connection:Connection":               {named: "name", limit: 32, id: "{arn}", outputs: [][2]string{{"connectionStatus", "PENDING"}, arn("codestar-connections", "connection/{uuid}")}},
	"aws:codeconnections/connection:Connection":                   {named: "name", limit: 32, id: "{arn}", outputs: [][2]string{{"connectionStatus", "PENDING"}, {"ownerAccountId", "{account}"}, arn("codeconnections", "connection/{uuid}")}},
	"aws:codestarnotifications/notificationRule:NotificationRule": {named: "name", limit: 64, id: "{arn}", outputs: [][2]string{arn("codestar-notifications", "notificationrule/{hex:40}")}},

	"aws:lambda/function:Function": {named: "name", limit: 64, id: "{name}", more: lambdaCode, outputs: [][2]string{
		{"version", "$LATEST"}, {"lastModified", created}, arn("lambda", "function:{name}"), {"qualifiedArn", "{arn}:$LATEST"},
		{"invokeArn", "arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"},
		{"qualifiedInvokeArn", "arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{qualifiedArn}/invocations"}}},
	"aws:lambda/permission:Permission":                               {id: "{statementId}", outputs: [][2]string{{"statementId", "{urn.name}-{hex:7}"}}},
	"aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": {id: "{functionName}"},
	"aws:lambda/alias:Alias":                                         {named: "name", limit: 128, id: "{arn}", outputs: [][2]string{{"arn", "{functionName}:{name}"}}},

	"aws:scheduler/scheduleGroup:ScheduleGroup": {named: "name", limit: 64, id: "{name}", outputs: [][2]string{{"state", "ACTIVE"}, arn("scheduler", "schedule-group/{name}")}},
	"aws:scheduler/schedule:Schedule":           {named: "name", limit: 64, id: "{groupName}/{name}", outputs: [][2]string{{"groupName", "default"}, arn("scheduler", "schedule/{groupName}/{name}")}},

	"aws:appautoscaling/target:Target":                   {id: "{resourceId}", outputs: [][2]string{arn("application-autoscaling", "scalable-target/{hex:34}")}},
	"aws:appautoscaling/policy:Policy":                   {named: "name", limit: 255, id: "{name}", outputs: [][2]string{arn("autoscaling", "scalingPolicy:{uuid}:resource/{serviceNamespace}/{resourceId}:policyName/{name}")}},
	"aws:appautoscaling/scheduledAction:ScheduledAction": {named: "name", limit: 255, id: "{name}-{resourceId}", outputs: [][2]string{arn("autoscaling", "scheduledAction:{uuid}:resource/{serviceNamespace}/{resourceId}:scheduledActionName/{name}")}},

	"aws:sns/topic:Topic":                         {named: "name", limit: 256, id: "{arn}", outputs: [][2]string{{"owner", "{account}"}, arn("sns", "{name}")}},
	"aws:sns/topicPolicy:TopicPolicy":             {id: "{arn}", outputs: [][2]string{{"owner", "{account}"}}},
	"aws:sns/topicSubscription:TopicSubscription": {id: "{arn}", outputs: [][2]string{{"ownerId", "{account}"}, {"arn", "{topic}:{uuid}"}}},

	"aws:kms/key:Key":             {id: "{keyId}", outputs: [][2]string{{"keyId", "{uuid}"}, arn("kms", "key/{keyId}")}},
	"aws:kms/keyPolicy:KeyPolicy": {id: "{keyId}"},
	"aws:kms/alias:Alias":         {id: "{name}", outputs: [][2]string{{"name", "alias/{urn.name}-{hex:7}"}, arn("kms", "{name}")}, more: aliasTarget},

	"aws:ssm/parameter:Parameter":                    {named: "name", limit: 1011, id: "{name}", more: parameter},
	"aws:secretsmanager/secret:Secret":               {named: "name", limit: 512, id: "{arn}", outputs: [][2]string{arn("secretsmanager", "secret:{name}-{letters:6}")}},
	"aws:secretsmanager/secretVersion:SecretVersion": {id: "{secretId}|{versionId}", outputs: [][2]string{{"versionId", "{uuid}"}, {"arn", "{secretId}"}}},

	"aws:acm/certificate:Certificate":                     {id: "{arn}", outputs: [][2]string{{"status", "PENDING_VALIDATION"}, {"type", "AMAZON_ISSUED"}, arn("acm", "certificate/{uuid}")}, more: validations},
	"aws:acm/certificateValidation:CertificateValidation": {id: "{certificateArn}"},
	"aws:route53/record:Record":                           {id: "{zoneId}_{name}_{type}", outputs: [][2]string{{"fqdn", "{name}"}}},
	"aws:route53/zone:Zone":                               {id: "{zoneId}", outputs: [][2]string{{"zoneId", "Z{upper:20}"}, {"arn", "arn:{partition}:route53:::hostedzone/{zoneId}"}}, more: nameServers},

	"aws:ec2/vpc:Vpc": {id: "vpc-{hex:17}", outputs: [][2]string{{"ownerId", "{account}"}, arn("ec2", "vpc/vpc-{hex:17}"),
		{"defaultSecurityGroupId", "sg-{hex:17}"}, {"defaultNetworkAclId", "acl-{hex:17}"}, {"defaultRouteTableId", "rtb-{hex:17}"},
		{"mainRouteTableId", "rtb-{hex:17}"}, {"dhcpOptionsId", "dopt-{hex:17}"}}},
	"aws:ec2/subnet:Subnet":                       {id: "subnet-{hex:17}", outputs: [][2]string{{"ownerId", "{account}"}, arn("ec2", "subnet/subnet-{hex:17}")}},
	"aws:ec2/securityGroup:SecurityGroup":         {named: "name", limit: 255, id: "sg-{hex:17}", outputs: [][2]string{{"ownerId", "{account}"}, arn("ec2", "security-group/sg-{hex:17}")}},
	"aws:ec2/securityGroupRule:SecurityGroupRule": {id: "sgrule-{digits:10}", outputs: [][2]string{{"securityGroupRuleId", "sgr-{hex:17}"}}},
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {id: "sgr-{hex:17}", outputs: [][2]string{
		{"securityGroupRuleId", "sgr-{hex:17}"}, arn("ec2", "security-group-rule/sgr-{hex:17}")}},
	"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {id: "sgr-{hex:17}", outputs: [][2]string{
		{"securityGroupRuleId", "sgr-{hex:17}"}, arn("ec2", "security-group-rule/sgr-{hex:17}")}},
	"aws:ec2/eip:Eip": {id: "eipalloc-{hex:17}", outputs: [][2]string{{"allocationId", "eipalloc-{hex:17}"}, {"publicIp", address},
		arn("ec2", "elastic-ip/eipalloc-{hex:17}")}},
	"aws:ec2/natGateway:NatGateway":                       {id: "nat-{hex:17}", outputs: [][2]string{{"networkInterfaceId", "eni-{hex:17}"}, {"publicIp", address}}},
	"aws:ec2/internetGateway:InternetGateway":             {id: "igw-{hex:17}", outputs: [][2]string{{"ownerId", "{account}"}, arn("ec2", "internet-gateway/igw-{hex:17}")}},
	"aws:ec2/routeTable:RouteTable":                       {id: "rtb-{hex:17}", outputs: [][2]string{{"ownerId", "{account}"}, arn("ec2", "route-table/rtb-{hex:17}")}},
	"aws:ec2/route:Route":                                 {id: "r-{routeTableId}{digits:10}", outputs: [][2]string{{"state", "active"}, {"origin", "CreateRoute"}}},
	"aws:ec2/routeTableAssociation:RouteTableAssociation": {id: "rtbassoc-{hex:17}"},
	"aws:ec2/vpcEndpoint:VpcEndpoint": {id: "vpce-{hex:17}", outputs: [][2]string{{"ownerId", "{account}"}, {"state", "available"},
		{"prefixListId", "pl-{hex:8}"}, arn("ec2", "vpc-endpoint/vpce-{hex:17}")}},
	"aws:ec2/flowLog:FlowLog": {id: "fl-{hex:17}", outputs: [][2]string{arn("ec2", "vpc-flow-log/fl-{hex:17}")}},

	"github:index/actionsVariable:ActionsVariable":                                             {id: "{repository}:{variableName}", outputs: [][2]string{{"createdAt", created}, {"updatedAt", created}}},
	"github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable":                       {id: "{repository}:{environment}:{variableName}", outputs: [][2]string{{"createdAt", created}, {"updatedAt", created}}},
	"github:index/repositoryEnvironment:RepositoryEnvironment":                                 {id: "{repository}:{environment}"},
	"github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy": {id: "{repository}:{environment}:{digits:8}"},
	"github:index/repositoryRuleset:RepositoryRuleset":                                         {id: "{digits:7}", outputs: [][2]string{{"nodeId", "RRS_{letters:16}"}, {"etag", "{hex:40}"}}, more: numbers("rulesetId", 1234567)},
}

var bucket = kind{named: "bucket", limit: 63, valid: lower, id: "{bucket}", outputs: [][2]string{
	{"arn", "arn:{partition}:s3:::{bucket}"}, {"region", "{region}"},
	{"bucketDomainName", "{bucket}.s3.amazonaws.com"}, {"bucketRegionalDomainName", "{bucket}.s3.{region}.amazonaws.com"}}}

const (
	created = "2026-01-01T00:00:00Z"
	address = "203.0.113.10" // of the range that is set aside for documentation (RFC 5737)
)

// Autonamed tells which property of a type Pulumi fills with a physical name when the program does not.
func Autonamed(typ string) (property string, ok bool) {
	property = kinds[typ].named
	return property, property != ""
}

// compute gives a resource its identifier and its computed outputs. known is false where the type is not in kinds.
func compute(c circumstances) (id string, outputs map[string]any, known bool) {
	k, known := kinds[c.typ]
	if strings.HasPrefix(c.typ, "pulumi:providers:") {
		return c.expand("{uuid}", nil), nil, true
	}
	if !known {
		k = kind{id: "{urn.name}-{hex:7}", outputs: [][2]string{{"arn", "{generic}"}}}
	}
	outputs = map[string]any{"generic": c.generic()}
	if k.named != "" {
		if given, ok := c.inputs[k.named].(string); !ok || given == "" {
			outputs[k.named] = c.autoname(k.limit, k.valid)
		}
	}
	for _, output := range k.outputs {
		if _, given := c.inputs[output[0]]; !given {
			outputs[output[0]] = c.expand(output[1], outputs)
		}
	}
	if k.more != nil {
		k.more(c, outputs)
	}
	id = c.expand(k.id, outputs)
	delete(outputs, "generic")
	if !strings.HasPrefix(c.typ, "aws:") {
		delete(outputs, "arn")
	}
	if tags, ok := c.inputs["tags"].(map[string]any); ok && strings.HasPrefix(c.typ, "aws:") {
		outputs["tagsAll"] = maps.Clone(tags)
	}
	return id, outputs, known
}

// generic is an ARN in the common form for a type that kinds does not hold.
func (c circumstances) generic() string {
	service, rest, _ := strings.Cut(strings.TrimPrefix(c.typ, "aws:"), "/")
	resource, _, _ := strings.Cut(rest, ":")
	return c.expand("arn:{partition}:"+service+":{region}:{account}:"+strings.ToLower(resource)+"/{urn.name}-{hex:7}", nil)
}

// expand fills a template.
func (c circumstances) expand(template string, outputs map[string]any) string {
	var text strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		text.WriteString(before)
		if !found {
			return text.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		text.WriteString(c.value(name, outputs))
		template = after
	}
}

func (c circumstances) value(name string, outputs map[string]any) string {
	switch name {
	case "region":
		return c.region
	case "account":
		return c.account
	case "partition":
		return c.partition
	case "urn.name":
		return c.name
	case "uuid":
		h := c.characters(32, "0123456789abcdef")
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	}
	if alphabet, count, ok := strings.Cut(name, ":"); ok {
		n, _ := strconv.Atoi(count)
		return c.characters(n, alphabets[alphabet])
	}
	value, ok := outputs[name]
	if !ok {
		value = c.inputs[name]
	}
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

var alphabets = map[string]string{
	"hex":     "0123456789abcdef",
	"digits":  "0123456789",
	"letters": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	"upper":   "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
}

func (c circumstances) characters(n int, alphabet string) string {
	return characters(c.urn, n, alphabet)
}

// characters are n letters of an alphabet that look random and depend on the seed alone.
func characters(seed string, n int, alphabet string) string {
	var text strings.Builder
	for block := 0; text.Len() < n; block++ {
		for _, b := range sha256.Sum256(fmt.Appendf(nil, "%s#%d", seed, block)) {
			if text.Len() == n {
				break
			}
			text.WriteByte(alphabet[int(b)%len(alphabet)])
		}
	}
	return text.String()
}

func numbers(property string, value float64) func(circumstances, map[string]any) {
	return func(_ circumstances, outputs map[string]any) { outputs[property] = value }
}

// zones are the hosted zones that the names of application load balancers lie in, by region (AWS General Reference,
// "Elastic Load Balancing endpoints").
var zones = map[string]string{
	"us-east-1": "Z35SXDOTRQ7X7K", "us-east-2": "Z3AADJGX6KTTL2", "us-west-1": "Z368ELLRRE2KJ0", "us-west-2": "Z1H1FL5HABSF5",
	"eu-central-1": "Z215JYRZR1TBD5", "eu-west-1": "Z32O12XQLNTSW2", "eu-west-2": "ZHURV8PSTC4K8", "eu-west-3": "Z3Q77PNBQS71R4",
	"eu-north-1": "Z23TAZ6LKFMNIO", "ap-southeast-1": "Z1LMS91P8CMLE5", "ap-southeast-2": "Z1GM3OXH4ZPM65",
	"ap-northeast-1": "Z14GRHDCWA56QT", "ap-south-1": "ZP97RAFLXTNZK", "ca-central-1": "ZQSVJUPU6J1EY", "sa-east-1": "Z2P70J7HTTTPLU",
}

func loadBalancer(c circumstances, outputs map[string]any) {
	short := map[string]string{"network": "net", "gateway": "gwy"}[fmt.Sprint(c.inputs["loadBalancerType"])]
	if short == "" {
		short = "app"
	}
	host := "{name}-{digits:10}.{region}.elb.amazonaws.com"
	if c.inputs["internal"] == true {
		host = "internal-" + host
	}
	outputs["arnSuffix"] = c.expand(short+"/{name}/{hex:16}", outputs)
	outputs["arn"] = c.expand("arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/{arnSuffix}", outputs)
	outputs["dnsName"] = c.expand(host, outputs)
	outputs["zoneId"] = zones[c.region]
	if outputs["zoneId"] == "" {
		outputs["zoneId"] = c.expand("Z{upper:13}", nil)
	}
	outputs["vpcId"] = "vpc-" + characters(c.account+c.region, 17, alphabets["hex"])
}

// below makes an ARN out of the one that the resource hangs on, as listeners and rules have it.
func below(property, from, to string) func(circumstances, map[string]any) {
	return func(c circumstances, outputs map[string]any) {
		parent := fmt.Sprint(c.inputs[property])
		outputs["arn"] = c.expand(strings.Replace(parent, from, to, 1)+"/{hex:16}", nil)
	}
}

func ecsService(c circumstances, outputs map[string]any) {
	cluster, _ := c.inputs["cluster"].(string)
	cluster = cluster[strings.LastIndex(cluster, "/")+1:]
	if cluster == "" {
		cluster = "default"
	}
	outputs["serviceArn"] = c.expand("arn:{partition}:ecs:{region}:{account}:service/"+cluster+"/{name}", outputs)
}

func openID(c circumstances, outputs map[string]any) {
	host := strings.TrimPrefix(fmt.Sprint(c.inputs["url"]), "https://")
	outputs["arn"] = c.expand("arn:{partition}:iam::{account}:oidc-provider/"+host, nil)
}

// lambdaCode gives the checksum of a function's code, from the hash of the archive that the program names.
func lambdaCode(c circumstances, outputs map[string]any) {
	seed := c.urn
	if code, ok := c.inputs["code"].(map[string]any); ok {
		if a, ok := code["archive"].(map[string]any); ok {
			seed = fmt.Sprint(a["hash"])
		}
	}
	sum := sha256.Sum256([]byte(seed))
	outputs["codeSha256"] = base64.StdEncoding.EncodeToString(sum[:])
}

func aliasTarget(c circumstances, outputs map[string]any) {
	target := fmt.Sprint(c.inputs["targetKeyId"])
	if !strings.HasPrefix(target, "arn:") {
		target = c.expand("arn:{partition}:kms:{region}:{account}:key/"+target, nil)
	}
	outputs["targetKeyArn"] = target
}

// parameter gives an SSM parameter its ARN, in which a name with a path keeps a single slash.
func parameter(c circumstances, outputs map[string]any) {
	name := strings.TrimPrefix(c.value("name", outputs), "/")
	if _, given := c.inputs["arn"]; !given {
		outputs["arn"] = c.expand("arn:{partition}:ssm:{region}:{account}:parameter/"+name, nil)
	}
	outputs["version"] = float64(1)
}

func validations(c circumstances, outputs map[string]any) {
	domains := []any{c.inputs["domainName"]}
	if more, ok := c.inputs["subjectAlternativeNames"].([]any); ok {
		domains = append(domains, more...)
	}
	var options []any
	seen := map[string]bool{}
	for _, domain := range domains {
		host := fmt.Sprint(domain)
		if domain == nil || seen[host] {
			continue
		}
		seen[host] = true
		bare := strings.TrimPrefix(host, "*.") // one record validates a name and its wildcard
		options = append(options, map[string]any{
			"domainName":          host,
			"resourceRecordName":  "_" + characters(c.urn+bare, 32, alphabets["hex"]) + "." + bare + ".",
			"resourceRecordType":  "CNAME",
			"resourceRecordValue": "_" + characters(bare+c.urn, 32, alphabets["hex"]) + ".acm-validations.aws.",
		})
	}
	outputs["domainValidationOptions"] = options
}

func nameServers(c circumstances, outputs map[string]any) {
	servers := []any{"ns-1.awsdns-00.com", "ns-2.awsdns-01.net", "ns-3.awsdns-02.org", "ns-4.awsdns-03.co.uk"}
	outputs["nameServers"], outputs["primaryNameServer"] = servers, servers[0]
}
