package plan

import (
	"slices"
	"strings"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// every stands for all of a type's properties except tags.
const every = "*"

// fixed are the properties of each type that AWS cannot change in place ("forces new resource" in the Terraform provider's
// documentation, on which pulumi-aws stands).
var fixed = map[string][]string{
	"aws:lb/loadBalancer:LoadBalancer":                               {"name", "namePrefix", "internal", "loadBalancerType", "customerOwnedIpv4Pool"},
	"aws:lb/targetGroup:TargetGroup":                                 {"name", "namePrefix", "port", "protocol", "protocolVersion", "vpcId", "targetType", "ipAddressType"},
	"aws:lb/listener:Listener":                                       {"loadBalancerArn"},
	"aws:lb/listenerRule:ListenerRule":                               {"listenerArn"},
	"aws:lb/listenerCertificate:ListenerCertificate":                 {every},
	"aws:ecs/cluster:Cluster":                                        {"name"},
	"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders":      {"clusterName"},
	"aws:ecs/service:Service":                                        {"cluster", "name", "launchType", "schedulingStrategy", "deploymentController", "iamRole"},
	"aws:ecs/taskDefinition:TaskDefinition":                          {every},
	"aws:iam/role:Role":                                              {"name", "namePrefix", "path"},
	"aws:iam/policy:Policy":                                          {"name", "namePrefix", "path", "description"},
	"aws:iam/rolePolicy:RolePolicy":                                  {"name", "namePrefix", "role"},
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment":              {every},
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider":            {"url"},
	"aws:cloudwatch/logGroup:LogGroup":                               {"name", "namePrefix", "logGroupClass"},
	"aws:cloudwatch/logMetricFilter:LogMetricFilter":                 {"name", "logGroupName"},
	"aws:cloudwatch/metricAlarm:MetricAlarm":                         {"name"},
	"aws:cloudwatch/compositeAlarm:CompositeAlarm":                   {"alarmName"},
	"aws:cloudwatch/dashboard:Dashboard":                             {"dashboardName"},
	"aws:cloudwatch/eventRule:EventRule":                             {"name", "namePrefix", "eventBusName"},
	"aws:cloudwatch/eventTarget:EventTarget":                         {"rule", "targetId", "eventBusName"},
	"aws:ecr/repository:Repository":                                  {"name", "encryptionConfigurations"},
	"aws:ecr/lifecyclePolicy:LifecyclePolicy":                        {"repository"},
	"aws:ecr/repositoryPolicy:RepositoryPolicy":                      {"repository"},
	"aws:s3/bucket:Bucket":                                           {"bucket", "bucketPrefix"},
	"aws:s3/bucketV2:BucketV2":                                       {"bucket", "bucketPrefix", "objectLockEnabled"},
	"aws:s3/bucketPolicy:BucketPolicy":                               {"bucket"},
	"aws:codebuild/project:Project":                                  {"name"},
	"aws:codepipeline/pipeline:Pipeline":                             {"name"},
	"aws:codestarconnections/connection:Connection":                  {"name", "providerType", "hostArn"},
	"aws:codeconnections/connection:Connection":                      {"name", "providerType", "hostArn"},
	"aws:codestarnotifications/notificationRule:NotificationRule":    {"resource"},
	"aws:lambda/function:Function":                                   {"name", "packageType"},
	"aws:lambda/permission:Permission":                               {every},
	"aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": {"functionName", "qualifier"},
	"aws:ssm/parameter:Parameter":                                    {"name"},
	"aws:scheduler/schedule:Schedule":                                {"name", "namePrefix", "groupName"},
	"aws:scheduler/scheduleGroup:ScheduleGroup":                      {"name", "namePrefix"},
	"aws:appautoscaling/target:Target":                               {"resourceId", "scalableDimension", "serviceNamespace"},
	"aws:appautoscaling/policy:Policy":                               {"name", "resourceId", "scalableDimension", "serviceNamespace"},
	"aws:appautoscaling/scheduledAction:ScheduledAction":             {"name", "resourceId", "serviceNamespace"},
	"aws:sns/topic:Topic":                                            {"name", "namePrefix", "fifoTopic"},
	"aws:sns/topicSubscription:TopicSubscription":                    {"topic", "protocol", "endpoint"},
	"aws:kms/key:Key":                                                {"keyUsage", "customerMasterKeySpec", "multiRegion"},
	"aws:kms/alias:Alias":                                            {"name", "namePrefix"},
	"aws:secretsmanager/secret:Secret":                               {"name", "namePrefix"},
	"aws:acm/certificate:Certificate":                                {"domainName", "subjectAlternativeNames", "validationMethod", "keyAlgorithm"},
	"aws:route53/record:Record":                                      {"name", "type", "zoneId", "setIdentifier"},
	"aws:route53/zone:Zone":                                          {"name", "delegationSetId"},
	"aws:ec2/vpc:Vpc":                                                {"cidrBlock", "ipv4IpamPoolId"},
	"aws:ec2/subnet:Subnet":                                          {"vpcId", "cidrBlock", "availabilityZone"},
	"aws:ec2/securityGroup:SecurityGroup":                            {"name", "namePrefix", "description", "vpcId"},
	"aws:ec2/securityGroupRule:SecurityGroupRule":                    {every},
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":      {"securityGroupId"},
	"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule":        {"securityGroupId"},
	"aws:ec2/natGateway:NatGateway":                                  {"subnetId", "allocationId", "connectivityType"},
	"aws:ec2/eip:Eip":                                                {"domain", "publicIpv4Pool"},
	"aws:ec2/internetGateway:InternetGateway":                        {},
	"aws:ec2/routeTable:RouteTable":                                  {"vpcId"},
	"aws:ec2/route:Route":                                            {"routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock"},
	"aws:ec2/routeTableAssociation:RouteTableAssociation":            {"subnetId", "gatewayId"},
	"aws:ec2/vpcEndpoint:VpcEndpoint":                                {"vpcId", "serviceName", "vpcEndpointType"},
	"aws:ec2/flowLog:FlowLog":                                        {every},

	"github:index/actionsVariable:ActionsVariable":                                             {"repository", "variableName"},
	"github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable":                       {"repository", "environment", "variableName"},
	"github:index/repositoryEnvironment:RepositoryEnvironment":                                 {"repository", "environment"},
	"github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy": {"repository", "environment"},
	"github:index/repositoryRuleset:RepositoryRuleset":                                         {"repository"},
}

// replaces tells whether a change at a path makes the engine replace the resource: by its type, or because the program says so.
func replaces(r graph.Resource, path string) bool {
	if path == "protect" || path == "ignoreChanges" {
		return false
	}
	for _, property := range r.Options.ReplaceOnChanges {
		if property == every || within(path, property) {
			return true
		}
	}
	properties := fixed[r.Type]
	if slices.Contains(properties, every) {
		return !slices.ContainsFunc(append([]string{"trackLatest", "skipDestroy"}, quietAlways...), func(quiet string) bool {
			return within(path, quiet)
		}) || strings.HasPrefix(path, "description") && r.Type == "aws:ec2/securityGroupRule:SecurityGroupRule"
	}
	return slices.ContainsFunc(properties, func(property string) bool { return within(path, property) })
}

// Replaces tells whether AWS replaces a resource of the type when the top-level property changes.
func Replaces(typ, property string) bool { return replaces(graph.Resource{Type: typ}, property) }
